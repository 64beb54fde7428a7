//! The hub goes a hundred times in one process: nothing is left of any of them.

mod common;

use std::sync::Arc;

use common::{Directory, open, until};
use tidings_core::connection::{Role, State};
use tidings_core::runtime::{self, Runtime};
use tidings_core::{Bus, Server};

fn role(bus: &Bus) -> Option<Role> {
    match bus.state() {
        State::Connected { role, .. } => Some(role),
        _ => None,
    }
}

/// A bus that serves under its own name.
fn crew(runtime: &Arc<dyn Runtime>, directory: &Directory, n: usize) -> (Bus, Server) {
    let bus = open(runtime, &directory.address(""));
    let server = bus.listen("work").name(format!("w{n}"));
    let server = server.on("ask", move |(): ()| n).start().unwrap();
    (bus, server)
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn a_hundred_takeovers(runtime: &Arc<dyn Runtime>, tasks: impl Fn() -> usize) {
    let directory = Directory::new();
    let mut crews: Vec<_> = (0..3).map(|n| crew(runtime, &directory, n)).collect();
    let mut usual = None;
    for round in 0..100 {
        // Each asks each, and all are there.
        for (bus, _) in &crews {
            for (_, server) in &crews {
                let ask = bus.request::<usize>("work.ask", &());
                let ask = ask.to(server.name()).wait_for_server();
                assert_eq!(format!("w{}", ask.wait().unwrap()), server.name());
            }
        }
        let count = |role_| crews.iter().filter(|(bus, _)| role(bus) == role_).count();
        assert_eq!((count(Some(Role::Hub)), count(Some(Role::Member))), (1, 2));
        // From the third on, the hub is one that took over.
        if round == 2 {
            usual = Some((descriptors(), tasks()));
        }
        if let Some((open, running)) = usual {
            // What has ended may still be on its way out.
            until("nothing is left of those that went", || {
                descriptors() <= open && tasks() <= running
            });
        }
        let hub = crews
            .iter()
            .position(|(bus, _)| role(bus) == Some(Role::Hub));
        let (bus, server) = crews.remove(hub.unwrap());
        if round % 2 == 0 {
            drop((server, bus));
        } else {
            bus.close();
        }
        until("one takes over, the other is back", || {
            let back = crews.iter().all(|(bus, _)| role(bus).is_some());
            back && crews.iter().any(|(bus, _)| role(bus) == Some(Role::Hub))
        });
        crews.push(crew(runtime, &directory, 3 + round));
        until("the new one is there", || {
            crews.iter().all(|(bus, _)| role(bus).is_some())
        });
    }
}

#[test]
fn on_tokio_no_descriptor_and_no_task_is_left() {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let runtime = runtime::tokio::handle(tokio.handle().clone());
    a_hundred_takeovers(&runtime, || tokio.metrics().num_alive_tasks());
}

#[test]
fn on_smol_no_descriptor_is_left() {
    a_hundred_takeovers(&runtime::smol::global(), || 0);
}
