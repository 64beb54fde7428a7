//! Trying again what is safe to try again (C-OC, C-VB-5).

use std::thread;
use std::time::{Duration, Instant};

use tidings_core::{
    Bus, CallErrorKind, Context, Fate, IdempotencyKey, MethodError, PromiseError, Request, Retry,
    RetryBudget, Retrying, Server, Stage,
};

use crate::World;
use crate::stage::{Gate, Journal, NotDivisible, NoteOnDrop, eventually};

/// Tries often and at once, and has what it costs.
fn eager(attempts: u32) -> Retry {
    let short = Duration::from_millis(1);
    Retry::new()
        .attempts(attempts)
        .backoff(short, 5 * short)
        .budget(plenty())
}

fn plenty() -> RetryBudget {
    RetryBudget::new(100, 1_000_000)
}

fn ask(world: &World, path: &str, retry: Retry) -> Retrying<u32> {
    world.client().request(path, &7_u32).retry(retry)
}

/// A serial server whose method `hold` waits at the gate, and of whose queue one place is taken.
fn busy(world: &World, gate: &Gate) -> Server {
    let pass = gate.clone();
    let server = world
        .listen("topic")
        .serial()
        .queue(1)
        .on_async("hold", move |n: u32| {
            let gate = pass.clone();
            async move {
                gate.pass().await;
                n
            }
        })
        .start()
        .unwrap();
    world.client().invoke::<u32>("topic.hold", &1_u32).detach();
    gate.wait_for(1);
    world.client().invoke::<u32>("topic.hold", &2_u32).detach();
    eventually("it is full", || server.load() == 2);
    server
}

/// C-OC, C-OV-1
pub fn a_busy_server_is_asked_again_until_it_has_room(world: &World) {
    let gate = Gate::new();
    let server = busy(world, &gate);
    let refused = world.client().invoke::<u32>("topic.hold", &7_u32).wait();
    let error = refused.unwrap_err();
    assert!(
        matches!(error.kind(), CallErrorKind::Busy { .. }),
        "{error}"
    );
    let promise = ask(world, "topic.hold", eager(1000)).invoke();
    assert!(!promise.is_ready());
    gate.open();
    assert_eq!(promise.wait().unwrap(), 7);
    eventually("all is done", || server.load() == 0);
}

/// C-OC, C-OC-4
pub fn a_server_that_comes_later_is_found(world: &World) {
    let promise = ask(world, "topic.echo", eager(100_000)).invoke();
    assert!(!promise.is_ready());
    let server = world.listen("topic").on("echo", |n: u32| n);
    let _server = server.start().unwrap();
    assert_eq!(promise.wait().unwrap(), 7);
}

/// C-OC: the error is that of the last attempt, and says how many there were.
pub fn when_trying_is_over_the_last_error_is_told(world: &World) {
    for attempts in [1, 2, 4] {
        let errors = [
            ask(world, "nowhere.ask", eager(attempts))
                .wait()
                .unwrap_err(),
            ask(world, "nowhere.ask", eager(attempts))
                .invoke()
                .wait()
                .unwrap_err(),
            world
                .run(ask(world, "nowhere.ask", eager(attempts)).call())
                .unwrap_err(),
        ];
        for error in errors {
            let is_missing = matches!(error.kind(), CallErrorKind::NoServer { .. });
            assert!(is_missing, "{error}");
            assert_eq!(error.attempts(), attempts);
            assert_eq!(error.fate(), Fate::NotExecuted);
            assert_eq!(error.target(), "nowhere.ask");
            let tells = error.to_string().contains("attempts");
            assert_eq!(tells, attempts > 1, "{error}");
        }
    }
    let once = world.client().call::<u32>("nowhere.ask", &7_u32).wait();
    assert_eq!(once.unwrap_err().attempts(), 1);
    // Also of those that somebody gives up: after a while there are several.
    let mut patience = Duration::from_millis(10);
    loop {
        let mut promise = ask(world, "nowhere.ask", eager(u32::MAX)).invoke();
        assert!(promise.wait_timeout(patience).is_none());
        promise.cancel();
        let error = promise.wait().unwrap_err();
        assert!(matches!(error.kind(), CallErrorKind::Cancelled), "{error}");
        if error.attempts() > 1 {
            break;
        }
        patience *= 2;
    }
}

