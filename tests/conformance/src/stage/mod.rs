//! What cases wait by: states, not time.

mod eventually;
mod gate;
mod journal;
mod types;

pub use eventually::eventually;
pub use gate::Gate;
pub use journal::{Journal, NoteOnDrop};
pub use types::{Nested, NotDivisible, Unencodable};
