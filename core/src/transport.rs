//! The seam to transports: what a bus asks of whatever carries its messages.
//!
//! A transport is a plugin: a [`Plugin`] opens addresses of its scheme, a [`Transport`] is one open address. It knows
//! neither promises nor codecs. A request reaches it as a [`Delivery`], whose outcome is told to its record by whoever
//! decides it; so a transport has no way to answer twice, and one that loses a delivery fails it (C-OC).

use std::any::Any;
use std::sync::Arc;
use std::task::Context;

use crate::authorise::Policy;
use crate::bus::{Address, CallerRef, Delivery};
use crate::connection::Watch;
use crate::error::{OpenError, ServeError};
use crate::overload::{BusStats, DEFAULT_BUDGET, MemoryBudget};
use crate::runtime::{BoxFuture, Runtime};
use crate::server::{Answered, Mode, NotAccepted, Retiring, Sent, ServerCore};
use crate::token::Tokens;

/// Opens addresses of one scheme.
pub trait Plugin: Send + Sync {
    /// What stands before the colon, for example `mem`.
    fn scheme(&self) -> &'static str;

    /// Whether it uses the tokens among the options, so that whoever has none is not spoken with. A transport that does
    /// not is not opened with tokens.
    fn authenticates(&self) -> bool {
        false
    }

    /// Opens `address`.
    ///
    /// # Errors
    /// [`OpenError`], naming the address and what to do.
    fn open(
        &self,
        address: &Address,
        options: &OpenOptions,
    ) -> Result<Arc<dyn Transport>, OpenError>;
}

/// What the builder of a bus was told that concerns its transport.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OpenOptions {
    /// The runtime to use, when the user named one.
    pub runtime: Option<Arc<dyn Runtime>>,
    /// Who this process is, and whom it lets in.
    pub tokens: Tokens,
    /// Who may do what, for the requests and registrations that pass through this process.
    pub policy: Policy,
    /// What the bus may hold for messages: a transport over sockets gives it to its `LinkOptions`.
    pub memory: Arc<MemoryBudget>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        OpenOptions {
            runtime: None,
            tokens: Tokens::default(),
            policy: Policy::default(),
            memory: Arc::new(MemoryBudget::new(DEFAULT_BUDGET)),
        }
    }
}

/// What a transport can do, as data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Values may be handed over as they are; else the bus encodes them first.
    pub moves_values: bool,
    /// The largest encoded message in bytes.
    pub max_message: usize,
}

/// One open bus address.
pub trait Transport: Send + Sync + 'static {
    /// What it can do; asked once, when it is opened.
    fn capabilities(&self) -> Capabilities;

    /// The address at which others reach the bus, without options, where this process serves one and that is more than
    /// what was opened says: with the port that the system chose, for example.
    fn address(&self) -> Option<String> {
        None
    }

    /// Who calls, for handlers in this same process; to others the receiving side says it, from
    /// what it knows of its peer. `None` where nothing is known.
    fn identity(&self) -> Option<CallerRef> {
        None
    }

    /// Where it tells how it stands. `None` where it cannot be disconnected: it is then connected until it is closed.
    fn watch(&self) -> Option<Arc<Watch>> {
        None
    }

    /// What runs its tasks and its servers' handlers.
    fn runtime(&self) -> &Arc<dyn Runtime>;

    /// Answers a call whose caller would only wait, where its handler is in this process and can run right here, on the
    /// caller's thread. Its value goes into `place`, if that is an `Option` of the value's type.
    ///
    /// One that is not taken here is to be sent.
    fn answer(&self, _call: &mut Delivery, _place: &mut dyn Any) -> Answered {
        Answered::NotHere
    }

    /// Takes a request.
    ///
    /// # Errors
    /// [`NotAccepted`]: the request has failed, or comes back because there is no room for it just now.
    fn send(&self, delivery: Delivery, mode: Mode) -> Result<Sent, NotAccepted>;

    /// Wakes the waker of `cx` when there may be room again for `delivery`; at once, when there is.
    fn wait_for_room(&self, delivery: &Delivery, cx: &mut Context<'_>);

    /// Has `server` receive the requests of its topic.
    ///
    /// # Errors
    /// [`ServeError`] when its name is taken or the transport is closed.
    fn bind(&self, server: Arc<ServerCore>) -> Result<(), ServeError>;

    /// Sends `server` no more requests. Does nothing for one that is not bound.
    fn unbind(&self, server: &Arc<ServerCore>);

    /// Sends a server no more requests, as [`unbind`](Self::unbind), and drops `retiring` when those that were on their
    /// way to it have come: the server takes them until then.
    fn retire(&self, retiring: Retiring) {
        self.unbind(retiring.server());
    }

    /// What it gave up since it was opened; all zero where it holds nothing of its own.
    fn stats(&self) -> BusStats {
        BusStats::default()
    }

    /// Whether it counts what it holds against the memory of the bus itself; else servers count what waits for them.
    fn counts_memory(&self) -> bool {
        false
    }

    /// The bus is drained: asks peers for no new requests. Resolves when nothing is on its way any more, in either
    /// direction; at once, where there are no peers.
    fn leave(&self) -> BoxFuture<()> {
        Box::pin(std::future::ready(()))
    }

    /// As [`close`](Self::close), but does not wait for what has not left. Resolves when it is known what that was.
    fn abort(&self) -> BoxFuture<()> {
        self.close();
        Box::pin(std::future::ready(()))
    }

    /// Leaves the address: servers bound through this transport are unbound, and requests on their way fail.
    fn close(&self);
}
