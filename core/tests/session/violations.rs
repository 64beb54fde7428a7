//! Peers that break a rule: each row of FAULTS P ends the session with its own code, or is
//! answered, and nothing is given out that was not whole and right.

use std::time::Instant;

use tidings_core::session::{CloseCode, CloseReason, Event, Limits, Role, error_code, fate_code};

use crate::pair::{output, registration};
use crate::raw::*;

fn limits() -> Limits {
    Limits {
        max_message: 100_000,
        max_in_flight: 2,
        max_in_flight_bytes: 150_000,
        max_partial: 1,
        max_names: 1,
        ..Limits::default()
    }
}

fn expect(role: Role, rows: Vec<(&str, Vec<u8>, CloseCode)>) {
    for (what, bytes, code) in rows {
        let now = Instant::now();
        let mut session = open(role, limits(), now);
        session.receive(&bytes, now);
        expect_closed(&mut session, code, what, now);
    }
}

#[test]
fn bytes_that_no_encoder_makes_end_the_session() {
    use CloseCode::{FrameTooLarge, Malformed, ReservedFlags, UnexpectedFrame, UnknownFrame};
    let call = |body: &[u8]| frame(CALL, body);
    let long_headers = |n: usize, value: &[u8]| {
        let one = [counted(b"k"), counted(value)].concat();
        call(&extended(2, &one.repeat(n)))
    };
    let second_hello = frame(HELLO, &[1]);
    let bind = |offers: &[u8]| {
        let names: &[u8] = b"\x01\x01x\x01t\x01s";
        frame(BIND, &[names, offers].concat())
    };
    expect(
        Role::Hub,
        vec![
            ("P1 length above the limit", varint(65_537), FrameTooLarge),
            (
                "P2 length of 2^32 - 1",
                vec![0xff, 0xff, 0xff, 0xff, 0x0f],
                FrameTooLarge,
            ),
            ("P3 length 0", vec![0], Malformed),
            ("P3 shorter than its header", call(&[1]), Malformed),
            ("P3 bytes behind the end", frame(PING, &[1, 1]), Malformed),
            ("P4 truncated number", frame(PING, &[0x80]), Malformed),
            ("P4 number of 11 bytes", frame(PING, &[0xff; 11]), Malformed),
            (
                "P4 number longer than needed",
                frame(PING, &[0x81, 0]),
                Malformed,
            ),
            (
                "P4 length longer than needed",
                vec![0x82, 0, PING, 1],
                Malformed,
            ),
            (
                "P4 length of 6 bytes",
                vec![0x80, 0x80, 0x80, 0x80, 0x80, 1],
                Malformed,
            ),
            ("P5 kind 64", frame(64, &[]), UnknownFrame),
            ("P5 kind 127", frame(127, &[]), UnknownFrame),
            ("P5 kind 0", frame(0, &[]), UnknownFrame),
            ("P6 flag 64", call(&request(64, b"")), ReservedFlags),
            ("P6 flag 128", call(&request(128, b"")), ReservedFlags),
            ("P10 second hello", second_hello, UnexpectedFrame),
            (
                "P27 name of 256 bytes",
                call(&named(&[b'n'; 256], 0, b"")),
                Malformed,
            ),
            (
                "P27 name longer than its frame",
                call(&[1, 0, 0, 0xff, 0xff, 3]),
                Malformed,
            ),
            ("a list of no offers", bind(&[0]), Malformed),
            ("33 offers", bind(&offers(33)), Malformed),
            ("an offer cut short", bind(&[1, 0, 1, 0]), Malformed),
            (
                "an offer of version 65536.0",
                bind(&[1, 0, 0x80, 0x80, 4, 0, 0]),
                Malformed,
            ),
            (
                "an offer in no namespace",
                bind(b"\x01\x01*\x01\0\0"),
                Malformed,
            ),
            (
                "bytes behind the offers",
                bind(&[offers(1), vec![0]].concat()),
                Malformed,
            ),
            ("P27 65 headers", long_headers(65, b""), Malformed),
            (
                "P27 8 KiB of headers",
                long_headers(2, &[b'v'; 4096]),
                Malformed,
            ),
            (
                "P27 key of 256 bytes",
                call(&extended(2, &counted(&[b'k'; 256]))),
                Malformed,
            ),
            ("empty list of headers", call(&extended(2, b"")), Malformed),
            ("header not UTF-8", long_headers(1, &[0xff]), Malformed),
            (
                "header without value",
                call(&extended(2, &counted(b"k"))),
                Malformed,
            ),
            ("codec 0 said", call(&request(2, &[0])), Malformed),
            ("depth 0 said", call(&request(4, &[0])), Malformed),
            (
                "no extensions said",
                call(&request(EXTENSIONS, &[0])),
                Malformed,
            ),
            (
                "extensions out of order",
                call(&request(EXTENSIONS, &[2, 8, 0, 8, 0])),
                Malformed,
            ),
            ("key of 15 bytes", call(&extended(4, &[0; 15])), Malformed),
            ("key of 17 bytes", call(&extended(4, &[0; 17])), Malformed),
            (
                "a wait that says more",
                call(&extended(10, b"?")),
                Malformed,
            ),
            ("credit for nothing", frame(CREDIT, &[]), Malformed),
            ("two runs that are one", frame(CREDIT, &[0, 1]), Malformed),
            ("an empty run", frame(CREDIT, &[1, 0]), Malformed),
            (
                "registration without a server",
                frame(BIND, &[1, 1, b'x', 1, b't', 0]),
                Malformed,
            ),
        ],
    );
}

