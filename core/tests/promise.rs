//! What a promise does, read as statements. What threads do to one another is in `loom/`.
#![cfg(not(tidings_loom))]

use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};
use tidings_core::promise::{
    Completer, Promise, PromiseError, PromiseSet, Shared, WaitError, WaitExt, all, all_settled,
    any, as_completed, race,
};

type Number = Promise<u32, PromiseError>;

fn channel() -> (Completer<u32, PromiseError>, Number) {
    Promise::channel()
}

fn channels(count: usize) -> (Vec<Completer<u32, PromiseError>>, Vec<Number>) {
    (0..count).map(|_| channel()).unzip()
}

#[test]
fn a_promise_is_send_and_sync_where_its_value_is_send() {
    fn both<T: Send + Sync + Unpin>() {}
    // `Cell` is Send and not Sync.
    both::<Promise<Cell<u8>, PromiseError>>();
    both::<Completer<Cell<u8>, PromiseError>>();
    both::<PromiseSet<u8, Cell<u8>, PromiseError>>();
    both::<Shared<u8, PromiseError>>();
    both::<tidings_core::promise::All<Cell<u8>, PromiseError>>();
}

/// Neither holds for a type that is not `Send` (C10): with a second impl in play the call below
/// would be ambiguous, and not compile.
#[test]
fn a_promise_of_a_value_that_is_not_send_is_neither_send_nor_sync() {
    trait IfNot<Marker> {
        fn holds() {}
    }
    struct Send_;
    struct Sync_;
    impl<T: ?Sized> IfNot<()> for T {}
    impl<T: ?Sized + Send> IfNot<Send_> for T {}
    impl<T: ?Sized + Sync> IfNot<Sync_> for T {}
    type Local = Promise<std::rc::Rc<u8>, PromiseError>;
    <Local as IfNot<_>>::holds();
    <Completer<std::rc::Rc<u8>, PromiseError> as IfNot<_>>::holds();
    <PromiseSet<u8, std::rc::Rc<u8>, PromiseError> as IfNot<_>>::holds();
}

#[test]
fn after_the_outcome_was_taken_every_call_says_so() {
    let (completer, mut promise) = channel();
    completer.complete(1).unwrap();
    assert_eq!(promise.try_take(), Some(Ok(1)));
    assert_eq!(promise.try_take(), Some(Err(PromiseError::Taken)));
    assert_eq!(
        promise.wait_timeout(Duration::MAX),
        Some(Err(PromiseError::Taken))
    );
    assert_eq!(
        promise.wait_deadline(Instant::now()),
        Some(Err(PromiseError::Taken))
    );
    let polled = Pin::new(&mut promise).poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(polled, Poll::Ready(Err(PromiseError::Taken)));
    assert!(promise.is_ready());
    promise.cancel();
    assert_eq!(promise.wait(), Err(PromiseError::Taken));
}

#[test]
fn a_timeout_leaves_the_promise_usable_and_cancels_nothing() {
    let (completer, mut promise) = channel();
    let start = Instant::now();
    assert_eq!(promise.wait_timeout(Duration::from_millis(5)), None);
    assert!(start.elapsed() >= Duration::from_millis(5));
    assert_eq!(promise.wait_deadline(start), None);
    assert!(!completer.is_cancelled());
    completer.complete(2).unwrap();
    assert_eq!(
        promise.wait_deadline(start),
        Some(Ok(2)),
        "completion beats the timeout"
    );
}

#[test]
fn a_timeout_too_long_for_the_clock_waits_for_ever() {
    let (completer, mut promise) = channel();
    let completing = thread::spawn(move || completer.complete(3));
    assert_eq!(promise.wait_timeout(Duration::MAX), Some(Ok(3)));
    completing.join().unwrap().unwrap();
}

