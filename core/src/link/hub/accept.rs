//! The task that accepts: who may come in, and how many.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::side::HubSide;
use super::{CloseOnDrop, Core, Peer};
use crate::blocking;
use crate::bus::Caller;
use crate::link::connection::Connection;
use crate::link::driver::{Driver, Parts};
use crate::link::outbox;
use crate::link::socket::{Listener, Socket};
use crate::notice::Notice;
use crate::runtime::{Interest, Readiness};
use crate::session::{CloseCode, Role, Session};

/// The pause after a failed accept: out of descriptors, say. It never ends the hub (FAULTS rule
/// 11).
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts until the hub is closed.
pub(super) async fn run<L: Listener>(
    leave: CloseOnDrop,
    listener: Arc<L>,
    readiness: Box<dyn Readiness>,
) {
    let core = &leave.0;
    loop {
        match poll_fn(|cx| poll_accept(core, &*listener, &*readiness, cx)).await {
            Knock::Connection(socket) => admit(core, &*listener, socket),
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
    readiness: &dyn Readiness,
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

    /// Takes a place in the quotas.
    fn enter(&self, caller: &Caller, connection: &Arc<Connection>) -> Option<u64> {
        let mut state = self.lock();
        let of_the_user = |peer: &&Peer| caller.uid.is_some() && peer.uid == caller.uid;
        let full = state.closed
            || state.peers.len() >= self.limits.connections
            || state.peers.values().filter(of_the_user).count()
                >= self.limits.connections_of_a_user;
        if full {
            return None;
        }
        let id = state.next;
        state.next += 1;
        let peer = Peer {
            uid: caller.uid,
            said_hello: false,
            connection: connection.clone(),
        };
        state.peers.insert(id, peer);
        Some(id)
    }
}

/// Starts the connection's task, if the peer may come in.
fn admit<L: Listener>(core: &Arc<Core>, listener: &L, socket: L::Socket) {
    let Ok(caller) = socket.peer() else {
        return; // Gone already.
    };
    if !listener.admits(&caller) {
        return turn_away(core, &socket, &caller, CloseCode::Forbidden); // S2
    }
    let options = &core.options;
    let (outbox, intake) = outbox::outbox(options, core.tally.clone());
    let (connection, control) = Connection::new(outbox.bell.clone());
    let Some(id) = core.enter(&caller, &connection) else {
        return turn_away(core, &socket, &caller, CloseCode::TooManyConnections); // R1, R3
    };
    let side = HubSide::new(core.clone(), id, Arc::new(caller), outbox);
    let socket = Arc::new(socket);
    let Ok(readiness) = core.runtime.register(socket.clone()) else {
        return; // The side gives the place back.
    };
    let session = Session::new(Role::Hub, options.session_config(), Instant::now());
    let mut driver = Driver::new(Parts {
        socket,
        readiness,
        session,
        side: Box::new(side),
        connection,
        control,
        intake,
        tally: core.tally.clone(),
        max_message: options.limits.max_message,
        runtime: core.runtime.clone(),
    });
    let leaving = core.farewell.task();
    core.runtime.spawn(Box::pin(async move {
        let _leaving = leaving;
        // A promise's callback may run in here; waiting, it would wait for this very task.
        poll_fn(|cx| blocking::forbid(|| driver.poll(cx))).await;
    }));
}

/// Says why and closes: one attempt, nothing is waited for and nothing was read.
fn turn_away(core: &Core, socket: &dyn Socket, caller: &Caller, code: CloseCode) {
    Notice::TurnedAway.tell(caller, &format!("not let in: {code:?}"));
    let now = Instant::now();
    let mut session = Session::new(Role::Hub, core.options.session_config(), now);
    session.close(code, "");
    let notice: Vec<u8> = session.transmit(now).flatten().copied().collect();
    if !notice.is_empty() {
        let _: io::Result<usize> = socket.write(&[IoSlice::new(&notice)]);
    }
}
