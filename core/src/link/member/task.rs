//! The member's task: one connection after the other.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::Shared;
use super::side::MemberSide;
use crate::blocking;
use crate::connection::State;
use crate::link::connection::{Connection, Control};
use crate::link::driver::{Driver, Parts};
use crate::link::outbox::Intake;
use crate::link::pace::Pace;
use crate::link::socket::Socket;
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

/// What an attempt to come back finds.
pub(super) enum Found<S, T> {
    Connection(S),
    /// Something after which this is no member any more.
    Other(T),
}

/// Makes `socket` the connection of the member: from now on others may leave messages for it.
pub(super) fn connect<S: Socket>(shared: &Arc<Shared>, socket: S) -> io::Result<Connected> {
    let socket = Arc::new(socket);
    let readiness = shared.runtime.register(socket.clone())?;
    let (connection, control) = Connection::new(shared.outbox.bell.clone());
    *shared.connection() = Some(connection.clone());
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

/// Runs until the member is closed, or an attempt finds something else than a connection: that is given back, with
/// the requests that wait for one.
pub(super) async fn run<S: Socket, T>(
    shared: Arc<Shared>,
    attempt: impl Fn() -> io::Result<Found<S, T>>,
    first: Connected,
    mut intake: Intake,
    mut pace: Pace,
) -> Option<(T, Intake)> {
    let mut next = Some(first);
    // A first connection is used though the member was closed meanwhile: what it has accepted is
    // to leave.
    while next.is_some() || !shared.is_closed() {
        let connected = match next.take() {
            Some(connected) => Ok(connected),
            None => match attempt() {
                Ok(Found::Connection(socket)) => connect(&shared, socket),
                Ok(Found::Other(other)) => return Some((other, intake)),
                Err(error) => Err(error),
            },
        };
        match connected {
            Ok(connected) => {
                let began = Instant::now();
                let (rest, why) = serve(&shared, connected, intake).await;
                intake = rest?;
                // One whose hub never said Hello is a door that opens and closes, and no hub (T21).
                let greeted = matches!(shared.watch.state(), State::Connected { .. });
                pace.lost(began.elapsed(), greeted);
                if !shared.is_closed() {
                    shared.watch.disconnected(&why);
                }
            }
            Err(error) => shared.watch.disconnected(&error.to_string()),
        }
        rest(&shared, pace.pause(), &mut intake).await;
    }
    // Dropping the intake fails what waits in it.
    None
}

/// Drives one connection to its end.
async fn serve(
    shared: &Arc<Shared>,
    connected: Connected,
    intake: Intake,
) -> (Option<Intake>, String) {
    let config = shared.options.session_config(crate::instance::id());
    let connection = connected.connection.clone();
    let mut driver = Driver::new(Parts {
        socket: connected.socket,
        readiness: connected.readiness,
        session: Session::new(Role::Member, config, Instant::now()),
        side: Box::new(MemberSide::new(shared.clone())),
        connection: connected.connection,
        control: connected.control,
        intake,
        max_message: shared.options.limits.max_message,
        runtime: shared.runtime.clone(),
    });
    let mut again: Option<BoxFuture<()>> = None;
    let mut impatience = Impatience::default();
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
        if polled.is_pending() && shared.watch.is_away() {
            // The hub has not said Hello.
            if let (Some(since), Some(intake)) = (shared.away_since(), driver.intake()) {
                impatience.poll(shared, since, intake, cx);
            }
        }
        polled
    })
    .await;
    *shared.connection() = None;
    ended
}

/// Waits for `pause`, or until the member is closed.
async fn rest(shared: &Shared, pause: Duration, intake: &mut Intake) {
    let mut over = shared.runtime.sleep(pause);
    let mut impatience = Impatience::default();
    poll_fn(|cx| {
        loop {
            let rung = shared.outbox.bell.poll_rung(cx).is_ready();
            if shared.is_closed() {
                return Poll::Ready(());
            }
            if let Some(since) = shared.away_since() {
                impatience.poll(shared, since, intake, cx);
            }
            if over.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            if !rung {
                return Poll::Pending;
            }
        }
    })
    .await;
}

/// Looks after those who do not wait for a connection, or not for long.
#[derive(Default)]
struct Impatience(Option<(Instant, BoxFuture<()>)>);

impl Impatience {
    /// Fails whose time is over, and has `cx` woken when the next one's is.
    fn poll(&mut self, shared: &Shared, since: Instant, intake: &mut Intake, cx: &mut Context<'_>) {
        loop {
            // A promise's callback may run in here; waiting, it would wait for this very task.
            let next = blocking::forbid(|| intake.review(since, || shared.not_connected()));
            let Some(at) = next else {
                self.0 = None;
                return;
            };
            if self.0.as_ref().is_none_or(|(known, _)| *known != at) {
                let left = at.saturating_duration_since(Instant::now());
                self.0 = Some((at, shared.runtime.sleep(left)));
            }
            let slept = |sleep: &mut (Instant, BoxFuture<()>)| sleep.1.as_mut().poll(cx).is_ready();
            if !self.0.as_mut().is_some_and(slept) {
                return;
            }
            self.0 = None;
        }
    }
}
