//! Which server a request goes to: the registry of one exchange-and-topic space (C-AD-2, 3, 5).
//!
//! Servers on one topic may offer different versions and namespaces, while a service is upgraded, say. Then a request
//! goes to one that is for it, if there is any (C-VE-2).
//!
//! The memory transport is a router and nothing else; the hub of a socket transport is a router whose servers are
//! partly in other processes.

mod fanout;
mod lines;
mod nearby;
mod registry;
mod waiting;

use std::any::Any;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::task::Context;

use crate::authorise::Policy;
use crate::bus::{Delivery, Head, IdempotencyKey, InFlight, Reach, Standing};
use crate::error::{CallErrorKind, Fate, ServeError, Stage, nearest};
use crate::name::{Exchange, ServerName, Topic};
use crate::name_map::NameMap;
use crate::server::{Answered, Mode, NotAccepted, Offers, Sent, ServerCore, refusal};

use nearby::Stamp;
pub(crate) use waiting::{Waiting, WaitingLimits};

/// A server as the router sees it: here, or at the other end of a connection.
pub trait Destination: Send + Sync {
    /// Requests that it has and has not ended.
    fn load(&self) -> usize;

    /// What it offers; asked once, when it is added.
    fn offers(&self) -> Offers;

    /// Answers a call whose caller would only wait, as for a transport.
    fn answer(&self, _call: &mut Delivery, _place: &mut dyn Any) -> Answered {
        Answered::NotHere
    }

    /// Takes a request.
    ///
    /// # Errors
    /// [`NotAccepted`], as for a transport.
    fn deliver(&self, delivery: Delivery, mode: Mode) -> Result<Sent, NotAccepted>;

    /// Wakes the waker of `cx` when there may be room for `delivery`.
    fn wait_for_room(&self, delivery: &Delivery, cx: &mut Context<'_>);

    /// A request waits in front of its queue.
    fn is_awaited(&self, _in_flight: &Arc<InFlight>) {}

    /// How it stands to one more copy of a fanout cast, of `weight` bytes.
    fn standing(&self, weight: usize) -> Standing;

    /// A copy of a fanout cast was not given to it for want of room.
    fn missed(&self);

    /// Whether it takes nothing more and the router has been told so: who was just going there, and got a request back as
    /// [`NotAccepted::Full`], chooses another.
    fn has_gone(&self) -> bool {
        false
    }
}

impl Destination for Arc<ServerCore> {
    fn load(&self) -> usize {
        ServerCore::load(self)
    }
    fn offers(&self) -> Offers {
        ServerCore::offers(self).clone()
    }
    fn answer(&self, call: &mut Delivery, place: &mut dyn Any) -> Answered {
        ServerCore::answer(self, call, place)
    }
    fn deliver(&self, delivery: Delivery, mode: Mode) -> Result<Sent, NotAccepted> {
        ServerCore::deliver(self, delivery, mode)
    }
    fn wait_for_room(&self, delivery: &Delivery, cx: &mut Context<'_>) {
        ServerCore::wait_for_room(self, delivery.weight(), cx);
    }
    fn is_awaited(&self, in_flight: &Arc<InFlight>) {
        self.beat_for(in_flight);
    }
    fn standing(&self, weight: usize) -> Standing {
        ServerCore::standing(self, weight)
    }
    fn missed(&self) {
        ServerCore::missed(self, 1);
    }
}

/// The servers of a bus by exchange, topic and name.
#[derive(Default)]
pub struct Router {
    exchanges: Arc<RwLock<Exchanges>>,
    stamp: Arc<Stamp>,
    waiting: Arc<Waiting>,
    /// Who may learn what there is, where that is not left to the servers.
    policy: Policy,
}

type Exchanges = NameMap<Exchange, NameMap<Topic, Arc<Servers>>>;

/// A router that is not kept.
struct WeakRouter {
    exchanges: Weak<RwLock<Exchanges>>,
    stamp: Weak<Stamp>,
    waiting: Weak<Waiting>,
    policy: Policy,
}

impl WeakRouter {
    fn upgrade(&self) -> Option<Router> {
        Some(Router {
            exchanges: self.exchanges.upgrade()?,
            stamp: self.stamp.upgrade()?,
            waiting: self.waiting.upgrade()?,
            policy: self.policy.clone(),
        })
    }
}

/// The servers on one topic. Replaced, not changed, when one comes or goes.
#[derive(Default)]
struct Servers {
    list: Vec<Known>,
    /// Not all of them offer the same, so that each request must be asked whom it is for.
    differ: bool,
    /// Where the search for the least busy begins, so that ties go in turn.
    turn: AtomicUsize,
}

/// One server on a topic.
#[derive(Clone)]
struct Known {
    name: ServerName,
    server: Arc<dyn Destination>,
    offers: Offers,
}

impl Router {
    /// A router without servers.
    pub fn new() -> Self {
        Router::default()
    }

