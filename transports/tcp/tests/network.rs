//! Two hosts and a network between them that fails: two network namespaces and a pair of virtual cards. Packets vanish
//! without a word where the other card's address is told wrong. Where such namespaces cannot be made, the tests say
//! `SKIP`.

mod common;

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use common::process::{Process, end_with_the_test, say};
use common::{open, pings, serve_ping, try_open, until};
use tidings_core::runtime::Runtime;
use tidings_core::{Bus, CallErrorKind, Fate, OpenError, Promise, Server};

const HERE: &str = "10.213.7.1";
const THERE: &str = "10.213.7.2";
const CARD_HERE: &str = "02:00:00:00:07:01";
const CARD_THERE: &str = "02:00:00:00:07:02";
/// A card that nobody has: what is sent to it, nobody takes.
const NOBODY: &str = "02:00:00:00:07:99";

/// Runs the test `inside` of this program on a host of its own.
fn on_a_host_of_its_own(inside: &str) {
    let can = |command: &str| {
        let mut command = unshare(command);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    // What each test begins with.
    if !can("ip link add card type veth peer name other && ip link set card up") {
        println!("SKIP {inside}: no right to make network namespaces, or no `ip`");
        return;
    }
    let program = std::env::current_exe().unwrap();
    let program = program.display();
    let run = format!("exec '{program}' --exact {inside} --ignored --nocapture");
    let status = unshare(&run)
        .env("TIDINGS_TEST_HOST", "here")
        .status()
        .unwrap();
    assert!(status.success(), "{inside}: {status}");
}

/// A shell command in a network namespace of its own, with all rights there.
fn unshare(command: &str) -> Command {
    let mut unshare = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        unshare.arg("--map-root-user");
    }
    unshare.args(["--net", "sh", "-c", command]);
    unshare
}

fn sh(command: &str) {
    let status = Command::new("sh").args(["-ec", command]).status().unwrap();
    assert!(status.success(), "{command}: {status}");
}

/// The network, and the process with the hub at its other end.
struct Network {
    hub: Process,
    /// Of the hub's process.
    pid: String,
    address: String,
}

impl Network {
    /// With a hub of these `options` there; `None` where this is not the process that is to run the test.
    fn laid(options: &str) -> Option<Network> {
        if std::env::var("TIDINGS_TEST_HOST").as_deref() != Ok("here") {
            return None;
        }
        let address = format!("tcp:{THERE}:4000");
        let mut there = Command::new("unshare");
        there.arg("--net").arg(std::env::current_exe().unwrap());
        there.args(["--exact", "as_the_other_host", "--ignored", "--nocapture"]);
        there.env("TIDINGS_TEST_HOST", "there");
        there.env(
            "TIDINGS_TEST_ADDRESS",
            format!("{address}?listen&allow_plaintext&allow_anyone&{options}"),
        );
        let (hub, pid) = Process::launch("the other host", &mut there);
        let network = Network { hub, pid, address };
        sh(&format!(
            "ip link add card address {CARD_HERE} type veth peer name card address {CARD_THERE} netns {}",
            network.pid
        ));
        sh(&format!(
            "ip link set lo up; ip addr add {HERE}/24 dev card; ip link set card up"
        ));
        network.there(&format!(
            "ip link set lo up; ip addr add {THERE}/24 dev card; ip link set card up"
        ));
        network.passes(true, true);
        network.hub.wait_for("serving");
        Some(network)
    }

    fn there(&self, command: &str) {
        sh(&format!(
            "nsenter --target {} --net sh -ec '{command}'",
            self.pid
        ));
    }

    /// Whether what is sent arrives, to the hub and from it.
    fn passes(&self, to_there: bool, to_here: bool) {
        let card = |passes: bool, card: &'static str| if passes { card } else { NOBODY };
        let neighbour =
            |ip, card| format!("ip neigh replace {ip} lladdr {card} dev card nud permanent");
        sh(&neighbour(THERE, card(to_there, CARD_THERE)));
        self.there(&neighbour(HERE, card(to_here, CARD_HERE)));
    }

    fn member(&self, runtime: &Arc<dyn Runtime>, options: &str) -> Bus {
        open(runtime, &format!("{}?{options}", self.address))
    }
}

