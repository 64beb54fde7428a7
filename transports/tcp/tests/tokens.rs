//! Tokens over TCP, where nothing else says who somebody is.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use common::{LONG, on_each_runtime, socket_address, until};
use tidings_core::runtime::Runtime;
use tidings_core::session::{
    Body, Config, Destination, Method, Name, Registration, Request, RequestHeader, Role, Session,
    Target, Verb,
};
use tidings_core::{Bus, BusBuilder, CallErrorKind, Context, OpenError, Server, Token};
use tidings_tcp::Tcp;

fn token(name: &str, secret: &str) -> Token {
    Token::new(name, secret).unwrap()
}

const ADA: &str = "the secret of ada, long enough";
const BOB: &str = "the secret of bob, long enough";

fn open(
    runtime: &Arc<dyn Runtime>,
    address: &str,
    options: impl FnOnce(BusBuilder) -> BusBuilder,
) -> Result<Bus, OpenError> {
    let builder = options(Bus::builder().runtime(runtime.clone()));
    builder.open_with(&Tcp::new(), address)
}

/// A hub that takes the token of ada, its address, and a server that tells its caller's name.
fn hub(runtime: &Arc<dyn Runtime>) -> (Bus, String, Server) {
    let accepts = |bus: BusBuilder| bus.accept_tokens([token("ada", ADA)]);
    let hub = open(runtime, "tcp:127.0.0.1:0?listen", accepts).unwrap();
    let address = hub.address().unwrap();
    let server = serve_who(&hub, "hub");
    (hub, address, server)
}

fn serve_who(bus: &Bus, topic: &str) -> Server {
    let name = |(): ()| {
        let caller = Context::current().unwrap().caller().cloned();
        caller
            .and_then(|caller| caller.name)
            .map(|name| name.to_string())
    };
    bus.listen(topic).on("who", name).start().unwrap()
}

fn who(bus: &Bus) -> Option<String> {
    who_at(bus, "hub")
}

fn who_at(bus: &Bus, topic: &str) -> Option<String> {
    let who = bus.request(&format!("{topic}.who"), &());
    who.wait().unwrap()
}

#[test]
fn the_token_says_who_calls_and_keeps_out_who_has_none() {
    on_each_runtime(|runtime| {
        let (_hub, address, _server) = hub(runtime);
        let ada = open(runtime, &address, |bus| bus.token(token("ada", ADA))).unwrap();
        assert_eq!(who(&ada).as_deref(), Some("ada"));
        let refused =
            |options: &dyn Fn(BusBuilder) -> BusBuilder| match open(runtime, &address, options) {
                Err(error @ OpenError::Refused { .. }) => error.to_string(),
                other => panic!("{other:?}"),
            };
        let unknown = refused(&|bus| bus.token(token("eve", ADA)));
        let wrong = refused(&|bus| bus.token(token("ada", "not the secret of ada")));
        assert_eq!(unknown, wrong); // S1
        let bare = refused(&|bus| bus);
        assert!(bare.contains(".token("), "{bare}");
    });
}

#[test]
fn a_hub_without_tokens_is_not_spoken_with_by_who_has_one() {
    on_each_runtime(|runtime| {
        let (_hub, address) = common::hub(runtime);
        let error = open(runtime, &address, |bus| bus.token(token("ada", ADA))).unwrap_err();
        assert!(matches!(error, OpenError::Refused { .. }), "{error}");
        assert!(error.to_string().contains("asks for no token"), "{error}");
    });
}

#[test]
fn the_connections_of_one_token_are_counted_together() {
    on_each_runtime(|runtime| {
        let (_hub, address, _server) = hub(runtime);
        let ada = || open(runtime, &address, |bus| bus.token(token("ada", ADA)));
        let members: Vec<Bus> = (0..256).map(|_| ada().unwrap()).collect();
        assert_eq!(who(&members[255]).as_deref(), Some("ada"));
        // One more is told so once it is known whose it is, and is let do nothing (R3).
        for _ in 0..10 {
            let error = ada().unwrap_err().to_string();
            assert!(error.contains("TooManyConnections"), "{error}");
        }
        assert_eq!(who(&members[0]).as_deref(), Some("ada"));
    });
}

/// What a member without a token says behind its Hello: it serves `squat`, calls `note.note`, and casts to it.
fn requests() -> Vec<u8> {
    let now = Instant::now();
    let mut member = Session::new(Role::Member, Config::new([7; 16]), now);
    let mut hub = Session::new(Role::Hub, Config::new([8; 16]), now);
    let say = |from: &mut Session, to: &mut Session| -> Vec<u8> {
        let bytes: Vec<u8> = from.transmit(now).flatten().copied().collect();
        from.wrote(bytes.len(), now);
        to.receive(&bytes, now);
        bytes
    };
    say(&mut member, &mut hub);
    say(&mut hub, &mut member);
    let name = |text| Name::new(text).unwrap();
    let squat = Registration {
        exchange: name("tidings"),
        topic: name("squat"),
        server: name("s"),
        offers: Vec::new(),
    };
    member.bind(squat).unwrap();
    for (token, verb) in [(1, Verb::Call), (2, Verb::Cast)] {
        let target = Target {
            exchange: name("tidings"),
            topic: name("note"),
            server: None,
        };
        let method = Method::named(name("note"));
        let header = RequestHeader {
            remaining: Some(LONG),
            ..RequestHeader::new(Destination::Topic(Arc::new(target)), Arc::new(method))
        };
        let request = Request {
            token,
            flow: 0,
            way: 0,
            verb,
            header,
            payload: Body::Own(Vec::new()),
        };
        member.request(request, now).unwrap();
    }
    say(&mut member, &mut hub)
}

