//! The Unix socket transport of tidings: `unix:/path`.
//!
//! The first process to open an address becomes its hub; the others connect to it. All of them
//! serve and call. A socket file left by a process that crashed is recognised and replaced; a live
//! one never is.
//!
//! **When the hub goes**, killed or in good order, exactly one of the others takes the address over,
//! and the rest connect to it and register their servers there, within milliseconds. Requests that
//! were on their way over the old hub fail with their true fate; those that had not left, and those
//! made meanwhile, go to the new one. The handles of a bus notice nothing else; who wants to know
//! looks at its state or its events. A hub that is *stopped* (`SIGSTOP`, a debugger) lives: it keeps
//! its lock, and nobody takes its address over; its members give it up after 30 s of silence, and wait.
//!
//! | option | meaning |
//! |---|---|
//! | `?listen` | become the hub, or fail with `AddressInUse` |
//! | `?connect` | connect to a hub, or fail with `NotConnected`; never take the address over |
//! | `?uid=N` | speak with processes of this user too; may be repeated. By default with those of this process's own user only. The socket is then open to all users of the system, and the kernel's word on who connects decides |
//! | `?shared_dir` | allow a directory that others can write to, such as `/tmp`, if its sticky bit is set |
//! | `?max_message=BYTES` | the largest message, 16 MiB unless given |
//! | `?in_flight=N` | requests that one connection has in flight, 1024 unless given |
//! | `?queue=N` | requests that wait here for one connection, 1024 unless given |
//!
//! With tokens (`.token(..)`, `.accept_tokens(..)` on the builder of a bus) both sides prove who they are on every
//! connection, beside the kernel's word. Opening then waits until the hub has let this process in, 5 s at most, where
//! the thread may wait. A process that may become the hub needs both, one with `?connect` or `?listen` its own side's.
//!
//! Beside the socket there is a lock file, `<path>.lock`: whoever holds its lock is the hub. It is
//! left in place, because removing it would race with the next one to take it.
//!
//! This crate is for Linux.

mod dial;
mod listen;
mod options;
mod place;
mod role;
mod socket;

use std::sync::Arc;

use tidings_core::link::{Hub, HubLimits, Member, Node};
use tidings_core::runtime;
use tidings_core::transport::{OpenOptions, Plugin, Transport};
use tidings_core::{Address, OpenError};

use dial::Dialer;
use options::{Options, Wanted};
use place::Place;
use role::{Returner, Standing};

/// Opens `unix:` addresses.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unix;

impl Plugin for Unix {
    fn scheme(&self) -> &'static str {
        "unix"
    }

    fn authenticates(&self) -> bool {
        true
    }

    fn open(
        &self,
        address: &Address,
        options: &OpenOptions,
    ) -> Result<Arc<dyn Transport>, OpenError> {
        let parsed = Options::of(address)?;
        let place = Arc::new(Place::new(address, &parsed)?);
        let runtime = runtime::choose(options.runtime.clone(), true, &format!("open {address}"))?;
        let link = parsed.link.clone();
        let link = match parsed.role {
            Wanted::Hub => link.as_hub(options),
            Wanted::Member => link.as_member(options),
            Wanted::Either => link.as_either(options),
        }?;
        let patience = link.limits.handshake;
        let failed = |error| place.cannot_serve("the runtime cannot watch its socket", error);
        // Whoever has a token wants to know that it is the right one, and that of the right hub.
        let let_in = |first: Result<(), String>| first.map_err(|why| place.refused(why));
        let proves = options.tokens.are_given();
        Ok(match role::decide(&place, &parsed)? {
            Standing::Hub(listener) => {
                let hub = Hub::start(listener, link, HubLimits::default(), runtime);
                Arc::new(hub.map_err(failed)?)
            }
            Standing::Member(socket) if parsed.role == Wanted::Either => {
                let returner = Returner::new(place.clone(), parsed);
                let limits = HubLimits::default();
                let node = Node::start(returner, socket, link, limits, runtime);
                let node = node.map_err(failed)?;
                if proves {
                    let_in(node.wait_for_hello(patience))?;
                }
                Arc::new(node)
            }
            Standing::Member(socket) => {
                let dialer = Dialer::new(place.clone(), parsed.uids.clone());
                let member = Member::start(dialer, socket, link, runtime).map_err(failed)?;
                if proves {
                    let_in(member.wait_for_hello(patience))?;
                }
                Arc::new(member)
            }
        })
    }
}
