//! Authentication by token (PR-AUTH): who is let in, who is not, and what those learn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tidings_core::session::{
    Accepted, Auth, CloseCode, CloseReason, Config, Event, Nonce, Proof, Role, Secret, Session,
};

use crate::pair::{Pair, call, name, output, registration};
use crate::raw::*;

/// A secret with a hash that is good enough for a test; it counts what it is asked.
#[derive(Debug, Default)]
pub(crate) struct Toy {
    key: u64,
    checks: AtomicUsize,
}

impl Toy {
    pub(crate) fn new(key: u64) -> Arc<Self> {
        Arc::new(Self {
            key,
            checks: AtomicUsize::new(0),
        })
    }
}

impl Secret for Toy {
    fn prove(&self, message: &[u8]) -> Proof {
        let mut state = self.key ^ 0x9e37_79b9_7f4a_7c15;
        for byte in message {
            state = (state ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
            state ^= state >> 29;
        }
        Proof::new(std::array::from_fn(|at| {
            (state.rotate_left(at as u32 * 7) ^ at as u64) as u8
        }))
    }

    fn verifies(&self, message: &[u8], proof: &Proof) -> bool {
        self.checks.fetch_add(1, Ordering::Relaxed);
        self.prove(message).as_bytes() == proof.as_bytes()
    }
}

pub(crate) fn prove(nonce: u8, token: &str, key: u64) -> Auth {
    Auth::Prove {
        nonce: [nonce; 32],
        name: name(token),
        secret: Toy::new(key),
    }
}

pub(crate) fn demand(nonce: u8, tokens: &[(&str, u64)]) -> Auth {
    Auth::Demand {
        nonce: [nonce; 32],
        accepted: accepted(tokens),
    }
}

fn accepted(tokens: &[(&str, u64)]) -> Arc<Accepted> {
    let secret = |key| Toy::new(key) as Arc<dyn Secret>;
    let tokens = tokens
        .iter()
        .map(|&(token, key)| (name(token), secret(key)));
    Arc::new(Accepted::new(tokens.collect(), secret(0xdec0)))
}

fn session(role: Role, auth: Option<Auth>, now: Instant) -> Session {
    let instance = if role == Role::Hub { 1 } else { 2 };
    let config = Config {
        auth,
        ..Config::new([instance; 16])
    };
    Session::new(role, config, now)
}

fn pair(hub: Option<Auth>, member: Option<Auth>) -> Pair {
    let mut pair = Pair::new();
    pair.hub = session(Role::Hub, hub, pair.now);
    pair.member = session(Role::Member, member, pair.now);
    pair
}

/// The usual pair: the member has the token `ada`, the hub takes it.
fn friends() -> Pair {
    let hub = demand(7, &[("ada", 1), ("bob", 2)]);
    pair(Some(hub), Some(prove(8, "ada", 1)))
}

/// How the last of the events says that the session ended.
fn reason(events: &[Event]) -> CloseReason {
    match events.last() {
        Some(Event::Closed(closed)) => closed.reason,
        other => panic!("still open: {other:?}"),
    }
}

fn opened(events: &[Event]) -> Option<&str> {
    match events.first() {
        Some(Event::Opened(peer)) => Some(peer.token.as_ref()?.as_str()),
        other => panic!("not opened: {other:?}"),
    }
}

const US: CloseReason = CloseReason::Us(CloseCode::Unauthenticated);
const PEER: CloseReason = CloseReason::Peer(CloseCode::Unauthenticated);

#[test]
fn a_member_that_proves_its_token_is_let_in_under_its_name() {
    let mut pair = friends();
    pair.member.request(call(1, vec![9]), pair.now).unwrap();
    pair.member.bind(registration()).unwrap();
    pair.settle();
    assert_eq!(opened(&pair.hub_events), Some("ada"));
    assert_eq!(opened(&pair.member_events), Some("ada"));
    // What had waited for the handshake travels.
    let bound = |event: &Event| matches!(event, Event::Bind { .. });
    assert!(pair.hub_events.iter().any(bound));
    assert_eq!(pair.at_hub().len(), 1);
}

#[test]
fn without_tokens_nothing_is_asked() {
    let mut pair = pair(None, None);
    pair.settle();
    assert_eq!(opened(&pair.hub_events), None);
    assert_eq!(opened(&pair.member_events), None);
}

#[test]
fn of_two_secrets_of_a_name_either_is_taken() {
    for key in [1, 2] {
        let hub = demand(7, &[("ada", 1), ("ada", 2)]);
        let mut pair = pair(Some(hub), Some(prove(8, "ada", key)));
        pair.settle();
        assert_eq!(opened(&pair.hub_events), Some("ada"));
        assert!(pair.member.is_open(), "the hub answers with the same one");
    }
}

#[test]
fn an_unknown_name_and_a_wrong_secret_cannot_be_told_apart() {
    let answer = |token: &str, key| {
        let secrets = [Toy::new(1), Toy::new(2), Toy::new(3), Toy::new(4)];
        let token_of = |at: usize| secrets[at].clone() as Arc<dyn Secret>;
        let tokens = vec![
            (name("ada"), token_of(0)),
            (name("bob"), token_of(1)),
            (name("bob"), token_of(2)),
        ];
        let auth = Auth::Demand {
            nonce: [7; 32],
            accepted: Arc::new(Accepted::new(tokens, token_of(3))),
        };
        let mut pair = pair(Some(auth), Some(prove(8, token, key)));
        pair.settle();
        assert_eq!(reason(&pair.hub_events), US);
        assert_eq!(reason(&pair.member_events), PEER);
        let checks = secrets.iter().map(|s| s.checks.load(Ordering::Relaxed));
        (
            pair.member_events.pop(),
            pair.carried.1,
            checks.sum::<usize>(),
        )
    };
    let unknown = answer("eve", 1);
    assert_eq!(answer("ada", 99), unknown); // S1
    assert_eq!(answer("bob", 99), unknown);
    assert_eq!(unknown.2, 2, "as many checks for every name");
}

#[test]
fn nothing_but_the_proof_is_looked_at_before_it_came() {
    let bind = frame(BIND, b"\x01\x01x\x01t\x01s");
    for early in [
        frame(CALL, &request(0, b"")),
        frame(CAST, &request(0, b"")),
        bind,
        frame(PING, &[1]),
        frame(HELLO, &[1]),
        frame(GO_AWAY, &[0, 0, 0]),
        frame(AUTH_RESULT, &[0; 32]),
        frame(0x80, b""),
        frame(99, b""),
    ] {
        let mut pair = friends();
        let hello = hello_of(&mut pair.member, pair.now);
        pair.hub.receive(&[hello, early].concat(), pair.now);
        assert!(!pair.hub.is_open());
        // What it would say of it is more than it was told, so it says nothing (S20).
        assert_eq!(reason(&events(&mut pair.hub)), US, "S1");
        pair.hub.receive(&frame(PING, &[1]), pair.now);
        assert!(events(&mut pair.hub).is_empty());
    }
    // And a hub that has not proved itself is not listened to either.
    for early in [
        frame(CALL, &request(0, b"")),
        frame(PING, &[1]),
        frame(AUTH, &[0; 34]),
        frame(BIND_RESULT, &[1, 0, 0]),
    ] {
        let mut pair = friends();
        pair.hub
            .receive(&output(&mut pair.member, pair.now), pair.now);
        let hello = hello_of(&mut pair.hub, pair.now);
        pair.member.receive(&[hello, early].concat(), pair.now);
        assert!(!pair.member.is_open());
        expect_closed(&mut pair.member, CloseCode::Unauthenticated, "S1", pair.now);
    }
}

/// What a session says before its proof.
fn hello_of(session: &mut Session, now: Instant) -> Vec<u8> {
    let bytes = output(session, now);
    assert!(!session.is_open());
    bytes
}

#[test]
fn proofs_that_are_none_end_the_session() {
    let long = [counted(&[b'n'; 255]), vec![0; 32]].concat();
    for (what, body, code) in [
        (
            "too short",
            [counted(b"ada"), vec![0; 31]].concat(),
            CloseCode::Malformed,
        ),
        (
            "too long",
            [counted(b"ada"), vec![0; 33]].concat(),
            CloseCode::Malformed,
        ),
        (
            "no name",
            [counted(b""), vec![0; 32]].concat(),
            CloseCode::Malformed,
        ),
        (
            "a bad name",
            [counted(b"a\x1b"), vec![0; 32]].concat(),
            CloseCode::Malformed,
        ),
        (
            "a wrong proof",
            [counted(b"ada"), vec![0; 32]].concat(),
            CloseCode::Unauthenticated,
        ),
        ("the longest name", long, CloseCode::Unauthenticated),
        ("too much", vec![0; 512], CloseCode::HandshakeTooLarge),
    ] {
        let mut pair = friends();
        let hello = hello_of(&mut pair.member, pair.now);
        pair.hub.receive(&hello, pair.now);
        pair.hub.receive(&frame(AUTH, &body), pair.now);
        expect_closed(&mut pair.hub, code, what, pair.now);
    }
    let mut pair = friends();
    pair.hub
        .receive(&[MAGIC, &frame(AUTH, &[0; 40])].concat(), pair.now);
    expect_closed(
        &mut pair.hub,
        CloseCode::HandshakeRequired,
        "before Hello",
        pair.now,
    );
}

#[test]
fn a_proof_is_taken_once_and_from_one_side() {
    for (at_hub, kind, code) in [
        (true, AUTH, CloseCode::UnexpectedFrame),
        (true, AUTH_RESULT, CloseCode::WrongDirection),
        (false, AUTH, CloseCode::WrongDirection),
        (false, AUTH_RESULT, CloseCode::UnexpectedFrame),
    ] {
        // Whether there was a proof before or none was asked for.
        for mut pair in [friends(), pair(None, None)] {
            pair.settle();
            let session = if at_hub {
                &mut pair.hub
            } else {
                &mut pair.member
            };
            session.receive(&frame(kind, &[0; 34]), pair.now);
            expect_closed(session, code, "a late proof", pair.now);
        }
    }
}

#[test]
fn what_was_heard_on_one_connection_is_worth_nothing_on_another() {
    let mut pair = friends();
    let now = pair.now;
    // All that the member says up to its being let in, as somebody on the way sees it.
    let mut heard = output(&mut pair.member, now);
    pair.hub.receive(&heard, now);
    let hello = output(&mut pair.hub, now);
    pair.member.receive(&hello, now);
    let proof = output(&mut pair.member, now);
    heard.extend(&proof);
    let mut other = session(Role::Hub, Some(demand(9, &[("ada", 1), ("bob", 2)])), now);
    other.receive(&heard, now);
    let events = events(&mut other);
    assert_eq!(reason(&events), US, "S15: {events:?}");
    // The first hub takes it, so that it was not wrong in any other way.
    pair.hub.receive(&proof, now);
    assert!(pair.hub.is_open());
}

#[test]
fn a_proof_made_for_another_process_is_refused() {
    let mut pair = friends();
    let now = pair.now;
    let config = Config {
        auth: Some(demand(7, &[("ada", 1)])),
        ..Config::new([66; 16])
    };
    // The same nonces, but another hub than the one that the member's proof is meant for.
    let mut other = Session::new(Role::Hub, config, now);
    let hello = output(&mut pair.member, now);
    pair.hub.receive(&hello, now);
    pair.member.receive(&output(&mut pair.hub, now), now);
    other.receive(&hello, now);
    other.receive(&output(&mut pair.member, now), now);
    assert_eq!(reason(&events(&mut other)), US);
}

#[test]
fn a_member_takes_no_hub_that_does_not_know_the_secret() {
    let proof = |pair: &mut Pair| {
        pair.hub
            .receive(&output(&mut pair.member, pair.now), pair.now);
        pair.member
            .receive(&output(&mut pair.hub, pair.now), pair.now);
        // Kind and name before it, see PR-AUTH.
        output(&mut pair.member, pair.now)[2 + 4..].to_vec()
    };
    for reflected in [true, false] {
        let mut pair = friends();
        let own = proof(&mut pair);
        assert_eq!(own.len(), 32);
        let answer = if reflected { own } else { vec![0; 32] };
        pair.member.receive(&frame(AUTH_RESULT, &answer), pair.now);
        expect_closed(&mut pair.member, CloseCode::Unauthenticated, "S6", pair.now);
    }
    let mut pair = friends();
    proof(&mut pair);
    pair.member.receive(&frame(AUTH_RESULT, &[0; 31]), pair.now);
    expect_closed(
        &mut pair.member,
        CloseCode::Malformed,
        "too short",
        pair.now,
    );
}

#[test]
fn one_that_has_a_token_and_one_that_has_none_do_not_meet() {
    // The hub asks: who offers nothing is told so, and gets no Hello.
    let mut strict = pair(Some(demand(7, &[("ada", 1)])), None);
    strict.member.request(call(1, vec![]), strict.now).unwrap();
    strict.settle();
    assert_eq!(reason(&strict.hub_events), US);
    assert_eq!(reason(&strict.member_events), PEER);
    let lost = Event::Lost {
        token: 1,
        handed_over: false,
    };
    assert_eq!(strict.member_events[0], lost);

    // The hub does not ask: the member cannot know that it is the right one.
    let mut lax = pair(None, Some(prove(8, "ada", 1)));
    lax.member.request(call(1, vec![]), lax.now).unwrap();
    lax.settle();
    assert_eq!(reason(&lax.member_events), US);
    assert_eq!(reason(&lax.hub_events), PEER);
    assert!(lax.at_hub().is_empty());

    // A hub that asks, in its Hello, a member that has nothing to prove.
    let mut pair = friends();
    pair.hub
        .receive(&output(&mut pair.member, pair.now), pair.now);
    let mut bare = session(Role::Member, None, pair.now);
    bare.receive(&output(&mut pair.hub, pair.now), pair.now);
    assert_eq!(reason(&events(&mut bare)), US);
}

#[test]
fn a_configuration_for_the_other_role_lets_nobody_in() {
    for hub in [Some(prove(7, "ada", 1)), Some(demand(7, &[("ada", 1)]))] {
        for member in [Some(demand(8, &[("ada", 1)])), Some(prove(8, "ada", 1))] {
            let right = matches!(
                (&hub, &member),
                (Some(Auth::Demand { .. }), Some(Auth::Prove { .. }))
            );
            let mut pair = pair(hub.clone(), member);
            pair.settle();
            assert_eq!((pair.hub.is_open(), pair.member.is_open()), (right, right));
        }
    }
}

#[test]
fn the_handshake_has_five_seconds_with_its_proofs() {
    let limit = Duration::from_secs(5);
    let mut pair = friends();
    let begin = pair.now;
    pair.hub.receive(&output(&mut pair.member, begin), begin);
    pair.member.receive(&output(&mut pair.hub, begin), begin);
    for session in [&mut pair.hub, &mut pair.member] {
        output(session, begin);
        assert_eq!(session.next_deadline(), Some(begin + limit));
        session.advance(begin + limit - Duration::from_nanos(1));
        assert!(!session.is_closed());
        session.advance(begin + limit);
        let late = CloseReason::Us(CloseCode::HandshakeTimeout);
        assert_eq!(reason(&events(session)), late, "P9");
    }
}

#[test]
fn a_hub_says_no_more_than_it_was_told_before_it_knows_whom_to() {
    let now = Instant::now();
    let hello = |software: &[u8], nonce: Option<Nonce>| {
        let mut body = vec![1, 1, 1, 0];
        for number in [16_384, 16_384, 1, 16_384, 1, 0] {
            body.extend(varint(number));
        }
        body.extend([9; 16]);
        body.extend(counted(software));
        match nonce {
            Some(nonce) => body.extend([vec![1, 1], counted(&nonce)].concat()),
            None => body.push(0),
        }
        [MAGIC, &frame(HELLO, &body)].concat()
    };
    let proof = |token: &[u8]| frame(AUTH, &[counted(token), vec![0; 32]].concat());
    let mut answered = 0;
    for sent in [
        MAGIC.to_vec(),
        [MAGIC, &[0]].concat(),
        [MAGIC, &frame(PING, &[1])].concat(),
        hello(b"", None),
        hello(b"", Some([3; 32])),
        hello(b"longer", Some([3; 32])),
        [hello(b"", Some([3; 32])), proof(b"x")].concat(),
        [hello(b"longer", Some([3; 32])), proof(b"x")].concat(),
        [hello(b"longer", Some([3; 32])), vec![0]].concat(),
    ] {
        let mut hub = session(Role::Hub, Some(demand(7, &[("ada", 1)])), now);
        for byte in &sent {
            hub.receive(&[*byte], now);
        }
        let mut said = output(&mut hub, now).len();
        hub.advance(now + Duration::from_secs(5));
        said += output(&mut hub, now).len();
        assert!(hub.is_closed());
        assert!(said <= sent.len(), "{said} for {}", sent.len()); // S20
        answered += usize::from(said > 0);
    }
    assert!(answered >= 3, "{answered}");
}

#[test]
fn strangers_do_not_learn_which_software_it_is() {
    let mut pair = friends();
    pair.hub
        .receive(&output(&mut pair.member, pair.now), pair.now);
    let said = output(&mut pair.hub, pair.now);
    assert!(!said.windows(7).any(|bytes| bytes == b"tidings"));
}

#[test]
fn an_offer_of_another_shape_is_malformed() {
    let now = Instant::now();
    let hello = |extensions: &[u8]| {
        let mut body = vec![1, 1, 1, 0];
        for number in [65_536, 65_536, 10, 65_536, 4, 4] {
            body.extend(varint(number));
        }
        body.extend([9; 16]);
        body.extend(counted(b"test"));
        body.extend(extensions);
        [MAGIC, &frame(HELLO, &body)].concat()
    };
    let nonce = |length| [vec![1], counted(&vec![5; length])].concat();
    for extensions in [
        [vec![1], nonce(31)].concat(),
        [vec![1], nonce(33)].concat(),
        [vec![2], nonce(32), nonce(32)].concat(),
    ] {
        let mut hub = session(Role::Hub, None, now);
        hub.receive(&hello(&extensions), now);
        expect_closed(&mut hub, CloseCode::Malformed, "PR-AUTH-1", now);
    }
    // Where no token is asked for, an offer is as good as none.
    let mut hub = session(Role::Hub, None, now);
    hub.receive(&hello(&[vec![1], nonce(32)].concat()), now);
    assert!(hub.is_open());
}

#[test]
fn any_split_of_the_handshake_gives_the_same_end() {
    let mut pair = friends();
    let now = pair.now;
    let mut stream = output(&mut pair.member, now);
    pair.hub.receive(&stream, now);
    pair.member.receive(&output(&mut pair.hub, now), now);
    stream.extend(output(&mut pair.member, now));
    for size in 1..stream.len() {
        let mut hub = session(Role::Hub, Some(demand(7, &[("ada", 1)])), now);
        for piece in stream.chunks(size) {
            hub.receive(piece, now);
        }
        assert_eq!(opened(&events(&mut hub)), Some("ada"), "pieces of {size}");
    }
    for cut in 0..stream.len() {
        let mut hub = session(Role::Hub, Some(demand(7, &[("ada", 1)])), now);
        hub.receive(&stream[..cut], now);
        hub.receive_eof(now);
        let events = events(&mut hub);
        assert!(
            matches!(events[..], [Event::Closed(_)]),
            "cut at {cut}: {events:?}"
        );
    }
}
