//! actix, on its own system, which is tokio on one thread.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix::prelude::*;
use tidings_benches::harness::Case;
use tidings_benches::loads::BATCH;
use tidings_benches::peer::Peer;
use tidings_benches::runtimes::yield_now;
use tidings_benches::setting::{Setting, Size, Verb};

use crate::QUEUE;

pub(crate) const PEER: Peer = Peer {
    name: "actix",
    package: "actix",
    cases: |setting, _| match setting {
        Setting::Memory(load) if load.size == Size::Number => vec![match load.verb {
            Verb::Call => calls(load.in_flight),
            Verb::Cast => casts(),
        }],
        _ => Vec::new(),
    },
    serve: crate::serves_nobody,
};

const NAME: &str = "actix, tokio";

fn calls(in_flight: u64) -> Case {
    let system = System::new();
    let echo = system.block_on(async { Echo::default().start() });
    let run = move |operations| {
        system.block_on(async {
            let mut replies = Vec::with_capacity(in_flight as usize);
            for _ in 0..operations / in_flight {
                replies.extend((0..in_flight).map(|_| echo.send(Number(black_box(7)))));
                for reply in replies.drain(..) {
                    black_box(reply.await.expect(SERVED));
                }
            }
        });
    };
    Case::new(NAME, run).in_grains_of(in_flight)
}

fn casts() -> Case {
    let system = System::new();
    let arrived = Arc::new(AtomicU64::new(0));
    let noted = arrived.clone();
    let echo = system.block_on(async {
        let echo = Echo { noted }.start();
        yield_now().await; // It makes room for more only once it has started.
        echo
    });
    let run = move |operations| {
        system.block_on(async {
            for _ in 0..operations / BATCH {
                let awaited = arrived.load(Ordering::Acquire) + BATCH;
                for n in 0..BATCH {
                    echo.try_send(Note(n)).expect(SERVED);
                }
                while arrived.load(Ordering::Acquire) < awaited {
                    yield_now().await;
                }
            }
        });
    };
    Case::new(NAME, run).in_grains_of(BATCH)
}

#[derive(Default)]
struct Echo {
    noted: Arc<AtomicU64>,
}

impl Actor for Echo {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(QUEUE);
    }
}

#[derive(Message)]
#[rtype(result = "u64")]
struct Number(u64);

#[derive(Message)]
#[rtype(result = "()")]
struct Note(u64);

impl Handler<Number> for Echo {
    type Result = u64;

    fn handle(&mut self, number: Number, _: &mut Self::Context) -> u64 {
        number.0 * 2
    }
}

impl Handler<Note> for Echo {
    type Result = ();

    fn handle(&mut self, note: Note, _: &mut Self::Context) {
        black_box(note.0);
        self.noted.fetch_add(1, Ordering::Release);
    }
}

const SERVED: &str = "the actor is there and has room";
