//! The member's end of one connection.

use std::sync::Arc;
use std::task::Context;

use super::Shared;
use super::registrations::Standing;
use crate::bus::{Caller, Delivery, Head, InFlight, escaped};
use crate::connection::{Epoch, Role};
use crate::error::{CallErrorKind, Fate, Stage};
use crate::link::hub::{NAME_TAKEN, Settling};
use crate::link::side::{Side, Taken};
use crate::link::translate::{self, Addressee, Incoming};
use crate::name_map::IdMap;
use crate::notice::Notice;
use crate::overload::{Parked, Way};
use crate::server::{Mode, NotAccepted, Retiring, Sent, ServerCore};
use crate::session::{
    self, BindId, BindRefusal, CloseCode, Destination, PeerHello, Registration, Session, error_code,
};

/// The servers by the names that they have on one connection.
#[derive(Default)]
struct Bound(IdMap<BindId, Arc<ServerCore>>);

/// What this process has registered by one connection.
pub(super) struct MemberSide {
    shared: Arc<Shared>,
    bound: Bound,
    /// Those of them that retire, until nothing is left of what was on its way; whether that has come.
    retiring: Vec<(BindId, Retiring, bool)>,
    parked: Parked,
    /// The caller told last: the session gives the same `Arc` for the same caller.
    caller: Option<(Arc<session::Caller>, Arc<Caller>)>,
}

impl MemberSide {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        MemberSide {
            shared,
            bound: Bound::default(),
            retiring: Vec::new(),
            parked: Parked::default(),
            caller: None,
        }
    }

    /// The registration of a server; one that retires is so no more, and it may have another.
    fn registration_of(&self, server: &Arc<ServerCore>) -> Option<BindId> {
        let is_it = |id: &BindId, known: &Arc<ServerCore>| {
            Arc::ptr_eq(known, server) && self.retiring.iter().all(|(other, ..)| other != id)
        };
        let mut all = self.bound.0.iter();
        all.find_map(|(id, known)| is_it(id, known).then_some(*id))
    }

    fn caller(&mut self, told: Arc<session::Caller>) -> Arc<Caller> {
        match &self.caller {
            Some((known, caller)) if Arc::ptr_eq(known, &told) => caller.clone(),
            _ => {
                let caller = translate::caller(&told);
                self.caller = Some((told, caller.clone()));
                caller
            }
        }
    }
}

impl Side for MemberSide {
    /// The registrations travel right behind Hello.
    fn started(&mut self, session: &mut Session) {
        for server in self.shared.registrations.all() {
            self.bind_server(session, &server);
        }
    }

    fn opened(&mut self, hello: &PeerHello) -> Result<(), CloseCode> {
        self.shared.registrations.connected();
        let epoch = Epoch::from_bytes(hello.instance);
        self.shared.watch.connected(epoch, Role::Member);
        self.shared.first.tell(Ok(()));
        Ok(())
    }

    fn request(&mut self, mut incoming: Incoming, mode: Mode) -> Option<Taken> {
        let Destination::Bound(id) = incoming.header.destination else {
            return None; // The session lets no other through (PR-REQ-4).
        };
        let server = self.bound.0.get(&id)?.clone();
        let caller = incoming.header.caller.take().map(|told| self.caller(told));
        let addressee = Addressee {
            exchange: server.exchange().clone(),
            topic: server.topic().clone(),
            server: Some(server.name().clone()),
        };
        let delivery = incoming.into_delivery(addressee, caller);
        let in_flight = delivery.in_flight().clone();
        let answer = self.parked.deliver(delivery, &server, mode);
        Some(Taken { in_flight, answer })
    }

    fn poll_parked(&mut self, cx: &mut Context<'_>) -> bool {
        self.parked.poll(&self.bound, cx)
    }

    fn given_up(&mut self) {
        self.parked.given_up();
    }

    fn bind(&mut self, _id: BindId, _registration: &Registration) -> Result<(), BindRefusal> {
        Ok(()) // The session lets no hub register anything (P17).
    }

    fn unbind(&mut self, _id: BindId) {}

    fn bind_server(&mut self, session: &mut Session, server: &Arc<ServerCore>) {
        // Asked for twice where a connection begins just when a server starts.
        if self.registration_of(server).is_some() || !self.shared.registrations.is_known(server) {
            return;
        }
        let Ok(registration) = translate::registration(server) else {
            return; // The bus's names are the session's names.
        };
        match session.bind(registration) {
            Ok(id) => {
                self.bound.0.insert(id, server.clone());
            }
            Err(_) => {
                let registrations = &self.shared.registrations;
                registrations.answered(server, Standing::Refused);
            }
        }
    }

