//! What must hold in the simulated world after each step, and at the end.

use tidings_core::session::{
    BindRefusal, CloseCode, CloseReason, Event, IncomingId, Refused, Verb, error_code, fate_code,
};

use crate::simulator::{
    Fate, LIMITS, Running, Sent, Side, WINDOW, World, arguments, failure, value,
};

/// More than a session may ever hold.
const MEMORY: usize = {
    let (frame, message, in_flight, partial) = LIMITS;
    let staged = 192 * 1024 + 2 * frame;
    // The queue holds one message that is larger than the queue's limit.
    let queue = message;
    // In both directions.
    let requests = 2 * WINDOW;
    let replies = (partial + in_flight) as usize * message;
    staged + queue + requests + replies
};

impl World {
    /// Takes the events, and looks at every limit.
    pub(crate) fn check(&mut self) {
        for at in [0, 1] {
            while let Some(event) = self.sides[at].session.poll_event() {
                assert!(!self.sides[at].closed, "after the last event: {event:?}");
                self.on_event(at, event);
            }
            let Side {
                session, running, ..
            } = &self.sides[at];
            assert!(
                running.len() <= LIMITS.2 as usize,
                "handlers without end (C-DL-4)"
            );
            assert!(
                session.serving() <= LIMITS.2 as usize,
                "{}",
                session.serving()
            );
            assert!(session.queued_requests() <= 6);
            let bytes = session.buffered_bytes();
            assert!(bytes <= MEMORY, "side {at} holds {bytes} bytes");
        }
    }

    fn on_event(&mut self, at: usize, event: Event) {
        match event {
            Event::Request {
                id,
                verb,
                header,
                payload,
            } => {
                self.trace_in(&[1, at as u64, payload.len() as u64, header.codec.into()]);
                self.on_request(at, id, verb, payload.into_vec());
            }
            Event::Reply { token, reply } => {
                let (never_ran, ran) = match reply {
                    Ok(body) => {
                        assert_eq!(body, value(token, body.len()).into());
                        (false, true)
                    }
                    Err(error) if error.details == failure(token).details => (false, true),
                    Err(error) => {
                        let overloaded = error.code == error_code::OVERLOADED;
                        assert!(!overloaded, "a good session keeps to its credit");
                        let executed = error.fate == fate_code::EXECUTED;
                        (error.fate == fate_code::NOT_EXECUTED, executed)
                    }
                };
                self.done(at, token, never_ran, ran);
            }
            Event::Sent { token } => self.done(at, token, false, false),
            Event::Refused { token, why } => {
                assert!(!matches!(why, Refused::TooLarge { size, .. } if size <= LIMITS.1));
                self.done(at, token, true, false);
            }
            Event::Lost { token, handed_over } => {
                let sent = self.sides[at].sent.get_mut(&token);
                match sent.expect("of an accepted request") {
                    // Cancelled at the peer, whose word on its end will not come any more.
                    Sent { fate, .. } if *fate == Fate::CancelledThere => *fate = Fate::Cancelled,
                    _ => self.done(at, token, !handed_over, false),
                }
            }
            Event::Ended { token } => {
                let sent = self.sides[at].sent.get_mut(&token);
                let fate = &mut sent.expect("of an accepted request").fate;
                assert_eq!(*fate, Fate::CancelledThere, "an end of {token}");
                *fate = Fate::Cancelled;
            }
            Event::Bind { id, .. } => {
                let result = if self.random.below(5) == 0 {
                    let text = "no".into();
                    let code = error_code::FORBIDDEN;
                    Err(BindRefusal { code, text })
                } else {
                    self.sides[at].bound.push(id);
                    Ok(())
                };
                self.sides[at].session.bind_result(id, result);
            }
            Event::Retire { id } => {
                self.sides[at].bound.retain(|&bound| bound != id);
                self.sides[at].session.retired(id);
            }
            Event::Retired { id } => {
                let asked = self.sides[at].retiring.remove(&id);
                assert!(asked, "{id:?} has retired and was not asked to, or twice");
            }
            Event::Unbind { id } => self.sides[at].bound.retain(|&bound| bound != id),
            Event::BindResult { id, result } => {
                if result.is_err() {
                    self.sides[at].bound.retain(|&bound| bound != id);
                }
            }
            Event::Closed(closed) => {
                let legal = !matches!(
                    closed.reason,
                    CloseReason::Us(code)
                        if !matches!(code, CloseCode::PeerDead | CloseCode::WriteStall
                            | CloseCode::HandshakeTimeout | CloseCode::FrameTimeout
                            | CloseCode::Normal | CloseCode::ShuttingDown)
                );
                let legal = legal
                    || (self.strangers
                        && closed.reason == CloseReason::Us(CloseCode::Unauthenticated));
                assert!(legal, "two good sessions broke a rule: {closed:?}");
                self.trace_in(&[9, at as u64]);
                self.sides[at].closed = true;
            }
            Event::Opened(_) if self.strangers => panic!("a stranger was let in"),
            Event::Missed { .. } => unreachable!("nobody missed anything"),
            Event::Beat { token } => {
                let pending = self.sides[at].sent[&token].fate == Fate::Pending;
                assert!(pending, "a beat after the end of {token}");
                self.trace_in(&[10, at as u64, token]);
            }
            Event::Opened(_)
            | Event::Cancelled(_)
            | Event::CallerLost(_)
            | Event::GoingAway { .. } => {
                self.trace_in(&[8, at as u64]);
            }
        }
    }

