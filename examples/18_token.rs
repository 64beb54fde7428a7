//! Tokens: processes show each other who they are, without telling the secret by which they do.

use tidings::authorise::{Acl, Rule};
use tidings::{Bus, Context, Token};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let address = format!("unix:{}", directory.path().join("bus.sock").display());

    // Secrets are made by chance (`head -c 32 /dev/urandom | base64`) and read from files: `Token::from_file`.
    let front = || Token::new("front", "2Jc0pD8w6tq3uVZbN1xkYQ");
    let worker = || Token::new("worker", "Yb7mXnqH4sLr9wTeKcPa2g");
    println!("{:?}", front()?); // Its secret is not in any output.

    // The hub takes these two. Only workers may serve `jobs`, and only the front may ask for some.
    let acl = Acl::new()
        .allow(Rule::serving().caller("worker")?.topic("jobs")?)
        .allow(Rule::requests().caller("front")?.topic("jobs")?);
    let _hub = Bus::builder()
        .accept_tokens([front()?, worker()?])
        .authorise(acl)
        .open(&format!("{address}?listen"))?;
    let connect = format!("{address}?connect");

    // The name is verified, and it is told on: the worker sees who calls, through the hub.
    let worker_bus = Bus::builder().token(worker()?).open(&connect)?;
    let _server = worker_bus
        .listen("jobs")
        .on("who", |_: ()| {
            let caller = Context::current()?.caller()?.name.clone()?;
            Some(caller.to_string())
        })
        .start()?;
    let front_bus = Bus::builder().token(front()?).open(&connect)?;
    let name: Option<String> = front_bus.call("jobs.who", &()).wait()?;
    println!("the worker was called by {name:?}");
    assert_eq!(name.as_deref(), Some("front"));

    // The front may not take the worker's topic.
    let squat = front_bus.listen("jobs").on("who", |_: ()| ()).start();
    println!("{}", squat.unwrap_err());
    // A wrong secret opens nothing; neither does having none.
    let eve = Token::new("front", "not that of the front")?;
    let refused = Bus::builder().token(eve).open(&connect).unwrap_err();
    println!("{refused}");
    let bare = Bus::open(&connect)?;
    assert!(bare.call::<()>("jobs.who", &()).wait().is_err());
    Ok(())
}