/// Opens a bus with ada's token, at the hub by way of this test, which writes `more` right behind the proof. What then
/// comes of it is for `test` to see, which has the end of the connection that is at the hub, and says what the bus is to
/// hear of it.
fn with_more_behind_the_proof(
    runtime: &Arc<dyn Runtime>,
    hub: &str,
    more: &[u8],
    test: impl FnOnce(&mut TcpStream) -> Vec<u8>,
) -> Result<Bus, OpenError> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = format!("tcp:{}", listener.local_addr().unwrap());
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| open(runtime, &here, |bus| bus.token(token("ada", ADA))));
        let (mut member, _) = listener.accept().unwrap();
        drop(listener); // It does not come back.
        let mut hub = TcpStream::connect(socket_address(hub)).unwrap();
        let hear = |from: &mut TcpStream| {
            from.set_read_timeout(Some(LONG)).unwrap();
            let mut heard = vec![0; 4096];
            let read = from.read(&mut heard).unwrap();
            heard.truncate(read);
            heard
        };
        hub.write_all(&hear(&mut member)).unwrap(); // Hello
        member.write_all(&hear(&mut hub)).unwrap(); // Hello
        hub.write_all(&[&hear(&mut member), more].concat()).unwrap(); // Auth
        member.write_all(&test(&mut hub)).unwrap();
        drop((member, hub));
        opening.join().unwrap()
    })
}

/// PR-AUTH-4, R3: who is one too many is so from the proof on, whatever came with it.
#[test]
fn nothing_behind_the_proof_of_one_connection_too_many_is_looked_at() {
    on_each_runtime(|runtime| {
        let (hub, address, _server) = hub(runtime);
        let ran = Arc::new(AtomicUsize::new(0));
        let count = ran.clone();
        let note = hub.listen("note").on("note", move |(): ()| {
            count.fetch_add(1, Ordering::SeqCst);
        });
        let _note = note.start().unwrap();
        let ada = || open(runtime, &address, |bus| bus.token(token("ada", ADA)));
        let first = ada().unwrap();
        let serves_squat = || {
            let names = first.servers("squat").wait();
            match names {
                Ok(names) => names == ["s"],
                Err(error) => {
                    assert!(matches!(error.kind(), CallErrorKind::NoServer { .. }));
                    false
                }
            }
        };
        let requests = requests();
        let room = |_: &mut TcpStream| {
            until("they run", || ran.load(Ordering::SeqCst) == 2);
            until("it serves", serves_squat);
            Vec::new()
        };
        let _gone = with_more_behind_the_proof(runtime, &address, &requests, room);
        until("it is gone", || !serves_squat());

        let _members: Vec<Bus> = (1..256).map(|_| ada().unwrap()).collect();
        let no_room = |hub: &mut TcpStream| {
            let mut answer = Vec::new();
            // A reset is an end like any other.
            if let Err(error) = hub.read_to_end(&mut answer) {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            }
            answer
        };
        let told = with_more_behind_the_proof(runtime, &address, &requests, no_room).unwrap_err();
        assert!(told.to_string().contains("TooManyConnections"), "{told}");
        assert!(!serves_squat());
        assert_eq!(ran.load(Ordering::SeqCst), 2);
        assert_eq!(who(&first).as_deref(), Some("ada"));
    });
}

/// C-AD-6, rule 9: a hub passes on what it knows.
#[test]
fn the_name_of_a_token_is_known_behind_the_hub_too() {
    on_each_runtime(|runtime| {
        let accepts = |bus: BusBuilder| bus.accept_tokens([token("ada", ADA), token("bob", BOB)]);
        let hub = open(runtime, "tcp:127.0.0.1:0?listen", accepts).unwrap();
        let address = hub.address().unwrap();
        let member = |own| open(runtime, &address, |bus| bus.token(own)).unwrap();
        let (ada, bob) = (member(token("ada", ADA)), member(token("bob", BOB)));
        let _behind = serve_who(&bob, "behind");
        assert_eq!(who_at(&ada, "behind").as_deref(), Some("ada"));
        assert_eq!(who_at(&bob, "behind").as_deref(), Some("bob"));
        // The hub's own process has no token here, and so no name.
        assert_eq!(who_at(&hub, "behind"), None);
    });
}

