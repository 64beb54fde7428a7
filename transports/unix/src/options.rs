//! The options of an address.

use rustix::process::{getegid, geteuid};
use tidings_core::link::{LinkOptions, number};
use tidings_core::{Address, Caller, OpenError};

/// What stands behind the `?` of an address.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) role: Wanted,
    /// With whose processes to speak.
    pub(crate) uids: Uids,
    pub(crate) shared_dir: bool,
    /// What the link is told.
    pub(crate) link: LinkOptions,
}

/// Which role the user asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Hub if there is none, else member.
    Either,
    Hub,
    Member,
}

/// The users whose processes are spoken with, on either side of a connection (S2, S6).
#[derive(Debug, Clone)]
pub(crate) struct Uids(Vec<u32>);

impl Uids {
    pub(crate) fn has(&self, uid: u32) -> bool {
        self.0.contains(&uid)
    }

    /// Whether there are others beside this process's own.
    pub(crate) fn has_others(&self) -> bool {
        self.0.len() > 1
    }
}

impl Options {
    pub(crate) fn of(address: &Address) -> Result<Options, OpenError> {
        let mut options = Options {
            role: Wanted::Either,
            uids: Uids(vec![geteuid().as_raw()]),
            shared_dir: false,
            link: LinkOptions::new(address.to_string(), identity()),
        };
        for (name, value) in address.options() {
            match (name, value) {
                ("listen" | "connect", "") if options.role != Wanted::Either => {
                    return Err(address.refuse("write `listen` or `connect`, once"));
                }
                ("listen", "") => options.role = Wanted::Hub,
                ("connect", "") => options.role = Wanted::Member,
                ("shared_dir", "") => options.shared_dir = true,
                ("uid", uid) => {
                    let uid = number(address, "uid", uid)?;
                    if !options.uids.has(uid) {
                        options.uids.0.push(uid);
                    }
                }
                (name, value) if options.link.take(address, name, value)? => {}
                _ => {
                    return Err(address.refuse(
                        "`unix:` has the options `listen`, `connect`, `uid`, `shared_dir`, \
                         `max_message`, `in_flight` and `queue`",
                    ));
                }
            }
        }
        Ok(options)
    }
}

/// This process, as the kernel would tell it to a peer.
fn identity() -> Caller {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    Caller::this_process("unix").with_credentials(uid, gid, Some(std::process::id()))
}
