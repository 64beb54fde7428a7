//! What a case has at hand: buses on one address that nobody else uses.

use std::cell::{Cell, OnceCell, RefCell};
use std::future::Future;
use std::sync::mpsc;

use tidings_core::runtime::pool;
use tidings_core::{Bus, BusBuilder, OpenError, ServerBuilder};

use crate::setup::Running;
use crate::stage::eventually;
use crate::{Engine, Layout, Place, Setup};

/// What a case has at hand.
pub struct World {
    setup: Setup,
    /// What was opened, to look at when the case has ended. Dropped before the engine and the place.
    opened: RefCell<Vec<Bus>>,
    pair: OnceCell<Pair>,
    /// The bus that opened the address first, where that one does nothing else.
    between: RefCell<Option<Bus>>,
    skipped: Cell<Option<String>>,
    engine: Running,
    callers: Option<Running>,
    place: Place,
}

struct Pair {
    server: Bus,
    client: Bus,
}

impl World {
    pub(crate) fn open(setup: &Setup) -> Self {
        World {
            setup: setup.clone(),
            opened: RefCell::default(),
            pair: OnceCell::new(),
            between: RefCell::default(),
            skipped: Cell::new(None),
            engine: setup.engine.start(),
            callers: setup.callers.map(Engine::start),
            place: (setup.place)(),
        }
    }

    /// The bus whose servers the case calls.
    pub fn server(&self) -> &Bus {
        &self.pair().server
    }

    /// The bus that calls them; with [`Layout::Together`] it is the same.
    pub fn client(&self) -> &Bus {
        &self.pair().client
    }

    /// A server on `topic`, at the serving bus.
    pub fn listen(&self, topic: &str) -> ServerBuilder {
        self.server().listen(topic)
    }

    /// One more bus on the address.
    pub fn another(&self) -> Bus {
        self.another_with(|builder| builder)
    }

    /// One more bus on the address, with options.
    pub fn another_with(&self, options: impl FnOnce(BusBuilder) -> BusBuilder) -> Bus {
        let bus = self.passing(options);
        self.opened.borrow_mut().push(bus.clone());
        bus
    }

    /// One more bus on the address, of which only the case has a handle.
    pub fn passing(&self, options: impl FnOnce(BusBuilder) -> BusBuilder) -> Bus {
        self.open_on(&self.engine, options)
    }

    fn open_on(&self, engine: &Running, options: impl FnOnce(BusBuilder) -> BusBuilder) -> Bus {
        let mut builder = Bus::builder();
        if let Some(runtime) = &engine.runtime {
            builder = builder.runtime(runtime.clone());
        }
        let builder = options(builder);
        let open = |address: &str| builder.clone().open_with(&*self.setup.plugin, address);
        let opened = match (open(&self.place.address), &self.place.when_in_use) {
            (Err(OpenError::AddressInUse { .. }), Some(address)) => open(address),
            (opened, _) => opened,
        };
        match opened {
            Ok(bus) => bus,
            Err(error) => panic!("the address of the case cannot be opened: {error}"),
        }
    }

    /// Closes the bus that opened the address first, where that is neither the one that serves nor the one that calls;
    /// else does nothing and says `false`. On a socket, that one is the hub. Where the others do not take its place by
    /// themselves, because the address says who serves, another one does.
    pub fn lose_the_hub(&self) -> bool {
        self.pair();
        let Some(hub) = self.between.take() else {
            return false;
        };
        hub.close();
        if self.place.when_in_use.is_some() {
            self.between.replace(Some(self.passing(|builder| builder)));
        }
        true
    }

    /// The bus that calls.
    fn calling(&self) -> Bus {
        let engine = self.callers.as_ref().unwrap_or(&self.engine);
        let bus = self.open_on(engine, |builder| builder);
        self.opened.borrow_mut().push(bus.clone());
        bus
    }

    /// Runs `future` as a task of the engine and waits for what it gives.
    pub fn run<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        let (give, given) = mpsc::channel();
        let task = Box::pin(async move {
            let _ = give.send(future.await);
        });
        match &self.engine.runtime {
            Some(runtime) => runtime.spawn(task),
            None => pool().spawn(task),
        }
        given.recv().expect("a task of the case runs to its end")
    }

    /// Whether values are handed over as they are, so that nothing is encoded on the way.
    pub fn moves_values(&self) -> bool {
        self.client().capabilities().moves_values
    }

    /// Whether a sender sees the server's own queue, so that its limit is exact for casts as well.
    pub fn shares_queues(&self) -> bool {
        self.setup.shares_queues
    }

    /// Requests that may be in flight over one connection.
    pub fn most_in_flight(&self) -> usize {
        self.setup.in_flight
    }

    /// Says that the case has nothing to show here, and why.
    pub fn skip(&self, reason: &str) {
        self.skipped.set(Some(reason.to_owned()));
    }

    /// Every table is empty at the end of every case (C-DL-5). Gives the reason when the case was skipped.
    pub(crate) fn check_out(self) -> Option<String> {
        for bus in self.opened.borrow().iter() {
            eventually("nothing is in flight at the end of the case", || {
                bus.in_flight() == 0
            });
        }
        self.skipped.take()
    }

    fn pair(&self) -> &Pair {
        self.pair.get_or_init(|| match self.setup.layout {
            Layout::Together => {
                let bus = self.another();
                Pair {
                    server: bus.clone(),
                    client: bus,
                }
            }
            Layout::Apart => {
                let server = self.another();
                let client = self.calling();
                Pair { server, client }
            }
            Layout::CallerFirst => {
                let client = self.calling();
                let server = self.another();
                Pair { server, client }
            }
            Layout::Between => {
                self.between.replace(Some(self.passing(|builder| builder)));
                let server = self.another();
                let client = self.calling();
                Pair { server, client }
            }
        })
    }
}
