//! One message for every server on a topic: a fanout cast, and a gather that brings every server's answer.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidings::{Bus, Fate};

/// Each depot of a company serves it under a name of its own. Its topic is `depot`.
#[tidings::service(version = "1.0")]
pub trait Depot {
    /// How many of an article there are.
    fn count(&self, article: String) -> Result<u32, OutOfStock>;

    /// The depot is open until then. Nobody waits for an answer.
    fn closes_at(&self, hour: u8);
}

/// Why there is no number.
#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
#[error("there are no {article} in stock")]
pub struct OutOfStock {
    article: String,
}

struct Shelf(u32);

impl Depot for Shelf {
    fn count(&self, article: String) -> Result<u32, OutOfStock> {
        match self.0 {
            0 => Err(OutOfStock { article }),
            bolts => Ok(bolts),
        }
    }

    fn closes_at(&self, hour: u8) {
        println!("a depot closes at {hour}");
    }
}

fn main() -> tidings::Result<()> {
    let bus = Bus::open("mem:")?;
    let depots = [("north", 5), ("south", 0), ("west", 7)];
    let mut servers = Vec::new();
    for (name, bolts) in depots {
        let server = bus.server(DepotServer::new(Shelf(bolts)));
        servers.push(server.name(name).start()?);
    }
    assert_eq!(bus.servers("depot").wait()?, ["north", "south", "west"]);

    let depot = DepotClient::new(&bus);
    // One copy for every depot that there is now, and no reply. Over a socket one message leaves this process.
    depot.closes_at(18).fanout().cast()?;

    // A call to each. The answers come as they arrive, with the name of who gave them; one deadline holds for all.
    let everybody = depot.count("bolts").timeout(Duration::from_secs(5));
    let mut all = 0;
    for (server, answer) in everybody.fanout().gather().wait()? {
        match answer {
            Ok(bolts) => all += bolts,
            // The depot's own error, or what became of its call: no answer in time, a lost connection.
            Err(error) => println!("{server}: {error} ({:?})", error.fate()),
        }
    }
    println!("{all} bolts");
    assert_eq!(all, 12);

    // Where nobody is, that is told at once. (A task writes `.await` for `.wait()`, and `.next().await` for the loop.)
    drop(servers);
    let nobody = depot.count("nuts").fanout().gather().wait();
    assert!(nobody.is_err_and(|error| error.fate() == Fate::NotExecuted));
    Ok(())
}
