//! What the machine allows: a multiplexer with nothing but frames and promises.
//!
//! A frame is an id and a message, both of known length. The client puts frames into one buffer and a promise into a
//! table; its connection writes all that is there with one write and reads as much as comes. The server sends back
//! whole frames as they are, as many as it has read at a time. There are no names, no deadlines, no limits, no errors.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tidings::{Completer, Promise, PromiseError};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{LIMIT, roles};
use crate::harness::{Case, Laps};
use crate::loads;
use crate::place::{Address, Place};
use crate::runtimes::Driver;
use crate::setting::{Size, Wire};
use crate::streams;

type Reply = Promise<(), PromiseError>;

/// Bytes of an id. In the first eight bytes of a connection it is the length of a message instead.
const ID: usize = 8;
/// The id of what wants no answer.
const ONE_WAY: u64 = u64::MAX;
/// What is read at a time.
const READ: usize = 64 * 1024;
/// Bytes that wait to be written, beyond which casts wait.
const FULL: usize = 256 * 1024;

/// `calls` promises at a time, awaited in their order.
pub(super) fn in_flight(place: &Place, wire: Wire, size: Size, calls: u64) -> Case {
    let (address, server) = place.serve(wire, roles::LIMIT);
    let driver = Driver::tokio();
    let client = Client::connect(&driver, &address, size.bytes());
    let run = move |operations, laps: &Laps| {
        driver.block_on(async {
            let mut promises = VecDeque::with_capacity(calls as usize);
            for sent in 0..operations {
                if sent >= calls {
                    let (promise, lap): (Reply, _) = promises.pop_front().expect("some are");
                    promise.await.expect(ALIVE);
                    laps.end(lap);
                }
                let lap = laps.start();
                promises.push_back((client.call(), lap));
            }
            for (promise, lap) in promises {
                promise.await.expect(ALIVE);
                laps.end(lap);
            }
        });
    };
    Case::with_laps(LIMIT, run)
        .in_grains_of(calls)
        .with_servers([server])
}

/// One way, with a call behind that shows that all have arrived.
pub(super) fn casts(place: &Place, wire: Wire) -> Case {
    let (address, server) = place.serve(wire, roles::LIMIT);
    let driver = Driver::tokio();
    let client = Client::connect(&driver, &address, Size::Block.bytes());
    let casting = Casting { client, sent: 0 };
    loads::casts_over(LIMIT, driver, casting).with_servers([server])
}

struct Casting {
    client: Client,
    sent: u64,
}

impl loads::OneWay for Casting {
    async fn send(&mut self) {
        while self.client.shared().out.len() >= FULL {
            crate::runtimes::yield_now().await;
        }
        self.client.send(ONE_WAY);
        self.sent += 1;
    }

    /// The stream keeps the order.
    async fn arrived(&mut self) -> u64 {
        self.client.call().await.expect(ALIVE);
        self.sent
    }
}

struct Client {
    shared: Arc<Mutex<Shared>>,
    message: Vec<u8>,
}

#[derive(Default)]
struct Shared {
    out: Vec<u8>,
    waiting: Vec<Option<Completer<(), PromiseError>>>,
    free: Vec<u64>,
    /// The connection, asleep.
    connection: Option<Waker>,
}

