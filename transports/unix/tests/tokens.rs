//! Tokens over real sockets: who is let in, under which name, and what becomes of the others.

mod common;

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{Directory, LONG, on_all_runtimes_at_once, on_each_runtime, open, until};
use tidings_core::connection::{self, State};
use tidings_core::runtime::Runtime;
use tidings_core::session::{
    Accepted, Auth, Config, Name, Proof, Registration, Role, Secret, Session,
};
use tidings_core::{Bus, BusBuilder, CallErrorKind, Context, Fate, OpenError, Server, Token};
use tidings_unix::Unix;

const ADA: &str = "the secret of ada, long enough";
const BOB: &str = "the secret of bob, long enough";

fn token(name: &str, secret: &str) -> Token {
    Token::new(name, secret).unwrap()
}

fn both() -> [Token; 2] {
    [token("ada", ADA), token("bob", BOB)]
}

fn try_open_with(
    runtime: &Arc<dyn Runtime>,
    address: &str,
    options: impl FnOnce(BusBuilder) -> BusBuilder,
) -> Result<Bus, OpenError> {
    options(Bus::builder().runtime(runtime.clone())).open_with(&Unix, address)
}

fn hub(runtime: &Arc<dyn Runtime>, directory: &Directory) -> Bus {
    let address = directory.address("?listen");
    try_open_with(runtime, &address, |bus| bus.accept_tokens(both())).unwrap()
}

fn member(runtime: &Arc<dyn Runtime>, directory: &Directory, own: Token) -> Result<Bus, OpenError> {
    try_open_with(runtime, &directory.address("?connect"), |bus| {
        bus.token(own)
    })
}

/// Serves `topic.who`, which tells its caller's name, and counts how often it ran.
fn who(bus: &Bus, topic: &str) -> (Server, Arc<AtomicUsize>) {
    let ran = Arc::new(AtomicUsize::new(0));
    let count = ran.clone();
    let tell = move |(): ()| {
        count.fetch_add(1, Ordering::Relaxed);
        let caller = Context::current().unwrap().caller().cloned();
        caller
            .and_then(|caller| caller.name)
            .map(|name| name.to_string())
    };
    (bus.listen(topic).on("who", tell).start().unwrap(), ran)
}

fn asked(bus: &Bus, topic: &str) -> Option<String> {
    bus.call(&format!("{topic}.who"), &()).wait().unwrap()
}

fn refusal(opened: Result<Bus, OpenError>) -> String {
    match opened {
        Err(error @ OpenError::Refused { .. }) => error.to_string(),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_member_is_known_by_the_name_of_its_token_wherever_it_calls() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let address = directory.address("");
        // Each may come to be the hub, so that each has all it needs for either role.
        let open = |own: Token| {
            let options = |bus: BusBuilder| bus.token(own).accept_tokens(both());
            try_open_with(runtime, &address, options).unwrap()
        };
        let hub = open(token("hub", "the secret of the hub itself"));
        let ada = open(token("ada", ADA));
        let bob = open(token("bob", BOB));
        let _at_hub = who(&hub, "hub");
        let _at_bob = who(&bob, "bob");
        for (caller, name) in [(&hub, "hub"), (&ada, "ada"), (&bob, "bob")] {
            for topic in ["hub", "bob"] {
                assert_eq!(asked(caller, topic).as_deref(), Some(name), "at {topic}");
            }
        }
    });
}

