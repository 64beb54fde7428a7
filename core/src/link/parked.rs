//! Casts from a connection that found their server full.
//!
//! Nobody could be told that such a cast is refused, so it keeps its place until there is room (C-VB-1). Its credit is
//! not given back meanwhile: the peer runs out of it, its own queue fills, and whoever casts there is told (C-OV-1). The
//! credit of the connection is also the bound on what is parked here.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::bus::{Delivery, Head, Verb};
use crate::error::{CallErrorKind, Fate, Stage};
use crate::name::{Exchange, ServerName, Topic};
use crate::runtime::Runtime;
use crate::server::{Mode, NotAccepted, ServerCore};

/// Where requests of a connection go on to.
pub(super) trait Onward: Clone + Send + Unpin + 'static {
    /// Takes a request.
    fn deliver(&self, delivery: Delivery) -> Result<(), NotAccepted>;

    /// Wakes the waker of `cx` when there may be room for requests like `head`.
    fn wait_for_room(&self, head: &Head, cx: &mut Context<'_>);
}

impl Onward for Arc<ServerCore> {
    fn deliver(&self, delivery: Delivery) -> Result<(), NotAccepted> {
        ServerCore::deliver(self, delivery, Mode::Queue)
    }

    fn wait_for_room(&self, _head: &Head, cx: &mut Context<'_>) {
        ServerCore::wait_for_room(self, cx);
    }
}

/// Whom a request is for: what is parked for one delays nothing that is for another.
type Addressee = (Exchange, Topic, Option<ServerName>);

/// What one connection has parked, in a line for each addressee.
#[derive(Default)]
pub(super) struct Parked {
    lines: HashMap<Addressee, Arc<Line>>,
}

impl Parked {
    /// Sends `delivery` onward. Where there is no room, a cast is parked, and a call is told that the server is busy: it
    /// is not kept waiting unseen (C-OV-1).
    pub(super) fn deliver<O: Onward>(
        &mut self,
        onward: &O,
        delivery: Delivery,
        runtime: &Arc<dyn Runtime>,
    ) {
        let delivery = match self.join(delivery) {
            Some(delivery) => delivery,
            None => return,
        };
        let Err(NotAccepted::Full(delivery, _)) = onward.deliver(delivery) else {
            return;
        };
        let head = delivery.in_flight().head();
        if head.verb == Verb::Call {
            return busy(delivery);
        }
        let line = Arc::new(Line::default());
        self.lines.insert(addressee(head), line.clone());
        line.lock().waiting.push_back(delivery);
        runtime.spawn(Box::pin(Advance {
            line,
            onward: onward.clone(),
        }));
    }

    /// Puts `delivery` behind what is parked for the same addressee, which it must not overtake (C-VB-4); gives it back
    /// when nothing is.
    fn join(&mut self, delivery: Delivery) -> Option<Delivery> {
        if self.lines.is_empty() {
            return Some(delivery);
        }
        let addressee = addressee(delivery.in_flight().head());
        let Some(line) = self.lines.get(&addressee) else {
            return Some(delivery);
        };
        let mut state = line.lock();
        if state.ended {
            drop(state);
            self.lines.remove(&addressee);
            return Some(delivery);
        }
        match delivery.in_flight().head().verb {
            Verb::Cast => state.waiting.push_back(delivery),
            Verb::Call => {
                drop(state);
                busy(delivery);
            }
        }
        None
    }
}

fn addressee(head: &Head) -> Addressee {
    (
        head.exchange.clone(),
        head.topic.clone(),
        head.server.clone(),
    )
}

/// How long a caller in another process is told to wait for room.
const RETRY: Duration = Duration::from_millis(50);

fn busy(delivery: Delivery) {
    let kind = CallErrorKind::Busy { retry_after: RETRY };
    delivery.refuse(kind, Fate::NotExecuted, Stage::Accepted);
}

#[derive(Default)]
struct Line(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    waiting: VecDeque<Delivery>,
    /// It was empty, and its task is gone.
    ended: bool,
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first in line; the line has ended when there is none.
    fn first(&self) -> Option<Delivery> {
        let mut state = self.lock();
        let first = state.waiting.pop_front();
        state.ended = first.is_none();
        first
    }
}

/// The task that sends a line onward, as there is room.
struct Advance<O> {
    line: Arc<Line>,
    onward: O,
}

impl<O: Onward> Future for Advance<O> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &*self;
        let mut registered = false;
        while let Some(delivery) = this.line.first() {
            let Err(NotAccepted::Full(delivery, _)) = this.onward.deliver(delivery) else {
                registered = false;
                continue;
            };
            let in_flight = delivery.in_flight().clone();
            this.line.lock().waiting.push_front(delivery);
            if registered {
                return Poll::Pending;
            }
            // Registered first, tried again after: room that came in between is not missed.
            this.onward.wait_for_room(in_flight.head(), cx);
            registered = true;
        }
        Poll::Ready(())
    }
}

impl<O> Drop for Advance<O> {
    /// The runtime has gone: what is in line fails, and nothing joins it any more.
    fn drop(&mut self) {
        let mut state = self.line.lock();
        state.ended = true;
        let left = std::mem::take(&mut state.waiting);
        drop(state);
        drop(left);
    }
}
