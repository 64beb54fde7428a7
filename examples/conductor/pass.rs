//! One pass over all files: each is indexed by a worker, and what came of it is saved by the conductor.

use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant};

use tidings::{
    Bus, CallError, Fate, IdempotencyKey, MethodError, Promise, PromiseError, PromiseSet, Request,
};

use crate::crew::Crew;
use crate::error::Failure;
use crate::file_path::FilePath;
use crate::interrupt;
use crate::services::{
    Advance, ConductorClient, IndexedFile, IndexerClient, ProgressClient, StoreError, Unreadable,
};

/// The clients of the front process.
pub struct Clients {
    pub conductor: ConductorClient,
    pub indexer: IndexerClient,
    pub progress: ProgressClient,
}

impl Clients {
    pub fn new(bus: &Bus) -> Self {
        Clients {
            conductor: ConductorClient::new(bus),
            indexer: IndexerClient::new(bus),
            progress: ProgressClient::new(bus),
        }
    }
}

/// How a pass sends its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// One after another: `call`, and wait for the reply.
    Call,
    /// Up to so many files on their way at the same time: `invoke`, and take the replies as they come.
    Invoke { in_flight: usize },
}

/// What a pass came to.
#[derive(Debug)]
pub struct Outcome {
    pub took: Duration,
    /// Requests that failed and were sent again.
    pub repeated: u64,
}

/// A file of a hundred gigabytes takes its time, and nobody is hurt by waiting for it.
const READING: Duration = Duration::from_secs(30 * 60);
/// How often one request is tried. A file that ends every worker that takes it must not end all of them.
const ATTEMPTS: u32 = 5;
/// How long the first failure of a request holds it back; each further one doubles it.
const HOLD_BACK: Duration = Duration::from_millis(20);
/// How often the crew is looked at while no reply comes.
const LOOK: Duration = Duration::from_millis(100);

/// A pass under way.
pub struct Pass<'a> {
    name: &'static str,
    way: Way,
    clients: &'a Clients,
    crew: &'a mut Crew,
    looked: Instant,
    total: u64,
    done: u64,
    repeated: u64,
    /// Files on their way, under what they wait for.
    under_way: PromiseSet<Job, Step, StepError>,
    /// Requests to be sent again, and when.
    held_back: VecDeque<(Instant, Job)>,
}

/// What is to be done for one file next.
#[derive(Debug, Clone)]
struct Job {
    task: Task,
    attempts: u32,
}

#[derive(Debug, Clone)]
enum Task {
    Index(FilePath),
    Save(IndexedFile),
    SaveUnreadable(Unreadable),
}

/// A task that was done.
enum Step {
    Indexed(IndexedFile),
    Saved,
}

/// A task that was not done.
enum StepError {
    Unreadable(Unreadable),
    Store(StoreError),
    Bus(CallError),
}

impl<'a> Pass<'a> {
    pub fn new(name: &'static str, way: Way, clients: &'a Clients, crew: &'a mut Crew) -> Self {
        Pass {
            name,
            way,
            clients,
            crew,
            looked: Instant::now(),
            total: 0,
            done: 0,
            repeated: 0,
            under_way: PromiseSet::new(),
            held_back: VecDeque::new(),
        }
    }

    /// Has all `files` indexed and saved.
    ///
    /// # Errors
    /// When it is interrupted, or cannot go on. What is under way is cancelled then, by dropping its promises.
    pub fn run(mut self, files: &[FilePath]) -> Result<Outcome, Failure> {
        let started = Instant::now();
        self.total = files.len() as u64;
        let at_most = match self.way {
            // A call is over when it returns: there is never more than one.
            Way::Call => 1,
            Way::Invoke { in_flight } => in_flight,
        };
        let mut files = files.iter();
        loop {
            self.send_held_back();
            while self.under_way.len() + self.held_back.len() < at_most {
                let Some(path) = files.next() else { break };
                self.send(Job::new(Task::Index(path.clone())));
            }
            self.look_round()?;
            match self.under_way.next().wait_timeout(LOOK) {
                Ok(Some((job, outcome))) => self.go_on(job, outcome)?,
                Ok(None) if self.held_back.is_empty() => break,
                Ok(None) => thread::sleep(HOLD_BACK),
                // Nothing came for a moment: look round again.
                Err(_elapsed) => {}
            }
        }
        Ok(Outcome {
            took: started.elapsed(),
            repeated: self.repeated,
        })
    }

    /// Sends a job's request, by the verb of the pass.
    fn send(&mut self, job: Job) {
        let Clients {
            conductor, indexer, ..
        } = self.clients;
        // All three are marked `idempotent`, and rightly so: reading a file changes nothing, and saving replaces what was
        // saved for the same path by the same. So when a worker dies and nobody can know how far it was (fate `Unknown`),
        // doing it again is safe, and it is retryable (C-OC). A request with an effect that adds up, say "one file
        // more", must not be marked so: then a failure of unknown fate would be for the user to decide.
        let promise = match job.task.clone() {
            Task::Index(path) => self
                .by_verb(
                    indexer
                        .index(path)
                        .timeout(READING)
                        .idempotent(IdempotencyKey::unique()),
                )
                .map(Step::Indexed)
                .map_err(StepError::from),
            Task::Save(file) => self
                .by_verb(conductor.save(file).idempotent(IdempotencyKey::unique()))
                .map(|()| Step::Saved)
                .map_err(StepError::from),
            Task::SaveUnreadable(file) => self
                .by_verb(
                    conductor
                        .save_unreadable(file)
                        .idempotent(IdempotencyKey::unique()),
                )
                .map(|()| Step::Saved)
                .map_err(StepError::from),
        };
        self.under_way.insert(job, promise);
    }

