//! A thread finds the server of its last request again without a search; servers that come and go are not missed by that.
#![cfg(all(feature = "macros", feature = "memory"))]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tidings::{Bus, CallErrorKind, Fate};

#[tidings::service]
trait Who {
    fn who(&self) -> u32;
}

/// Answers with its number, and is counted while it lives.
struct Numbered(u32, Arc<AtomicUsize>);

impl Numbered {
    fn new(number: u32, alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::SeqCst);
        Numbered(number, alive.clone())
    }
}

impl Drop for Numbered {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Who for Numbered {
    fn who(&self) -> u32 {
        self.0
    }
}

fn serve(bus: &Bus, number: u32, alive: &Arc<AtomicUsize>) -> tidings::Server {
    let service = WhoServer::new(Numbered::new(number, alive));
    bus.serve(service).expect("it serves")
}

#[test]
fn a_server_that_has_gone_is_asked_no_more_and_is_not_kept_alive() {
    let bus = Bus::open("mem:").expect("it opens");
    let alive = Arc::default();
    let server = serve(&bus, 1, &alive);
    let client = WhoClient::new(&bus);
    assert_eq!(client.who().wait().unwrap(), 1);
    assert_eq!(client.who().wait().unwrap(), 1);

    drop(server);
    let error = client.who().wait().expect_err("nobody is there");
    assert!(
        matches!(error.kind(), CallErrorKind::NoServer { .. }),
        "{error}"
    );
    assert_eq!(error.fate(), Fate::NotExecuted);
    // Its own task ends in a moment.
    let until = Instant::now() + Duration::from_secs(10);
    while alive.load(Ordering::SeqCst) > 0 {
        assert!(Instant::now() < until, "it is kept alive");
        thread::yield_now();
    }

    let _server = serve(&bus, 2, &alive);
    assert_eq!(client.who().wait().unwrap(), 2);
}

#[test]
fn a_second_server_gets_its_share_at_once() {
    let bus = Bus::open("mem:").expect("it opens");
    let alive = Arc::default();
    let _first = serve(&bus, 1, &alive);
    let client = WhoClient::new(&bus);
    assert_eq!(client.who().wait().unwrap(), 1);

    let _second = serve(&bus, 2, &alive);
    let mut answers: Vec<_> = (0..4).map(|_| client.who().wait().unwrap()).collect();
    answers.sort_unstable();
    assert_eq!(answers, [1, 1, 2, 2]);
}

#[test]
fn buses_and_exchanges_with_the_same_topic_stay_apart() {
    let alive = Arc::default();
    let buses = [
        Bus::open("mem:").expect("it opens"),
        Bus::open("mem:").expect("it opens"),
    ];
    let other = buses[1].with_exchange("other");
    let handles = [&buses[0], &buses[1], &other];
    let _servers: Vec<_> = (0..)
        .zip(handles)
        .map(|(n, bus)| serve(bus, n, &alive))
        .collect();
    let clients = handles.map(|bus| WhoClient::new(bus));
    for _ in 0..3 {
        for (number, client) in (0..).zip(&clients) {
            assert_eq!(client.who().wait().unwrap(), number);
            assert_eq!(client.who().wait().unwrap(), number);
        }
    }
}
