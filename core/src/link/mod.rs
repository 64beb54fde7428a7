//! Links: the session protocol over a socket, and the two roles on either end of one.
//!
//! One task owns a connection: its session, its socket, everything that is in flight on it. Nobody
//! else writes. Callers and handlers reach it by two queues and a doorbell: requests by the
//! `outbox`, which is bounded in messages and in bytes, and what must not wait behind requests
//! (replies, cancels) by the connection's control queue, whose length is bounded by the credit
//! that the session gave.
//!
//! In reading order: `socket` is what a byte transport supplies, `establish` brings one to where
//! bytes can travel; `outbox`, `connection` and
//! `pending` are what the task shares with others; `names` and `translate` turn the bus's words
//! into the session's and back; `driver` is the task. [`Hub`] accepts connections and routes between them,
//! [`Member`] connects to a hub and comes back by itself, [`Node`] is a member that takes the address over when its hub
//! has gone. Each is a [`Transport`](crate::transport::Transport).

mod backoff;
mod connection;
mod credentials;
mod driver;
mod establish;
mod farewell;
mod full_ways;
mod hub;
mod member;
mod names;
mod options;
mod outbox;
mod pace;
mod pending;
mod remote_server;
mod scarcity;
mod side;
mod socket;
#[cfg(feature = "auth")]
mod tokens;
mod translate;
mod ways;

pub use hub::{Hub, HubLimits};
pub use member::{Member, Node};
pub use options::number;
pub use scarcity::advice_on_scarcity;
pub use socket::{Dial, Listener, Meet, Socket, Standing};

use std::sync::Arc;

use credentials::Credentials;

use crate::authorise::Policy;
use crate::bus::Caller;
use crate::overload::{DEFAULT_BUDGET, MemoryBudget};
use crate::session;

/// What both roles are told.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LinkOptions {
    /// The address as the user wrote it, for messages.
    pub address: String,
    /// The address at which others reach a hub, where the transport knows it better than the user.
    pub reachable: Option<String>,
    /// This process as the transport knows it: whom servers see as the caller of a request that
    /// the hub's own process makes.
    pub identity: Caller,
    /// The limits of each connection.
    pub limits: session::Limits,
    /// Requests that wait in this process for one connection. Default 1024.
    pub outbox_messages: usize,
    /// Payload bytes of those; one request may exceed it alone. Default 4 MiB.
    pub outbox_bytes: usize,
    /// Who may do what at a hub.
    pub policy: Policy,
    /// What its connections authenticate with: see `as_hub`, `as_member` and `as_either`.
    credentials: Credentials,
    /// What all its connections together may hold.
    pub memory: Arc<MemoryBudget>,
}

impl LinkOptions {
    /// The defaults, for `address`.
    pub fn new(address: impl Into<String>, identity: Caller) -> Self {
        LinkOptions {
            address: address.into(),
            reachable: None,
            identity,
            limits: session::Limits::default(),
            outbox_messages: 1024,
            outbox_bytes: 4 << 20,
            policy: Policy::default(),
            credentials: Credentials::default(),
            memory: Arc::new(MemoryBudget::new(DEFAULT_BUDGET)),
        }
    }

    fn session_config(&self, instance: [u8; 16]) -> session::Config {
        let mut config = session::Config::new(instance);
        config.limits = self.limits.clone();
        config
    }
}
