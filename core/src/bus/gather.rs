//! A call to every server on a topic: the list of them first, then one call to each.
//!
//! To the transport these are calls like any others, so that deadlines, cancelling and fates are theirs. The list is
//! asked for at once; the calls leave as soon as it is there, on the thread that brings it.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use crate::bus::core::BusCore;
use crate::bus::dispatched::Dispatched;
use crate::bus::draft::Draft;
use crate::bus::{Delivery, Head, InFlight, Rare, Reach, Verb};
use crate::codec::CodecId;
use crate::context::Context;
use crate::error::{CallError, CallErrorKind, Fate, ReplyError, Stage};
use crate::name::{Method, ServerName};
use crate::payload::{Payload, SharedBytes};
use crate::promise::seam::{Asked as _, CancelCause};
use crate::promise::{Promise, PromiseError, PromiseSet, WaitError};

/// Calls of one gather that are on their way at a time: far below what a connection's queue holds. Where there are more
/// servers, the others' turn comes as answers are taken.
const AT_A_TIME: usize = 256;

/// How long after the deadline a waiter waits for the bus to say so.
const SLACK: Duration = Duration::from_millis(20);

/// A call to every server on a topic, on its way. Made by [`FanoutRequest::gather`](crate::FanoutRequest::gather).
///
/// It resolves to the [`Answers`] once it is known who is asked; it is a future, and can be [waited on](Self::wait).
/// Dropping it cancels all of it.
#[must_use = "dropped, it cancels the calls"]
pub struct Gather<T, E = CallError> {
    answers: Promise<Answers<T, E>>,
    /// The request for the list, unless it failed before.
    list: Option<Arc<InFlight>>,
}

impl<T, E> Gather<T, E>
where
    T: DeserializeOwned + Send + 'static,
    E: ReplyError,
{
    pub(super) fn start(draft: Draft) -> Self {
        let failed = |error| Gather {
            answers: Promise::failed(error),
            list: None,
        };
        let parent = Context::current();
        let (bus, request, payload) = match draft.into_delivery(Verb::Call) {
            Ok((bus, delivery)) => {
                let (request, payload) = delivery.into_parts();
                (bus, request, payload)
            }
            Err(error) => return failed(error),
        };
        let codec = request.head().codec;
        let question = Question {
            bus,
            parent,
            // It was encoded before: each server gets a value of its own (C-VB-6).
            payload: payload.share(codec),
            request,
        };
        let list = question.in_flight(Head {
            reach: Reach::Registry,
            method: Method::SERVERS,
            codec: CodecId::POSTCARD,
            rare: Rare::of_namespace(question.request.head().namespace()),
            ..question.request.head().clone()
        });
        let delivery = Delivery::new(list.clone(), Payload::Bytes(Vec::new()));
        let asked: Promise<Vec<String>> = Dispatched::queued(&question.bus, delivery).promise(None);
        let (completer, answers) = Promise::channel();
        asked.on_ready(move |listed| {
            if completer.is_cancelled() {
                return;
            }
            // Given back where nobody waits any more: dropped, which cancels the calls.
            match question.ask(listed) {
                Ok(answers) => drop(completer.complete(answers)),
                Err(error) => drop(completer.fail(error)),
            }
        });
        Gather {
            answers,
            list: Some(list),
        }
    }

    /// Blocks until it is known who is asked; no runtime is needed.
    ///
    /// # Errors
    /// Why nobody was asked: `NoServer`, or what any call may fail with before it reaches a server.
    pub fn wait(mut self) -> Result<Answers<T, E>, CallError> {
        let deadline = self.list.as_ref().and_then(|list| list.head().deadline);
        if let Some(until) = deadline.and_then(|at| at.checked_add(SLACK)) {
            if let Some(outcome) = self.answers.wait_deadline(until) {
                return outcome;
            }
            // Nobody drives the runtime that keeps its time.
            self.cancel(CancelCause::Late);
        }
        let answers = std::mem::replace(&mut self.answers, Promise::failed(taken()));
        answers.wait()
    }
}

