use std::time::{Duration, Instant};

use super::*;
use crate::bus::{Caller, Head, Rare, ReplyTo, Verb};
use crate::error::{CallErrorKind, Fate};
use crate::name::{Exchange, Method, Topic};
use crate::payload::Payload;
use crate::reply::Reply;

/// Whoever asked: what each was told.
#[derive(Default)]
struct Ear(Mutex<Vec<(u64, Result<usize, Fate>)>>);

impl Ear {
    fn heard(&self) -> Vec<(u64, Result<usize, Fate>)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl ReplyTo for Ear {
    fn reply(&self, id: u64, reply: Reply) {
        let heard = match reply {
            Reply::Value(Payload::Bytes(bytes)) => Ok(bytes.len()),
            Reply::Failed(error) => Err(error.fate()),
            other => panic!("{other:?}"),
        };
        self.0.lock().unwrap().push((id, heard));
    }
    fn beat(&self, _: u64) {}
}

fn seen(window: IdempotencyWindow) -> Arc<Seen> {
    let ticks = Arc::new(Ticks::new(crate::runtime::pool()));
    Seen::new(window, 1 << 20, ticks)
}

/// A request that came by a connection, to which `ear` listens; with the key that is asked for.
fn asked(ear: &Arc<Ear>, id: u64, caller: Option<Caller>) -> Arc<InFlight> {
    let rare = Rare {
        idempotency_key: Some(7_u128.into()),
        ..Rare::default()
    };
    let (topic, method) = (Topic::new("t").unwrap(), Method::new("m").unwrap());
    let head = Head {
        caller: caller.map(|caller| Arc::new(caller).into()),
        rare: Some(Box::new(rare)),
        ..Head::new(Verb::Call, Exchange::DEFAULT, topic, method, Instant::now())
    };
    InFlight::from_remote(head, ear.clone(), id, 1 << 20)
}

fn enter(seen: &Seen, request: &Arc<InFlight>) -> Entered {
    seen.enter(request, IdempotencyKey::from(7_u128), b"arguments")
}

/// The run and the record of a request that nobody has asked for before.
fn new(entered: Entered) -> (Arc<Run>, Arc<InFlight>) {
    match entered {
        Entered::New(run, record) => (run, record),
        _ => panic!("it was known"),
    }
}

fn value(bytes: usize) -> Reply {
    Reply::Value(Payload::Bytes(vec![0; bytes]))
}

fn known(seen: &Seen) -> (usize, usize) {
    let state = seen.lock();
    (state.known.len(), state.bytes)
}

/// Nobody reads the answer to another by guessing its key.
#[test]
fn keys_of_different_callers_are_apart() {
    let (seen, ear) = (seen(IdempotencyWindow::default()), Arc::default());
    let user = |uid| Caller::of_transport("unix").with_credentials(uid, 1, Some(uid));
    let named = |name: &str| Caller::of_transport("tcp").with_name(name);
    let callers = [
        None,
        Some(user(1)),
        Some(user(2)),
        Some(named("a")),
        Some(named("b")),
        Some(user(1).with_name("a")),
    ];
    for (id, caller) in (0..).zip(callers.clone()) {
        let (_, record) = new(enter(&seen, &asked(&ear, id, caller)));
        record.finish(value(id as usize));
    }
    for (id, caller) in (0..).zip(callers) {
        match enter(&seen, &asked(&ear, id, caller)) {
            Entered::Done(outcome) => assert_eq!(outcome.weight(), id as usize),
            _ => panic!("the caller {id} is not known again"),
        }
    }
    // Another process of one user is the same caller.
    let process = Caller::of_transport("unix").with_credentials(1, 9, Some(77));
    let again = enter(&seen, &asked(&ear, 9, Some(process)));
    assert!(matches!(again, Entered::Done(outcome) if outcome.weight() == 1));
}

/// R: what nobody asks for again is given back when its time is over.
#[test]
fn answers_are_forgotten_though_nobody_asks() {
    let time = Duration::from_millis(20);
    let (seen, ear) = (
        seen(IdempotencyWindow::default().time(time)),
        Arc::default(),
    );
    let (_, record) = new(enter(&seen, &asked(&ear, 1, None)));
    record.finish(value(100));
    let end = Instant::now() + Duration::from_secs(20);
    while known(&seen) != (0, 0) {
        assert!(Instant::now() < end, "{:?}", known(&seen));
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(ear.heard(), [(1, Ok(100))]);
}

/// The window counts what is done; what runs is known in any case.
#[test]
fn what_runs_is_not_forgotten_for_others() {
    let window = IdempotencyWindow::default().keys(1).bytes(0);
    let (seen, ear) = (seen(window), Arc::default());
    let (run, record) = new(enter(&seen, &asked(&ear, 1, None)));
    for key in 100..110_u128 {
        let other = asked(&ear, key as u64, None);
        let (_, record) = new(seen.enter(&other, key.into(), b""));
        record.finish(value(1));
        drop((other, ear.heard()));
    }
    assert_eq!(known(&seen), (2, 1), "the one that runs, and the last");
    let Entered::Runs(same) = enter(&seen, &asked(&ear, 2, None)) else {
        panic!("it was forgotten");
    };
    assert!(Arc::ptr_eq(&run, &same));
    drop(record);
}

/// A run that ends without an answer tells all, and is no more known.
#[test]
fn a_run_that_is_lost_tells_all_and_frees_the_key() {
    let (seen, ear) = (seen(IdempotencyWindow::default()), Arc::default());
    let (run, record) = new(enter(&seen, &asked(&ear, 1, None)));
    assert!(run.attach(&asked(&ear, 2, None)).is_ok());
    assert!(record.started());
    drop(record);
    assert_eq!(
        ear.heard(),
        [(1, Err(Fate::Unknown)), (2, Err(Fate::Unknown))]
    );
    assert_eq!(known(&seen), (0, 0));
}

/// Whoever comes while it is being cancelled is to come again.
#[test]
fn a_run_that_is_being_cancelled_takes_nobody() {
    let (seen, ear) = (seen(IdempotencyWindow::default()), Arc::default());
    let first = asked(&ear, 1, None);
    let (run, record) = new(enter(&seen, &first));
    run.told_to(&first);
    assert!(record.started());
    first.abandon(CallErrorKind::Cancelled);
    assert!(record.is_cancelled());
    let late = asked(&ear, 2, None);
    let refused = run.attach(&late);
    assert!(matches!(refused, Err(CallErrorKind::Busy { .. })));
    assert!(
        ear.heard().is_empty(),
        "its slot is taken until it has ended"
    );
    record.ended(value(5));
    assert_eq!(ear.heard(), [(1, Ok(5))], "it came to its end all the same");
    // And that is what it is known by.
    assert!(matches!(
        enter(&seen, &asked(&ear, 3, None)),
        Entered::Done(_)
    ));
}

/// The caller may come back: only who wants it no more ends it.
#[test]
fn a_caller_that_is_lost_leaves_its_run_alone() {
    let (seen, ear) = (seen(IdempotencyWindow::default()), Arc::default());
    let first = asked(&ear, 1, None);
    let (run, record) = new(enter(&seen, &first));
    run.told_to(&first);
    assert!(record.started());
    first.caller_lost();
    drop(first);
    assert!(!record.is_cancelled());
    ear.heard();
    let back = asked(&ear, 2, None);
    assert!(run.attach(&back).is_ok());
    record.ended(value(5));
    assert_eq!(ear.heard(), [(2, Ok(5))]);
}

/// A caller that does not come back costs no more than the time that it had.
#[test]
fn a_run_that_nobody_comes_back_for_ends_at_its_deadline() {
    let (seen, ear) = (seen(IdempotencyWindow::default()), Arc::default());
    let first = asked(&ear, 1, None);
    let head = Head {
        deadline: Some(Instant::now() + Duration::from_millis(30)),
        ..first.head().clone()
    };
    let first = InFlight::from_remote(head, ear.clone(), 1, 1 << 20);
    let (run, record) = new(enter(&seen, &first));
    run.told_to(&first);
    run.limit();
    assert!(record.started());
    first.caller_lost();
    drop(first);
    let end = Instant::now() + Duration::from_secs(20);
    while !record.is_cancelled() {
        assert!(Instant::now() < end);
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(record);
    assert_eq!(known(&seen), (0, 0));
}

/// Those who wait for one run are bounded.
#[test]
fn a_run_takes_so_many_and_no_more() {
    let (seen, ear) = (seen(IdempotencyWindow::default()), Arc::default());
    let (run, record) = new(enter(&seen, &asked(&ear, 0, None)));
    let mut taken = 1;
    while run.attach(&asked(&ear, taken, None)).is_ok() {
        taken += 1;
        assert!(taken <= 1024);
    }
    assert_eq!(taken, 1024);
    ear.heard(); // The one too many is gone.
    record.ended(value(1));
    assert_eq!(ear.heard().len(), 1024);
}
