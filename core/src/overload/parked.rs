//! Requests that found no room where they are going, and wait for it in front of that.
//!
//! They wait by destination, in order: requests to other destinations pass by (C-OV-2), those to the same one do not
//! overtake (C-VB-4). Who may wait is the business of the queue that had no room: a cast always, because it has no
//! answer that could say otherwise; a call where the server's policy is `Block`. What waits is bounded by whoever
//! keeps it: by a connection's credit, or by the limits of a waiting room. A fanout cast waits like the others, but a
//! server that has been full for long is not waited for: that is looked at again by time, as such a server wakes nobody.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Context;
use std::time::Instant;

use crate::bus::{Delivery, Head, InFlight, PATIENCE, Reach, Verb};
use crate::error::{CallErrorKind, Fate, Stage};
use crate::overload::retry_after;
use crate::reply::Reply;
use crate::runtime::BoxFuture;
use crate::server::{Mode, NotAccepted, Sent, ServerCore};
use crate::timer;

/// Where requests go.
pub(crate) trait Way {
    /// Takes a request.
    fn deliver(&self, delivery: Delivery, mode: Mode) -> Result<Sent, NotAccepted>;

    /// Wakes the waker of `cx` when there may be room for `delivery`.
    fn wait_for_room(&self, delivery: &Delivery, cx: &mut Context<'_>);

    /// A request waits from now on.
    fn is_awaited(&self, _in_flight: &Arc<InFlight>) {}

    /// A request waits no more, and goes nowhere.
    fn gave_up(&self, _delivery: &Delivery) {}
}

/// Requests that wait for room.
#[derive(Default)]
pub(crate) struct Parked {
    lines: Vec<Line>,
    /// When to look again at a fanout that waits.
    alarm: Option<BoxFuture<()>>,
    /// None of them is too late before that.
    deadline: Option<Instant>,
    late: Option<(Instant, BoxFuture<()>)>,
    /// Nobody waits any more for some of them.
    given_up: bool,
}

struct Line {
    waiting: VecDeque<Delivery>,
    /// Its first request was turned away as one that may wait, whatever it is: calls behind it may wait too.
    takes_calls: bool,
}

impl Parked {
    /// Sends a request on its way, or has it wait. Gives the answer where it was made right here, which its record is
    /// then not told.
    pub(crate) fn deliver(
        &mut self,
        delivery: Delivery,
        way: &impl Way,
        mode: Mode,
    ) -> Option<Reply> {
        let deadline = delivery.in_flight().head().deadline;
        if let Some(line) = self.line_of(delivery.in_flight().head()) {
            if let Some(delivery) = line.admit(delivery) {
                way.is_awaited(delivery.in_flight());
                line.waiting.push_back(delivery);
                self.has_deadline(deadline);
            }
            return None;
        }
        let (delivery, takes_calls) = match way.deliver(delivery, mode) {
            Ok(Sent::Answered(reply)) => return Some(reply),
            Ok(Sent::OnItsWay) | Err(NotAccepted::Refused(_)) => return None,
            Err(NotAccepted::Later(delivery, _)) => (delivery, true),
            Err(NotAccepted::Full(delivery, error)) => match delivery.in_flight().head().verb {
                Verb::Cast => (delivery, false),
                Verb::Call => {
                    // Told as the server's refusal: from where the caller stands, it is one.
                    let busy = match error.kind() {
                        busy @ CallErrorKind::Busy { .. } => busy.clone(),
                        _ => busy(None),
                    };
                    delivery.refuse(busy, Fate::NotExecuted, Stage::Accepted);
                    return None;
                }
            },
        };
        way.is_awaited(delivery.in_flight());
        self.lines.push(Line {
            waiting: VecDeque::from([delivery]),
            takes_calls,
        });
        self.has_deadline(deadline);
        None
    }

    fn has_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = self.deadline.into_iter().chain(deadline).min();
    }

    /// Nobody waits any more for some of what is here: it is looked for when this is polled.
    pub(crate) fn given_up(&mut self) {
        self.given_up |= !self.lines.is_empty();
    }

