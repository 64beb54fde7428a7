//! Opening a bus by address: where the core meets the transports of this build.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use tidings_core::authorise::Authorise;
use tidings_core::runtime::Runtime;
use tidings_core::transport::Plugin;
use tidings_core::{Address, OpenError, Token, WhenDisconnected, WhenFull};

/// A handle on a bus: everything starts here. It is a [`tidings_core::Bus`] that knows the transports of this build;
/// what can be done with it is documented there.
///
/// Cheap to clone. When the last handle is gone (clones, clients, servers), the bus is closed.
#[derive(Debug, Clone)]
pub struct Bus(tidings_core::Bus);

impl Bus {
    /// Opens the bus at `address`: `mem:`, `mem:name`, `unix:/path`, `tcp:host:port`.
    ///
    /// ```
    /// # fn main() -> tidings::Result<()> {
    /// let bus = tidings::Bus::open("mem:")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`OpenError`], naming the address and what to do.
    pub fn open(address: &str) -> Result<Self, OpenError> {
        Self::builder().open(address)
    }

    /// A bus with options of its own.
    pub fn builder() -> BusBuilder {
        BusBuilder(tidings_core::Bus::builder())
    }

    /// A handle whose requests and servers are in the exchange of this name. What is not a name is told by each of them.
    #[must_use = "the handle it is called on stays as it is"]
    pub fn with_exchange(&self, name: impl AsRef<str>) -> Self {
        Bus(self.0.with_exchange(name))
    }

    /// A handle whose requests have `timeout` unless they say otherwise.
    #[must_use = "the handle it is called on stays as it is"]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Bus(self.0.with_timeout(timeout))
    }

    /// A handle whose requests take as long as they take unless they say otherwise.
    #[must_use = "the handle it is called on stays as it is"]
    pub fn with_no_timeout(&self) -> Self {
        Bus(self.0.with_no_timeout())
    }

    /// A handle whose requests do this while there is no connection, unless they say otherwise.
    #[must_use = "the handle it is called on stays as it is"]
    pub fn with_when_disconnected(&self, choice: WhenDisconnected) -> Self {
        Bus(self.0.with_when_disconnected(choice))
    }

    /// A handle that adds this header to its requests, in the place of headers of the same name that this one adds.
    #[must_use = "the handle it is called on stays as it is"]
    pub fn with_header(&self, name: impl Into<String>, value: impl Into<String>) -> Self {
        Bus(self.0.with_header(name, value))
    }

    /// A handle that does not add headers of this name to its requests.
    #[must_use = "the handle it is called on stays as it is"]
    pub fn with_no_header(&self, name: impl AsRef<str>) -> Self {
        Bus(self.0.with_no_header(name))
    }
}

impl Deref for Bus {
    type Target = tidings_core::Bus;

    fn deref(&self) -> &tidings_core::Bus {
        &self.0
    }
}

impl From<tidings_core::Bus> for Bus {
    fn from(bus: tidings_core::Bus) -> Self {
        Bus(bus)
    }
}

/// Options of a bus. Made by [`Bus::builder`].
#[must_use = "nothing is opened before `.open(address)`"]
#[derive(Debug, Clone)]
pub struct BusBuilder(tidings_core::BusBuilder);

impl BusBuilder {
    /// Runs the bus on `runtime`. Unset, it is the tokio runtime that the bus is opened in, if any, else what the
    /// transport needs and the build has; see [`runtime`](crate::runtime).
    pub fn runtime(self, runtime: Arc<dyn Runtime>) -> Self {
        BusBuilder(self.0.runtime(runtime))
    }

    /// Puts its topics into the exchange of this name; unset, `tidings`.
    pub fn exchange(self, name: impl AsRef<str>) -> Self {
        BusBuilder(self.0.exchange(name))
    }

    /// The time that a request has unless it says otherwise; unset, 30 s.
    pub fn timeout(self, timeout: Duration) -> Self {
        BusBuilder(self.0.timeout(timeout))
    }

    /// Lets requests take as long as they take unless they say otherwise.
    pub fn no_timeout(self) -> Self {
        BusBuilder(self.0.no_timeout())
    }

    /// What becomes of its requests while there is no connection, unless they say otherwise; unset, they wait for one
    /// that has been away for less than half a second.
    pub fn when_disconnected(self, choice: WhenDisconnected) -> Self {
        BusBuilder(self.0.when_disconnected(choice))
    }

