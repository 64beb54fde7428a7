//! xtra, on tokio.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tidings_benches::loads;
use tidings_benches::peer::Peer;
use tidings_benches::runtimes::Driver;
use tidings_benches::setting::{Setting, Size, Verb};
use xtra::prelude::*;

use crate::QUEUE;

pub(crate) const PEER: Peer = Peer {
    name: "xtra",
    package: "xtra",
    cases: |setting, _| match setting {
        Setting::Memory(load) if load.size == Size::Number => {
            let driver = Driver::tokio();
            let arrived = Arc::new(AtomicU64::new(0));
            let noted = arrived.clone();
            let address = driver
                .block_on(async { xtra::spawn_tokio(Echo { noted }, Mailbox::bounded(QUEUE)) });
            vec![match load.verb {
                Verb::Call => loads::calls("xtra, tokio", driver, load.in_flight, move || {
                    let address = address.clone();
                    async move {
                        black_box(address.send(Number(black_box(7))).await.expect(SERVED));
                    }
                }),
                Verb::Cast => loads::casts("xtra, tokio", driver, arrived, move |n| {
                    let sent =
                        futures_util::FutureExt::now_or_never(address.send(Note(n)).detach());
                    // What would tell that it was handled.
                    drop(sent.expect(SERVED).expect(SERVED));
                }),
            }]
        }
        _ => Vec::new(),
    },
    serve: crate::serves_nobody,
};

#[derive(xtra::Actor)]
struct Echo {
    noted: Arc<AtomicU64>,
}

struct Number(u64);
struct Note(u64);

impl Handler<Number> for Echo {
    type Return = u64;

    async fn handle(&mut self, number: Number, _: &mut Context<Self>) -> u64 {
        number.0 * 2
    }
}

impl Handler<Note> for Echo {
    type Return = ();

    async fn handle(&mut self, note: Note, _: &mut Context<Self>) {
        black_box(note.0);
        self.noted.fetch_add(1, Ordering::Release);
    }
}

const SERVED: &str = "the actor is there and has room";
