//! A wire with faults: it stands between a member and a hub, and does to their bytes what it is told.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::socket_address;

/// What happens to bytes on their way.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    /// They pass.
    Whole,
    /// At most so many of them at a time.
    Pieces(usize),
}

/// A proxy of its own for each test. Its threads end with the process.
pub(crate) struct Proxy {
    at: SocketAddr,
    state: Arc<State>,
}

struct State {
    way: Way,
    /// Nothing passes, in either direction, and nothing is lost.
    holds: AtomicBool,
    /// The next byte that passes is changed.
    corrupts: AtomicBool,
    connections: Mutex<Vec<(TcpStream, TcpStream)>>,
    knocks: AtomicUsize,
    accepted: AtomicUsize,
}

impl Proxy {
    /// In front of the hub at `address`.
    pub(crate) fn start(address: &str, way: Way) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let state = Arc::new(State {
            way,
            holds: AtomicBool::new(false),
            corrupts: AtomicBool::new(false),
            connections: Mutex::default(),
            knocks: AtomicUsize::new(0),
            accepted: AtomicUsize::new(0),
        });
        let (to, shared) = (socket_address(address), state.clone());
        thread::spawn(move || {
            for near in listener.incoming() {
                let near = near.unwrap();
                shared.knocks.fetch_add(1, Ordering::SeqCst);
                let Ok(far) = TcpStream::connect(to) else {
                    continue; // Which closes it.
                };
                for stream in [&near, &far] {
                    stream.set_nodelay(true).unwrap();
                }
                let clones = |stream: &TcpStream| stream.try_clone().unwrap();
                let pair = (clones(&near), clones(&far));
                shared.connections.lock().unwrap().push(pair);
                shared.accepted.fetch_add(1, Ordering::SeqCst);
                for (from, to) in [(clones(&near), clones(&far)), (far, near)] {
                    let state = shared.clone();
                    thread::spawn(move || state.forward(from, to));
                }
            }
        });
        Proxy { at, state }
    }

    /// How to connect through it.
    pub(crate) fn address(&self) -> String {
        format!("tcp:{}", self.at)
    }

    /// Connections to it, also those that found nobody behind it.
    pub(crate) fn knocks(&self) -> usize {
        self.state.knocks.load(Ordering::SeqCst)
    }

    /// Connections that went through it.
    pub(crate) fn accepted(&self) -> usize {
        self.state.accepted.load(Ordering::SeqCst)
    }

    /// From now on nothing passes, or all does again.
    pub(crate) fn hold(&self, holds: bool) {
        self.state.holds.store(holds, Ordering::SeqCst);
    }

    /// Changes the last byte of what passes next.
    pub(crate) fn corrupt(&self) {
        self.state.corrupts.store(true, Ordering::SeqCst);
    }

    /// Ends all connections by a reset, as a box in the middle of the network does.
    pub(crate) fn reset(&self) {
        for (near, far) in self.state.connections.lock().unwrap().drain(..) {
            for stream in [near, far] {
                // Without its time to linger a socket is closed by a reset.
                rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
                let _ = rustix::net::connect_unspec(&stream);
            }
        }
    }
}

impl State {
    fn forward(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = [0; 16 * 1024];
        let most = match self.way {
            Way::Whole => buffer.len(),
            Way::Pieces(most) => most,
        };
        loop {
            let read = match from.read(&mut buffer[..most]) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            while self.holds.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(1));
            }
            if self.corrupts.swap(false, Ordering::SeqCst) {
                buffer[read - 1] ^= 1;
            }
            if to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    }
}
