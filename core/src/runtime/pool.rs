//! No runtime: the built-in handler pool.
//!
//! It runs blocking jobs and polls futures. Threads are started when there is work and no idle
//! thread, up to a bound, and retire when nothing came for a while: a process whose bus is quiet
//! has no thread of it. It cannot watch sockets.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use super::task::Task;
use super::{BoxFuture, Runtime};

/// Jobs may block on one another (nested calls), so the bound is far above the number of cores.
const MOST_JOBS: usize = 512;
/// How long a thread without work stays.
const IDLE_TIME: Duration = Duration::from_secs(5);

/// The built-in handler pool of this process, on threads named `tidings-handler-N`.
pub fn pool() -> Arc<dyn Runtime> {
    static POOL: OnceLock<Arc<Pool>> = OnceLock::new();
    POOL.get_or_init(|| Pool::new(MOST_JOBS, IDLE_TIME)).clone()
}

/// A pool of threads that start on demand and retire when idle.
pub(crate) struct Pool {
    this: Weak<Pool>,
    /// Jobs at once.
    most_jobs: usize,
    /// Polls do not block, so more of them at once than there are cores gain nothing. They have threads beside those
    /// of the jobs: what jobs wait for may be the end of a poll.
    most_polling: usize,
    idle_time: Duration,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Box<dyn FnOnce() + Send>>,
    tasks: VecDeque<Arc<Task>>,
    threads: usize,
    polling: usize,
    working: usize,
    /// Threads started so far, for their names.
    started: usize,
    /// Whose turn it is when both kinds of work wait.
    jobs_next: bool,
}

enum Work {
    Job(Box<dyn FnOnce() + Send>),
    Poll(Arc<Task>),
}

impl Pool {
    pub(crate) fn new(most_jobs: usize, idle_time: Duration) -> Arc<Pool> {
        Arc::new_cyclic(|this| Pool {
            this: this.clone(),
            most_jobs,
            most_polling: thread::available_parallelism().map_or(1, usize::from),
            idle_time,
            state: Mutex::default(),
            work: Condvar::new(),
        })
    }

    pub(super) fn requeue(&self, task: Arc<Task>) {
        let mut state = self.lock();
        state.tasks.push_back(task);
        self.work_came(state);
    }

    /// Wakes an idle thread for what was queued last, or starts one.
    fn work_came(&self, mut state: MutexGuard<'_, State>) {
        let places = |most: usize, taken: usize| most.saturating_sub(taken);
        let takeable = state.jobs.len().min(places(self.most_jobs, state.working))
            + state
                .tasks
                .len()
                .min(places(self.most_polling, state.polling));
        if takeable == 0 {
            return; // One of the threads that are at work takes it next.
        }
        if takeable <= state.free() {
            drop(state);
            self.work.notify_one();
            return;
        }
        state.threads += 1;
        state.started += 1;
        let name = format!("tidings-handler-{}", state.started);
        drop(state);
        let Some(pool) = self.this.upgrade() else {
            return;
        };
        let worker = thread::Builder::new().name(name);
        if worker.spawn(move || pool.work()).is_err() {
            self.thread_refused();
        }
    }

    /// The system gave no thread. Those that run will come to the work; where there is none the
    /// work is dropped, as on a runtime that has ended, so that its drop guards can tell.
    fn thread_refused(&self) {
        let mut state = self.lock();
        state.threads -= 1;
        if state.threads == 0 {
            let jobs = std::mem::take(&mut state.jobs);
            let tasks = std::mem::take(&mut state.tasks);
            drop(state);
            drop((jobs, tasks));
        }
    }

    fn work(&self) {
        while let Some(work) = self.next() {
            match work {
                // A panic is the job's: dispatch reports it. The thread goes on.
                Work::Job(job) => {
                    drop(catch_unwind(AssertUnwindSafe(job)));
                    self.lock().working -= 1;
                }
                Work::Poll(task) => {
                    let again = task.run();
                    let mut state = self.lock();
                    state.polling -= 1;
                    if again {
                        state.tasks.push_back(task);
                    } else {
                        drop(state);
                        drop(task);
                    }
                }
            }
        }
    }

