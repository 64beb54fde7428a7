//! One copy of a cast for every server on its topic (C-AD-4).
//!
//! A fanout is taken as a whole or not at all: it needs room at every server that keeps up. What is not waited for is a
//! server that has been full for a while ([`Standing::Behind`]): it misses its copy, and counts that. So no server is
//! forgotten because of a moment's rush, and none holds up the others for long.

use std::sync::Arc;

use super::{Destination, Known, Router, Servers};
use crate::bus::{Delivery, Head, InFlight, Standing, Verb};
use crate::error::{CallError, CallErrorKind, Fate, Stage};
use crate::name::ServerName;
use crate::payload::Payload;
use crate::reply::Reply;
use crate::server::{Mode, NotAccepted, Sent};

impl Router {
    /// Gives a copy to every server that is on the topic now.
    pub(super) fn fan_out(&self, delivery: Delivery) -> Result<Sent, NotAccepted> {
        let head = delivery.in_flight().head();
        if head.verb == Verb::Call {
            let kind = CallErrorKind::Unsupported {
                what: "a call with fanout",
                advice: "`.fanout().gather()` calls every server and brings every answer",
            };
            let refused = delivery.refuse(kind, Fate::NotExecuted, Stage::Routing);
            return Err(NotAccepted::Refused(refused));
        }
        let servers = match (self.servers(head), self.choose(head)) {
            (Some(servers), _) => servers,
            (None, Err(kind)) => return self.without_server(delivery, kind),
            // They come and go just now.
            (None, Ok(_)) => return self.route(delivery, Mode::Queue),
        };
        let choice = match Choice::of(&servers, delivery.weight()) {
            Ok(choice) => choice,
            Err(full) => return Err(no_room(delivery, full)),
        };
        let (in_flight, payload) = delivery.into_parts();
        // It was encoded before it was sent: each server gets a value of its own (C-VB-6).
        let bytes = payload
            .into_bytes(usize::MAX, in_flight.head().codec)
            .unwrap_or_default();
        choice.deliver(&in_flight, bytes)
    }
}

/// Who gets a copy.
struct Choice<'a> {
    ready: Vec<&'a Known>,
    missing: Vec<&'a Arc<dyn Destination>>,
}

impl<'a> Choice<'a> {
    /// Those of `servers` with room for `weight` bytes.
    ///
    /// # Errors
    /// The name of one that is to be waited for.
    fn of(servers: &'a Servers, weight: usize) -> Result<Self, &'a ServerName> {
        let mut choice = Choice {
            ready: Vec::with_capacity(servers.list.len()),
            missing: Vec::new(),
        };
        for server in &servers.list {
            match server.server.standing(weight) {
                Standing::Free => choice.ready.push(server),
                Standing::Full => return Err(&server.name),
                Standing::Behind => choice.missing.push(&server.server),
            }
        }
        match (choice.ready.as_slice(), servers.list.first()) {
            // Nobody at all would get it: then it waits like any cast.
            ([], Some(known)) => Err(&known.name),
            _ => Ok(choice),
        }
    }

    fn deliver(mut self, original: &InFlight, bytes: Vec<u8>) -> Result<Sent, NotAccepted> {
        let (mut taken, mut refused) = (0_usize, None::<CallError>);
        for Known { name, server, .. } in self.ready {
            match server.deliver(copy(original.head(), name, bytes.clone()), Mode::Queue) {
                Ok(_) => taken += 1,
                Err(NotAccepted::Refused(error)) => refused = refused.or(Some(error)),
                // Others came in between.
                Err(NotAccepted::Full(..)) => self.missing.push(server),
            }
        }
        self.missing.iter().for_each(|server| server.missed());
        match refused {
            // As for a cast to one server: who sent it learns why it runs nowhere.
            Some(error) if taken == 0 => {
                let told = CallError::new(error.kind().clone(), error.fate(), error.stage());
                let told = original.told(told);
                original.finish(Reply::Failed(told.clone()));
                Err(NotAccepted::Refused(told))
            }
            _ => {
                // Its copies go on by themselves; the room that it took on its connection is free.
                original.finish(Reply::Value(Payload::Bytes(Vec::new())));
                Ok(Sent::OnItsWay)
            }
        }
    }
}

/// One server's copy of a fanout cast.
fn copy(head: &Head, name: &ServerName, bytes: Vec<u8>) -> Delivery {
    let head = Head {
        server: Some(name.clone()),
        ..head.clone()
    };
    let payload = Payload::encoded(bytes, head.codec);
    Delivery::new(InFlight::new(head, None, None), payload)
}

fn no_room(delivery: Delivery, name: &ServerName) -> NotAccepted {
    let kind = CallErrorKind::QueueFull {
        queue: "the queue of a server on the topic",
        limit: format!("server `{name}`"),
    };
    let full = CallError::new(kind, Fate::NotExecuted, Stage::Accepted);
    let full = delivery.in_flight().told(full);
    NotAccepted::Full(delivery, full)
}
