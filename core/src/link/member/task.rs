//! The member's task: one connection after the other.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::side::MemberSide;
use super::{GRACE, Shared};
use crate::blocking;
use crate::link::backoff::Backoff;
use crate::link::connection::{Connection, Control};
use crate::link::driver::{Driver, Parts};
use crate::link::outbox::Intake;
use crate::link::socket::{Dial, Socket};
use crate::runtime::{BoxFuture, Readiness};
use crate::session::{Role, Session};

/// How often a registration is asked for again that the hub has refused because of its name: the
/// other one may be this process's own, on a connection whose end the hub has not seen yet.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// A socket with all that its driver needs.
pub(super) struct Connected {
    socket: Arc<dyn Socket>,
    readiness: Box<dyn Readiness>,
    connection: Arc<Connection>,
    control: flume::Receiver<Control>,
}

/// Makes `socket` the connection of the member: from now on others may leave messages for it.
pub(super) fn connect<S: Socket>(shared: &Arc<Shared>, socket: S) -> io::Result<Connected> {
    let socket = Arc::new(socket);
    let readiness = shared.runtime.register(socket.clone())?;
    let (connection, control) = Connection::new(shared.outbox.bell.clone());
    shared.lock().connection = Some(connection.clone());
    if shared.is_closed() {
        connection.tell(Control::Close(crate::session::CloseCode::Normal));
    }
    Ok(Connected {
        socket,
        readiness,
        connection,
        control,
    })
}

/// Runs until the member is closed.
pub(super) async fn run<D: Dial>(
    shared: Arc<Shared>,
    dial: D,
    first: Connected,
    mut intake: Intake,
) {
    let mut backoff = Backoff::new();
    let mut patience = Patience::default();
    let mut next = Some(first);
    // A first connection is used though the member was closed meanwhile: what it has accepted is
    // to leave.
    while next.is_some() || !shared.is_closed() {
        let connected = match next.take() {
            Some(connected) => Ok(connected),
            None => dial.dial().and_then(|socket| connect(&shared, socket)),
        };
        match connected {
            Ok(connected) => {
                let began = Instant::now();
                let (rest, why) = serve(&shared, connected, intake).await;
                let Some(rest) = rest else { return };
                intake = rest;
                shared.lock().reason = why;
                backoff.was_up(began.elapsed());
                patience.lost(&shared);
            }
            Err(error) => shared.lock().reason = error.to_string(),
        }
        patience.wait(&shared, backoff.pause(), &mut intake).await;
    }
    // Dropping the intake fails what waits in it.
}

/// Drives one connection to its end.
async fn serve(
    shared: &Arc<Shared>,
    connected: Connected,
    intake: Intake,
) -> (Option<Intake>, String) {
    let config = shared.options.session_config();
    let connection = connected.connection.clone();
    let mut driver = Driver::new(Parts {
        socket: connected.socket,
        readiness: connected.readiness,
        session: Session::new(Role::Member, config, Instant::now()),
        side: Box::new(MemberSide::new(shared.clone())),
        connection: connected.connection,
        control: connected.control,
        intake,
        tally: shared.tally.clone(),
        max_message: shared.options.limits.max_message,
        runtime: shared.runtime.clone(),
    });
    let mut again: Option<BoxFuture<()>> = None;
    let ended = poll_fn(|cx| {
        // A promise's callback may run in here; waiting, it would wait for this very task.
        let polled = blocking::forbid(|| driver.poll(cx));
        if polled.is_pending() && shared.registrations.some_refused() {
            let sleep = again.get_or_insert_with(|| shared.runtime.sleep(ASK_AGAIN));
            if sleep.as_mut().poll(cx).is_ready() {
                again = None;
                for server in shared.registrations.ask_again() {
                    connection.tell(Control::Bind(server)); // Its bell polls this again.
                }
            }
        }
        polled
    })
    .await;
    shared.lock().connection = None;
    ended
}

/// How long those who call without a connection are kept waiting.
#[derive(Default)]
struct Patience {
    ends: Option<Instant>,
}

impl Patience {
    /// A connection has ended. One whose hub never said Hello does not count: a door that opens
    /// and closes is no hub (T21).
    fn lost(&mut self, shared: &Shared) {
        if shared.opened.swap(false, Ordering::AcqRel) {
            self.ends = None;
        }
    }

    /// Waits for `pause`, or until the member is closed.
    async fn wait(&mut self, shared: &Shared, pause: Duration, intake: &mut Intake) {
        let now = Instant::now();
        let until = now + pause;
        let ends = *self.ends.get_or_insert(now + GRACE);
        loop {
            let now = Instant::now();
            if ends <= now {
                shared.refusing.store(true, Ordering::Release);
                intake.refuse_all(&shared.not_connected());
            }
            if until <= now || shared.is_closed() {
                return;
            }
            let wake = if now < ends { until.min(ends) } else { until };
            let mut sleep = shared.runtime.sleep(wake.saturating_duration_since(now));
            poll_fn(|cx| {
                let rung = shared.outbox.bell.poll_rung(cx);
                if rung.is_ready() {
                    rung
                } else {
                    sleep.as_mut().poll(cx)
                }
            })
            .await;
        }
    }
}
