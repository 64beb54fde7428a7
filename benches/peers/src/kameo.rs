//! kameo, on tokio.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kameo::mailbox;
use kameo::prelude::*;
use tidings_benches::loads;
use tidings_benches::peer::Peer;
use tidings_benches::runtimes::Driver;
use tidings_benches::setting::{Setting, Size, Verb};

use crate::QUEUE;

pub(crate) const PEER: Peer = Peer {
    name: "kameo",
    package: "kameo",
    cases: |setting, _| match setting {
        Setting::Memory(load) if load.size == Size::Number => {
            let driver = Driver::tokio();
            let arrived = Arc::new(AtomicU64::new(0));
            let noted = arrived.clone();
            let actor = driver.block_on(async {
                Echo::spawn_with_mailbox(Echo { noted }, mailbox::bounded(QUEUE))
            });
            vec![match load.verb {
                Verb::Call => loads::calls("kameo, tokio", driver, load.in_flight, move || {
                    let actor = actor.clone();
                    async move {
                        black_box(actor.ask(Number(black_box(7))).await.expect(SERVED));
                    }
                }),
                Verb::Cast => loads::casts("kameo, tokio", driver, arrived, move |n| {
                    actor.tell(Note(n)).try_send().expect(SERVED);
                }),
            }]
        }
        _ => Vec::new(),
    },
    serve: crate::serves_nobody,
};

#[derive(Actor)]
struct Echo {
    noted: Arc<AtomicU64>,
}

struct Number(u64);
struct Note(u64);

impl Message<Number> for Echo {
    type Reply = u64;

    async fn handle(&mut self, number: Number, _: &mut Context<Self, u64>) -> u64 {
        number.0 * 2
    }
}

impl Message<Note> for Echo {
    type Reply = ();

    async fn handle(&mut self, note: Note, _: &mut Context<Self, ()>) {
        black_box(note.0);
        self.noted.fetch_add(1, Ordering::Release);
    }
}

const SERVED: &str = "the actor is there and has room";
