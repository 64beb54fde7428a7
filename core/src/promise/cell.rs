//! The cell between the two ends of a promise: one allocation, one word of state.
//!
//! | bit | meaning |
//! |---|---|
//! | `DONE` | decided, for good |
//! | `VALUE` | there is a value (`DONE` without it: broken) |
//! | `WAKER` | the waker is set, and the sender may take it when it decides |
//! | `TX`, `RX` | that end may still touch the cell |
//!
//! **Whoever clears the last of `TX` and `RX` frees the cell.** The transitions:
//!
//! * The sender decides: `TX|RX -> DONE|..|RX`, and never touches the cell again. With `WAKER`
//!   set it keeps `TX` while it moves the waker out, then clears it, then wakes.
//!   With `RX` clear nobody listens: it takes its value back and frees.
//! * The receiver sets and clears `WAKER` as long as nothing is decided. To leave it first
//!   withdraws its waker, then clears `RX`; once decided it takes the value, and frees if `TX` is
//!   clear.
//! * `WAKER` means nothing without `RX`; there it records that the receiver left the work running
//!   (`detach`) rather than gave it up.
//!
//! No waker and no value is run or dropped between two transitions. This is the only file of the
//! workspace with unsafe code; `tests/loom` holds its models and `tests/mutants` shows that they
//! would notice.

use super::PromiseError;
use crate::sync::{AtomicU32, LeakCheck, Ordering, UnsafeCell};
use std::mem::{self, MaybeUninit};
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

const DONE: u32 = 1;
const VALUE: u32 = 2;
const WAKER: u32 = 4;
const TX: u32 = 8;
const RX: u32 = 16;

/// The receiver is gone and wants the work to go on.
const DETACHED: u32 = TX | WAKER;

struct Cell<T> {
    state: AtomicU32,
    waker: UnsafeCell<MaybeUninit<Waker>>,
    value: UnsafeCell<MaybeUninit<T>>,
    _leak: LeakCheck,
}

/// A connected pair; dropping the sender breaks the promise.
#[inline]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let cell = NonNull::from(Box::leak(Box::new(Cell {
        state: AtomicU32::new(TX | RX),
        waker: UnsafeCell::new(MaybeUninit::uninit()),
        value: UnsafeCell::new(MaybeUninit::uninit()),
        _leak: LeakCheck::new(),
    })));
    (Sender { cell }, Receiver { cell: Some(cell) })
}

/// The completing end.
pub struct Sender<T> {
    cell: NonNull<Cell<T>>,
}

// SAFETY: the pair moves one T from thread to thread and shares no &T; what both ends touch is
// ordered by `state`.
unsafe impl<T: Send> Send for Sender<T> {}
// SAFETY: a &Sender only reads `state`.
unsafe impl<T: Send> Sync for Sender<T> {}

impl<T> Sender<T> {
    /// Decides with a value and wakes the receiver on this thread; gives the value back when
    /// nobody listens any more.
    #[inline]
    pub fn send(self, value: T) -> Result<(), T> {
        let cell = self.cell;
        mem::forget(self);
        // SAFETY: TX is ours, so the cell lives.
        let this = unsafe { cell.as_ref() };
        // SAFETY: until the state says DONE only the sender touches `value`.
        this.value.with_mut(|slot| unsafe { (*slot).write(value) });
        // SAFETY: `self` was forgotten, so TX is given up only there; the value is written.
        if unsafe { decide(cell, DONE | VALUE) } {
            return Ok(());
        }
        // SAFETY: RX is clear: the cell is ours alone, and the value still in it.
        let value = this
            .value
            .with(|slot| unsafe { (*slot).assume_init_read() });
        // SAFETY: as above, and nothing in the cell is left to drop.
        unsafe { free(cell) };
        Err(value)
    }

    /// Whether the receiver has gone without asking for the work to go on. Once true, always true.
    pub fn is_cancelled(&self) -> bool {
        // SAFETY: TX is ours, so the cell lives. (Relaxed: nothing is read on its word.)
        unsafe { self.cell.as_ref() }.state.load(Ordering::Relaxed) & (RX | WAKER) == 0
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        // SAFETY: TX is ours and is given up only here.
        if !unsafe { decide(self.cell, DONE) } {
            // SAFETY: RX is clear: the cell is ours alone, and no value was written.
            unsafe { free(self.cell) };
        }
    }
}

