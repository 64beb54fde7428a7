//! The end of a session: every request completed, nothing kept.

use super::answers::Answers;
use super::code::CloseCode;
use super::control::{Control, put_reason};
use super::event::{CloseReason, Closed, Event, IncomingId};
use super::frame::{Kind, MAGIC, Splitter, whole};
use super::session::{Phase, Session};
use super::wire::Violation;

impl Session {
    /// The peer broke a rule, or time did.
    pub(super) fn break_off(&mut self, violation: Violation) {
        let Violation { code, text } = violation;
        self.end(CloseReason::Us(code), text, Some(code));
    }

    /// Ends the session, once; `notice` is what the peer is told, if it can be.
    pub(super) fn end(&mut self, reason: CloseReason, text: &str, notice: Option<CloseCode>) {
        if self.is_closed() {
            return;
        }
        let notice = notice.filter(|_| self.may_speak()).map(|code| {
            let mut frame = Vec::new();
            whole(&mut frame, Kind::Close, |out| put_reason(out, code, text));
            frame
        });
        let notice = notice.filter(|frame| self.may_say(frame.len()));
        match &notice {
            // A Hello goes out in any case: it tells the peer our versions (P11).
            Some(_) if !self.is_open() => {}
            Some(_) => self.output.forget_unbegun(),
            None => self.output.clear(),
        }
        // The rest of a frame that was begun may still be written: what it completes counts as
        // handed over, for a fate may be too weak but never too strong (C-OC).
        let position = self.output.appended();
        if let Some(frame) = notice {
            self.greet();
            self.output.frames(|out| out.extend_from_slice(&frame));
        }
        self.phase = Phase::Closed;
        self.requests.fail_all(position, &mut self.events);
        for seq in self.serving.drain(&self.config.limits) {
            self.events.push_back(Event::CallerLost(IncomingId(seq)));
        }
        self.forget();
        self.events.push_back(Event::Closed(Closed {
            reason,
            text: text.to_owned(),
        }));
    }

    /// A hub answers nothing to bytes that may not be meant for it (P7, S20).
    fn may_speak(&self) -> bool {
        self.greeted || self.greeting == MAGIC.len()
    }

    fn forget(&mut self) {
        self.splitter = Splitter::default();
        self.control = Control::default();
        self.registrations.clear();
        self.beats.clear();
        self.reply_parts.clear();
        self.answers = Answers::new(self.role.peer());
    }
}