    fn on_request(&mut self, at: usize, id: IncomingId, verb: Verb, payload: Vec<u8>) {
        let number =
            |range: std::ops::Range<usize>| u64::from_le_bytes(payload[range].try_into().unwrap());
        let (token, flow) = (number(0..8), number(8..16));
        assert_eq!(
            payload,
            arguments(token, flow, payload.len() - 16),
            "as it was sent"
        );
        self.trace_in(&[token, flow]);
        let side = &mut self.sides[at];
        *side.ran.entry(token).or_default() += 1;
        let last = side.last_of_flow.insert(flow, token).unwrap_or(0);
        assert!(last < token, "flow {flow}: {token} after {last} (C-VB-4)");
        side.running.push(Running { id, verb, token });
    }

    fn done(&mut self, at: usize, token: u64, never_ran: bool, ran: bool) {
        self.trace_in(&[2, at as u64, token, never_ran.into(), ran.into()]);
        self.completions += 1;
        let sent = self.sides[at]
            .sent
            .get_mut(&token)
            .expect("of an accepted request");
        assert_eq!(sent.fate, Fate::Pending, "a second completion of {token}");
        sent.fate = Fate::Done { never_ran, ran };
    }

    fn trace_in(&mut self, numbers: &[u64]) {
        for number in numbers {
            self.trace = (self.trace ^ number).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    pub(crate) fn all_complete(&self) {
        for side in &self.sides {
            let pending = side
                .sent
                .iter()
                .find(|(_, sent)| matches!(sent.fate, Fate::Pending | Fate::CancelledThere));
            assert!(pending.is_none(), "without completion: {pending:?}");
        }
    }

    /// What was said not to have run did not, and what was answered did, once.
    pub(crate) fn fates_are_true(&self) {
        for (at, side) in self.sides.iter().enumerate() {
            for (token, sent) in &side.sent {
                let runs = self.sides[1 - at].ran.get(token).copied().unwrap_or(0);
                assert!(runs <= 1, "token {token} ran {runs} times");
                if let Fate::Done { never_ran, ran } = sent.fate {
                    assert!(!never_ran || runs == 0, "token {token} ran: {sent:?}");
                    assert!(!ran || runs == 1, "token {token} did not run: {sent:?}");
                }
            }
        }
    }
}
