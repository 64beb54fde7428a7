//! Versions: old and new servers and clients on one topic, while a service is upgraded.

use tidings::{Bus, CallErrorKind, Fate};

/// The stock of a shop, as it was first.
mod first {
    #[tidings::service(version = "1.0", topic = "stock")]
    pub(super) trait Stock {
        fn count(&self, item: String) -> u32;
    }
}

/// The next release: a method more. It says when it came, so that nobody asks an old server for it.
#[tidings::service(version = "1.1", topic = "stock")]
trait Stock {
    fn count(&self, item: String) -> u32;
    #[since = "1.1"]
    fn count_all(&self, items: Vec<String>) -> u32;
}

/// What cannot be said by adding is another major version. It can be served beside the others.
#[tidings::service(version = "2.0", topic = "stock")]
trait StockByShelf {
    fn count(&self, item: String, shelf: u16) -> u64;
}

struct Shop;

impl first::Stock for Shop {
    fn count(&self, item: String) -> u32 {
        item.len() as u32
    }
}
impl Stock for Shop {
    fn count(&self, item: String) -> u32 {
        item.len() as u32
    }
    fn count_all(&self, items: Vec<String>) -> u32 {
        items.iter().map(|item| item.len() as u32).sum()
    }
}
impl StockByShelf for Shop {
    fn count(&self, item: String, shelf: u16) -> u64 {
        item.len() as u64 + u64::from(shelf)
    }
}

fn main() -> tidings::Result<()> {
    let bus = Bus::open("mem:")?;
    let old = bus.serve(first::StockServer::new(Shop))?;

    // A new client gets along with an old server, as far as that goes.
    let client = StockClient::new(&bus);
    assert_eq!(client.count("nut").wait()?, 3);
    let items = || vec!["nut".to_owned(), "bolt".to_owned()];
    let refused = client.count_all(items()).wait().unwrap_err();
    println!("{refused}");
    assert_eq!(refused.fate(), Fate::NotExecuted);

    // Capped at what all servers have, it knows that beforehand.
    let capped = client.clone().version_cap("1.0");
    assert!(!capped.can_send_version("1.1"));
    let unsent = capped.count_all(items()).wait().unwrap_err();
    assert!(matches!(unsent.kind(), CallErrorKind::VersionCap { .. }));

    // A new server joins; it serves two major versions. Each request goes to a server that is for it.
    let _new = bus
        .server(StockServer::new(Shop))
        .and(StockByShelfServer::new(Shop))
        .start()?;
    assert_eq!(client.count_all(items()).wait()?, 7);
    assert_eq!(StockByShelfClient::new(&bus).count("nut", 4).wait()?, 7);

    // The old one goes, and its clients stay.
    drop(old);
    assert_eq!(first::StockClient::new(&bus).count("nut").wait()?, 3);
    Ok(())
}
