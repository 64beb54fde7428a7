//! A server that says nothing more: what its caller is told, and when (C-DL-6).

use std::sync::{Arc, Condvar, Mutex};
use std::task::Context;
use std::time::{Duration, Instant};

use tidings_core::bus::{Delivery, Forwarded, InFlight};
use tidings_core::error::CallError;
use tidings_core::payload::Payload;
use tidings_core::reply::Reply;
use tidings_core::runtime::{self, Runtime};
use tidings_core::server::{Mode, NotAccepted, Sent, ServerCore};
use tidings_core::transport::{Capabilities, OpenOptions, Plugin, Transport};
use tidings_core::{
    Address, Bus, CallErrorKind, Fate, IdempotencyKey, OpenError, Promise, Retry, ServeError, Stage,
};

const HEARTBEAT: Duration = Duration::from_millis(400);
const LONG: Duration = Duration::from_secs(20);

/// Takes requests and does nothing with them: a server that has just died.
#[derive(Default)]
struct Hole {
    taken: Mutex<Vec<(Arc<InFlight>, Payload)>>,
    came: Condvar,
    told: Mutex<Vec<(&'static str, u64)>>,
    /// Requests stay in a queue of this process.
    keeps_here: bool,
}

impl Hole {
    fn wait_for(&self, count: usize) -> Arc<InFlight> {
        let mut taken = self.taken.lock().unwrap();
        while taken.len() < count {
            taken = self.came.wait(taken).unwrap();
        }
        taken[count - 1].0.clone()
    }

    fn told(&self) -> Vec<(&'static str, u64)> {
        std::mem::take(&mut self.told.lock().unwrap())
    }
}

impl Forwarded for Hole {
    fn cancel(&self, id: u64) {
        self.told.lock().unwrap().push(("cancel", id));
    }
    fn leave(&self, id: u64) {
        self.told.lock().unwrap().push(("leave", id));
    }
}

struct Holes(Arc<Hole>, Arc<dyn Runtime>);

impl Plugin for Holes {
    fn scheme(&self) -> &'static str {
        "hole"
    }
    fn open(&self, _: &Address, _: &OpenOptions) -> Result<Arc<dyn Transport>, OpenError> {
        Ok(Arc::new(Holes(self.0.clone(), self.1.clone())))
    }
}

impl Transport for Holes {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            moves_values: false,
            max_message: 1 << 20,
        }
    }
    fn runtime(&self) -> &Arc<dyn Runtime> {
        &self.1
    }
    fn send(&self, delivery: Delivery, _: Mode) -> Result<Sent, NotAccepted> {
        let (in_flight, payload) = delivery.into_parts();
        let mut taken = self.0.taken.lock().unwrap();
        if self.0.keeps_here {
            in_flight.into_outbox();
        } else {
            in_flight.forwarded(self.0.clone(), taken.len() as u64);
        }
        taken.push((in_flight, payload));
        self.0.came.notify_all();
        Ok(Sent::OnItsWay)
    }
    fn wait_for_room(&self, _: &Delivery, cx: &mut Context<'_>) {
        cx.waker().wake_by_ref();
    }
    fn bind(&self, _: Arc<ServerCore>) -> Result<(), ServeError> {
        Ok(())
    }
    fn unbind(&self, _: &Arc<ServerCore>) {}
    fn close(&self) {}
}

fn open_on(runtime: Arc<dyn Runtime>, keeps_here: bool) -> (Bus, Arc<Hole>) {
    let hole = Arc::new(Hole {
        keeps_here,
        ..Hole::default()
    });
    let plugin = Holes(hole.clone(), runtime);
    let bus = Bus::builder().open_with(&plugin, "hole:").unwrap();
    (bus, hole)
}

fn open(keeps_here: bool) -> (Bus, Arc<Hole>) {
    open_on(runtime::pool(), keeps_here)
}

fn lost(error: &CallError) -> bool {
    matches!(error.kind(), CallErrorKind::ServerLost { heartbeat } if *heartbeat == HEARTBEAT)
}

fn answer(request: &InFlight) {
    request.finish(Reply::Value(Payload::value(())));
}

#[test]
fn a_call_that_nobody_beats_for_is_lost_long_before_its_deadline() {
    let (bus, hole) = open(false);
    let begin = Instant::now();
    let request = bus.request::<()>("topic.stay", &());
    let error = request.no_timeout().heartbeat(HEARTBEAT).wait();
    let error = error.unwrap_err();
    assert!(lost(&error), "{error}");
    assert_eq!((error.fate(), error.stage()), (Fate::Unknown, Stage::Sent));
    assert!(!error.is_retryable());
    assert!(begin.elapsed() >= HEARTBEAT && begin.elapsed() < LONG);
    assert_eq!(hole.told(), [("cancel", 0)]);
    assert_eq!(bus.in_flight(), 0);
}

