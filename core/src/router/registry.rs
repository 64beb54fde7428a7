//! What the router answers itself: who serves a topic (PR-LIST).
//!
//! A list is asked for like anything else, by a call, so that deadlines, waiting for a server, cancelling, lost
//! connections and answers in parts are those of calls, on every transport that routes by a [`Router`].

use super::Router;
use crate::bus::Delivery;
use crate::error::{CallErrorKind, Fate, Stage};
use crate::payload::Payload;
use crate::reply::Reply;
use crate::server::{Mode, NotAccepted, Sent};

/// The most servers that one answer names: it is made while others wait.
const MOST_LISTED: usize = 16 * 1024;

impl Router {
    /// Tells who is on the topic, the one that came first first.
    pub(super) fn tell_who(&self, delivery: Delivery) -> Result<Sent, NotAccepted> {
        if let Some(forbidden) = self.policy.refusal(delivery.in_flight()) {
            let refused = delivery.refuse(forbidden, Fate::NotExecuted, Stage::Routing);
            return Err(NotAccepted::Refused(refused));
        }
        let Some(servers) = self.servers(delivery.in_flight().head()) else {
            return self.route(delivery, Mode::Queue); // The last one has gone in between.
        };
        let list = &servers.list;
        if list.len() > MOST_LISTED {
            let kind = CallErrorKind::Unsupported {
                what: "a list of more than 16384 servers",
                advice: "spread them over several topics",
            };
            let refused = delivery.refuse(kind, Fate::NotExecuted, Stage::Routing);
            return Err(NotAccepted::Refused(refused));
        }
        let names: Vec<String> = list.iter().map(|known| known.name.to_string()).collect();
        let (in_flight, _arguments) = delivery.into_parts();
        in_flight.finish(Reply::Value(Payload::value(names)));
        Ok(Sent::OnItsWay)
    }
}