    /// The line that a request has to stand in, if there is one.
    fn line_of(&mut self, head: &Head) -> Option<&mut Line> {
        let first = self.lines.iter().position(|line| line.is_before(head))?;
        // A fanout stands behind the lines of all servers of its topic.
        let more = |lines: &[Line]| {
            let mut others = lines.iter().skip(first + 1);
            others.position(|line| line.is_before(head))
        };
        while let Some(other) = more(&self.lines) {
            let other = self.lines.remove(first + 1 + other);
            if let Some(line) = self.lines.get_mut(first) {
                line.takes_calls |= other.takes_calls;
                line.waiting.extend(other.waiting);
            }
        }
        self.lines.get_mut(first)
    }

    /// Whether any waits for `server`.
    #[cfg(unix)]
    pub(crate) fn has_for(&self, server: &ServerCore) -> bool {
        let is_for = |head: &Head| {
            (head.server.as_ref(), &head.topic, &head.exchange)
                == (Some(server.name()), server.topic(), server.exchange())
        };
        let mut all = self.lines.iter().flat_map(|line| &line.waiting);
        all.any(|delivery| is_for(delivery.in_flight().head()))
    }

    /// Takes out what `is_meant`, in order.
    #[cfg(unix)]
    pub(crate) fn take(&mut self, is_meant: impl Fn(&Head) -> bool) -> Vec<Delivery> {
        let mut taken = Vec::new();
        for line in &mut self.lines {
            for delivery in std::mem::take(&mut line.waiting) {
                if is_meant(delivery.in_flight().head()) {
                    taken.push(delivery);
                } else {
                    line.waiting.push_back(delivery);
                }
            }
        }
        self.lines.retain(|line| !line.waiting.is_empty());
        taken
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.lines.iter().map(|line| line.waiting.len()).sum()
    }

    /// Sends on what has room now, and has `cx` woken when there may be room for the rest. Says whether anything went.
    pub(crate) fn poll(&mut self, way: &impl Way, cx: &mut Context<'_>) -> bool {
        if self.is_empty() {
            return false;
        }
        let mut moved = false;
        while self.is_late(cx) || std::mem::take(&mut self.given_up) {
            moved |= self.purge(way, Instant::now());
        }
        self.lines.retain_mut(|line| {
            let before = line.waiting.len();
            line.send(way, cx);
            moved |= line.waiting.len() < before;
            !line.waiting.is_empty()
        });
        if self.lines.is_empty() {
            (self.deadline, self.late) = (None, None);
        }
        moved | self.poll_alarm(cx)
    }

