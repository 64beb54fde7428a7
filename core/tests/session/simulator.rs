//! A simulated world: two sessions, two pipes, a clock, faults, and what must hold after each
//! step. Everything follows from a seed.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidings_core::session::{
    BindId, CloseCode, Config, Destination, IncomingId, Limits, Method, Request, RequestId, Role,
    Session, Target, Verb, WireError, error_code, fate_code,
};

use crate::auth::{demand, prove};
use crate::pair::{header, method, registration, target};
use crate::random::Random;

/// Longest frame, longest message, requests in flight, messages in parts. A message is longer than
/// what is staged ahead, so that it is met half sent.
pub(crate) const LIMITS: (usize, usize, u32, u32) = (16 * 1024, 150 * 1024, 6, 2);
/// Bytes of requests in flight.
pub(crate) const WINDOW: usize = 200 * 1024;

fn limits() -> Limits {
    let (max_frame, max_message, max_in_flight, max_partial) = LIMITS;
    Limits {
        max_frame,
        max_message,
        max_in_flight,
        max_partial,
        max_in_flight_bytes: WINDOW,
        max_names: 3,
        queue_requests: 6,
        queue_bytes: 32 * 1024,
        ..Limits::default()
    }
}

/// What became of a request, as its sender knows it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fate {
    Pending,
    /// Cancelled, and the peer has not said that it has ended.
    CancelledThere,
    Cancelled,
    Done {
        never_ran: bool,
        ran: bool,
    },
}

#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) id: RequestId,
    pub(crate) verb: Verb,
    pub(crate) fate: Fate,
}

pub(crate) struct Running {
    pub(crate) id: IncomingId,
    pub(crate) verb: Verb,
    pub(crate) token: u64,
}

/// One session and what its user knows.
pub(crate) struct Side {
    pub(crate) session: Session,
    /// Bytes given to the socket that the other side has not read.
    pub(crate) pipe: VecDeque<u8>,
    pub(crate) stopped: bool,
    pub(crate) sent: BTreeMap<u64, Sent>,
    pub(crate) running: Vec<Running>,
    /// How often each of the other side's requests was given out here.
    pub(crate) ran: BTreeMap<u64, u32>,
    pub(crate) last_of_flow: BTreeMap<u64, u64>,
    pub(crate) bound: Vec<BindId>,
    /// The member's, of which it has asked for what is on its way.
    pub(crate) retiring: HashSet<BindId>,
    pub(crate) closed: bool,
}

pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) sides: [Side; 2],
    pub(crate) now: Instant,
    pub(crate) next_token: u64,
    /// The member has a token that the hub does not take.
    pub(crate) strangers: bool,
    pub(crate) targets: Vec<Arc<Target>>,
    pub(crate) methods: Vec<Arc<Method>>,
    pub(crate) trace: u64,
    pub(crate) completions: u64,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let now = Instant::now();
        // In every other life both sides prove a token first, in some of those a wrong one.
        let strangers = seed % 10 == 1;
        let (mut hub_auth, mut member_auth) = (None, None);
        if seed % 2 == 1 {
            hub_auth = Some(demand(3, &[("ada", 1)]));
            member_auth = Some(prove(4, "ada", if strangers { 2 } else { 1 }));
        }
        let side = |role, instance, auth| Side {
            session: Session::new(
                role,
                Config {
                    limits: limits(),
                    auth,
                    ..Config::new([instance; 16])
                },
                now,
            ),
            pipe: VecDeque::new(),
            stopped: false,
            sent: BTreeMap::new(),
            running: Vec::new(),
            ran: BTreeMap::new(),
            last_of_flow: BTreeMap::new(),
            bound: Vec::new(),
            retiring: HashSet::new(),
            closed: false,
        };
        Self {
            random: Random::new(seed),
            sides: [
                side(Role::Hub, 1, hub_auth),
                side(Role::Member, 2, member_auth),
            ],
            now,
            next_token: 1,
            strangers,
            targets: ["a", "b", "c", "d"].map(target).to_vec(),
            methods: ["k", "l", "m", "n"].map(method).to_vec(),
            trace: 0xcbf2_9ce4_8422_2325,
            completions: 0,
        }
    }

    /// A number that differs when anything happened differently.
    pub(crate) fn trace(&self) -> u64 {
        self.trace
    }

    /// One thing that may happen.
    pub(crate) fn step(&mut self) {
        let at = self.random.below(2);
        match self.random.below(24) {
            0..=6 => self.request(at),
            7 => self.cancel(at),
            8..=10 => self.end_one(at),
            11..=14 => self.write(at, None),
            15..=18 => self.read(at, None),
            19 => self.sides[at].stopped = self.random.below(3) == 0,
            20 => {
                let long = self.random.below(60) == 0;
                let most = if long { 40_000 } else { 400 };
                self.now += Duration::from_millis(self.random.below(most) as u64);
                self.sides
                    .iter_mut()
                    .for_each(|side| side.session.advance(self.now));
            }
            21 => self.bind(),
            22 if self.random.below(25) == 0 => {
                self.sides[at]
                    .session
                    .go_away(CloseCode::ShuttingDown, "bye");
            }
            23 if self.random.below(60) == 0 => self.cut(),
            22 | 23 => self.beat(at),
            _ => {}
        }
        self.check();
    }

    /// No more faults: everything that is under way comes to its end.
    pub(crate) fn calm_down(&mut self) {
        self.sides.iter_mut().for_each(|side| side.stopped = false);
        for _ in 0..2000 {
            self.exchange();
            for at in [0, 1] {
                while !self.sides[at].running.is_empty() {
                    self.end_one(at);
                }
            }
            let silent = |side: &Side| !side.session.has_output() && side.pipe.is_empty();
            if self.sides.iter().all(silent) {
                break;
            }
        }
        if self.sides.iter().any(|side| side.closed) {
            return self.die();
        }
        for (at, side) in self.sides.iter().enumerate() {
            assert!(side.session.is_open(), "side {at} never opened");
            let session = &side.session;
            assert!(session.is_empty(), "side {at} is not empty: {session:#?}");
            assert_eq!((session.in_flight(), session.queued_bytes()), (0, 0));
        }
        self.all_complete();
    }

    /// Then as many new calls of the member's as its credit allows are sent at once, the largest
    /// among them, and succeed, unless a side is on its way out.
    pub(crate) fn call_once_more(&mut self) {
        let first = self.next_token;
        for flow in 0..LIMITS.2 {
            let size = if flow == 0 { LIMITS.1 - 16 } else { 10 };
            self.send(1, Verb::Call, flow.into(), size, None);
        }
        if self.next_token == first || self.sides.iter().any(|side| side.closed) {
            return;
        }
        for _ in 0..20 {
            self.exchange();
        }
        let session = &self.sides[1].session;
        let accepted = self.next_token - first;
        let under_way = (session.in_flight() as u64, session.queued_requests());
        assert_eq!(under_way, (accepted, 0), "credit is lost");
        self.calm_down();
        for token in first..self.next_token {
            let fate = &self.sides[1].sent[&token].fate;
            assert!(
                matches!(fate, Fate::Done { .. }),
                "one of the last calls: {fate:?}"
            );
        }
    }

    /// The link dies: afterwards every request has its one completion.
    pub(crate) fn die(&mut self) {
        self.cut();
        self.check();
        self.all_complete();
        for (at, side) in self.sides.iter_mut().enumerate() {
            // A notice of the end may be left, for nobody.
            side.session.wrote(usize::MAX, self.now);
            assert!(side.closed && side.session.is_closed(), "side {at}");
            assert!(side.session.next_deadline().is_none() && side.session.is_empty());
        }
        self.fates_are_true();
    }

    fn request(&mut self, at: usize) {
        let verb = if self.random.below(3) == 0 {
            Verb::Cast
        } else {
            Verb::Call
        };
        let flow = self.random.below(4) as u64;
        let size = match self.random.below(12) {
            0 => self.random.below(LIMITS.1),
            1 => self.random.below(LIMITS.0),
            _ => self.random.below(100),
        };
        let remaining = match self.random.below(4) {
            0 => None,
            _ => Some(Duration::from_millis(self.random.below(30_000) as u64)),
        };
        self.send(at, verb, flow, size, remaining);
    }

    fn send(&mut self, at: usize, verb: Verb, flow: u64, size: usize, remaining: Option<Duration>) {
        let destination = if at == 0 {
            let bound = &self.sides[0].bound;
            if bound.is_empty() {
                return;
            }
            Destination::Bound(bound[self.random.below(bound.len())])
        } else {
            Destination::Topic(self.targets[self.random.below(4)].clone())
        };
        let token = self.next_token;
        let mut header = header(destination);
        header.method = self.methods[self.random.below(4)].clone();
        header.remaining = remaining;
        header.codec = (token % 3) as u8;
        if token % 5 == 0 {
            header
                .rare_mut()
                .headers
                .push(("trace".into(), token.to_string()));
        }
        let request = Request {
            token,
            flow,
            way: flow,
            verb,
            header,
            payload: arguments(token, flow, size).into(),
        };
        let side = &mut self.sides[at];
        match side.session.request(request.clone(), self.now) {
            Ok(id) => {
                self.next_token += 1;
                side.sent.insert(
                    token,
                    Sent {
                        id,
                        verb,
                        fate: Fate::Pending,
                    },
                );
            }
            Err(rejected) => assert_eq!(rejected.request, request, "given back as it was"),
        }
    }

    fn cancel(&mut self, at: usize) {
        let side = &mut self.sides[at];
        let pending = side
            .sent
            .values_mut()
            .filter(|sent| sent.fate == Fate::Pending);
        let mut pending: Vec<_> = pending.collect();
        if pending.is_empty() {
            return;
        }
        let index = self.random.below(pending.len());
        let sent = &mut pending[index];
        // A cast that has left completes as sent: whether it has is not known here.
        if sent.verb == Verb::Call || !side.session.is_open() {
            sent.fate = if side.session.cancel(sent.id) {
                Fate::CancelledThere
            } else {
                Fate::Cancelled
            };
        }
    }

    /// The server of some requests says that they live; some of them have been given up.
    fn beat(&mut self, at: usize) {
        let Side {
            session, running, ..
        } = &mut self.sides[at];
        for running in running.iter() {
            if self.random.below(2) == 0 {
                session.beat(running.id);
            }
        }
    }

    /// A handler ends.
    fn end_one(&mut self, at: usize) {
        let side = &mut self.sides[at];
        if side.running.is_empty() {
            return;
        }
        let index = self.random.below(side.running.len());
        let Running { id, verb, token } = side.running.swap_remove(index);
        match (verb, self.random.below(10)) {
            (Verb::Cast, _) | (Verb::Call, 0) => side.session.release(id),
            (Verb::Call, 1) => side.session.reply(id, Err(failure(token))),
            (Verb::Call, 2) => {
                let size = self.random.below(LIMITS.1 + 100);
                side.session.reply(id, Ok(value(token, size).into()));
            }
            (Verb::Call, _) => side.session.reply(id, Ok(value(token, 5).into())),
        }
    }

    /// The member registers and withdraws, at once or having asked for what is on its way; the hub agrees, mostly.
    fn bind(&mut self) {
        let member = &mut self.sides[1];
        if self.random.below(4) == 0 {
            if let Some(&id) = member.bound.last() {
                if member.session.retire(id) {
                    member.retiring.insert(id);
                }
            }
        } else if self.random.below(3) == 0 {
            if let Some(id) = self.sides[1].bound.pop() {
                self.sides[1].session.unbind(id);
            }
        } else if let Ok(id) = self.sides[1].session.bind(registration()) {
            self.sides[1].bound.push(id);
        }
    }

    /// The socket takes some bytes.
    fn write(&mut self, at: usize, most: Option<usize>) {
        let most = most.unwrap_or_else(|| 1 + self.random.below(60_000));
        let side = &mut self.sides[at];
        let mut written = 0;
        for slice in side.session.transmit(self.now) {
            let slice = &slice[..slice.len().min(most - written)];
            side.pipe.extend(slice);
            written += slice.len();
        }
        side.session.wrote(written, self.now);
    }

    /// The other side reads some bytes.
    fn read(&mut self, at: usize, most: Option<usize>) {
        if self.sides[1 - at].stopped {
            return;
        }
        let most = most.unwrap_or_else(|| {
            let small = self.random.below(3) == 0;
            1 + self.random.below(if small { 20 } else { 40_000 })
        });
        let pipe = &mut self.sides[1 - at].pipe;
        let most = most.min(pipe.len());
        let (front, back) = pipe.as_slices();
        let of_front = most.min(front.len());
        let bytes = [&front[..of_front], &back[..most - of_front]].concat();
        pipe.drain(..most);
        self.sides[at].session.receive(&bytes, self.now);
    }

    fn exchange(&mut self) {
        for at in [0, 1] {
            self.write(at, Some(usize::MAX));
            self.read(1 - at, Some(usize::MAX));
            self.check();
        }
    }

    /// The connection breaks at any byte.
    fn cut(&mut self) {
        for at in [0, 1] {
            let most = self.random.below(self.sides[1 - at].pipe.len() + 1);
            self.read(at, Some(most));
            self.check();
            self.sides[at].session.receive_eof(self.now);
        }
    }
}

/// The arguments of a request: they tell what they belong to.
pub(crate) fn arguments(token: u64, flow: u64, more: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(more + 16);
    bytes.extend(token.to_le_bytes());
    bytes.extend(flow.to_le_bytes());
    bytes.resize(more + 16, token as u8);
    bytes
}

/// The value of a call.
pub(crate) fn value(token: u64, size: usize) -> Vec<u8> {
    vec![token as u8; size]
}

pub(crate) fn failure(token: u64) -> WireError {
    WireError {
        code: error_code::APPLICATION,
        fate: fate_code::EXECUTED,
        kind: "app".into(),
        message: "failed".into(),
        details: token.to_le_bytes().to_vec().into(),
    }
}
