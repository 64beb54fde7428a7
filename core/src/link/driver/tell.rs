//! What came out of the session, told to whom it concerns.

use std::time::{Duration, Instant};

use super::super::pending::{Entry, UNTRACKED};
use super::super::side::Taken;
use super::super::translate::{self, Incoming};
use super::{Driver, Ended, LINGER};
use crate::bus::Verb;
use crate::error::CallErrorKind;
use crate::payload::Payload;
use crate::reply::Reply;
use crate::server::Mode;
use crate::session::Event;

/// How long a turn may be for handlers to be started in it.
const INLINE: Duration = Duration::from_micros(200);

/// Of requests that came together, at most half or so many are looked after before the answers to them are written: their
/// callers go on while the others have their turn.
const SHARE: usize = 16;

impl Driver {
    /// Tells what has happened to whom it concerns, as far as this round goes.
    pub(super) fn tell_events(&mut self, now: Instant) {
        let share = (self.session.waiting_events() / 2).max(SHARE);
        self.tell(share, None, now);
    }

    /// Tells all that has happened.
    pub(super) fn tell_all_events(&mut self, now: Instant) {
        self.tell(usize::MAX, None, now);
    }

    /// The same, where it is known here `why` the session ends.
    pub(super) fn tell_the_end(&mut self, why: &str, now: Instant) {
        self.tell(usize::MAX, Some(why), now);
    }

    /// Tells what has happened up to so many requests.
    fn tell(&mut self, requests: usize, why: Option<&str>, now: Instant) {
        let mut left = requests;
        let mut lost = Vec::new(); // Why is told by the event that follows them.
        while left > 0 {
            let Some(event) = self.session.poll_event() else {
                return;
            };
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
                    left -= 1;
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

    /// How a request that came in this turn, with so much time left, goes on. Its handler may start in here, whose reply
    /// then leaves with this very turn, as long as such handlers take little time: a connection that is not read answers
    /// nobody.
    fn mode(&self, remaining: Option<Duration>) -> Mode {
        let limit = remaining.map_or(INLINE, |left| left.min(INLINE));
        Mode::Turn(self.turn + limit)
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
}

/// The outcome of a cast that was written.
fn nothing() -> Reply {
    Reply::Value(Payload::Bytes(Vec::new()))
}