/// Publishes `outcome`, wakes the receiver and gives up `TX`; false when the receiver is gone, and
/// then the cell is the caller's to free.
///
/// # Safety
/// The caller owns `TX` and, unless this returns false, does not touch the cell afterwards; with
/// `VALUE` in `outcome` the value is written.
#[inline]
unsafe fn decide<T>(cell: NonNull<Cell<T>>, outcome: u32) -> bool {
    // SAFETY: TX is the caller's, so the cell lives at least until TX is cleared.
    let this = unsafe { cell.as_ref() };
    let fast =
        this.state
            .compare_exchange(TX | RX, outcome | RX, Ordering::Release, Ordering::Acquire);
    match fast {
        Ok(_) => true,
        // SAFETY: the caller's word.
        Err(seen) => unsafe { decide_slowly(cell, outcome, seen) },
    }
}

/// [`decide`] when somebody waits, or nobody listens.
///
/// # Safety
/// As for [`decide`].
#[cold]
unsafe fn decide_slowly<T>(cell: NonNull<Cell<T>>, outcome: u32, mut seen: u32) -> bool {
    // SAFETY: as in `decide`.
    let this = unsafe { cell.as_ref() };
    loop {
        if seen & RX == 0 {
            return false;
        }
        let next = if seen & WAKER == 0 {
            outcome | RX
        } else {
            outcome | RX | TX
        };
        match this
            .state
            .compare_exchange(seen, next, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) if seen & WAKER == 0 => return true,
            Ok(_) => break,
            Err(now) => seen = now,
        }
    }
    // SAFETY: WAKER was set when DONE was: the waker is initialised, and from then on the
    // receiver neither writes nor moves it (it may still compare it, hence `with`).
    let waker = this
        .waker
        .with(|slot| unsafe { (*slot).assume_init_read() });
    if this.state.fetch_and(!TX, Ordering::AcqRel) & RX == 0 {
        // SAFETY: both bits are clear, and the receiver took the value before it cleared RX.
        unsafe { free(cell) };
    }
    waker.wake();
    true
}

/// The waiting end. Every method after the outcome was handed out says [`PromiseError::Taken`].
pub struct Receiver<T> {
    /// None once the outcome was handed out, or the receiver has left.
    cell: Option<NonNull<Cell<T>>>,
}

// SAFETY: as for Sender.
unsafe impl<T: Send> Send for Receiver<T> {}
// SAFETY: a &Receiver only reads `state`.
unsafe impl<T: Send> Sync for Receiver<T> {}

impl<T> Receiver<T> {
    /// Whether [`Receiver::try_take`] would say something. Once true, always true.
    #[inline]
    pub fn is_ready(&self) -> bool {
        let Some(cell) = self.cell else { return true };
        // SAFETY: RX is ours, so the cell lives.
        unsafe { cell.as_ref() }.state.load(Ordering::Acquire) & DONE != 0
    }

    /// The outcome, if there is one.
    #[inline]
    pub fn try_take(&mut self) -> Option<Result<T, PromiseError>> {
        let Some(cell) = self.cell else {
            return Some(Err(PromiseError::Taken));
        };
        // SAFETY: RX is ours, so the cell lives.
        let seen = unsafe { cell.as_ref() }.state.load(Ordering::Acquire);
        if seen & DONE == 0 {
            return None;
        }
        self.cell = None;
        // SAFETY: RX was ours and is given up here, once; `seen` has DONE.
        Some(unsafe { take(cell, seen) })
    }

