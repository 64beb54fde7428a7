//! The task that owns a connection.
//!
//! Each round takes what others left (replies and cancels first, then requests as far as there is
//! credit), reads, tells what came, and writes all of it, so that what was queued before the poll
//! has left in the same poll. It sleeps when nothing moves, and steps aside for other tasks when
//! things have moved for many rounds (FAULTS rule 8). Most rounds find nothing, the last of each turn always: so each
//! step asks first whether there is anything, which costs nearly nothing.

mod rest;
mod take;
mod tell;
mod transfer;

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::connection::{Connection, Control};
use super::names::Names;
use super::outbox::Intake;
use super::pending::Pending;
use super::side::Side;
use super::socket::Socket;
use super::translate;
use crate::bus::InFlight;
use crate::name_map::IdMap;
use crate::overload::{Charge, Tally};
use crate::promise::{Completer, PromiseError};
use crate::reply::Reply;
use crate::runtime::{Readiness, Runtime};
use crate::session::{CloseCode, IncomingId, Session};
use rest::Sleep;

/// Why a session ends that nobody drives any more.
const ENDED: &str = "the runtime of this side has ended";
/// Rounds until other tasks have their turn.
const ROUNDS: usize = 16;
/// The same in bytes, read and written.
const TURN: usize = 256 * 1024;
/// How long a closed bus goes on writing what it had accepted.
pub(super) const LINGER: Duration = Duration::from_secs(1);

/// One connection's task, without the loop round it: see [`poll`](Driver::poll).
pub(super) struct Driver {
    // Deregistered before the socket closes.
    readiness: Box<dyn Readiness>,
    socket: Arc<dyn Socket>,
    session: Session,
    side: Box<dyn Side>,
    connection: Arc<Connection>,
    control: flume::Receiver<Control>,
    intake: Option<Intake>,
    pending: Pending,
    serving: IdMap<IncomingId, Arc<InFlight>>,
    names: Names,
    flow: u64,
    /// When this turn began.
    turn: Instant,
    /// Bytes that were read and written in it.
    transferred: usize,
    /// The bell may have been rung, and answered by somebody else, before this began.
    unheard: bool,
    /// In this turn, the socket had no more to read, and wakes the task when it has.
    awaits_bytes: bool,
    /// The same for a socket that took no more.
    awaits_room: bool,
    tally: Arc<Tally>,
    /// What the session holds, counted against the memory of the bus.
    memory: Charge,
    max_message: usize,
    runtime: Arc<dyn Runtime>,
    sleep: Option<Sleep>,
    /// The bus was closed: until when what it had accepted may still leave.
    closing: Option<(Instant, CloseCode)>,
    /// Who waits for nothing to be on its way any more.
    leaving: Vec<Completer<(), PromiseError>>,
    /// The session has ended.
    ended: Option<Ended>,
    /// The peer has said Hello.
    opened: bool,
    /// What reading or writing failed with: the session knows only that it ended.
    fault: Option<io::Error>,
}

struct Ended {
    why: String,
    /// Until when the notice to the peer may take.
    until: Instant,
}

/// What a driver is made of.
pub(super) struct Parts {
    pub(super) socket: Arc<dyn Socket>,
    pub(super) readiness: Box<dyn Readiness>,
    pub(super) session: Session,
    pub(super) side: Box<dyn Side>,
    pub(super) connection: Arc<Connection>,
    pub(super) control: flume::Receiver<Control>,
    pub(super) intake: Intake,
    pub(super) tally: Arc<Tally>,
    pub(super) memory: Charge,
    pub(super) max_message: usize,
    pub(super) runtime: Arc<dyn Runtime>,
}

impl Driver {
    pub(super) fn new(parts: Parts) -> Driver {
        let mut driver = Driver {
            readiness: parts.readiness,
            socket: parts.socket,
            session: parts.session,
            side: parts.side,
            connection: parts.connection,
            control: parts.control,
            intake: Some(parts.intake),
            pending: Pending::default(),
            serving: IdMap::default(),
            names: Names::new(),
            flow: connection_flow(),
            turn: Instant::now(),
            transferred: 0,
            unheard: true,
            awaits_bytes: false,
            awaits_room: false,
            tally: parts.tally,
            memory: parts.memory,
            max_message: parts.max_message,
            runtime: parts.runtime,
            sleep: None,
            closing: None,
            leaving: Vec::new(),
            ended: None,
            opened: false,
            fault: None,
        };
        driver.side.started(&mut driver.session);
        driver
    }