#[test]
fn a_token_that_is_not_accepted_opens_nothing_and_is_told_the_same_whatever_is_wrong_with_it() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let hub = hub(runtime, &directory);
        let (_server, ran) = who(&hub, "hub");
        let unknown = refusal(member(runtime, &directory, token("eve", ADA)));
        let wrong = refusal(member(runtime, &directory, token("ada", BOB)));
        assert_eq!(unknown, wrong); // S1
        assert!(unknown.contains("accept_tokens"), "{unknown}");
        // Who is right is not kept out by that.
        let ada = member(runtime, &directory, token("ada", ADA)).unwrap();
        assert_eq!(asked(&ada, "hub").as_deref(), Some("ada"));
        assert_eq!(ran.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_member_without_a_token_can_neither_call_nor_serve_and_is_told_at_once() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let hub = hub(runtime, &directory);
        let (_server, ran) = who(&hub, "hub");
        let start = Instant::now();
        let bare = open(runtime, &directory.address("?connect"));
        let error = bare.call::<()>("hub.who", &()).wait().unwrap_err();
        assert_eq!(error.fate(), Fate::NotSent, "{error}");
        let is_told = matches!(error.kind(), CallErrorKind::NotConnected { .. });
        assert!(is_told && error.to_string().contains(".token("), "{error}");
        let squat = bare.listen("squat").on("who", |(): ()| ());
        let _unheard = squat.start();
        assert!(start.elapsed() < LONG / 2, "it waited");
        let ada = member(runtime, &directory, token("ada", ADA)).unwrap();
        let error = ada.call::<()>("squat.who", &()).wait().unwrap_err();
        let nobody = matches!(error.kind(), CallErrorKind::NoServer { .. });
        assert!(nobody, "{error}");
        assert_eq!(ran.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn a_member_with_a_token_does_not_speak_with_a_hub_that_asks_for_none() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let hub = open(runtime, &directory.address("?listen"));
        let (_server, ran) = who(&hub, "hub");
        let told = refusal(member(runtime, &directory, token("ada", ADA)));
        assert!(told.contains("asks for no token"), "{told}");
        assert_eq!(ran.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn every_connection_is_authenticated_anew() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let first = hub(runtime, &directory);
        let at_first = who(&first, "hub");
        let ada = member(runtime, &directory, token("ada", ADA)).unwrap();
        assert_eq!(asked(&ada, "hub").as_deref(), Some("ada"));
        drop((at_first, first));

        // Another one takes the address, who knows no secret.
        let address = directory.address("?listen");
        let eve = token("ada", "not the secret of ada at all");
        let other = try_open_with(runtime, &address, |bus| bus.accept_tokens([eve])).unwrap();
        let (at_other, ran) = who(&other, "hub");
        let ask = || ada.call::<Option<String>>("hub.who", &()).wait();
        until("the other is found not to be the hub", || {
            ask().is_err_and(|error| error.to_string().contains("did not let this process in"))
        });
        assert_eq!(ran.load(Ordering::Relaxed), 0);
        drop((at_other, other));

        let again = hub(runtime, &directory);
        let _at_again = who(&again, "hub");
        until("the member has come back", || {
            ask().is_ok_and(|name| name.as_deref() == Some("ada"))
        });
    });
}

#[test]
fn who_takes_the_address_over_asks_for_tokens_too() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let address = directory.address("");
        let open = |own: Token| {
            let options = |bus: BusBuilder| bus.token(own).accept_tokens(both());
            try_open_with(runtime, &address, options).unwrap()
        };
        let first = open(token("bob", BOB));
        let ada = open(token("ada", ADA));
        let (_server, ran) = who(&ada, "ada");
        assert_eq!(asked(&first, "ada").as_deref(), Some("bob"));
        drop(first);
        until("the member has become the hub", || {
            let hub = connection::Role::Hub;
            matches!(ada.state(), State::Connected { role, .. } if role == hub)
        });
        let bob = member(runtime, &directory, token("bob", BOB)).unwrap();
        assert_eq!(asked(&bob, "ada").as_deref(), Some("bob"));
        assert_eq!(asked(&ada, "ada").as_deref(), Some("ada"));
        let before = ran.load(Ordering::Relaxed);
        refusal(member(runtime, &directory, token("bob", ADA)));
        let bare = common::open(runtime, &directory.address("?connect"));
        bare.call::<()>("ada.who", &()).wait().unwrap_err();
        assert_eq!(ran.load(Ordering::Relaxed), before);
    });
}

#[test]
fn one_secret_can_replace_another_under_the_same_name() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let (old, new) = (token("ada", ADA), token("ada", "the next secret of ada"));
        let accepted = [old.clone(), new.clone()];
        let address = directory.address("?listen");
        let hub = try_open_with(runtime, &address, |bus| bus.accept_tokens(accepted)).unwrap();
        let _server = who(&hub, "hub");
        for own in [old, new] {
            let ada = member(runtime, &directory, own).unwrap();
            assert_eq!(asked(&ada, "hub").as_deref(), Some("ada"));
        }
    });
}

