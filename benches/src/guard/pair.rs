//! Two sessions that speak to each other directly.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tidings_core::session::{
    Config, Destination, Event, Method, Name, Registration, Request, RequestHeader, Role, Session,
    Target, Verb,
};

/// A member that calls and the hub that answers, and the time, which stands still.
pub(super) struct Pair {
    hub: Session,
    member: Session,
    now: Instant,
    target: Arc<Target>,
    method: Arc<Method>,
    bytes: Vec<u8>,
}

impl Pair {
    /// Open on both sides.
    pub(super) fn bound() -> Self {
        let now = Instant::now();
        let mut pair = Pair {
            hub: Session::new(Role::Hub, Config::new([1; 16]), now),
            member: Session::new(Role::Member, Config::new([2; 16]), now),
            now,
            target: Arc::new(Target {
                exchange: name("tidings"),
                topic: name("echo"),
                server: None,
            }),
            method: Arc::new(Method {
                name: name("block"),
                namespace: None,
                version: Some((1, 0, 0)),
                fingerprint: Some(7),
            }),
            bytes: Vec::new(),
        };
        let registration = Registration {
            exchange: name("tidings"),
            topic: name("other"),
            server: name("server"),
            offers: Vec::new(),
        };
        let id = pair.member.bind(registration).expect("it is the first");
        pair.settle();
        pair.hub.bind_result(id, Ok(()));
        pair.settle();
        assert!(pair.hub.is_open() && pair.member.is_open());
        pair
    }

    /// There and back.
    pub(super) fn call(&mut self) {
        self.send(Verb::Call);
        self.settle();
        let mut replies = 0;
        while let Some(event) = self.member.poll_event() {
            replies += usize::from(matches!(event, Event::Reply { .. }));
        }
        assert_eq!(replies, 1);
    }

    /// One way.
    pub(super) fn cast(&mut self) {
        self.send(Verb::Cast);
        self.settle();
        while self.member.poll_event().is_some() {}
    }

    fn send(&mut self, verb: Verb) {
        let request = Request {
            token: 1,
            flow: 1,
            way: 1,
            verb,
            header: RequestHeader {
                remaining: Some(Duration::from_secs(30)),
                ..RequestHeader::new(Destination::Topic(self.target.clone()), self.method.clone())
            },
            payload: vec![0x5a; 64].into(),
        };
        let sent = self.member.request(request, self.now);
        assert!(sent.is_ok(), "there is room");
    }

    /// Carries bytes until both are silent; the hub answers what wants an answer.
    fn settle(&mut self) {
        loop {
            let there = carry(&mut self.member, &mut self.hub, self.now, &mut self.bytes);
            while let Some(event) = self.hub.poll_event() {
                if let Event::Request {
                    id, verb, payload, ..
                } = event
                {
                    match verb {
                        Verb::Call => self.hub.reply(id, Ok(payload)),
                        Verb::Cast => self.hub.release(id),
                    }
                }
            }
            let back = carry(&mut self.hub, &mut self.member, self.now, &mut self.bytes);
            if there + back == 0 {
                return;
            }
        }
    }
}

fn carry(from: &mut Session, to: &mut Session, now: Instant, bytes: &mut Vec<u8>) -> usize {
    bytes.clear();
    while from.has_output() {
        let before = bytes.len();
        from.transmit(now)
            .for_each(|slice| bytes.extend_from_slice(slice));
        if bytes.len() == before {
            break;
        }
        from.wrote(bytes.len() - before, now);
    }
    to.receive(bytes, now);
    bytes.len()
}

fn name(text: &str) -> Name {
    Name::new(text).expect("it is a name")
}
