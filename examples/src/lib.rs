//! The examples of tidings, in reading order:
//!
//! * `01_call_cast_invoke`: the three verbs, untyped, in one process.
//! * `02_typed_service`: one trait gives server, client and every verb.
//! * `03_promises`: waiting for many answers at once.
//! * `04_context`: deadlines, cancellation and headers.
//! * `conductor`: several processes that do a real job, as a model for a program of your own.
//!
//! Each is run by `cargo run --example NAME`; the numbered ones check their own results.