    fn unbind_server(&mut self, session: &mut Session, server: &Arc<ServerCore>) {
        if let Some(id) = self.registration_of(server) {
            self.bound.0.remove(&id);
            session.unbind(id);
        }
    }

    fn retire_server(&mut self, session: &mut Session, retiring: Retiring) {
        // Where it has none, nothing comes.
        if let Some(id) = self.registration_of(retiring.server()) {
            if session.retire(id) {
                self.retiring.push((id, retiring, false));
            }
        }
    }

    fn settle(&mut self, _settling: &Settling) {} // It is drained by what the hub says.

    fn retire(&mut self, _id: BindId) {} // The session lets no hub retire anything (P17).

    fn retired(&mut self, id: BindId) {
        for (retiring, _, come) in &mut self.retiring {
            *come |= *retiring == id;
        }
    }

    fn tell_retired(&mut self, session: &mut Session) {
        if self.retiring.is_empty() {
            return;
        }
        let (parked, bound) = (&self.parked, &mut self.bound.0);
        self.retiring.retain(|(id, retiring, come)| {
            let stays = !come || parked.has_for(retiring.server());
            if !stays {
                bound.remove(id);
                session.unbind(*id);
            }
            stays
        });
    }

    fn bind_result(&mut self, id: BindId, result: Result<(), BindRefusal>) {
        let standing = match result {
            Ok(()) => Standing::Served,
            Err(refusal) if refusal.code == error_code::FORBIDDEN && refusal.text != NAME_TAKEN => {
                Standing::Forbidden(escaped(&refusal.text))
            }
            Err(_) => Standing::Refused,
        };
        if matches!(standing, Standing::Refused | Standing::Forbidden(_)) {
            self.retiring.retain(|(retiring, ..)| *retiring != id);
        }
        let server = match standing {
            Standing::Refused | Standing::Forbidden(_) => self.bound.0.remove(&id),
            _ => self.bound.0.get(&id).cloned(),
        };
        if let Some(server) = server {
            let restored = self.shared.registrations.answered(&server, standing);
            if let Some(servers) = restored {
                self.shared.watch.servers_restored(servers);
            }
        }
    }

    fn tell_missed(&mut self, _session: &mut Session) {}

    fn missed(&mut self, id: BindId, copies: u64) {
        if let Some(server) = self.bound.0.get(&id) {
            server.missed(copies);
        }
    }

    fn going_away(&mut self) {}

    fn closed(&mut self, wrong: Option<&str>) {
        if let Some(why) = wrong {
            let hub = &self.shared.options.address;
            Notice::ConnectionEnded.tell(hub, why);
        }
        self.shared.registrations.disconnected();
    }
}

impl Drop for MemberSide {
    fn drop(&mut self) {
        self.parked.leave(&self.bound);
    }
}

impl Bound {
    /// The server that a request was addressed to when it came.
    fn server(&self, head: &Head) -> Option<&Arc<ServerCore>> {
        self.0.values().find(|server| {
            (Some(server.name()), server.topic(), server.exchange())
                == (head.server.as_ref(), &head.topic, &head.exchange)
        })
    }
}

impl Way for Arc<ServerCore> {
    fn deliver(&self, delivery: Delivery, mode: Mode) -> Result<Sent, NotAccepted> {
        ServerCore::deliver(self, delivery, mode)
    }

    fn wait_for_room(&self, delivery: &Delivery, cx: &mut Context<'_>) {
        ServerCore::wait_for_room(self, delivery.weight(), cx);
    }

    fn is_awaited(&self, in_flight: &Arc<InFlight>) {
        self.beat_for(in_flight);
    }
}

impl Way for Bound {
    fn deliver(&self, delivery: Delivery, mode: Mode) -> Result<Sent, NotAccepted> {
        match self.server(delivery.in_flight().head()) {
            Some(server) => Way::deliver(server, delivery, mode),
            // Withdrawn while it waited.
            None => {
                let gone = CallErrorKind::ShuttingDown;
                let error = delivery.refuse(gone, Fate::NotExecuted, Stage::Accepted);
                Err(NotAccepted::Refused(error))
            }
        }
    }

    fn wait_for_room(&self, delivery: &Delivery, cx: &mut Context<'_>) {
        if let Some(server) = self.server(delivery.in_flight().head()) {
            Way::wait_for_room(server, delivery, cx);
        }
    }
}