    /// The same with limits of its own for requests that wait, and a policy: what there is, or is not, is told only to
    /// those who may call it (C-VE-5).
    #[cfg(unix)]
    pub(crate) fn of_hub(limits: WaitingLimits, policy: Policy) -> Self {
        Router {
            waiting: Arc::new(Waiting::new(limits)),
            policy,
            ..Router::default()
        }
    }

    /// How many requests wait for a server.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Until `end`, has requests wait for their server that did not ask for it: those who serve are just coming back.
    #[cfg(unix)]
    pub(crate) fn settle_until(&self, end: std::time::Instant) {
        self.waiting.settle_until(end);
    }

    fn downgrade(&self) -> WeakRouter {
        WeakRouter {
            exchanges: Arc::downgrade(&self.exchanges),
            stamp: Arc::downgrade(&self.stamp),
            waiting: Arc::downgrade(&self.waiting),
            policy: self.policy.clone(),
        }
    }

    /// Adds a server. Requests that wait for it go to it, on this thread: hold no lock.
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
        list.push(Known {
            name: name.clone(),
            offers: server.offers(),
            server,
        });
        let awaited = self.waiting.comes();
        *servers = Arc::new(servers.with(list));
        self.stamp.change();
        drop(exchanges);
        if awaited {
            self.let_in(exchange, topic, name);
            self.waiting.came();
        }
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
            .filter(|known| known.name != *name)
            .cloned()
            .collect();
        let removed = list.len() < before;
        if list.is_empty() {
            topics.remove(topic);
            if topics.is_empty() {
                exchanges.remove(exchange);
            }
        } else {
            *servers = Arc::new(servers.with(list));
        }
        self.stamp.change();
        removed
    }

    /// Removes a server that takes what is on its way to it, with what stands in line for it and does not wait for others
    /// to come.
    pub fn retire(&self, server: &Arc<ServerCore>) {
        let (exchange, topic, name) = (server.exchange(), server.topic(), server.name());
        self.remove(exchange, topic, name);
        for delivery in self.left_in_line(exchange, topic, name) {
            // Refused, it is told.
            drop(match delivery.in_flight().head().reach {
                Reach::Registry => self.route(delivery, Mode::Queue),
                Reach::One | Reach::Every => server.deliver(delivery, Mode::Over),
            });
        }
    }

    /// Has the server that a call is for answer it right here, where that can: as for a transport.
    pub fn answer(&self, call: &mut Delivery, place: &mut dyn Any) -> Answered {
        let head = call.in_flight().head();
        match self.choose(head) {
            Ok(server) if head.reach == Reach::One && !self.waiting.is_moving() => {
                server.answer(call, place)
            }
            _ => Answered::NotHere,
        }
    }

