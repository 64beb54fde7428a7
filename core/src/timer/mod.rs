//! Deadlines: the one timer facility of the bus.
//!
//! [`Timers`] holds every armed deadline of a bus in a timing wheel: arming and disarming touch a
//! few words under a short lock, whatever their number, and a disarmed deadline is gone at once,
//! so that the size is the number of requests in flight. What turns the wheel is a task where the
//! runtime has a timer, else the thread `tidings-timer`, which is one for the whole process,
//! starts with the first deadline and ends with the last bus that used it.

mod sleep;
mod task;
mod thread;
mod ticks;
mod timers;
mod wheel;

pub use timers::{Expire, Expiry, TimerKey, Timers, TimersGone};

pub(crate) use sleep::{abandoned, sleep, sleepers};
pub(crate) use ticks::Ticks;
