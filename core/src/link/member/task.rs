//! The member's task: one connection after the other.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::Shared;
use super::attempt::{self, Begun};
use super::side::MemberSide;
use crate::blocking;
use crate::connection::State;
use crate::link::connection::{Connection, Control};
use crate::link::driver::{Driver, Parts};
use crate::link::outbox::Intake;
use crate::link::pace::Pace;
use crate::overload::Charge;
use crate::runtime::BoxFuture;
use crate::session::{Auth, Role, Session};

/// How often a registration is asked for again that the hub has refused because of its name: the
/// other one may be this process's own, on a connection whose end the hub has not seen yet.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// What an attempt to come back finds.
pub(super) enum Found<T> {
    Connection(Begun),
    /// Something after which this is no member any more.
    Other(T),
}

/// Makes `begun` the connection of the member: from now on others may leave messages for it.
fn connect(
    shared: &Arc<Shared>,
    begun: Begun,
    auth: Option<Auth>,
    intake: Intake,
) -> (Arc<Connection>, Box<Driver>) {
    let mut config = shared.options.session_config(crate::instance::id());
    config.auth = auth;
    let (connection, control) = Connection::new(shared.outbox.bell.clone());
    *shared.connection() = Some(connection.clone());
    if shared.is_closed() {
        connection.tell(Control::Close(crate::session::CloseCode::Normal));
    }
    let driver = Driver::new(Parts {
        socket: begun.socket,
        readiness: begun.readiness,
        session: Session::new(Role::Member, config, Instant::now()),
        side: Box::new(MemberSide::new(shared.clone())),
        connection: connection.clone(),
        control,
        intake,
        tally: shared.tally.clone(),
        memory: Charge::on(&shared.options.memory),
        max_message: shared.options.limits.max_message,
        runtime: shared.runtime.clone(),
    });
    (connection, Box::new(driver))
}

/// Runs until the member is closed, or an attempt finds something else than a connection: that is given back, with
/// the requests that wait for one.
#[expect(
    clippy::manual_async_fn,
    reason = "an `async fn` holds what it is given twice"
)]
pub(super) fn run<T, F>(
    shared: Arc<Shared>,
    attempt: impl Fn() -> F,
    first: Begun,
    mut intake: Intake,
    mut pace: Pace,
) -> impl Future<Output = Option<(T, Intake)>>
where
    F: Future<Output = io::Result<Found<T>>>,
{
    async move {
        let mut next = Some(first);
        // A first connection is used though the member was closed meanwhile: what it has accepted is to leave.
        while next.is_some() || !shared.is_closed() {
            let established = match next.take() {
                // What a connection needs only before it is there has a box of its own: else the task of each, which
                // mostly waits, would hold room for all of it.
                Some(first) => Box::pin(attempt::establish(&shared, first)).await,
                None => match during(&shared, &mut intake, Box::pin(attempt())).await {
                    None => break,
                    Some(Ok(Found::Connection(established))) => Ok(established),
                    Some(Ok(Found::Other(other))) => return Some((other, intake)),
                    Some(Err(error)) => Err(error),
                },
            };
            let credentials = &shared.options.credentials;
            match established.and_then(|begun| Ok((begun, credentials.of_member()?))) {
                Ok((begun, auth)) => {
                    let (connection, driver) = connect(&shared, begun, auth, intake);
                    let began = Instant::now();
                    let (rest, why) = serve(&shared, connection, driver).await;
                    intake = rest?;
                    // One whose hub never said Hello is a door that opens and closes, and no hub (T21).
                    let greeted = matches!(shared.watch.state(), State::Connected { .. });
                    pace.lost(began.elapsed(), greeted);
                    if !shared.is_closed() {
                        shared.watch.disconnected(&why);
                    }
                    shared.first.tell(Err(why));
                }
                Err(error) => {
                    let why = error.to_string();
                    shared.watch.disconnected(&why);
                    shared.first.tell(Err(why));
                }
            }
            let pause = shared.runtime.sleep(pace.pause());
            during(&shared, &mut intake, pause).await;
        }
        // Dropping the intake fails what waits in it.
        None
    }
}

/// Drives one connection to its end.
async fn serve(
    shared: &Arc<Shared>,
    connection: Arc<Connection>,
    mut driver: Box<Driver>,
) -> (Option<Intake>, String) {
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

/// What `future` gives; `None` when the member is closed before that.
async fn during<T>(
    shared: &Shared,
    intake: &mut Intake,
    mut future: Pin<Box<impl Future<Output = T> + ?Sized>>,
) -> Option<T> {
    let mut impatience = Impatience::default();
    poll_fn(|cx| {
        loop {
            let rung = shared.outbox.bell.poll_rung(cx).is_ready();
            if shared.is_closed() {
                return Poll::Ready(None);
            }
            if let Some(since) = shared.away_since() {
                impatience.poll(shared, since, intake, cx);
            }
            if let Poll::Ready(outcome) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(outcome));
            }
            if !rung {
                return Poll::Pending;
            }
        }
    })
    .await
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
