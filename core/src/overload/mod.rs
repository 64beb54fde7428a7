//! What happens when there is more than can be taken: policies and hints, the same for every queue (C-OV).

mod budget;
mod parked;
mod retry;
mod tally;
mod when_full;

pub use budget::MemoryBudget;
pub(crate) use budget::{Charge, DEFAULT_BUDGET};
pub(crate) use parked::{Parked, Way};
pub(crate) use retry::retry_after;
pub use tally::BusStats;
pub(crate) use tally::Tally;
pub use when_full::WhenFull;
