//! A third party's transport passes the suite by one line per setup: this one takes every message through a channel to a
//! thread of its own, which keeps the router.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, Weak};
use std::task::Context;
use std::thread;

use tidings_conformance::{Engine, Layout, Place, Setup, suite};
use tidings_core::bus::Delivery;
use tidings_core::router::Router;
use tidings_core::runtime::{self, Runtime};
use tidings_core::server::{Mode, NotAccepted, Sent, ServerCore};
use tidings_core::transport::{Capabilities, OpenOptions, Plugin, Transport};
use tidings_core::{Address, OpenError, ServeError};

fn toy(engine: Engine, layout: Layout) -> Setup {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let place = || Place::new(format!("toy:{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    Setup::new(Toy, place, engine, layout).shares_queues()
}

suite!(no_runtime, toy(Engine::None, Layout::Apart));
#[cfg(feature = "tokio")]
suite!(on_tokio, toy(Engine::TokioMultiThread, Layout::CallerFirst));
#[cfg(feature = "smol")]
suite!(on_smol, toy(Engine::Smol, Layout::Together));

/// Opens `toy:name`; all openings of a name in this process meet.
struct Toy;

impl Plugin for Toy {
    fn scheme(&self) -> &'static str {
        "toy"
    }

    fn open(
        &self,
        address: &Address,
        options: &OpenOptions,
    ) -> Result<Arc<dyn Transport>, OpenError> {
        let runtime = runtime::choose(options.runtime.clone(), false, &format!("open {address}"))?;
        Ok(Arc::new(ToyTransport {
            exchange: Exchange::at(address.place()),
            runtime,
            bound: Mutex::default(),
        }))
    }
}

/// A message on its way, and where the sender hears whether it was taken.
type Message = (Delivery, Sender<Result<Sent, NotAccepted>>);

/// Where all openings of one name meet. Its thread ends when the last of them is gone.
struct Exchange {
    router: Arc<Router>,
    door: Sender<Message>,
}

impl Exchange {
    fn at(name: &str) -> Arc<Exchange> {
        static OPEN: Mutex<Option<HashMap<String, Weak<Exchange>>>> = Mutex::new(None);
        let mut open = OPEN.lock().unwrap();
        let open = open.get_or_insert_default();
        if let Some(exchange) = open.get(name).and_then(Weak::upgrade) {
            return exchange;
        }
        let exchange = Arc::new(Exchange::new());
        open.insert(name.to_owned(), Arc::downgrade(&exchange));
        exchange
    }

    fn new() -> Exchange {
        let (door, messages) = mpsc::channel::<Message>();
        let router = Arc::new(Router::new());
        let routing = router.clone();
        thread::spawn(move || {
            for (delivery, answer) in messages {
                // The sender waits for this answer, so that it is there to take it.
                let _ = answer.send(routing.route(delivery, Mode::Queue));
            }
        });
        Exchange { router, door }
    }
}

/// One opening of a name.
struct ToyTransport {
    exchange: Arc<Exchange>,
    runtime: Arc<dyn Runtime>,
    bound: Mutex<Vec<Arc<ServerCore>>>,
}

impl ToyTransport {
    fn remove(&self, server: &ServerCore) {
        let (exchange, topic, name) = (server.exchange(), server.topic(), server.name());
        self.exchange.router.remove(exchange, topic, name);
    }
}

impl Transport for ToyTransport {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            moves_values: false,
            max_message: 1 << 20,
        }
    }

    fn runtime(&self) -> &Arc<dyn Runtime> {
        &self.runtime
    }

    fn send(&self, delivery: Delivery, _mode: Mode) -> Result<Sent, NotAccepted> {
        let (answer, answered) = mpsc::channel();
        let sent = self.exchange.door.send((delivery, answer));
        sent.expect("the thread lives as long as the exchange");
        answered.recv().expect("each message is answered")
    }

    fn wait_for_room(&self, delivery: &Delivery, cx: &mut Context<'_>) {
        self.exchange.router.wait_for_room(delivery, cx);
    }

    fn bind(&self, server: Arc<ServerCore>) -> Result<(), ServeError> {
        let (exchange, topic, name) = (server.exchange(), server.topic(), server.name());
        let destination = Arc::new(server.clone());
        self.exchange
            .router
            .add(exchange, topic, name, destination)?;
        self.bound.lock().unwrap().push(server);
        Ok(())
    }

    fn unbind(&self, server: &Arc<ServerCore>) {
        let mut bound = self.bound.lock().unwrap();
        if let Some(at) = bound.iter().position(|known| Arc::ptr_eq(known, server)) {
            self.remove(&bound.swap_remove(at));
        }
    }

    fn close(&self) {
        for server in std::mem::take(&mut *self.bound.lock().unwrap()) {
            self.remove(&server);
            server.close();
        }
    }
}
