//! The one task of a server that starts its handlers, in the order of the queue.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use crate::bus::Delivery;
use crate::server::core::ServerCore;
use crate::server::handler::MethodId;
use crate::server::life::{Duty, Epoch};
use crate::server::queue::Waiting;
use crate::server::running::{self, By};

/// How many handlers are started before other tasks get their turn.
const BATCH: usize = 64;

/// Starts the task on the server's runtime. It ends when the server's queue is closed and empty, and leaves to its
/// successor where the server was started again since `epoch`.
pub(crate) fn spawn(server: &Arc<ServerCore>, epoch: Epoch) {
    server.runtime.spawn(Box::pin(Driver {
        server: server.clone(),
        epoch,
        aside: None,
    }));
}

struct Driver {
    server: Arc<ServerCore>,
    epoch: Epoch,
    /// A large request that is being read aside: none is started before it.
    aside: Option<Arc<AtomicBool>>,
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let server = &this.server;
        for _ in 0..BATCH {
            if let Some(ended) = &this.aside {
                if !ended.load(Ordering::Acquire) {
                    if server.slots.doorbell.poll_rung(cx).is_pending() {
                        return Poll::Pending;
                    }
                    continue;
                }
                this.aside = None;
            }
            if server.life.epoch() != this.epoch {
                server.slots.doorbell.ring(); // It may have been rung for its successor.
                return Poll::Ready(());
            }
            // Ask for the slot first: a request that is taken out of the queue is one that starts now. And for none when
            // there is nothing to start: it would be seen in the server's load.
            if server.slots.claim() {
                if let Some(Waiting {
                    delivery, method, ..
                }) = server.queue.pop()
                {
                    server.slots.is_starting(1);
                    if delivery.weight() >= LARGE {
                        this.aside = Some(start_aside(server, delivery, method));
                    } else {
                        running::start(server, delivery, server.method(method), By::Queue);
                    }
                    server.queue.one_left();
                    continue;
                }
                server.slots.release();
            }
            if server.queue.is_over() {
                return Poll::Ready(());
            }
            if server.slots.doorbell.poll_rung(cx).is_pending() && server.life.epoch() == this.epoch
            {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Requests from this size on are read on a thread for blocking work: it takes milliseconds, and a runtime's thread has
/// others to serve (C-OV-2).
pub(super) const LARGE: usize = 256 * 1024;

/// Starts the handler of a large request on a thread for that. The flag says when that has been done.
fn start_aside(server: &Arc<ServerCore>, delivery: Delivery, method: MethodId) -> Arc<AtomicBool> {
    let ended = Arc::new(AtomicBool::new(false));
    let start = Aside {
        server: server.clone(),
        request: Some((delivery, method)),
        ended: ended.clone(),
    };
    server.runtime.spawn_blocking(Box::new(move || start.run()));
    ended
}

/// A start on another thread. Dropped before that, by a runtime that has ended, it gives the slot back.
struct Aside {
    server: Arc<ServerCore>,
    request: Option<(Delivery, MethodId)>,
    ended: Arc<AtomicBool>,
}

impl Aside {
    fn run(mut self) {
        if let Some((delivery, method)) = self.request.take() {
            let method = self.server.method(method);
            running::start(&self.server, delivery, method, By::Queue);
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if let Some(request) = self.request.take() {
            drop(request);
            self.server.slots.is_starting(0);
            self.server.slots.now_started();
            self.server.slots.release();
        }
        self.ended.store(true, Ordering::Release);
        self.server.slots.doorbell.ring();
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The runtime has gone: what is queued will not be started.
        self.server.refuse_queued(Some(self.epoch), Duty::Stopped);
    }
}