impl<T, E> Gather<T, E> {
    fn cancel(&self, cause: CancelCause) {
        if let Some(list) = &self.list {
            list.cancel(cause);
        }
    }
}

fn taken() -> CallError {
    PromiseError::Taken.into()
}

impl<T, E> Future for Gather<T, E> {
    type Output = Result<Answers<T, E>, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.answers).poll(cx)
    }
}

impl<T, E> Drop for Gather<T, E> {
    fn drop(&mut self) {
        self.cancel(CancelCause::Dropped);
    }
}

impl<T, E> fmt::Debug for Gather<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gather").field(&self.answers).finish()
    }
}

/// Why nobody was asked, told of the request: no call has left.
fn unasked(request: &InFlight, error: &CallError) -> CallError {
    let fate = match error.fate() {
        Fate::NotExecuted => Fate::NotExecuted,
        _ => Fate::NotSent,
    };
    request.told(CallError::new(error.kind().clone(), fate, error.stage()))
}

/// What every server is asked.
struct Question {
    bus: Arc<BusCore>,
    /// The handler that asks, if one does: what it asked ends with it (C-DL-3).
    parent: Option<Context>,
    request: Arc<InFlight>,
    payload: SharedBytes,
}

impl Question {
    fn ask<T, E>(self, listed: Result<Vec<String>, CallError>) -> Result<Answers<T, E>, CallError>
    where
        T: DeserializeOwned + Send + 'static,
        E: ReplyError,
    {
        let names = listed.map_err(|error| unasked(&self.request, &error))?;
        let servers = names
            .into_iter()
            .map(|name| {
                Ok(Asked {
                    name: ServerName::new(name)?,
                    call: Weak::<InFlight>::new(),
                    answered: false,
                })
            })
            .collect::<Result<_, CallError>>()?;
        let mut answers = Answers {
            question: self,
            servers,
            sent: 0,
            outstanding: PromiseSet::new(),
            refused: false,
        };
        answers.send_on();
        Ok(answers)
    }

    /// One server's call.
    fn call(&self, server: ServerName) -> Result<Delivery, CallError> {
        let template = self.request.head();
        let call = self.in_flight(Head {
            server: Some(server),
            wait_for_server: false, // It was there: if it has gone, it is not coming.
            ..template.clone()
        });
        let unsent = if template.is_late(Instant::now()) {
            Some(template.too_late())
        } else {
            (self.bus.phase() == super::Phase::Closed).then_some(CallErrorKind::Closed)
        };
        match unsent {
            Some(kind) => Err(call.told(CallError::new(kind, Fate::NotSent, Stage::Preparing))),
            None => Ok(Delivery::new(call, self.payload.copy())),
        }
    }

    /// The record of one of the calls that it takes.
    fn in_flight(&self, head: Head) -> Arc<InFlight> {
        let capabilities = self.bus.capabilities();
        let encode_replies = (!capabilities.moves_values).then_some(capabilities.max_message);
        let parent = self.parent.as_ref().map(|parent| &**parent.in_flight());
        InFlight::new(head, encode_replies, parent)
    }
}

/// One of the servers.
struct Asked {
    name: ServerName,
    call: Weak<InFlight>,
    answered: bool,
}

/// What the servers of a topic answer, each one once, in the order in which it arrives: with its value, with its error,
/// or with what became of its call (lost, cancelled, refused, out of time).
///
/// A stream for async code ([`next`](Self::next), [`poll_next`](Self::poll_next)), and for any other an iterator that
/// blocks. It ends when every server has its answer, at the request's deadline at the latest. Dropping it cancels what is
/// outstanding, at every server.
///
/// At most 256 of the calls are on their way at a time; with more servers, the others' turn comes as answers are taken.
///
/// It is no `futures::Stream`, which would take a crate; `futures::stream::poll_fn(move |cx| answers.poll_next(cx))`
/// makes one of it.
#[must_use = "dropped, it cancels the calls that have no answer yet"]
pub struct Answers<T, E = CallError> {
    question: Question,
    servers: Vec<Asked>,
    /// How many of them were called, from the first on.
    sent: usize,
    /// By their place among the servers.
    outstanding: PromiseSet<usize, T, E>,
    /// A wait was refused: the others' calls are given up.
    refused: bool,
}