/// C-OC, C-VB-5
pub fn what_ran_is_not_tried_again(world: &World) {
    let ran = Journal::new();
    let (failed, fell, shaped) = (ran.clone(), ran.clone(), ran.clone());
    let _server = world
        .listen("topic")
        .try_on("fail", move |n: u32| {
            failed.note("fail");
            Err::<u32, _>(NotDivisible { dividend: n.into() })
        })
        .on_async("fall", move |_: u32| {
            fell.note("fall");
            async { panic!("on purpose") as u32 }
        })
        .on("text", move |n: u32| {
            shaped.note("text");
            vec![format!("{n} is no number of its kind")]
        })
        .start()
        .unwrap();
    for path in ["topic.fail", "topic.fall", "topic.text"] {
        let request: Request<u32> = world.client().request(path, &7_u32);
        let key = IdempotencyKey::unique();
        let error = request.idempotent(key).retry(eager(5)).wait().unwrap_err();
        assert_eq!(
            (error.fate(), error.attempts()),
            (Fate::Executed, 1),
            "{path}"
        );
    }
    assert_eq!(ran.take(), ["fail", "fall", "text"]);
    // The error of the method's own arrives as its type.
    let request: Request<u32> = world.client().request("topic.fail", &7_u32);
    let request = request.with_error::<NotDivisible>().retry(eager(5));
    match request.wait().unwrap_err() {
        MethodError::Application(error) => assert_eq!(error.dividend, 7),
        MethodError::Call(error) => panic!("{error}"),
    }
    assert_eq!(ran.take(), ["fail"]);
}

/// C-OC: what would be answered the same is safe to try, and not tried.
pub fn what_would_fail_again_is_not_tried_again(world: &World) {
    let server = world.listen("topic").on("echo", |n: u32| n);
    let _server = server.start().unwrap();
    let client = world.client();
    let errors = [
        ask(world, "topic.missing", eager(5)).wait().unwrap_err(),
        client
            .request::<u32>("topic.echo", &"no number at all")
            .retry(eager(5))
            .wait()
            .unwrap_err(),
        ask(world, "no path", eager(5)).wait().unwrap_err(),
        client
            .request::<u32>("topic.echo", &7_u32)
            .timeout(Duration::ZERO)
            .retry(eager(5))
            .wait()
            .unwrap_err(),
        client
            .request::<u32>("topic.echo", &7_u32)
            .heartbeat(Duration::ZERO)
            .retry(eager(5))
            .wait()
            .unwrap_err(),
    ];
    for error in errors {
        assert!(error.is_retryable(), "{error}");
        assert_eq!(error.attempts(), 1, "{error}");
    }
}

/// C-DL-1: all attempts and pauses have one deadline, and the fate that is told is true.
pub fn one_deadline_covers_all_attempts(world: &World) {
    let timeout = Duration::from_millis(150);
    // Pauses that end before it. The last attempt may be under way when it comes, and was answered or not.
    let request: Request<u32> = world.client().request("nowhere.ask", &7_u32);
    let (begin, retry) = (Instant::now(), eager(u32::MAX));
    let error = request.timeout(timeout).retry(retry).wait().unwrap_err();
    let took = begin.elapsed();
    let longest_pause = Duration::from_millis(5);
    assert!(timeout - longest_pause <= took, "{took:?}: {error}");
    assert!(took < Duration::from_secs(10), "{took:?}: {error}");
    match error.kind() {
        CallErrorKind::NoServer { .. } => assert_eq!(error.fate(), Fate::NotExecuted, "{error}"),
        CallErrorKind::DeadlineExceeded { .. } => {
            assert_ne!(error.fate(), Fate::Executed, "{error}");
        }
        _ => panic!("{error}"),
    }
    // A pause that would end after it: the failure is told at once. (It is drawn, and one in a million is short.)
    let (timeout, long) = (Duration::from_secs(60), Duration::from_secs(60_000_000));
    let request: Request<u32> = world.client().request("nowhere.ask", &7_u32);
    let retry = eager(u32::MAX).backoff(long, long);
    let begin = Instant::now();
    let error = request.timeout(timeout).retry(retry).wait().unwrap_err();
    assert!(begin.elapsed() < timeout, "{error}");
    let is_missing = matches!(error.kind(), CallErrorKind::NoServer { .. });
    assert!(is_missing && error.attempts() == 1, "{error}");
    assert_eq!(error.fate(), Fate::NotExecuted, "{error}");
    // An attempt that runs gets what is left, not a time of its own.
    let left = Journal::new();
    let note = left.clone();
    let _server = world
        .listen("topic")
        .on("left", move |_: u32| {
            note.note(Context::current().unwrap().remaining().unwrap());
            0_u32
        })
        .start()
        .unwrap();
    let request: Request<u32> = world.client().request("topic.left", &7_u32);
    request.timeout(timeout).retry(eager(5)).wait().unwrap();
    assert!(left.take()[0] <= timeout);
}

