//! What is measured.

mod build;
mod footprint;
mod memory;
mod options;
mod promise;
mod scale;
mod socket;
mod start;
pub(crate) mod titles;

use crate::arguments::Measure;
use crate::harness::Case;
use crate::peer::Peer;
use crate::place::{Address, Place};
use crate::report::Report;
use crate::setting::{Setting, Wire};

/// Measures a group and leaves its figures in the report.
type Group = fn(&Measure, &'static [Peer], &mut Report);

/// The groups by their names, in the order in which they are run.
const GROUPS: [(&str, Group); 10] = [
    ("promise", promise::run),
    ("memory", memory::run),
    ("unix", |measure, peers, report| {
        socket::run(Wire::Unix, measure, peers, report);
    }),
    ("tcp", |measure, peers, report| {
        socket::run(Wire::Tcp, measure, peers, report);
    }),
    ("tls", |measure, _, report| {
        socket::run(Wire::Tls, measure, &[], report);
    }),
    ("scale", scale::run),
    ("options", options::run),
    ("start", start::run),
    ("footprint", footprint::run),
    ("build", build::run),
];

/// Those that were asked for.
pub(crate) fn all(measure: &Measure) -> impl Iterator<Item = Group> {
    let wanted = |name: &str| match &measure.group {
        Some(only) => only == name,
        None => true,
    };
    GROUPS
        .into_iter()
        .filter(move |(name, _)| wanted(name))
        .map(|(_, group)| group)
}

pub(crate) fn names() -> Vec<&'static str> {
    GROUPS.iter().map(|(name, _)| *name).collect()
}

/// Serves as `role` at `address` until whoever started this process has gone.
pub(crate) fn serve(role: &str, address: &Address, peers: &[Peer]) -> Result<(), String> {
    let own = [socket::role, start::role, footprint::role];
    if let Some(serve) = own.iter().find_map(|of| of(role)) {
        serve(address);
        return Ok(());
    }
    let peer = peers.iter().find(|peer| peer.name == role);
    let peer = peer.ok_or_else(|| format!("there is no role `{role}`"))?;
    (peer.serve)(address);
    Ok(())
}

/// What the peers have for a setting.
fn of_peers(peers: &[Peer], setting: Setting, place: &Place) -> Vec<Case> {
    peers
        .iter()
        .flat_map(|peer| (peer.cases)(setting, place))
        .collect()
}
