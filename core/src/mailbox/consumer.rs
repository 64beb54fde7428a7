use super::{Mailbox, Ticket, wake};
use crate::promise::WaitExt;
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// One of a mailbox's consumers. Dropped after it was woken, it hands the wake-up on.
pub struct Consumer<T> {
    mailbox: Mailbox<T>,
    /// Where its waker was registered; the waker is gone from there once it was woken.
    registered: Option<Ticket>,
}

impl<T> Consumer<T> {
    pub(super) fn of(mailbox: Mailbox<T>) -> Self {
        Consumer {
            mailbox,
            registered: None,
        }
    }

    /// The first item; None when the mailbox is closed and empty. Else the waker of `cx` is woken
    /// by a push or the close. The last waker wins.
    pub fn poll_pop(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        if let Some(next) = self.take_next() {
            return Poll::Ready(next);
        }
        // Cloned outside the lock, so the queue is looked at again.
        let waker = cx.waker().clone();
        let mut inner = self.mailbox.shared.lock();
        if let Some(next) = inner.next() {
            let own = self
                .registered
                .take()
                .and_then(|ticket| inner.asleep.remove(ticket));
            drop(inner);
            drop((own, waker));
            return Poll::Ready(next);
        }
        let kept = self
            .registered
            .and_then(|ticket| inner.asleep.get_mut(ticket));
        let replaced = match kept {
            Some(kept) => Some(mem::replace(kept, waker)),
            None => {
                self.registered = Some(inner.asleep.push(waker));
                None
            }
        };
        drop(inner);
        drop(replaced);
        Poll::Pending
    }

    /// [`poll_pop`](Consumer::poll_pop) as a future; dropping it loses nothing.
    pub fn pop(&mut self) -> Pop<'_, T> {
        Pop { consumer: self }
    }

    pub(super) fn wait(&mut self, timeout: Option<Duration>) -> Option<T> {
        match timeout {
            None => self.pop().wait(),
            Some(timeout) => self.pop().wait_timeout(timeout).ok().flatten(),
        }
    }

    fn take_next(&mut self) -> Option<Option<T>> {
        let mut inner = self.mailbox.shared.lock();
        let next = inner.next()?;
        let own = self
            .registered
            .take()
            .and_then(|ticket| inner.asleep.remove(ticket));
        drop(inner);
        drop(own);
        Some(next)
    }
}

impl<T> Drop for Consumer<T> {
    fn drop(&mut self) {
        let Some(ticket) = self.registered.take() else {
            return;
        };
        let mut inner = self.mailbox.shared.lock();
        let own = inner.asleep.remove(ticket);
        // Woken for an item that is still there: another is to come for it.
        let other = if own.is_none() && !inner.items.is_empty() {
            inner.asleep.pop()
        } else {
            None
        };
        drop(inner);
        drop(own);
        wake(other);
    }
}

/// The next item of a [`Consumer`].
#[must_use = "a future does nothing until it is awaited or waited on"]
pub struct Pop<'a, T> {
    consumer: &'a mut Consumer<T>,
}

impl<T> Future for Pop<'_, T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.consumer.poll_pop(cx)
    }
}

impl<T> fmt::Debug for Consumer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("mailbox", &self.mailbox)
            .finish_non_exhaustive()
    }
}
