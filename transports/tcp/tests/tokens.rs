//! Tokens over TCP, where nothing else says who somebody is.

mod common;

use std::sync::Arc;

use common::{on_each_runtime, until};
use tidings_core::runtime::Runtime;
use tidings_core::{Bus, BusBuilder, Context, OpenError, Server, Token};
use tidings_tcp::Tcp;

fn token(name: &str, secret: &str) -> Token {
    Token::new(name, secret).unwrap()
}

const ADA: &str = "the secret of ada, long enough";

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
    let name = |(): ()| {
        let caller = Context::current().unwrap().caller().cloned();
        caller
            .and_then(|caller| caller.name)
            .map(|name| name.to_string())
    };
    let server = hub.listen("hub").on("who", name).start().unwrap();
    (hub, address, server)
}

fn who(bus: &Bus) -> Option<String> {
    bus.call("hub.who", &()).wait().unwrap()
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
        // One more is let in as far as it takes to know whose it is, and then turned away (R3).
        let extra = ada();
        until("the one too many is closed", || match &extra {
            Err(_) => true,
            Ok(bus) => bus.call::<Option<String>>("hub.who", &()).wait().is_err(),
        });
        assert_eq!(who(&members[0]).as_deref(), Some("ada"));
    });
}
