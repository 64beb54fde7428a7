//! ractor, on tokio.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use tidings_benches::loads;
use tidings_benches::peer::Peer;
use tidings_benches::runtimes::Driver;
use tidings_benches::setting::{Setting, Size, Verb};

pub(crate) const PEER: Peer = Peer {
    name: "ractor",
    package: "ractor",
    cases: |setting, _| match setting {
        Setting::Memory(load) if load.size == Size::Number => {
            let driver = Driver::tokio();
            let arrived = Arc::new(AtomicU64::new(0));
            let spawned = driver.block_on(Actor::spawn(None, Echo, arrived.clone()));
            let (actor, _) = spawned.expect(SERVED);
            vec![match load.verb {
                Verb::Call => loads::calls("ractor, tokio", driver, load.in_flight, move || {
                    let actor = actor.clone();
                    async move {
                        let reply = actor.call(|port| Said::Number(black_box(7), port), None);
                        black_box(reply.await.expect(SERVED).unwrap());
                    }
                }),
                Verb::Cast => loads::casts("ractor, tokio", driver, arrived, move |n| {
                    actor.cast(Said::Note(n)).expect(SERVED);
                }),
            }]
        }
        _ => Vec::new(),
    },
    serve: crate::serves_nobody,
};

struct Echo;

enum Said {
    Number(u64, RpcReplyPort<u64>),
    Note(u64),
}

impl Actor for Echo {
    type Msg = Said;
    type State = Arc<AtomicU64>;
    type Arguments = Arc<AtomicU64>;

    async fn pre_start(
        &self,
        _: ActorRef<Said>,
        noted: Arc<AtomicU64>,
    ) -> Result<Arc<AtomicU64>, ActorProcessingErr> {
        Ok(noted)
    }

    async fn handle(
        &self,
        _: ActorRef<Said>,
        said: Said,
        noted: &mut Arc<AtomicU64>,
    ) -> Result<(), ActorProcessingErr> {
        match said {
            Said::Number(n, port) => port.send(n * 2)?,
            Said::Note(n) => {
                black_box(n);
                noted.fetch_add(1, Ordering::Release);
            }
        }
        Ok(())
    }
}

const SERVED: &str = "the actor is there";