    /// Whether the deadline of one has come; else it wakes `cx`.
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(at) = self.deadline else {
            return false;
        };
        if self.late.as_ref().is_none_or(|(end, _)| at < *end) {
            let left = at.saturating_duration_since(Instant::now());
            self.late = Some((at, timer::sleep(left)));
        }
        let over = |sleep: &mut (Instant, BoxFuture<()>)| sleep.1.as_mut().poll(cx).is_ready();
        let is_over = self.late.as_mut().is_some_and(over);
        if is_over {
            self.late = None;
        }
        is_over
    }

    /// Whether it is time to look again.
    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> bool {
        let first = |line: &Line| line.waiting.front().is_some_and(is_fanout);
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

    /// Takes out what nobody waits for any more, or is too late; says whether there was any.
    fn purge(&mut self, way: &impl Way, now: Instant) -> bool {
        let (mut found, mut deadline) = (false, None::<Instant>);
        for line in &mut self.lines {
            for delivery in std::mem::take(&mut line.waiting) {
                let in_flight = delivery.in_flight();
                let head = in_flight.head();
                let is_late = head.is_late(now);
                if !is_late && !in_flight.is_cancelled() {
                    deadline = deadline.into_iter().chain(head.deadline).min();
                    line.waiting.push_back(delivery);
                    continue;
                }
                found = true;
                way.gave_up(&delivery);
                if is_late {
                    let late = in_flight.failure_here(head.too_late());
                    in_flight.finish(Reply::Failed(late));
                }
            }
        }
        self.deadline = deadline;
        found
    }

    /// Their connection has gone: casts go where they were going, as far as that takes more than it has room for; for a
    /// call nobody waits.
    #[cfg(unix)]
    pub(crate) fn leave(&mut self, way: &impl Way) {
        for delivery in self.drain() {
            if delivery.in_flight().head().verb == Verb::Cast {
                drop(way.deliver(delivery, Mode::Over));
            }
        }
    }

    /// Takes everything out.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Delivery> {
        std::mem::take(&mut self.lines)
            .into_iter()
            .flat_map(|line| line.waiting)
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

impl Line {
    /// Whether a request would overtake one of these: of those of its flow to one server, or of a fanout to all.
    fn is_before(&self, head: &Head) -> bool {
        let mut heads = self
            .waiting
            .iter()
            .map(|delivery| delivery.in_flight().head());
        let Some(first) = heads.next() else {
            return false;
        };
        (first.flow, &first.topic, &first.exchange) == (head.flow, &head.topic, &head.exchange)
            && (first.server == head.server
                || head.is_for_all()
                || first.is_for_all()
                || heads.any(Head::is_for_all))
    }

    /// A request that may stand in this line.
    fn admit(&self, delivery: Delivery) -> Option<Delivery> {
        if delivery.in_flight().head().verb == Verb::Call && !self.takes_calls {
            let busy = busy(self.waiting.front());
            delivery.refuse(busy, Fate::NotExecuted, Stage::Accepted);
            return None;
        }
        Some(delivery)
    }

    fn send(&mut self, way: &impl Way, cx: &mut Context<'_>) {
        let mut registered = false;
        while let Some(delivery) = self.waiting.pop_front() {
            match way.deliver(delivery, Mode::Queue) {
                Ok(_) | Err(NotAccepted::Refused(_)) => registered = false,
                Err(NotAccepted::Full(delivery, _) | NotAccepted::Later(delivery, _)) => {
                    // Registered first, tried again after: room that came in between is not missed.
                    if !registered {
                        way.wait_for_room(&delivery, cx);
                    }
                    self.waiting.push_front(delivery);
                    if registered {
                        return;
                    }
                    registered = true;
                }
            }
        }
    }
}

fn is_fanout(delivery: &Delivery) -> bool {
    delivery.in_flight().head().reach == Reach::Every
}

fn busy(first: Option<&Delivery>) -> CallErrorKind {
    let oldest = first.map(|first| first.in_flight().head().made_at);
    CallErrorKind::Busy {
        retry_after: retry_after(oldest, Instant::now()),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::task::{Poll, Waker};
    use std::time::Duration;

    use super::*;
    use crate::WaitExt as _;
    use crate::error::CallError;
    use crate::name::{Exchange, Method, Topic};
    use crate::payload::Payload;

    /// Takes as much as there is room for on one topic, everything on the others.
    #[derive(Default)]
    struct Narrow {
        room: Cell<usize>,
        waits: Cell<bool>,
        passed: RefCell<Vec<u64>>,
        waited: Cell<u32>,
        gave_up: Cell<u32>,
    }

    impl Way for Narrow {
        fn deliver(&self, delivery: Delivery, _: Mode) -> Result<Sent, NotAccepted> {
            let narrow = delivery.in_flight().head().topic.as_str() == "narrow";
            if narrow && self.room.get() == 0 {
                let busy = busy(None);
                let error = CallError::new(busy, Fate::NotExecuted, Stage::Accepted);
                return Err(if self.waits.get() {
                    NotAccepted::Later(delivery, error)
                } else {
                    NotAccepted::Full(delivery, error)
                });
            }
            if narrow {
                self.room.set(self.room.get() - 1);
            }
            self.passed
                .borrow_mut()
                .push(u64::from(delivery.in_flight().head().depth));
            Ok(Sent::OnItsWay)
        }

        fn wait_for_room(&self, _delivery: &Delivery, _cx: &mut Context<'_>) {
            self.waited.set(self.waited.get() + 1);
        }

        fn gave_up(&self, _delivery: &Delivery) {
            self.gave_up.set(self.gave_up.get() + 1);
        }
    }

    fn request(verb: Verb, topic: &str, n: u8) -> Delivery {
        let (topic, method) = (Topic::new(topic).unwrap(), Method::new("m").unwrap());
        let head = Head {
            depth: n,
            ..Head::new(verb, Exchange::DEFAULT, topic, method, Instant::now())
        };
        Delivery::new(InFlight::new(head, None, None), Payload::Bytes(vec![0; 10]))
    }

    fn poll(parked: &mut Parked, way: &Narrow) -> bool {
        parked.poll(way, &mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn casts_wait_in_order_calls_are_refused_and_others_pass_by() {
        let (mut parked, way) = (Parked::default(), Narrow::default());
        let send = |parked: &mut Parked, verb, topic, n| {
            parked.deliver(request(verb, topic, n), &way, Mode::Queue)
        };
        send(&mut parked, Verb::Cast, "narrow", 1);
        send(&mut parked, Verb::Cast, "narrow", 2);
        send(&mut parked, Verb::Call, "narrow", 3);
        send(&mut parked, Verb::Cast, "wide", 4);
        assert_eq!(*way.passed.borrow(), [4]);
        assert!(!poll(&mut parked, &way));
        assert_eq!(way.waited.get(), 1);
        way.room.set(1);
        send(&mut parked, Verb::Cast, "narrow", 5);
        assert!(poll(&mut parked, &way));
        assert_eq!(*way.passed.borrow(), [4, 1]);
        way.room.set(9);
        assert!(poll(&mut parked, &way));
        assert_eq!(*way.passed.borrow(), [4, 1, 2, 5]);
        assert!(parked.is_empty());
        send(&mut parked, Verb::Call, "narrow", 6);
        assert_eq!(*way.passed.borrow(), [4, 1, 2, 5, 6]);
    }

    #[test]
    fn calls_wait_where_the_server_lets_them() {
        let (mut parked, way) = (Parked::default(), Narrow::default());
        way.waits.set(true);
        parked.deliver(request(Verb::Call, "narrow", 1), &way, Mode::Queue);
        parked.deliver(request(Verb::Call, "narrow", 2), &way, Mode::Queue);
        assert!(way.passed.borrow().is_empty());
        way.room.set(2);
        assert!(poll(&mut parked, &way));
        assert_eq!(*way.passed.borrow(), [1, 2]);
    }

    #[test]
    fn what_nobody_waits_for_any_more_is_dropped() {
        let (mut parked, way) = (Parked::default(), Narrow::default());
        way.waits.set(true);
        let given_up = request(Verb::Call, "narrow", 1);
        let record = given_up.in_flight().clone();
        parked.deliver(given_up, &way, Mode::Queue);
        parked.deliver(request(Verb::Call, "narrow", 2), &way, Mode::Queue);
        parked.given_up();
        assert!(!poll(&mut parked, &way));
        assert_eq!(parked.len(), 2);
        record.abandon(CallErrorKind::Cancelled);
        parked.given_up();
        assert!(poll(&mut parked, &way));
        assert_eq!((parked.len(), way.gave_up.get()), (1, 1));
        way.room.set(9);
        poll(&mut parked, &way);
        assert_eq!(*way.passed.borrow(), [2]);
    }

    #[test]
    fn what_is_too_late_is_dropped_when_it_is() {
        let (mut parked, way) = (Parked::default(), Narrow::default());
        for (n, millis) in [(1, 60_000), (2, 10), (3, 5)] {
            let mut cast = request(Verb::Cast, "narrow", n);
            let (in_flight, payload) = cast.into_parts();
            let head = Head {
                deadline: Some(Instant::now() + Duration::from_millis(millis)),
                ..in_flight.head().clone()
            };
            cast = Delivery::new(InFlight::new(head, None, None), payload);
            parked.deliver(cast, &way, Mode::Queue);
        }
        // Nobody but the alarm polls it again.
        std::future::poll_fn(|cx| {
            parked.poll(&way, cx);
            match parked.len() {
                1 => Poll::Ready(()),
                _ => Poll::Pending,
            }
        })
        .wait();
        assert_eq!(way.gave_up.get(), 2);
    }
}
