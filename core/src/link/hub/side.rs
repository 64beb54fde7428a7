//! The hub's end of one connection.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::Context;

use super::Core;
use super::fading::{Come, Settling};
use crate::bus::{Caller, Delivery, Head, InFlight};
use crate::doorbell::Doorbell;
use crate::error::ServeError;
use crate::link::outbox::Outbox;

use crate::link::remote_server::RemoteServer;
use crate::link::side::{Side, Taken};
use crate::link::translate::{self, Addressee, Incoming};
use crate::name::{Exchange, ServerName, Topic};
use crate::notice::Notice;
use crate::overload::{Parked, Way};
use crate::router::Router;
use crate::server::{Mode, NotAccepted, Retiring, Sent, ServerCore};
use crate::session::{
    BindId, BindRefusal, CloseCode, Destination, PeerHello, Registration, Session, error_code,
};

/// What a member of this connection has registered, and who it is. Dropping it takes all of that
/// out of the hub.
pub(super) struct HubSide {
    core: Arc<Core>,
    id: u64,
    caller: Arc<Caller>,
    outbox: Arc<Outbox>,
    bound: HashMap<BindId, Bound>,
    /// Those of them that the router knows no more, and to which something is on its way.
    retiring: Vec<BindId>,
    parked: Parked,
}

/// One registration.
struct Bound {
    names: (Exchange, Topic, ServerName),
    server: Arc<RemoteServer>,
    /// It was taken out of the router: its name may be another server's now.
    retired: bool,
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
            retiring: Vec::new(),
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
        let names = names_of(registration);
        let offers = translate::offers_of(registration);
        let (exchange, topic, name) = &names;
        let policy = &self.core.options.policy;
        if let Some(text) = policy.refusal_to_serve((exchange, topic, name), &self.caller) {
            return Err(refused(text)); // S9
        }
        let (outbox, policy) = (self.outbox.clone(), policy.clone());
        let server = Arc::new(RemoteServer::new(outbox, id, offers, policy));
        match self.core.router.add(exchange, topic, name, server.clone()) {
            Ok(()) => {
                let retired = false;
                let bound = Bound {
                    names,
                    server,
                    retired,
                };
                self.bound.insert(id, bound);
                Ok(())
            }
            Err(ServeError::NameTaken { .. }) => Err(refused(NAME_TAKEN.into())),
            Err(other) => Err(refused(other.to_string())),
        }
    }

    fn withdraw(&mut self) {
        for (_, mut bound) in self.bound.drain() {
            bound.leave(&self.core.router);
        }
        self.retiring.clear();
    }
}

impl Bound {
    /// Takes it out of the router, once.
    fn leave(&mut self, router: &Router) {
        if !std::mem::replace(&mut self.retired, true) {
            let (exchange, topic, name) = &self.names;
            router.remove(exchange, topic, name);
        }
    }
}

/// The text of a refusal by which a member tells this reason from others.
pub(in crate::link) const NAME_TAKEN: &str = "name taken";

fn names_of(registration: &Registration) -> (Exchange, Topic, ServerName) {
    (
        registration.exchange.clone().into(),
        registration.topic.clone().into(),
        registration.server.clone().into(),
    )
}

impl Side for HubSide {
    fn started(&mut self, _session: &mut Session) {}

    fn opened(&mut self, hello: &PeerHello) -> Result<(), CloseCode> {
        if let Some(token) = &hello.token {
            let caller = Caller::clone(&self.caller);
            self.caller = Arc::new(caller.with_name(token.clone().into_arc()));
            // A token has told whose connection this is, which counts among theirs from now on (R3).
            if !self.core.enter_as(self.id, &self.caller) {
                return Err(CloseCode::TooManyConnections); // Until it has gone, it is one of the strangers.
            }
        }
        self.core.said_hello(self.id);
        Ok(())
    }

    fn request(&mut self, incoming: Incoming, mode: Mode) -> Option<Taken> {
        let Destination::Topic(target) = &incoming.header.destination else {
            return None; // The session lets no other through (PR-REQ-4).
        };
        let addressee = Addressee::of_target(target);
        let caller = Some(self.caller.clone());
        let delivery = incoming.into_delivery(addressee, caller);
        let in_flight = delivery.in_flight().clone();
        let answer = self.parked.deliver(delivery, &Come(&self.core), mode);
        Some(Taken { in_flight, answer })
    }

    fn poll_parked(&mut self, cx: &mut Context<'_>) -> bool {
        self.parked.poll(&Come(&self.core), cx)
    }

    fn given_up(&mut self) {
        self.parked.given_up();
    }

    fn bind(&mut self, id: BindId, registration: &Registration) -> Result<(), BindRefusal> {
        self.try_bind(id, registration)
    }

    fn unbind(&mut self, id: BindId) {
        if let Some(mut bound) = self.bound.remove(&id) {
            bound.leave(&self.core.router);
            self.retiring.retain(|retiring| *retiring != id);
        }
    }

    fn bind_server(&mut self, _session: &mut Session, _server: &Arc<ServerCore>) {}

    fn unbind_server(&mut self, _session: &mut Session, _server: &Arc<ServerCore>) {}

    fn retire_server(&mut self, _session: &mut Session, _retiring: Retiring) {}

    fn settle(&mut self, settling: &Settling) {
        let (server, router) = (settling.server(), &self.core.router);
        // In order, a fanout among them: what others serve as well goes on waiting for those.
        let left = |head: &Head| server.serves(head) && !router.serves(head);
        for delivery in self.parked.take(left) {
            // Refused, it is told.
            drop(server.deliver(delivery, Mode::Over));
        }
    }

    fn retire(&mut self, id: BindId) {
        if let Some(bound) = self.bound.get_mut(&id) {
            bound.leave(&self.core.router);
            // In this order: whoever finds that it has gone finds that the router has others.
            bound.server.retire();
            self.retiring.push(id);
        }
    }

    fn retired(&mut self, _id: BindId) {}

    fn tell_retired(&mut self, session: &mut Session) {
        if self.retiring.is_empty() {
            return;
        }
        let bound = &self.bound;
        self.retiring.retain(|id| {
            let stays = bound
                .get(id)
                .is_some_and(|bound| !bound.server.has_nothing());
            if !stays {
                session.retired(*id);
            }
            stays
        });
    }

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
    fn deliver(&self, delivery: Delivery, mode: Mode) -> Result<Sent, NotAccepted> {
        self.route(delivery, mode)
    }

    fn wait_for_room(&self, delivery: &Delivery, cx: &mut Context<'_>) {
        Router::wait_for_room(self, delivery, cx);
    }

    fn is_awaited(&self, in_flight: &Arc<InFlight>) {
        Router::is_awaited(self, in_flight);
    }
}

impl Drop for HubSide {
    fn drop(&mut self) {
        self.withdraw();
        self.parked.leave(&Come(&self.core));
        self.core.has_left(self.id);
    }
}
