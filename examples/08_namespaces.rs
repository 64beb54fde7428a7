//! Namespaces: several services on one topic, and the names that they once had.

use tidings::{Bus, CallErrorKind};

/// For everybody.
#[tidings::service(topic = "shop")]
trait Counter {
    fn count(&self, item: String) -> u32;
}

/// For those who run the shop. Its namespace had another name once: older clients still find it.
#[tidings::service(topic = "shop", namespace = "admin", alias = "ops")]
trait Admin {
    fn reload(&self) -> String;
}

struct Shop;

impl Counter for Shop {
    fn count(&self, item: String) -> u32 {
        item.len() as u32
    }
}
impl Admin for Shop {
    fn reload(&self) -> String {
        "reloaded".to_owned()
    }
}

fn main() -> tidings::Result<()> {
    let bus = Bus::open("mem:")?;
    // One server with three endpoints; the last of them is untyped.
    let _server = bus
        .server(CounterServer::new(Shop))
        .and(AdminServer::new(Shop))
        .endpoint()
        .namespace("metrics")
        .on("sold", |(): ()| 12_u64)
        .start()?;

    // Typed clients know their namespace.
    assert_eq!(CounterClient::new(&bus).count("nut").wait()?, 3);
    assert_eq!(AdminClient::new(&bus).reload().wait()?, "reloaded");

    // Untyped requests name it, one by one or by their client.
    let text: String = bus.call("shop.reload", &()).namespace("ops").wait()?;
    assert_eq!(text, "reloaded");
    let metrics = bus.client("shop").namespace("metrics");
    let sold: u64 = metrics.call("sold", &()).wait()?;
    assert_eq!(sold, 12);

    // Without one, a request is for endpoints without one: a method elsewhere is not there.
    let error = bus.call::<String>("shop.reload", &()).wait().unwrap_err();
    assert!(matches!(error.kind(), CallErrorKind::NoSuchMethod { .. }));

    // A slip of the finger is told with the nearest name.
    let error = bus
        .call::<u64>("shop.sold", &())
        .namespace("metric")
        .wait()
        .unwrap_err();
    println!("{error}");
    assert!(error.to_string().contains("did you mean `metrics`?"));
    Ok(())
}
