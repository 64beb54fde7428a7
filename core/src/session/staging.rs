//! What is written next: control frames, then small replies, then the rest in turns (PR-ORDER).

use std::time::Instant;

use super::control::put_credit;
use super::frame::MAGIC;
use super::hello::Hello;
use super::session::{Phase, Session};

impl Session {
    /// Stages the magic.
    pub(super) fn greet(&mut self) {
        if !std::mem::replace(&mut self.greeted, true) {
            // No frame, hence apart from the frames: see `Output::forget_unbegun`.
            self.output.apart(MAGIC.to_vec().into());
        }
    }

    pub(super) fn stage_hello(&mut self) {
        let hello = self.hello();
        self.output.frames(|out| out.extend_from_slice(&hello));
    }

    /// Our Hello as it is written.
    pub(super) fn hello(&self) -> Vec<u8> {
        let mut out = Vec::new();
        Hello::ours(self.role, &self.config, &self.config.limits).put(&mut out);
        out
    }

    pub(super) fn has_more_to_stage(&self) -> bool {
        let Phase::Open(open) = &self.phase else {
            return false;
        };
        self.has_control() || !self.answers.is_empty() || open.outbound.is_ready(&self.requests)
    }

    fn has_control(&self) -> bool {
        self.control.is_pending()
            || !self.beats.is_empty()
            || self.registrations.has_notices()
            || self.serving.granted.is_due()
    }

    /// Stages frames until enough is ahead or nothing is left.
    pub(super) fn stage(&mut self, now: Instant) {
        let has_control = self.has_control();
        let Phase::Open(open) = &mut self.phase else {
            return;
        };
        let ahead = self.output.ahead();
        if has_control && self.output.staged() < ahead {
            self.output.frames(|out| {
                put_credit(&mut self.serving.granted, out);
                self.control.put(self.role, out);
                self.registrations.put(out);
                self.beats.put(self.role.peer(), out);
            });
        }
        while self.output.staged() < ahead {
            if let Some(freed) = self.answers.stage_small(&mut self.output) {
                freed
                    .into_iter()
                    .for_each(|seq| self.serving.answer_staged(seq));
                continue;
            }
            let before = self.output.appended();
            let reply_part_is_due =
                self.answers.has_parts() && self.since_reply_part >= open.peer.max_frame;
            if !reply_part_is_due
                && open
                    .outbound
                    .step(&mut self.requests, &mut self.output, now, &mut self.events)
            {
                let staged = self.output.appended().saturating_sub(before) as usize;
                self.since_reply_part = self.since_reply_part.saturating_add(staged);
                continue;
            }
            self.since_reply_part = 0;
            match self.answers.stage_part(&mut self.output) {
                Some(freed) => freed
                    .into_iter()
                    .for_each(|seq| self.serving.answer_staged(seq)),
                None => return,
            }
        }
    }
}
