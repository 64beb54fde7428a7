//! Who serves, who connects, to which of several places, and which addresses are refused.

mod common;

use std::io::ErrorKind;
use std::net::{TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{
    dead_port, hub, hub_at, on_each_runtime, open, pings, refused, serve_ping, socket_address,
    try_open, until,
};
use tidings_core::authorise::Acl;
use tidings_core::runtime::Runtime;
use tidings_core::{Bus, BusBuilder, Context, OpenError, Token};
use tidings_tcp::Tcp;

/// C-AD-6
#[test]
fn the_hub_and_its_members_call_each_other_in_every_direction() {
    on_each_runtime(|runtime| {
        let (hub, address) = hub(runtime);
        let buses = [hub, open(runtime, &address), open(runtime, &address)];
        let _servers: Vec<_> = (0..)
            .zip(&buses)
            .map(|(n, bus)| {
                let greet = move |name: String| format!("{n} greets {name}");
                let server = bus.listen(format!("greeter{n}")).on("hello", greet);
                server.start().unwrap()
            })
            .collect();
        for bus in &buses {
            for n in 0..3 {
                let text: String = bus
                    .call(&format!("greeter{n}.hello"), &"Ada")
                    .wait()
                    .unwrap();
                assert_eq!(text, format!("{n} greets Ada"));
            }
        }
    });
}

#[test]
fn the_hub_tells_the_port_that_the_system_chose() {
    on_each_runtime(|runtime| {
        let (hub, address) = hub(runtime);
        assert_ne!(socket_address(&address).port(), 0);
        let member = open(runtime, &address);
        assert_eq!(member.address(), None);
        let _server = serve_ping(&hub);
        assert!(pings(&member));
    });
}

#[test]
fn a_handler_knows_the_transport_and_where_its_caller_is() {
    on_each_runtime(|runtime| {
        let (hub, address) = hub(runtime);
        let told = |(): ()| {
            let caller = Context::current().unwrap().caller().cloned().unwrap();
            let ip = caller.address.map(|address| address.ip().to_string());
            (caller.transport.to_string(), caller.name.map(|_| ()), ip)
        };
        let _server = hub.listen("who").on("who", told).start().unwrap();
        let member = open(runtime, &address);
        let who: (String, Option<()>, Option<String>) = member.call("who.who", &()).wait().unwrap();
        assert_eq!(who, ("tcp".into(), None, Some("127.0.0.1".into())));
    });
}

/// T17
#[test]
fn an_address_that_is_served_is_in_use_and_its_hub_goes_on() {
    on_each_runtime(|runtime| {
        let (hub, address) = hub(runtime);
        let _server = serve_ping(&hub);
        let member = open(runtime, &address);
        let refused = try_open(runtime, &format!("{address}?listen")).unwrap_err();
        assert!(
            matches!(refused, OpenError::AddressInUse { .. }),
            "{refused}"
        );
        assert!(pings(&member));

        let foreign = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("tcp:{}?listen", foreign.local_addr().unwrap());
        let refused = try_open(runtime, &address).unwrap_err();
        assert!(
            matches!(refused, OpenError::AddressInUse { .. }),
            "{refused}"
        );
    });
}

/// C-LC-4: with connections that are still ending, and handles that still live.
#[test]
fn an_address_can_be_served_again_at_once() {
    on_each_runtime(|runtime| {
        let (first, address) = hub(runtime);
        first.close();
        for _ in 0..20 {
            let hub = open(runtime, &format!("{address}?listen"));
            let _server = serve_ping(&hub);
            let member = open(runtime, &address);
            assert!(pings(&member));
            hub.close();
        }
        assert!(!pings(&first));
    });
}

/// T15
#[test]
fn connecting_where_nobody_listens_fails_at_once_and_says_why() {
    on_each_runtime(|runtime| {
        let port = dead_port();
        let started = Instant::now();
        let error = try_open(runtime, &format!("tcp:127.0.0.1:{port}")).unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(2));
        let OpenError::NotConnected { source, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(source.kind(), ErrorKind::ConnectionRefused);
        for part in [&format!("127.0.0.1:{port}"), "refused", "start the process"] {
            assert!(
                error.to_string().contains(part),
                "{part} is missing from: {error}"
            );
        }
    });
}

/// T15: also from a thread that drives the runtime, which could not wait for one of its tasks.
#[test]
fn a_thread_that_drives_a_runtime_is_told_at_once_as_well() {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    tokio.block_on(async {
        let runtime = tidings_core::runtime::tokio::current().unwrap();
        let dead = format!("tcp:127.0.0.1:{}", dead_port());
        let error = try_open(&runtime, &dead).unwrap_err();
        assert!(matches!(error, OpenError::NotConnected { .. }), "{error}");

        let (hub, address) = hub(&runtime);
        let _server = serve_ping(&hub);
        let member = open(&runtime, &address);
        assert_eq!(member.call::<u32>("ping.ping", &1_u32).await.unwrap(), 2);
    });
}

/// A name that no host can have: the system knows that without asking anybody.
fn no_host() -> String {
    format!("{}.invalid", "x".repeat(64))
}

#[test]
fn a_host_that_does_not_exist_is_told() {
    on_each_runtime(|runtime| {
        let host = no_host();
        let error = try_open(runtime, &format!("tcp:{host}:4000")).unwrap_err();
        assert!(matches!(error, OpenError::NotConnected { .. }), "{error}");
        let told = format!("`{host}` cannot be looked up");
        assert!(error.to_string().contains(&told), "{error}");
    });
}

#[test]
fn several_places_are_tried_in_turn_and_all_failures_are_told() {
    on_each_runtime(|runtime| {
        let (hub, address) = hub(runtime);
        let _server = serve_ping(&hub);
        let live = socket_address(&address);
        let (one, two) = (dead_port(), dead_port());
        for places in [
            format!("127.0.0.1:{one},{live}"),
            format!("{live},127.0.0.1:{one}"),
            format!("{}:1,127.0.0.1:{one},[::1]:{one},{live}", no_host()),
        ] {
            assert!(pings(&open(runtime, &format!("tcp:{places}"))), "{places}");
        }
        let error = refused(runtime, &format!("tcp:127.0.0.1:{one},127.0.0.1:{two}"));
        for port in [one, two] {
            let told = format!("127.0.0.1:{port}: Connection refused");
            assert!(error.contains(&told), "{error}");
        }
    });
}

/// C-LC-2: the next place takes over where the first hub has gone.
#[test]
fn a_member_goes_to_another_place_when_its_hub_is_lost() {
    on_each_runtime(|runtime| {
        let (first, first_address) = hub(runtime);
        let (second, second_address) = hub(runtime);
        let (one, two) = (
            socket_address(&first_address),
            socket_address(&second_address),
        );
        let member = open(runtime, &format!("tcp:{one},{two}"));
        let _server = serve_ping(&member);
        assert!(pings(&first));
        first.close();
        until("its server is at the other hub", || pings(&second));
    });
}

#[test]
fn a_name_stands_for_all_of_its_addresses() {
    on_each_runtime(|runtime| {
        let (hub, address) = hub(runtime);
        let _server = serve_ping(&hub);
        let port = socket_address(&address).port();
        let member = open(runtime, &format!("tcp:localhost:{port}"));
        assert!(pings(&member));
        // After a loss it is looked up again, where that may block.
        hub.close();
        let hub = open(runtime, &format!("{address}?listen"));
        let _server = serve_ping(&hub);
        until("it is back", || pings(&member));
        let served = open(runtime, "tcp:localhost:0?listen");
        assert!(
            socket_address(&served.address().unwrap())
                .ip()
                .is_loopback()
        );
    });
}

fn has_ipv6() -> bool {
    let has = TcpListener::bind("[::1]:0").is_ok();
    if !has {
        println!("SKIP the part of IPv6: this machine has none");
    }
    has
}

#[test]
fn ipv6_serves_and_connects() {
    if !has_ipv6() {
        return;
    }
    on_each_runtime(|runtime| {
        let (hub, address) = hub_at(runtime, "tcp:[::1]:0?listen");
        assert!(address.starts_with("tcp:[::1]:"), "{address}");
        let _server = serve_ping(&hub);
        assert!(pings(&open(runtime, &address)));
        // That address alone, and not also the one of IPv4.
        let port = socket_address(&address).port();
        assert!(try_open(runtime, &format!("tcp:127.0.0.1:{port}")).is_err());
    });
}

#[test]
fn a_wildcard_serves_all_addresses_and_must_be_written_out() {
    on_each_runtime(|runtime| {
        let mut wildcards = vec![("*", true), ("0.0.0.0", false)];
        if has_ipv6() {
            wildcards.push(("[::]", true));
        }
        for (wildcard, serves_ipv6) in wildcards {
            let refused = refused(runtime, &format!("tcp:{wildcard}:0?listen"));
            for part in [
                "not encrypted",
                "`tls&cert=FILE&key=FILE`",
                "`allow_plaintext`",
            ] {
                assert!(refused.contains(part), "{part} is missing from: {refused}"); // S15, S16
            }
            let address = format!("tcp:{wildcard}:0?listen&allow_plaintext&allow_anyone");
            let (hub, address) = hub_at(runtime, &address);
            let _server = serve_ping(&hub);
            let port = socket_address(&address).port();
            let loopback = |host: &str| try_open(runtime, &format!("tcp:{host}:{port}"));
            assert_eq!(
                loopback("127.0.0.1").is_ok(),
                wildcard != "[::]",
                "{wildcard}"
            );
            if has_ipv6() {
                assert_eq!(loopback("[::1]").is_ok(), serves_ipv6, "{wildcard}");
            }
        }
        // Without a host it is this host alone.
        let (_hub, address) = hub_at(runtime, "tcp::0?listen");
        assert!(address.starts_with("tcp:127.0.0.1:"), "{address}");
    });
}

/// S15, S16: also where the address is one of this host's own.
#[test]
fn an_address_that_other_hosts_can_reach_is_not_served_without_encryption() {
    // The address by which this host would speak to another; nothing is sent.
    let outward = UdpSocket::bind("0.0.0.0:0")
        .and_then(|socket| socket.connect("192.0.2.1:9").map(|()| socket))
        .and_then(|socket| socket.local_addr());
    let Ok(outward) = outward else {
        println!("SKIP an address of this host in a network: it has none");
        return;
    };
    let ip = outward.ip();
    on_each_runtime(|runtime| {
        assert!(refused(runtime, &format!("tcp:{ip}:0?listen")).contains("not encrypted"));
        let (hub, address) = hub_at(
            runtime,
            &format!("tcp:{ip}:0?listen&allow_plaintext&allow_anyone"),
        );
        let _server = serve_ping(&hub);
        assert!(pings(&open(runtime, &address)));
    });
}

/// S9: what other hosts can reach says who may come in, or that everybody may.
#[test]
fn an_address_that_other_hosts_can_reach_is_not_served_to_just_anybody() {
    on_each_runtime(|runtime| {
        let bus = || Bus::builder().runtime(runtime.clone());
        let token = || Token::new("ada", "the secret of ada, long enough").unwrap();
        let open = |builder: BusBuilder, options: &str| {
            let address = format!("tcp:0.0.0.0:0?listen&allow_plaintext{options}");
            builder.open_with(&Tcp::new(), &address)
        };
        let error = open(bus(), "").unwrap_err();
        assert!(matches!(error, OpenError::Address { .. }), "{error}");
        for way_out in [
            "`client_ca=FILE`",
            "`.accept_tokens(..)`",
            "`.authorise(..)`",
            "`allow_anyone`",
            "`127.0.0.1`",
        ] {
            assert!(error.to_string().contains(way_out), "{error}");
        }
        open(bus(), "&allow_anyone").unwrap();
        let decided = || [bus().accept_tokens([token()]), bus().authorise(Acl::new())];
        for builder in decided() {
            open(builder, "").unwrap();
        }
        // Who says both may mean either.
        for builder in decided() {
            let error = open(builder, "&allow_anyone").unwrap_err();
            assert!(
                error.to_string().contains("leave `allow_anyone` out"),
                "{error}"
            );
        }
        // On this host nothing has to be said.
        try_open(runtime, "tcp:127.0.0.1:0?listen").unwrap();
    });
}

/// T26
#[test]
fn an_address_of_another_host_cannot_be_served() {
    on_each_runtime(|runtime| {
        let error = try_open(
            runtime,
            "tcp:192.0.2.1:4000?listen&allow_plaintext&allow_anyone",
        )
        .unwrap_err();
        assert!(matches!(error, OpenError::Bind { .. }), "{error}");
        assert!(error.to_string().contains("no such address"), "{error}");
    });
}

fn says(runtime: &Arc<dyn Runtime>, address: &str, part: &str) {
    let error = try_open(runtime, address).unwrap_err();
    assert!(
        matches!(error, OpenError::Address { .. }),
        "{address}: {error}"
    );
    assert!(error.to_string().contains(part), "{address}: {error}");
}

#[test]
fn options_that_do_not_exist_or_contradict_are_refused_and_say_what_to_write() {
    on_each_runtime(|runtime| {
        for (address, part) in [
            ("tcp:127.0.0.1:1?listne", "has the options"),
            ("tcp:127.0.0.1:1?listen=yes", "has the options"),
            ("tcp:127.0.0.1:1?queue=-1", "is a number"),
            ("tcp:127.0.0.1:1?dead_after=1", "2 at least"),
            ("tcp:127.0.0.1:1?dead_after=soon", "is a number"),
            ("tcp:127.0.0.1:1?allow_plaintext", "add `listen`"),
            ("tcp:127.0.0.1:1?allow_anyone", "add `listen`"),
            (
                "tcp:127.0.0.1:0?listen&tls&allow_plaintext",
                "leave `allow_plaintext` out",
            ),
            ("tcp:127.0.0.1:1?ca=/ca.pem", "add `tls`"),
            ("tcp:127.0.0.1:1?name=hub.test", "add `tls`"),
            ("tcp:127.0.0.1:1?tls&ca", "is a file"),
            ("tcp:127.0.0.1:1?tls&name", "has the options"),
            ("tcp:127.0.0.1:1?tls&ca=/ca.pem&cert=/c.pem", "go together"),
            (
                "tcp:127.0.0.1:1?tls&client_ca=/ca.pem",
                "is for whoever serves",
            ),
            (
                "tcp:127.0.0.1:0?listen&tls&ca=/ca.pem",
                "takes `cert` and `key`",
            ),
            ("tcp:127.0.0.1:0", "write the hub's port"),
            ("tcp:*:4000", "write the hub's host"),
            (
                "tcp:127.0.0.1:0,127.0.0.1:0?listen",
                "write one `host:port`",
            ),
            ("tcp:4000?listen", "tcp:host:port"),
        ] {
            says(runtime, address, part);
        }
    });
}

/// The limits of an address are those of its connections.
#[test]
fn an_address_sets_the_largest_message() {
    on_each_runtime(|runtime| {
        let (hub, address) = hub_at(runtime, "tcp:127.0.0.1:0?listen&max_message=100000");
        let size = |bytes: Vec<u8>| bytes.len();
        let _server = hub.listen("size").on("of", size).start().unwrap();
        let member: Bus = open(runtime, &address);
        let of = |bytes: usize| member.call::<usize>("size.of", &vec![7_u8; bytes]).wait();
        assert_eq!(of(90_000).unwrap(), 90_000);
        assert!(of(110_000).is_err());
        assert_eq!(of(90_000).unwrap(), 90_000);
    });
}
