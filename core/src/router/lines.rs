//! Letting lines through: requests that waited, on their way to a server.
//!
//! When a server comes, its lines are let through to it in their order, by the thread that brought it. Until a line is
//! empty, what comes later for it stands behind it, so that nothing is overtaken (C-VB-4). Where the server's queue is
//! full, the rest goes on when there is room.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use super::waiting::{Alarm, Back, Key, Waiting, WaitingLimits};
use super::{Router, WeakRouter};
use crate::bus::{Delivery, InFlight, PATIENCE, Reach, Verb};
use crate::error::{CallError, CallErrorKind, Fate, Stage};
use crate::name::{Exchange, ServerName, Topic};
use crate::server::{Mode, NotAccepted, Sent};
use crate::timer::{Expire, Expiry, sleepers};

/// What a caller that finds the lines full is told to wait before it tries again.
const RETRY: Duration = Duration::from_millis(50);

/// A request that may wait, and what happens when it has waited long enough.
pub(super) struct Lapse {
    pub(super) key: Key,
    pub(super) waiting: Weak<Waiting>,
    until: Option<Instant>,
    ticket: u64,
    router: WeakRouter,
}

impl Lapse {
    /// Has it happen, to the request with this ticket, when its time is over.
    pub(super) fn arm(self, ticket: u64) -> Option<Alarm> {
        let until = self.until?;
        let lapse = Arc::new(Lapse { ticket, ..self });
        let timers = sleepers();
        let target: Weak<dyn Expire> = Arc::downgrade(&lapse) as _;
        let key = timers.arm(until, target).ok()?;
        Some(Alarm {
            timers,
            key,
            _lapse: lapse,
        })
    }
}

impl Expire for Lapse {
    fn expire(&self, _why: Expiry) {
        let Some(router) = self.router.upgrade() else {
            return;
        };
        if let Some(delivery) = router.waiting.take(&self.key, self.ticket) {
            router.give_up(delivery);
        }
    }
}

/// Goes on with a line when its server has room.
struct GoOn {
    key: Key,
    router: WeakRouter,
    gone_on: AtomicBool,
}

impl Wake for GoOn {
    fn wake(self: Arc<Self>) {
        self.go_on();
    }
}

impl GoOn {
    fn go_on(&self) {
        if self.gone_on.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(router) = self.router.upgrade() {
            router.let_through(&self.key);
        }
    }

    /// Goes on by itself as well: a server that is too slow for a fanout is not waited for, and wakes nobody.
    fn before_long(self: &Arc<Self>) {
        let target: Weak<dyn Expire> = Arc::downgrade(self) as _;
        // Where there are no timers any more, there is nobody to go on either.
        let _ = sleepers().arm(Instant::now() + PATIENCE, target);
    }
}

impl Expire for GoOn {
    fn expire(&self, _why: Expiry) {
        self.go_on();
    }
}

impl Router {
    /// A request for which there is no server: it waits for one, or fails.
    pub(super) fn without_server(
        &self,
        delivery: Delivery,
        kind: CallErrorKind,
    ) -> Result<Sent, NotAccepted> {
        let head = delivery.in_flight().head();
        let Some(until) = self.waiting.waits_until(head, Instant::now()) else {
            return Err(NotAccepted::Refused(no_server(delivery, kind)));
        };
        let in_flight = delivery.in_flight().clone();
        let lapse = self.lapse(&in_flight, until);
        match self.waiting.stand(delivery, lapse, false) {
            Ok(_) => {}
            Err(Back::Full(delivery) | Back::Free(delivery)) => return Err(self.full(delivery)),
        }
        // A server that came in between has not seen it.
        if self.choose(in_flight.head()).is_ok() {
            self.let_through(&Key::of(in_flight.head()));
        }
        Ok(Sent::OnItsWay)
    }

    /// A request for which there is a server, but others may stand in line for it.
    pub(super) fn behind_others(&self, delivery: Delivery) -> Result<Sent, NotAccepted> {
        let in_flight = delivery.in_flight().clone();
        let head = in_flight.head();
        let lapse = self.lapse(&in_flight, head.deadline);
        let delivery = match self.waiting.stand(delivery, lapse, true) {
            Ok(ticket) => {
                let key = Key::of(head);
                // A server that has gone in between did not see it, and nobody would come for it.
                if self.choose(head).is_err() {
                    return match self.waiting.take(&key, ticket) {
                        Some(delivery) => self.route(delivery, Mode::Queue),
                        None => Ok(Sent::OnItsWay),
                    };
                }
                if self.waiting.stands_still(&key) {
                    self.let_through(&key);
                }
                return Ok(Sent::OnItsWay);
            }
            Err(Back::Full(delivery)) => return Err(self.full(delivery)),
            Err(Back::Free(delivery)) => delivery,
        };
        match self.choose(head) {
            Ok(server) => self.pass(&server, delivery, Mode::Queue),
            Err(kind) => self.without_server(delivery, kind),
        }
    }