    /// The outcome, or the waker of `cx` is woken when there is one. The last waker wins.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, PromiseError>> {
        let Some(cell) = self.cell else {
            return Poll::Ready(Err(PromiseError::Taken));
        };
        // SAFETY: RX is ours, so the cell lives.
        let this = unsafe { cell.as_ref() };
        let seen = this.state.load(Ordering::Acquire);
        if seen & DONE != 0 {
            self.cell = None;
            // SAFETY: RX was ours and is given up here, once; `seen` has DONE.
            return Poll::Ready(unsafe { take(cell, seen) });
        }
        let mut _replaced = None;
        if seen & WAKER != 0 {
            // SAFETY: it is initialised; a sender may move it out meanwhile, which is a read as
            // this is, and comparing looks at two pointers only.
            let kept = this
                .waker
                .with(|slot| unsafe { (*slot).assume_init_ref().will_wake(cx.waker()) });
            if kept {
                return Poll::Pending;
            }
            _replaced = self.withdraw();
            if _replaced.is_none() {
                return self.try_take().map_or(Poll::Pending, Poll::Ready);
            }
        }
        let waker = cx.waker().clone();
        // SAFETY: WAKER is clear, and while it is the sender does not touch `waker`.
        this.waker.with_mut(|slot| unsafe {
            (*slot).write(waker);
        });
        match this.state.compare_exchange(
            TX | RX,
            TX | RX | WAKER,
            Ordering::Release,
            Ordering::Acquire,
        ) {
            Ok(_) => Poll::Pending,
            Err(decided) => {
                self.cell = None;
                // SAFETY: WAKER was never set, so what was just written is still ours.
                let _unused = this
                    .waker
                    .with(|slot| unsafe { (*slot).assume_init_read() });
                // SAFETY: RX was ours and is given up here, once; only DONE makes it fail.
                Poll::Ready(unsafe { take(cell, decided) })
            }
        }
    }

    /// Takes the registered waker back, unless there is none or the sender has decided.
    pub fn withdraw(&mut self) -> Option<Waker> {
        // SAFETY: RX is ours, so the cell lives.
        let this = unsafe { self.cell?.as_ref() };
        // Relaxed: it gives nothing away, and the waker was written by this end.
        this.state
            .compare_exchange(
                TX | RX | WAKER,
                TX | RX,
                Ordering::Relaxed,
                Ordering::Relaxed,
            )
            .ok()?;
        // SAFETY: WAKER was set and is no longer: initialised, and ours again.
        Some(
            this.waker
                .with(|slot| unsafe { (*slot).assume_init_read() }),
        )
    }

    /// Leaves for good, as dropping does: None when nothing was decided (the sender then sees
    /// itself cancelled), else the outcome.
    pub fn close(&mut self) -> Option<Result<T, PromiseError>> {
        self.leave(TX)
    }

    /// Leaves for good without cancelling: [`Sender::is_cancelled`] stays false.
    pub fn detach(mut self) {
        self.leave(DETACHED);
    }

    fn leave(&mut self, left: u32) -> Option<Result<T, PromiseError>> {
        let _waker = if self.is_ready() {
            None
        } else {
            self.withdraw()
        };
        let Some(cell) = self.cell.take() else {
            return Some(Err(PromiseError::Taken));
        };
        // SAFETY: RX is ours until the exchange succeeds, so the cell lives.
        let exchanged = unsafe { cell.as_ref() }.state.compare_exchange(
            TX | RX,
            left,
            Ordering::Release,
            Ordering::Acquire,
        );
        let Err(decided) = exchanged else { return None };
        // SAFETY: RX was ours and is given up here, once; with the waker withdrawn only DONE
        // makes the exchange fail.
        Some(unsafe { take(cell, decided) })
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        if self.cell.is_some() {
            self.leave(TX);
        }
    }
}

/// Takes the outcome and gives up `RX`.
///
/// # Safety
/// The caller owns `RX` and does not touch the cell afterwards; `seen` was read from its state
/// with Acquire and has `DONE`.
#[inline]
unsafe fn take<T>(cell: NonNull<Cell<T>>, seen: u32) -> Result<T, PromiseError> {
    // SAFETY: RX is the caller's, so the cell lives until RX is cleared below.
    let this = unsafe { cell.as_ref() };
    let outcome = if seen & VALUE != 0 {
        // SAFETY: DONE and VALUE: it was written, the sender has let go, and only the one owner
        // of RX takes it, once.
        Ok(this
            .value
            .with(|slot| unsafe { (*slot).assume_init_read() }))
    } else {
        Err(PromiseError::Broken)
    };
    if seen & TX == 0 || this.state.fetch_and(!RX, Ordering::AcqRel) & TX == 0 {
        // SAFETY: both bits are clear, and nothing in the cell is left to drop.
        unsafe { free(cell) };
    }
    outcome
}

/// # Safety
/// No other reference to the cell is used any more; waker and value were moved out.
#[inline]
unsafe fn free<T>(cell: NonNull<Cell<T>>) {
    // SAFETY: the caller's word.
    let owned = unsafe { Box::from_raw(cell.as_ptr()) };
    // loom takes no free for a write; these are, and compile to nothing.
    owned.waker.with_mut(|_| ());
    owned.value.with_mut(|_| ());
}

/// A value that is reached by its owner or through `&mut` alone, and so is `Sync` whatever it is.
pub struct Exclusive<T>(T);

// SAFETY: no method takes &self, so a &Exclusive gives access to nothing.
unsafe impl<T> Sync for Exclusive<T> {}

impl<T> Exclusive<T> {
    pub fn new(value: T) -> Self {
        Exclusive(value)
    }

    pub fn get_mut(&mut self) -> &mut T {
        &mut self.0
    }

    pub fn into_inner(self) -> T {
        self.0
    }
}