    /// The whole difference between the two ways: one waits here, the other takes a promise and goes on.
    fn by_verb<T, E>(&self, request: Request<T, MethodError<E>>) -> Promise<T, MethodError<E>>
    where
        T: serde::de::DeserializeOwned + Send + 'static,
        E: tidings::ApplicationError,
    {
        match self.way {
            Way::Call => Promise::from(request.call().wait()),
            Way::Invoke { .. } => request.invoke(),
        }
    }

    /// Does for a file what follows from the outcome of its last request.
    fn go_on(&mut self, job: Job, outcome: Result<Step, StepError>) -> Result<(), Failure> {
        match outcome {
            Ok(Step::Indexed(file)) => self.send(Job::new(Task::Save(file))),
            Ok(Step::Saved) => self.one_more_done(),
            Err(StepError::Unreadable(file)) => self.report_unreadable(file),
            Err(StepError::Store(error)) => return Err(error.into()),
            Err(StepError::Bus(error)) => self.try_again(job, error)?,
        }
        Ok(())
    }

    /// Reported at once and counted in the report, but no reason to stop: one file is not the job.
    fn report_unreadable(&mut self, file: Unreadable) {
        self.note(file.to_string());
        self.send(Job::new(Task::SaveUnreadable(file)));
    }

    /// The bus failed a request. Nothing is lost: the job is here, and is sent again where that is safe.
    fn try_again(&mut self, mut job: Job, error: CallError) -> Result<(), Failure> {
        job.attempts += 1;
        if error.is_retryable() && job.attempts < ATTEMPTS {
            self.repeated += 1;
            let wait = HOLD_BACK * (1 << (job.attempts - 1));
            self.held_back.push_back((Instant::now() + wait, job));
            return Ok(());
        }
        match (job.task, error.fate()) {
            // A handler did run, or several workers were lost on it: it is this file that cannot be read.
            (Task::Index(path), Fate::Executed | Fate::Unknown) => {
                let reason = error.to_string();
                self.report_unreadable(Unreadable { path, reason });
                Ok(())
            }
            (task, _) => {
                // Where nobody is left to do it, that is the better reason.
                self.crew.check()?;
                Err(Failure::NotDone {
                    path: task.path().clone(),
                    attempts: job.attempts,
                    error,
                })
            }
        }
    }

    fn send_held_back(&mut self) {
        for _ in 0..self.held_back.len() {
            let Some((at, job)) = self.held_back.pop_front() else {
                break;
            };
            if at <= Instant::now() {
                self.send(job);
            } else {
                self.held_back.push_back((at, job));
            }
        }
    }

    /// Whether the run may go on, looked at now and then: it costs system calls.
    fn look_round(&mut self) -> Result<(), Failure> {
        if self.looked.elapsed() < LOOK {
            return Ok(());
        }
        self.looked = Instant::now();
        interrupt::check()?;
        for news in self.crew.check()? {
            self.note(news);
        }
        Ok(())
    }

    fn one_more_done(&mut self) {
        self.done += 1;
        let advance = Advance {
            pass: self.name.into(),
            done: self.done,
            total: self.total,
        };
        // Full means that the display is behind: the next one tells it all.
        let _ = self.clients.progress.advanced(advance).cast();
    }

    /// A line for the user, which must not be lost: it waits for room. That it cannot be shown is no reason to stop.
    fn note(&self, text: String) {
        let _ = self.clients.progress.note(text).cast_when_room().wait();
    }
}

impl Job {
    fn new(task: Task) -> Self {
        Job { task, attempts: 0 }
    }
}

impl Task {
    fn path(&self) -> &FilePath {
        match self {
            Task::Index(path) => path,
            Task::Save(file) => &file.path,
            Task::SaveUnreadable(file) => &file.path,
        }
    }
}

impl From<MethodError<Unreadable>> for StepError {
    fn from(error: MethodError<Unreadable>) -> Self {
        match error {
            MethodError::Application(error) => StepError::Unreadable(error),
            MethodError::Call(error) => StepError::Bus(error),
        }
    }
}

impl From<MethodError<StoreError>> for StepError {
    fn from(error: MethodError<StoreError>) -> Self {
        match error {
            MethodError::Application(error) => StepError::Store(error),
            MethodError::Call(error) => StepError::Bus(error),
        }
    }
}

impl From<PromiseError> for StepError {
    fn from(error: PromiseError) -> Self {
        StepError::Bus(error.into())
    }
}
