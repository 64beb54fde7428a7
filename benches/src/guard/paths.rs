//! The paths: each on one thread, with nothing in it that is left to chance.

use std::hint::black_box;
use std::sync::{Arc, Weak};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use tidings::{Bus, Promise, PromiseError, Server};
use tidings_core::codec::{Budget, decode, encode, fingerprint};
use tidings_core::doorbell::Doorbell;
use tidings_core::mailbox::{Limits, Mailbox};
use tidings_core::timer::{Expire, Expiry, Timers};

use super::pair::Pair;
use crate::loads::cells::{polled_around, waker};
use crate::runtimes::{Driver, yield_now};

/// Something that is done as often as it is told.
type Run = Box<dyn FnMut(u64)>;

pub(super) struct Path {
    pub(super) name: &'static str,
    /// Makes what it needs.
    pub(super) prepare: fn() -> Run,
}

pub(super) const PATHS: [Path; 17] = [
    path("promise: create, complete, take", promise_taken),
    path(
        "promise: create, poll, complete, wake, take",
        promise_awaited,
    ),
    path("promise: known from the start", promise_ready),
    path("memory: `call`, waited for", memory_call),
    path(
        "memory: `call` without a deadline, waited for",
        memory_call_no_timeout,
    ),
    path(
        "memory: untyped `call` among 8 servers of the topic",
        memory_call_of_eight,
    ),
    path("memory: `invoke`, 64 in flight", memory_invoke),
    path("memory: `cast`", memory_cast),
    path("session: a call of 64 bytes there and back", session_call),
    path("session: a cast of 64 bytes", session_cast),
    path("codec: 10 records encoded", codec_encode),
    path("codec: 10 records decoded", codec_decode),
    path("codec: 64 bytes encoded and decoded", codec_bytes),
    path("codec: a fingerprint that is known", codec_fingerprint),
    path("timer: arm, disarm", timer),
    path("mailbox: push, pop", mailbox),
    path("doorbell: ring, answer", doorbell),
];

const fn path(name: &'static str, prepare: fn() -> Run) -> Path {
    Path { name, prepare }
}

fn promise_taken() -> Run {
    Box::new(|times| {
        for n in 0..times {
            let (completer, mut promise) = Promise::<u64, PromiseError>::channel();
            completer.complete(black_box(n)).expect("somebody listens");
            black_box(promise.try_take());
        }
    })
}

fn promise_awaited() -> Run {
    let waker = waker();
    Box::new(move |times| {
        for n in 0..times {
            let (completer, promise) = Promise::<u64, PromiseError>::channel();
            let complete = || completer.complete(black_box(n)).expect("somebody listens");
            black_box(polled_around(&waker, promise, complete)).expect("it was completed");
        }
    })
}

fn promise_ready() -> Run {
    Box::new(|times| {
        for n in 0..times {
            let mut promise = Promise::<u64, PromiseError>::ready(black_box(n));
            black_box(promise.try_take());
        }
    })
}

#[tidings::service(version = "1.0")]
trait Echo {
    fn number(&self, n: u64) -> u64;
    fn note(&self, n: u64);
}

struct Echoing;

impl Echo for Echoing {
    fn number(&self, n: u64) -> u64 {
        n * 2
    }

    fn note(&self, n: u64) {
        black_box(n);
    }
}

/// A client, and what must live as long as it: closures take it as a whole.
struct Served {
    client: EchoClient,
    server: Server,
}

fn served(driver: Option<&Driver>) -> Served {
    let builder = Bus::builder();
    let builder = match driver {
        Some(driver) => builder.runtime(driver.runtime()),
        None => builder,
    };
    let bus = builder.open("mem:").expect(OPENS);
    let server = bus.serve(EchoServer::new(Echoing)).expect(OPENS);
    let client = EchoClient::new(&bus);
    Served { client, server }
}

fn memory_call() -> Run {
    let served = served(None);
    Box::new(move |times| {
        let Served { client, .. } = &served;
        for n in 0..times {
            black_box(client.number(black_box(n)).wait().expect(SERVED));
        }
    })
}

fn memory_call_no_timeout() -> Run {
    let served = served(None);
    Box::new(move |times| {
        let Served { client, .. } = &served;
        for n in 0..times {
            let call = client.number(black_box(n)).no_timeout();
            black_box(call.wait().expect(SERVED));
        }
    })
}

