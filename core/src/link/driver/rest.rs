//! When there is nothing to do: sleep, and the end.

use std::task::{Context, Waker};
use std::time::Instant;

use super::Driver;
use crate::runtime::{BoxFuture, Runtime};

impl Driver {
    /// Ends the session once what was accepted before has left, or has had its time.
    pub(super) fn close_when_written(&mut self, now: Instant) -> bool {
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
        let untold = self.session.waiting_events() > 0;
        if (unsent || untold) && now < until {
            return false;
        }
        self.session.close(code, "");
        true
    }

    /// Tells those who wait for it that nothing is on its way any more.
    pub(super) fn tell_drained(&mut self) {
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
    pub(super) fn count_memory(&mut self) {
        self.memory.set(self.session.held_bytes());
        self.tally.shed(self.session.take_shed());
    }

    /// Why the session has ended, once what it wanted to say is written.
    pub(super) fn has_ended(&mut self, now: Instant) -> Option<String> {
        let ended = self.ended.as_ref()?;
        let written = !self.session.has_output() && !self.socket.holds_output();
        if !written && ended.until > now {
            return None;
        }
        self.ended.take().map(|ended| ended.why)
    }

    /// Whether the session's deadline has come. The sleep that goes on is never longer than until then.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let sleeps = self.sleep.as_ref().is_some_and(|sleep| now < sleep.end);
        !sleeps && self.session.next_deadline().is_some_and(|at| at <= now)
    }

    /// Sleeps until the session's next deadline; `false` when that has come.
    pub(super) fn asleep(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
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
        if self.sleep.as_ref().is_none_or(|sleep| at < sleep.end) {
            self.sleep = Some(Sleep::new(at, &*self.runtime));
        }
        if self
            .sleep
            .as_mut()
            .is_none_or(|sleep| sleep.is_over(now, cx))
        {
            self.sleep = None;
            return false;
        }
        true
    }
}

/// A sleep that is not begun anew, nor looked at, while it goes on.
pub(super) struct Sleep {
    end: Instant,
    timer: BoxFuture<()>,
    /// Whom it wakes.
    wakes: Option<Waker>,
}

impl Sleep {
    fn new(end: Instant, runtime: &dyn Runtime) -> Sleep {
        let pause = end.saturating_duration_since(Instant::now());
        Sleep {
            end,
            timer: runtime.sleep(pause),
            wakes: None,
        }
    }

    /// Else it wakes `cx`.
    fn is_over(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        let wakes = self.wakes.as_ref();
        if now < self.end && wakes.is_some_and(|waker| waker.will_wake(cx.waker())) {
            return false;
        }
        self.wakes = Some(cx.waker().clone());
        self.timer.as_mut().poll(cx).is_ready()
    }
}
