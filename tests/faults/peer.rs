//! A peer that keeps no rule about when it reads and where it stops: the session's bytes on a plain socket.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tidings::__core::codec;
use tidings::__core::session::{
    Config, Destination, Event, IncomingId, Limits, Method, Name, Request, RequestHeader,
    RequestId, Role, Session, Target, Verb,
};

use crate::engine::LONG;

/// One end of a connection, in the hands of the test.
pub(crate) struct Peer {
    pub(crate) stream: UnixStream,
    session: Session,
    token: u64,
    last: Option<RequestId>,
}

impl Peer {
    /// Greets whoever is at the other end of `stream`.
    pub(crate) fn greet(role: Role, stream: UnixStream) -> Peer {
        Peer::greet_with(Limits::default(), role, stream)
    }

    /// The same, with limits of its own.
    pub(crate) fn greet_with(limits: Limits, role: Role, stream: UnixStream) -> Peer {
        stream.set_read_timeout(Some(LONG)).unwrap();
        let mut config = Config::new([9; 16]);
        config.limits = limits;
        let session = Session::new(role, config, Instant::now());
        let mut peer = Peer {
            stream,
            session,
            token: 0,
            last: None,
        };
        while !peer.session.is_open() {
            peer.flush();
            peer.read();
        }
        peer.flush();
        peer
    }

    /// Reads once.
    fn read(&mut self) {
        let mut buffer = [0; 16 * 1024];
        let read = self.stream.read(&mut buffer).unwrap();
        assert!(read > 0, "the other side has closed");
        self.session.receive(&buffer[..read], Instant::now());
    }

    /// Writes all that the session has to say.
    pub(crate) fn flush(&mut self) {
        let bytes = self.output();
        self.stream.write_all(&bytes).unwrap();
    }

    /// Takes from the session what it has to say, for the test to write as it likes.
    pub(crate) fn output(&mut self) -> Vec<u8> {
        let now = Instant::now();
        let mut all = Vec::new();
        while self.session.has_output() {
            let bytes: Vec<u8> = self.session.transmit(now).flatten().copied().collect();
            self.session.wrote(bytes.len(), now);
            all.extend(bytes);
        }
        all
    }

    /// Hands the session a call; nothing is written.
    pub(crate) fn call(&mut self, topic: &str, method: &str, arguments: &impl Serialize) {
        self.call_with(topic, method, arguments, |_| {});
    }

    /// The same for a cast.
    pub(crate) fn cast(&mut self, topic: &str, method: &str, arguments: &impl Serialize) {
        self.hand(Verb::Cast, topic, method, arguments, |_| {});
    }

    /// A call with more in its header; gives its token.
    pub(crate) fn call_with(
        &mut self,
        topic: &str,
        method: &str,
        arguments: &impl Serialize,
        more: impl FnOnce(&mut RequestHeader),
    ) -> u64 {
        self.hand(Verb::Call, topic, method, arguments, more);
        self.token
    }

    fn hand(
        &mut self,
        verb: Verb,
        topic: &str,
        method: &str,
        arguments: &impl Serialize,
        more: impl FnOnce(&mut RequestHeader),
    ) {
        let name = |text| Name::new(text).unwrap();
        let target = Target {
            exchange: name("tidings"),
            topic: name(topic),
            server: None,
        };
        let method = Method::named(name(method));
        let mut header = RequestHeader {
            remaining: Some(Duration::from_secs(30)),
            ..RequestHeader::new(Destination::Topic(Arc::new(target)), Arc::new(method))
        };
        more(&mut header);
        self.token += 1;
        let payload = codec::encode(arguments, 1 << 20).unwrap().into();
        let (token, flow) = (self.token, 1);
        let request = Request {
            token,
            flow,
            way: 0,
            verb,
            header,
            payload,
        };
        self.last = Some(self.session.request(request, Instant::now()).unwrap());
    }

    /// Gives the last call up.
    pub(crate) fn cancel_last(&mut self) {
        self.session.cancel(self.last.take().unwrap());
        self.flush();
    }

    /// Waits for whatever comes, taking part in the conversation meanwhile.
    pub(crate) fn event(&mut self) -> Event {
        loop {
            self.flush();
            if let Some(event) = self.session.poll_event() {
                return event;
            }
            self.read();
        }
    }

    /// Waits for a request.
    pub(crate) fn request(&mut self) -> IncomingId {
        loop {
            while let Some(event) = self.session.poll_event() {
                if let Event::Request { id, .. } = event {
                    return id;
                }
            }
            self.flush();
            self.read();
        }
    }

    /// Asserts that nothing comes for `time`, and no end either.
    pub(crate) fn hears_nothing_for(&mut self, time: Duration) {
        self.stream.set_read_timeout(Some(time)).unwrap();
        let heard = self.stream.read(&mut [0; 64]).map_err(|e| e.kind());
        assert_eq!(heard, Err(ErrorKind::WouldBlock));
        self.stream.set_read_timeout(Some(LONG)).unwrap();
    }

    /// Is done with a request that wants no reply.
    pub(crate) fn release(&mut self, id: IncomingId) {
        self.session.release(id);
        self.flush();
    }

    /// Hands the session an answer; nothing is written.
    pub(crate) fn answer(&mut self, id: IncomingId, payload: Vec<u8>) {
        self.session.reply(id, Ok(payload.into()));
    }

    /// Waits for the reply to the last call, taking part in the conversation meanwhile.
    pub(crate) fn reply(&mut self) -> Vec<u8> {
        loop {
            while let Some(event) = self.session.poll_event() {
                match event {
                    Event::Reply { token, reply } if token == self.token => {
                        return reply.unwrap().into_vec();
                    }
                    _ => {}
                }
            }
            self.flush();
            self.read();
        }
    }
}
