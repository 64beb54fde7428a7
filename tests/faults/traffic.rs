//! The load: a stream of requests of all kinds, with what became of each.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tidings::{Bus, CallError, Fate};

use crate::engine::until;
use crate::roles::{End, Order};

/// What a caller was told of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    /// The right answer came.
    Answered,
    Failed(Fate),
}

/// Which kinds of requests there are in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mix {
    /// Some have too little time, some are given up at once, some end in an error or a panic.
    All,
    /// All have time, and are answered unless something goes wrong.
    Answered,
}

/// How much of it there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flow {
    /// Requests in flight at a time.
    pub(crate) window: usize,
    /// How many are sent at once, and the time between.
    pub(crate) at_once: u64,
    pub(crate) pace: Duration,
}

/// What one process makes when it is the only one.
const STRONG: Flow = Flow {
    window: 96,
    at_once: 2,
    pace: Duration::from_micros(500),
};

/// Less time than most requests need.
const TOO_LITTLE: Duration = Duration::from_millis(3);

/// A thread that sends requests one after the other until it is finished.
pub(crate) struct Traffic {
    ledger: Arc<Ledger>,
    finish: Arc<AtomicBool>,
    sender: JoinHandle<()>,
}

/// One request of the load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(crate) sent: Instant,
    pub(crate) settled: Option<(Instant, Outcome)>,
}

#[derive(Default)]
struct Ledger(Mutex<Book>);

#[derive(Default)]
struct Book {
    entries: HashMap<u64, Entry>,
    settled: usize,
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sent(&self, id: u64) {
        let sent = Instant::now();
        let entry = Entry {
            id,
            sent,
            settled: None,
        };
        self.lock().entries.insert(id, entry);
    }

    fn settled(&self, id: u64, outcome: Outcome) {
        let now = Instant::now();
        let mut book = self.lock();
        book.settled += 1;
        let entry = book.entries.get_mut(&id).unwrap();
        assert!(entry.settled.is_none(), "{id} has two outcomes");
        entry.settled = Some((now, outcome));
    }

    fn in_flight(&self) -> usize {
        let book = self.lock();
        book.entries.len() - book.settled
    }
}

impl Traffic {
    /// Starts sending to `work.run`, with ids from `first` on. `note` hears of each outcome as it comes.
    pub(crate) fn start(
        bus: &Bus,
        first: u64,
        mix: Mix,
        note: impl Fn(u64, Outcome) + Send + Sync + 'static,
    ) -> Traffic {
        Traffic::flowing(STRONG, bus, first, mix, note)
    }

    /// The same, as much as `flow` says.
    pub(crate) fn flowing(
        flow: Flow,
        bus: &Bus,
        first: u64,
        mix: Mix,
        note: impl Fn(u64, Outcome) + Send + Sync + 'static,
    ) -> Traffic {
        let ledger = Arc::new(Ledger::default());
        let finish = Arc::new(AtomicBool::new(false));
        let (bus, note) = (bus.clone(), Arc::new(note));
        let (book, over) = (ledger.clone(), finish.clone());
        let sender = std::thread::spawn(move || {
            let mut ids = first..;
            while !over.load(Ordering::Relaxed) {
                if book.in_flight() < flow.window {
                    for id in ids.by_ref().take(flow.at_once as usize) {
                        send(&bus, id, mix, &book, &note);
                    }
                }
                std::thread::sleep(flow.pace);
            }
        });
        Traffic {
            ledger,
            finish,
            sender,
        }
    }

    pub(crate) fn sent(&self) -> usize {
        self.ledger.lock().entries.len()
    }

    /// Waits until `more` requests have been sent from now on.
    pub(crate) fn until_sent(&self, more: usize) {
        let enough = self.sent() + more;
        until("the load goes on", || self.sent() >= enough);
    }

    /// Waits until `more` requests have got an outcome from now on.
    pub(crate) fn until_settled(&self, more: usize) {
        let settled = || self.ledger.lock().settled;
        let enough = settled() + more;
        until("requests get their outcomes", || settled() >= enough);
    }

    /// Stops sending, waits until each request has its outcome, and returns them all.
    pub(crate) fn finish(self) -> Vec<Entry> {
        self.finish.store(true, Ordering::Relaxed);
        self.sender.join().unwrap();
        until("every promise resolves", || self.ledger.in_flight() == 0);
        self.ledger.lock().entries.values().copied().collect()
    }
}

fn send(
    bus: &Bus,
    id: u64,
    mix: Mix,
    ledger: &Arc<Ledger>,
    note: &Arc<impl Fn(u64, Outcome) + Send + Sync + 'static>,
) {
    let kind = if mix == Mix::All { id % 16 } else { 0 };
    let end = match kind {
        7 => End::Error,
        11 => End::Panic,
        _ => End::Answer,
    };
    let micros = id % 5 * 1000;
    let order = Order { id, micros, end };
    let mut request = bus.request::<u64>("work.run", &order);
    if kind == 3 {
        request = request.timeout(TOO_LITTLE);
    }
    if kind == 5 {
        drop(request.invoke()); // Nobody is told: it only must not run twice.
        return;
    }
    ledger.sent(id);
    let (ledger, note) = (ledger.clone(), note.clone());
    request.invoke().on_ready(move |result| {
        let outcome = outcome(id, &result);
        note(id, outcome);
        ledger.settled(id, outcome);
    });
}

fn outcome(id: u64, result: &Result<u64, CallError>) -> Outcome {
    match result {
        Ok(answer) => {
            assert_eq!(*answer, id, "the answer to another request");
            Outcome::Answered
        }
        Err(error) => Outcome::Failed(error.fate()),
    }
}
