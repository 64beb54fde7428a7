//! Credit: how many requests, and how many bytes of them, a side may have in the peer's hands
//! (PR-CREDIT).

use super::code::CloseCode;
use super::config::Limits;
use super::wire::{Parsed, violation};

/// A number of requests and their payload bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) requests: u32,
    pub(super) bytes: usize,
}

impl Amount {
    pub(super) fn one(bytes: usize) -> Self {
        Self { requests: 1, bytes }
    }

    fn add(&mut self, other: Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    fn take(&mut self, other: Self) {
        self.requests = self.requests.saturating_sub(other.requests);
        self.bytes = self.bytes.saturating_sub(other.bytes);
    }

    fn covers(self, other: Self) -> bool {
        self.requests >= other.requests && self.bytes >= other.bytes
    }
}

/// What the peer still allows this side to send.
#[derive(Debug)]
pub(super) struct Allowance {
    left: Amount,
    /// Casts that the peer has not given back: only these come back by a Credit frame.
    casts: Amount,
}

impl Allowance {
    pub(super) fn new(window: Amount) -> Self {
        Self {
            left: window,
            casts: Amount::default(),
        }
    }

    pub(super) fn allows(&self, bytes: usize) -> bool {
        self.left.covers(Amount::one(bytes))
    }

    pub(super) fn spend(&mut self, bytes: usize) {
        self.left.take(Amount::one(bytes));
    }

    /// A request did not leave after all, or a call was answered.
    pub(super) fn restore(&mut self, bytes: usize) {
        self.left.add(Amount::one(bytes));
    }

    /// A cast whose credit was spent leaves.
    pub(super) fn cast_left(&mut self, bytes: usize) {
        self.casts.add(Amount::one(bytes));
    }

    /// A Credit frame came.
    pub(super) fn returned(&mut self, amount: Amount) -> Parsed<()> {
        if !self.casts.covers(amount) {
            return violation(
                CloseCode::CreditExceeded,
                "more credit came back than was used",
            );
        }
        self.casts.take(amount);
        self.left.add(amount);
        Ok(())
    }
}

/// What this side allows the peer, and what of it is taken.
#[derive(Debug)]
pub(super) struct Granted {
    window: Amount,
    max_message: usize,
    taken: Amount,
    /// Of casts that have ended; goes back with the next Credit frame, in one for all.
    returning: Amount,
}

impl Granted {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            window: Amount {
                requests: limits.max_in_flight,
                bytes: limits.max_in_flight_bytes,
            },
            max_message: limits.max_message,
            taken: Amount::default(),
            returning: Amount::default(),
        }
    }

    pub(super) fn taken(&self) -> Amount {
        self.taken
    }

    /// A request came; `false` when the peer had no credit for it.
    #[must_use]
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let mut left = self.window;
        left.take(self.taken);
        let fits = left.covers(Amount::one(bytes));
        if fits {
            self.taken.add(Amount::one(bytes));
        }
        fits
    }

    /// The answer to a call is on its way, and its credit with it (PR-CREDIT-3).
    pub(super) fn answered(&mut self, bytes: usize) {
        self.taken.take(Amount::one(bytes));
    }

    /// A cast has ended: its credit waits for a Credit frame.
    pub(super) fn cast_ended(&mut self, bytes: usize) {
        self.answered(bytes);
        self.refused_cast(bytes);
    }

    /// A cast was dropped that never took credit here; the peer spent its own.
    pub(super) fn refused_cast(&mut self, bytes: usize) {
        self.returning.add(Amount::one(bytes));
    }

    /// What is worth a Credit frame now. It is told when the peer might wait for it, and until
    /// then gathered: half of the requests are used up, or the largest message would not fit
    /// (PR-CREDIT-4).
    pub(super) fn due(&self) -> Option<Amount> {
        if self.returning.requests == 0 {
            return None;
        }
        let mut used = self.taken;
        used.add(self.returning);
        let few_requests = used.requests >= self.window.requests.div_ceil(2);
        let room = self.window.bytes.saturating_sub(used.bytes);
        (few_requests || room < self.max_message).then_some(self.returning)
    }

    pub(super) fn told(&mut self) {
        self.returning = Amount::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(requests: u32, bytes: usize, max_message: usize) -> Granted {
        Granted::new(&Limits {
            max_in_flight: requests,
            max_in_flight_bytes: bytes,
            max_message,
            ..Limits::default()
        })
    }

    #[test]
    fn credit_is_told_before_the_peer_can_be_stuck() {
        for requests in 1..6 {
            let mut side = granted(requests, 100, 10);
            // Everything is taken, and ends one by one: the first that ends is told.
            for _ in 0..requests {
                assert!(side.take(1));
            }
            assert!(!side.take(1) && side.due().is_none());
            side.cast_ended(1);
            assert_eq!(side.due(), Some(Amount::one(1)));
        }
        let mut side = granted(100, 20, 10);
        assert!(side.take(10) && side.take(1));
        side.cast_ended(1);
        assert_eq!(side.due(), Some(Amount::one(1)));
    }

    #[test]
    fn credit_is_gathered_while_the_peer_has_plenty() {
        let mut side = granted(100, 100, 10);
        for _ in 0..49 {
            assert!(side.take(1));
            side.cast_ended(1);
            assert_eq!(side.due(), None);
        }
        assert!(side.take(1));
        side.cast_ended(1);
        assert_eq!(
            side.due(),
            Some(Amount {
                requests: 50,
                bytes: 50
            })
        );
    }

    #[test]
    fn more_than_was_used_cannot_come_back() {
        let mut side = Allowance::new(Amount {
            requests: 2,
            bytes: 10,
        });
        assert!(side.allows(10) && !side.allows(11));
        side.spend(4);
        side.cast_left(4);
        assert!(
            side.returned(Amount {
                requests: 2,
                bytes: 4
            })
            .is_err()
        );
        assert!(side.returned(Amount::one(5)).is_err());
        assert!(side.returned(Amount::one(4)).is_ok() && side.allows(10));
        assert!(
            side.returned(Amount {
                requests: 0,
                bytes: 1
            })
            .is_err()
        );
    }
}
