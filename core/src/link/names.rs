//! Names as the session wants them, made once for each connection.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Instant;

use super::outbox::To;
use crate::bus::{Caller, CallerRef, Head, Rare, Reach};
use crate::error::CallErrorKind;
use crate::name::{Exchange, Method, Namespace, ServerName, Topic};
use crate::session::{self, Destination, IdempotencyKey, Name, RareHeader, RequestHeader};
use crate::version::Version;

/// How many names of each sort are remembered; a cache that is full starts anew.
const REMEMBERED: usize = 1024;

/// Names as the session wants them, made once and shared from then on: a session that gets the
/// same `Arc` again does not look the name up.
pub(super) struct Names {
    hasher: RandomState,
    targets: HashMap<u64, Arc<session::Target>>,
    methods: HashMap<u64, Arc<session::Method>>,
    /// What was named last: most requests name the same again.
    last_target: Option<(LastTarget, Arc<session::Target>)>,
    last_method: Option<(LastMethod, Arc<session::Method>)>,
    last_caller: Option<(CallerRef, Arc<session::Caller>)>,
    callers: HashMap<usize, (CallerRef, Arc<session::Caller>)>,
}

/// As a request names it: mostly the same texts in the same places.
struct LastTarget {
    exchange: Exchange,
    topic: Topic,
    server: Option<ServerName>,
}

impl LastTarget {
    fn is_of(&self, head: &Head) -> bool {
        (&self.topic, &self.server, &self.exchange) == (&head.topic, &head.server, &head.exchange)
    }
}

/// The same of a method.
struct LastMethod {
    name: Method,
    version: Version,
    fingerprint: Option<u64>,
    namespace: Option<Namespace>,
}

impl LastMethod {
    fn is_of(&self, head: &Head) -> bool {
        (&self.name, self.version, self.fingerprint)
            == (&head.method, head.version, head.fingerprint)
            && self.namespace.as_ref() == head.namespace()
    }
}

impl Names {
    pub(super) fn new() -> Names {
        Names {
            hasher: RandomState::new(),
            targets: HashMap::new(),
            methods: HashMap::new(),
            last_target: None,
            last_method: None,
            last_caller: None,
            callers: HashMap::new(),
        }
    }

    /// The header of a request that leaves now.
    ///
    /// # Errors
    /// The kind of failure, when a name in it cannot travel.
    pub(super) fn header(
        &mut self,
        head: &Head,
        to: To,
        now: Instant,
    ) -> Result<RequestHeader, CallErrorKind> {
        let unsendable = |_| CallErrorKind::Unsupported {
            what: "a name in the request",
            advice: "use letters, digits, `_`, `.` and `-`, at most 255 of them",
        };
        Ok(RequestHeader {
            destination: match to {
                To::Named => Destination::Topic(self.target(head).map_err(unsendable)?),
                To::Bound(id) => Destination::Bound(id),
            },
            method: self.method(head).map_err(unsendable)?,
            codec: head.codec.to_byte(),
            // The round may have begun before the request was made: it must not get more than it has.
            remaining: head
                .deadline
                .map(|at| at.saturating_duration_since(now.max(head.made_at))),
            depth: head.depth,
            fanout: head.reach == Reach::Every,
            wait_for_server: head.wait_for_server && matches!(to, To::Named),
            caller: match to {
                // Only a hub tells who calls (S10).
                To::Bound(_) => self.caller(head).map_err(unsendable)?,
                To::Named => None,
            },
            rare: head.rare.as_deref().and_then(rare),
        })
    }

    fn target(&mut self, head: &Head) -> Result<Arc<session::Target>, session::InvalidName> {
        if let Some((last, known)) = &self.last_target {
            if last.is_of(head) {
                return Ok(known.clone());
            }
        }
        let target = self.any_target(head)?;
        let last = LastTarget {
            exchange: head.exchange.clone(),
            topic: head.topic.clone(),
            server: head.server.clone(),
        };
        self.last_target = Some((last, target.clone()));
        Ok(target)
    }