    /// Shows `token` to whoever serves the address, and speaks with nobody there who does not know its secret too. The
    /// token's name is this process's name at others, see [`Caller::name`](crate::Caller::name).
    ///
    /// A process that may come to serve the address itself needs [`accept_tokens`](Self::accept_tokens) as well. `mem:`
    /// has nobody to show a token to, and is not opened with one.
    pub fn token(self, token: Token) -> Self {
        BusBuilder(self.0.token(token))
    }

    /// Where this process serves the address: lets in only those who show one of `tokens`. Given again, it adds to
    /// them. Two of one name may be given, so that one can replace the other at the members one by one.
    ///
    /// A process that may find somebody else serving the address needs a [`token`](Self::token) of its own as well.
    pub fn accept_tokens(self, tokens: impl IntoIterator<Item = Token>) -> Self {
        BusBuilder(self.0.accept_tokens(tokens))
    }

    /// Has `policy` decide about every request to a server of this bus; and, where this process serves the address to
    /// others, about all that they send or register. See [`authorise`](crate::authorise). Given again, all policies must
    /// allow. Unset, whoever is on the bus may do anything.
    pub fn authorise(self, policy: impl Authorise + 'static) -> Self {
        BusBuilder(self.0.authorise(policy))
    }

    /// What its handles do when the queue to a connection is full, unless they say otherwise; unset,
    /// [`WhenFull::Reject`]. See [`Bus::with_when_full`](tidings_core::Bus::with_when_full).
    pub fn when_full(self, policy: WhenFull) -> Self {
        BusBuilder(self.0.when_full(policy))
    }

    /// How many bytes it may hold for messages, in all; unset, 256 MiB. See
    /// [`BusBuilder::memory_budget`](tidings_core::BusBuilder::memory_budget).
    pub fn memory_budget(self, bytes: usize) -> Self {
        BusBuilder(self.0.memory_budget(bytes))
    }

    /// How many requests may wait for room on this side, by [`WhenFull::Block`]; unset, 1024. Beyond that, they fail as
    /// `QueueFull`.
    pub fn backlog(self, requests: usize) -> Self {
        BusBuilder(self.0.backlog(requests))
    }

    /// How many bytes of payload those may have; unset, 4 MiB. One message alone may be larger.
    pub fn backlog_bytes(self, bytes: usize) -> Self {
        BusBuilder(self.0.backlog_bytes(bytes))
    }

    /// Opens the bus at `address`.
    ///
    /// # Errors
    /// [`OpenError`], naming the address and what to do.
    pub fn open(self, address: &str) -> Result<Bus, OpenError> {
        let parsed = Address::parse(address)?;
        let plugin = plugin(&parsed)?;
        self.0.open_with(plugin, address).map(Bus)
    }

    /// Opens `address` by `plugin`: a transport of your own, or one of this build with options that do not fit into an
    /// address (certificates from memory, say).
    ///
    /// # Errors
    /// [`OpenError`], naming the address and what to do.
    pub fn open_with(self, plugin: &dyn Plugin, address: &str) -> Result<Bus, OpenError> {
        self.0.open_with(plugin, address).map(Bus)
    }
}

#[cfg(feature = "tcp")]
static TCP: tidings_tcp::Tcp = tidings_tcp::Tcp::new();

/// The transport for an address's scheme.
fn plugin(address: &Address) -> Result<&'static dyn Plugin, OpenError> {
    match address.scheme() {
        #[cfg(feature = "memory")]
        "mem" => Ok(&tidings_memory::Memory),
        #[cfg(feature = "unix")]
        "unix" => Ok(&tidings_unix::Unix),
        #[cfg(feature = "tcp")]
        "tcp" => Ok(&TCP),
        scheme => {
            let advice = match scheme {
                "mem" => "enable the feature `memory` of the crate `tidings`".into(),
                "unix" => {
                    "enable the feature `unix` of the crate `tidings`, and `tokio` or `smol`".into()
                }
                "tcp" => {
                    "enable the feature `tcp` of the crate `tidings`, and `tokio` or `smol`".into()
                }
                _ => format!("this build has {}", built_in()),
            };
            Err(OpenError::UnknownScheme {
                address: address.to_string(),
                scheme: scheme.to_owned(),
                advice,
            })
        }
    }
}

fn built_in() -> String {
    let all = [
        ("`mem:`", cfg!(feature = "memory")),
        ("`unix:`", cfg!(feature = "unix")),
        ("`tcp:`", cfg!(feature = "tcp")),
    ];
    let built: Vec<_> = all
        .iter()
        .filter(|(_, built)| *built)
        .map(|(scheme, _)| *scheme)
        .collect();
    if built.is_empty() {
        "none: enable the feature `memory`, `unix` or `tcp`".into()
    } else {
        built.join(" and ")
    }
}