    /// Sends a request to the server that it names, or to the least busy one of its topic that is for it; a fanout cast to
    /// every one.
    ///
    /// # Errors
    /// [`NotAccepted`]; `NoServer` when there is none, `UnsupportedVersion` and `NoSuchNamespace` when none of several is
    /// for it, each unless it waits for a server.
    pub fn route(&self, delivery: Delivery, mode: Mode) -> Result<Sent, NotAccepted> {
        match self.choose(delivery.in_flight().head()) {
            Ok(_) if self.waiting.is_moving() => self.behind_others(delivery),
            Ok(server) => match self.pass(&server, delivery, mode) {
                Err(NotAccepted::Full(delivery, _)) if server.has_gone() => {
                    self.route(delivery, mode)
                }
                sent => sent,
            },
            Err(kind) => match self.policy.refusal(delivery.in_flight()) {
                None if self.policy.is_set() => {
                    self.without_server(delivery, kind.without_suggestion())
                }
                None => self.without_server(delivery, kind),
                Some(forbidden) => {
                    let error = delivery.refuse(forbidden, Fate::NotExecuted, Stage::Routing);
                    Err(NotAccepted::Refused(error))
                }
            },
        }
    }

    /// Gives a request to the server that was chosen for it, or to whom it reaches instead.
    fn pass(
        &self,
        server: &Arc<dyn Destination>,
        delivery: Delivery,
        mode: Mode,
    ) -> Result<Sent, NotAccepted> {
        let head = delivery.in_flight().head();
        match (head.reach, &head.server) {
            (Reach::One, _) | (Reach::Every, Some(_)) => server.deliver(delivery, mode),
            (Reach::Every, None) => self.fan_out(delivery, mode),
            (Reach::Registry, _) => self.tell_who(delivery),
        }
    }

    /// Wakes the waker of `cx` when `server`, or another one that the request reaches, may have room for it.
    fn wait_at(&self, server: &Arc<dyn Destination>, delivery: &Delivery, cx: &mut Context<'_>) {
        let head = delivery.in_flight().head();
        match (head.reach, self.servers(head)) {
            (Reach::Every, Some(all)) => {
                for known in &all.list {
                    known.server.wait_for_room(delivery, cx);
                }
            }
            _ => server.wait_for_room(delivery, cx),
        }
    }

    /// Wakes the waker of `cx` when there may be room for `delivery`.
    pub fn wait_for_room(&self, delivery: &Delivery, cx: &mut Context<'_>) {
        let head = delivery.in_flight().head();
        match self.choose(head) {
            Ok(server) => {
                self.wait_at(&server, delivery, cx);
                if self.waiting.is_moving() {
                    self.waiting.wait_for_room(head, cx);
                }
            }
            Err(_) if head.wait_for_server => self.waiting.wait_for_room(head, cx),
            // Nobody to wait for: let the sender try, and learn that.
            Err(_) => cx.waker().wake_by_ref(),
        }
    }

    /// A request waits in front of the queue of a server, which is to be told so.
    #[cfg(unix)]
    pub(crate) fn is_awaited(&self, in_flight: &Arc<InFlight>) {
        if in_flight.head().heartbeat().is_some() {
            if let Ok(server) = self.choose(in_flight.head()) {
                server.is_awaited(in_flight);
            }
        }
    }

