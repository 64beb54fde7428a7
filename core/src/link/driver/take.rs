//! What others left for the connection's task: control first, then requests as far as there is credit.

use std::time::Instant;

use super::super::connection::Control;
use super::super::pending::{Entry, UNTRACKED};
use super::super::translate;
use super::{Driver, LINGER};
use crate::bus::{InFlight, Verb};
use crate::error::{CallError, CallErrorKind, Fate, Stage};
use crate::reply::Reply;
use crate::session::{self, CloseCode, IncomingId, Request, RequestId, Session};

/// Requests taken from the outbox in one round.
const BATCH: usize = 32;

impl Driver {
    pub(super) fn take_control(&mut self, now: Instant) {
        while let Ok(control) = self.control.try_recv() {
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
                Control::Settle(settling) => {
                    self.tell_all_events(now); // What has come is for the server that goes, as what waits is.
                    self.side.settle(&settling);
                }
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
    }

    fn reply(&mut self, id: IncomingId, reply: Reply) {
        if let Some(in_flight) = self.serving.remove(&id) {
            self.answer(id, &in_flight, reply);
        }
    }

    pub(super) fn answer(&mut self, id: IncomingId, in_flight: &InFlight, reply: Reply) {
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
    pub(super) fn cancelled(&mut self, token: u64) {
        if let Some(entry) = self.pending.remove(token) {
            let kind = CallErrorKind::Cancelled;
            let cancelled = CallError::new(kind, Fate::Unknown, Stage::Sent);
            entry.finish(Reply::Failed(cancelled));
        }
    }

    /// Hands requests to the session as far as it has room; the others keep their place in the
    /// outbox, from where they never left (`NotSent`).
    pub(super) fn take_requests(&mut self, now: Instant) -> bool {
        for taken in 0..BATCH {
            let Some(intake) = self.intake.as_mut().filter(|intake| !intake.is_empty()) else {
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
}
