//! An outcome that lies in the record of its request, under the lock of that: where there is a record that all who
//! have to do with the request share, a cell beside it would be one allocation and one hand-over more.

use super::PromiseError;
use std::mem;
use std::task::{Poll, Waker};

/// What became of something, and who waits to learn it.
#[derive(Debug)]
pub enum Outcome<T> {
    /// Not decided; the waker is that of who waits.
    Open(Option<Waker>),
    /// Decided, and not fetched yet.
    Decided(T),
    /// Handed out.
    Taken,
}

impl<T> Outcome<T> {
    /// Whether it was decided, once and for all.
    pub fn is_decided(&self) -> bool {
        !matches!(self, Outcome::Open(_))
    }

    /// Decides it. Who waits is given back, to be woken outside the lock.
    ///
    /// # Errors
    /// With `value`, when it was decided before.
    pub fn decide(&mut self, value: T) -> Result<Option<Waker>, T> {
        match self {
            Outcome::Open(waker) => {
                let waker = waker.take();
                *self = Outcome::Decided(value);
                Ok(waker)
            }
            Outcome::Decided(_) | Outcome::Taken => Err(value),
        }
    }

    /// The outcome, once it is decided.
    pub fn try_take(&mut self) -> Option<Result<T, PromiseError>> {
        if let Outcome::Open(_) = self {
            return None;
        }
        Some(match mem::replace(self, Outcome::Taken) {
            Outcome::Decided(value) => Ok(value),
            Outcome::Open(_) | Outcome::Taken => Err(PromiseError::Taken),
        })
    }

    /// One look at it, by who is woken by `waker`. With [`Look::Again`] the waker is to be cloned outside the lock and
    /// put into `clone`; what is left there in the end is to be dropped outside the lock as well.
    pub fn look(&mut self, waker: &Waker, clone: &mut Option<Waker>) -> Look<T> {
        match self {
            Outcome::Open(Some(known)) if known.will_wake(waker) => Look::Waits,
            Outcome::Open(known) => match clone.take() {
                Some(own) => {
                    *clone = known.replace(own);
                    Look::Waits
                }
                None => Look::Again,
            },
            Outcome::Decided(_) | Outcome::Taken => {
                Look::Over(self.try_take().unwrap_or(Err(PromiseError::Taken)))
            }
        }
    }

    /// Takes the waker of who waits back.
    pub fn withdraw(&mut self) -> Option<Waker> {
        match self {
            Outcome::Open(waker) => waker.take(),
            Outcome::Decided(_) | Outcome::Taken => None,
        }
    }
}

impl<T> Default for Outcome<T> {
    fn default() -> Self {
        Outcome::Open(None)
    }
}

/// What a look at an outcome gave.
pub enum Look<T> {
    /// It is decided.
    Over(Result<T, PromiseError>),
    /// The waker was left.
    Waits,
    /// It needs a clone of the waker.
    Again,
}

/// Polls an outcome, for which `look` looks at it under its lock.
pub fn poll<T>(
    waker: &Waker,
    mut look: impl FnMut(&Waker, &mut Option<Waker>) -> Look<T>,
) -> Poll<Result<T, PromiseError>> {
    let mut clone = None;
    loop {
        match look(waker, &mut clone) {
            Look::Over(outcome) => return Poll::Ready(outcome),
            Look::Waits => return Poll::Pending,
            Look::Again => clone = Some(waker.clone()),
        }
    }
}