/// C-DL-1, C-OC: an attempt that runs when the deadline of all comes is cut off, and whether it ran is not known.
pub fn an_attempt_that_the_deadline_cuts_off_is_of_unknown_fate(world: &World) {
    let ran = Journal::new();
    let note = ran.clone();
    let server = world.listen("topic").on_async("stay", move |n: u32| {
        note.note(n);
        std::future::pending::<u32>()
    });
    let server = server.start().unwrap();
    let mut timeout = Duration::from_millis(50);
    for n in 0_u32.. {
        let request: Request<u32> = world.client().request("topic.stay", &n);
        let begin = Instant::now();
        let error = request.timeout(timeout).retry(eager(5)).wait().unwrap_err();
        assert!(begin.elapsed() >= timeout, "{error}");
        let is_late = matches!(error.kind(), CallErrorKind::DeadlineExceeded { .. });
        assert!(is_late && error.attempts() == 1, "{error}");
        assert_ne!(error.fate(), Fate::Executed, "{error}");
        eventually("nothing runs", || server.load() == 0);
        if ran.take().contains(&n) {
            assert_eq!(error.fate(), Fate::Unknown, "{error}");
            return;
        }
        timeout *= 2; // Too little on this machine for it to be started.
    }
}

/// C-OC: where there is nothing to pay with, the first failure is told at once.
pub fn a_budget_that_is_empty_ends_the_retries(world: &World) {
    let none = RetryBudget::new(0, 0);
    let error = ask(world, "nowhere.ask", eager(100).budget(none));
    assert_eq!(error.wait().unwrap_err().attempts(), 1);
    // Half a retry for each call: every other one has one.
    let half = RetryBudget::new(50, 0);
    let attempts: Vec<u32> = (0..6)
        .map(|_| {
            let retry = eager(2).budget(half.clone());
            let error = ask(world, "nowhere.ask", retry).wait();
            error.unwrap_err().attempts()
        })
        .collect();
    assert_eq!(attempts, [1, 2, 1, 2, 1, 2]);
}

/// C-OC: unless a policy says otherwise, all requests of a bus draw from one budget.
pub fn the_requests_of_a_bus_share_a_budget(world: &World) {
    let retry = Retry::new()
        .attempts(2)
        .backoff(Duration::from_nanos(1), Duration::from_nanos(1));
    let bus = world.another();
    let begin = Instant::now();
    let mut again = 0;
    for _ in 0..200 {
        let request: Request<u32> = bus.request("nowhere.ask", &7_u32);
        let error = request.retry(retry.clone()).wait().unwrap_err();
        again += error.attempts() - 1;
    }
    // What it starts with, a tenth of the calls, and what the time has brought.
    let seconds = begin.elapsed().as_secs() as u32 + 1;
    let most = 10 + 20 + 10 * seconds;
    assert!((20..=most).contains(&again), "{again} of at most {most}");
}

/// C-DL-3
pub fn a_dropped_promise_ends_the_attempts(world: &World) {
    let (gate, dropped) = (Gate::new(), Journal::new());
    let (pass, note) = (gate.clone(), dropped.clone());
    let server = world
        .listen("topic")
        .on_async("stay", move |n: u32| {
            let (gate, noted) = (pass.clone(), NoteOnDrop::new(&note, n));
            async move {
                gate.pass().await;
                drop(noted);
                n
            }
        })
        .start()
        .unwrap();
    // While one runs.
    let promise = ask(world, "topic.stay", eager(5)).invoke();
    gate.wait_for(1);
    drop(promise);
    dropped.wait_for(1);
    let mut promise = ask(world, "topic.stay", eager(5)).invoke();
    gate.wait_for(2);
    promise.cancel();
    let error = promise.wait().unwrap_err();
    assert!(matches!(error.kind(), CallErrorKind::Cancelled), "{error}");
    dropped.wait_for(2);
    eventually("nothing runs", || server.load() == 0);
    // While it pauses: nothing of it is left, and it is not tried again.
    let long = Duration::from_secs(3600);
    let request: Request<u32> = world.client().request("nowhere.ask", &7_u32);
    let retry = eager(5).backoff(long, long);
    let mut promise = request.no_timeout().retry(retry).invoke();
    assert!(promise.wait_timeout(Duration::from_millis(5)).is_none());
    promise.cancel();
    assert!(promise.wait().is_err());
    assert_eq!(dropped.take().len(), 2);
}