    /// Ready when the session has ended and what it wanted to say is written: with the queue of
    /// requests that never reached the session, and why it ended.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<(Option<Intake>, String)> {
        self.turn = Instant::now();
        self.transferred = 0;
        (self.awaits_bytes, self.awaits_room) = (false, false);
        let mut now = self.turn;
        for round in 0..ROUNDS {
            // Others may have taken what there was when this connection had its last turn.
            let budget = self.memory.budget();
            let (room, kept) = (budget.room_for_requests(), budget.kept_from_bulk());
            self.session.limit_memory(room, kept, budget.is_exhausted());
            // Only before it sleeps does it leave its waker at the door.
            let may_sleep = round > 0;
            // A bell that answers has not kept the waker, whether or not what it was rung for is still there to be taken.
            let mut moved = self.is_rung(may_sleep.then_some(&mut *cx));
            if moved {
                self.take_control(now);
            }
            moved |= self.take_requests(now);
            if self.session.waiting_events() > 0 {
                moved = true; // What has come is told before more is read.
            } else if moved || !self.awaits_bytes {
                // Where nothing has moved, a socket that has nothing has had no time for more.
                moved |= self.read(cx, now);
            }
            if self.is_due(now) {
                self.session.advance(now);
                moved = true;
            }
            self.tell_events(now);
            let parked = self.side.poll_parked(cx);
            moved |= parked;
            self.side.tell_missed(&mut self.session);
            self.side.tell_retired(&mut self.session);
            moved |= self.close_when_written(now);
            moved |= self.write(cx, now);
            moved |= self.session.waiting_events() > 0;
            self.tell_drained();
            self.tally.late_replies(self.session.take_late());
            self.count_memory();
            if let Some(why) = self.has_ended(now) {
                return Poll::Ready((self.intake.take(), why));
            }
            if !moved && may_sleep && self.asleep(now, cx) {
                return Poll::Pending;
            }
            if self.transferred >= TURN {
                break;
            }
            if !parked && self.has_nothing_left(cx, now) && self.asleep(now, cx) {
                return Poll::Pending;
            }
            now = Instant::now();
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// The requests that it has not taken.
    pub(super) fn intake(&mut self) -> Option<&mut Intake> {
        self.intake.as_mut()
    }

    /// Whether the round that ends has done all there is to do, so that none follows it which finds that out: most turns
    /// are one message. Leaves the waker of `cx` wherever something may come from.
    fn has_nothing_left(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let is_ending = self.closing.is_some() || self.ended.is_some() || !self.leaving.is_empty();
        let waits = self.intake.as_ref().is_none_or(|intake| !intake.is_empty());
        let untold = self.session.waiting_events() > 0;
        if is_ending || waits || untold || self.session.has_output() {
            return false;
        }
        if self.is_rung(Some(cx)) {
            self.unheard = true; // The next round answers.
            return false;
        }
        if !self.awaits_bytes {
            self.read(cx, now);
        }
        self.awaits_bytes
    }

    /// Whether somebody has left something since this was asked last; else the next one wakes `cx`, where that is given.
    fn is_rung(&mut self, cx: Option<&mut Context<'_>>) -> bool {
        let unheard = std::mem::take(&mut self.unheard);
        let bell = self.intake.as_ref().map(|intake| &intake.outbox().bell);
        let rung = bell.is_some_and(|bell| match cx {
            Some(cx) => bell.poll_rung(cx).is_ready(),
            None => bell.answer(),
        });
        rung || unheard
    }
}

impl Drop for Driver {
    /// The runtime has ended, or the task is done: nothing may stay in flight.
    fn drop(&mut self) {
        let now = Instant::now();
        self.tell_all_events(now);
        self.session.receive_eof(now);
        self.tell_the_end(ENDED, now);
        for entry in self.pending.drain() {
            let lost = translate::lost(true, ENDED);
            entry.finish(Reply::Failed(lost));
        }
    }
}

/// A flow of its own for what one connection brings, apart from those of the bus's handles.
fn connection_flow() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1 << 63);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
