//! loom models of what two or more threads do to one promise, mailbox or doorbell.
//!
//! Each is named for its interleaving and says which outcomes there are; a model that never
//! produced one of them proves nothing, and fails. `tests/loom.sh` runs them in all modes.
#![cfg(tidings_loom)]

mod cell;
mod combined;
mod doorbell;
mod explore;
mod mailbox;
mod reply;
mod wakers;