    /// A server of this name has come to the topic.
    pub(super) fn let_in(&self, exchange: &Exchange, topic: &Topic, name: &ServerName) {
        for key in self.waiting.lines_for(exchange, topic, name) {
            self.let_through(&key);
        }
    }

    /// Takes out what stood in line for a server that has gone, and goes to no other.
    pub(super) fn left_in_line(
        &self,
        exchange: &Exchange,
        topic: &Topic,
        name: &ServerName,
    ) -> Vec<Delivery> {
        let has_others = self.servers_on(exchange, topic).is_some();
        let keys = self.waiting.lines_for(exchange, topic, name).into_iter();
        let left = keys.filter(|key| key.server.is_some() || !has_others);
        left.flat_map(|key| self.waiting.take_impatient(&key))
            .collect()
    }

    /// Lets the line of `key` through as far as there is room.
    fn let_through(&self, key: &Key) {
        if !self.waiting.begin(key) {
            return;
        }
        let mut asked = false;
        loop {
            let Some((ticket, delivery)) = self.waiting.next(key) else {
                return;
            };
            let in_flight = delivery.in_flight().clone();
            let head = in_flight.head();
            let (delivery, no_room) = match self.choose(head) {
                Ok(server) => match self.pass(&server, delivery, Mode::Queue) {
                    Ok(_) | Err(NotAccepted::Refused(_)) => {
                        asked = false;
                        continue;
                    }
                    Err(NotAccepted::Full(delivery, _) | NotAccepted::Later(delivery, _)) => {
                        // Asked first, tried again after: room that came in between is not missed.
                        if !asked {
                            let go_on = Arc::new(GoOn {
                                key: key.clone(),
                                router: self.downgrade(),
                                gone_on: AtomicBool::new(false),
                            });
                            if head.reach == Reach::Every {
                                go_on.before_long();
                            }
                            let go_on = Waker::from(go_on);
                            self.wait_at(&server, &delivery, &mut Context::from_waker(&go_on));
                        }
                        (delivery, true)
                    }
                },
                // The server has gone again.
                Err(kind) => {
                    for delivery in self.waiting.take_impatient(key) {
                        no_server(delivery, kind.clone());
                    }
                    if self.waiting.waits_until(head, Instant::now()).is_none() {
                        no_server(delivery, kind);
                        continue;
                    }
                    (delivery, false)
                }
            };
            let until = self.waiting.waits_until(head, Instant::now());
            let lapse = self.lapse(&in_flight, until.unwrap_or(head.deadline));
            self.waiting.put_back(delivery, ticket, lapse);
            let again = no_room && !asked;
            asked = no_room;
            if !again && self.waiting.pause(key, no_room) {
                return;
            }
        }
    }

    /// A request has waited long enough: a server that is there after all may still have it.
    fn give_up(&self, delivery: Delivery) {
        let head = delivery.in_flight().head();
        match self.choose(head) {
            Err(kind) => {
                no_server(delivery, kind);
            }
            Ok(_) => {
                // It waited for room, and for too long.
                let late = head.too_late();
                delivery.refuse(late, Fate::NotExecuted, Stage::Routing);
            }
        }
    }

    fn lapse(&self, in_flight: &InFlight, until: Option<Instant>) -> Lapse {
        Lapse {
            key: Key::of(in_flight.head()),
            until,
            ticket: 0,
            waiting: Arc::downgrade(&self.waiting),
            router: self.downgrade(),
        }
    }

    fn full(&self, delivery: Delivery) -> NotAccepted {
        let kind = match delivery.in_flight().head().verb {
            Verb::Call => CallErrorKind::Busy { retry_after: RETRY },
            Verb::Cast => {
                let WaitingLimits {
                    requests,
                    bytes,
                    of_a_flow,
                } = self.waiting.limits;
                CallErrorKind::QueueFull {
                    queue: "the line of requests that wait for a server",
                    limit: format!(
                        "{of_a_flow} messages of one handle or connection, {requests} messages or \
                         {bytes} bytes in all"
                    ),
                }
            }
        };
        let error = CallError::new(kind, Fate::NotExecuted, Stage::Routing);
        let error = delivery.in_flight().told(error);
        NotAccepted::Full(delivery, error)
    }
}

fn no_server(delivery: Delivery, kind: CallErrorKind) -> CallError {
    delivery.refuse(kind, Fate::NotExecuted, Stage::Routing)
}
