//! What a process at the other end of a socket serves.

use std::path::Path;
use std::str::FromStr;

use crate::runtimes::Driver;
use crate::unix::{ours, raw};

/// What a process at the other end of a socket serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    RawBlocking,
    RawTokio,
    RawSmol,
    /// The hub of a bus, which serves as well.
    Tokio,
    Smol,
    /// The hub of a bus, and nothing else.
    Hub,
    /// Connects to the hub of a bus, and serves.
    Member,
    #[cfg(feature = "peers")]
    Tarpc,
}

impl Role {
    const ALL: &[Role] = &[
        Role::RawBlocking,
        Role::RawTokio,
        Role::RawSmol,
        Role::Tokio,
        Role::Smol,
        Role::Hub,
        Role::Member,
        #[cfg(feature = "peers")]
        Role::Tarpc,
    ];

    /// How it is given on the command line, and what its socket is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Role::RawBlocking => "raw-blocking",
            Role::RawTokio => "raw-tokio",
            Role::RawSmol => "raw-smol",
            Role::Tokio => "tokio",
            Role::Smol => "smol",
            Role::Hub => "hub",
            Role::Member => "member",
            #[cfg(feature = "peers")]
            Role::Tarpc => "tarpc",
        }
    }
}

impl FromStr for Role {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut known = Role::ALL.iter().copied();
        known.find(|role| role.name() == text).ok_or(())
    }
}

/// Serves at `path` until whoever started this process has gone.
pub(crate) fn serve(role: Role, path: &Path) {
    match role {
        Role::RawBlocking => raw::serve_blocking(path),
        Role::RawTokio => raw::serve_on_tokio(path),
        Role::RawSmol => raw::serve_on_smol(path),
        Role::Tokio => ours::serve(path, &Driver::tokio(), "?listen"),
        Role::Smol => ours::serve(path, &Driver::Smol, "?listen"),
        Role::Member => ours::serve(path, &Driver::tokio(), "?connect"),
        Role::Hub => ours::connect_others(path),
        #[cfg(feature = "peers")]
        Role::Tarpc => super::tarpc::serve(path),
    }
}