/// Not a test: the hub.
#[test]
#[ignore = "started by the other tests"]
fn as_the_other_host() {
    if std::env::var("TIDINGS_TEST_HOST").as_deref() != Ok("there") {
        return;
    }
    end_with_the_test();
    say(&format!("ready {}", std::process::id()));
    let tokio = tokio::runtime::Runtime::new().unwrap();
    let runtime = tidings_core::runtime::tokio::handle(tokio.handle().clone());
    let address = std::env::var("TIDINGS_TEST_ADDRESS").unwrap();
    let mut opened = None;
    until("this host has its address", || {
        match try_open(&runtime, &address) {
            Ok(bus) => opened.insert(bus).in_flight() == 0,
            Err(OpenError::Bind { .. }) => false,
            Err(error) => panic!("{error}"),
        }
    });
    let bus = opened.unwrap();
    let _servers = (serve_ping(&bus), serve_slow(&bus), serve_notes(&bus));
    say("serving");
    loop {
        thread::park();
    }
}

/// Says a word when it is dropped.
struct Says(&'static str);

impl Drop for Says {
    fn drop(&mut self) {
        say(self.0);
    }
}

fn serve_slow(bus: &Bus) -> Server {
    let wait = |()| async {
        drop(Says("begun"));
        let _ended = Says("ended");
        std::future::pending::<()>().await;
    };
    bus.listen("slow").on_async("wait", wait).start().unwrap()
}

/// Takes numbers, and tells which of a caller it has taken, in its order.
fn serve_notes(bus: &Bus) -> Server {
    let notes = Arc::new(std::sync::Mutex::new(Vec::<(String, u32)>::new()));
    let taken = notes.clone();
    let take = move |note: (String, u32)| notes.lock().unwrap().push(note);
    let all = move |of: String| {
        let taken = taken.lock().unwrap();
        let his = taken.iter().filter(|(whose, _)| *whose == of);
        his.map(|(_, n)| *n).collect::<Vec<u32>>()
    };
    let server = bus.listen("notes").serial().on("take", take).on("all", all);
    server.start().unwrap()
}

fn notes(member: &Bus, of: &str) -> Vec<u32> {
    member.call("notes.all", &of).wait().unwrap()
}

/// T5
#[test]
fn a_host_that_vanishes_while_nothing_is_said_is_noticed_on_both_sides() {
    on_a_host_of_its_own("inside::silence");
}

/// T6
#[test]
fn a_host_that_vanishes_with_data_on_the_way_is_noticed_sooner() {
    on_a_host_of_its_own("inside::unacknowledged");
}

/// T7
#[test]
fn a_partition_of_two_seconds_heals_without_an_error() {
    on_a_host_of_its_own("inside::partition");
}

/// T8
#[test]
fn a_network_that_carries_one_way_only_is_noticed_and_the_effects_stay() {
    on_a_host_of_its_own("inside::one_way");
}

/// T28
#[test]
fn lost_packets_cost_time_and_nothing_else() {
    on_a_host_of_its_own("inside::loss");
}

/// T27
#[test]
fn on_a_slow_network_small_calls_do_not_wait_for_large_ones() {
    on_a_host_of_its_own("inside::slow");
}

/// TCP segments that this host has sent again.
fn retransmitted() -> u64 {
    let snmp = std::fs::read_to_string("/proc/net/snmp").unwrap();
    let mut lines = snmp.lines().filter(|line| line.starts_with("Tcp: "));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let mut both = names.split(' ').zip(values.split(' '));
    let (_, value) = both.find(|(name, _)| *name == "RetransSegs").unwrap();
    value.parse().unwrap()
}

/// The tests, on the host that they have made.
mod inside {
    use super::*;

    /// What makes a host lose one packet in twenty of those that it sends or that come to it, by what the kernel and the
    /// system have.
    const LOSES: &str = "tc qdisc add dev card root netem loss 5% 2> /dev/null \
        || (nft add table ip lossy && nft add chain ip lossy in \"{ type filter hook input priority 0; }\" \
            && nft add rule ip lossy in numgen random mod 100 \\< 5 drop) 2> /dev/null \
        || iptables -A INPUT -m statistic --mode random --probability 0.05 -j DROP 2> /dev/null";

    #[test]
    #[ignore = "started by the other tests"]
    fn loss() {
        const NOTES: u32 = 300;
        const ROUNDS: u32 = 5;
        let Some(mut network) = Network::laid("") else {
            return;
        };
        with_members(&mut network, "", |network, members| {
            // Some packets each.
            let whose = |n: usize| format!("{n}{}", "x".repeat(10_000));
            let send_all = |from: u32| {
                let begin = Instant::now();
                let mut promises: Vec<Promise<()>> = Vec::new();
                for n in from..from + NOTES {
                    for (whose, member) in (0..).map(whose).zip(members) {
                        promises.push(member.invoke("notes.take", &(whose, n)));
                    }
                }
                promises.into_iter().for_each(|taken| taken.wait().unwrap());
                begin.elapsed()
            };
            let usual = send_all(0);
            if !can(LOSES) {
                println!(
                    "SKIP inside::loss: neither `netem`, nor `nft` or `iptables` to lose packets by"
                );
                return;
            }
            network.there(LOSES);
            let before = retransmitted();
            let lossy: Duration = (1..=ROUNDS).map(|round| send_all(round * NOTES)).sum();
            let again = retransmitted() - before;
            println!(
                "{usual:.1?} without loss, {:.1?} with it, {again} segments sent again",
                lossy / ROUNDS
            );
            assert!(again >= 10, "{again}: nothing was lost");
            for (whose, member) in (0..).map(whose).zip(members) {
                assert!(
                    notes(member, &whose)
                        .into_iter()
                        .eq(0..(1 + ROUNDS) * NOTES)
                );
                assert_eq!(member.in_flight(), 0);
            }
        });
    }

    /// Whether the command ends well.
    fn can(command: &str) -> bool {
        let status = Command::new("sh").args(["-ec", command]).status();
        status.unwrap().success()
    }

    #[test]
    #[ignore = "started by the other tests"]
    fn slow() {
        let Some(mut network) = Network::laid("") else {
            return;
        };
        with_members(&mut network, "", |_, members| {
            // As little as can be waits in the card's own queue.
            if !can("tc qdisc add dev card root tbf rate 4mbit burst 4kb limit 8kb 2> /dev/null") {
                println!("SKIP inside::slow: no `tbf` to make a network slow by");
                return;
            }
            for member in members {
                let (whose, begin) = ("x".repeat(3_000_000), Instant::now());
                let large: Promise<()> = member.invoke("notes.take", &(whose, 1_u32));
                let mut small = Vec::new();
                while !large.is_ready() {
                    let begin = Instant::now();
                    assert!(pings(member));
                    small.push(begin.elapsed());
                }
                large.wait().unwrap();
                let (took, most) = (begin.elapsed(), small.iter().max().unwrap());
                println!(
                    "a large one took {took:.1?}, {} small ones {most:.1?} at most",
                    small.len()
                );
                assert!(took > Duration::from_secs(5), "{took:?}: it is not slow");
                // A frame takes an eighth of a second, and what the kernel has taken of the large one up to half of one.
                assert!(*most < took / 4, "{small:.1?} beside {took:.1?}");
            }
        });
    }

    fn wait_there(network: &mut Network, word: &str, times: usize) {
        for _ in 0..times {
            network.hub.wait_for(word);
        }
    }

    fn within(began: Instant, seconds: std::ops::Range<f32>) {
        let took = began.elapsed().as_secs_f32();
        assert!(seconds.contains(&took), "{took} s");
    }

    #[test]
    #[ignore = "started by the other tests"]
    fn silence() {
        let Some(mut network) = Network::laid("dead_after=4") else {
            return;
        };
        with_members(&mut network, "dead_after=4", |network, members| {
            let waiting: Vec<Promise<()>> = members
                .iter()
                .map(|member| member.invoke("slow.wait", &()))
                .collect();
            wait_there(network, "begun", members.len());
            network.passes(false, false);
            let cut = Instant::now();
            for promise in waiting {
                let error = promise.wait().unwrap_err();
                let lost = matches!(error.kind(), CallErrorKind::ConnectionLost(_));
                assert!(lost && error.fate() == Fate::Unknown, "{error}");
                within(cut, 1.5..9.0);
            }
            wait_there(network, "ended", members.len());
            // Connecting again gets no answer either: nobody is kept waiting for that.
            for member in members {
                let asked = Instant::now();
                let error = member.call::<u32>("ping.ping", &1_u32).wait().unwrap_err();
                assert_eq!(error.fate(), Fate::NotSent, "{error}");
                // By the session's ping or by the kernel's probe, whichever is first.
                let silent = ["nothing was heard", "timed out"];
                let told = error.to_string();
                assert!(silent.iter().any(|text| told.contains(text)), "{error}");
                within(asked, 0.0..3.0);
            }
            network.passes(true, true);
            until("they are back", || members.iter().all(pings));
        });
    }

    #[test]
    #[ignore = "started by the other tests"]
    fn unacknowledged() {
        let Some(mut network) = Network::laid("dead_after=9") else {
            return;
        };
        with_members(&mut network, "dead_after=9", |network, members| {
            network.passes(false, false);
            let cut = Instant::now();
            let calls: Vec<Promise<u32>> = members
                .iter()
                .map(|member| member.invoke("ping.ping", &1_u32))
                .collect();
            for call in calls {
                let error = call.wait().unwrap_err();
                let lost = matches!(error.kind(), CallErrorKind::ConnectionLost(_));
                assert!(lost && error.fate() == Fate::Unknown, "{error}");
                // The kernel after 6 s; the session would take 9.
                within(cut, 4.0..8.7);
            }
            for member in members {
                let error = member.call::<u32>("ping.ping", &1_u32).wait().unwrap_err();
                assert!(error.to_string().contains("timed out"), "{error}");
            }
        });
    }

    #[test]
    #[ignore = "started by the other tests"]
    fn partition() {
        let Some(mut network) = Network::laid("dead_after=30") else {
            return;
        };
        with_members(&mut network, "dead_after=30", |network, members| {
            let send = |member: &Bus, whose: usize, range: std::ops::Range<u32>| {
                let whose = whose.to_string();
                let take = |n| member.invoke("notes.take", &(&whose, n));
                range.map(take).collect::<Vec<Promise<()>>>()
            };
            let mut promises = Vec::new();
            for (whose, member) in members.iter().enumerate() {
                promises.extend(send(member, whose, 0..100));
            }
            network.passes(false, false);
            for (whose, member) in members.iter().enumerate() {
                promises.extend(send(member, whose, 100..200));
            }
            thread::sleep(Duration::from_secs(2)); // The fault itself, not a state that is waited for.
            network.passes(true, true);
            for promise in promises {
                promise.wait().unwrap();
            }
            for (whose, member) in members.iter().enumerate() {
                assert!(notes(member, &whose.to_string()).into_iter().eq(0..200));
            }
        });
    }

    #[test]
    #[ignore = "started by the other tests"]
    fn one_way() {
        let Some(mut network) = Network::laid("dead_after=4") else {
            return;
        };
        with_members(&mut network, "dead_after=4", |network, members| {
            let _waiting: Vec<Promise<()>> = members
                .iter()
                .map(|member| member.invoke("slow.wait", &()))
                .collect();
            wait_there(network, "begun", members.len());
            network.passes(true, false);
            let calls: Vec<Promise<()>> = (0..)
                .zip(members)
                .map(|(n, member): (u32, _)| {
                    let take = member.request("notes.take", &("it", n));
                    take.timeout(Duration::from_secs(1)).invoke()
                })
                .collect();
            for call in calls {
                let error = call.wait().unwrap_err();
                let late = matches!(error.kind(), CallErrorKind::DeadlineExceeded { .. });
                assert!(late && error.fate() == Fate::Unknown, "{error}");
            }
            // The hub, whose answers nobody acknowledges, gives them up.
            wait_there(network, "ended", members.len());
            network.passes(true, true);
            until("they are back", || members.iter().all(pings));
            let mut all = notes(&members[0], "it");
            all.sort_unstable();
            assert!(all.into_iter().eq(0..members.len() as u32));
        });
    }

    /// With one member on each runtime, which have all found the hub.
    fn with_members(network: &mut Network, options: &str, test: impl FnOnce(&mut Network, &[Bus])) {
        common::with_runtimes(|runtimes| {
            let open = |runtime| network.member(runtime, options);
            let members: Vec<Bus> = runtimes.iter().map(open).collect();
            assert!(members.iter().all(pings));
            test(network, &members);
        });
    }
}
