//! Many promises that are awaited together, on tokio: they pend first, and are completed then.

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::pin;
use std::task::Poll;

use tidings::promise::all;
use tidings::{Promise, PromiseError};

use crate::arguments::Arguments;
use crate::harness::{Case, Group};
use crate::runtimes::Driver;
use crate::target::Target;

const JOINED: u64 = 1024;
const ALL: &str = "tidings, `all`";
const IN_ORDER: &str = "tidings, awaited in order";
#[cfg(feature = "peers")]
const JOIN_ALL: &str = "tidings, `join_all` of futures";
#[cfg(feature = "peers")]
const ONESHOT: &str = "the `oneshot` crate, `join_all`";
const TOKIO_JOINED: &str = "tokio's oneshot, `join_all`";

pub(super) fn run(arguments: &Arguments) {
    let group = Group::new(format!("Promise: a join of {JOINED}, for each"))
        .case(ours_all())
        .case(ours_in_order());
    #[cfg(feature = "peers")]
    let group = group.cases([peers::ours(), peers::oneshot(), peers::tokio()]);
    group
        .target(Target::times(ALL, 1.0, TOKIO_JOINED))
        .target(Target::times(IN_ORDER, 1.0, TOKIO_JOINED))
        .run(arguments);
}

/// Awaits `joined`, and has `complete` run once it pends.
async fn completed_when_pending<T>(joined: impl Future<Output = T>, complete: impl FnOnce()) -> T {
    let mut joined = pin!(joined);
    let mut complete = Some(complete);
    poll_fn(|cx| {
        let polled = joined.as_mut().poll(cx);
        match (polled, complete.take()) {
            (Poll::Pending, Some(complete)) => {
                complete();
                joined.as_mut().poll(cx)
            }
            (polled, _) => polled,
        }
    })
    .await
}

fn joins(name: &str, join: impl Fn(&Driver) + 'static) -> Case {
    let driver = Driver::tokio();
    let run = move |operations| {
        for _ in 0..operations / JOINED {
            join(&driver);
        }
    };
    Case::new(name, run).in_grains_of(JOINED)
}

fn channels<S, R>(channel: impl Fn() -> (S, R)) -> (Vec<S>, Vec<R>) {
    (0..JOINED).map(|_| channel()).unzip()
}

fn ours_all() -> Case {
    joins(ALL, |driver| {
        let (completers, promises) = channels(Promise::<u64, PromiseError>::channel);
        let complete = || {
            for completer in completers {
                completer.complete(black_box(1)).expect("somebody listens");
            }
        };
        let values = driver.block_on(completed_when_pending(all(promises), complete));
        black_box(values).expect("all were completed");
    })
}

fn ours_in_order() -> Case {
    joins(IN_ORDER, |driver| {
        let (completers, promises) = channels(Promise::<u64, PromiseError>::channel);
        let complete = || {
            for completer in completers {
                completer.complete(black_box(1)).expect("somebody listens");
            }
        };
        let in_order = async {
            let mut values = Vec::with_capacity(promises.len());
            for promise in promises {
                values.push(promise.await.expect("it was completed"));
            }
            values
        };
        black_box(driver.block_on(completed_when_pending(in_order, complete)));
    })
}

#[cfg(feature = "peers")]
mod peers {
    use futures_util::future::join_all;

    use super::*;

    pub(super) fn ours() -> Case {
        joins(JOIN_ALL, |driver| {
            let (completers, promises) = channels(Promise::<u64, PromiseError>::channel);
            let complete = || {
                for completer in completers {
                    completer.complete(black_box(1)).expect("somebody listens");
                }
            };
            black_box(driver.block_on(completed_when_pending(join_all(promises), complete)));
        })
    }

    pub(super) fn oneshot() -> Case {
        joins(ONESHOT, |driver| {
            let (senders, receivers) = channels(oneshot::async_channel::<u64>);
            let complete = || {
                for sender in senders {
                    sender.send(black_box(1)).expect("somebody listens");
                }
            };
            black_box(driver.block_on(completed_when_pending(join_all(receivers), complete)));
        })
    }

    pub(super) fn tokio() -> Case {
        joins(TOKIO_JOINED, |driver| {
            let (senders, receivers) = channels(tokio::sync::oneshot::channel::<u64>);
            let complete = || {
                for sender in senders {
                    sender.send(black_box(1)).expect("somebody listens");
                }
            };
            black_box(driver.block_on(completed_when_pending(join_all(receivers), complete)));
        })
    }
}
