//! Who is trusted, who is refused and with which words, and whom handlers see.
#![cfg(feature = "tls")]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::certificates::{Authority, Files};
use common::{
    LONG, hub, hub_at, on_all_runtimes_at_once, on_each_runtime, open, pings, refused, serve_ping,
    socket_address, try_open, until,
};
use rustls::pki_types::{ServerName, pem::PemObject};
use tidings_core::runtime::Runtime;
use tidings_core::{Bus, Context, OpenError};
use tidings_tcp::{Tcp, Tls};

/// Long enough for a handshake on this host.
const SHORT: Duration = Duration::from_secs(1);

/// A hub under TLS on this host, with `certificate`, and the address to connect to without the
/// options of TLS.
fn tls_hub(runtime: &Arc<dyn Runtime>, certificate: &Files, more: &str) -> (Bus, String) {
    let options = certificate.options();
    hub_at(
        runtime,
        &format!("tcp:127.0.0.1:0?listen&tls&{options}{more}"),
    )
}

/// The options by which a member trusts `authority` to name the hub `hub.test`.
fn member(authority: &Authority) -> String {
    format!("?tls&{}&name=hub.test", authority.trusted())
}

/// Who calls, as a handler at `bus` is told on the topic `who`.
fn serve_who(bus: &Bus) -> tidings_core::Server {
    let who = |(): ()| {
        let caller = Context::current().unwrap().caller().cloned().unwrap();
        (
            caller.transport.to_string(),
            caller.name.map(|name| name.to_string()),
        )
    };
    bus.listen("who").on("who", who).start().unwrap()
}

fn who(bus: &Bus) -> (String, Option<String>) {
    bus.call("who.who", &()).wait().unwrap()
}

fn named(name: &str) -> (String, Option<String>) {
    ("tcp".to_owned(), Some(name.to_owned()))
}

#[test]
fn processes_that_trust_the_hub_speak_with_it_and_each_other() {
    on_each_runtime(|runtime| {
        let authority = Authority::new();
        let (hub, address) = tls_hub(runtime, &authority.certificate(&["hub.test"]), "");
        let member = || open(runtime, &format!("{address}{}", member(&authority)));
        let (calling, serving) = (member(), member());
        let _server = serve_ping(&serving);
        assert!(pings(&calling));
        assert!(pings(&hub));
        assert!(pings(&serving));
        // Without a certificate nothing is known of a caller.
        let _who = serve_who(&hub);
        assert_eq!(who(&calling), ("tcp".into(), None));
    });
}

/// S17: by what stands in the address, and nothing else.
#[test]
fn the_hubs_name_is_the_host_as_it_was_written_or_the_name_that_was_given() {
    on_each_runtime(|runtime| {
        let authority = Authority::new();
        let (hub, address) = tls_hub(runtime, &authority.certificate(&["localhost"]), "");
        let _server = serve_ping(&hub);
        let port = socket_address(&address).port();
        let trusted = authority.trusted();
        assert!(pings(&open(
            runtime,
            &format!("tcp:localhost:{port}?tls&{trusted}")
        )));
        for wrong in [
            format!("tcp:127.0.0.1:{port}?tls&{trusted}"),
            format!("tcp:localhost:{port}?tls&{trusted}&name=hub.test"),
        ] {
            let error = try_open(runtime, &wrong).unwrap_err();
            assert!(matches!(error, OpenError::Refused { .. }), "{error}");
            assert!(error.to_string().contains("not valid for name"), "{error}");
        }
        // An address is a name as well, where the certificate has it.
        let (hub, address) = tls_hub(runtime, &authority.certificate(&["127.0.0.1"]), "");
        let _server = serve_ping(&hub);
        assert!(pings(&open(runtime, &format!("{address}?tls&{trusted}"))));
    });
}

#[test]
fn a_hub_that_is_not_trusted_is_refused_and_said_why() {
    on_each_runtime(|runtime| {
        let (ours, theirs) = (Authority::new(), Authority::new());
        let (_other, address) = tls_hub(runtime, &theirs.certificate(&["hub.test"]), "");
        let error = refused(runtime, &format!("{address}{}", member(&ours)));
        assert!(error.contains("check `ca`"), "{error}");

        let (_late, address) = tls_hub(runtime, &ours.expired(&["hub.test"]), "");
        let error = refused(runtime, &format!("{address}{}", member(&ours)));
        assert!(error.contains("expired"), "{error}");
    });
}

