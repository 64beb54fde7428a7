//! The hub's end of one connection.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::Context;

use super::Core;
use crate::bus::{Caller, Delivery, InFlight};
use crate::doorbell::Doorbell;
use crate::error::ServeError;
use crate::link::outbox::Outbox;

use crate::link::remote_server::RemoteServer;
use crate::link::side::Side;
use crate::link::translate::{self, Addressee, Incoming};
use crate::name::{Exchange, NameError, ServerName, Topic};
use crate::notice::Notice;
use crate::overload::{Parked, Way};
use crate::router::Router;
use crate::server::{Mode, NotAccepted, Sent, ServerCore};
use crate::session::{
    BindId, BindRefusal, Destination, PeerHello, Registration, Session, error_code,
};

/// What a member of this connection has registered, and who it is. Dropping it takes all of that
/// out of the hub.
pub(super) struct HubSide {
    core: Arc<Core>,
    id: u64,
    caller: Arc<Caller>,
    outbox: Arc<Outbox>,
    bound: HashMap<BindId, Bound>,
    parked: Parked,
}

/// One registration.
struct Bound {
    names: (Exchange, Topic, ServerName),
    server: Arc<RemoteServer>,
}

impl HubSide {
    /// The side of connection `id`, of whose peer nothing is known yet.
    pub(super) fn new(core: Arc<Core>, id: u64, outbox: Arc<Outbox>) -> Self {
        HubSide {
            core,
            id,
            caller: Arc::default(),
            outbox,
            bound: HashMap::new(),
            parked: Parked::default(),
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Rings when there is something for the connection's task.
    pub(super) fn bell(&self) -> &Doorbell {
        &self.outbox.bell
    }

    /// It is known who the peer is.
    pub(super) fn is_of(&mut self, caller: Caller) {
        self.caller = Arc::new(caller);
    }

    fn try_bind(&mut self, id: BindId, registration: &Registration) -> Result<(), BindRefusal> {
        let refused = |text: String| BindRefusal {
            code: error_code::FORBIDDEN,
            text,
        };
        let names = names_of(registration).map_err(|error| refused(error.to_string()))?;
        let offers =
            translate::offers_of(registration).map_err(|error| refused(error.to_string()))?;
        let (exchange, topic, name) = &names;
        let policy = &self.core.options.policy;
        if let Some(text) = policy.refusal_to_serve((exchange, topic, name), &self.caller) {
            return Err(refused(text)); // S9
        }
        let (outbox, policy) = (self.outbox.clone(), policy.clone());
        let server = Arc::new(RemoteServer::new(outbox, id, offers, policy));
        match self.core.router.add(exchange, topic, name, server.clone()) {
            Ok(()) => {
                self.bound.insert(id, Bound { names, server });
                Ok(())
            }
            Err(ServeError::NameTaken { .. }) => Err(refused(NAME_TAKEN.into())),
            Err(other) => Err(refused(other.to_string())),
        }
    }

    fn withdraw(&mut self) {
        for (_, bound) in self.bound.drain() {
            let (exchange, topic, name) = bound.names;
            self.core.router.remove(&exchange, &topic, &name);
        }
    }
}

/// The text of a refusal by which a member tells this reason from others.
pub(in crate::link) const NAME_TAKEN: &str = "name taken";

fn names_of(registration: &Registration) -> Result<(Exchange, Topic, ServerName), NameError> {
    Ok((
        Exchange::from_shared(registration.exchange.clone().into_arc())?,
        Topic::from_shared(registration.topic.clone().into_arc())?,
        ServerName::from_shared(registration.server.clone().into_arc())?,
    ))
}

impl Side for HubSide {
    fn started(&mut self, _session: &mut Session) {}

    fn opened(&mut self, hello: &PeerHello) {
        if let Some(token) = &hello.token {
            let caller = Caller::clone(&self.caller);
            self.caller = Arc::new(caller.with_name(token.clone().into_arc()));
            self.core.is_named(self.id, &self.caller);
        }
        self.core.said_hello(self.id);
    }

    fn request(&mut self, incoming: Incoming) -> Option<Arc<InFlight>> {
        let Destination::Topic(target) = &incoming.header.destination else {
            return None; // The session lets no other through (PR-REQ-4).
        };
        let addressee = Addressee::of_target(target).ok()?;
        let caller = Some(self.caller.clone());
        let delivery = incoming.into_delivery(addressee, caller).ok()?;
        let in_flight = delivery.in_flight().clone();
        self.parked.deliver(delivery, &self.core.router);
        Some(in_flight)
    }

    fn poll_parked(&mut self, cx: &mut Context<'_>) -> bool {
        self.parked.poll(&self.core.router, cx)
    }

    fn bind(&mut self, id: BindId, registration: &Registration) -> Result<(), BindRefusal> {
        self.try_bind(id, registration)
    }

    fn unbind(&mut self, id: BindId) {
        if let Some(bound) = self.bound.remove(&id) {
            let (exchange, topic, name) = bound.names;
            self.core.router.remove(&exchange, &topic, &name);
        }
    }

    fn bind_server(&mut self, _session: &mut Session, _server: &Arc<ServerCore>) {}

    fn unbind_server(&mut self, _session: &mut Session, _server: &Arc<ServerCore>) {}

    fn tell_missed(&mut self, session: &mut Session) {
        if self.outbox.take_some_missed() {
            for (id, bound) in &self.bound {
                session.missed(*id, bound.server.take_missed());
            }
        }
    }

    fn missed(&mut self, _id: BindId, _copies: u64) {}

    fn bind_result(&mut self, _id: BindId, _result: Result<(), BindRefusal>) {}

    fn going_away(&mut self) {
        self.withdraw(); // It will refuse what it is sent.
    }

    fn closed(&mut self, wrong: Option<&str>) {
        if let Some(why) = wrong {
            Notice::ConnectionEnded.tell(&self.caller, why);
        }
        self.withdraw();
    }
}

impl Way for Router {
    fn deliver(&self, delivery: Delivery) -> Result<Sent, NotAccepted> {
        self.route(delivery, Mode::Queue)
    }

    fn wait_for_room(&self, delivery: &Delivery, cx: &mut Context<'_>) {
        Router::wait_for_room(self, delivery, cx);
    }
}

impl Drop for HubSide {
    fn drop(&mut self) {
        self.withdraw();
        self.core.has_left(self.id);
    }
}
