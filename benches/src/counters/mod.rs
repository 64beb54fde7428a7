//! What one operation takes beside time, in all processes that have a part in it.

pub mod allocations;
pub(crate) mod switches;
mod syscalls;

use std::rc::Rc;

use crate::process::Server;

/// What one operation takes beside time, in all processes together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counts {
    pub allocations: f64,
    pub switches: f64,
    /// None where the system does not count them for us.
    pub syscalls: Option<f64>,
}

/// Counts while `run` does `operations`; twice where system calls are wanted, which are counted by another program.
pub(crate) fn count(
    operations: u64,
    servers: &[Rc<Server>],
    syscalls: bool,
    mut run: impl FnMut(),
) -> Counts {
    let processes: Vec<u32> = [std::process::id()]
        .into_iter()
        .chain(servers.iter().map(|server| server.id()))
        .collect();
    let each = |count: u64| count as f64 / operations as f64;
    servers.iter().for_each(|server| server.start_counting());
    let before = switches::count(&processes);
    allocations::start_counting();
    run();
    let own = allocations::stop_counting().count;
    let switches = switches::count(&processes).saturating_sub(before);
    let others: u64 = servers
        .iter()
        .map(|server| server.stop_counting().count)
        .sum();
    let counting = syscalls.then(|| syscalls::Counting::start(&processes));
    let syscalls = counting.flatten().and_then(|counting| {
        run();
        counting.stop()
    });
    Counts {
        allocations: each(own + others),
        switches: each(switches),
        syscalls: syscalls.map(each),
    }
}
