//! One request in flight, as one process sees it: from being made to the moment its outcome is decided.
//!
//! The record is shared by whoever may decide the outcome or ask for the end of it: the promise (which may be dropped),
//! the timer, the queue it waits in, the handler that runs it, the connection it left by. The outcome is decided once,
//! by whoever comes first. Wakers, promises and users' values are touched outside the lock.
//!
//! At a process that serves a request for another one, the record's port is the connection it came by: there the end
//! is told when the handler has *ended*, not when a cancel arrives, because a slot in a limit is freed only then (C-DL-4).
//!
//! In reading order: the record and the two things that change in it, its place and its port; how it is made, goes from place
//! to place, is given up and ends; and who else may end it or keeps it alive: its deadline, its promise, its heartbeats.

mod asked;
mod deadline;
mod ending;
mod giving_up;
mod making;
mod moves;
mod place;
mod port;
mod pulse;
mod record;

pub use place::{Forwarded, Withdraw};
pub use port::ReplyTo;
pub use record::InFlight;