#[test]
fn a_wait_inside_a_wait_on_one_thread_does_not_eat_its_wake_up() {
    let (inner, inner_promise) = channel();
    let (outer, outer_promise) = channel();
    let both = async move {
        let outer = outer_promise;
        // Poll the outer once, so that it may be woken during the inner wait.
        let mut outer = std::pin::pin!(outer);
        let first = std::future::poll_fn(|cx| Poll::Ready(outer.as_mut().poll(cx))).await;
        let inner = inner_promise.wait();
        match first {
            Poll::Ready(first) => (first, inner),
            Poll::Pending => (outer.await, inner),
        }
    };
    let completing = thread::spawn(move || {
        outer.complete(1).unwrap();
        inner.complete(2).unwrap();
    });
    assert_eq!(both.wait(), (Ok(1), Ok(2)));
    completing.join().unwrap();
}

#[test]
fn a_waker_that_polls_inline_does_not_deadlock() {
    struct Inline(
        Mutex<Option<Number>>,
        Mutex<Option<Result<u32, PromiseError>>>,
    );
    impl Wake for Inline {
        fn wake(self: Arc<Self>) {
            let taken = self.0.lock().unwrap().as_mut().unwrap().try_take();
            *self.1.lock().unwrap() = taken;
        }
    }
    let (completer, mut promise) = channel();
    let inline = Arc::new(Inline(Mutex::new(None), Mutex::new(None)));
    let waker = Waker::from(Arc::clone(&inline));
    assert!(
        Pin::new(&mut promise)
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    *inline.0.lock().unwrap() = Some(promise);
    completer.complete(4).unwrap();
    assert_eq!(*inline.1.lock().unwrap(), Some(Ok(4)));
}

#[test]
fn cancel_wakes_the_task_that_polled() {
    let wakes = Arc::new(Wakes::default());
    let (_completer, mut promise) = channel();
    let waker = Waker::from(Arc::clone(&wakes));
    assert!(
        Pin::new(&mut promise)
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    promise.cancel();
    assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
}

#[test]
fn a_callback_runs_on_the_completing_thread() {
    let (seen, outcomes) = mpsc::channel();
    let (completer, promise) = channel();
    promise.on_ready(move |outcome| seen.send((outcome, thread::current().id())).unwrap());
    let completing = thread::spawn(move || {
        completer.complete(5).unwrap();
        thread::current().id()
    });
    let id = completing.join().unwrap();
    assert_eq!(outcomes.recv(), Ok((Ok(5), id)));
}

#[test]
fn a_panic_in_a_callback_ends_there() {
    let (completer, promise) = channel();
    promise.on_ready(|_| panic!("meant: a callback that panics"));
    assert_eq!(completer.complete(6), Ok(()));
    let (seen, outcomes) = mpsc::channel();
    Number::ready(7).on_ready(move |outcome| seen.send(outcome).unwrap());
    assert_eq!(
        outcomes.try_recv(),
        Ok(Ok(7)),
        "the thread's next callback runs at once"
    );
}

#[test]
fn a_panic_in_map_breaks_a_promise_with_a_callback() {
    let (seen, outcomes) = mpsc::channel();
    let (completer, promise) = channel();
    let mapped = promise.map(|_| -> u32 { panic!("meant: a mapping that panics") });
    mapped.on_ready(move |outcome| seen.send(outcome).unwrap());
    assert_eq!(completer.complete(8), Ok(()));
    assert_eq!(outcomes.try_recv(), Ok(Err(PromiseError::Broken)));
}

#[test]
fn a_long_chain_of_callbacks_does_not_grow_the_stack() {
    const LENGTH: u32 = 100_000;
    let (first, mut promise) = channel();
    for _ in 0..LENGTH {
        let (completer, next) = channel();
        promise.on_ready(move |outcome| completer.complete(outcome.unwrap() + 1).unwrap());
        promise = next;
    }
    thread::Builder::new()
        .stack_size(64 * 1024)
        .spawn(move || first.complete(0).unwrap())
        .unwrap()
        .join()
        .unwrap();
    assert_eq!(promise.wait(), Ok(LENGTH));
}

#[test]
fn dropping_detaching_and_cancelling_pass_through_map() {
    let (completer, promise) = channel();
    drop(promise.map(|number| number + 1));
    assert!(completer.is_cancelled());

    let (completer, promise) = channel();
    promise.map(|number| number + 1).detach();
    assert!(!completer.is_cancelled());

    let (completer, promise) = channel();
    let mut mapped = promise.map(|number| number + 1);
    mapped.cancel();
    assert!(completer.is_cancelled());
    assert_eq!(mapped.wait(), Err(PromiseError::Cancelled));
}

#[test]
fn a_mapping_that_panics_leaves_the_promise_taken() {
    let mut mapped = {
        let (completer, promise) = channel();
        completer.complete(1).unwrap();
        promise.map(|_| -> u32 { panic!("meant: a mapping that panics") })
    };
    assert!(catch_unwind(AssertUnwindSafe(|| mapped.try_take())).is_err());
    assert_eq!(mapped.wait(), Err(PromiseError::Taken));
}

#[test]
fn the_last_clone_of_a_shared_promise_cancels() {
    let (completer, promise) = channel();
    let shared = promise.shared();
    let clone = shared.clone();
    drop(shared);
    assert!(!completer.is_cancelled());
    drop(clone);
    assert!(completer.is_cancelled());
}

#[test]
fn a_shared_outcome_is_there_for_every_clone_and_every_poll() {
    let (completer, promise) = channel();
    let mut shared = promise.shared();
    assert_eq!(shared.peek(), None);
    assert_eq!(shared.wait_timeout(Duration::ZERO), None);
    completer.complete(9).unwrap();
    assert!(shared.is_ready());
    assert_eq!(shared.wait_timeout(Duration::ZERO), Some(Ok(9)));
    assert_eq!(shared.wait_timeout(Duration::ZERO), Some(Ok(9)));
    assert_eq!((shared.clone().wait(), shared.peek()), (Ok(9), Some(Ok(9))));
}

#[test]
fn all_keeps_the_order_of_the_promises() {
    let (completers, promises) = channels(3);
    let mut all = all(promises);
    for (number, completer) in (0..).zip(completers).collect::<Vec<_>>().into_iter().rev() {
        assert_eq!(all.wait_timeout(Duration::ZERO), None);
        completer.complete(number).unwrap();
    }
    assert_eq!(all.wait_timeout(Duration::ZERO), Some(Ok(vec![0, 1, 2])));
    assert_eq!(all.wait(), Err(PromiseError::Taken));
}

#[test]
fn the_first_failure_ends_all_and_cancels_the_rest() {
    let (mut completers, promises) = channels(3);
    let all = all(promises);
    drop(completers.remove(1));
    assert_eq!(all.wait(), Err(PromiseError::Broken));
    assert!(completers.iter().all(Completer::is_cancelled));
}

#[test]
fn all_settled_waits_for_the_failures_too() {
    let (mut completers, promises) = channels(3);
    let last = completers.pop().unwrap();
    completers.remove(0).complete(1).unwrap();
    drop(completers);
    let mut settled = all_settled(promises);
    assert_eq!(settled.wait_timeout(Duration::ZERO), None);
    last.complete(3).unwrap();
    assert_eq!(settled.wait(), [Ok(1), Err(PromiseError::Broken), Ok(3)]);
}

#[test]
fn a_race_takes_the_first_outcome_and_cancels_the_rest() {
    let (mut completers, promises) = channels(3);
    let race = race(promises);
    completers.remove(1).complete(2).unwrap();
    assert_eq!(race.wait(), Ok(2));
    assert!(completers.iter().all(Completer::is_cancelled));
}

#[test]
fn nothing_at_all_resolves_at_once() {
    let none = || std::iter::empty::<Number>();
    assert_eq!(all(none()).wait(), Ok(vec![]));
    assert_eq!(all_settled(none()).wait(), []);
    assert_eq!(race(none()).wait(), Err(PromiseError::Broken));
    assert_eq!(any(none()).wait(), Err(vec![]));
    assert_eq!(as_completed(none()).next().wait(), Ok(None));
}

#[test]
fn any_returns_the_errors_in_order_when_all_have_failed() {
    let (mut completers, promises) = channels(2);
    let any = any(promises);
    completers
        .pop()
        .unwrap()
        .fail(PromiseError::Cancelled)
        .unwrap();
    drop(completers);
    assert_eq!(
        any.wait(),
        Err(vec![PromiseError::Broken, PromiseError::Cancelled])
    );
}

#[test]
fn a_set_says_that_its_time_is_over_and_goes_on() {
    let (completer, promise) = channel();
    let mut set = PromiseSet::from_iter([("it", promise)]);
    assert_eq!(
        set.next().wait_timeout(Duration::from_millis(1)),
        Err(WaitError::Elapsed)
    );
    completer.complete(1).unwrap();
    assert_eq!(
        set.next().wait_timeout(Duration::from_millis(1)),
        Ok(Some(("it", Ok(1))))
    );
    assert!(set.is_empty());
}

#[test]
fn a_set_of_thousands_wakes_once_and_polls_once_per_completion() {
    const COUNT: usize = 10_000;
    let (completers, promises) = channels(COUNT);
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut cx = Context::from_waker(&waker);
    let mut set: PromiseSet<usize, u32, PromiseError> = promises.into_iter().enumerate().collect();
    assert!(set.poll_next(&mut cx).is_pending());
    for (key, completer) in completers.into_iter().enumerate().rev() {
        completer.complete(1).unwrap();
        assert_eq!(set.poll_next(&mut cx), Poll::Ready(Some((key, Ok(1)))));
        if key > 0 {
            assert!(set.poll_next(&mut cx).is_pending());
        }
    }
    assert_eq!(set.poll_next(&mut cx), Poll::Ready(None));
    assert_eq!(wakes.0.load(Ordering::Relaxed), COUNT);
}

#[test]
fn a_set_is_filled_and_emptied_over_and_over() {
    let mut set = PromiseSet::new();
    for round in 0..1_000_u32 {
        let (completer, promise) = channel();
        set.insert(round, promise);
        assert_eq!(set.try_next(), None);
        set.insert(round, Promise::ready(0));
        assert_eq!(set.try_next(), Some((round, Ok(0))));
        completer.complete(round).unwrap();
        assert_eq!(set.try_next(), Some((round, Ok(round))));
    }
    assert_eq!(set.try_next(), None);
}

#[test]
fn thousands_of_promises_completed_by_many_threads_arrive_once_each() {
    const THREADS: u32 = 4;
    const EACH: u32 = 2_000;
    let mut set = PromiseSet::new();
    let mut completing = Vec::new();
    for thread in 0..THREADS {
        let (completers, promises) = channels(EACH as usize);
        set.extend((thread * EACH..).zip(promises));
        completing.push(thread::spawn(move || {
            for (number, completer) in (thread * EACH..).zip(completers) {
                completer.complete(number).unwrap();
            }
        }));
    }
    let mut seen = vec![false; (THREADS * EACH) as usize];
    while let Some((key, outcome)) = set.next().wait().unwrap() {
        assert_eq!(outcome, Ok(key));
        assert!(
            !std::mem::replace(&mut seen[key as usize], true),
            "{key} twice"
        );
    }
    assert!(seen.into_iter().all(|seen| seen));
    completing
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
}

#[test]
fn any_future_can_be_waited_on() {
    let mut never = std::future::pending::<()>();
    assert_eq!(never.wait_timeout(Duration::ZERO), Err(WaitError::Elapsed));
    assert_eq!(async { 1 }.wait(), 1);
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
