//! The result of something that is already on its way.
//!
//! In reading order: the [`Promise`] and its [`Completer`]; waiting without a runtime
//! ([`WaitExt`]); [`Shared`]; many promises at once ([`PromiseSet`] and the combinators on it);
//! and below them the cell in which the two ends meet.

mod callback;
#[doc(hidden)]
#[allow(unsafe_code)]
pub mod cell;
mod combine;
mod completer;
mod error;
mod handle;
#[doc(hidden)]
pub mod outcome;
#[doc(hidden)]
pub mod seam;
mod set;
mod shared;
mod source;
mod wait;

pub use combine::{All, AllSettled, Any, Race, all, all_settled, any, as_completed, race};
pub use completer::Completer;
pub use error::{PromiseError, WaitError};
pub use handle::Promise;
pub use set::{Completed, Next, PromiseSet};
pub use shared::Shared;
pub use wait::WaitExt;
