//! The hub goes, and the bus goes on: one of the others takes the address over, the rest come back to it.
//!
//! Here the buses are in one process, so that the example runs by itself; between processes nothing changes, and the
//! hub may as well be killed.

use std::error::Error;
use std::time::Instant;

use tidings::connection::{Event, Events, Role, State};
use tidings::{Bus, Server};

/// One of the processes: it serves under its own name, and calls.
struct Node {
    bus: Bus,
    server: Server,
    events: Events,
}

impl Node {
    fn start(address: &str, name: &'static str) -> Result<Node, Box<dyn Error>> {
        let bus = Bus::open(address)?;
        let server = bus.listen("who").name(name);
        let server = server.on("are_you", move |(): ()| name.to_owned());
        let mut events = bus.events();
        events.next(); // It is connected, or the hub.
        Ok(Node {
            server: server.start()?,
            events,
            bus,
        })
    }

    fn is_hub(&self) -> bool {
        let hub = Role::Hub;
        matches!(self.bus.state(), State::Connected { role, .. } if role == hub)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let address = format!("unix:{}", directory.path().join("bus").display());
    let names = ["ada", "bob", "eve", "joe"];
    let mut nodes: Vec<Node> = names
        .iter()
        .map(|name| Node::start(&address, name))
        .collect::<Result<_, _>>()?;

    while nodes.len() > 1 {
        let hub = nodes.iter().position(Node::is_hub).expect("there is one");
        let gone = nodes.remove(hub);
        let start = Instant::now();
        println!("{} goes", gone.server.name());
        drop(gone);

        // Each loses its connection, is connected again or becomes the hub, and has its servers registered again.
        for node in &mut nodes {
            for event in node.events.by_ref() {
                println!("  {}: {event:?}", node.server.name());
                if let Event::ServersRestored { .. } = event {
                    break;
                }
            }
        }
        println!("  all are back after {:.1?}", start.elapsed());
        assert_eq!(nodes.iter().filter(|node| node.is_hub()).count(), 1);

        // The handles are the same as before.
        for node in &nodes {
            for other in &nodes {
                let ask = node.bus.request::<String>("who.are_you", &());
                let answer = ask.to(other.server.name()).wait()?;
                assert_eq!(answer, other.server.name());
            }
        }
    }
    Ok(())
}