    /// The next piece of work; `None`: the thread retires, and is counted out already.
    fn next(&self) -> Option<Work> {
        let mut state = self.lock();
        loop {
            if let Some(work) = state.take(self.most_jobs, self.most_polling) {
                return Some(work);
            }
            let (woken, wait) = self
                .work
                .wait_timeout(state, self.idle_time)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if wait.timed_out() && !state.has_work(self.most_jobs, self.most_polling) {
                state.threads -= 1;
                return None;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn threads(&self) -> usize {
        self.lock().threads
    }
}

impl State {
    /// Threads that sleep, or are on their way to take something.
    fn free(&self) -> usize {
        self.threads - self.working - self.polling
    }

    fn take(&mut self, most_jobs: usize, most_polling: usize) -> Option<Work> {
        let may_poll = self.polling < most_polling && !self.tasks.is_empty();
        let may_work = self.working < most_jobs && !self.jobs.is_empty();
        let job_now = may_work && (self.jobs_next || !may_poll);
        self.jobs_next = !job_now;
        if job_now {
            self.working += 1;
            self.jobs.pop_front().map(Work::Job)
        } else if may_poll {
            self.polling += 1;
            self.tasks.pop_front().map(Work::Poll)
        } else {
            None
        }
    }

    fn has_work(&self, most_jobs: usize, most_polling: usize) -> bool {
        let job = !self.jobs.is_empty() && self.working < most_jobs;
        job || (!self.tasks.is_empty() && self.polling < most_polling)
    }
}

impl Runtime for Pool {
    fn name(&self) -> &'static str {
        "none"
    }

    fn spawn(&self, future: BoxFuture<()>) {
        self.requeue(Task::queued(future, self.this.clone()));
    }

    fn spawn_blocking(&self, job: Box<dyn FnOnce() + Send>) {
        let mut state = self.lock();
        state.jobs.push_back(job);
        self.work_came(state);
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Pool")
            .field("threads", &state.threads)
            .field("free", &state.free())
            .field("queued", &(state.jobs.len() + state.tasks.len()))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Barrier;
    use std::sync::mpsc::channel;
    use std::task::Poll;
    use std::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_secs(10);

    #[test]
    fn jobs_that_wait_for_one_another_all_run() {
        let pool = Pool::new(8, LONG);
        let meet = Arc::new(Barrier::new(8));
        let (done, ended) = channel();
        for _ in 0..8 {
            let (meet, done) = (meet.clone(), done.clone());
            pool.spawn_blocking(Box::new(move || {
                meet.wait();
                done.send(()).unwrap();
            }));
        }
        for _ in 0..8 {
            ended.recv_timeout(LONG).unwrap();
        }
        assert_eq!(pool.threads(), 8);
    }

    #[test]
    fn more_jobs_than_threads_wait_their_turn() {
        let pool = Pool::new(2, LONG);
        let (done, ended) = channel();
        for n in 0..1000 {
            let done = done.clone();
            pool.spawn_blocking(Box::new(move || done.send(n).unwrap()));
        }
        let mut seen: Vec<i32> = (0..1000)
            .map(|_| ended.recv_timeout(LONG).unwrap())
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..1000).collect::<Vec<_>>());
        assert!(pool.threads() <= 2);
    }

    #[test]
    fn jobs_on_all_their_threads_leave_one_for_tasks() {
        let pool = Pool::new(2, LONG);
        let hold = Arc::new(Barrier::new(3));
        for _ in 0..2 {
            let hold = hold.clone();
            pool.spawn_blocking(Box::new(move || {
                hold.wait();
            }));
        }
        pool.spawn_blocking(Box::new(|| ()));
        let (done, ended) = channel();
        pool.spawn(Box::pin(async move { done.send(()).unwrap() }));
        ended.recv_timeout(LONG).unwrap();
        hold.wait();
    }

    #[test]
    fn idle_threads_retire() {
        let pool = Pool::new(4, Duration::from_millis(1));
        let (done, ended) = channel();
        pool.spawn_blocking(Box::new(move || done.send(()).unwrap()));
        ended.recv_timeout(LONG).unwrap();
        let end = Instant::now() + LONG;
        while pool.threads() > 0 {
            assert!(Instant::now() < end, "{pool:?}");
            thread::yield_now();
        }
    }

    #[test]
    fn a_panicking_job_or_task_costs_no_thread() {
        let pool = Pool::new(1, LONG);
        pool.spawn_blocking(Box::new(|| std::panic::resume_unwind(Box::new("job"))));
        pool.spawn(Box::pin(async {
            std::panic::resume_unwind(Box::new("task"))
        }));
        let (done, ended) = channel();
        pool.spawn(Box::pin(async move { done.send(()).unwrap() }));
        ended.recv_timeout(LONG).unwrap();
        // One for jobs, and perhaps one for tasks.
        assert!((1..=2).contains(&pool.threads()));
    }

    #[test]
    fn a_task_woken_during_its_own_poll_is_polled_again() {
        let pool = Pool::new(2, LONG);
        let (done, ended) = channel();
        let mut polls = 0;
        pool.spawn(Box::pin(async move {
            poll_fn(|cx| {
                polls += 1;
                cx.waker().wake_by_ref();
                if polls == 1000 {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
            done.send(()).unwrap();
        }));
        ended.recv_timeout(LONG).unwrap();
    }

    #[test]
    fn a_task_that_nobody_can_wake_is_freed() {
        struct Freed(std::sync::mpsc::Sender<()>);
        impl Drop for Freed {
            fn drop(&mut self) {
                let _ = self.0.send(());
            }
        }
        let pool = Pool::new(2, LONG);
        let (done, ended) = channel();
        let guard = Freed(done);
        pool.spawn(Box::pin(async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        }));
        ended.recv_timeout(LONG).unwrap();
    }

    #[test]
    fn tasks_go_on_while_jobs_hold_their_threads() {
        let pool = Pool::new(16, LONG);
        let hold = Arc::new(Barrier::new(9));
        for _ in 0..8 {
            let hold = hold.clone();
            pool.spawn_blocking(Box::new(move || {
                hold.wait();
            }));
        }
        let (done, ended) = channel();
        pool.spawn(Box::pin(async move { done.send(()).unwrap() }));
        ended.recv_timeout(LONG).unwrap();
        hold.wait();
    }
}