impl Client {
    fn connect(driver: &Driver, address: &Address, bytes: usize) -> Client {
        let shared = Arc::<Mutex<Shared>>::default();
        lock(&shared).out.extend((bytes as u64).to_le_bytes());
        let socket = driver.block_on(streams::tokio::connect(address));
        driver.spawn(carry(shared.clone(), socket, ID + bytes));
        Client {
            shared,
            message: vec![0x5a; bytes],
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        lock(&self.shared)
    }

    fn call(&self) -> Reply {
        let (completer, promise) = Promise::channel();
        let id = {
            let mut shared = self.shared();
            let id = shared.free.pop().unwrap_or_else(|| {
                shared.waiting.push(None);
                shared.waiting.len() as u64 - 1
            });
            shared.waiting[id as usize] = Some(completer);
            id
        };
        self.send(id);
        promise
    }

    fn send(&self, id: u64) {
        let mut shared = self.shared();
        shared.out.extend_from_slice(&id.to_le_bytes());
        shared.out.extend_from_slice(&self.message);
        let connection = shared.connection.take();
        drop(shared);
        if let Some(connection) = connection {
            connection.wake();
        }
    }
}

/// The client's connection, as long as there is one.
async fn carry(
    shared: Arc<Mutex<Shared>>,
    mut socket: Box<dyn streams::tokio::Stream>,
    frame: usize,
) {
    let (mut writing, mut written) = (Vec::new(), 0);
    let mut reading = Reading::new(frame);
    std::future::poll_fn(|cx| {
        loop {
            if written == writing.len() {
                writing.clear();
                written = 0;
                std::mem::swap(&mut writing, &mut lock(&shared).out);
            }
            if written < writing.len() {
                match Pin::new(&mut socket).poll_write(cx, &writing[written..]) {
                    Poll::Ready(Ok(bytes)) => {
                        written += bytes;
                        continue;
                    }
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    Poll::Pending => {}
                }
            }
            match reading.poll(&mut socket, cx) {
                Poll::Ready(true) => {
                    let done = reading.whole_frames();
                    let mut shared = lock(&shared);
                    let ids = done
                        .chunks_exact(frame)
                        .filter_map(|frame| frame.first_chunk());
                    let ids: Vec<u64> = ids.copied().map(u64::from_le_bytes).collect();
                    shared.free.extend(&ids);
                    let answered = ids
                        .iter()
                        .filter_map(|id| shared.waiting[*id as usize].take());
                    let answered: Vec<_> = answered.collect();
                    drop(shared);
                    for completer in answered {
                        let _ = completer.complete(());
                    }
                    reading.consume();
                }
                Poll::Ready(false) => return Poll::Ready(()),
                Poll::Pending => {
                    let mut shared = lock(&shared);
                    if shared.out.is_empty() || written < writing.len() {
                        shared.connection = Some(cx.waker().clone());
                        return Poll::Pending;
                    }
                }
            }
        }
    })
    .await;
}

/// Sends back what wants an answer.
pub(super) fn serve(address: &Address) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    Driver::tokio().block_on(async {
        let mut socket = streams::tokio::accept(address).await;
        let mut length = [0; ID];
        socket.read_exact(&mut length).await.expect(ALIVE);
        let frame = ID + u64::from_le_bytes(length) as usize;
        let mut reading = Reading::new(frame);
        let mut answers = Vec::new();
        while std::future::poll_fn(|cx| reading.poll(&mut socket, cx)).await {
            for frame in reading.whole_frames().chunks_exact(frame) {
                if frame[..ID] != ONE_WAY.to_le_bytes() {
                    answers.extend_from_slice(frame);
                }
            }
            reading.consume();
            if socket.write_all(&answers).await.is_err() {
                return;
            }
            answers.clear();
        }
    });
}

/// What has come, of which the last frame may be a part.
struct Reading {
    bytes: Vec<u8>,
    filled: usize,
    frame: usize,
}

impl Reading {
    fn new(frame: usize) -> Self {
        Reading {
            bytes: vec![0; READ.max(2 * frame)],
            filled: 0,
            frame,
        }
    }

    /// Reads once; false at the end.
    fn poll(
        &mut self,
        socket: &mut Box<dyn streams::tokio::Stream>,
        cx: &mut Context<'_>,
    ) -> Poll<bool> {
        let mut room = ReadBuf::new(&mut self.bytes[self.filled..]);
        match Pin::new(socket).poll_read(cx, &mut room) {
            Poll::Ready(Ok(())) => {
                let read = room.filled().len();
                self.filled += read;
                Poll::Ready(read > 0)
            }
            Poll::Ready(Err(_)) => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    }

    fn whole_frames(&self) -> &[u8] {
        &self.bytes[..self.filled - self.filled % self.frame]
    }

    /// Keeps the part of a frame that is left.
    fn consume(&mut self) {
        let whole = self.whole_frames().len();
        self.bytes.copy_within(whole..self.filled, 0);
        self.filled -= whole;
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

const ALIVE: &str = "the other process is there";
