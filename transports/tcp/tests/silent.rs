//! A peer that connects and says nothing.
#![cfg(feature = "tls")]

mod common;

use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::certificates::Authority;
use common::{hub_at, on_each_runtime, open, pings, serve_ping, socket_address};

/// C-LC-1: nothing of it is on its way.
#[test]
fn a_stranger_holds_up_no_drain() {
    const TIME: Duration = Duration::from_secs(4);
    on_each_runtime(|runtime| {
        let authority = Authority::new();
        let options = authority.certificate(&["hub.test"]).options();
        let (hub, address) = hub_at(runtime, &format!("tcp:127.0.0.1:0?listen&tls&{options}"));
        let _stranger = TcpStream::connect(socket_address(&address)).unwrap();
        // Whoever came later was let in, so that the hub has the stranger.
        let trusts = authority.trusted();
        let member = open(runtime, &format!("{address}?tls&{trusts}&name=hub.test"));
        let server = serve_ping(&hub);
        assert!(pings(&member));
        let start = Instant::now();
        assert!(server.drain_wait(TIME).is_complete());
        assert!(hub.drain_wait(TIME).is_complete());
        let took = start.elapsed();
        assert!(took < TIME / 4, "{took:?}");
    });
}
