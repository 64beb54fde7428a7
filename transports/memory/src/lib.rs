//! The in-process transport of tidings: `mem:`.
//!
//! * `mem:` is a bus of its own, reached by the handle that opened it and its clones.
//! * `mem:name` meets every other `mem:name` of the process.
//! * `?codec=strict` encodes every message and applies the limits that a socket has, so that a test finds what a
//!   socket would. `&max_message=BYTES` sets the largest message, 16 MiB unless given.
//!
//! Without strict mode values are moved from caller to handler and back, not encoded. What serde would leave out
//! (`#[serde(skip)]`) or share (`Arc`) then arrives as it is; strict mode shows the difference.
//!
//! No async runtime is needed: handlers run on a pool of threads named `tidings-handler-N`, deadlines on one named
//! `tidings-timer`, unless the bus is opened inside tokio (feature `tokio`) or given a runtime.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Context;

use tidings_core::bus::{CallerRef, Delivery};
use tidings_core::codec::DEFAULT_MAX_MESSAGE;
use tidings_core::router::Router;
use tidings_core::runtime::{self, Runtime};
use tidings_core::server::{Answered, Mode, NotAccepted, Retiring, Sent, ServerCore};
use tidings_core::transport::{Capabilities, OpenOptions, Plugin, Transport};
use tidings_core::{Address, Caller, OpenError, ServeError};

/// Opens `mem:` addresses.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory;

impl Plugin for Memory {
    fn scheme(&self) -> &'static str {
        "mem"
    }

    fn open(
        &self,
        address: &Address,
        options: &OpenOptions,
    ) -> Result<Arc<dyn Transport>, OpenError> {
        let capabilities = capabilities(address)?;
        let runtime = runtime::choose(options.runtime.clone(), false, &format!("open {address}"))?;
        let router = match address.place() {
            "" => Arc::default(),
            name => meeting_place(name),
        };
        Ok(Arc::new(MemoryTransport {
            capabilities,
            runtime,
            router,
            bound: Mutex::default(),
        }))
    }
}

fn capabilities(address: &Address) -> Result<Capabilities, OpenError> {
    let mut capabilities = Capabilities {
        moves_values: true,
        max_message: DEFAULT_MAX_MESSAGE,
    };
    for (name, value) in address.options() {
        match (name, value) {
            ("codec", "strict") => capabilities.moves_values = false,
            ("codec", _) => {
                return Err(
                    address.refuse("its codec is not known; write `codec=strict` or leave it out")
                );
            }
            ("max_message", bytes) => {
                let wrong = || {
                    address.refuse(
                        "`max_message` is a number of bytes, for example `max_message=1048576`",
                    )
                };
                capabilities.max_message = bytes.parse().map_err(|_| wrong())?;
            }
            _ => return Err(address.refuse("`mem:` has the options `codec` and `max_message`")),
        }
    }
    if capabilities.moves_values && capabilities.max_message != DEFAULT_MAX_MESSAGE {
        return Err(address.refuse("`max_message` limits encoded messages: add `codec=strict`"));
    }
    Ok(capabilities)
}

/// The router that all openings of `mem:name` share while one of them is open.
fn meeting_place(name: &str) -> Arc<Router> {
    static PLACES: Mutex<Option<HashMap<String, Weak<Router>>>> = Mutex::new(None);
    let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
    let places = places.get_or_insert_default();
    places.retain(|_, router| router.strong_count() > 0);
    if let Some(router) = places.get(name).and_then(Weak::upgrade) {
        return router;
    }
    let router = Arc::new(Router::new());
    places.insert(name.to_owned(), Arc::downgrade(&router));
    router
}

/// One opening of a `mem:` address.
struct MemoryTransport {
    capabilities: Capabilities,
    runtime: Arc<dyn Runtime>,
    router: Arc<Router>,
    /// The servers that were bound by this opening.
    bound: Mutex<Bound>,
}

#[derive(Default)]
struct Bound {
    servers: Vec<Arc<ServerCore>>,
    closed: bool,
}

impl Bound {
    /// Says whether it was here.
    fn forget(&mut self, server: &Arc<ServerCore>) -> bool {
        let before = self.servers.len();
        self.servers.retain(|known| !Arc::ptr_eq(known, server));
        self.servers.len() < before
    }
}

impl MemoryTransport {
    fn bound(&self) -> MutexGuard<'_, Bound> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remove(&self, server: &ServerCore) {
        self.router
            .remove(server.exchange(), server.topic(), server.name());
    }
}

impl Transport for MemoryTransport {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn identity(&self) -> Option<CallerRef> {
        static THIS: LazyLock<Caller> = LazyLock::new(|| Caller::this_process("mem"));
        Some(CallerRef::Static(&THIS))
    }

    fn runtime(&self) -> &Arc<dyn Runtime> {
        &self.runtime
    }

    fn answer(&self, call: &mut Delivery, place: &mut dyn Any) -> Answered {
        self.router.answer(call, place)
    }

    fn send(&self, delivery: Delivery, mode: Mode) -> Result<Sent, NotAccepted> {
        self.router.route(delivery, mode)
    }

    fn wait_for_room(&self, delivery: &Delivery, cx: &mut Context<'_>) {
        self.router.wait_for_room(delivery, cx);
    }

    fn bind(&self, server: Arc<ServerCore>) -> Result<(), ServeError> {
        let mut bound = self.bound();
        if bound.closed {
            return Err(ServeError::Closed {
                topic: server.topic().to_string(),
            });
        }
        self.router.add(
            server.exchange(),
            server.topic(),
            server.name(),
            Arc::new(server.clone()),
        )?;
        bound.servers.push(server);
        Ok(())
    }

    fn unbind(&self, server: &Arc<ServerCore>) {
        let mut bound = self.bound();
        if bound.forget(server) {
            self.remove(server);
        }
    }

    fn retire(&self, retiring: Retiring) {
        let server = retiring.server();
        let mut bound = self.bound();
        let is_known = bound.forget(server);
        drop(bound);
        if is_known {
            self.router.retire(server);
        }
    }

    fn close(&self) {
        let servers = {
            let mut bound = self.bound();
            bound.closed = true;
            std::mem::take(&mut bound.servers)
        };
        for server in servers {
            self.remove(&server);
            server.close();
        }
    }
}
