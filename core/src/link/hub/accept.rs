//! The task that accepts: who may come in, and how many.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::side::HubSide;
use super::{CloseOnDrop, Core, Peer, User};
use crate::blocking;
use crate::bus::Caller;
use crate::link::connection::{Connection, Control};
use crate::link::driver::{Driver, Parts};
use crate::link::establish::Establishing;
use crate::link::outbox::{self, Intake};
use crate::link::socket::{Listener, Socket};
use crate::notice::Notice;
use crate::overload::Charge;
use crate::runtime::{Interest, Readiness};
use crate::session::{CloseCode, Role, Session};

/// The pause after a failed accept: out of descriptors, say. It never ends the hub (FAULTS rule
/// 11).
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts until the hub is closed.
pub(super) async fn run<L: Listener>(
    leave: CloseOnDrop,
    listener: Arc<L>,
    mut readiness: Box<dyn Readiness>,
) {
    let core = &leave.0;
    loop {
        match poll_fn(|cx| poll_accept(core, &*listener, &mut *readiness, cx)).await {
            Knock::Connection(socket) => admit(core, &listener, socket),
            Knock::Failed => core.runtime.sleep(PAUSE).await,
            Knock::Closed => return,
        }
    }
}

enum Knock<S> {
    Connection(S),
    Failed,
    Closed,
}

fn poll_accept<L: Listener>(
    core: &Core,
    listener: &L,
    readiness: &mut dyn Readiness,
    cx: &mut Context<'_>,
) -> Poll<Knock<L::Socket>> {
    loop {
        let rung = core.bell.poll_rung(cx).is_ready();
        if core.lock().closed {
            return Poll::Ready(Knock::Closed);
        }
        if !core.has_room_for_strangers() {
            // Nobody is accepted until one of those who have not said Hello does, or is out of
            // time: they wait in the system's queue (R2).
            if rung {
                continue;
            }
            return Poll::Pending;
        }
        let mut accepted = None;
        let accept = &mut || {
            accepted = Some(listener.accept()?);
            Ok(1)
        };
        // Room for one, which one fills: more may be waiting behind it.
        match readiness.poll_io(cx, Interest::Read, 1, accept) {
            Poll::Pending if rung => {}
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(_)) => return Poll::Ready(Knock::Failed),
            Poll::Ready(Ok(_)) => match accepted {
                Some(socket) => return Poll::Ready(Knock::Connection(socket)),
                None => return Poll::Ready(Knock::Failed),
            },
        }
    }
}

impl Core {
    fn has_room_for_strangers(&self) -> bool {
        let state = self.lock();
        let strangers = state.peers.values().filter(|peer| !peer.said_hello).count();
        strangers < self.limits.strangers
    }

    /// Takes a place among those who have not said Hello, of which there are few. Whether there is one among the
    /// connections is decided now, and told when somebody greets.
    fn enter(&self, connection: &Arc<Connection>) -> Option<u64> {
        let mut state = self.lock();
        if state.closed {
            return None;
        }
        let id = state.next;
        state.next += 1;
        let taken = state.peers.values().filter(|peer| !peer.is_refused);
        let peer = Peer {
            user: None,
            said_hello: false,
            is_refused: taken.count() >= self.limits.connections, // R1
            connection: connection.clone(),
        };
        state.peers.insert(id, peer);
        Some(id)
    }

    /// Takes a place among the connections of the user that `caller` is of (R3); says whether there
    /// was one, there and among all connections.
    pub(super) fn enter_as(&self, id: u64, caller: &Caller) -> bool {
        let user = User::of(caller);
        let mut state = self.lock();
        let of_the_user = |(other, peer): &(&u64, &Peer)| {
            **other != id && user.is_some() && peer.user == user && !peer.is_refused
        };
        let taken = state.peers.iter().filter(of_the_user).count();
        let Some(peer) = state.peers.get_mut(&id) else {
            return false; // The hub has closed.
        };
        peer.user = user;
        peer.is_refused |= taken >= self.limits.connections_of_a_user;
        !peer.is_refused
    }
}

/// Starts the connection's task.
fn admit<L: Listener>(core: &Arc<Core>, listener: &Arc<L>, socket: L::Socket) {
    let options = &core.options;
    let (outbox, intake) = outbox::outbox(options, core.tally.clone());
    let (connection, control) = Connection::new(outbox.bell.clone());
    let Some(id) = core.enter(&connection) else {
        return;
    };
    let stranger = Stranger {
        began: Instant::now(),
        side: HubSide::new(core.clone(), id, outbox),
        socket: Arc::new(socket),
        connection,
        control,
        intake,
    };
    let Ok(readiness) = core.runtime.register(stranger.socket.clone()) else {
        return; // The side gives the place back.
    };
    let leaving = core.farewell.task();
    let (core, listener) = (core.clone(), listener.clone());
    let runtime = core.runtime.clone();
    runtime.spawn(Box::pin(async move {
        let _leaving = leaving;
        let Some(mut driver) = stranger.introduce(&core, &*listener, readiness).await else {
            return;
        };
        drop((core, listener));
        // A promise's callback may run in here; waiting, it would wait for this very task.
        poll_fn(|cx| blocking::forbid(|| driver.poll(cx))).await;
    }));
}

/// A connection of which is not known yet whose it is.
struct Stranger<S> {
    began: Instant,
    side: HubSide,
    socket: Arc<S>,
    connection: Arc<Connection>,
    control: flume::Receiver<Control>,
    intake: Intake,
}

impl<S: Socket> Stranger<S> {
    /// Waits until it is known who that is, and begins the session if they may come in. All of
    /// that and Hello have one time together (FAULTS rule 5).
    async fn introduce<L: Listener<Socket = S>>(
        mut self,
        core: &Arc<Core>,
        listener: &L,
        mut readiness: Box<dyn Readiness>,
    ) -> Option<Driver> {
        let limit = core.options.limits.handshake;
        let mut establishing = Establishing {
            socket: &*self.socket,
            readiness: &mut *readiness,
            runtime: &*core.runtime,
            bell: self.side.bell(),
        };
        let patience = || {
            if core.lock().closed {
                Duration::ZERO
            } else {
                limit
            }
        };
        let established = establishing.run(patience).await;
        let caller = self.socket.peer().ok()?; // Else gone already.
        if let Err(error) = established {
            if !core.lock().closed {
                Notice::TurnedAway.tell(&caller, &format!("not let in: {error}"));
            }
            return None;
        }
        if !listener.admits(&caller) {
            Notice::TurnedAway.tell(&caller, "not let in: Forbidden"); // S2: and nothing is read.
            return None;
        }
        let mut config = core.options.session_config(core.epoch.to_bytes());
        if !core.enter_as(self.side.id(), &caller) {
            config.refusal = Some(CloseCode::TooManyConnections);
        }
        self.side.is_of(caller);
        config.auth = core.options.credentials.of_hub().ok()?;
        Some(Driver::new(Parts {
            socket: self.socket,
            readiness,
            session: Session::new(Role::Hub, config, self.began),
            side: Box::new(self.side),
            connection: self.connection,
            control: self.control,
            intake: self.intake,
            tally: core.tally.clone(),
            memory: Charge::on(&core.options.memory),
            max_message: core.options.limits.max_message,
            runtime: core.runtime.clone(),
        }))
    }
}
