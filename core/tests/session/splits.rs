//! However the bytes of a stream are cut into reads, the same things happen (T10, T11).

use std::time::Instant;

use tidings_core::session::{Event, Limits, Role};

use crate::pair::{Pair, call, cast, output};
use crate::raw::{events, open};

/// What a member sends in a life full of events.
fn stream() -> Vec<u8> {
    let mut pair = Pair::new();
    pair.settle();
    let mut stream = Vec::new();
    let mut ids = Vec::new();
    for token in 0..12_u64 {
        let size = [0, 1, 100, 5000, 70_000, 200_000][token as usize % 6];
        let request = if token % 3 == 0 {
            cast(token, vec![1; size])
        } else {
            call(token, vec![2; size])
        };
        ids.push(pair.member.request(request, pair.now).unwrap());
        if token % 4 == 3 {
            let part = pair.member.transmit(pair.now).collect::<Vec<_>>().concat();
            pair.member.wrote(part.len(), pair.now);
            stream.extend(part);
            pair.member.cancel(ids[token as usize]);
            pair.member.cancel(ids[token as usize - 1]);
        }
    }
    let id = pair.member.bind(crate::pair::registration()).unwrap();
    stream.extend(output(&mut pair.member, pair.now));
    pair.member.unbind(id);
    pair.member
        .go_away(tidings_core::session::CloseCode::Normal, "bye");
    stream.extend(output(&mut pair.member, pair.now));
    stream
}

fn events_of(stream: &[u8], pieces: impl Iterator<Item = usize>) -> Vec<Event> {
    let now = Instant::now();
    let mut hub = open(Role::Hub, Limits::default(), now);
    let mut rest = stream;
    for piece in pieces {
        let (bytes, behind) = rest.split_at(piece.clamp(1, rest.len()));
        hub.receive(bytes, now);
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    assert!(rest.is_empty() && hub.is_open());
    events(&mut hub)
}

#[test]
fn any_split_of_the_stream_gives_the_same_events() {
    let stream = stream();
    let whole = events_of(&stream, std::iter::repeat(usize::MAX));
    assert!(whole.len() >= 10, "{}", whole.len());
    for size in [1, 2, 3, 7, 64, 4096, 65_535, 65_539] {
        assert_eq!(
            events_of(&stream, std::iter::repeat(size)),
            whole,
            "pieces of {size}"
        );
    }
    for seed in 0..50 {
        let mut random = crate::simulator::Random::new(seed);
        let pieces = std::iter::repeat_with(|| {
            let most = [3, 300, 30_000][random.below(3)];
            random.below(most)
        });
        assert_eq!(events_of(&stream, pieces), whole, "SESSION_SEED={seed}");
    }
}

#[test]
fn a_stream_of_small_frames_cut_in_two_at_every_byte_gives_the_same_events() {
    let mut pair = Pair::new();
    pair.settle();
    for token in 0..5 {
        pair.member
            .request(call(token, vec![token as u8; 10]), pair.now)
            .unwrap();
    }
    let stream = output(&mut pair.member, pair.now);
    let whole = events_of(&stream, std::iter::repeat(usize::MAX));
    assert_eq!(whole.len(), 5);
    for cut in 1..stream.len() {
        assert_eq!(
            events_of(&stream, [cut, usize::MAX].into_iter()),
            whole,
            "cut at {cut}"
        );
    }
}
