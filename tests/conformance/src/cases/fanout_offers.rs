//! A message for every server of a topic, of which not every one serves its version or has its namespace (C-AD-4, C-VE-2).

use tidings_core::{Bus, CallErrorKind, Fate, Request, Server, ServerBuilder};

use crate::World;
use crate::stage::{Journal, eventually};

/// Who ran what was sent to all.
type Ran = Journal<&'static str>;

/// A server of the method `run`, which notes its server's name and gives it.
fn running(server: ServerBuilder, name: &'static str, ran: &Ran) -> Server {
    let ran = ran.clone();
    let run = move |_: u32| {
        ran.note(name);
        name
    };
    server.name(name).on("run", run).start().unwrap()
}

/// Servers of three versions, at different buses.
fn versions(world: &World, ran: &Ran) -> [Server; 3] {
    let third = world.another();
    let at = |bus: &Bus, version: &'static str| bus.listen("topic").version(version);
    [
        running(at(world.server(), "1.0"), "old", ran),
        running(at(world.client(), "1.2"), "new", ran),
        running(at(&third, "2.0"), "next", ran),
    ]
}

fn run(world: &World) -> Request<String> {
    world.client().request("topic.run", &1_u32)
}

/// Asks each server by its name, one after the other: what was sent to them before has been dealt with then.
fn settle(world: &World, servers: &[(&str, &str)], ran: &Ran) {
    for (server, version) in servers {
        run(world).to(server).version(*version).wait().unwrap();
    }
    eventually("all are asked", || ran.len() >= servers.len());
}

/// C-AD-4, C-VE-2: each server decides for its copy.
pub fn a_fanout_runs_where_its_version_is_served(world: &World) {
    let ran = Ran::new();
    let _servers = versions(world, &ran);
    let all = [("old", "1.0"), ("new", "1.0"), ("next", "2.0")];
    // What asks for no version asks for 1.0.
    for (version, expected) in [
        (None, &["new", "old"][..]),
        (Some("1.1"), &["new"]),
        (Some("2.0"), &["next"]),
    ] {
        let request = run(world);
        let request = match version {
            Some(version) => request.version(version),
            None => request,
        };
        request.fanout().cast().unwrap();
        settle(world, &all, &ran);
        let mut came: Vec<_> = ran.take();
        // Once for each was the asking.
        for (server, _) in all {
            let at = came.iter().rposition(|name| *name == server).unwrap();
            came.remove(at);
        }
        came.sort_unstable();
        assert_eq!(came, expected, "{version:?}");
    }
}

/// C-AD-4, C-VE-2: where nobody serves it, it runs nowhere; who sees the servers is told why.
pub fn a_fanout_whose_version_nobody_serves_runs_nowhere(world: &World) {
    let ran = Ran::new();
    let _servers = versions(world, &ran);
    if let Err(error) = run(world).version("1.3").fanout().cast() {
        let is_version = matches!(error.kind(), CallErrorKind::UnsupportedVersion { .. });
        assert!(is_version, "{error}");
        assert_eq!(error.fate(), Fate::NotExecuted);
    }
    settle(
        world,
        &[("old", "1.0"), ("new", "1.0"), ("next", "2.0")],
        &ran,
    );
    assert_eq!(ran.take(), ["old", "new", "next"]);
}

/// C-AD-4, C-VE-2: a gather hears of every server, also of those that are not for it.
pub fn a_gather_tells_who_does_not_serve_its_version(world: &World) {
    let ran = Ran::new();
    let _servers = versions(world, &ran);
    let gather = run(world).version("1.1").fanout().gather();
    let mut told: Vec<_> = gather.wait().unwrap().into_iter().collect();
    told.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
    let names: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["new", "next", "old"]);
    for (name, outcome) in &told {
        match (name.as_str(), outcome) {
            ("new", Ok(ran)) => assert_eq!(ran, "new"),
            ("old" | "next", Err(error)) => {
                let CallErrorKind::UnsupportedVersion { offered, .. } = error.kind() else {
                    panic!("{name}: {error}");
                };
                let own = if name.as_str() == "old" { "1.0" } else { "2.0" };
                assert!(offered.contains(own), "{name} offers {offered}");
                assert_eq!(error.fate(), Fate::NotExecuted);
            }
            (name, outcome) => panic!("{name}: {outcome:?}"),
        }
    }
    assert_eq!(ran.take(), ["new"]);
}

/// C-AD-4, C-VE-2
pub fn a_fanout_in_a_namespace_runs_where_that_is(world: &World) {
    let ran = Ran::new();
    let third = world.another();
    let _plain = running(world.server().listen("topic"), "plain", &ran);
    let admin = world.client().listen("topic").namespace("admin");
    let _admin = running(admin, "admin", &ran);
    let both = third.listen("topic").namespace("admin").alias_none();
    let _both = running(both, "both", &ran);
    let answers = |request: Request<String>| {
        let mut fine = Vec::new();
        for (name, outcome) in request.fanout().gather().wait().unwrap() {
            match outcome {
                Ok(ran) => fine.push(ran),
                Err(error) => {
                    let kind = error.kind();
                    let is_namespace = matches!(kind, CallErrorKind::NoSuchNamespace { .. });
                    assert!(is_namespace, "{name}: {error}");
                    assert_eq!(error.fate(), Fate::NotExecuted);
                }
            }
        }
        fine.sort_unstable();
        fine
    };
    assert_eq!(answers(run(world).namespace("admin")), ["admin", "both"]);
    assert_eq!(answers(run(world)), ["both", "plain"]);
    ran.take();
    run(world).namespace("admin").fanout().cast().unwrap();
    eventually("both have run it", || ran.len() == 2);
    run(world).to("plain").wait().unwrap();
    let mut came = ran.take();
    came.sort_unstable();
    assert_eq!(came, ["admin", "both", "plain"]);
}
