//! The task that owns a connection.
//!
//! Each round takes what others left (replies and cancels first, then requests as far as there is
//! credit), reads, tells what came, and writes all of it, so that what was queued before the poll
//! has left in the same poll. It sleeps when nothing moves, and steps aside for other tasks when
//! things have moved for many rounds (FAULTS rule 8).

use std::cell::RefCell;
use std::io::{self, IoSlice, IoSliceMut};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::connection::{Connection, Control};
use super::names::Names;
use super::outbox::Intake;
use super::pending::{Entry, Pending, UNTRACKED};
use super::side::{Side, Taken};
use super::socket::Socket;
use super::translate::{self, Incoming};
use crate::bus::{InFlight, Verb};
use crate::error::{CallError, CallErrorKind, Fate, Stage};
use crate::name_map::IdMap;
use crate::overload::{Charge, Tally};
use crate::promise::{Completer, PromiseError};
use crate::reply::Reply;
use crate::runtime::{BoxFuture, Interest, Readiness, Runtime};
use crate::server::Mode;
use crate::session::{self, CloseCode, Event, IncomingId, Request, RequestId, Session};

/// What is read at a time.
const READ: usize = 128 * 1024;
/// What is written in one round, about: as long as the peer reads, a large message could be written for its whole length,
/// and what is small would wait in the outbox for all of it (C-OV-2).
const WRITE: usize = 256 * 1024;
/// Places given to one read.
const PLACES: usize = 32;
/// Slices given to one write.
const SLICES: usize = 64;
/// Reads after which a peer that takes nothing any more is not listened to either: together, what the kernel keeps of one
/// connection.
const LAST_READS: usize = 64;
/// Why a session ends that nobody drives any more.
const ENDED: &str = "the runtime of this side has ended";
/// Rounds until other tasks have their turn.
const ROUNDS: usize = 16;
/// Requests taken from the outbox in one round.
const BATCH: usize = 64;
/// How long a turn may be for handlers to be started in it.
const INLINE: Duration = Duration::from_micros(200);
/// How long a closed bus goes on writing what it had accepted.
pub(super) const LINGER: Duration = Duration::from_secs(1);

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into_boxed_slice());
}

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
    tally: Arc<Tally>,
    /// What the session holds, counted against the memory of the bus.
    memory: Charge,
    max_message: usize,
    runtime: Arc<dyn Runtime>,
    sleep: Option<(Instant, BoxFuture<()>)>,
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
        for _ in 0..ROUNDS {
            let now = Instant::now();
            // Others may have taken what there was when this connection had its last turn.
            let budget = self.memory.budget();
            let (room, scarce) = (budget.room_for_requests(), budget.is_exhausted());
            self.session.limit_memory(room, scarce);
            let mut moved = self.bell(cx).is_ready();
            moved |= self.take_control(now);
            moved |= self.take_requests(now);
            moved |= self.read(cx, now);
            if self.session.next_deadline().is_some_and(|at| at <= now) {
                self.session.advance(now);
                moved = true;
            }
            self.tell_events(now);
            moved |= self.side.poll_parked(cx);
            self.side.tell_missed(&mut self.session);
            self.side.tell_retired(&mut self.session);
            moved |= self.close_when_written(now);
            moved |= self.write(cx, now);
            self.tell_events(now);
            self.tell_drained();
            self.tally.late_replies(self.session.take_late());
            self.count_memory();
            let written = !self.session.has_output() && !self.socket.holds_output();
            let over = |ended: &Ended| written || ended.until <= now;
            if self.ended.as_ref().is_some_and(over) {
                let why = self.ended.take().map(|ended| ended.why);
                return Poll::Ready((self.intake.take(), why.unwrap_or_default()));
            }
            if !moved && self.asleep(cx) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// The requests that it has not taken.
    pub(super) fn intake(&mut self) -> Option<&mut Intake> {
        self.intake.as_mut()
    }

    fn bell(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &self.intake {
            Some(intake) => intake.outbox().bell.poll_rung(cx),
            None => Poll::Pending,
        }
    }

    fn take_control(&mut self, now: Instant) -> bool {
        let mut moved = false;
        while let Ok(control) = self.control.try_recv() {
            moved = true;
            match control {
                Control::Reply(id, reply) => self.reply(IncomingId(id), reply),
                Control::Cancel(token) => self.cancel(token, Session::cancel),
                Control::Leave(token) => self.cancel(token, Session::leave),
                Control::Beat(id) => self.beat(IncomingId(id)),
                Control::Bind(server) => self.side.bind_server(&mut self.session, &server),
                Control::Unbind(server) => self.side.unbind_server(&mut self.session, &server),
                Control::Retire(retiring) => {
                    self.side.retire_server(&mut self.session, retiring);
                }
                Control::Settle(settling) => self.side.settle(&settling),
                Control::GoAway(told) => {
                    let code = CloseCode::ShuttingDown;
                    // Before Hello nothing was taken that could be let end.
                    if self.session.is_open() {
                        self.session.go_away(code, "");
                    }
                    self.leaving.push(told);
                }
                Control::Cut(code) => self.closing = Some((now, code)),
                Control::Close(code) => {
                    self.closing.get_or_insert((now + LINGER, code));
                }
            }
        }
        moved
    }

    fn reply(&mut self, id: IncomingId, reply: Reply) {
        if let Some(in_flight) = self.serving.remove(&id) {
            self.answer(id, &in_flight, reply);
        }
    }

    fn answer(&mut self, id: IncomingId, in_flight: &InFlight, reply: Reply) {
        match in_flight.head().verb {
            Verb::Cast => self.session.release(id),
            Verb::Call => {
                let codec = in_flight.head().codec;
                let reply = translate::outgoing_reply(reply, self.max_message, codec);
                self.session.reply(id, reply);
            }
        }
    }

    fn beat(&mut self, id: IncomingId) {
        if let Some(in_flight) = self.serving.get(&id) {
            in_flight.beat_taken();
            self.session.beat(id);
        }
    }

    fn cancel(&mut self, token: u64, give_up: fn(&mut Session, RequestId) -> bool) {
        let Some(entry) = self.pending.get(token) else {
            return;
        };
        if entry.id.is_some_and(|id| give_up(&mut self.session, id)) {
            // It keeps its place, in the load of its server and on the connection that it came by,
            // until its handler has ended (C-DL-4): `Event::Ended` says so.
            return;
        }
        self.cancelled(token);
    }

    /// A request that was cancelled here has ended at the peer, or never came there.
    fn cancelled(&mut self, token: u64) {
        if let Some(entry) = self.pending.remove(token) {
            let kind = CallErrorKind::Cancelled;
            let cancelled = CallError::new(kind, Fate::Unknown, Stage::Sent);
            entry.finish(Reply::Failed(cancelled));
        }
    }

    /// Hands requests to the session as far as it has room; the others keep their place in the
    /// outbox, from where they never left (`NotSent`).
    fn take_requests(&mut self, now: Instant) -> bool {
        for taken in 0..BATCH {
            let Some(intake) = &mut self.intake else {
                return taken > 0;
            };
            // Before the peer's Hello they stay where they are: should it never come, they wait for
            // the next connection.
            if !self.session.is_open() {
                return taken > 0;
            }
            let Some((way, outgoing)) = intake.next(&self.session, now) else {
                return taken > 0;
            };
            let (to, lane) = (outgoing.to, intake.lane(way));
            let (in_flight, payload, load) = translate::parts(outgoing);
            let head = in_flight.head();
            let header = match self.names.header(head, to, now) {
                Ok(header) => header,
                Err(kind) => {
                    self.tally.unsent(head.verb);
                    let error = CallError::new(kind, Fate::NotSent, Stage::QueuedHere);
                    in_flight.finish(Reply::Failed(error));
                    continue;
                }
            };
            // Others of its handle need not wait for a large one that goes elsewhere.
            let (flow, verb) = (head.flow ^ lane, head.verb);
            let is_untracked = load.is_none() && !in_flight.may_be_given_up();
            let token = if is_untracked {
                UNTRACKED
            } else {
                let in_flight = in_flight.clone();
                let token = self.pending.insert(Entry {
                    in_flight: in_flight.clone(),
                    id: None,
                    load,
                });
                if !in_flight.forwarded(self.connection.clone(), token) {
                    self.pending.remove(token); // Nobody waits for it any more.
                    continue;
                }
                token
            };
            let request = Request {
                token,
                flow,
                way: way as u64,
                verb: match verb {
                    Verb::Call => session::Verb::Call,
                    Verb::Cast => session::Verb::Cast,
                },
                header,
                payload,
            };
            match self.session.request(request, now) {
                Ok(id) => {
                    if let Some(entry) = self.pending.get(token) {
                        entry.id = Some(id);
                    }
                }
                Err(rejected) => {
                    self.pending.remove(token);
                    self.tally.unsent(verb);
                    let (kind, fate) = translate::refusal(rejected.why);
                    let error = CallError::new(kind, fate, Stage::QueuedHere);
                    in_flight.finish(Reply::Failed(error));
                }
            }
        }
        true
    }

    fn read(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        if self.session.is_closed() || !self.session.reply_room() {
            return false; // The peer does not read what it asked for: it is not asked for more.
        }
        // One buffer for each thread, not for each connection: it is empty between two reads.
        BUFFER.with_borrow_mut(|buffer| {
            let outcome = if self.session.has_room() {
                self.read_parts(cx, buffer)
            } else {
                let socket = &*self.socket;
                let op = &mut || socket.read(buffer);
                read(&*self.readiness, socket, cx, READ, op).map_ok(|read| (0, read))
            };
            match outcome {
                Poll::Pending => return false,
                // A reset is an end like any other (T3).
                Poll::Ready(Ok((0, 0))) => self.session.receive_eof(now),
                Poll::Ready(Ok((room, behind))) => {
                    self.session.came(room, now);
                    let behind = buffer.get(..behind).unwrap_or_default();
                    self.session.receive(behind, now);
                }
                Poll::Ready(Err(error)) => {
                    self.fault = Some(error);
                    self.session.receive_eof(now);
                }
            }
            true
        })
    }

    /// Reads the parts of a large message to where they belong, and what comes behind its end into `buffer`: so many bytes
    /// here, and so many there.
    #[inline(never)]
    fn read_parts(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, usize)>> {
        let (readiness, socket) = (&*self.readiness, &*self.socket);
        let mut places = self.session.room();
        let (mut count, mut room, mut behind) = (0, 0, 0);
        let mut slices: [_; PLACES] = std::array::from_fn(|_| IoSliceMut::new(&mut []));
        for (slice, place) in slices.iter_mut().zip(&mut places) {
            (count, room) = (count + 1, room + place.len());
            *slice = IoSliceMut::new(place);
        }
        if let (true, Some(last)) = (count == 0 || places.ends(), slices.get_mut(count)) {
            (count, behind) = (count + 1, buffer.len());
            *last = IoSliceMut::new(buffer);
        }
        let slices = slices.get_mut(..count).unwrap_or_default();
        let op = &mut || socket.read_vectored(slices);
        read(readiness, socket, cx, room + behind, op)
            .map_ok(|read| (read.min(room), read.saturating_sub(room)))
    }

    /// Writes what there is, as far as the socket takes it and this round goes.
    fn write(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let (mut moved, mut wrote) = (false, 0);
        while self.session.has_output() {
            if wrote >= WRITE {
                return true;
            }
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut count = 0;
            for (place, bytes) in slices.iter_mut().zip(self.session.transmit(now)) {
                *place = IoSlice::new(bytes);
                count += 1;
            }
            let slices = slices.get(..count).unwrap_or_default();
            if slices.is_empty() {
                // All that there was to stage had passed its deadline, and is told so. A write of
                // no bytes would look like the end of the connection.
                return true;
            }
            let socket = &*self.socket;
            let op = &mut || socket.write(slices);
            match self.readiness.poll_io(cx, Interest::Write, usize::MAX, op) {
                Poll::Pending => return moved,
                Poll::Ready(Ok(written @ 1..)) => {
                    self.session.wrote(written, now);
                    wrote += written;
                }
                // A write of 0 would be tried for ever (T13).
                Poll::Ready(Ok(_)) => return self.unwritable(None, now),
                Poll::Ready(Err(error)) => return self.unwritable(Some(error), now),
            }
            moved = true;
        }
        while self.socket.holds_output() {
            let socket = &*self.socket;
            let op = &mut || socket.flush().map(|()| 1);
            match self.readiness.poll_io(cx, Interest::Write, usize::MAX, op) {
                Poll::Pending => return moved,
                Poll::Ready(Ok(_)) => moved = true,
                Poll::Ready(Err(error)) => return self.unwritable(Some(error), now),
            }
        }
        moved
    }

    /// Nothing can be written any more. What the peer said before it went is there to be read all the same: answers, casts,
    /// and why it goes.
    fn unwritable(&mut self, error: Option<io::Error>, now: Instant) -> bool {
        for _ in 0..LAST_READS {
            if !self.read_last(now) {
                break;
            }
            self.tell_events(now);
        }
        if !self.session.is_closed() {
            self.fault = error.or(self.fault.take());
            self.session.receive_eof(now);
        }
        if let Some(ended) = &mut self.ended {
            ended.until = now; // The notice cannot be written either.
        }
        true
    }

    /// Reads once, where nobody waits for more; says whether there was something.
    fn read_last(&mut self, now: Instant) -> bool {
        !self.session.is_closed()
            && BUFFER.with_borrow_mut(|buffer| match self.socket.read(buffer) {
                Ok(read @ 1..) => {
                    let bytes = buffer.get(..read).unwrap_or_default();
                    self.session.receive(bytes, now);
                    true
                }
                _ => false,
            })
    }

    /// Tells what has happened to whom it concerns.
    fn tell_events(&mut self, now: Instant) {
        self.tell_events_after(None, now);
    }

    /// The same, where it is known here `why` the session ends.
    fn tell_events_after(&mut self, why: Option<&str>, now: Instant) {
        let mut lost = Vec::new(); // Why is told by the event that follows them.
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Opened(hello) => match self.side.opened(&hello) {
                    Ok(()) => self.opened = true,
                    Err(code) => self.session.close(code, ""),
                },
                // Right behind the Hello of one that was turned away.
                Event::Request { .. } | Event::Bind { .. } if !self.opened => {}
                Event::Request {
                    id,
                    verb,
                    header,
                    payload,
                } => {
                    let mode = self.mode(header.remaining);
                    let incoming = Incoming {
                        id: id.0,
                        verb,
                        header,
                        payload,
                        now,
                        flow: self.flow,
                        max_reply: self.max_message,
                        connection: self.connection.clone(),
                    };
                    match self.side.request(incoming, mode) {
                        Some(Taken {
                            in_flight,
                            answer: None,
                        }) => {
                            self.serving.insert(id, in_flight);
                        }
                        Some(Taken {
                            in_flight,
                            answer: Some(reply),
                        }) => {
                            in_flight.was_answered();
                            self.answer(id, &in_flight, reply);
                        }
                        None => self.session.release(id),
                    }
                }
                Event::Cancelled(id) => {
                    if let Some(in_flight) = self.serving.get(&id) {
                        in_flight.abandon(CallErrorKind::Cancelled);
                    }
                    self.side.given_up();
                }
                Event::CallerLost(id) => {
                    if let Some(in_flight) = self.serving.get(&id) {
                        in_flight.caller_lost();
                    }
                }
                Event::Beat { token } => {
                    if let Some(entry) = self.pending.get(token) {
                        entry.in_flight.beat();
                    }
                }
                Event::Reply { token, reply } => {
                    if let Some(entry) = self.pending.remove(token) {
                        let reply = translate::incoming_reply(reply, entry.in_flight.head());
                        entry.finish(reply);
                    }
                }
                Event::Ended { token } => self.cancelled(token),
                Event::Sent { token } => {
                    if let Some(entry) = self.pending.remove(token) {
                        entry.finish(nothing());
                    }
                }
                Event::Refused { token, why } => {
                    if let Some(entry) = self.unsent(token) {
                        let error = translate::refused(why, entry.in_flight.head());
                        entry.finish(Reply::Failed(error));
                    }
                }
                Event::Lost { token, handed_over } => lost.push((token, handed_over)),
                Event::Bind { id, registration } => {
                    let result = self.side.bind(id, &registration);
                    self.session.bind_result(id, result);
                }
                Event::Unbind { id } => {
                    self.side.unbind(id);
                    if let Some(intake) = &mut self.intake {
                        intake.unbound(id);
                    }
                }
                Event::Retire { id } => self.side.retire(id),
                Event::Retired { id } => self.side.retired(id),
                Event::BindResult { id, result } => self.side.bind_result(id, result),
                Event::Missed { id, copies } => self.side.missed(id, copies),
                Event::GoingAway { .. } => self.side.going_away(),
                Event::Closed(closed) => {
                    let text = || translate::closed_text(&closed, self.opened, self.fault.as_ref());
                    let why = why.map_or_else(text, str::to_owned);
                    for (token, handed_over) in lost.drain(..) {
                        self.lose(token, handed_over, &why);
                    }
                    let is_orderly = closed.is_orderly() && self.fault.is_none();
                    self.side.closed((!is_orderly).then_some(&why));
                    self.ended = Some(Ended {
                        why,
                        until: now + LINGER,
                    });
                }
            }
        }
    }

    fn lose(&mut self, token: u64, handed_over: bool, why: &str) {
        let entry = if handed_over {
            self.pending.remove(token)
        } else {
            self.unsent(token)
        };
        if let Some(entry) = entry {
            entry.finish(Reply::Failed(translate::lost(handed_over, why)));
        }
    }

    /// How a request that came in this turn, with so much time left, goes on. Its handler may start in here, whose reply
    /// then leaves with this very turn, as long as such handlers take little time: a connection that is not read answers
    /// nobody.
    fn mode(&self, remaining: Option<Duration>) -> Mode {
        let limit = remaining.map_or(INLINE, |left| left.min(INLINE));
        if self.turn.elapsed() < limit {
            Mode::Turn
        } else {
            Mode::Queue
        }
    }

    /// Tells those who wait for it that nothing is on its way any more.
    fn tell_drained(&mut self) {
        if self.leaving.is_empty() {
            return;
        }
        let waiting = self
            .intake
            .as_ref()
            .is_some_and(|intake| !intake.is_empty());
        if self.session.is_drained() && !waiting {
            for told in self.leaving.drain(..) {
                let _nobody_listens = told.complete(());
            }
        }
    }

    /// Counts what the session holds.
    fn count_memory(&mut self) {
        self.memory.set(self.session.held_bytes());
        self.tally.shed(self.session.take_shed());
    }

    /// What the session gave up before it left; a cast is counted.
    fn unsent(&mut self, token: u64) -> Option<Entry> {
        let entry = self.pending.remove(token);
        let is_cast = match &entry {
            Some(entry) => entry.in_flight.head().verb == Verb::Cast,
            None => token == UNTRACKED,
        };
        if is_cast {
            self.tally.unsent_cast();
        }
        entry
    }

    /// Ends the session once what was accepted before has left, or has had its time.
    fn close_when_written(&mut self, now: Instant) -> bool {
        let Some((until, code)) = self.closing else {
            return false;
        };
        if self.session.is_closed() {
            return false;
        }
        let waiting = self
            .intake
            .as_ref()
            .is_some_and(|intake| !intake.is_empty());
        let unsent = waiting || self.session.queued_requests() > 0 || self.session.has_output();
        if unsent && now < until {
            return false;
        }
        self.session.close(code, "");
        true
    }

    /// Sleeps until the session's next deadline; `false` when that has come.
    fn asleep(&mut self, cx: &mut Context<'_>) -> bool {
        let own = match &self.ended {
            Some(ended) => Some(ended.until),
            None => self.closing.map(|(until, _)| until),
        };
        let deadline = [self.session.next_deadline(), own]
            .into_iter()
            .flatten()
            .min();
        let Some(at) = deadline else {
            return true;
        };
        // Deadlines mostly move away (every byte read does that): a sleep that ends too early
        // costs one look, and a new one for each byte far more.
        if self.sleep.as_ref().is_none_or(|(end, _)| at < *end) {
            let pause = at.saturating_duration_since(Instant::now());
            self.sleep = Some((at, self.runtime.sleep(pause)));
        }
        let over = |sleep: &mut (Instant, BoxFuture<()>)| sleep.1.as_mut().poll(cx).is_ready();
        if self.sleep.as_mut().is_none_or(over) {
            self.sleep = None;
            return false;
        }
        true
    }
}

impl Drop for Driver {
    /// The runtime has ended, or the task is done: nothing may stay in flight.
    fn drop(&mut self) {
        let now = Instant::now();
        self.tell_events(now);
        self.session.receive_eof(now);
        self.tell_events_after(Some(ENDED), now);
        for entry in self.pending.drain() {
            let lost = translate::lost(true, ENDED);
            entry.finish(Reply::Failed(lost));
        }
    }
}

/// Reads at most `most` bytes by `op`, once there are some.
fn read(
    readiness: &dyn Readiness,
    socket: &dyn Socket,
    cx: &mut Context<'_>,
    most: usize,
    op: &mut dyn FnMut() -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    // What the socket holds has left the kernel, which tells of it no more.
    if socket.holds_input() {
        return Poll::Ready(op());
    }
    readiness.poll_io(cx, Interest::Read, most, op)
}

/// The outcome of a cast that was written.
fn nothing() -> Reply {
    Reply::Value(crate::payload::Payload::Bytes(Vec::new()))
}

/// A flow of its own for what one connection brings, apart from those of the bus's handles.
fn connection_flow() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1 << 63);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
