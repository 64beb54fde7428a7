//! Counts allocations. Off while times are taken, where it costs one load per allocation.
#![allow(
    unsafe_code,
    reason = "`GlobalAlloc` is an unsafe trait; everything is handed on to the system's allocator"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

static COUNTING: AtomicBool = AtomicBool::new(false);
static COUNT: AtomicU64 = AtomicU64::new(0);
static LIVE: AtomicI64 = AtomicI64::new(0);
static PEAK: AtomicI64 = AtomicI64::new(0);

/// What a process has allocated since counting started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allocations {
    /// How often.
    pub count: u64,
    /// Bytes more than at the start; fewer, if it is negative.
    pub live: i64,
    /// The most bytes more than at the start that there were at any time.
    pub peak: i64,
}

/// Counts from zero from here on, on all threads.
pub fn start_counting() {
    COUNT.store(0, Ordering::SeqCst);
    LIVE.store(0, Ordering::SeqCst);
    PEAK.store(0, Ordering::SeqCst);
    COUNTING.store(true, Ordering::SeqCst);
}

/// Since counting started.
pub fn stop_counting() -> Allocations {
    COUNTING.store(false, Ordering::SeqCst);
    Allocations {
        count: COUNT.load(Ordering::SeqCst),
        live: LIVE.load(Ordering::SeqCst),
        peak: PEAK.load(Ordering::SeqCst),
    }
}

/// What [`FromStr`] reads: for another process.
impl fmt::Display for Allocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.count, self.live, self.peak)
    }
}

impl FromStr for Allocations {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.split(' ');
        let mut word = || words.next().ok_or(());
        Ok(Allocations {
            count: word()?.parse().map_err(drop)?,
            live: word()?.parse().map_err(drop)?,
            peak: word()?.parse().map_err(drop)?,
        })
    }
}

fn taken(bytes: usize) {
    if COUNTING.load(Ordering::Relaxed) {
        COUNT.fetch_add(1, Ordering::Relaxed);
        change(bytes as i64);
    }
}

fn given_back(bytes: usize) {
    if COUNTING.load(Ordering::Relaxed) {
        change(-(bytes as i64));
    }
}

fn change(bytes: i64) {
    let live = LIVE.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(live, Ordering::Relaxed);
}

/// The system's allocator, counted.
pub(crate) struct Counting;

// SAFETY: each method hands its arguments to the same method of `System` and returns what that
// returns; counting neither allocates nor panics.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        given_back(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        given_back(layout.size());
        taken(size);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(block, layout, size) }
    }
}