impl<T, E> Answers<T, E>
where
    T: DeserializeOwned + Send + 'static,
    E: ReplyError,
{
    /// The next answer, with the name of its server; `None` when there are no more. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<(ServerName, Result<T, E>)> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// [`next`](Self::next) as a poll function.
    pub fn poll_next(
        &mut self,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<(ServerName, Result<T, E>)>> {
        if self.refused {
            return Poll::Ready(self.next_refused());
        }
        self.send_on();
        match self.outstanding.poll_next(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(answer) => Poll::Ready(answer.map(|answer| self.answered(answer))),
        }
    }

    /// How many servers have no answer yet that was taken.
    pub fn remaining(&self) -> usize {
        self.servers
            .iter()
            .filter(|server| !server.answered)
            .count()
    }

    /// [`next`](Self::next), blocking.
    fn wait_next(&mut self) -> Option<(ServerName, Result<T, E>)> {
        while !self.refused {
            self.send_on();
            let next = self.outstanding.next();
            let waited = match self.question.request.remaining(Instant::now()) {
                Some(left) => next.wait_timeout(left.saturating_add(SLACK)),
                None => next.wait(),
            };
            match waited {
                Ok(answer) => return answer.map(|answer| self.answered(answer)),
                // Nobody drives the runtime that keeps its time.
                Err(WaitError::Elapsed) => self
                    .servers
                    .iter()
                    .filter_map(|asked| asked.call.upgrade())
                    .for_each(|call| call.cancel(CancelCause::Late)),
                Err(_) => {
                    self.refused = true;
                    self.outstanding = PromiseSet::new();
                }
            }
        }
        self.next_refused()
    }

    /// Calls as many more servers as may be on their way.
    fn send_on(&mut self) {
        while self.outstanding.len() < AT_A_TIME {
            let Some(asked) = self.servers.get_mut(self.sent) else {
                return;
            };
            let promise = match self.question.call(asked.name.clone()) {
                Ok(delivery) => {
                    asked.call = Arc::downgrade(delivery.in_flight());
                    Dispatched::queued(&self.question.bus, delivery).promise(None)
                }
                Err(error) => Promise::failed(error.into()),
            };
            self.outstanding.insert(self.sent, promise);
            self.sent += 1;
        }
    }

    fn answered(&mut self, (place, result): (usize, Result<T, E>)) -> (ServerName, Result<T, E>) {
        let server = &mut self.servers[place];
        server.answered = true;
        (server.name.clone(), result)
    }

    fn next_refused(&mut self) -> Option<(ServerName, Result<T, E>)> {
        let place = self.servers.iter().position(|server| !server.answered)?;
        Some(self.answered((place, Err(PromiseError::WouldBlock.into()))))
    }
}

/// Blocks for each answer; no runtime is needed. Where waiting would stall a runtime, each server that has no answer yet
/// is told with `WouldBlock`, and its call cancelled: there, await [`Answers::next`].
impl<T, E> IntoIterator for Answers<T, E>
where
    T: DeserializeOwned + Send + 'static,
    E: ReplyError,
{
    type Item = (ServerName, Result<T, E>);
    type IntoIter = IntoIter<T, E>;

    fn into_iter(self) -> IntoIter<T, E> {
        IntoIter(self)
    }
}

/// The answers of a gather, waited for one by one. Made by `into_iter` of [`Answers`].
#[must_use = "dropped, it cancels the calls that have no answer yet"]
pub struct IntoIter<T, E = CallError>(Answers<T, E>);

impl<T, E> Iterator for IntoIter<T, E>
where
    T: DeserializeOwned + Send + 'static,
    E: ReplyError,
{
    type Item = (ServerName, Result<T, E>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.wait_next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.0.remaining();
        (left, Some(left))
    }
}

impl<T, E> fmt::Debug for Answers<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers")
            .field("servers", &self.servers.len())
            .field("on_their_way", &self.outstanding.len())
            .finish_non_exhaustive()
    }
}

impl<T, E> fmt::Debug for IntoIter<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IntoIter").field(&self.0).finish()
    }
}
