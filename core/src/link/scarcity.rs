//! What to do where the system has run out of something (T25).

use std::io;

/// What to do about an error that tells of no peer and no address: this process or its system has run out of what
/// sockets are made of. `None` for any other error.
#[must_use]
pub fn advice_on_scarcity(error: &io::Error) -> Option<&'static str> {
    // By their numbers on Linux: std has no kinds for most of them.
    const ENOMEM: i32 = 12;
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const ENOBUFS: i32 = 105;
    match error.raw_os_error()? {
        EMFILE => Some(
            "this process has as many files and sockets open as it may: raise that limit (`ulimit -n`), or close some",
        ),
        ENFILE => Some("the system has as many files and sockets open as it can: close some"),
        ENOMEM | ENOBUFS => Some("the system has no memory for another socket"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_scarce_is_told_and_nothing_else() {
        let advice = |number| advice_on_scarcity(&io::Error::from_raw_os_error(number));
        assert!(advice(24).is_some_and(|text| text.contains("ulimit -n")));
        for other in [23, 12, 105] {
            assert!(advice(other).is_some_and(|text| text.contains("system")));
        }
        let refused = 111;
        assert_eq!(advice(refused), None);
        assert_eq!(advice_on_scarcity(&io::ErrorKind::NotFound.into()), None);
    }
}