    /// Whether there is a server that a request may go to.
    #[cfg(unix)]
    pub(crate) fn serves(&self, head: &Head) -> bool {
        self.choose(head).is_ok()
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

    /// The servers on a request's topic.
    fn servers(&self, head: &Head) -> Option<Arc<Servers>> {
        self.servers_on(&head.exchange, &head.topic)
    }

    fn servers_on(&self, exchange: &Exchange, topic: &Topic) -> Option<Arc<Servers>> {
        let exchanges = self
            .exchanges
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        exchanges.get(exchange)?.get(topic).cloned()
    }

    fn choose(&self, head: &Head) -> Result<Arc<dyn Destination>, CallErrorKind> {
        let settles = self.waiting.settles();
        if !settles {
            if let Some(server) = nearby::recall(&self.stamp, head) {
                return Ok(server);
            }
        }
        let exchanges = self
            .exchanges
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let topics = exchanges.get(&head.exchange);
        let servers = topics.and_then(|topics| topics.get(&head.topic));
        let found = servers.and_then(|servers| match (&head.server, head.reach) {
            (Some(name), _) => servers.named(name),
            // Who waits for a server, waits for one that serves it.
            (None, Reach::One) => {
                if let [only] = servers.list.as_slice() {
                    nearby::remember(&self.stamp, head, &only.server);
                }
                servers.any_for(head, head.wait_for_server || settles)
            }
            // Whether it is for them is asked of each one, or of none.
            (None, Reach::Every | Reach::Registry) => {
                servers.list.first().map(|known| &known.server)
            }
        });
        found.cloned().ok_or_else(|| {
            if let (None, Some(servers)) = (&head.server, servers) {
                return servers.refusal(head);
            }
            let near = match (&head.server, servers) {
                (Some(name), Some(servers)) => {
                    nearest(name, servers.list.iter().map(|known| known.name.as_str()))
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

/// A number for a server and a key, the same in every process: FNV-1a, and its bits mixed, because
/// those of two names that differ in their last letter are near each other else.
fn mark(name: &ServerName, key: IdempotencyKey) -> u64 {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let bytes = name.bytes().chain(key.to_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325, mix);
    let hash = (hash ^ hash >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    let hash = (hash ^ hash >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^ hash >> 32
}

impl Servers {
    /// The same topic with other servers.
    fn with(&self, list: Vec<Known>) -> Servers {
        let differ = list.iter().any(|known| known.offers != list[0].offers);
        Servers {
            list,
            differ,
            turn: AtomicUsize::new(self.turn.load(Ordering::Relaxed)),
        }
    }

    fn named(&self, name: &ServerName) -> Option<&Arc<dyn Destination>> {
        self.list
            .iter()
            .find(|known| known.name == *name)
            .map(|known| &known.server)
    }

    /// One server that is for a request like `head`: the least busy one, and among equals, the next in turn; for a
    /// request with a key always the same. Where all offer the same, any will do unless it `must` be for it, and tells
    /// the caller itself what it does not serve.
    fn any_for(&self, head: &Head, must: bool) -> Option<&Arc<dyn Destination>> {
        let ask = self.differ || must;
        let serves = |known: &&Known| !ask || known.offers.serve(head);
        if let [only] = self.list.as_slice() {
            return serves(&only).then_some(&only.server);
        }
        if let Some(key) = head.idempotency_key() {
            return self.that_knows(key, serves);
        }
        let start = self.turn.fetch_add(1, Ordering::Relaxed) % self.list.len().max(1);
        let (before, after) = self.list.split_at(start);
        after
            .iter()
            .chain(before)
            .filter(serves)
            .map(|known| &known.server)
            .min_by_key(|server| server.load())
    }

    /// The server for a key, which may have seen it (C-VB-5): the one with the highest mark for it.
    /// So every hub finds the same one, and when servers come or go, only their own keys move.
    fn that_knows(
        &self,
        key: IdempotencyKey,
        serves: impl Fn(&&Known) -> bool,
    ) -> Option<&Arc<dyn Destination>> {
        let known = self.list.iter().filter(serves);
        let marked = known.max_by_key(|known| mark(&known.name, key))?;
        Some(&marked.server)
    }

    /// Why none of them is for a request like `head`.
    #[cold]
    fn refusal(&self, head: &Head) -> CallErrorKind {
        refusal(self.list.iter().flat_map(|known| known.offers.iter()), head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(names: &[ServerName], key: u128) -> &ServerName {
        let best = names.iter().max_by_key(|name| mark(name, key.into()));
        best.expect("there are servers")
    }

    fn names(count: usize) -> Vec<ServerName> {
        let name = |n| ServerName::new(format!("server-{n}"));
        (0..count).map(name).collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn every_server_gets_its_share_of_keys() {
        let names = names(4);
        for name in &names {
            let keys = (0..4000).filter(|key| chosen(&names, *key) == name).count();
            assert!((800..1200).contains(&keys), "{name}: {keys} of 4000");
        }
    }

    #[test]
    fn a_server_that_goes_moves_its_own_keys_only() {
        let all = names(4);
        let (gone, left) = all.split_first().unwrap();
        let moved = (0..4000).filter(|key| {
            let before = chosen(&all, *key);
            before != gone && before != chosen(left, *key)
        });
        assert_eq!(moved.count(), 0);
    }
}