/// S17
#[test]
fn a_hub_that_asks_for_certificates_lets_in_only_those_who_have_one_of_its_authority() {
    on_each_runtime(|runtime| {
        let (ours, theirs) = (Authority::new(), Authority::new());
        let asks = format!("&{}", ours.asked_for());
        let (hub, address) = tls_hub(runtime, &ours.certificate(&["hub.test"]), &asks);
        let _server = serve_ping(&hub);
        let with = |files: &Files| format!("{address}{}&{}", member(&ours), files.options());
        let good = open(runtime, &with(&ours.certificate(&["client.test"])));
        assert!(pings(&good));
        for (address, says) in [
            (
                format!("{address}{}", member(&ours)),
                "add `cert` and `key`",
            ),
            (
                with(&theirs.certificate(&["client.test"])),
                "does not accept the certificate",
            ),
            (
                with(&ours.expired(&["client.test"])),
                "does not accept the certificate",
            ),
        ] {
            let error = try_open(runtime, &address).unwrap_err();
            assert!(matches!(error, OpenError::Refused { .. }), "{error}");
            assert!(error.to_string().contains(says), "{error}");
            assert!(pings(&good));
        }
    });
}

/// C-AD-6: at the hub, and behind it.
#[test]
fn handlers_everywhere_know_the_name_in_the_callers_certificate() {
    on_each_runtime(|runtime| {
        let authority = Authority::new();
        let asks = format!("&{}", authority.asked_for());
        let (hub, address) = tls_hub(runtime, &authority.certificate(&["hub.test"]), &asks);
        let open_as = |files: Files| {
            open(
                runtime,
                &format!("{address}{}&{}", member(&authority), files.options()),
            )
        };
        let ada = open_as(authority.certificate(&["ada.test", "other.test"]));
        let bob = open_as(authority.of_common_name("bob"));
        let nameless = open_as(authority.of_common_name("Ada Lovelace"));
        let at_hub = serve_who(&hub);
        assert_eq!(who(&ada), named("ada.test"));
        assert_eq!(who(&bob), named("bob"));
        assert_eq!(who(&nameless), ("tcp".into(), None));
        drop(at_hub);
        let _behind = serve_who(&bob);
        assert_eq!(who(&ada), named("ada.test"));
        assert_eq!(who(&bob), named("bob"));
        // The hub's process needs no certificate to call.
        assert_eq!(who(&hub), ("tcp".into(), None));
    });
}

/// P7
#[test]
fn tls_and_plain_text_do_not_meet_and_each_side_is_told() {
    on_each_runtime(|runtime| {
        let authority = Authority::new();
        let (secure, secure_address) = tls_hub(runtime, &authority.certificate(&["hub.test"]), "");
        let (plain, plain_address) = hub(runtime);
        let good = open(runtime, &format!("{secure_address}{}", member(&authority)));
        let error = refused(runtime, &secure_address);
        assert!(
            error.contains("speaks TLS, and this side does not"),
            "{error}"
        );
        let error = refused(runtime, &format!("{plain_address}{}", member(&authority)));
        assert!(error.contains("may not speak TLS"), "{error}");
        // Both hubs go on.
        let (_one, _two) = (serve_ping(&secure), serve_ping(&plain));
        assert!(pings(&good));
        assert!(pings(&open(runtime, &plain_address)));
    });
}

/// Others may speak TLS with certificates that are trusted, and not tidings.
#[test]
fn another_protocol_under_tls_is_refused() {
    on_each_runtime(|runtime| {
        let authority = Authority::new();
        let (_hub, address) = tls_hub(runtime, &authority.certificate(&["hub.test"]), "");
        let mut roots = rustls::RootCertStore::empty();
        let ca = rustls::pki_types::CertificateDer::from_pem_file(authority.ca()).unwrap();
        roots.add(ca).unwrap();
        for (protocols, refused) in [
            (vec![b"h2".to_vec()], true),
            (vec![], true),
            (vec![b"tidings/1".to_vec()], false),
        ] {
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let config = rustls::ClientConfig::builder_with_provider(provider);
            let config = config.with_safe_default_protocol_versions().unwrap();
            let mut config = config
                .with_root_certificates(roots.clone())
                .with_no_client_auth();
            config.alpn_protocols.clone_from(&protocols);
            let name = ServerName::try_from("hub.test").unwrap();
            let mut tls = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
            let mut tcp = TcpStream::connect(socket_address(&address)).unwrap();
            // A hub says nothing before it was greeted: whoever is let in hears nothing at all.
            let patience = if refused { LONG } else { SHORT };
            tcp.set_read_timeout(Some(patience)).unwrap();
            let mut stream = rustls::Stream::new(&mut tls, &mut tcp);
            let silence = match stream.read(&mut [0]) {
                Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
                Ok(_) => false,
            };
            assert_eq!(silence, !refused, "{protocols:?}");
            assert!(refused || !tls.is_handshaking());
        }
    });
}

