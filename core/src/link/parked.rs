//! Casts that came and found no room where they are going.
//!
//! A call that finds no room is answered `Busy`. A cast has no answer: it waits here, and keeps
//! the credit that it took, so that a sender who is too fast runs out of credit and finds its own
//! queue full (C-OV-1). What waits is bounded by that credit; requests to other servers pass by
//! (C-OV-2), those to the same one do not overtake (C-VB-4).

use std::collections::VecDeque;
use std::task::Context;
use std::time::Duration;

use crate::bus::{Delivery, Head, Verb};
use crate::error::{CallErrorKind, Fate, Stage};
use crate::server::NotAccepted;

/// How long a caller in another process is told to wait for room.
const RETRY: Duration = Duration::from_millis(50);

/// Where requests of a connection go.
pub(super) trait Way {
    /// Takes a request.
    fn deliver(&self, delivery: Delivery) -> Result<(), NotAccepted>;

    /// Wakes the waker of `cx` when there may be room for `delivery`.
    fn wait_for_room(&self, delivery: &Delivery, cx: &mut Context<'_>);
}

/// The casts of one connection that wait for room.
#[derive(Default)]
pub(super) struct Parked {
    lines: Vec<VecDeque<Delivery>>,
}

impl Parked {
    /// Sends a request on its way, or has it wait.
    pub(super) fn deliver(&mut self, delivery: Delivery, way: &impl Way) {
        let head = delivery.in_flight().head();
        let verb = head.verb;
        let line = self.lines.iter_mut().find(|line| goes_there(line, head));
        let (delivery, line) = match line {
            Some(line) => (delivery, Some(line)),
            None => match way.deliver(delivery) {
                Err(NotAccepted::Full(delivery, _)) => (delivery, None),
                Ok(()) | Err(NotAccepted::Refused(_)) => return,
            },
        };
        match (verb, line) {
            (Verb::Call, _) => {
                let busy = CallErrorKind::Busy { retry_after: RETRY };
                delivery.refuse(busy, Fate::NotExecuted, Stage::Accepted);
            }
            (Verb::Cast, Some(line)) => line.push_back(delivery),
            (Verb::Cast, None) => self.lines.push(VecDeque::from([delivery])),
        }
    }

    /// Sends on what has room now, and has `cx` woken when there may be room for the rest. Says
    /// whether anything went.
    pub(super) fn poll(&mut self, way: &impl Way, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        self.lines.retain_mut(|line| {
            let mut registered = false;
            while let Some(delivery) = line.pop_front() {
                match way.deliver(delivery) {
                    Ok(()) | Err(NotAccepted::Refused(_)) => moved = true,
                    Err(NotAccepted::Full(delivery, _)) => {
                        // Registered first, tried again after: room that came in between is not
                        // missed.
                        if !registered {
                            way.wait_for_room(&delivery, cx);
                        }
                        line.push_front(delivery);
                        if registered {
                            return true;
                        }
                        registered = true;
                    }
                }
            }
            false
        });
        moved
    }
}

fn goes_there(line: &VecDeque<Delivery>, head: &Head) -> bool {
    line.front().is_some_and(|first| {
        let first = first.in_flight().head();
        (&first.topic, &first.server, &first.exchange)
            == (&head.topic, &head.server, &head.exchange)
    })
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::task::Waker;
    use std::time::Instant;

    use super::*;
    use crate::bus::InFlight;
    use crate::error::CallError;
    use crate::name::{Exchange, Method, Topic};
    use crate::payload::Payload;

    #[derive(Default)]
    struct Narrow {
        room: Cell<usize>,
        passed: RefCell<Vec<u64>>,
        waited: Cell<usize>,
    }

    impl Way for Narrow {
        fn deliver(&self, delivery: Delivery) -> Result<(), NotAccepted> {
            if delivery.in_flight().head().topic.as_str() == "narrow" && self.room.get() == 0 {
                let full = CallError::new(CallErrorKind::Closed, Fate::NotSent, Stage::Accepted);
                return Err(NotAccepted::Full(delivery, full));
            }
            self.room.set(self.room.get().saturating_sub(1));
            self.passed
                .borrow_mut()
                .push(delivery.in_flight().head().flow);
            Ok(())
        }

        fn wait_for_room(&self, _delivery: &Delivery, _cx: &mut Context<'_>) {
            self.waited.set(self.waited.get() + 1);
        }
    }

    fn request(verb: Verb, topic: &str, n: u64) -> Delivery {
        let (topic, method) = (Topic::new(topic).unwrap(), Method::new("m").unwrap());
        let head = Head {
            flow: n,
            ..Head::new(verb, Exchange::DEFAULT, topic, method, Instant::now())
        };
        Delivery::new(InFlight::new(head, None), Payload::Bytes(Vec::new()))
    }

    #[test]
    fn casts_wait_in_order_calls_are_refused_and_others_pass_by() {
        let (mut parked, way) = (Parked::default(), Narrow::default());
        parked.deliver(request(Verb::Cast, "narrow", 1), &way);
        parked.deliver(request(Verb::Cast, "narrow", 2), &way);
        parked.deliver(request(Verb::Call, "narrow", 3), &way);
        parked.deliver(request(Verb::Cast, "wide", 4), &way);
        assert_eq!(*way.passed.borrow(), [4]);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(!parked.poll(&way, &mut cx));
        assert_eq!(way.waited.get(), 1);
        way.room.set(1);
        parked.deliver(request(Verb::Cast, "narrow", 5), &way);
        assert!(parked.poll(&way, &mut cx));
        assert_eq!(*way.passed.borrow(), [4, 1]);
        way.room.set(9);
        assert!(parked.poll(&way, &mut cx));
        assert_eq!(*way.passed.borrow(), [4, 1, 2, 5]);
        parked.deliver(request(Verb::Call, "narrow", 6), &way);
        assert_eq!(*way.passed.borrow(), [4, 1, 2, 5, 6]);
    }
}
