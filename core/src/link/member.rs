//! The member: connects to a hub, and comes back by itself.

mod attempt;
mod first;
mod node;
mod registrations;
mod side;
mod task;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;
use std::time::{Duration, Instant};

use attempt::Begun;
use first::First;
pub use node::Node;
use registrations::{Registrations, Standing};
use task::Found;

use super::LinkOptions;
use super::connection::{Connection, Control};
use super::farewell::{Farewell, Leaving};
use super::outbox::{self, Intake, Outbox, Outgoing, To};
use super::pace::Pace;
use super::socket::{Dial, Socket};
use crate::blocking;
use crate::bus::{Delivery, Head};
use crate::connection::{State, Watch};
use crate::error::{CallError, CallErrorKind, Fate, ServeError, Stage};
use crate::overload::{BusStats, Tally};
use crate::promise::{Promise, PromiseError};
use crate::runtime::{BoxFuture, Runtime};
use crate::server::{Mode, NotAccepted, Retiring, Sent, ServerCore};
use crate::session::CloseCode;
use crate::timer;
use crate::transport::{Capabilities, Transport};

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
    watch: Arc<Watch>,
    closed: AtomicBool,
    connection: Mutex<Option<Arc<Connection>>>,
    registrations: Registrations,
    first: First,
    farewell: Arc<Farewell>,
    tally: Arc<Tally>,
}

impl Member {
    /// A member whose tasks run on `runtime`. `first` is a connection that was begun already;
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
        let (member, first, intake) = Member::prepare(first, options, runtime)?;
        let shared = member.shared.clone();
        let attempt = {
            let (shared, dial) = (shared.clone(), Arc::new(dial));
            move || {
                let (shared, dial) = (shared.clone(), dial.clone());
                async move {
                    let established = attempt::round(&shared, &dial).await?;
                    Ok(Found::<Infallible>::Connection(established))
                }
            }
        };
        let pace = Pace::of_a_member();
        member.run(task::run(shared, attempt, first, intake, pace));
        Ok(member)
    }

    /// A member whose task is still to be run.
    fn prepare<S: Socket>(
        first: S,
        options: LinkOptions,
        runtime: Arc<dyn Runtime>,
    ) -> io::Result<(Member, Begun, Intake)> {
        let tally = Arc::<Tally>::default();
        let (outbox, intake) = outbox::outbox(&options, tally.clone());
        let shared = Arc::new(Shared {
            options,
            outbox,
            runtime,
            watch: Watch::new(State::Connecting),
            closed: AtomicBool::new(false),
            connection: Mutex::default(),
            registrations: Registrations::default(),
            first: First::default(),
            farewell: Arc::default(),
            tally,
        });
        let first = attempt::begin(&shared, first)?;
        Ok((Member { shared }, first, intake))
    }

    /// Runs the member's task.
    fn run<T>(&self, task: impl Future<Output = T> + Send + 'static) {
        let end = End {
            shared: self.shared.clone(),
            cut_off: true,
            _leaving: self.shared.farewell.task(),
        };
        // Boxed by itself: a future that awaits another holds that twice, before and while it does.
        let task = Box::pin(task);
        self.shared.runtime.spawn(Box::pin(async move {
            task.await;
            end.reached();
        }));
    }

    /// Waits for the hub's Hello on the first connection, for `most` at most: so that whoever opens
    /// a bus is told what is wrong at once, and not by the first request that fails. `Ok` as well
    /// where nothing was learned: where this thread may not be put to sleep, or nobody drives the
    /// runtime while it is. The member goes on in any case.
    ///
    /// # Errors
    /// Why the first connection came to nothing.
    pub fn wait_for_hello(&self, most: Duration) -> Result<(), String> {
        if !self.shared.runtime.runs_by_itself() {
            return Ok(());
        }
        let waited = blocking::block_where_certain(|| self.shared.first.wait(most));
        waited.flatten().unwrap_or(Ok(()))
    }

    /// Whether there is a connection whose hub has said Hello.
    pub fn is_connected(&self) -> bool {
        self.shared.registrations.is_connected()
    }
}

/// The end of the member's task.
struct End {
    shared: Arc<Shared>,
    /// By the end of its runtime.
    cut_off: bool,
    _leaving: Leaving,
}

impl End {
    fn reached(mut self) {
        self.cut_off = false;
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if self.cut_off {
            self.shared.watch.disconnected("its runtime has ended");
        }
    }
}

impl Member {
    /// Has the hub asked to register a server.
    fn ask(&self, server: &Arc<ServerCore>) -> Result<(), ServeError> {
        let closed = || ServeError::Closed {
            topic: server.topic().to_string(),
        };
        if self.shared.is_closed() {
            return Err(closed());
        }
        let registrations = &self.shared.registrations;
        registrations.add(server.clone());
        self.shared.tell(Control::Bind(server.clone()));
        if self.shared.outbox.is_disconnected() {
            registrations.remove(server);
            return Err(closed());
        }
        Ok(())
    }

    /// The bus is closed.
    fn take_leave(&self) {
        for server in self.shared.registrations.clear() {
            server.close();
        }
        self.shared.tell(Control::Close(CloseCode::Normal));
        self.shared.outbox.bell.ring();
        self.shared.farewell.wait(&*self.shared.runtime);
    }