/// C-OC: where it stood is what is told.
#[test]
fn a_call_that_never_left_is_told_so() {
    let (bus, _hole) = open(true);
    let request = bus.request::<()>("topic.stay", &());
    let error = request.heartbeat(HEARTBEAT).invoke().wait().unwrap_err();
    assert!(lost(&error), "{error}");
    let stood = (error.fate(), error.stage());
    assert_eq!(stood, (Fate::NotSent, Stage::QueuedHere));
}

#[test]
fn each_beat_gives_it_its_time_again() {
    let (bus, hole) = open(false);
    let request = bus.request::<()>("topic.stay", &());
    let mut call = request.no_timeout().heartbeat(HEARTBEAT).invoke();
    let served = hole.wait_for(1);
    let until = Instant::now() + 4 * HEARTBEAT;
    while Instant::now() < until {
        served.beat();
        assert!(call.wait_timeout(HEARTBEAT / 8).is_none());
    }
    let silent = Instant::now();
    let error = call.wait().unwrap_err();
    assert!(lost(&error), "{error}");
    assert!(
        silent.elapsed() >= HEARTBEAT * 3 / 4,
        "not by the time of the first"
    );
}

/// A server that only seemed dead is not kept from what will be asked for again.
#[test]
fn a_call_with_a_key_is_left_and_not_cancelled() {
    let (bus, hole) = open(false);
    let request = bus.request::<()>("topic.stay", &()).idempotent("key");
    let error = request.heartbeat(HEARTBEAT).invoke().wait().unwrap_err();
    assert!(lost(&error) && error.is_retryable(), "{error}");
    assert_eq!(hole.told(), [("leave", 0)]);
    // Who gives it up otherwise cancels it.
    let request = bus.request::<()>("topic.stay", &()).idempotent("key");
    drop(request.heartbeat(HEARTBEAT).invoke());
    assert_eq!(hole.told(), [("cancel", 1)]);
}

#[test]
fn a_reply_ends_the_watch() {
    let (bus, hole) = open(false);
    let request = bus.request::<()>("topic.stay", &());
    let call = request.heartbeat(HEARTBEAT).invoke();
    answer(&hole.wait_for(1));
    std::thread::sleep(2 * HEARTBEAT);
    hole.wait_for(1).beat();
    call.wait().unwrap();
    assert!(hole.told().is_empty());
}

/// C-VB-5: with a key, and with none.
#[test]
fn a_lost_call_is_tried_again_if_it_has_a_key() {
    let (bus, hole) = open(false);
    let ask = |key: Option<IdempotencyKey>| -> Promise<()> {
        let mut request = bus.request("topic.stay", &()).heartbeat(HEARTBEAT);
        if let Some(key) = key {
            request = request.idempotent(key);
        }
        request.retry(Retry::new()).invoke()
    };
    let call = ask(Some(IdempotencyKey::unique()));
    let first = hole.wait_for(1).head().idempotency_key();
    let second = hole.wait_for(2);
    assert_eq!(second.head().idempotency_key(), first, "the same key");
    answer(&second);
    call.wait().unwrap();
    let error = ask(None).wait().unwrap_err();
    assert!(lost(&error) && error.attempts() == 1, "{error}");
}

/// One of several attempts may have reached a handler: so it is said.
#[test]
fn the_fate_of_all_attempts_is_not_stronger_than_that_of_one() {
    let (bus, hole) = open(false);
    let request = bus.request::<()>("topic.stay", &()).idempotent("key");
    let request = request.heartbeat(HEARTBEAT).retry(Retry::new().attempts(2));
    let call = request.invoke();
    let _lost = hole.wait_for(1);
    let refused = CallError::new(
        CallErrorKind::ShuttingDown,
        Fate::NotExecuted,
        Stage::Accepted,
    );
    hole.wait_for(2).finish(Reply::Failed(refused));
    let error = call.wait().unwrap_err();
    assert!(
        matches!(error.kind(), CallErrorKind::ShuttingDown),
        "{error}"
    );
    assert_eq!((error.fate(), error.attempts()), (Fate::Unknown, 2));
}

/// A caller whose executor stood still reads what has come before it calls its server dead.
#[cfg(feature = "tokio")]
#[test]
fn a_caller_that_stood_still_does_not_blame_its_server() {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let handle = runtime::tokio::handle(tokio.handle().clone());
    let (bus, hole) = open_on(handle, false);
    let request = bus.request::<()>("topic.stay", &());
    let mut call = request.no_timeout().heartbeat(HEARTBEAT).invoke();
    let served = hole.wait_for(1);
    let run = |time| {
        tokio.block_on(async {
            let waited = tokio::time::timeout(time, &mut call).await;
            waited.is_err()
        })
    };
    let mut run = run;
    assert!(run(HEARTBEAT / 8));
    std::thread::sleep(5 * HEARTBEAT); // Nobody drives it.
    assert!(
        run(HEARTBEAT / 4),
        "its first look after that is one part of its time"
    );
    served.beat();
    assert!(run(HEARTBEAT / 2), "and what came then counts");
    assert!(!run(LONG), "without a beat it is lost all the same");
}
