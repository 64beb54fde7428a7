//! How long it takes to be there: until a bus is open, and until the first reply.

use std::rc::Rc;

use tidings::Bus;

use super::socket::{SERVING_ROLE, first_reply, listen};
use crate::arguments::Measure;
use crate::harness::{Case, Group};
use crate::peer::Peer;
use crate::place::{Address, Place};
use crate::process::{self, Server};
use crate::report::Report;
use crate::runtimes::Driver;
use crate::setting::Wire;

pub(super) fn run(measure: &Measure, _: &'static [Peer], report: &mut Report) {
    let place = Rc::new(Place::new());
    let (hub_address, hub) = place.serve(Wire::Unix, SERVING_ROLE);
    let beside = Driver::tokio_beside();
    let (there, tokio) = (hub_address.clone(), beside.clone());
    let here = place.clone();
    Group::new("Start: until it is there, and gone again")
        .case(Case::new("memory: opened", |operations| {
            for _ in 0..operations {
                drop(Bus::open("mem:").expect(OPENS));
            }
        }))
        .case(Case::new(
            "memory: opened, served, first reply",
            |operations| {
                for _ in 0..operations {
                    let bus = Bus::open("mem:").expect(OPENS);
                    let server = bus.listen("double").on("number", |n: u64| n * 2).start();
                    let _server = server.expect(OPENS);
                    bus.call::<u64>("double.number", &7_u64)
                        .wait()
                        .expect(SERVED);
                }
            },
        ))
        .case(Case::new("Unix: a hub opened", move |operations| {
            for _ in 0..operations {
                drop(listen(&here.unused(Wire::Unix), &beside, ""));
            }
        }))
        .case(
            Case::new("Unix: connected to a hub, first reply", move |operations| {
                for _ in 0..operations {
                    first_reply(&there, &tokio);
                }
            })
            .with_servers([hub.clone()]),
        )
        .run(measure, report);
    let address = hub_address.clone();
    Group::new("Start: a process, until it has ended again")
        .case(processes("that does nothing", NOTHING, hub_address))
        .case(
            processes(
                "that connects to a hub and gets a reply",
                FIRST_REPLY,
                address,
            )
            .with_servers([hub]),
        )
        .run(measure, report);
}

fn processes(name: &str, role: &'static str, address: Address) -> Case {
    Case::new(name, move |operations| {
        for _ in 0..operations {
            drop(Server::start(role, &address));
        }
    })
}

const NOTHING: &str = "nothing";
const FIRST_REPLY: &str = "first-reply";

/// What these processes do before they say that they are there.
pub(super) fn role(name: &str) -> Option<fn(&Address)> {
    match name {
        NOTHING => Some(|_| process::idle()),
        FIRST_REPLY => Some(|address| {
            first_reply(address, &Driver::tokio());
            process::idle();
        }),
        _ => None,
    }
}

const OPENS: &str = "nothing stands in the way";
const SERVED: &str = "the server is there";
