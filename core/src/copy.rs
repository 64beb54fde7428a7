//! Copies of some thousand bytes and more, kept from an instruction that crawls.
//!
//! The GNU C library (2.36, as Debian 12 has it) leaves copies from 2 KiB to some hundred KiB to one instruction of the
//! processor (`rep movsb`), which on AMD's Zen takes fourteen times as long where the bytes go a little further behind the
//! beginning of a page than they come from: 300 us for 1 MiB instead of 22. That is no rare chance. The allocator places
//! large blocks alike, and what is encoded goes behind a length of a few bytes.

/// What is copied by other instructions, whatever lies where.
const SHORT: usize = 2048;
/// At the same place in its page a byte may be mistaken for another.
const PAGE: usize = 4096;
/// The distance from which on it is fast again is half of this.
const NEAR: usize = 64;

/// Puts `bytes` behind those that are in `to`.
#[inline]
pub(crate) fn append(to: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() <= SHORT {
        to.extend_from_slice(bytes);
    } else {
        append_long(to, bytes);
    }
}

#[inline(never)]
fn append_long(to: &mut Vec<u8>, bytes: &[u8]) {
    to.reserve(bytes.len());
    let end = to.as_ptr().addr().wrapping_add(to.len());
    for piece in bytes.chunks(piece(end, bytes)) {
        to.extend_from_slice(piece);
    }
}

/// Copies `bytes` to the front of `to`, which is no shorter.
#[inline]
pub(crate) fn to_front(to: &mut [u8], bytes: &[u8]) {
    let piece = match bytes.len() {
        0..=SHORT => SHORT,
        _ => piece(to.as_ptr().addr(), bytes),
    };
    for (to, from) in to.chunks_mut(piece).zip(bytes.chunks(piece)) {
        if let Some(to) = to.get_mut(..from.len()) {
            to.copy_from_slice(from);
        }
    }
}

/// How many of `bytes` are copied at a time to the address `to`.
fn piece(to: usize, bytes: &[u8]) -> usize {
    let behind = to.wrapping_sub(bytes.as_ptr().addr()) % PAGE;
    if (1..NEAR).contains(&behind) {
        SHORT
    } else {
        usize::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_the_same_wherever_it_goes() {
        let bytes: Vec<u8> = (0..3 * PAGE + 5).map(|n| (n % 251) as u8).collect();
        for count in [0, 1, SHORT, SHORT + 1, PAGE, bytes.len()] {
            let (from, mut to) = (&bytes[..count], vec![7; count + PAGE]);
            let distance = from.as_ptr().addr().wrapping_sub(to.as_ptr().addr()) % PAGE;
            // In its page, `from` begins so many bytes before the place where it goes.
            for before in [0, 1, NEAR - 1, NEAR, PAGE / 2] {
                let at = (distance + before) % PAGE;
                to[at..].fill(9);
                let end = (at + count + 1).min(to.len());
                to_front(&mut to[at..end], from);
                assert!(to[at..at + count] == *from, "{count} bytes, {before}");
                assert!(to[at + count..].iter().all(|&byte| byte == 9));

                let mut behind = Vec::<u8>::with_capacity(to.len());
                let own = from.as_ptr().addr().wrapping_sub(behind.as_ptr().addr()) % PAGE;
                behind.resize((own + before) % PAGE, 8);
                let whole = [&behind[..], from].concat();
                append(&mut behind, from);
                assert!(behind == whole, "{count} bytes, {before}");
            }
        }
    }

    #[test]
    fn what_goes_a_little_further_into_its_page_is_copied_in_pieces() {
        let bytes = [0; 10];
        let from = bytes.as_ptr().addr();
        for (to, expected) in [
            (from, usize::MAX),
            (from + 1, SHORT),
            (from + 5 * PAGE + NEAR - 1, SHORT),
            (from + NEAR, usize::MAX),
            (from - 1, usize::MAX),
            (from + 1 - PAGE, SHORT),
        ] {
            assert_eq!(piece(to, &bytes), expected);
        }
    }
}
