//! Threads for blocking handlers, kept so that handlers that wait for handlers never take all of them.
//!
//! Runtimes have some 500 threads for blocking work. If handlers that wait for other blocking handlers had all of them,
//! the others would never start. So each depth of nesting has seats of its own, fewer the deeper it is: the deepest that
//! wait are waited for by nobody who has their seats, and so on up to the first. Who finds no free seat waits for one in
//! turn, within its server's limit of handlers.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use crate::bus::MAX_DEPTH;
use crate::runtime::Runtime;

/// Seats of the first depths; each further one has [`DEEP`]. All together below 500, which is what the runtime with the
/// fewest threads has.
const SEATS: [usize; 5] = [256, 96, 48, 24, 12];
const DEEP: usize = 1;
const DEPTHS: usize = MAX_DEPTH as usize + 1;

type Job = Box<dyn FnOnce() + Send>;

static LEVELS: LazyLock<Vec<Level>> = LazyLock::new(|| {
    (0..DEPTHS)
        .map(|depth| Level::new(SEATS.get(depth).copied().unwrap_or(DEEP)))
        .collect()
});

/// Runs `job`, the blocking part of a handler that was called by `depth` others, on a thread of `runtime`, as soon as
/// there is a seat for it.
pub(crate) fn run(runtime: &Arc<dyn Runtime>, depth: u8, job: Job) {
    if let Some(level) = LEVELS.get(usize::from(depth).min(DEPTHS - 1)) {
        level.lock().waiting.push_back((runtime.clone(), job));
        level.hand_out();
    }
}

/// The seats of one depth.
struct Level(Mutex<State>);

struct State {
    free: usize,
    waiting: VecDeque<(Arc<dyn Runtime>, Job)>,
    /// Somebody hands out what is free.
    handing_out: bool,
}

/// A seat that is taken; free again when this is dropped: the job has ended, or its runtime has.
struct Seat(&'static Level);

impl Level {
    const fn new(free: usize) -> Level {
        Level(Mutex::new(State {
            free,
            waiting: VecDeque::new(),
            handing_out: false,
        }))
    }

    /// Gives the free seats to those who wait. By one thread at a time: on a runtime that has ended, each job is dropped
    /// at once and frees its seat within this very call.
    fn hand_out(&'static self) {
        let mut state = self.lock();
        if std::mem::replace(&mut state.handing_out, true) {
            return;
        }
        while state.free > 0 {
            let Some((runtime, job)) = state.waiting.pop_front() else {
                break;
            };
            state.free -= 1;
            drop(state);
            let seat = Seat(self);
            runtime.spawn_blocking(Box::new(move || {
                job();
                drop(seat);
            }));
            state = self.lock();
        }
        state.handing_out = false;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.lock().free += 1;
        self.0.hand_out();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};
    use std::time::Duration;

    use super::*;
    use crate::runtime::{BoxFuture, pool};

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn all_seats_together_are_fewer_than_any_runtimes_threads() {
        let all: usize = LEVELS.iter().map(|level| level.lock().free).sum();
        assert!(all < 500, "{all}");
    }

    /// One job at each depth needs a seat at the next to come to its end.
    #[test]
    fn more_jobs_than_seats_at_every_depth_come_to_their_end() {
        fn nest(depth: u8, done: Sender<()>) {
            run(
                &pool(),
                depth,
                Box::new(move || {
                    if depth < 4 {
                        let (inner, ended) = channel();
                        nest(depth + 1, inner);
                        ended.recv().unwrap();
                    }
                    done.send(()).unwrap();
                }),
            );
        }
        let (done, ended) = channel();
        for _ in 0..600 {
            nest(0, done.clone());
        }
        for _ in 0..600 {
            ended.recv_timeout(LONG).unwrap();
        }
    }

    /// A runtime that has ended.
    #[derive(Debug)]
    struct Gone;

    impl Runtime for Gone {
        fn name(&self) -> &'static str {
            "gone"
        }
        fn spawn(&self, future: BoxFuture<()>) {
            drop(future);
        }
        fn spawn_blocking(&self, job: Box<dyn FnOnce() + Send>) {
            drop(job);
        }
    }

    #[test]
    fn jobs_of_a_runtime_that_has_ended_are_dropped_and_take_no_seat() {
        static LEVEL: Level = Level::new(1);
        let gone: Arc<dyn Runtime> = Arc::new(Gone);
        let mut state = LEVEL.lock();
        for _ in 0..100_000 {
            state.waiting.push_back((gone.clone(), Box::new(|| ())));
        }
        drop(state);
        LEVEL.hand_out();
        let state = LEVEL.lock();
        assert!(state.waiting.is_empty() && state.free == 1);
    }
}
