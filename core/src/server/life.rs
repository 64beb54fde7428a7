//! Whether a server takes requests: started, stopped, started again, closed; from any thread, in any order (C-LC-1).

/// How a server stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Duty {
    /// It takes requests.
    Serving,
    /// It takes no more, and works on what it has.
    Draining,
    /// It has refused what was queued. It may be started again.
    Stopped,
    /// For good.
    Closed,
}

/// Which of its lives a server is in. What was begun in one of them ends nothing in the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Epoch(pub(crate) u64);

/// A server's duty, and since when.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) duty: Duty,
    pub(crate) epoch: Epoch,
}

impl Life {
    pub(crate) const FIRST: Epoch = Epoch(0);

    pub(crate) fn new() -> Life {
        Life {
            duty: Duty::Serving,
            epoch: Life::FIRST,
        }
    }

    /// It begins to serve again; `None` when it does already, or never will.
    pub(crate) fn begin_again(&mut self) -> Option<Epoch> {
        match self.duty {
            Duty::Serving | Duty::Closed => None,
            Duty::Draining | Duty::Stopped => {
                self.duty = Duty::Serving;
                self.epoch = Epoch(self.epoch.0 + 1);
                Some(self.epoch)
            }
        }
    }

    /// It takes no more requests.
    pub(crate) fn drain(&mut self) -> Epoch {
        if self.duty == Duty::Serving {
            self.duty = Duty::Draining;
        }
        self.epoch
    }

    /// It refuses what is queued; for good or not. `false` when it serves anew since `epoch`.
    pub(crate) fn stop(&mut self, epoch: Option<Epoch>, to: Duty) -> bool {
        if epoch.is_some_and(|epoch| epoch != self.epoch) {
            return false;
        }
        if self.duty != Duty::Closed {
            self.duty = to;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drain_ends_nothing_of_a_later_life() {
        let mut life = Life::new();
        let drained = life.drain();
        assert_eq!(life.duty, Duty::Draining);
        assert!(life.begin_again().is_some());
        assert!(life.begin_again().is_none(), "it serves");
        assert!(!life.stop(Some(drained), Duty::Stopped));
        assert_eq!(life.duty, Duty::Serving);
        assert!(life.stop(None, Duty::Stopped));
        assert!(life.begin_again().is_some());
    }

    #[test]
    fn what_is_closed_stays_closed() {
        let mut life = Life::new();
        assert!(life.stop(None, Duty::Closed));
        life.drain();
        assert!(life.stop(None, Duty::Stopped));
        assert!(life.begin_again().is_none());
        assert_eq!(life.duty, Duty::Closed);
    }
}
