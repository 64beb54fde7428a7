//! Large amounts of bytes, moved without keeping a processor from everybody else.
//!
//! To copy 16 MiB takes milliseconds, and as long as the system's scheduler leaves a thread its processor (3 ms on Linux),
//! threads that were woken meanwhile stand in line behind it: on a machine with few processors, small calls would wait for
//! the copies of large ones, whatever order the bus keeps (C-OV-2). So whoever moves many bytes does so in parts, and
//! between them [gives way](give_way).

use std::cell::Cell;
use std::str::Utf8Error;
use std::thread;
use std::time::{Duration, Instant};

use crate::copy;

/// Bytes that are moved in one go. What is no longer than this is not treated in any other way than usual.
pub(crate) const PART: usize = 64 * 1024;

/// How long a thread works at least before it gives way: some fifty times of what that costs where nobody waits.
///
/// And it works half as long as it was away. A thread that only computes takes the whole of its time slice whenever it is
/// given way to: beside one on each processor, a message would wait for a slice after each of its parts, and take a hundred
/// times as long; so it has a third of the processor. No more than half, since what is given way to may be another thread that
/// moves bytes: once one of them was kept from its processor for milliseconds, each would keep the other from it as long.
const AT_LEAST: Duration = Duration::from_micros(50);

/// When a thread came back, and how long it works from then on.
#[derive(Clone, Copy)]
struct Stint {
    began: Instant,
    lasts: Duration,
}

thread_local! {
    static STINT: Cell<Option<Stint>> = const { Cell::new(None) };
}

/// A connection has moved so many bytes in one go: if they are many, it is time to give way.
#[cfg(unix)]
#[inline]
pub(crate) fn moved(bytes: usize) {
    if bytes >= PART {
        give_way();
    }
}

/// Puts `bytes` behind those that are in `to`.
#[inline]
pub(crate) fn append(to: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() <= PART {
        copy::append(to, bytes);
    } else {
        append_in_parts(to, bytes);
    }
}

#[inline(never)]
fn append_in_parts(to: &mut Vec<u8>, bytes: &[u8]) {
    to.reserve(bytes.len());
    for part in bytes.chunks(PART) {
        copy::append(to, part);
        give_way();
    }
}

/// The same bytes.
pub(crate) fn copy_of(bytes: &[u8]) -> Vec<u8> {
    let mut copy = Vec::new();
    append(&mut copy, bytes);
    copy
}

/// The same text, if it is one.
pub(crate) fn text(bytes: &[u8]) -> Result<String, Utf8Error> {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while !rest.is_empty() {
        let (part, behind) = rest.split_at(end_of_part(rest));
        text.push_str(std::str::from_utf8(part)?);
        rest = behind;
        give_way();
    }
    Ok(text)
}

/// Where the first part of a text ends: no character is cut.
fn end_of_part(text: &[u8]) -> usize {
    let Some(longest) = text.get(..=PART) else {
        return text.len();
    };
    let begins_character = |&byte: &u8| byte & 0b1100_0000 != 0b1000_0000;
    match longest.iter().rposition(begins_character) {
        Some(end @ 1..) => end,
        _ => PART, // It is no text.
    }
}

/// Lets other threads have this processor, once this one has worked for a while.
#[inline(never)]
pub(crate) fn give_way() {
    let now = Instant::now();
    let due = |stint: Stint| now.duration_since(stint.began) >= stint.lasts;
    if !STINT.get().is_none_or(due) {
        return;
    }
    thread::yield_now();
    let began = Instant::now();
    let away = began.duration_since(now);
    STINT.set(Some(Stint {
        began,
        lasts: (away / 2).max(AT_LEAST),
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDGES: [usize; 9] = [
        0,
        1,
        PART - 1,
        PART,
        PART + 1,
        2 * PART - 1,
        2 * PART,
        2 * PART + 1,
        3 * PART + 7,
    ];

    fn bytes(count: usize) -> Vec<u8> {
        (0..count).map(|n| (n % 251) as u8).collect()
    }

    #[test]
    fn parts_are_put_together_as_they_were() {
        for count in EDGES {
            let bytes = bytes(count);
            assert!(copy_of(&bytes) == bytes, "{count} bytes");
            let mut behind = vec![7; 3];
            append(&mut behind, &bytes);
            assert!(behind == [&[7; 3], &bytes[..]].concat(), "{count} bytes");
        }
    }

    #[test]
    fn a_text_is_the_same_wherever_a_part_ends_in_a_character() {
        for character in ["a", "\u{e9}", "\u{20ac}", "\u{1f514}"] {
            for before in 0..5 {
                let text_of = |count| "a".repeat(before) + &character.repeat(count);
                for expected in EDGES.map(|edge| text_of(edge / character.len())) {
                    assert!(text(expected.as_bytes()).as_ref() == Ok(&expected));
                }
            }
        }
    }

    #[test]
    fn what_is_no_text_is_refused_wherever_it_stands() {
        let wrong: [&[u8]; 5] = [
            b"\xff",
            b"\x80",
            b"\xe2\x82",
            b"\xed\xa0\x80",
            b"\xf4\x90\x80\x80",
        ];
        for wrong in wrong {
            for at in (0..8).map(|less| PART - less).chain([0, 2 * PART + 1]) {
                let mut bytes = vec![b'a'; 3 * PART];
                bytes[at..at + wrong.len()].copy_from_slice(wrong);
                assert!(text(&bytes).is_err(), "{wrong:x?} at {at}");
                bytes.truncate(at + wrong.len());
                assert!(text(&bytes).is_err(), "{wrong:x?} at the end, {at}");
            }
        }
        assert!(text(&[0x80; 2 * PART]).is_err());
    }

    #[test]
    fn a_thread_gives_way_when_it_has_worked_for_long_enough() {
        let began = Instant::now();
        STINT.set(Some(Stint {
            began,
            lasts: Duration::from_secs(3600),
        }));
        give_way();
        assert!(STINT.get().is_some_and(|stint| stint.began == began));
        STINT.set(Some(Stint {
            began,
            lasts: Duration::ZERO,
        }));
        give_way();
        let stint = STINT.get().unwrap();
        assert!(stint.began > began && stint.lasts >= AT_LEAST);
    }
}
