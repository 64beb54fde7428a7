//! However the bytes of a stream are cut into reads, the same things happen (T10, T11).

use std::time::Instant;

use tidings_core::session::{Event, Limits, Role, Session};

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
        let mut random = crate::random::Random::new(seed);
        let pieces = std::iter::repeat_with(|| {
            let most = [3, 300, 30_000][random.below(3)];
            random.below(most)
        });
        assert_eq!(events_of(&stream, pieces), whole, "SESSION_SEED={seed}");
    }
}

/// Gives `bytes` to a session as a driver does that reads to where it is told, at most `most` at a time.
pub(crate) fn read_to_places(
    hub: &mut Session,
    mut bytes: &[u8],
    most: usize,
    now: Instant,
) -> usize {
    let mut placed = 0;
    while !bytes.is_empty() {
        let (mut room, mut left) = (hub.room(), most.clamp(1, bytes.len()));
        let mut came = 0;
        for place in &mut room {
            let here = place.len().min(left);
            place[..here].copy_from_slice(&bytes[came..came + here]);
            (came, left) = (came + here, left - here);
        }
        let behind = if came == 0 || room.ends() { left } else { 0 };
        hub.came(came, now);
        hub.receive(&bytes[came..came + behind], now);
        bytes = &bytes[came + behind..];
        placed += came;
    }
    placed
}

/// However much is read at a time to where the parts of large messages belong, and whatever comes between the parts.
#[test]
fn what_is_read_to_its_place_gives_the_same_events() {
    let now = Instant::now();
    for (name, stream) in [("mixed", stream()), ("bulk", bulk(1)), ("woven", bulk(3))] {
        let whole = events_of(&stream, std::iter::repeat(usize::MAX));
        let read = |most: &mut dyn FnMut() -> usize| {
            let (mut hub, mut placed, mut rest) =
                (open(Role::Hub, Limits::default(), now), 0, &stream[..]);
            while !rest.is_empty() {
                let (bytes, behind) = rest.split_at(most().clamp(1, rest.len()));
                placed += read_to_places(&mut hub, bytes, most(), now);
                rest = behind;
            }
            assert!(hub.is_open());
            (events(&mut hub), placed)
        };
        for most in [20, 4096, 65_535, 65_539, 200_000, usize::MAX] {
            let (events, placed) = read(&mut || most);
            assert!(events == whole, "{name}, {most} at a time");
            let is_bulk = name == "bulk" && (4096..=200_000).contains(&most);
            assert!(placed * 2 > stream.len() || !is_bulk, "{most}: {placed}");
        }
        for seed in 0..20 {
            let mut random = crate::random::Random::new(seed);
            let most = &mut || random.below([300, 30_000, 300_000][seed as usize % 3]);
            assert!(read(most).0 == whole, "{name}, SESSION_SEED={seed}");
        }
    }
}

/// Large messages of so many flows, which take turns.
fn bulk(flows: u64) -> Vec<u8> {
    let mut pair = Pair::new();
    pair.settle();
    for token in 0..4 {
        let bytes = (0..900_000_u32).map(|n| (n >> (token % 8)) as u8);
        let mut request = call(token, bytes.collect());
        request.flow = token % flows;
        pair.member.request(request, pair.now).unwrap();
    }
    output(&mut pair.member, pair.now)
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
