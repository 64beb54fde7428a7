//! A conversation that an earlier build had: this one must read every byte of it (D7).
//!
//! `recorded/1.txt` has what the member (`>`) and the hub (`<`) wrote, in hexadecimal, `x*n` for a byte that comes `n`
//! times. Where this build does not read it any more, it cannot speak with those that are out there: that needs another
//! version of the protocol. Where it only *writes* something else, and builds before it read that too, add another
//! record with what [`the_same_conversation_is_written_in_the_same_bytes`] prints, and keep this one.

use std::fmt::Write;
use std::time::Duration;

use tidings_core::session::{
    Caller, CloseCode, Destination, Event, IdempotencyKey, Limits, Request, WireError, error_code,
    fate_code,
};

use crate::pair::{Pair, call, cast, header, name, output, registration, requests};

const RECORD: &str = include_str!("recorded/1.txt");
/// More than the frames of this conversation have.
const LARGE: usize = 20_000;

#[test]
fn a_conversation_of_an_earlier_build_is_read_as_it_was_meant() {
    let recorded = Conversation::hold(Some(RECORD));
    let ours = Conversation::hold(None);
    assert_eq!(recorded.at_hub, ours.at_hub);
    assert_eq!(recorded.at_member, ours.at_member);
    // What was meant, beside what this build means by it.
    let payloads: Vec<(u64, Vec<u8>)> = recorded.payloads.clone();
    let large = vec![b'x'; LARGE];
    let expected = [
        (1, b"question".to_vec()),
        (2, b"news".to_vec()),
        (3, large),
        (5, b"back".to_vec()),
        (4, b"given up".to_vec()),
    ];
    assert_eq!(payloads, expected);
}

#[test]
fn the_same_conversation_is_written_in_the_same_bytes() {
    let ours = Conversation::hold(None).written;
    let theirs: Vec<&str> = RECORD.lines().collect();
    let ours: Vec<&str> = ours.lines().collect();
    // The first of each side is its greeting, with the name of the program.
    let differ = (2..theirs.len().max(ours.len())).find(|n| ours.get(*n) != theirs.get(*n));
    assert_eq!(differ, None, "from this line on:\n{}", ours.join("\n"));
}

/// What both have heard, and written.
struct Conversation<'a> {
    pair: Pair,
    /// What each is to hear, instead of what the other one writes.
    record: Option<std::str::Lines<'a>>,
    written: String,
    at_hub: Vec<Event>,
    at_member: Vec<Event>,
    payloads: Vec<(u64, Vec<u8>)>,
}

impl<'a> Conversation<'a> {
    /// A bit of everything.
    fn hold(record: Option<&'a str>) -> Self {
        let limits = || Limits {
            max_frame: 16 * 1024,
            ..Limits::default()
        };
        let mut this = Conversation {
            pair: Pair::with(limits(), limits()),
            record: record.map(str::lines),
            written: String::new(),
            at_hub: Vec::new(),
            at_member: Vec::new(),
            payloads: Vec::new(),
        };
        let now = this.pair.now;
        let bound = this.pair.member.bind(registration()).unwrap();
        this.settle();
        this.pair.hub.bind_result(bound, Ok(()));
        this.settle();

        for request in [full(1), cast(2, b"news".to_vec()), large(3)] {
            this.pair.member.request(request, now).unwrap();
        }
        this.settle();
        let [question, news, large] = this.at_the_hub([1, 2, 3]);
        this.pair.hub.reply(question, Ok(b"answer".to_vec().into()));
        this.pair.hub.release(news);
        this.pair.hub.reply(large, Ok(vec![b'y'; LARGE].into()));
        this.settle();

        let mut back = call(5, b"back".to_vec());
        back.header = header(Destination::Bound(bound));
        this.pair.hub.request(back, now).unwrap();
        this.settle();
        let [(back, payload)] = requests(&mut this.pair.member_events).try_into().unwrap();
        this.payloads.push((5, payload));
        this.pair.member.reply(back, Err(failure()));
        this.settle();

        let given_up = call(4, b"given up".to_vec());
        let given_up = this.pair.member.request(given_up, now).unwrap();
        this.settle();
        let [running] = this.at_the_hub([4]);
        this.pair.member.cancel(given_up);
        this.settle();
        this.pair.hub.release(running);
        this.settle();

        this.pair.pass(Duration::from_secs(16)); // Both ask whether the other lives.
        this.settle();
        this.pair.member.unbind(bound);
        this.pair.hub.go_away(CloseCode::Normal, "that was it");
        this.settle();
        this.pair.member.close(CloseCode::Normal, "bye");
        this.settle();
        this
    }

