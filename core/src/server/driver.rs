//! The one task of a server that starts its handlers, in the order of the queue.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::server::core::{Mode, ServerCore, Waiting};
use crate::server::life::{Duty, Epoch};
use crate::server::running;

/// How many handlers are started before other tasks get their turn.
const BATCH: usize = 64;

/// Starts the task on the server's runtime. It ends when the server's queue is closed and empty, and leaves to its
/// successor where the server was started again since `epoch`.
pub(crate) fn spawn(server: &Arc<ServerCore>, epoch: Epoch) {
    server.runtime.spawn(Box::pin(Driver {
        server: server.clone(),
        epoch,
    }));
}

struct Driver {
    server: Arc<ServerCore>,
    epoch: Epoch,
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let server = &self.server;
        for _ in 0..BATCH {
            if server.epoch() != self.epoch {
                server.doorbell.ring(); // It may have been rung for its successor.
                return Poll::Ready(());
            }
            // Ask for the slot first: a request that is taken out of the queue is one that starts now. And for none when
            // there is nothing to start: it would be seen in the server's load.
            if server.has_unstarted() && server.claim_slot() {
                if let Some(Waiting {
                    delivery, method, ..
                }) = server.queue.try_pop()
                {
                    server.is_starting(1);
                    running::start(server, delivery, &method, Mode::Queue);
                    server.left_queue();
                    continue;
                }
                server.release_slot();
            }
            if server.queue.is_closed() && server.queue.is_empty() {
                return Poll::Ready(());
            }
            if server.doorbell.poll_rung(cx).is_pending() && server.epoch() == self.epoch {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The runtime has gone: what is queued will not be started.
        self.server.refuse_queued(Some(self.epoch), Duty::Stopped);
    }
}