/// P9, R2: the handshake has the time of Hello, together with it.
#[test]
fn whoever_does_not_end_the_handshake_is_closed_after_five_seconds() {
    on_all_runtimes_at_once(|runtime| {
        let authority = Authority::new();
        let (hub, address) = tls_hub(runtime, &authority.certificate(&["hub.test"]), "");
        let _server = serve_ping(&hub);
        let started = Instant::now();
        let strangers: Vec<_> = [
            &b""[..],
            &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        ]
        .map(|begin| {
            let mut stream = TcpStream::connect(socket_address(&address)).unwrap();
            stream.write_all(begin).unwrap();
            stream.set_read_timeout(Some(LONG)).unwrap();
            stream
        })
        .into();
        // They keep nobody out.
        assert!(pings(&open(
            runtime,
            &format!("{address}{}", member(&authority))
        )));
        for mut stream in strangers {
            let _ = stream.read_to_end(&mut Vec::new());
            let took = started.elapsed();
            assert!(took >= Duration::from_millis(4900), "{took:?}");
        }
    });
}

/// R3: those of one certificate count together.
#[test]
fn one_certificate_has_so_many_connections_and_no_more() {
    let runtime = tidings_core::runtime::smol::global();
    let authority = Authority::new();
    let asks = format!("&{}", authority.asked_for());
    let (hub, address) = tls_hub(&runtime, &authority.certificate(&["hub.test"]), &asks);
    let _server = serve_ping(&hub);
    let of = |files: &Files| format!("{address}{}&{}", member(&authority), files.options());
    let (many, one) = (
        of(&authority.certificate(&["many.test"])),
        of(&authority.certificate(&["one.test"])),
    );
    let members: Vec<Bus> = (0..256).map(|_| open(&runtime, &many)).collect();
    let error = refused(&runtime, &many);
    assert!(error.contains("TooManyConnections"), "{error}");
    assert!(pings(&open(&runtime, &one)));
    assert!(members.iter().all(pings));
    drop(members);
    until("there is room again", || try_open(&runtime, &many).is_ok());
}

/// C-LC-2
#[test]
fn members_come_back_by_a_new_handshake_when_the_hub_is_served_again() {
    on_each_runtime(|runtime| {
        let authority = Authority::new();
        let certificate = authority.certificate(&["hub.test"]);
        let (mut hub, address) = tls_hub(runtime, &certificate, "");
        let member = open(runtime, &format!("{address}{}", member(&authority)));
        for _ in 0..3 {
            let server = serve_ping(&hub);
            until("it is connected", || pings(&member));
            hub.close();
            drop(server);
            hub = open(
                runtime,
                &format!("{address}?listen&tls&{}", certificate.options()),
            );
        }
    });
}

/// S15, S9: what is encrypted, and asks for certificates, may be served to other hosts.
#[test]
fn a_wildcard_with_tls_needs_certificates_of_both_sides_and_no_other_word() {
    on_each_runtime(|runtime| {
        let authority = Authority::new();
        let (own, asks) = (
            authority.certificate(&["hub.test"]).options(),
            authority.asked_for(),
        );
        let listen = format!("tcp:0.0.0.0:0?listen&tls&{own}");
        let error = refused(runtime, &listen);
        assert!(error.contains("`client_ca=FILE`"), "{error}");
        let ours = authority.certificate(&["ada.test"]).options();
        for (more, of_member) in [
            (asks.as_str(), format!("&{ours}")),
            ("allow_anyone", String::new()),
        ] {
            let (hub, address) = hub_at(runtime, &format!("{listen}&{more}"));
            let _server = serve_ping(&hub);
            let port = socket_address(&address).port();
            let member = format!("tcp:127.0.0.1:{port}{}{of_member}", member(&authority));
            assert!(pings(&open(runtime, &member)));
        }
        let error = refused(runtime, &format!("{listen}&{asks}&allow_anyone"));
        assert!(error.contains("leave `allow_anyone` out"), "{error}");
    });
}

