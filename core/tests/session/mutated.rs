//! The fuzz targets' functions on streams that were right once: a smoke test of what the fuzzer
//! does for long.

use tidings_core::session::{Role, fuzzing};

use crate::random::Random;
use crate::raw::*;

/// Frames of every kind, most of them right at one moment or another.
fn frames() -> Vec<Vec<u8>> {
    let parts = [varint(40), vec![7; 20]].concat();
    let begin = [varint(2), varint(40), vec![7; 20]].concat();
    // So large that there is room to read their parts to.
    let large = [varint(30_000), vec![7; 20]].concat();
    let begin_large = [&varint(2)[..], &large].concat();
    let in_parts = |begin, kind| [begin, frame(kind, &[3; 200]), frame(kind, &[3; 100])].concat();
    vec![
        frame(CALL, &request(0, b"hello")),
        frame(CAST, &request(0, b"hello")),
        frame(CALL, &request(PARTS, &parts)),
        in_parts(frame(CALL, &request(PARTS, &large)), CHUNK),
        frame(CALL, &[1, 0, 1, 0, 1, b'm', 0, 0, 5]),
        frame(CAST, &extended(2, &[counted(b"k"), counted(b"v")].concat())),
        frame(CHUNK, &[3, 1, 2, 3]),
        frame(CHUNK, &[&[2][..], &[1; 20]].concat()),
        frame(REPLY, &[2, 1]),
        frame(REPLY, &[1, 1]),
        frame(FAILURE, &[2, 1, 1, 0, 0]),
        frame(REPLY_BEGIN, &begin),
        in_parts(frame(REPLY_BEGIN, &begin_large), REPLY_CHUNK),
        frame(REPLY_CHUNK, &[&[3][..], &[1; 20]].concat()),
        frame(ENDED, &[2]),
        frame(CANCEL, &[3]),
        frame(CANCEL, &[2]),
        frame(CREDIT, &[1, 10]),
        frame(PING, &[1]),
        frame(PONG, &[1]),
        frame(GO_AWAY, &[1, 0, 0]),
        frame(BIND, b"\x02\x01x\x01t\x01s"),
        frame(UNBIND, &[2]),
        frame(BIND_RESULT, &[1, 0, 0]),
        frame(AUTH, &[&counted(b"t")[..], &[7; 32]].concat()),
        frame(AUTH_RESULT, &[7; 32]),
        frame(0x90, b"ignore me"),
        frame(CLOSE, &[0, 0]),
    ]
}

#[test]
fn no_mixture_of_frames_and_no_broken_byte_breaks_a_session() {
    let frames = frames();
    for seed in 0..20_000 {
        let mut random = Random::new(seed);
        let mut bytes = vec![random.below(256) as u8 | 1];
        for _ in 0..random.below(12) {
            bytes.extend(&frames[random.below(frames.len())]);
        }
        for _ in 0..random.below(3) {
            let position = random.below(bytes.len());
            bytes[position] = random.below(256) as u8;
        }
        let role = if seed % 2 == 0 {
            Role::Hub
        } else {
            Role::Member
        };
        let driven = std::panic::catch_unwind(|| fuzzing::drive(role, &bytes));
        assert!(driven.is_ok(), "seed {seed}, {role:?}: {bytes:?}");
    }
}

#[test]
fn what_a_head_says_is_written_as_it_was_read() {
    let heads: Vec<Vec<u8>> = vec![
        request(0, b""),
        request(1 | 2 | 4 | 8, &[0x90, 0x4e, 7, 3]),
        extended(2, &[counted(b"k"), counted(b"v")].concat()),
        extended(4, &[1; 16]),
        vec![
            1, 0, 5, 0, 1, b'm', 1, b'n', 3, 1, 2, 3, 1, 2, 3, 4, 5, 6, 7, 8,
        ],
    ];
    for seed in 0..20_000 {
        let mut random = Random::new(seed);
        let mut bytes = heads[random.below(heads.len())].clone();
        for _ in 0..random.below(3) {
            let position = random.below(bytes.len());
            bytes[position] = random.below(256) as u8;
        }
        let read = std::panic::catch_unwind(|| fuzzing::frame_header(&bytes));
        assert!(read.is_ok(), "seed {seed}: {bytes:?}");
    }
}