#[cfg(feature = "tls")]
mod with_certificates {
    use super::*;
    use common::certificates::Authority;
    use common::until;
    use tidings_core::connection::State;

    /// A hub that wants both, with its address.
    fn hub(runtime: &Arc<dyn Runtime>, authority: &Authority) -> (Bus, String) {
        let (own, asks) = (
            authority.certificate(&["hub.test"]).options(),
            authority.asked_for(),
        );
        let accepts = |bus: BusBuilder| bus.accept_tokens([token("ada", ADA), token("bob", BOB)]);
        let address = format!("tcp:127.0.0.1:0?listen&tls&{own}&{asks}");
        let hub = open(runtime, &address, accepts).unwrap();
        let address = hub.address().unwrap();
        (hub, address)
    }

    /// The address for one with a certificate of this name.
    fn with_certificate(address: &str, authority: &Authority, name: &str) -> String {
        let (trusted, own) = (
            authority.trusted(),
            authority.certificate(&[name]).options(),
        );
        format!("{address}?tls&{trusted}&name=hub.test&{own}")
    }

    /// C-AD-6: the token's name takes the place of the certificate's, and neither makes up for the other.
    #[test]
    fn who_shows_both_has_the_tokens_name_everywhere() {
        on_each_runtime(|runtime| {
            let authority = Authority::new();
            let (hub, address) = hub(runtime, &authority);
            let _at_hub = serve_who(&hub, "hub");
            let member = |name: &str, own: Token| {
                let address = with_certificate(&address, &authority, name);
                open(runtime, &address, |bus| bus.token(own))
            };
            let ada = member("ada.test", token("ada", ADA)).unwrap();
            let bob = member("bob.test", token("bob", BOB)).unwrap();
            let _behind = serve_who(&bob, "behind");
            for topic in ["hub", "behind"] {
                assert_eq!(who_at(&ada, topic).as_deref(), Some("ada"));
                assert_eq!(who_at(&bob, topic).as_deref(), Some("bob"));
            }
            let wrong = member("ada.test", token("ada", "not the secret of ada")).unwrap_err();
            let unknown = member("ada.test", token("eve", ADA)).unwrap_err();
            for error in [&wrong, &unknown] {
                assert!(matches!(error, OpenError::Refused { .. }), "{error}");
                assert!(error.to_string().contains("authentication failed"));
            }
            // A certificate alone does not do, and a token alone neither.
            let address_of = |name| with_certificate(&address, &authority, name);
            let bare = open(runtime, &address_of("ada.test"), |bus| bus).unwrap_err();
            assert!(bare.to_string().contains(".token("), "{bare}");
            let only = format!("{address}?tls&{}&name=hub.test", authority.trusted());
            let only = open(runtime, &only, |bus| bus.token(token("ada", ADA))).unwrap_err();
            assert!(only.to_string().contains("add `cert` and `key`"), "{only}");
            // Those who are in go on.
            assert_eq!(who_at(&ada, "behind").as_deref(), Some("ada"));
        });
    }

    /// S12: whatever is printed of the buses, the outcomes and the errors, no secret is in it.
    #[test]
    fn no_secret_is_ever_printed() {
        on_each_runtime(|runtime| {
            let authority = Authority::new();
            let mut told = vec![format!("{:?}", token("ada", ADA))];
            assert!(told[0].contains("[redacted]"));
            let (hub, address) = hub(runtime, &authority);
            let server = serve_who(&hub, "hub");
            let address = with_certificate(&address, &authority, "ada.test");
            let plugin = Tcp::new();
            let builder = Bus::builder().runtime(runtime.clone());
            let builder = builder.token(token("ada", ADA));
            told.push(format!("{builder:?} {plugin:?}"));
            let ada = builder.open_with(&plugin, &address).unwrap();
            told.push(format!("{hub:?} {ada:?} {server:?} {:?}", ada.state()));
            let outcome = ada.call::<Option<String>>("hub.who", &()).wait();
            told.push(format!("{outcome:?}"));
            for own in [token("eve", ADA), token("ada", BOB)] {
                let error = open(runtime, &address, |bus| bus.token(own)).unwrap_err();
                told.push(format!("{error} {error:?} {error:#?}"));
            }
            drop((server, hub));
            until("it is lost", || {
                !matches!(ada.state(), State::Connected { .. })
            });
            told.push(format!("{ada:?} {:?}", ada.state()));
            // As text, and as a list of numbers.
            let numbers = |secret: &str| {
                let list = format!("{:?}", &secret.as_bytes()[..8]);
                list.trim_matches(['[', ']']).to_owned()
            };
            let secrets = [
                "secret of ada".to_owned(),
                "secret of bob".to_owned(),
                numbers(ADA),
                numbers(BOB),
            ];
            for text in &told {
                let printed = secrets.iter().find(|secret| text.contains(*secret));
                assert_eq!(printed, None, "{text}");
            }
        });
    }
}