fn read(path: &std::path::Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[test]
fn certificates_may_come_from_memory() {
    on_each_runtime(|runtime| {
        let authority = Authority::new();
        let (ca, hubs, ours) = (
            read(&authority.ca()),
            authority.certificate(&["hub.test"]),
            authority.certificate(&["ada.test"]),
        );
        let open = |tls: Tls, address: &str| {
            let builder = Bus::builder().runtime(runtime.clone());
            builder.open_with(&Tcp::with_tls(tls), address)
        };
        let tls = Tls::new().certificate(read(&hubs.cert), read(&hubs.key));
        let hub = open(tls.client_ca(ca.clone()), "tcp:127.0.0.1:0?listen&tls").unwrap();
        let _who = serve_who(&hub);
        let address = hub.address().unwrap();
        let tls = Tls::new().ca(ca).name("hub.test");
        let tls = tls.certificate(read(&ours.cert), read(&ours.key));
        let member = open(tls.clone(), &format!("{address}?tls")).unwrap();
        assert_eq!(who(&member), named("ada.test"));
        // One place for them, and the address says that there is TLS.
        for (address, says) in [
            (address.clone(), "add `tls`"),
            (
                format!("{address}?tls&name=hub.test"),
                "from memory or from files",
            ),
            (
                "tcp:127.0.0.1:0?listen&tls".to_owned(),
                "`ca` and `name` are for who connects",
            ),
        ] {
            let error = open(tls.clone(), &address).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        let error = open(Tls::new().client_ca("x"), &format!("{address}?tls")).unwrap_err();
        assert!(
            error.to_string().contains("`client_ca` is for who serves"),
            "{error}"
        );
    });
}

#[test]
fn files_that_are_missing_or_hold_something_else_are_named() {
    on_each_runtime(|runtime| {
        let authority = Authority::new();
        let (good, other) = (
            authority.certificate(&["a.test"]),
            authority.certificate(&["b.test"]),
        );
        let (ca, cert) = (authority.ca(), good.cert.display());
        let mixed = format!("cert={cert}&key={}", other.key.display());
        let key_is_none = format!("cert={cert}&key={cert}");
        let cert_is_none = format!("cert={0}&key={0}", good.key.display());
        for (address, says) in [
            (
                "tcp:127.0.0.1:1?tls&ca=/no/such/ca.pem".to_owned(),
                "its `ca` /no/such/ca.pem cannot be read",
            ),
            ("tcp:127.0.0.1:1?tls".to_owned(), "add `ca=FILE`"),
            (
                format!("tcp:127.0.0.1:1?tls&ca={}", good.key.display()),
                "`ca` holds no certificates",
            ),
            (
                "tcp:127.0.0.1:0?listen&tls".to_owned(),
                "add `cert` and `key`",
            ),
            (
                format!("tcp:127.0.0.1:0?listen&tls&{key_is_none}"),
                "`key` holds no private key",
            ),
            (
                format!("tcp:127.0.0.1:0?listen&tls&{cert_is_none}"),
                "`cert` holds no certificates",
            ),
            (
                format!("tcp:127.0.0.1:0?listen&tls&{mixed}"),
                "`cert` and `key` cannot be used",
            ),
            (
                format!("tcp:a..b:1?tls&ca={}", ca.display()),
                "no name that a certificate can have",
            ),
        ] {
            let error = try_open(runtime, &address).unwrap_err();
            assert!(
                matches!(error, OpenError::Address { .. }),
                "{address}: {error}"
            );
            assert!(error.to_string().contains(says), "{address}: {error}");
        }
    });
}

/// S12
#[test]
fn nothing_of_a_key_is_ever_printed() {
    let authority = Authority::new();
    let files = authority.certificate(&["hub.test"]);
    let key = String::from_utf8(read(&files.key)).unwrap();
    let secrets: Vec<&str> = key.lines().filter(|line| !line.starts_with('-')).collect();
    assert!(!secrets.is_empty());
    let broken = key.replace("PRIVATE KEY", "PRIVATE KEX");
    let mut told = Vec::new();
    let runtime = tidings_core::runtime::smol::global();
    for key in [
        key.clone(),
        broken,
        key.replace('A', "!"),
        key.lines().next().unwrap().to_owned(),
    ] {
        let tls = Tls::new().certificate(read(&files.cert), key.clone());
        let plugin = Tcp::with_tls(tls.clone().ca(key.clone()).client_ca(key));
        told.push(format!("{tls:?} {tls:#?} {plugin:?}"));
        let plugin = Tcp::with_tls(tls);
        let builder = Bus::builder().runtime(runtime.clone());
        match builder.open_with(&plugin, "tcp:127.0.0.1:0?listen&tls") {
            Ok(hub) => told.push(format!("{hub:?} {:?}", hub.address())),
            Err(error) => told.push(format!("{error} {error:?} {error:#?}")),
        }
    }
    for told in told {
        let printed = secrets.iter().find(|secret| told.contains(**secret));
        assert_eq!(printed, None, "{told}");
    }
}
