//! The values that a type is shown, in the order in which they are tried.

/// How many values there are for each scalar.
pub(super) const ATTEMPTS: usize = 7;

/// 1 first: it is a valid flag, a non-zero number and a plausible length.
pub(super) const NUMBERS: [u8; ATTEMPTS] = [1, 0, 2, 3, 7, 16, 100];

/// Letters and digits.
pub(super) const CHARS: [char; ATTEMPTS] = ['a', '0', 'A', '1', '/', ' ', 'é'];

/// Texts that types often parse: names, numbers, addresses, times, ids, addresses of pages.
pub(super) const TEXTS: [&str; ATTEMPTS] = [
    "a",
    "",
    "1",
    "127.0.0.1",
    "2000-01-01T00:00:00Z",
    "00000000-0000-4000-8000-000000000000",
    "http://localhost/",
];

/// Lengths of byte arrays that ids, addresses and digests have.
pub(super) const BYTES: [&[u8]; ATTEMPTS] =
    [&[0; 16], &[], &[0; 1], &[0; 4], &[0; 8], &[0; 32], &[0; 64]];