#[test]
fn names_hold_nothing_that_a_broker_could_misread() {
    let names: [&[u8]; 9] = [
        b"",
        b"nul\0",
        b"cr\r\nlf",
        b"star*",
        b"more>",
        b"two words",
        b"\xff\xfe",
        "\u{202e}rtl".as_bytes(),
        b"a/b",
    ];
    for name in names {
        let rows = vec![
            (
                "P28 topic",
                frame(CALL, &named(name, 0, b"")),
                CloseCode::Malformed,
            ),
            (
                "P28 topic of a registration",
                frame(
                    BIND,
                    &[vec![1, 1, b'x'], counted(name), vec![1, b's']].concat(),
                ),
                CloseCode::Malformed,
            ),
        ];
        expect(Role::Hub, rows);
    }
    for name in [&b"A-Z_a.z0-9"[..], &[b'n'; 255]] {
        let now = Instant::now();
        let mut session = open(Role::Hub, limits(), now);
        session.receive(&frame(CALL, &named(name, 0, b"")), now);
        assert!(matches!(events(&mut session)[..], [Event::Request { .. }]));
    }
}

#[test]
fn ids_that_mean_nothing_end_the_session() {
    use CloseCode::{
        CreditExceeded, DictionaryFull, DuplicateId, UnexpectedFrame, UnknownId, WrongDirection,
    };
    let call = |step: &[u8]| {
        let body = request(0, b"");
        frame(CALL, &[step, &body[1..]].concat())
    };
    let defined = |topic: &[u8]| {
        let mut body = named(topic, 0, b"");
        body[2] = 1;
        frame(CALL, &body)
    };
    let bind = frame(BIND, b"\x01\x01x\x01t\x01s");
    let go_away = frame(GO_AWAY, &[0, 0, 0]);
    expect(
        Role::Hub,
        vec![
            ("P13 the same id again", call(&[0]), DuplicateId),
            (
                "P14 an id that overflows",
                call(&varint(u64::MAX)),
                DuplicateId,
            ),
            ("a reply to nothing", frame(REPLY, &[2]), UnknownId),
            ("a reply to id 0", frame(REPLY, &[0]), UnknownId),
            ("a reply to a negative id", frame(REPLY, &[1]), UnknownId),
            (
                "a failure to nothing",
                frame(FAILURE, &[2, 1, 1, 0, 0]),
                UnknownId,
            ),
            ("an end to nothing", frame(ENDED, &[2]), UnknownId),
            ("a part of nothing", frame(CHUNK, &[3, 1]), UnknownId),
            (
                "a part of the other side's",
                frame(CHUNK, &[2, 1]),
                WrongDirection,
            ),
            (
                "a part of a reply to nothing",
                frame(REPLY_CHUNK, &[2, 1]),
                UnknownId,
            ),
            (
                "a part of the other's reply",
                frame(REPLY_CHUNK, &[3, 1]),
                WrongDirection,
            ),
            ("a cancel of nothing", frame(CANCEL, &[3]), UnknownId),
            (
                "a cancel of the other side's",
                frame(CANCEL, &[2]),
                WrongDirection,
            ),
            (
                "credit for nothing sent",
                frame(CREDIT, &[1, 1]),
                CreditExceeded,
            ),
            ("a name never told", frame(CALL, &[1, 0, 2]), UnknownId),
            (
                "too many names",
                [defined(b"a"), defined(b"b")].concat(),
                DictionaryFull,
            ),
            (
                "a registration twice",
                [bind.clone(), bind].concat(),
                DuplicateId,
            ),
            ("a withdrawal of nothing", frame(UNBIND, &[1]), UnknownId),
            (
                "P17 a hub's frame",
                frame(BIND_RESULT, &[1, 0, 0]),
                WrongDirection,
            ),
            ("a hub's word", frame(MISSED, &[1, 1]), WrongDirection),
            ("a hub's word", frame(RETIRED, &[1]), WrongDirection),
            ("the end of nothing", frame(RETIRE, &[1]), UnknownId),
            ("GoAway twice", go_away.repeat(2), UnexpectedFrame),
        ],
    );
    expect(
        Role::Member,
        vec![
            (
                "P17 a member's frame",
                frame(BIND, b"\x01\x01x\x01t\x01s"),
                WrongDirection,
            ),
            ("P17 a member's frame", frame(UNBIND, &[1]), WrongDirection),
            (
                "P17 no service",
                frame(CALL, b"\x01\x00\x01\x00\x01m\x00\x00"),
                WrongDirection,
            ),
            (
                "a word on nothing",
                frame(BIND_RESULT, &[1, 0, 0]),
                UnknownId,
            ),
            (
                "copies that nothing missed",
                frame(MISSED, &[1, 1]),
                UnknownId,
            ),
            ("a member's word", frame(RETIRE, &[1]), WrongDirection),
            ("the end of nothing", frame(RETIRED, &[1]), UnknownId),
        ],
    );
}

