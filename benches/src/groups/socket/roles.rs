//! What a process at the other end of a socket serves.

use std::future::pending;

use tidings::Bus;

use super::ours::{connect, listen};
use super::service::{EchoServer, Echoing};
use super::{limit, raw};
use crate::place::Address;
use crate::process;
use crate::runtimes::Driver;

pub(super) const RAW_BLOCKING: &str = "raw-blocking";
pub(super) const RAW_TOKIO: &str = "raw-tokio";
pub(super) const RAW_SMOL: &str = "raw-smol";
pub(super) const LIMIT: &str = "limit";
/// The hub of a bus, which serves as well, on tokio.
pub(in crate::groups) const TOKIO: &str = "tokio";
/// The same on smol.
pub(super) const SMOL: &str = "smol";
/// The hub of a bus, and nothing else.
pub(in crate::groups) const HUB: &str = "hub";
/// Connects to the hub of a bus, and serves.
pub(super) const MEMBER: &str = "member";

/// What serves in that role, until whoever started this process has gone.
pub(in crate::groups) fn role(name: &str) -> Option<fn(&Address)> {
    Some(match name {
        RAW_BLOCKING => raw::serve_blocking,
        RAW_TOKIO => raw::serve_on_tokio,
        RAW_SMOL => raw::serve_on_smol,
        LIMIT => limit::serve,
        TOKIO => |address| serve(address, &Driver::tokio(), listen),
        SMOL => |address| serve(address, &Driver::Smol, listen),
        // Its hub has to be heard while it waits for leave to serve.
        MEMBER => |address| serve(address, &Driver::tokio_beside(), connect),
        HUB => connect_others,
        _ => return None,
    })
}

fn serve(address: &Address, driver: &Driver, open: fn(&Address, &Driver, &str) -> Bus) {
    let bus = open(address, driver, "");
    let server = bus.serve(EchoServer::new(Echoing::default()));
    let _server = server.expect("the topic is free");
    process::announce();
    driver.block_on(pending::<()>());
}

/// Stands between processes that call and processes that serve.
fn connect_others(address: &Address) {
    let driver = Driver::tokio();
    let _bus = listen(address, &driver, "");
    process::announce();
    driver.block_on(pending::<()>());
}
