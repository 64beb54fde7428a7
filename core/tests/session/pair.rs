//! Two sessions that speak to each other directly, and what tests of them share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tidings_core::session::{
    BindId, Config, Destination, Event, IncomingId, Limits, Method, Name, Offer, Registration,
    Request, RequestHeader, Role, Session, Target, Verb,
};

/// A hub and a member, the time, and what came out of them.
pub(crate) struct Pair {
    pub(crate) hub: Session,
    pub(crate) member: Session,
    pub(crate) now: Instant,
    pub(crate) hub_events: Vec<Event>,
    pub(crate) member_events: Vec<Event>,
    /// Bytes that were carried from the member to the hub, and back.
    pub(crate) carried: (usize, usize),
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default(), Limits::default())
    }

    pub(crate) fn with(hub: Limits, member: Limits) -> Self {
        let now = Instant::now();
        let config = |instance, limits| Config {
            limits,
            ..Config::new([instance; 16])
        };
        Self {
            hub: Session::new(Role::Hub, config(1, hub), now),
            member: Session::new(Role::Member, config(2, member), now),
            now,
            hub_events: Vec::new(),
            member_events: Vec::new(),
            carried: (0, 0),
        }
    }

    /// Open on both sides, with the topic of [`registration`] bound.
    pub(crate) fn bound() -> (Self, BindId) {
        let mut pair = Self::new();
        let id = pair.member.bind(registration()).unwrap();
        pair.settle();
        pair.hub.bind_result(id, Ok(()));
        pair.settle();
        pair.hub_events.clear();
        pair.member_events.clear();
        (pair, id)
    }

    /// Carries bytes until both are silent.
    pub(crate) fn settle(&mut self) {
        loop {
            let there = carry(&mut self.member, &mut self.hub, self.now);
            let back = carry(&mut self.hub, &mut self.member, self.now);
            self.carried.0 += there;
            self.carried.1 += back;
            self.hub_events
                .extend(std::iter::from_fn(|| self.hub.poll_event()));
            self.member_events
                .extend(std::iter::from_fn(|| self.member.poll_event()));
            if there + back == 0 {
                return;
            }
        }
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.hub.advance(self.now);
        self.member.advance(self.now);
    }

    /// The requests that came to the hub and were not looked at yet.
    pub(crate) fn at_hub(&mut self) -> Vec<(IncomingId, Vec<u8>)> {
        requests(&mut self.hub_events)
    }
}

/// All bytes that a session has to write now, as one read of the other's.
pub(crate) fn output(session: &mut Session, now: Instant) -> Vec<u8> {
    let mut all = Vec::new();
    while session.has_output() {
        let bytes: Vec<u8> = session.transmit(now).collect::<Vec<_>>().concat();
        if bytes.is_empty() {
            break;
        }
        session.wrote(bytes.len(), now);
        all.extend(bytes);
    }
    all
}

fn carry(from: &mut Session, to: &mut Session, now: Instant) -> usize {
    let bytes = output(from, now);
    to.receive(&bytes, now);
    bytes.len()
}

/// Takes the requests out of a list of events.
pub(crate) fn requests(events: &mut Vec<Event>) -> Vec<(IncomingId, Vec<u8>)> {
    let mut found = Vec::new();
    events.retain_mut(|event| match event {
        Event::Request { id, payload, .. } => {
            found.push((*id, std::mem::take(payload).into_vec()));
            false
        }
        _ => true,
    });
    found
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(crate) fn target(topic: &str) -> Arc<Target> {
    Arc::new(Target {
        exchange: name("tidings"),
        topic: name(topic),
        server: None,
    })
}

pub(crate) fn method(text: &str) -> Arc<Method> {
    Arc::new(Method {
        name: name(text),
        namespace: None,
        version: Some((1, 0, 0)),
        fingerprint: Some(0x1234_5678_9abc_def0),
    })
}

pub(crate) fn registration() -> Registration {
    Registration {
        exchange: name("tidings"),
        topic: name("greeter"),
        server: name("s1"),
        offers: vec![
            Offer {
                namespace: None,
                version: (1, 2, 0),
            },
            Offer {
                namespace: Some(name("admin")),
                version: (2, 0, 65_535),
            },
        ],
    }
}

pub(crate) fn header(destination: Destination) -> RequestHeader {
    RequestHeader {
        remaining: Some(Duration::from_secs(30)),
        ..RequestHeader::new(destination, method("hello"))
    }
}

/// A request of a member's to topic `greeter`, in a flow of its own.
pub(crate) fn request(token: u64, verb: Verb, payload: Vec<u8>) -> Request {
    let header = header(Destination::Topic(target("greeter")));
    Request {
        token,
        flow: token,
        way: 0,
        verb,
        header,
        payload: payload.into(),
    }
}

pub(crate) fn call(token: u64, payload: Vec<u8>) -> Request {
    request(token, Verb::Call, payload)
}

pub(crate) fn cast(token: u64, payload: Vec<u8>) -> Request {
    request(token, Verb::Cast, payload)
}