fn memory_call_of_eight() -> Run {
    let bus = Bus::open("mem:").expect(OPENS);
    let server = |_| {
        let server = bus.listen("echo").on("number", |n: u64| n * 2);
        server.start().expect(OPENS)
    };
    let servers: Vec<Server> = (0..8).map(server).collect();
    Box::new(move |times| {
        black_box(&servers);
        for n in 0..times {
            let call = bus.call::<u64>("echo.number", &black_box(n));
            black_box(call.wait().expect(SERVED));
        }
    })
}

/// In batches, so that it goes through the queue; what is measured is one of them.
fn memory_invoke() -> Run {
    const BATCH: u64 = 64;
    let driver = Driver::tokio();
    let served = served(Some(&driver));
    let mut promises = Vec::with_capacity(BATCH as usize);
    Box::new(move |times| {
        let Served { client, .. } = &served;
        driver.block_on(async {
            for _ in 0..times / BATCH {
                promises.extend((0..BATCH).map(|n| client.number(black_box(n)).invoke()));
                for promise in promises.drain(..) {
                    black_box(promise.await.expect(SERVED));
                }
            }
        });
    })
}

fn memory_cast() -> Run {
    const BATCH: u64 = 64;
    let driver = Driver::tokio();
    let served = served(Some(&driver));
    Box::new(move |times| {
        let Served { client, server } = &served;
        driver.block_on(async {
            for _ in 0..times / BATCH {
                for n in 0..BATCH {
                    client.note(black_box(n)).cast().expect(SERVED);
                }
                while server.load() > 0 {
                    yield_now().await;
                }
            }
        });
    })
}

fn session_call() -> Run {
    let mut pair = Pair::bound();
    Box::new(move |times| (0..times).for_each(|_| pair.call()))
}

fn session_cast() -> Run {
    let mut pair = Pair::bound();
    Box::new(move |times| (0..times).for_each(|_| pair.cast()))
}

type Record = (u64, String, Vec<String>, Option<u64>);

fn records() -> Vec<Record> {
    let record = |id| {
        let tags = vec!["first".into(), "second".into()];
        (
            id,
            format!("record number {id}"),
            tags,
            (id % 2 == 0).then_some(id),
        )
    };
    (0..10).map(record).collect()
}

const LARGEST: usize = 1024 * 1024;

fn codec_encode() -> Run {
    let records = records();
    Box::new(move |times| {
        for _ in 0..times {
            black_box(encode(black_box(&records), LARGEST).expect(WELL_FORMED));
        }
    })
}

fn codec_decode() -> Run {
    let bytes = encode(&records(), LARGEST).expect(WELL_FORMED);
    Box::new(move |times| {
        let budget = Budget::default();
        for _ in 0..times {
            let records: Vec<Record> = decode(black_box(&bytes), &budget).expect(WELL_FORMED);
            black_box(records);
        }
    })
}

fn codec_bytes() -> Run {
    use crate::setting::{BLOCK, Block};
    Box::new(|times| {
        let budget = Budget::default();
        for _ in 0..times {
            let bytes = encode(black_box(&BLOCK), LARGEST).expect(WELL_FORMED);
            let block: Block = decode(black_box(&bytes), &budget).expect(WELL_FORMED);
            black_box(block);
        }
    })
}

fn codec_fingerprint() -> Run {
    Box::new(|times| {
        for _ in 0..times {
            black_box(fingerprint::cached::<Vec<Record>>());
        }
    })
}

struct Nobody;

impl Expire for Nobody {
    fn expire(&self, _why: Expiry) {}
}

fn timer() -> Run {
    let target = Arc::new(Nobody);
    let weak: Weak<dyn Expire> = Arc::downgrade(&target) as Weak<dyn Expire>;
    let driver = Driver::tokio();
    let timers = Timers::new(driver.runtime());
    Box::new(move |times| {
        black_box((&target, &driver));
        let at = Instant::now() + Duration::from_secs(30);
        for _ in 0..times {
            let key = timers.arm(black_box(at), weak.clone()).expect(SERVED);
            black_box(timers.disarm(key));
        }
    })
}

fn mailbox() -> Run {
    let mailbox = Mailbox::new(Limits {
        items: 1024,
        bytes: LARGEST,
    });
    Box::new(move |times| {
        for n in 0..times {
            mailbox.try_push(black_box(n), 8).expect(SERVED);
            black_box(mailbox.try_pop());
        }
    })
}

fn doorbell() -> Run {
    let doorbell = Doorbell::new();
    Box::new(move |times| {
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..times {
            assert!(doorbell.poll_rung(&mut cx).is_pending());
            doorbell.ring();
            assert!(doorbell.poll_rung(&mut cx).is_ready());
        }
    })
}

const OPENS: &str = "nothing stands in the way";
const SERVED: &str = "the server is there and has room";
const WELL_FORMED: &str = "it is well formed";
