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
use crate::payload::{Payload, SharedBytes};
use crate::reply::Reply;
use crate::server::{Mode, NotAccepted, Sent};

impl Router {
    /// Gives a copy to every server that is on the topic now.
    pub(super) fn fan_out(&self, delivery: Delivery, mode: Mode) -> Result<Sent, NotAccepted> {
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
            (None, Ok(_)) => return self.route(delivery, mode),
        };
        let choice = match Choice::of(&servers, delivery.weight(), mode) {
            Ok(choice) => choice,
            Err(full) => return Err(no_room(delivery, full)),
        };
        let (in_flight, payload) = delivery.into_parts();
        // It was encoded before it was sent: each server gets a value of its own (C-VB-6).
        let payload = payload.share(in_flight.head().codec);
        choice.deliver(&in_flight, &payload)
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
    fn of(servers: &'a Servers, weight: usize, mode: Mode) -> Result<Self, &'a ServerName> {
        let mut choice = Choice {
            ready: Vec::with_capacity(servers.list.len()),
            missing: Vec::new(),
        };
        for server in &servers.list {
            match server.server.standing(weight) {
                Standing::Free => choice.ready.push(server),
                Standing::Full if mode != Mode::Over => return Err(&server.name),
                Standing::Full | Standing::Behind => choice.missing.push(&server.server),
            }
        }
        match (choice.ready.as_slice(), servers.list.first()) {
            // Nobody at all would get it: then it waits like any cast.
            ([], Some(known)) => Err(&known.name),
            _ => Ok(choice),
        }
    }

    fn deliver(mut self, original: &InFlight, payload: &SharedBytes) -> Result<Sent, NotAccepted> {
        let (mut taken, mut refused) = (0_usize, None::<CallError>);
        for Known { name, server, .. } in self.ready {
            match server.deliver(copy(original, name, payload), Mode::Queue) {
                Ok(_) => taken += 1,
                Err(NotAccepted::Refused(error)) => refused = refused.or(Some(error)),
                // Others came in between.
                Err(NotAccepted::Full(..) | NotAccepted::Later(..)) => self.missing.push(server),
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
fn copy(original: &InFlight, name: &ServerName, payload: &SharedBytes) -> Delivery {
    let head = Head {
        server: Some(name.clone()),
        ..original.head().clone()
    };
    Delivery::new(original.copy(head), payload.copy())
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::task::Context;
    use std::time::Instant;

    use super::*;
    use crate::bus::Reach;
    use crate::bytes::Pieces;
    use crate::name::{Exchange, Method, Topic};
    use crate::server::Offers;

    /// A copy: whom it names, and what it carries.
    type Copy = (Option<ServerName>, Arc<Pieces>);

    /// A server whose queue is as the test says.
    struct Fake {
        standing: Mutex<Standing>,
        has_room: bool,
        took: Mutex<Vec<Copy>>,
        missed: Mutex<usize>,
    }

    impl Fake {
        fn new(standing: Standing) -> Arc<Fake> {
            Fake::with_room(standing, true)
        }

        fn with_room(standing: Standing, has_room: bool) -> Arc<Fake> {
            Arc::new(Fake {
                standing: Mutex::new(standing),
                has_room,
                took: Mutex::default(),
                missed: Mutex::default(),
            })
        }

        fn counts(&self) -> (usize, usize) {
            let took = self.took.lock().unwrap();
            assert!(took.iter().all(|(server, _)| server.is_some()));
            (took.len(), *self.missed.lock().unwrap())
        }
    }

    impl Destination for Arc<Fake> {
        fn load(&self) -> usize {
            0
        }
        fn offers(&self) -> Offers {
            Offers::unknown()
        }
        fn deliver(&self, delivery: Delivery, _mode: Mode) -> Result<Sent, NotAccepted> {
            if !self.has_room {
                return Err(no_room(delivery, &ServerName::new("fake").unwrap()));
            }
            let (in_flight, payload) = delivery.into_parts();
            assert_eq!(in_flight.head().reach, Reach::Every);
            let server = in_flight.head().server.clone();
            let Payload::Shared(bytes) = payload else {
                panic!("{payload:?} is its own");
            };
            self.took
                .lock()
                .unwrap()
                .push((server, bytes.into_pieces()));
            Ok(Sent::OnItsWay)
        }
        fn wait_for_room(&self, _: &Delivery, _: &mut Context<'_>) {}
        fn standing(&self, _weight: usize) -> Standing {
            *self.standing.lock().unwrap()
        }
        fn missed(&self) {
            *self.missed.lock().unwrap() += 1;
        }
    }

    fn router(servers: &[&Arc<Fake>]) -> Router {
        let router = Router::new();
        for (n, server) in servers.iter().enumerate() {
            let name = ServerName::new(format!("s{n}")).unwrap();
            let server = Arc::new(Arc::clone(server));
            let topic = Topic::new("t").unwrap();
            router
                .add(&Exchange::DEFAULT, &topic, &name, server)
                .unwrap();
        }
        router
    }

    fn fanout(verb: Verb) -> Delivery {
        let (topic, method) = (Topic::new("t").unwrap(), Method::new("m").unwrap());
        let head = Head {
            reach: Reach::Every,
            ..Head::new(verb, Exchange::DEFAULT, topic, method, Instant::now())
        };
        Delivery::new(
            InFlight::new(head, None, None),
            Payload::Bytes(vec![1, 2, 3]),
        )
    }

    #[test]
    fn all_get_a_copy_or_nobody_does() {
        let (one, other) = (Fake::new(Standing::Free), Fake::new(Standing::Full));
        let router = router(&[&one, &other]);
        let refused = router.route(fanout(Verb::Cast), Mode::Queue);
        let Err(NotAccepted::Full(delivery, error)) = refused else {
            panic!("it did not wait for the full one");
        };
        assert!(error.to_string().contains("s1"), "{error}");
        assert_eq!((one.counts(), other.counts()), ((0, 0), (0, 0)));
        *other.standing.lock().unwrap() = Standing::Free;
        assert!(router.route(delivery, Mode::Queue).is_ok());
        assert_eq!((one.counts(), other.counts()), ((1, 0), (1, 0)));
    }

    #[test]
    fn what_goes_to_all_is_in_memory_once() {
        let servers = [(); 3].map(|()| Fake::new(Standing::Free));
        let router = router(&servers.each_ref());
        assert!(router.route(fanout(Verb::Cast), Mode::Queue).is_ok());
        let bytes = servers.map(|server| server.took.lock().unwrap()[0].1.clone());
        assert_eq!(bytes[0].whole(), [1, 2, 3][..]);
        assert!(bytes.iter().all(|other| Arc::ptr_eq(other, &bytes[0])));
    }

    #[test]
    fn who_is_behind_misses_its_copy_unless_all_are() {
        let (one, other) = (Fake::new(Standing::Free), Fake::new(Standing::Behind));
        let router = router(&[&one, &other]);
        assert!(router.route(fanout(Verb::Cast), Mode::Queue).is_ok());
        assert_eq!((one.counts(), other.counts()), ((1, 0), (0, 1)));
        *one.standing.lock().unwrap() = Standing::Behind;
        let refused = router.route(fanout(Verb::Cast), Mode::Queue);
        assert!(matches!(refused, Err(NotAccepted::Full(..))));
        assert_eq!((one.counts(), other.counts()), ((1, 0), (0, 1)));
    }

    #[test]
    fn a_copy_that_others_left_no_room_for_is_missed() {
        let one = Fake::new(Standing::Free);
        let raced = Fake::with_room(Standing::Free, false);
        let router = router(&[&raced, &one]);
        assert!(router.route(fanout(Verb::Cast), Mode::Queue).is_ok());
        assert_eq!((one.counts(), raced.counts()), ((1, 0), (0, 1)));
    }

    #[test]
    fn a_call_to_all_that_comes_by_the_wire_is_refused() {
        let one = Fake::new(Standing::Free);
        let refused = router(&[&one]).route(fanout(Verb::Call), Mode::Queue);
        let Err(NotAccepted::Refused(error)) = refused else {
            panic!("one reply cannot come from all");
        };
        assert!(error.to_string().contains("gather"), "{error}");
        assert_eq!(error.fate(), Fate::NotExecuted);
        assert_eq!(one.counts(), (0, 0));
    }
}
