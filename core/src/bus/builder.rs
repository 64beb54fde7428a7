//! Options of a bus, given before it is opened.

use std::sync::Arc;
use std::time::Duration;

use crate::authorise::{Authorise, Policy};
use crate::bus::core::{BusCore, Defaults};
use crate::bus::open::Open;
use crate::bus::{Address, Bus, WhenDisconnected};
use crate::error::OpenError;
use crate::mailbox::Limits;
use crate::name::{Exchange, NameError};
use crate::overload::{DEFAULT_BUDGET, MemoryBudget, WhenFull};
use crate::runtime::Runtime;
use crate::token::Token;
use crate::transport::{OpenOptions, Plugin};

/// The time a request has when nobody says otherwise (C-DL-1).
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// What may wait for room on this side, unless set.
const DEFAULT_BACKLOG: Limits = Limits {
    items: 1024,
    bytes: 4 << 20,
};

/// Options of a bus. Made by [`Bus::builder`].
#[must_use = "nothing is opened before `.open_with()`"]
#[derive(Debug, Clone)]
pub struct BusBuilder {
    options: OpenOptions,
    exchange: Result<Exchange, NameError>,
    timeout: Option<Duration>,
    when_full: WhenFull,
    backlog: Limits,
    memory: usize,
    when_disconnected: WhenDisconnected,
}

impl BusBuilder {
    pub(crate) fn new() -> Self {
        BusBuilder {
            options: OpenOptions::default(),
            exchange: Ok(Exchange::DEFAULT),
            timeout: Some(DEFAULT_TIMEOUT),
            when_full: WhenFull::default(),
            backlog: DEFAULT_BACKLOG,
            memory: DEFAULT_BUDGET,
            when_disconnected: WhenDisconnected::default(),
        }
    }

    /// Runs the bus on `runtime`. Unset, it is the tokio runtime that the bus is opened in, if any, else what the
    /// transport needs and the build has; see [`runtime`](crate::runtime).
    pub fn runtime(mut self, runtime: Arc<dyn Runtime>) -> Self {
        self.options.runtime = Some(runtime);
        self
    }

    /// Puts its topics into the exchange of this name; unset, `tidings`.
    pub fn exchange(mut self, name: impl AsRef<str>) -> Self {
        self.exchange = Exchange::new(name);
        self
    }

    /// The time that a request has unless it says otherwise; unset, 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Lets requests take as long as they take unless they say otherwise.
    pub fn no_timeout(mut self) -> Self {
        self.timeout = None;
        self
    }

    /// What its handles do when the queue to a connection is full, unless they say otherwise; unset,
    /// [`WhenFull::Reject`]. See [`Bus::with_when_full`].
    pub fn when_full(mut self, policy: WhenFull) -> Self {
        self.when_full = policy;
        self
    }

    /// How many bytes it may hold for messages, in all: over sockets, what comes by all of its connections, from arrival
    /// to the end of the handler, and answers until they are written; in memory, what waits for its servers. Unset,
    /// 256 MiB.
    ///
    /// When three quarters of it are in use, requests are refused as `Busy`, not executed (casts over a connection are
    /// dropped and counted, [`BusStats::shed`](crate::BusStats::shed)), those of more than 64 KiB already when they would
    /// leave less than an eighth of it to smaller ones; the rest is for the answers to what was taken before. When that is in use too, answers to peers that do not read theirs are dropped (`ReplyDropped`, executed).
    pub fn memory_budget(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self
    }

    /// How many requests may wait for room on this side, by [`WhenFull::Block`]: those that a full connection lets wait,
    /// and in memory those that a full server does. Unset, 1024, with 4 MiB of payload (or one message that is larger).
    /// Beyond that, they fail as `QueueFull`.
    pub fn backlog(mut self, requests: usize) -> Self {
        self.backlog.items = requests;
        self
    }

    /// How many bytes of payload those may have; unset, 4 MiB. One message alone may be larger.
    pub fn backlog_bytes(mut self, bytes: usize) -> Self {
        self.backlog.bytes = bytes;
        self
    }

    /// What becomes of its requests while there is no connection, unless they say otherwise; unset, they wait for one
    /// that has been away for less than half a second.
    pub fn when_disconnected(mut self, choice: WhenDisconnected) -> Self {
        self.when_disconnected = choice;
        self
    }

    /// Shows `token` to whoever serves the address, and speaks with nobody there who does not know its secret too. The
    /// token's name is this process's name at others, see [`Caller::name`](crate::Caller::name).
    ///
    /// A process that may come to serve the address itself needs [`accept_tokens`](Self::accept_tokens) as well.
    pub fn token(mut self, token: Token) -> Self {
        self.options.tokens.own = Some(token);
        self
    }

    /// Where this process serves the address: lets in only those who show one of `tokens`. Given again, it adds to
    /// them. Two of one name may be given, so that one can replace the other at the members one by one.
    ///
    /// A process that may find somebody else serving the address needs a [`token`](Self::token) of its own as well.
    pub fn accept_tokens(mut self, tokens: impl IntoIterator<Item = Token>) -> Self {
        let accepted = self.options.tokens.accepted.get_or_insert_default();
        accepted.extend(tokens);
        self
    }

    /// Has `policy` decide about every request to a server of this bus; and, where this process serves the address to
    /// others, about all that they send or register. See [`authorise`](crate::authorise). Given again, all policies must
    /// allow. Unset, whoever is on the bus may do anything.
    pub fn authorise(mut self, policy: impl Authorise + 'static) -> Self {
        let before = std::mem::take(&mut self.options.policy);
        self.options.policy = before.and(Policy::new(policy));
        self
    }

    /// Opens `address` by `plugin`.
    ///
    /// # Errors
    /// [`OpenError`], naming the address and what to do.
    pub fn open_with(self, plugin: &dyn Plugin, address: &str) -> Result<Bus, OpenError> {
        let exchange = self.exchange?;
        let address = Address::parse(address)?;
        if self.options.tokens.are_given() && !plugin.authenticates() {
            return Err(OpenError::Unsupported {
                address: address.to_string(),
                what: "a token",
                advice: "nobody there could prove anything by it: leave `.token(..)` and `.accept_tokens([..])` out",
            });
        }
        let memory = Arc::new(MemoryBudget::new(self.memory));
        let options = OpenOptions {
            memory: memory.clone(),
            ..self.options
        };
        let transport = plugin.open(&address, &options)?;
        let open = Open::new(transport, options.policy, self.backlog, memory);
        let defaults = Defaults {
            exchange,
            fault: None,
            timeout: self.timeout,
            when_disconnected: self.when_disconnected,
            when_full: self.when_full,
            headers: Vec::new(),
        };
        Ok(Bus::of(BusCore::new(open, defaults)))
    }
}