    fn any_target(&mut self, head: &Head) -> Result<Arc<session::Target>, session::InvalidName> {
        let (exchange, topic) = (head.exchange.as_str(), head.topic.as_str());
        let server = head.server.as_ref().map(|name| name.as_str());
        let is_meant = |known: &&Arc<session::Target>| {
            let known_server = known.server.as_ref().map(Name::as_str);
            (known.topic.as_str(), known_server, known.exchange.as_str())
                == (topic, server, exchange)
        };
        let key = self.hasher.hash_one((exchange, topic, server));
        if let Some(known) = self.targets.get(&key).filter(is_meant) {
            return Ok(known.clone());
        }
        let target = Arc::new(session::Target {
            exchange: Name::try_from(head.exchange.to_shared())?,
            topic: Name::try_from(head.topic.to_shared())?,
            server: head
                .server
                .as_ref()
                .map(|name| Name::try_from(name.to_shared()))
                .transpose()?,
        });
        remember(&mut self.targets, key, target.clone());
        Ok(target)
    }

    fn method(&mut self, head: &Head) -> Result<Arc<session::Method>, session::InvalidName> {
        if let Some((last, known)) = &self.last_method {
            if last.is_of(head) {
                return Ok(known.clone());
            }
        }
        let method = self.any_method(head)?;
        let last = LastMethod {
            name: head.method.clone(),
            version: head.version,
            fingerprint: head.fingerprint,
            namespace: head.namespace().cloned(),
        };
        self.last_method = Some((last, method.clone()));
        Ok(method)
    }

    fn any_method(&mut self, head: &Head) -> Result<Arc<session::Method>, session::InvalidName> {
        let Version {
            major,
            minor,
            patch,
        } = head.version;
        let version = (head.version != Version::DEFAULT).then_some((major, minor, patch));
        let name = head.method.as_str();
        let namespace = head.namespace().map(|name| name.as_str());
        let is_meant = |known: &&Arc<session::Method>| {
            let known_namespace = known.namespace.as_ref().map(Name::as_str);
            (
                known.name.as_str(),
                known.version,
                known.fingerprint,
                known_namespace,
            ) == (name, version, head.fingerprint, namespace)
        };
        let key = self
            .hasher
            .hash_one((name, version, head.fingerprint, namespace));
        if let Some(known) = self.methods.get(&key).filter(is_meant) {
            return Ok(known.clone());
        }
        let method = Arc::new(session::Method {
            name: Name::try_from(head.method.to_shared())?,
            namespace: head
                .namespace()
                .map(|name| Name::try_from(name.to_shared()))
                .transpose()?,
            version,
            fingerprint: head.fingerprint,
        });
        remember(&mut self.methods, key, method.clone());
        Ok(method)
    }

    fn caller(
        &mut self,
        head: &Head,
    ) -> Result<Option<Arc<session::Caller>>, session::InvalidName> {
        let Some(caller) = head.caller.as_ref() else {
            return Ok(None);
        };
        if let Some((last, known)) = &self.last_caller {
            if std::ptr::eq::<Caller>(&**last, &**caller) {
                return Ok(Some(known.clone()));
            }
        }
        let told = self.any_caller(caller)?;
        self.last_caller = Some((caller.clone(), told.clone()));
        Ok(Some(told))
    }

    fn any_caller(
        &mut self,
        caller: &CallerRef,
    ) -> Result<Arc<session::Caller>, session::InvalidName> {
        // By address: the entry keeps the caller alive, so that the address stays its own.
        let key = std::ptr::from_ref::<Caller>(caller) as usize;
        if let Some((_, known)) = self.callers.get(&key) {
            return Ok(known.clone());
        }
        let told = Arc::new(session::Caller {
            transport: Name::try_from(caller.transport.clone())?,
            uid: caller.uid,
            gid: caller.gid,
            pid: caller.pid,
            name: caller.name.clone().map(Name::try_from).transpose()?,
        });
        remember(&mut self.callers, key, (caller.clone(), told.clone()));
        Ok(told)
    }
}

/// What few requests say, but for the namespace, which is the method's.
fn rare(rare: &Rare) -> Option<Box<RareHeader>> {
    let says_more =
        !rare.headers.is_empty() || rare.idempotency_key.is_some() || rare.heartbeat.is_some();
    says_more.then(|| {
        let key = rare.idempotency_key.as_ref();
        Box::new(RareHeader {
            idempotency_key: key.map(|key| IdempotencyKey(key.to_bytes())),
            heartbeat: rare.heartbeat,
            headers: rare.headers.clone(),
        })
    })
}

fn remember<K: std::hash::Hash + Eq, V>(cache: &mut HashMap<K, V>, key: K, value: V) {
    if cache.len() >= REMEMBERED {
        cache.clear();
    }
    cache.insert(key, value);
}