    /// Ends the connection, whatever waits for it.
    fn cut(&self) {
        self.shared.tell(Control::Cut(CloseCode::Normal));
    }

    /// Resolves when it is known what has not left.
    fn ended(&self) -> BoxFuture<()> {
        Box::pin(self.shared.farewell.clone().ended())
    }

    /// Waits for the answer, where the thread may wait.
    fn answer(&self, server: &Arc<ServerCore>) -> Result<(), ServeError> {
        let registrations = &self.shared.registrations;
        match blocking::block_where_certain(|| registrations.wait(server, BIND_WAIT)) {
            Some(Standing::Refused) => {
                self.unbind(server);
                Err(ServeError::NameTaken {
                    topic: server.topic().to_string(),
                    server: server.name().to_string(),
                })
            }
            Some(Standing::Forbidden(reason)) => {
                self.unbind(server);
                let kind = CallErrorKind::Forbidden(reason);
                Err(ServeError::NotRegistered {
                    topic: server.topic().to_string(),
                    reason: CallError::new(kind, Fate::NotExecuted, Stage::Routing),
                })
            }
            Some(Standing::Served | Standing::Asked) | None => Ok(()),
        }
    }
}

impl Shared {
    fn connection(&self) -> MutexGuard<'_, Option<Arc<Connection>>> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, control: Control) {
        let connection = self.connection().clone();
        if let Some(connection) = connection {
            connection.tell(control);
        }
    }

    /// Resolves when nothing is on its way any more. Without a connection that is so when nothing waits for one.
    async fn leave(self: Arc<Self>) {
        while !self.is_closed() {
            let (told, left) = Promise::<(), PromiseError>::channel();
            let connection = self.connection().clone();
            match connection {
                Some(connection) => connection.tell(Control::GoAway(told)),
                None if self.outbox.len() == 0 => return,
                None => drop(told),
            }
            if left.await.is_ok() {
                return;
            }
            timer::sleep(ASK_AGAIN).await; // The runtime may have ended.
        }
    }

    /// Closes it; `false` when it is closed already.
    fn now_closed(&self) -> bool {
        !self.closed.swap(true, Ordering::AcqRel)
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// What a request is told that does not wait for a connection.
    fn not_connected(&self) -> CallErrorKind {
        let reason = match self.watch.state() {
            State::Disconnected { reason, .. } => reason.to_string(),
            _ => "it is just being lost".into(),
        };
        CallErrorKind::NotConnected {
            address: self.options.address.clone(),
            reason,
        }
    }

    /// Since when there is no connection.
    fn away_since(&self) -> Option<Instant> {
        match self.watch.state() {
            State::Disconnected { since, .. } => Some(since),
            _ => None,
        }
    }

    /// Whether a request is to fail at once because there is no connection.
    fn is_too_late_for(&self, head: &Head) -> bool {
        let gives_up = |since| head.when_disconnected.gives_up(since);
        let at = self.away_since().and_then(gives_up);
        at.is_some_and(|at| at <= Instant::now())
    }
}

impl Transport for Member {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            moves_values: false,
            max_message: self.shared.options.limits.max_message,
        }
    }

    fn watch(&self) -> Option<Arc<Watch>> {
        Some(self.shared.watch.clone())
    }

    fn runtime(&self) -> &Arc<dyn Runtime> {
        &self.shared.runtime
    }

    fn send(&self, delivery: Delivery, mode: Mode) -> Result<Sent, NotAccepted> {
        let shared = &self.shared;
        if shared.watch.is_away() && shared.is_too_late_for(delivery.in_flight().head()) {
            let kind = self.shared.not_connected();
            let error = delivery.refuse(kind, Fate::NotSent, Stage::Connecting);
            return Err(NotAccepted::Refused(error));
        }
        let outgoing = Outgoing {
            delivery,
            to: To::Named,
            load: None,
        };
        self.shared.outbox.push(outgoing, mode)
    }

    fn wait_for_room(&self, delivery: &Delivery, cx: &mut Context<'_>) {
        self.shared.outbox.wait_for_room(To::Named, delivery, cx);
    }

    /// Registers at the hub. On a thread that may wait, it returns when the hub has said yes or
    /// no, or has said nothing for 10 s; elsewhere (an async task on a current-thread runtime, say)
    /// it returns at once, and the hub knows the server as soon as the message is there. Without a
    /// connection too: then it is registered when there is one.
    fn bind(&self, server: Arc<ServerCore>) -> Result<(), ServeError> {
        self.ask(&server)?;
        self.answer(&server)
    }

    fn unbind(&self, server: &Arc<ServerCore>) {
        if self.shared.registrations.remove(server) {
            self.shared.tell(Control::Unbind(server.clone()));
        }
    }

    fn retire(&self, retiring: Retiring) {
        self.shared.registrations.remove(retiring.server());
        self.shared.tell(Control::Retire(retiring));
    }

    fn leave(&self) -> BoxFuture<()> {
        Box::pin(self.shared.clone().leave())
    }

    fn abort(&self) -> BoxFuture<()> {
        self.cut();
        self.close();
        self.ended()
    }

    fn counts_memory(&self) -> bool {
        true
    }

    fn stats(&self) -> BusStats {
        self.shared.tally.read()
    }

    fn close(&self) {
        if self.shared.now_closed() {
            self.take_leave();
        }
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
