//! The one topic that the router serves itself: who serves what (PR-LIST).
//!
//! A list is asked for like anything else, by a call, so that deadlines, cancelling, lost connections and answers in
//! parts are those of calls, on every transport that routes by a [`Router`].

use super::Router;
use crate::bus::{Delivery, Verb};
use crate::codec::Budget;
use crate::error::{CallErrorKind, Fate, Stage};
use crate::name::{Exchange, Method, Topic};
use crate::payload::Payload;
use crate::reply::Reply;

/// The topic, in [`Exchange::REGISTRY`].
pub(crate) const TOPIC: &str = "registry";
/// Takes the names of an exchange and a topic; gives those of the servers, the one that came first first.
pub(crate) const SERVERS: &str = "servers";

/// The most servers that one answer names: it is made while others wait.
pub(crate) const MOST_LISTED: usize = 16 * 1024;

impl Router {
    /// Answers a request to the registry.
    pub(super) fn answer(&self, delivery: Delivery) {
        let (in_flight, arguments) = delivery.into_parts();
        let head = in_flight.head();
        let listed = if head.verb == Verb::Cast {
            Ok(Vec::new()) // Nobody would hear it.
        } else if (&*head.topic, &*head.method) == (TOPIC, SERVERS) {
            self.list(arguments)
        } else {
            Err(CallErrorKind::NoSuchMethod {
                topic: head.topic.to_string(),
                method: head.method.to_string(),
                near: None,
            })
        };
        match listed {
            Ok(names) => in_flight.finish(Reply::Value(Payload::value(names))),
            Err(kind) => {
                let delivery = Delivery::new(in_flight, Payload::Bytes(Vec::new()));
                delivery.refuse(kind, Fate::NotExecuted, Stage::Routing);
            }
        }
    }

    fn list(&self, arguments: Payload) -> Result<Vec<String>, CallErrorKind> {
        let bad = |reason: String| CallErrorKind::BadRequest(reason);
        let (exchange, topic): (String, String) = arguments
            .take(&Budget::default())
            .map_err(|error| bad(error.to_string()))?;
        let exchange = Exchange::new(exchange).map_err(|error| bad(error.to_string()))?;
        let topic = Topic::new(topic).map_err(|error| bad(error.to_string()))?;
        let Some(servers) = self.servers(&exchange, &topic) else {
            return Err(self.nobody_on(&exchange, &topic, None));
        };
        if servers.list.len() > MOST_LISTED {
            return Err(CallErrorKind::Unsupported {
                what: "a list of more than 16384 servers",
                advice: "spread them over several topics",
            });
        }
        let names = servers.list.iter().map(|(name, _)| name.to_string());
        Ok(names.collect())
    }
}

/// What names the registry's method.
pub(crate) fn servers_method() -> Result<(Topic, Method), crate::name::NameError> {
    Ok((Topic::from_static(TOPIC)?, Method::from_static(SERVERS)?))
}
