//! Policies by the names in certificates: at a hub, and for what it passes on.
#![cfg(feature = "tls")]

mod common;

use std::sync::Arc;

use common::certificates::{Authority, Files};
use common::on_each_runtime;
use tidings_core::authorise::{Acl, Rule};
use tidings_core::runtime::Runtime;
use tidings_core::{Bus, CallError, CallErrorKind, Fate, ServeError, Server};
use tidings_tcp::Tcp;

fn serve(bus: &Bus, topic: &str) -> Result<Server, ServeError> {
    bus.listen(topic).on("get", |(): ()| ()).start()
}

fn call(bus: &Bus, path: &str) -> Result<(), CallError> {
    bus.call(path, &()).wait()
}

fn assert_forbidden(outcome: Result<(), CallError>) {
    let error = outcome.unwrap_err();
    assert_eq!(error.fate(), Fate::NotExecuted, "{error}");
    let forbidden = matches!(error.kind(), CallErrorKind::Forbidden(_));
    assert!(forbidden, "{error}");
}

fn assert_may_not_serve(bus: &Bus, topic: &str) {
    let error = serve(bus, topic).unwrap_err();
    let ServeError::NotRegistered { reason, .. } = &error else {
        panic!("{error}")
    };
    assert_forbidden(Err(reason.clone()));
}

/// A hub under TLS with this policy, which asks for certificates, and those who may have one.
struct Company {
    runtime: Arc<dyn Runtime>,
    authority: Authority,
    hub: Bus,
    address: String,
}

impl Company {
    fn new(runtime: &Arc<dyn Runtime>, policy: Acl) -> Company {
        let authority = Authority::new();
        let (certificate, asks) = (authority.certificate(&["hub.test"]), authority.asked_for());
        let address = format!(
            "tcp:127.0.0.1:0?listen&tls&{}&{asks}",
            certificate.options()
        );
        let builder = Bus::builder().runtime(runtime.clone()).authorise(policy);
        let hub = builder.open_with(&Tcp::new(), &address).unwrap();
        let address = hub.address().unwrap();
        Company {
            runtime: runtime.clone(),
            authority,
            hub,
            address,
        }
    }

    fn open_with(&self, files: &Files) -> Bus {
        let trusted = self.authority.trusted();
        let (address, own) = (&self.address, files.options());
        common::open(
            &self.runtime,
            &format!("{address}?tls&{trusted}&name=hub.test&{own}"),
        )
    }

    fn open_as(&self, name: &str) -> Bus {
        self.open_with(&self.authority.certificate(&[name]))
    }

    /// One whose certificate has no name that the bus could use.
    fn open_without_a_name(&self) -> Bus {
        self.open_with(&self.authority.of_common_name("Ada Lovelace"))
    }
}

/// S9, S17
#[test]
fn the_name_in_a_certificate_decides_who_may_call_and_who_may_serve() {
    on_each_runtime(|runtime| {
        let acl = Acl::new()
            .allow(Rule::requests().caller("ada.test").unwrap())
            .allow(Rule::serving().caller("worker.test").unwrap());
        let company = Company::new(runtime, acl);
        let [ada, bob, worker] =
            ["ada.test", "bob.test", "worker.test"].map(|n| company.open_as(n));
        let nameless = company.open_without_a_name();
        let _at_hub = serve(&company.hub, "hub").unwrap();
        let _behind = serve(&worker, "orders").unwrap();
        for path in ["hub.get", "orders.get"] {
            call(&ada, path).unwrap();
            for other in [&bob, &worker, &nameless] {
                assert_forbidden(call(other, path));
            }
        }
        for other in [&ada, &bob, &nameless] {
            assert_may_not_serve(other, "orders");
        }
        // None of those who were turned away has any of the requests.
        for _ in 0..8 {
            call(&ada, "orders.get").unwrap();
        }
    });
}

/// S9: not even `*` means somebody of whom no name is known, whether it allows or denies.
#[test]
fn a_rule_about_names_does_not_speak_of_who_has_none() {
    on_each_runtime(|runtime| {
        let acl = Acl::new().allow(Rule::anything().caller("*").unwrap());
        let company = Company::new(runtime, acl);
        let (ada, nameless) = (company.open_as("ada.test"), company.open_without_a_name());
        let _at_hub = serve(&company.hub, "hub").unwrap();
        let _behind = serve(&ada, "orders").unwrap();
        for path in ["hub.get", "orders.get"] {
            call(&ada, path).unwrap();
            assert_forbidden(call(&nameless, path));
        }
        assert_may_not_serve(&nameless, "orders");

        let acl = Acl::new()
            .allow(Rule::requests())
            .deny(Rule::requests().caller("*").unwrap());
        let company = Company::new(runtime, acl);
        let (ada, nameless) = (company.open_as("ada.test"), company.open_without_a_name());
        let _at_hub = serve(&company.hub, "hub").unwrap();
        assert_forbidden(call(&ada, "hub.get"));
        call(&nameless, "hub.get").unwrap();
    });
}