/// PR-BIND-6: nobody asked, and asked for twice it is told once.
#[test]
fn a_registration_retires_once_and_when_it_was_asked_to() {
    let now = Instant::now();
    for asks in [false, true] {
        let mut member = open(Role::Member, limits(), now);
        let id = member.bind(registration()).unwrap();
        assert!(!asks || member.retire(id));
        assert!(!asks || !member.retire(id), "once");
        output(&mut member, now);
        if asks {
            member.receive(&frame(RETIRED, &[1]), now);
            assert_eq!(events(&mut member), [Event::Retired { id }]);
        }
        member.receive(&frame(RETIRED, &[1]), now);
        expect_closed(&mut member, CloseCode::UnexpectedFrame, "unasked", now);
    }
    let mut hub = open(Role::Hub, limits(), now);
    hub.receive(&frame(BIND, b"\x01\x01x\x01t\x01s"), now);
    let bound = events(&mut hub);
    let Some(&Event::Bind { id, .. }) = bound.first() else {
        panic!("{bound:?}");
    };
    hub.bind_result(id, Ok(()));
    output(&mut hub, now);
    hub.receive(&frame(RETIRE, &[1]).repeat(2), now);
    assert_eq!(events(&mut hub), [Event::Retire { id }]);
    hub.retired(id);
    hub.retired(id);
    assert_eq!(output(&mut hub, now), frame(RETIRED, &[1]));
    hub.receive(&frame(RETIRE, &[1]), now);
    hub.receive(&frame(UNBIND, &[1]), now);
    hub.retired(id);
    assert_eq!(events(&mut hub), [Event::Unbind { id }]);
    assert!(!hub.has_output());
}

#[test]
fn words_on_missed_copies_are_whole_and_not_without_end() {
    let bound = || {
        let now = Instant::now();
        let mut member = open(Role::Member, limits(), now);
        member.bind(registration()).unwrap();
        output(&mut member, now);
        (member, now)
    };
    for (what, body) in [
        ("no copy", vec![1, 0]),
        ("bytes behind the end", vec![1, 1, 1]),
        ("no number", vec![1]),
    ] {
        let (mut member, now) = bound();
        member.receive(&frame(MISSED, &body), now);
        expect_closed(&mut member, CloseCode::Malformed, what, now);
    }
    let (mut member, now) = bound();
    let many = limits().idle_frames_per_second as usize + 1;
    member.receive(&frame(MISSED, &[1, 1]).repeat(many), now);
    assert_eq!(
        ended(&mut member).map(|closed| closed.reason),
        Some(CloseReason::Us(CloseCode::FrameFlood))
    );
}

