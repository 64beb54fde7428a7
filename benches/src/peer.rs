//! What tidings is compared with.

use crate::harness::Case;
use crate::place::{Address, Place};
use crate::setting::Setting;

/// What a user would pick instead.
pub struct Peer {
    /// In tables, and for the process at the other end of a socket.
    pub name: &'static str,
    /// Its package, whose version the report looks up.
    pub package: &'static str,
    /// Its cases in a setting; none where it has no such thing.
    pub cases: fn(Setting, &Place) -> Vec<Case>,
    /// Serves at an address until the process is ended; says so by [`announce`](crate::process::announce).
    pub serve: fn(&Address),
}

/// The packages of `peers` with their versions, as a lock file has them.
pub(crate) fn packages(peers: &[Peer], lock: &str) -> Vec<String> {
    let versions = |package: &str| {
        let name = format!("name = \"{package}\"\nversion = \"");
        let found = lock.split(name.as_str()).skip(1);
        // Where there are several, ours is the newest.
        found.filter_map(|rest| rest.split('"').next()).last()
    };
    let mut packages: Vec<String> = peers
        .iter()
        .map(|peer| format!("{} {}", peer.package, versions(peer.package).unwrap_or("?")))
        .collect();
    packages.sort();
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_the_lock_file() {
        let peer = Peer {
            name: "flume",
            package: "flume",
            cases: |_, _| Vec::new(),
            serve: |_| {},
        };
        let lock = "[[package]]\nname = \"flume\"\nversion = \"0.12.0\"\n";
        assert_eq!(packages(&[peer], lock), ["flume 0.12.0"]);
    }
}
