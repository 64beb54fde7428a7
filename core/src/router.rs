//! Which server a request goes to: the registry of one exchange-and-topic space (C-AD-2, 3, 5).
//!
//! The memory transport is a router and nothing else; the hub of a socket transport is a router whose servers are
//! partly in other processes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::task::Context;

use crate::bus::{Delivery, Head};
use crate::error::{CallErrorKind, Fate, ServeError, Stage, nearest};
use crate::name::{Exchange, ServerName, Topic};
use crate::name_map::NameMap;
use crate::server::{Mode, NotAccepted, Sent, ServerCore};

/// A server as the router sees it: here, or at the other end of a connection.
pub trait Destination: Send + Sync {
    /// Requests that it has and has not ended.
    fn load(&self) -> usize;

    /// Takes a request.
    ///
    /// # Errors
    /// [`NotAccepted`], as for a transport.
    fn deliver(&self, delivery: Delivery, mode: Mode) -> Result<Sent, NotAccepted>;

    /// Wakes the waker of `cx` when there may be room for `delivery`.
    fn wait_for_room(&self, delivery: &Delivery, cx: &mut Context<'_>);
}

impl Destination for Arc<ServerCore> {
    fn load(&self) -> usize {
        ServerCore::load(self)
    }
    fn deliver(&self, delivery: Delivery, mode: Mode) -> Result<Sent, NotAccepted> {
        ServerCore::deliver(self, delivery, mode)
    }
    fn wait_for_room(&self, delivery: &Delivery, cx: &mut Context<'_>) {
        ServerCore::wait_for_room(self, delivery.weight(), cx);
    }
}

/// The servers of a bus by exchange, topic and name.
#[derive(Default)]
pub struct Router {
    exchanges: RwLock<NameMap<Exchange, NameMap<Topic, Arc<Servers>>>>,
}

/// The servers on one topic. Replaced, not changed, when one comes or goes.
#[derive(Default)]
struct Servers {
    list: Vec<(ServerName, Arc<dyn Destination>)>,
    /// Where the search for the least busy begins, so that ties go in turn.
    turn: AtomicUsize,
}

impl Router {
    /// A router without servers.
    pub fn new() -> Self {
        Router::default()
    }

    /// Adds a server.
    ///
    /// # Errors
    /// [`ServeError::NameTaken`] when the topic has a server of that name.
    pub fn add(
        &self,
        exchange: &Exchange,
        topic: &Topic,
        name: &ServerName,
        server: Arc<dyn Destination>,
    ) -> Result<(), ServeError> {
        let mut exchanges = self
            .exchanges
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let servers = exchanges
            .entry(exchange.clone())
            .or_default()
            .entry(topic.clone())
            .or_default();
        if servers.named(name).is_some() {
            return Err(ServeError::NameTaken {
                topic: topic.to_string(),
                server: name.to_string(),
            });
        }
        let mut list = servers.list.clone();
        list.push((name.clone(), server));
        *servers = Arc::new(Servers {
            list,
            turn: AtomicUsize::new(servers.turn.load(Ordering::Relaxed)),
        });
        Ok(())
    }

    /// Removes the server of that name; requests it has are not touched. Says whether there was one.
    pub fn remove(&self, exchange: &Exchange, topic: &Topic, name: &ServerName) -> bool {
        let mut exchanges = self
            .exchanges
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(topics) = exchanges.get_mut(exchange) else {
            return false;
        };
        let Some(servers) = topics.get_mut(topic) else {
            return false;
        };
        let before = servers.list.len();
        let list: Vec<_> = servers
            .list
            .iter()
            .filter(|(known, _)| known != name)
            .cloned()
            .collect();
        let removed = list.len() < before;
        if list.is_empty() {
            topics.remove(topic);
            if topics.is_empty() {
                exchanges.remove(exchange);
            }
        } else {
            *servers = Arc::new(Servers {
                list,
                turn: AtomicUsize::new(servers.turn.load(Ordering::Relaxed)),
            });
        }
        removed
    }

    /// Sends a request to the server that it names, or to the least busy one on its topic.
    ///
    /// # Errors
    /// [`NotAccepted`]; `NoServer` when there is none.
    pub fn route(&self, delivery: Delivery, mode: Mode) -> Result<Sent, NotAccepted> {
        match self.choose(delivery.in_flight().head()) {
            Ok(server) => server.deliver(delivery, mode),
            Err(kind) => Err(NotAccepted::Refused(delivery.refuse(
                kind,
                Fate::NotExecuted,
                Stage::Routing,
            ))),
        }
    }

    /// Wakes the waker of `cx` when there may be room for `delivery`.
    pub fn wait_for_room(&self, delivery: &Delivery, cx: &mut Context<'_>) {
        match self.choose(delivery.in_flight().head()) {
            Ok(server) => server.wait_for_room(delivery, cx),
            // Nobody to wait for: let the sender try, and learn that.
            Err(_) => cx.waker().wake_by_ref(),
        }
    }

    /// How many servers are registered.
    pub fn len(&self) -> usize {
        let exchanges = self
            .exchanges
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        exchanges
            .values()
            .flat_map(NameMap::values)
            .map(|servers| servers.list.len())
            .sum()
    }

    /// Whether no server is registered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn choose(&self, head: &Head) -> Result<Arc<dyn Destination>, CallErrorKind> {
        let exchanges = self
            .exchanges
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let topics = exchanges.get(&head.exchange);
        let servers = topics.and_then(|topics| topics.get(&head.topic));
        let found = servers.and_then(|servers| match &head.server {
            Some(name) => servers.named(name),
            None => servers.least_busy(),
        });
        found.cloned().ok_or_else(|| {
            let near = match (&head.server, servers) {
                (Some(name), Some(servers)) => {
                    nearest(name, servers.list.iter().map(|(known, _)| known.as_str()))
                }
                _ => nearest(
                    &head.topic,
                    topics
                        .into_iter()
                        .flat_map(NameMap::keys)
                        .map(Topic::as_str),
                ),
            };
            CallErrorKind::NoServer {
                exchange: head.exchange.to_string(),
                topic: head.topic.to_string(),
                server: head.server.as_ref().map(ToString::to_string),
                near: near.map(str::to_owned),
            }
        })
    }
}

impl Servers {
    fn named(&self, name: &ServerName) -> Option<&Arc<dyn Destination>> {
        self.list
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, server)| server)
    }

    /// The least busy server; among equals, the next in turn.
    fn least_busy(&self) -> Option<&Arc<dyn Destination>> {
        if let [(_, only)] = self.list.as_slice() {
            return Some(only);
        }
        let start = self.turn.fetch_add(1, Ordering::Relaxed) % self.list.len().max(1);
        let (before, after) = self.list.split_at(start);
        after
            .iter()
            .chain(before)
            .map(|(_, server)| server)
            .min_by_key(|server| server.load())
    }
}
