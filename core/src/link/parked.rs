//! Casts that came and found no room where they are going.
//!
//! A call that finds no room is answered `Busy`. A cast has no answer: it waits here, and keeps
//! the credit that it took, so that a sender who is too fast runs out of credit and finds its own
//! queue full (C-OV-1). What waits is bounded by that credit; requests to other servers pass by
//! (C-OV-2), those to the same one do not overtake (C-VB-4). A fanout cast waits like the others,
//! but a server that has been full for long is not waited for: that is looked at again by time, as
//! such a server wakes nobody.

use std::collections::VecDeque;
use std::task::Context;
use std::time::Duration;

use crate::bus::{Delivery, Head, PATIENCE, Reach, Verb};
use crate::error::{CallErrorKind, Fate, Stage};
use crate::runtime::BoxFuture;
use crate::server::{NotAccepted, Sent};
use crate::timer;

/// How long a caller in another process is told to wait for room.
const RETRY: Duration = Duration::from_millis(50);

/// Where requests of a connection go.
pub(super) trait Way {
    /// Takes a request.
    fn deliver(&self, delivery: Delivery) -> Result<Sent, NotAccepted>;

    /// Wakes the waker of `cx` when there may be room for requests like `head`.
    fn wait_for_room(&self, head: &Head, cx: &mut Context<'_>);
}

/// The casts of one connection that wait for room.
#[derive(Default)]
pub(super) struct Parked {
    lines: Vec<VecDeque<Delivery>>,
    /// When to look again at a fanout that waits.
    alarm: Option<BoxFuture<()>>,
}

impl Parked {
    /// Sends a request on its way, or has it wait.
    pub(super) fn deliver(&mut self, delivery: Delivery, way: &impl Way) {
        let head = delivery.in_flight().head();
        let verb = head.verb;
        let line = self.line_of(head);
        let (delivery, line) = match line {
            Some(line) => (delivery, Some(line)),
            None => match way.deliver(delivery) {
                Err(NotAccepted::Full(delivery, _)) => (delivery, None),
                Ok(_) | Err(NotAccepted::Refused(_)) => return,
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

    /// The line that a request has to stand in, if there is one.
    fn line_of(&mut self, head: &Head) -> Option<&mut VecDeque<Delivery>> {
        let first = self.lines.iter().position(|line| is_behind(line, head))?;
        // A fanout stands behind the lines of all servers of its topic.
        let more = |lines: &[VecDeque<Delivery>]| {
            let others = lines.iter().skip(first + 1);
            others
                .map(|line| is_behind(line, head))
                .position(|behind| behind)
        };
        while let Some(other) = more(&self.lines) {
            let other = self.lines.remove(first + 1 + other);
            if let Some(line) = self.lines.get_mut(first) {
                line.extend(other);
            }
        }
        self.lines.get_mut(first)
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.lines.iter().map(VecDeque::len).sum()
    }

    /// Sends on what has room now, and has `cx` woken when there may be room for the rest. Says
    /// whether anything went.
    pub(super) fn poll(&mut self, way: &impl Way, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        self.lines.retain_mut(|line| {
            let mut registered = false;
            while let Some(delivery) = line.pop_front() {
                match way.deliver(delivery) {
                    Ok(_) | Err(NotAccepted::Refused(_)) => moved = true,
                    Err(NotAccepted::Full(delivery, _)) => {
                        // Registered first, tried again after: room that came in between is not
                        // missed.
                        if !registered {
                            way.wait_for_room(delivery.in_flight().head(), cx);
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
        moved | self.poll_alarm(cx)
    }

    /// Whether it is time to look again.
    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> bool {
        let first = |line: &VecDeque<Delivery>| line.front().is_some_and(is_fanout);
        if !self.lines.iter().any(first) {
            self.alarm = None;
            return false;
        }
        let alarm = self.alarm.get_or_insert_with(|| timer::sleep(PATIENCE));
        let rung = alarm.as_mut().poll(cx).is_ready();
        if rung {
            // Set again at once: whoever looks may do so once, and still find it too early.
            *alarm = timer::sleep(PATIENCE);
            let _ = alarm.as_mut().poll(cx);
        }
        rung
    }
}

fn is_fanout(delivery: &Delivery) -> bool {
    delivery.in_flight().head().reach == Reach::Every
}

/// Whether a request would overtake one of `line`: of those to one server, or of a fanout to all.
fn is_behind(line: &VecDeque<Delivery>, head: &Head) -> bool {
    let to_all = |head: &Head| head.reach == Reach::Every && head.server.is_none();
    let mut heads = line.iter().map(|delivery| delivery.in_flight().head());
    let Some(first) = heads.next() else {
        return false;
    };
    (&first.topic, &first.exchange) == (&head.topic, &head.exchange)
        && (first.server == head.server || to_all(head) || to_all(first) || heads.any(to_all))
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
        fn deliver(&self, delivery: Delivery) -> Result<Sent, NotAccepted> {
            if delivery.in_flight().head().topic.as_str() == "narrow" && self.room.get() == 0 {
                let full = CallError::new(CallErrorKind::Closed, Fate::NotSent, Stage::Accepted);
                return Err(NotAccepted::Full(delivery, full));
            }
            self.room.set(self.room.get().saturating_sub(1));
            self.passed
                .borrow_mut()
                .push(delivery.in_flight().head().flow);
            Ok(Sent::OnItsWay)
        }

        fn wait_for_room(&self, _head: &Head, _cx: &mut Context<'_>) {
            self.waited.set(self.waited.get() + 1);
        }
    }

    fn request(verb: Verb, topic: &str, n: u64) -> Delivery {
        let (topic, method) = (Topic::new(topic).unwrap(), Method::new("m").unwrap());
        let head = Head {
            flow: n,
            ..Head::new(verb, Exchange::DEFAULT, topic, method, Instant::now())
        };
        Delivery::new(InFlight::new(head, None, None), Payload::Bytes(Vec::new()))
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
