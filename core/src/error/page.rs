//! The page `docs/errors.md` has a row for each variant of each public error, and none for what there is not.

use std::collections::BTreeSet;

use super::*;
use crate::name::NameError;
use crate::promise::{PromiseError, WaitError};
use crate::session::CloseCode;
use crate::token::TokenError;

const PAGE: &str = include_str!("../../../docs/errors.md");

/// The variants of an enum. One that is left out does not compile, as the match in it is no longer complete.
macro_rules! variants {
    ($enum:ident: $($variant:ident)*) => {{
        #[allow(dead_code)]
        fn complete(error: &$enum) {
            match error { $($enum::$variant { .. } => {})* }
        }
        (stringify!($enum), BTreeSet::from([$(stringify!($variant)),*]))
    }};
}

type Unnamed = MethodError<String>;

#[test]
fn every_variant_of_every_error_has_its_row() {
    let enums = [
        variants!(CallErrorKind: Name Version VersionCap Encode TooLarge Unsupported NotConnected QueueFull
            DeadlineExceeded NoServer NoSuchMethod NoSuchNamespace UnsupportedVersion SchemaMismatch BadRequest
            UnknownCodec Busy ShuttingDown Forbidden TooDeep Remote Panicked NoReply ReplyEncode ReplyTooLarge ReplyDropped
            BadReply ConnectionLost ServerLost KeyConflict Cancelled Closed Promise Other),
        variants!(PromiseError: Broken Taken Cancelled WouldBlock),
        variants!(WaitError: Elapsed WouldBlock),
        ("MethodError", variants!(Unnamed: Application Call).1),
        variants!(OpenError: Address UnknownScheme Name NoRuntime AddressInUse PathTooLong Bind NotConnected
            Unsupported Refused),
        variants!(ServeError: Name Version AlreadyRegistered NeverReached OtherTopic TooManyEndpoints NoMethods
            ZeroLimit NameTaken Closed NotRegistered),
        variants!(TokenError: Name SecretLength File Exposed Line NotOne),
        variants!(NameError: Empty TooLong Character Reserved NoMethod),
        variants!(Error: Open Serve Call Pattern Token),
        variants!(CloseCode: Normal ShuttingDown FrameTooLarge MessageTooLarge Malformed UnknownFrame ReservedFlags
            HandshakeRequired HandshakeTimeout HandshakeTooLarge UnexpectedFrame VersionMismatch WrongRole DuplicateId
            UnknownId WrongDirection CreditExceeded Overloaded PingFlood FrameFlood FrameTimeout WriteStall PeerDead
            DictionaryFull TooManyParts TooManyConnections Forbidden OutOfMemory Unauthenticated Other),
    ];
    for (name, variants) in enums {
        let rows: Vec<&str> = rows(name).map(|cells| cells[0].trim_matches('`')).collect();
        let told: BTreeSet<&str> = rows.iter().copied().collect();
        assert_eq!(told, variants, "the rows of `{name}` in docs/errors.md");
        assert_eq!(rows.len(), told.len(), "a row of `{name}` is there twice");
    }
}

/// C-OC: whether it is safe to send again follows from the fate, and from nothing else.
#[test]
fn what_is_said_of_sending_again_follows_from_the_fates() {
    let all = [
        ("`NotSent`", Fate::NotSent),
        ("`NotExecuted`", Fate::NotExecuted),
        ("`Executed`", Fate::Executed),
        ("`Unknown`", Fate::Unknown),
    ];
    for cells in rows("CallErrorKind") {
        let [variant, _, fates, again, _] = cells[..] else {
            panic!("not five columns: {cells:?}");
        };
        let of_row = all.iter().filter(|(name, _)| fates.contains(name));
        let of_row: Vec<Fate> = of_row.map(|(_, fate)| *fate).collect();
        assert!(!of_row.is_empty(), "{variant} has no fate");
        let expected = if of_row.iter().all(|fate| fate.is_safe_to_repeat()) {
            "yes"
        } else if of_row == [Fate::Executed] {
            "no"
        } else {
            "by fate"
        };
        assert_eq!(again.trim_end_matches('*'), expected, "{variant}: {fates}");
    }
}

/// The cells of each row below the page's heading for `name`.
fn rows(name: &str) -> impl Iterator<Item = Vec<&'static str>> {
    let heading = format!("\n## `{name}`\n");
    let (_, section) = PAGE.split_once(&heading).expect("the error has a section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells = row.trim_matches('|').split(" | ");
        cells.map(str::trim).collect()
    })
}
