//! Runs the cases of a group in turn, and takes their figures.

mod case;
mod group;
mod laps;
mod target;

pub use case::Case;
pub use group::Group;
pub use laps::{Lap, Laps};
pub use target::Target;