fn closed_after(stream: &mut UnixStream) -> Duration {
    let start = Instant::now();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let mut rest = Vec::new();
    // A reset is an end like any other: what was sent was not read to its end.
    if let Err(error) = stream.read_to_end(&mut rest) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    start.elapsed()
}

/// What a member without a token says that registers a server, right behind its Hello.
fn pushy() -> Vec<u8> {
    let now = Instant::now();
    let mut member = Session::new(Role::Member, Config::new([7; 16]), now);
    let mut hub = Session::new(Role::Hub, Config::new([8; 16]), now);
    let name = |text| Name::new(text).unwrap();
    member
        .bind(Registration {
            exchange: name("tidings"),
            topic: name("squat"),
            server: name("s"),
            offers: Vec::new(),
        })
        .unwrap();
    let mut said = Vec::new();
    for _ in 0..2 {
        let bytes: Vec<u8> = member.transmit(now).flatten().copied().collect();
        member.wrote(bytes.len(), now);
        hub.receive(&bytes, now);
        said.extend(bytes);
        let bytes: Vec<u8> = hub.transmit(now).flatten().copied().collect();
        hub.wrote(bytes.len(), now);
        member.receive(&bytes, now);
    }
    assert!(std::iter::from_fn(|| hub.poll_event()).count() >= 2);
    said
}

#[test]
fn who_does_not_wait_to_be_let_in_registers_nothing() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let _hub = hub(runtime, &directory);
        let ada = member(runtime, &directory, token("ada", ADA)).unwrap();
        let mut stream = UnixStream::connect(directory.socket()).unwrap();
        stream.write_all(&pushy()).unwrap();
        closed_after(&mut stream); // S1
        let error = ada.call::<()>("squat.who", &()).wait().unwrap_err();
        let nobody = matches!(error.kind(), CallErrorKind::NoServer { .. });
        assert!(nobody, "{error}");
    });
}

#[test]
fn who_offers_a_proof_and_does_not_give_it_is_closed_after_five_seconds() {
    on_all_runtimes_at_once(|runtime| {
        let directory = Directory::new();
        let _hub = hub(runtime, &directory);
        let own = token("ada", ADA);
        // Hello with the offer as it is sent, recorded at a listener that answers nothing and goes.
        let elsewhere = Directory::new();
        let listener = UnixListener::bind(elsewhere.socket()).unwrap();
        let address = elsewhere.address("?connect");
        let hello = std::thread::scope(|scope| {
            let opening = scope.spawn(|| try_open_with(runtime, &address, |bus| bus.token(own)));
            let (mut stream, _) = listener.accept().unwrap();
            let mut hello = vec![0; 4096];
            let read = stream.read(&mut hello).unwrap();
            hello.truncate(read);
            drop((stream, listener));
            refusal(opening.join().unwrap());
            hello
        });
        let mut stream = UnixStream::connect(directory.socket()).unwrap();
        stream.write_all(&hello).unwrap();
        let took = closed_after(&mut stream);
        assert!(took >= Duration::from_millis(4900), "{took:?}"); // P9
    });
}

/// What a hub says first that asks for a token and knows none.
fn hello_of_a_false_hub() -> Vec<u8> {
    let now = Instant::now();
    let session = |role, instance, auth| {
        let config = Config {
            auth: Some(auth),
            ..Config::new([instance; 16])
        };
        Session::new(role, config, now)
    };
    let demand = Auth::Demand {
        nonce: [5; 32],
        accepted: Arc::new(Accepted::new(Vec::new(), Arc::new(Anything))),
    };
    let prove = Auth::Prove {
        nonce: [6; 32],
        name: Name::new("x").unwrap(),
        secret: Arc::new(Anything),
    };
    let mut hub = session(Role::Hub, 9, demand);
    let mut member = session(Role::Member, 4, prove);
    let hello: Vec<u8> = member.transmit(now).flatten().copied().collect();
    hub.receive(&hello, now);
    hub.transmit(now).flatten().copied().collect()
}

