//! The conformance suite of tidings: what every transport must do, whatever runs it.
//!
//! A transport passes it by one line per setup. A setup is a transport, an [`Engine`] that runs its buses, and a
//! [`Layout`] that says who opens the address first:
//!
//! ```ignore
//! fn my_transport(engine: Engine, layout: Layout) -> Setup {
//!     Setup::new(MyPlugin, || Place::new("mine:somewhere-fresh"), engine, layout)
//! }
//! tidings_conformance::suite!(on_tokio, my_transport(Engine::TokioMultiThread, Layout::Apart));
//! ```
//!
//! The line becomes a module with one `#[test]` for each case. In reading order: [`setup`] is what a transport's author
//! says; [`case`](mod@case) is how one case is run, within its time limit; [`world`] is what a case has at hand;
//! [`stage`] are the gates and journals by which cases wait for states instead of sleeping; [`cases`] are the cases,
//! one file for each part of the contract; [`record`] and [`table`] tell a reader what was shown where.

pub mod case;
pub mod cases;
pub mod record;
mod registry;
pub mod setup;
pub mod stage;
pub mod table;
pub mod world;

pub use case::{Case, run};
pub use registry::CASES;
pub use setup::{Engine, Layout, Place, Setup};
pub use world::World;