/// C-DL-3: letting go is not giving up.
pub fn a_detached_promise_lets_the_attempts_go_on(world: &World) {
    let ran = Journal::new();
    ask(world, "topic.echo", eager(100_000)).invoke().detach();
    let note = ran.clone();
    let server = world.listen("topic").on("echo", move |n: u32| {
        note.note(n);
        n
    });
    let _server = server.start().unwrap();
    ran.wait_for(1);
    assert_eq!(ran.take(), [7]);
}

/// C-DL-2, C-DL-3: retries of a handler end with its own call, whether they run or pause.
pub fn retries_in_a_handler_end_with_its_call(world: &World) {
    let (told, came) = (Journal::new(), Journal::new());
    let (note, noted) = (told.clone(), came.clone());
    let bus = world.server().clone();
    let long = Duration::from_secs(3600);
    let retry = eager(5).backoff(long, long);
    let server = world
        .listen("outer")
        .on_blocking("ask", move |n: u32| {
            let request: Request<u32> = bus.request("nowhere.ask", &n);
            let request = request.no_timeout().retry(retry.clone());
            noted.note(());
            note.note(request.wait().unwrap_err());
        })
        .start()
        .unwrap();
    let outer = world.client().request::<()>("outer.ask", &7_u32);
    let promise = outer.no_timeout().invoke();
    came.wait_for(1);
    drop(promise);
    told.wait_for(1);
    // It may have been told in a pause, or while an attempt was under way.
    assert_ne!(told.take().remove(0).fate(), Fate::Executed);
    eventually("its slot is free", || server.load() == 0);
}

/// C-LC-3: a promise does not outlive its bus, though nothing of it is on its way.
pub fn a_bus_that_goes_ends_the_retries_that_pause(world: &World) {
    let long = Duration::from_secs(3600);
    let ends: [fn(Bus); 2] = [|bus| bus.close(), drop];
    for end in ends {
        let bus = world.passing(|builder| builder);
        let request: Request<u32> = bus.request("nowhere.ask", &7_u32);
        let retry = eager(5).backoff(long, long);
        let mut promise = request.no_timeout().retry(retry).invoke();
        assert!(promise.wait_timeout(Duration::from_millis(20)).is_none());
        end(bus);
        let error = promise.wait().unwrap_err();
        assert!(matches!(error.kind(), CallErrorKind::Closed), "{error}");
        assert_ne!(error.fate(), Fate::Executed, "{error}");
    }
}

/// C-VB-3, FAULTS-A13
pub fn a_blocking_wait_with_retries_in_an_async_handler_is_told(world: &World) {
    let bus = world.server().clone();
    let _server = world
        .listen("outer")
        .on("ask", move |n: u32| {
            let request: Request<u32> = bus.request("nowhere.ask", &n);
            let error = request.retry(eager(100)).wait().unwrap_err();
            let refused = CallErrorKind::Promise(PromiseError::WouldBlock);
            let same = error.kind().to_string() == refused.to_string();
            (
                same,
                error.fate() == Fate::NotSent,
                error.stage() == Stage::Preparing,
            )
        })
        .start()
        .unwrap();
    let told = world
        .client()
        .invoke::<(bool, bool, bool)>("outer.ask", &7_u32);
    assert_eq!(told.wait().unwrap(), (true, true, true));
}

/// C-VB-3: the three ways have one outcome.
pub fn call_and_invoke_try_again_alike(world: &World) {
    let ways: [fn(Retrying<u32>, &World) -> u32; 3] = [
        |request, _| request.wait().unwrap(),
        |request, _| request.invoke().wait().unwrap(),
        |request, world| world.run(request.call()).unwrap(),
    ];
    for (n, way) in ways.into_iter().enumerate() {
        let (topic, path) = (format!("late-{n}"), format!("late-{n}.echo"));
        let bus = world.server().clone();
        let request = ask(world, &path, eager(1_000_000));
        let serving = thread::spawn(move || {
            let server = bus.listen(topic).on("echo", |n: u32| n);
            server.start().unwrap()
        });
        assert_eq!(way(request, world), 7);
        drop(serving.join().unwrap());
    }
}
