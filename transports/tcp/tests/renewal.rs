//! Certificates that are replaced, and such as are taken back.
#![cfg(feature = "tls")]

mod common;

use std::fs;
use std::path::Path;

use common::certificates::{Authority, Files};
use common::{hub_at, on_each_runtime, open, pings, refused, serve_ping, until};
use tidings_tcp::{Tcp, Tls};

/// A hub's certificate and key are replaced in their files, by those of another authority, and the hub is opened again
/// at its address. Those who trust both authorities come back by themselves; and it is the new one that they are shown.
#[test]
fn a_hub_with_a_new_certificate_serves_and_its_members_come_back() {
    on_each_runtime(|runtime| {
        let (old, new) = (Authority::new(), Authority::new());
        let files = old.certificate(&["hub.test"]);
        let serving = format!("listen&tls&{}", files.options());
        let (hub, address) = hub_at(runtime, &format!("tcp:127.0.0.1:0?{serving}"));
        let server = serve_ping(&hub);
        let both = trusting(&[&old, &new]);
        let trusts = |ca: &Path| format!("{address}?tls&ca={}&name=hub.test", ca.display());
        let member = open(runtime, &trusts(both.path()));
        assert!(pings(&member));
        let error = refused(runtime, &trusts(&new.ca()));
        assert!(error.contains("check `ca`"), "{error}");

        replace(&files, &new.certificate(&["hub.test"]));
        // What is open goes on with what it has read.
        assert!(pings(&open(runtime, &trusts(&old.ca()))));
        drop(server);
        hub.close();
        let hub = open(runtime, &format!("{address}?{serving}"));
        let _server = serve_ping(&hub);
        until("the member is back", || pings(&member));
        assert!(pings(&open(runtime, &trusts(&new.ca()))));
        let error = refused(runtime, &trusts(&old.ca()));
        assert!(error.contains("check `ca`"), "{error}");
    });
}

/// One file with the certificates of all of these.
fn trusting(authorities: &[&Authority]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let pems = authorities.iter().map(|one| fs::read_to_string(one.ca()));
    let all: Result<String, _> = pems.collect();
    fs::write(file.path(), all.unwrap()).unwrap();
    file
}

fn replace(files: &Files, by: &Files) {
    fs::copy(&by.cert, &files.cert).unwrap();
    fs::copy(&by.key, &files.key).unwrap();
}

/// S17
#[test]
fn who_shows_a_certificate_that_was_taken_back_is_refused() {
    on_each_runtime(|runtime| {
        let authority = Authority::new();
        let [good, lost] = ["good", "lost"].map(|name| authority.certificate(&[name]));
        let list = authority.list_of(&[&lost]);
        let of_hub = authority.certificate(&["hub.test"]);
        let hub_with = |list: &Path| {
            let (own, asks) = (of_hub.options(), authority.asked_for());
            let crl = list.display();
            hub_at(
                runtime,
                &format!("tcp:127.0.0.1:0?listen&tls&{own}&{asks}&crl={crl}"),
            )
        };
        let with = |address: &str, files: &Files| {
            let (trusted, own) = (authority.trusted(), files.options());
            format!("{address}?tls&{trusted}&name=hub.test&{own}")
        };
        let (hub, address) = hub_with(&list);
        let _server = serve_ping(&hub);
        let member = open(runtime, &with(&address, &good));
        assert!(pings(&member));
        let error = refused(runtime, &with(&address, &lost));
        assert!(error.contains("CertificateRevoked"), "{error}");
        assert!(pings(&member));
        // Where the list is missing that could say otherwise, nobody is let in.
        let other = Authority::new();
        let (_hub, address) = hub_with(&other.list_of(&[]));
        let error = refused(runtime, &with(&address, &good));
        assert!(error.contains("does not accept the certificate"), "{error}");
    });
}

/// S17
#[test]
fn a_hub_whose_certificate_was_taken_back_is_not_called() {
    on_each_runtime(|runtime| {
        let authority = Authority::new();
        let lost = authority.certificate(&["hub.test"]);
        let listen = format!("tcp:127.0.0.1:0?listen&tls&{}", lost.options());
        let (hub, address) = hub_at(runtime, &listen);
        let _server = serve_ping(&hub);
        let trusts = format!("{address}?tls&{}&name=hub.test", authority.trusted());
        let with = |list: &Path| format!("{trusts}&crl={}", list.display());
        assert!(pings(&open(runtime, &trusts)));
        assert!(pings(&open(runtime, &with(&authority.list_of(&[])))));
        let list = authority.list_of(&[&lost]);
        let error = refused(runtime, &with(&list));
        assert!(error.contains("has been taken back"), "{error}");

        // From memory it is the same.
        let read = |path: &Path| fs::read(path).unwrap();
        let tls = Tls::new().ca(read(&authority.ca())).name("hub.test");
        let open_with = |tls: Tls| {
            let builder = tidings_core::Bus::builder().runtime(runtime.clone());
            builder.open_with(&Tcp::with_tls(tls), &format!("{address}?tls"))
        };
        assert!(pings(&open_with(tls.clone()).unwrap()));
        let error = open_with(tls.crl(read(&list))).unwrap_err().to_string();
        assert!(error.contains("has been taken back"), "{error}");

        // Nobody is let in because the list is missing that could say otherwise.
        let error = refused(runtime, &with(&Authority::new().list_of(&[])));
        assert!(error.contains("no list in `crl`"), "{error}");
        let error = refused(runtime, &with(&authority.ca()));
        assert!(error.contains("`crl` holds no lists"), "{error}");
    });
}

#[test]
fn a_list_for_certificates_that_nobody_is_asked_for_is_refused() {
    on_each_runtime(|runtime| {
        let authority = Authority::new();
        let (own, list) = (authority.certificate(&["hub.test"]), authority.list_of(&[]));
        let address = format!("tcp:127.0.0.1:0?listen&tls&{}", own.options());
        let error = refused(runtime, &format!("{address}&crl={}", list.display()));
        assert!(error.contains("add `client_ca`"), "{error}");
        let error = refused(runtime, "tcp:127.0.0.1:4000?crl=list.pem");
        assert!(error.contains("add `tls`"), "{error}");
        let read = |path: &Path| fs::read(path).unwrap();
        let tls = Tls::new().certificate(read(&own.cert), read(&own.key));
        let builder = tidings_core::Bus::builder().runtime(runtime.clone());
        let tls = Tcp::with_tls(tls.crl(read(&list)));
        let error = builder.open_with(&tls, "tcp:127.0.0.1:0?listen&tls");
        let error = error.unwrap_err().to_string();
        assert!(error.contains("add `client_ca`"), "{error}");
    });
}