#[test]
fn messages_in_parts_keep_to_what_they_said() {
    use CloseCode::{Malformed, MessageTooLarge, TooManyParts, UnknownId};
    let begin = |total: u64| frame(CALL, &request(PARTS, &[varint(total), vec![1, 2]].concat()));
    let empty_begin = frame(CALL, &request(PARTS, &varint(10)));
    expect(
        Role::Hub,
        vec![
            ("above the limit", begin(100_001), MessageTooLarge),
            ("a whole in one part", begin(2), Malformed),
            ("less than the first part", begin(1), Malformed),
            ("nothing in the first part", empty_begin, Malformed),
            (
                "more than was said",
                [begin(3), frame(CHUNK, &[3, 1, 2])].concat(),
                Malformed,
            ),
            (
                "an empty part",
                [begin(3), frame(CHUNK, &[3])].concat(),
                Malformed,
            ),
            (
                "a part too many",
                [begin(3), frame(CHUNK, &[3, 1]).repeat(2)].concat(),
                UnknownId,
            ),
            (
                "more at a time than allowed",
                begin(3).repeat(2),
                TooManyParts,
            ),
        ],
    );
    let now = Instant::now();
    let mut session = open(Role::Hub, limits(), now);
    session.receive(&[begin(3), frame(CHUNK, &[3, 9])].concat(), now);
    let [Event::Request { payload, .. }] = &events(&mut session)[..] else {
        panic!()
    };
    assert_eq!(*payload, vec![1, 2, 9].into());
}

#[test]
fn a_second_reply_is_ignored() {
    let now = Instant::now();
    let mut session = open(Role::Member, limits(), now);
    session.request(crate::pair::call(5, vec![]), now).unwrap();
    output(&mut session, now);
    session.receive(
        &[frame(REPLY, &[2, 1]), frame(REPLY, &[0, 2])].concat(),
        now,
    );
    assert_eq!(
        events(&mut session),
        [Event::Reply {
            token: 5,
            reply: Ok(vec![1].into())
        }]
    );
    session.receive(&frame(FAILURE, &[0, 1, 1, 0, 0]), now);
    session.receive(&frame(ENDED, &[0]), now);
    assert!(events(&mut session).is_empty() && session.is_open());
}

#[test]
fn a_second_answer_within_the_first_ends_the_session() {
    let now = Instant::now();
    for second in [frame(REPLY, &[0]), frame(REPLY_BEGIN, &[0, 5, 1])] {
        let mut session = open(Role::Member, limits(), now);
        session.request(crate::pair::call(5, vec![]), now).unwrap();
        output(&mut session, now);
        session.receive(&[frame(REPLY_BEGIN, &[2, 5, 1]), second].concat(), now);
        let [lost, closed] = &events(&mut session)[..] else {
            panic!()
        };
        assert_eq!(
            lost,
            &Event::Lost {
                token: 5,
                handed_over: true
            }
        );
        assert!(matches!(closed, Event::Closed(_)));
    }
}

#[test]
fn kinds_that_may_be_ignored_are() {
    let now = Instant::now();
    let mut session = open(Role::Hub, limits(), now);
    for kind in 0x80..=0xff {
        session.receive(&frame(kind, b"something new"), now);
    }
    assert!(events(&mut session).is_empty() && session.is_open());
}

#[test]
fn an_unknown_extension_is_skipped_and_a_critical_one_refuses_the_request() {
    let now = Instant::now();
    let mut session = open(Role::Hub, limits(), now);
    session.receive(&frame(CALL, &extended(100, b"?")), now);
    let [Event::Request { id, .. }] = events(&mut session)[..] else {
        panic!()
    };
    session.reply(id, Ok(vec![].into()));
    output(&mut session, now);
    session.receive(&frame(CALL, &extended(101, b"?")), now);
    assert!(events(&mut session).is_empty());
    let refusal = [
        2,
        error_code::UNSUPPORTED as u8,
        fate_code::NOT_EXECUTED,
        0,
        0,
    ];
    assert_eq!(output(&mut session, now), frame(FAILURE, &refusal));
}

#[test]
fn reserved_headers_are_dropped_when_they_come() {
    let now = Instant::now();
    let mut session = open(Role::Hub, limits(), now);
    let headers = [
        counted(b"bus.uid"),
        counted(b"0"),
        counted(b"k"),
        counted(b"v"),
    ]
    .concat();
    session.receive(&frame(CAST, &extended(2, &headers)), now);
    let [Event::Request { header, .. }] = &events(&mut session)[..] else {
        panic!()
    };
    let headers = &header.rare.as_ref().unwrap().headers;
    assert_eq!(*headers, [("k".to_owned(), "v".to_owned())]);
}
