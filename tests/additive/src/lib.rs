//! Nothing but tests: see `tests/both.rs`.
