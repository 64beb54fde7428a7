//! Answers to this side's calls, as they come.

use std::time::Instant;

use super::answers::parse_failure;
use super::code::{CloseCode, error_code, fate_code};
use super::event::Event;
use super::frame::Kind;
use super::message::{Reply, WireError};
use super::requests::Answered;
use super::session::Session;
use super::wire::{Parsed, Reader, unzigzag, violation};
use crate::buffers;

impl Session {
    pub(super) fn on_answer(
        &mut self,
        kind: Kind,
        mut body: Reader<'_>,
        now: Instant,
    ) -> Parsed<()> {
        let seq = self.answered_seq(&mut body)?;
        self.reply_parts.check_not_begun(seq)?;
        match kind {
            Kind::ReplyBegin | Kind::FailureBegin => {
                let total = body.size()?;
                let wanted = self.requests.is_awaited(seq);
                let failure = kind == Kind::FailureBegin;
                self.reply_parts
                    .begin(seq, failure, total, body.rest(), wanted)
            }
            Kind::Failure => {
                let error = parse_failure(body.rest())?;
                self.complete(seq, now, || Err(error))
            }
            Kind::Ended => {
                body.end()?;
                // Only an answer to what was cancelled; for a call that was not it says nothing.
                let nothing = WireError::bare(error_code::NO_REPLY, fate_code::UNKNOWN);
                self.complete(seq, now, || Err(nothing))
            }
            _ => {
                let value = body.rest();
                if value.len() > self.config.limits.max_message {
                    return violation(CloseCode::MessageTooLarge, "a reply exceeds the limit");
                }
                self.complete(seq, now, || Ok(buffers::copy_of(value).into()))
            }
        }
    }

    /// All of a large answer has come.
    pub(super) fn on_whole_answer(&mut self, seq: u64, now: Instant) -> Parsed<()> {
        let Some(answer) = self.reply_parts.whole(seq) else {
            return Ok(());
        };
        let wanted = self.requests.is_awaited(seq);
        let reply = if answer.failure && wanted {
            Err(parse_failure(&answer.content)?)
        } else {
            Ok(answer.content.into())
        };
        self.complete(seq, now, || reply)
    }

    /// The one place where a call gets its answer.
    fn complete(&mut self, seq: u64, now: Instant, reply: impl FnOnce() -> Reply) -> Parsed<()> {
        match self.requests.answered(seq) {
            Answered::Call { token, abort } => {
                self.events.push_back(Event::Reply {
                    token,
                    reply: reply(),
                });
                if abort {
                    // The answer came before the request was whole: the rest stays here.
                    self.control.cancels.push_back(seq);
                }
                Ok(())
            }
            Answered::Cancelled { token } => {
                // Answered `Ended`, it was cancelled in time.
                self.late = self.late.saturating_add(u64::from(reply().is_ok()));
                self.events.push_back(Event::Ended { token });
                Ok(())
            }
            Answered::Nobody => Ok(()),
            // The first one counts (P16).
            Answered::Unknown => self.count_idle(now),
        }
    }

    /// The call that is answered, by its distance from the one answered before (PR-REPLY-2).
    fn answered_seq(&mut self, body: &mut Reader<'_>) -> Parsed<u64> {
        let distance = unzigzag(body.varint()?);
        let seq = self.answered.checked_add_signed(distance);
        match seq.filter(|&seq| seq > 0 && seq <= self.requests.last_seq()) {
            Some(seq) => {
                self.answered = seq;
                Ok(seq)
            }
            None => violation(CloseCode::UnknownId, "an answer to what was never asked"),
        }
    }
}
