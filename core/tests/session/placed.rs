//! What a broken peer sends is the same, whether it is read to where the parts of large messages belong or not.

use std::time::Instant;

use tidings_core::session::{Event, Session};

use crate::pair::{Pair, call, output, requests};
use crate::random::Random;
use crate::raw::{CANCEL, CHUNK, PING, REPLY_CHUNK, frame, varint};
use crate::splits::read_to_places;

/// Who takes large messages, how they come, and when.
fn large_messages(answers: bool) -> (Session, Vec<Vec<u8>>, Instant) {
    let (mut pair, _) = Pair::bound();
    let sizes = [200_000, 150_000, 90_000];
    let content = |size: u32| (0..size).map(|n| (n >> 3) as u8).collect::<Vec<_>>();
    for (token, size) in (0..).zip(sizes) {
        let size = if answers { 0 } else { size };
        let mut request = call(token, content(size));
        // The first takes turns with the others, which follow each other.
        request.flow = token.min(1);
        pair.member.request(request, pair.now).unwrap();
    }
    if !answers {
        let stream = output(&mut pair.member, pair.now);
        return (pair.hub, frames(&stream), pair.now);
    }
    pair.settle();
    for ((id, _), size) in requests(&mut pair.hub_events).into_iter().zip(sizes) {
        pair.hub.reply(id, Ok(content(size).into()));
    }
    let stream = output(&mut pair.hub, pair.now);
    (pair.member, frames(&stream), pair.now)
}

fn frames(mut stream: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while !stream.is_empty() {
        let width = 1 + stream.iter().take_while(|&&byte| byte >= 0x80).count();
        let digits = stream[..width].iter().rev();
        let length = digits.fold(0, |sum, &byte| sum << 7 | usize::from(byte & 0x7f));
        let (frame, behind) = stream.split_at(width + length);
        frames.push(frame.to_vec());
        stream = behind;
    }
    frames
}

/// Breaks a rule, or does what is rare.
fn damage(frames: &mut Vec<Vec<u8>>, random: &mut Random) {
    let (at, next) = (random.below(frames.len()), random.below(frames.len()));
    match random.below(8) {
        0 => drop(frames.remove(at)),
        1 => frames.insert(at, frames[at].clone()),
        2 => frames.swap(at, next),
        3 => frames.insert(at, frame(PING, &varint(random.below(300) as u64))),
        4 => frames.insert(at, frame(CANCEL, &varint(1 + 2 * random.below(4) as u64))),
        5 => {
            let kind = [CHUNK, REPLY_CHUNK][random.below(2)];
            let id = varint(random.below(9) as u64);
            let part = vec![7; random.below(3) * 5000];
            frames.insert(at, frame(kind, &[id, part].concat()));
        }
        6 => {
            let position = random.below(frames[at].len().min(8));
            frames[at][position] = random.below(256) as u8;
        }
        _ => {
            let end = random.below(frames[at].len());
            frames[at].truncate(end);
            frames.truncate(at + 1);
        }
    }
}

fn told(mut session: Session, now: Instant) -> Vec<Event> {
    session.receive_eof(now);
    std::iter::from_fn(|| session.poll_event()).collect()
}

#[test]
fn a_broken_stream_has_the_same_end_wherever_it_is_read_to() {
    let (mut ended, mut whole_messages, mut placed) = (0, 0, 0);
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let answers = seed % 2 == 0;
        let (mut plain, mut sent, now) = large_messages(answers);
        for _ in 0..random.below(3) {
            damage(&mut sent, &mut random);
        }
        let stream = sent.concat();
        plain.receive(&stream, now);
        ended += usize::from(plain.is_closed());
        let expected = told(plain, now);
        let is_large = |event: &Event| match event {
            Event::Request { payload, .. } => payload.len() > 50_000,
            Event::Reply { reply, .. } => reply.as_ref().is_ok_and(|value| value.len() > 50_000),
            _ => false,
        };
        whole_messages += expected.iter().filter(|event| is_large(event)).count();

        let (mut session, _, now) = large_messages(answers);
        let mut rest = &stream[..];
        let most = [1000, 20_000, 70_000, 400_000][random.below(4)];
        while !rest.is_empty() {
            let read = (1 + random.below(most)).min(rest.len());
            let (bytes, behind) = rest.split_at(read);
            placed += read_to_places(&mut session, bytes, 1 + random.below(most), now);
            rest = behind;
        }
        let events = told(session, now);
        assert!(events == expected, "SESSION_SEED={seed}");
    }
    assert!(ended > 40, "{ended} were closed");
    assert!(whole_messages > 150, "{whole_messages} messages came");
    assert!(
        placed > 5_000_000,
        "{placed} bytes were read to their place"
    );
}
