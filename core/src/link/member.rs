//! The member: connects to a hub, and comes back by itself.

mod registrations;
mod side;
mod task;

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;
use std::time::Duration;

use registrations::{Registrations, Standing};

use super::LinkOptions;
use super::connection::{Connection, Control};
use super::farewell::Farewell;
use super::outbox::{self, Outbox, Outgoing, To};
use super::socket::Dial;
use crate::blocking;
use crate::bus::Delivery;
use crate::error::{CallErrorKind, Fate, ServeError, Stage};
use crate::overload::{BusStats, Tally};
use crate::promise::{Promise, PromiseError};
use crate::runtime::{BoxFuture, Runtime};
use crate::server::{Mode, NotAccepted, Sent, ServerCore};
use crate::session::CloseCode;
use crate::transport::{Capabilities, Transport};

/// How long requests made without a connection wait for one, within their deadline. After that
/// they fail at once as `NotConnected`, until the connection is back. Short enough that a caller
/// learns of a hub that is gone within a second, long enough for one that is restarted.
const GRACE: Duration = Duration::from_millis(500);

/// How often a member that leaves without a connection looks whether there is one.
const ASK_AGAIN: Duration = Duration::from_millis(10);

/// How long `bind` waits for the hub's word where it may wait at all.
const BIND_WAIT: Duration = Duration::from_secs(10);

/// A process at a hub. Its servers are registered there, its requests go there.
///
/// When the connection is lost, what was in flight fails at once with its true fate; the member
/// connects again with growing pauses (10 ms to 5 s), and registers its servers again (C-LC-2).
///
/// Dropping it closes it: what was queued is written if that takes less than a second.
pub struct Member {
    shared: Arc<Shared>,
}

/// What the member and its task share.
struct Shared {
    options: LinkOptions,
    outbox: Arc<Outbox>,
    runtime: Arc<dyn Runtime>,
    /// No connection for longer than [`GRACE`].
    refusing: AtomicBool,
    /// The hub has said Hello on the connection of the moment, or on the last one.
    opened: AtomicBool,
    closed: AtomicBool,
    state: Mutex<State>,
    registrations: Registrations,
    farewell: Arc<Farewell>,
    tally: Arc<Tally>,
}

#[derive(Default)]
struct State {
    connection: Option<Arc<Connection>>,
    /// Why there is no connection, for messages.
    reason: String,
}

impl Member {
    /// A member whose tasks run on `runtime`. `first` is a connection that was made already;
    /// further ones are made by `dial`.
    ///
    /// # Errors
    /// The runtime's, when it cannot watch the socket.
    pub fn start<D: Dial>(
        dial: D,
        first: D::Socket,
        options: LinkOptions,
        runtime: Arc<dyn Runtime>,
    ) -> io::Result<Member> {
        let tally = Arc::<Tally>::default();
        let (outbox, intake) = outbox::outbox(&options, tally.clone());
        let shared = Arc::new(Shared {
            options,
            outbox,
            runtime: runtime.clone(),
            refusing: AtomicBool::new(false),
            opened: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            state: Mutex::default(),
            registrations: Registrations::default(),
            farewell: Arc::default(),
            tally,
        });
        let first = task::connect(&shared, first)?;
        let leaving = shared.farewell.task();
        let task = task::run(shared.clone(), dial, first, intake);
        runtime.spawn(Box::pin(async move {
            let _leaving = leaving;
            task.await;
        }));
        Ok(Member { shared })
    }

    /// Whether there is a connection whose hub has said Hello.
    pub fn is_connected(&self) -> bool {
        self.shared.registrations.is_connected()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, control: Control) {
        let connection = self.lock().connection.clone();
        if let Some(connection) = connection {
            connection.tell(control);
        }
    }

    /// Resolves when nothing is on its way any more. Without a connection that is so when nothing waits for one.
    async fn leave(self: Arc<Self>) {
        while !self.is_closed() {
            let (told, left) = Promise::<(), PromiseError>::channel();
            let connection = self.lock().connection.clone();
            match connection {
                Some(connection) => connection.tell(Control::Leave(told)),
                None if self.outbox.is_empty() => return,
                None => drop(told),
            }
            if left.await.is_ok() {
                return;
            }
            self.runtime.sleep(ASK_AGAIN).await;
        }
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn not_connected(&self) -> CallErrorKind {
        CallErrorKind::NotConnected {
            address: self.options.address.clone(),
            reason: self.lock().reason.clone(),
        }
    }
}

impl Transport for Member {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            moves_values: false,
            max_message: self.shared.options.limits.max_message,
        }
    }

    fn runtime(&self) -> &Arc<dyn Runtime> {
        &self.shared.runtime
    }

    fn send(&self, delivery: Delivery, _mode: Mode) -> Result<Sent, NotAccepted> {
        if self.shared.refusing.load(Ordering::Acquire) {
            let kind = self.shared.not_connected();
            let error = delivery.refuse(kind, Fate::NotSent, Stage::Connecting);
            return Err(NotAccepted::Refused(error));
        }
        self.shared.outbox.push(Outgoing {
            delivery,
            to: To::Named,
            load: None,
        })
    }

    fn wait_for_room(&self, delivery: &Delivery, cx: &mut Context<'_>) {
        self.shared.outbox.wait_for_room(To::Named, delivery, cx);
    }

    /// Registers at the hub. On a thread that may wait, it returns when the hub has said yes or
    /// no, or has said nothing for 10 s; elsewhere (an async task on a current-thread runtime, say)
    /// it returns at once, and the hub knows the server as soon as the message is there.
    fn bind(&self, server: Arc<ServerCore>) -> Result<(), ServeError> {
        let topic = || server.topic().to_string();
        if self.shared.is_closed() {
            return Err(ServeError::Closed { topic: topic() });
        }
        let registrations = &self.shared.registrations;
        registrations.add(server.clone());
        self.shared.tell(Control::Bind(server.clone()));
        if self.shared.outbox.is_disconnected() {
            registrations.remove(&server);
            return Err(ServeError::Closed { topic: topic() });
        }
        match blocking::block_where_certain(|| registrations.wait(&server, BIND_WAIT)) {
            Some(Standing::Refused) => {
                self.unbind(&server);
                Err(ServeError::NameTaken {
                    topic: topic(),
                    server: server.name().to_string(),
                })
            }
            Some(Standing::Served | Standing::Asked) | None => Ok(()),
        }
    }

    fn unbind(&self, server: &Arc<ServerCore>) {
        if self.shared.registrations.remove(server) {
            self.shared.tell(Control::Unbind(server.clone()));
        }
    }

    fn leave(&self) -> BoxFuture<()> {
        Box::pin(self.shared.clone().leave())
    }

    fn abort(&self) -> BoxFuture<()> {
        self.shared.tell(Control::Cut(CloseCode::Normal));
        self.close();
        Box::pin(self.shared.farewell.clone().ended())
    }

    fn stats(&self) -> BusStats {
        self.shared.tally.read()
    }

    fn close(&self) {
        if self.shared.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        for server in self.shared.registrations.clear() {
            server.close();
        }
        self.shared.tell(Control::Close(CloseCode::Normal));
        self.shared.outbox.bell.ring();
        self.shared.farewell.wait(&*self.shared.runtime);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("address", &self.shared.options.address)
            .field("connected", &self.is_connected())
            .finish_non_exhaustive()
    }
}
