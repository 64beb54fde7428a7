//! Several hosts: one process serves an address, the others connect; all of them serve and call.
//!
//! Here all of it is one process, so that it runs by itself. Between hosts the hub would say
//! `tcp:*:4000?listen&tls&client_ca=..`, as the next example does: what other hosts can reach is
//! encrypted, and says who may come in.

use tidings::{Bus, Context, OpenError};

fn main() -> tidings::Result<()> {
    // Port 0 is one of the system's choice, which the bus then knows.
    let hub = Bus::open("tcp:127.0.0.1:0?listen")?;
    let address = hub.address().expect("a hub knows its address");
    println!("the hub is at {address}");

    // A worker serves what anybody may call, through the hub.
    let worker = Bus::open(&address)?;
    let _squares = worker.listen("math").on("square", |n: u64| n * n).start()?;

    // And the hub's own process serves as well.
    let _who = hub
        .listen("hub")
        .on("who", |_: ()| {
            let context = Context::current()?;
            Some(context.caller()?.transport.to_string())
        })
        .start()?;

    // Several places are tried in turn, and so are all addresses of a name. Nobody is at the first.
    let place = address.strip_prefix("tcp:").unwrap_or(&address);
    let client = Bus::open(&format!("tcp:127.0.0.1:1,{place}"))?;
    assert_eq!(client.call::<u64>("math.square", &12_u64).wait()?, 144);
    let by = client.call::<Option<String>>("hub.who", &()).wait()?;
    assert_eq!(by.as_deref(), Some("tcp"));

    // An address is served once.
    let again = Bus::open(&format!("{address}?listen")).unwrap_err();
    println!("{again}");
    assert!(matches!(again, OpenError::AddressInUse { .. }));

    // Nothing is served to other hosts by accident.
    let open = Bus::open("tcp:*:0?listen").unwrap_err();
    println!("{open}");
    assert!(open.to_string().contains("allow_plaintext"));

    // Where nobody listens, opening says so at once.
    let nobody = Bus::open("tcp:127.0.0.1:1").unwrap_err();
    println!("{nobody}");
    assert!(matches!(nobody, OpenError::NotConnected { .. }));
    Ok(())
}
