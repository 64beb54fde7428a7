//! Peers that go in the middle of something.

use std::io::Write;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tidings::__core::session::Role;
use tidings::{CallErrorKind, Fate, Promise};

use crate::engine::{Directory, Engine, LONG, until};
use crate::peer::Peer;

/// Tells when it is dropped.
struct Tell(Sender<()>);

impl Drop for Tell {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// T2: what came whole is cancelled when its caller goes, what did not come whole is not dispatched.
pub(crate) fn a_request_that_breaks_off_anywhere_is_never_dispatched(engine: Engine) {
    let directory = Directory::new();
    let hub = engine.open(&directory.hub());
    let (began, has_begun) = channel();
    let (ended, has_ended) = channel();
    let wait = move |()| {
        began.send(()).unwrap();
        let tell = Tell(ended.clone());
        async move {
            let _tell = tell;
            std::future::pending::<()>().await;
        }
    };
    let waits = hub.listen("slow").on_async("wait", wait).start().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let add = move |bytes: Vec<u8>| {
        counted.fetch_add(1, Ordering::SeqCst);
        bytes.len()
    };
    let adds = hub.listen("count").on("add", add).start().unwrap();

    let connect = || {
        let stream = UnixStream::connect(directory.socket()).unwrap();
        let mut peer = Peer::greet(Role::Member, stream);
        peer.call("slow", "wait", &());
        peer.flush();
        has_begun.recv_timeout(LONG).unwrap();
        peer
    };
    // One frame, and one that travels in several.
    for size in [10, 150_000] {
        let argument = vec![7u8; size];
        let whole = {
            let mut peer = connect();
            peer.call("count", "add", &argument);
            peer.output().len()
        };
        has_ended.recv_timeout(LONG).unwrap();
        let step = whole.div_ceil(60);
        for cut in (0..whole).step_by(step).chain([whole - 1]) {
            let mut peer = connect();
            peer.call("count", "add", &argument);
            let bytes = peer.output();
            assert_eq!(bytes.len(), whole);
            peer.stream.write_all(&bytes[..cut]).unwrap();
            drop(peer);
            // The call before it came whole: its handler is told, so the hub has seen the end of this connection.
            has_ended.recv_timeout(LONG).unwrap();
        }
        assert_eq!(
            count.swap(0, Ordering::SeqCst),
            0,
            "a part of {size} bytes was dispatched"
        );
        // And all of it is.
        let mut peer = connect();
        peer.call("count", "add", &argument);
        peer.reply();
        assert_eq!(count.swap(0, Ordering::SeqCst), 1);
        drop(peer);
        has_ended.recv_timeout(LONG).unwrap();
    }
    until("nothing is left", || waits.load() + adds.load() == 0);
}

/// T3: the system tells this as a reset, not as an end.
pub(crate) fn a_hub_that_goes_with_unread_requests_is_a_lost_connection(engine: Engine) {
    let directory = Directory::new();
    let listener = UnixListener::bind(directory.socket()).unwrap();
    let greeting = std::thread::spawn(move || Peer::greet(Role::Hub, listener.accept().unwrap().0));
    let bus = engine.open(&directory.member());
    let peer = greeting.join().unwrap();
    let unread = || rustix::io::ioctl_fionread(&peer.stream).unwrap();
    let before = unread();
    let promises: Vec<Promise<()>> = (0..10).map(|_| bus.invoke("slow.wait", &())).collect();
    until("the requests are there, unread", || unread() > before + 100);
    assert!(promises.iter().all(|promise| !promise.is_ready()));
    let gone = Instant::now();
    drop(peer);
    for promise in promises {
        let error = promise.wait().unwrap_err();
        assert!(
            matches!(error.kind(), CallErrorKind::ConnectionLost(_)),
            "{error}"
        );
        assert_eq!(error.fate(), Fate::Unknown, "{error}");
    }
    assert!(
        gone.elapsed() < Duration::from_secs(1),
        "{:?}",
        gone.elapsed()
    );
    assert_eq!(bus.in_flight(), 0);
}

/// T3, T23: a connection on which nothing can be written any more is read to its end.
pub(crate) fn what_a_peer_says_before_it_goes_is_heard(engine: Engine) {
    const CASTS: u32 = 10;
    let directory = Directory::new();
    let hub = engine.open(&directory.hub());
    let (began, has_begun) = channel();
    let (go_on, goes_on) = channel();
    let goes_on = Mutex::new(goes_on);
    let hold = move |()| {
        began.send(()).unwrap();
        goes_on.lock().unwrap().recv_timeout(LONG).unwrap();
    };
    let (take, taken) = channel();
    let note = move |n: u32| take.send(n).unwrap();
    let server = hub.listen("last").on("hold", hold).on("note", note);
    let server = server.start().unwrap();
    let stream = UnixStream::connect(directory.socket()).unwrap();
    let mut peer = Peer::greet(Role::Member, stream);
    peer.call("last", "hold", &());
    peer.flush();
    // A handler that is begun in its connection's own turn comes between what that reads and what it writes.
    has_begun.recv_timeout(LONG).unwrap();
    (0..CASTS).for_each(|n| peer.cast("last", "note", &n));
    peer.flush();
    drop(peer);
    go_on.send(()).unwrap();
    for n in 0..CASTS {
        assert_eq!(taken.recv_timeout(LONG).unwrap(), n);
    }
    until("nothing is left", || server.load() == 0);
}
