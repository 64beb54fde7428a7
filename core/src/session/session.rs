//! The state machine that ties the concerns together.

use std::collections::VecDeque;
use std::time::Instant;

use super::code::CloseCode;
use super::config::{Config, Role};
use super::event::{
    BindRefusal, CloseReason, Closed, Event, IncomingId, Refusal, Rejected, RequestId,
};
use super::message::{BindId, Registration, Reply, Request};
use super::output::Transmit;

/// One side of one connection. See the [module](super) for how it is driven.
///
/// Operations never fail because of the peer: what the peer does comes out of
/// [`poll_event`](Self::poll_event). After [`Event::Closed`] every operation does nothing.
#[derive(Debug)]
pub struct Session {
    role: Role,
    config: Config,
    started: Instant,
    events: VecDeque<Event>,
    staged: Vec<Vec<u8>>,
    closed: bool,
}

impl Session {
    /// A session at its start. A member's Hello is ready to be written at once; a hub says nothing
    /// before a member's Hello came.
    #[must_use]
    pub fn new(role: Role, config: Config, now: Instant) -> Self {
        Self {
            role,
            config,
            started: now,
            events: VecDeque::new(),
            staged: Vec::new(),
            closed: false,
        }
    }

    /// Takes bytes from the peer, any number of them. Events may follow, and output.
    pub fn receive(&mut self, bytes: &[u8], now: Instant) {
        let _ = (bytes, now);
    }

    /// The stream from the peer ended, or reading or writing failed: the session ends at once. A
    /// read of 0 bytes and a write of 0 bytes belong here (T13).
    pub fn receive_eof(&mut self, now: Instant) {
        let _ = now;
        self.close(CloseCode::Normal, "");
    }

    /// Does what is due by `now`. To be called when [`next_deadline`](Self::next_deadline) has
    /// passed; calling it more often does no harm.
    pub fn advance(&mut self, now: Instant) {
        let _ = now;
    }

    /// The next thing that happened. To be called until `None` after `receive`, `receive_eof`,
    /// `advance`, `wrote`, `transmit`, `request` and `close`.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`advance`](Self::advance) wants to be called; changes with every other operation.
    /// `None` once closed.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        (!self.closed).then(|| self.started + self.config.limits.handshake)
    }

    /// Prepares what may be written now, about one frame's length of it, and gives it. Say with
    /// [`wrote`](Self::wrote) how much of it the socket took, then ask again while
    /// [`has_output`](Self::has_output). After the session closed, what is left to write is the
    /// peer's notice of it.
    pub fn transmit(&mut self, now: Instant) -> Transmit<'_> {
        let _ = now;
        Transmit {
            slices: self.staged.iter(),
        }
    }

    /// The socket took the first `n` bytes of what [`transmit`](Self::transmit) gave.
    pub fn wrote(&mut self, n: usize, now: Instant) {
        let _ = (n, now);
    }

    /// Whether [`transmit`](Self::transmit) would give any bytes.
    #[must_use]
    pub fn has_output(&self) -> bool {
        !self.staged.is_empty()
    }

    /// Whether Hello came and the session has not ended.
    #[must_use]
    pub fn is_open(&self) -> bool {
        false
    }

    /// Whether the session has ended; there may still be events to take and a notice to write.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Accepts a request for sending. It waits here while the session is not open yet or the
    /// peer's credit is used up.
    ///
    /// # Errors
    /// Gives the request back when it cannot be accepted: see [`Refusal`]. Nothing was sent then.
    pub fn request(&mut self, request: Request, now: Instant) -> Result<RequestId, Box<Rejected>> {
        let _ = now;
        Err(Box::new(Rejected {
            request,
            why: Refusal::Closed,
        }))
    }

    /// Gives a request up. One that waits here is removed and never sent; a call that was sent is
    /// cancelled at the peer; a cast that was sent whole is not affected. No event will follow for
    /// it, unless it is in the queue of [`poll_event`](Self::poll_event) already. A stale id is
    /// ignored.
    pub fn cancel(&mut self, id: RequestId) {
        let _ = id;
    }

    /// Answers a call: its handler has ended, its credit goes back to the peer with the reply
    /// (C-DL-4). A reply to a cancelled call is dropped here. A stale id is ignored.
    pub fn reply(&mut self, id: IncomingId, reply: Reply) {
        let _ = (id, reply);
    }

    /// The handler of a cast, or of a cancelled call, has ended: its credit goes back (C-DL-4). A
    /// call that still waits for its reply is answered with `NO_REPLY`, executed. A stale id is
    /// ignored.
    pub fn release(&mut self, id: IncomingId) {
        let _ = id;
    }

    /// Member: registers a topic at the hub. [`Event::BindResult`] follows.
    ///
    /// # Errors
    /// [`Refusal::Closed`], [`Refusal::WrongRole`] on a hub, [`Refusal::TooManyBindings`].
    pub fn bind(&mut self, registration: Registration) -> Result<BindId, Refusal> {
        let _ = registration;
        Err(Refusal::Closed)
    }

    /// Member: withdraws a registration. Requests that are on their way to it are answered
    /// `NO_SERVER`, not executed; those that came are still to be answered.
    pub fn unbind(&mut self, id: BindId) {
        let _ = id;
    }

    /// Hub: answers [`Event::Bind`]. A refused registration counts as withdrawn.
    pub fn bind_result(&mut self, id: BindId, result: Result<(), BindRefusal>) {
        let _ = (id, result);
    }

    /// Takes no new requests from the peer from now on: they are answered `SHUTTING_DOWN`, not
    /// executed. What came before is still to be answered, what was sent still gets its reply; see
    /// [`is_drained`](Self::is_drained).
    pub fn go_away(&mut self, code: CloseCode, text: &str) {
        let _ = (code, text);
    }

    /// Ends the session at once. Requests not done are `Lost`; a notice for the peer is left in the
    /// output where a half-written frame does not prevent it.
    pub fn close(&mut self, code: CloseCode, text: &str) {
        if !std::mem::replace(&mut self.closed, true) {
            let reason = CloseReason::Us(code);
            self.events.push_back(Event::Closed(Closed {
                reason,
                text: text.into(),
            }));
        }
    }

    /// Whether a request with a payload of `size` bytes would be accepted now as far as the queue
    /// is concerned. While not, the driver leaves its outbox alone.
    #[must_use]
    pub fn can_accept(&self, size: usize) -> bool {
        let _ = size;
        !self.closed
    }

    /// Requests that wait here.
    #[must_use]
    pub fn queued_requests(&self) -> usize {
        0
    }

    /// Payload bytes of the requests that wait here, and the unsent rest of those begun.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        0
    }

    /// Calls that were sent, wholly or in part, and still wait for their reply.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        0
    }

    /// Requests from the peer that hold credit: given out by [`Event::Request`] and not answered or
    /// released, or answered with the reply still waiting here.
    #[must_use]
    pub fn serving(&self) -> usize {
        0
    }

    /// Whether there is room for more replies: a driver holds handlers' results back while not
    /// (P24). A reply given anyway is taken.
    #[must_use]
    pub fn reply_room(&self) -> bool {
        true
    }

    /// Whether nothing is under way in either direction: no request queued or in flight, none being
    /// served, nothing to write. With [`go_away`](Self::go_away) this is the end of a drain.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.staged.is_empty()
    }

    /// This side's role.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }
}
