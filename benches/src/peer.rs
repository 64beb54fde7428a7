//! What tidings is compared with.

use crate::harness::Case;
use crate::place::{Address, Place};
use crate::setting::Setting;

/// What a user would pick instead.
pub struct Peer {
    /// In tables, and for the process at the other end of a socket.
    pub name: &'static str,
    /// Its package and the version that is measured.
    pub package: &'static str,
    /// Its cases in a setting; none where it has no such thing.
    pub cases: fn(Setting, &Place) -> Vec<Case>,
    /// Serves at an address until the process is ended; says so by [`announce`](crate::process::announce).
    pub serve: fn(&Address),
}