#[test]
fn a_hub_that_does_not_know_the_secret_is_not_called() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let listener = UnixListener::bind(directory.socket()).unwrap();
        let told = std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut heard = [0; 4096];
                let _hello = stream.read(&mut heard).unwrap();
                stream.write_all(&hello_of_a_false_hub()).unwrap();
                let read = stream.read(&mut heard).unwrap();
                // An AuthResult with the member's own proof, the last 32 bytes of its frame.
                let answer = [&[33, 21], &heard[read - 32..read]].concat();
                stream.write_all(&answer).unwrap();
                closed_after(&mut stream);
            });
            refusal(member(runtime, &directory, token("ada", ADA)))
        });
        assert!(told.contains("does not know the secret"), "{told}"); // S6
    });
}

/// The secret of one who takes anything for a proof.
#[derive(Debug)]
struct Anything;

impl Secret for Anything {
    fn prove(&self, _message: &[u8]) -> Proof {
        Proof::new([0; 32])
    }

    fn verifies(&self, _message: &[u8], _proof: &Proof) -> bool {
        true
    }
}

#[test]
fn tokens_that_do_not_suit_the_role_are_refused_with_the_way_out() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let told = |address: &str, options: &dyn Fn(BusBuilder) -> BusBuilder| match try_open_with(
            runtime,
            &directory.address(address),
            options,
        ) {
            Err(error @ OpenError::Unsupported { .. }) => error.to_string(),
            other => panic!("{other:?}"),
        };
        for address in ["?listen", ""] {
            let only_own = told(address, &|bus| bus.token(token("ada", ADA)));
            assert!(only_own.contains(".accept_tokens("), "{only_own}");
            let nobody = told(address, &|bus| bus.accept_tokens([]));
            assert!(nobody.contains(".accept_tokens("), "{nobody}");
        }
        // Nothing was left behind by those.
        let _hub = hub(runtime, &directory);
        for address in ["?connect", ""] {
            let only_others = told(address, &|bus| bus.accept_tokens(both()));
            assert!(only_others.contains(".token("), "{only_others}");
        }
    });
}

#[test]
fn no_secret_is_in_any_output() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let mut told = Vec::new();
        let mut tell = |what: &dyn std::fmt::Debug| told.push(format!("{what:?} {what:#?}"));
        let options = |bus: BusBuilder| bus.token(token("ada", ADA)).accept_tokens(both());
        tell(&token("ada", ADA));
        tell(&both());
        tell(&options(Bus::builder()));
        let hub = try_open_with(runtime, &directory.address(""), options).unwrap();
        let ada = try_open_with(runtime, &directory.address(""), options).unwrap();
        let (server, _) = who(&hub, "hub");
        tell(&hub);
        tell(&ada);
        tell(&server);
        tell(&ada.call::<()>("hub.who", &()));
        for own in [token("eve", ADA), token("ada", BOB)] {
            let error = member(runtime, &directory, own).unwrap_err();
            tell(&error);
            tell(&error.to_string());
        }
        for wrong in [Token::new("a b", ADA), Token::new("ada", "short")] {
            let error = wrong.unwrap_err();
            tell(&error);
            tell(&error.to_string());
        }
        drop((server, hub, ada));
        let error = member(runtime, &directory, token("ada", ADA)).unwrap_err();
        tell(&error);
        // As text, as a list of numbers, and as a part of it.
        let bytes = |secret: &str| format!("{:?}", &secret.as_bytes()[..8]);
        let bytes = [bytes(ADA), bytes(BOB)].map(|list| list.trim_matches(['[', ']']).to_owned());
        let secrets = [
            "secret of ada",
            "secret of bob",
            "short",
            &bytes[0],
            &bytes[1],
        ];
        for text in &told {
            for secret in secrets {
                assert!(!text.contains(secret), "{text}"); // S12
            }
        }
        assert!(told[0].contains("[redacted]"));
    });
}
