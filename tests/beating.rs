//! When a server stops beating for a call (C-DL-6).
#![cfg(feature = "memory")]

use std::future::Future;
use std::pin::pin;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use tidings::{Bus, Server};

const LONG: Duration = Duration::from_secs(20);

/// Looks, in the moment that the outcome is there, for how many calls the server beats.
struct Look(Arc<Server>, Sender<usize>);

impl Wake for Look {
    fn wake(self: Arc<Self>) {
        self.1.send(self.0.stats().beating).unwrap();
    }
}

#[test]
fn no_call_is_beaten_for_when_its_outcome_is_told() {
    let bus = Bus::open("mem:").unwrap();
    let (began, begun) = channel();
    let (end, ends) = channel::<()>();
    let ends = Mutex::new(ends);
    let server = bus.listen("slow").on_blocking("wait", move |(): ()| {
        began.send(()).unwrap();
        ends.lock().unwrap().recv_timeout(LONG).unwrap();
    });
    let server = Arc::new(server.start().unwrap());
    let call = bus.request::<()>("slow.wait", &()).heartbeat(LONG);
    let mut call = pin!(call.invoke());
    begun.recv_timeout(LONG).unwrap();
    assert_eq!(server.stats().beating, 1);
    let (saw, seen) = channel();
    let waker = Waker::from(Arc::new(Look(server, saw)));
    assert!(
        call.as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    end.send(()).unwrap();
    assert_eq!(seen.recv_timeout(LONG).unwrap(), 0);
}
