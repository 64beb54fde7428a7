//! Every failure travels: what another process told arrives as the same kind, with no stronger a fate.

use std::time::Duration;

use super::*;
use crate::name::NameError;
use crate::promise::PromiseError;
use crate::reply::Reply;
use crate::version::Version;

/// One of each kind that has a code, and one without.
fn kinds() -> Vec<CallErrorKind> {
    use CallErrorKind as K;
    let text = || String::from("text");
    vec![
        K::TooLarge {
            size: 3,
            limit: 2,
            set_by: "the server's queue_bytes, or max_message on the way",
        },
        K::NotConnected {
            address: text(),
            reason: text(),
        },
        K::QueueFull {
            queue: "a queue on the way",
            limit: text(),
        },
        K::DeadlineExceeded {
            timeout: Duration::from_secs(7),
        },
        K::NoServer {
            exchange: text(),
            topic: text(),
            server: Some(text()),
            near: None,
        },
        K::NoSuchMethod {
            topic: text(),
            method: text(),
            near: Some(text()),
        },
        K::NoSuchNamespace {
            topic: text(),
            namespace: None,
            offered: text(),
            near: None,
        },
        K::UnsupportedVersion {
            topic: text(),
            requested: text(),
            offered: text(),
        },
        K::SchemaMismatch {
            method: text(),
            ours: 1,
            theirs: 2,
        },
        K::BadRequest(text()),
        K::UnknownCodec { codec: 9 },
        K::Busy {
            retry_after: Duration::from_millis(50),
        },
        K::ShuttingDown,
        K::Forbidden(text()),
        K::TooDeep {
            depth: 65,
            limit: 64,
        },
        K::Panicked,
        K::NoReply,
        K::ReplyEncode(text()),
        K::ReplyTooLarge { size: 3, limit: 2 },
        K::ReplyDropped,
        K::ConnectionLost(text()),
        K::ServerLost {
            heartbeat: Duration::from_secs(1),
        },
        K::KeyConflict { method: text() },
        K::Cancelled,
        K::Closed,
    ]
}

/// Those that arise on the caller's side, or say what is to be mended there: of them the text travels.
fn told_by_text() -> Vec<CallErrorKind> {
    use CallErrorKind as K;
    let text = || String::from("text");
    vec![
        K::Name(NameError::Empty { what: "topic" }),
        K::Version("x".parse::<Version>().unwrap_err()),
        K::VersionCap {
            requested: Version::new(1, 2, 0),
            cap: Version::new(1, 1, 0),
        },
        K::Encode(text()),
        K::Unsupported {
            what: "text",
            advice: "text",
        },
        K::BadReply {
            expected: "u8",
            reason: text(),
        },
        K::Promise(PromiseError::Broken),
        K::Other(text()),
    ]
}

const FATES: [Fate; 4] = [
    Fate::NotSent,
    Fate::NotExecuted,
    Fate::Executed,
    Fate::Unknown,
];

fn arrived(kind: &CallErrorKind, fate: Fate) -> CallError {
    let failed = CallError::new(kind.clone(), fate, Stage::Accepted);
    let Ok(wire) = WireFailure::of(Reply::Failed(failed)) else {
        panic!("{kind} is no failure");
    };
    match wire.into_reply() {
        Reply::Failed(error) => error,
        _ => panic!("{kind} arrived as something else"),
    }
}

#[test]
fn what_another_process_told_arrives_as_the_same_kind() {
    for kind in kinds() {
        for fate in FATES {
            let error = arrived(&kind, fate);
            assert_eq!(format!("{:?}", error.kind()), format!("{kind:?}"));
            // What a peer answers, it had (C-OC).
            let expected = if fate == Fate::NotSent {
                Fate::NotExecuted
            } else {
                fate
            };
            assert_eq!(error.fate(), expected, "{kind}");
        }
    }
}

#[test]
fn what_is_not_known_here_arrives_as_its_text_with_its_fate() {
    for kind in told_by_text() {
        let error = arrived(&kind, Fate::Unknown);
        assert!(matches!(error.kind(), CallErrorKind::Other(_)), "{error:?}");
        assert_eq!(
            (error.kind().to_string(), error.fate()),
            (kind.to_string(), Fate::Unknown)
        );
    }
    let mut newer = WireFailure::of_call(&CallError::new(
        CallErrorKind::Panicked,
        Fate::Executed,
        Stage::Running,
    ));
    (newer.code, newer.message) = (60_000, "of a later release".into());
    let Reply::Failed(error) = newer.into_reply() else {
        panic!("it is a failure");
    };
    assert_eq!(
        (error.to_string().as_str(), error.fate()),
        ("of a later release (executed)", Fate::Executed)
    );
}