    /// Carries what both have to say, each its turn, until both are silent.
    fn settle(&mut self) {
        loop {
            let now = self.pair.now;
            let there = output(&mut self.pair.member, now);
            let there = self.heard('>', there);
            self.pair.hub.receive(&there, now);
            let back = output(&mut self.pair.hub, now);
            let back = self.heard('<', back);
            self.pair.member.receive(&back, now);
            let (hub, member) = (&mut self.pair.hub, &mut self.pair.member);
            let hub_events: Vec<Event> = std::iter::from_fn(|| hub.poll_event()).collect();
            let member_events: Vec<Event> = std::iter::from_fn(|| member.poll_event()).collect();
            self.at_hub.extend(hub_events.iter().cloned());
            self.at_member.extend(member_events.iter().cloned());
            self.pair.hub_events.extend(hub_events);
            self.pair.member_events.extend(member_events);
            if there.is_empty() && back.is_empty() {
                return;
            }
        }
    }

    /// What the other side hears of `written`: that, or what is in the record.
    fn heard(&mut self, direction: char, written: Vec<u8>) -> Vec<u8> {
        writeln!(self.written, "{direction}{}", in_hexadecimal(&written)).unwrap();
        let Some(record) = &mut self.record else {
            return written;
        };
        let line = record.next().expect("the record ends before this");
        let rest = line.strip_prefix(direction);
        of_hexadecimal(rest.expect("it is the other one's turn"))
    }

    fn at_the_hub<const N: usize>(
        &mut self,
        tokens: [u64; N],
    ) -> [tidings_core::session::IncomingId; N] {
        let came: [_; N] = self.pair.at_hub().try_into().unwrap();
        let mut tokens = tokens.into_iter();
        came.map(|(id, payload)| {
            self.payloads
                .extend(tokens.next().map(|token| (token, payload)));
            id
        })
    }
}

/// With all that a header can have.
fn full(token: u64) -> Request {
    let mut full = call(token, b"question".to_vec());
    full.header.codec = 1;
    full.header.depth = 3;
    full.header.wait_for_server = true;
    full.header.rare_mut().idempotency_key = Some(IdempotencyKey([9; 16]));
    full.header.rare_mut().heartbeat = Some(Duration::from_millis(250));
    full.header.rare_mut().headers = vec![("trace-id".into(), "ü".into())];
    let caller = Caller {
        transport: name("unix"),
        uid: Some(0),
        gid: Some(1000),
        pid: Some(4_000_000),
        name: Some(name("ada")),
    };
    full.header.caller = Some(caller.into());
    full
}

fn large(token: u64) -> Request {
    call(token, vec![b'x'; LARGE])
}

fn failure() -> WireError {
    WireError {
        code: error_code::APPLICATION,
        fate: fate_code::EXECUTED,
        kind: "NoSuchOrder".into(),
        message: "there is no order 7".into(),
        details: vec![7].into(),
    }
}

fn in_hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::new();
    for run in bytes.chunk_by(|one, other| one == other) {
        match run {
            [first, ..] if run.len() > 4 => write!(text, " {first:02x}*{}", run.len()).unwrap(),
            _ => run
                .iter()
                .for_each(|byte| write!(text, " {byte:02x}").unwrap()),
        }
    }
    text
}

fn of_hexadecimal(text: &str) -> Vec<u8> {
    let run = |word: &str| {
        let (byte, times) = word.split_once('*').unwrap_or((word, "1"));
        vec![u8::from_str_radix(byte, 16).unwrap(); times.parse().unwrap()]
    };
    text.split_whitespace().flat_map(run).collect()
}
