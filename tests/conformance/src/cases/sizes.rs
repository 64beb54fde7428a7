//! Limits in bytes (C-OC-1, FAULTS-D12 and D13).

use tidings_core::{Bytes, CallErrorKind, Fate};

use crate::World;

/// The bytes of a string's length before it, for lengths between 16 KiB and 2 MiB, and up to 256 MiB.
fn prefix(length: usize) -> usize {
    (usize::BITS - length.leading_zeros()).div_ceil(7) as usize
}

/// Behind the arguments of an untyped request and the reply to it.
const CHECKSUM: usize = 4;

/// A text that is exactly `limit` bytes when encoded.
fn filling(limit: usize) -> String {
    let room = limit - CHECKSUM;
    "x".repeat(room - prefix(room - 4))
}

/// C-OC-1
pub fn arguments_above_the_limit_are_not_sent_and_the_connection_lives(world: &World) {
    let _server = world
        .listen("topic")
        .on("length", |text: String| text.len())
        .start()
        .unwrap();
    let limit = world.client().capabilities().max_message;
    let fits = filling(limit);
    let length = |text: &str| world.client().call::<usize>("topic.length", text).wait();
    assert_eq!(length(&fits[1..]).unwrap(), fits.len() - 1);
    assert_eq!(length(&fits).unwrap(), fits.len());
    let above = format!("{fits}x");
    for error in [
        length(&above).unwrap_err(),
        world.client().cast("topic.length", &above).unwrap_err(),
    ] {
        assert_eq!(error.fate(), Fate::NotSent);
        let CallErrorKind::TooLarge { limit: told, .. } = error.kind() else {
            panic!("{error}");
        };
        assert_eq!(*told, limit);
        assert!(error.to_string().contains("max_message"), "{error}");
    }
    assert_eq!(length("abc").unwrap(), 3);
}

/// C-OC-1. Without a deadline, so that nothing but an answer can end it.
pub fn a_result_above_the_limit_is_an_error_at_once(world: &World) {
    if world.moves_values() {
        return world.skip("values are moved, not encoded");
    }
    let _server = world
        .listen("topic")
        .on("give", |length: usize| "x".repeat(length))
        .start()
        .unwrap();
    let limit = world.client().capabilities().max_message;
    let fits = filling(limit).len();
    let give = |length: usize| {
        let request = world.client().request::<String>("topic.give", &length);
        request.no_timeout().invoke().wait()
    };
    for length in [fits - 1, fits] {
        assert_eq!(give(length).unwrap().len(), length);
    }
    let error = give(fits + 1).unwrap_err();
    assert_eq!(error.fate(), Fate::Executed);
    assert!(
        matches!(error.kind(), CallErrorKind::ReplyTooLarge { .. }),
        "{error}"
    );
    assert_eq!(give(3).unwrap(), "xxx");
}

/// C-OV-2: large messages both ways at the same time, and small ones beside them.
pub fn large_and_small_messages_share_a_connection(world: &World) {
    // Together within the bytes that usually wait for a connection.
    const LARGE: usize = 900 << 10;
    let largest = world.client().capabilities().max_message / 2;
    let size = LARGE.min(largest);
    let _server = world
        .listen("echo")
        .on("text", |text: String| text)
        .on("number", |n: u32| n)
        .start()
        .unwrap();
    let text = "y".repeat(size);
    let large: Vec<_> = (0..4)
        .map(|_| world.client().invoke::<String>("echo.text", &text))
        .collect();
    for n in 0..50 {
        assert_eq!(
            world
                .client()
                .call::<u32>("echo.number", &n)
                .wait()
                .unwrap(),
            n
        );
    }
    for promise in large {
        assert!(promise.wait().unwrap() == text);
    }
}

/// Bytes that are shared on their way, of all sizes, among other values: as an argument, as a reply, as a part of what came,
/// and where the other side has a vector.
pub fn bytes_that_are_shared_arrive_as_they_were_sent(world: &World) {
    type Named = Vec<(u16, Bytes)>;
    let _server = world
        .listen("echo")
        .on("turned", |(mut list, text): (Named, String)| {
            list.reverse();
            (text, list)
        })
        .on("middle", |bytes: Bytes| {
            bytes.slice(bytes.len() / 4..bytes.len() - 5).unwrap()
        })
        .on("vector", |bytes: Vec<u8>| Bytes::from(bytes))
        .start()
        .unwrap();
    let bytes = |size: usize| -> Bytes { (0..size).map(|n| (n % 251) as u8).collect() };
    let sizes = [0, 1, 300, 16_384, 5, 70_000, 4_097, 65_520];
    let mut list: Named = (1..).zip(sizes.map(bytes)).collect();
    // More than are worth being left where they are.
    list.extend((1..50).map(|n| (1000 + n, bytes(16_384 + usize::from(n)))));
    let sent = (list.clone(), "two".repeat(100));
    for idempotent in [false, true] {
        let request = world.client().request("echo.turned", &sent);
        let request = if idempotent {
            request.idempotent("key")
        } else {
            request
        };
        let (text, mut came): (String, Named) = request.wait().unwrap();
        came.reverse();
        assert!(text == sent.1 && came == list);
    }
    let many = bytes(800_000);
    let call = |method: &str| world.client().call::<Bytes>(method, &many).wait().unwrap();
    assert!(call("echo.middle") == many[200_000..799_995]);
    assert!(call("echo.vector") == many);
    let vector: Vec<u8> = world
        .client()
        .call("echo.vector", &many.to_vec())
        .wait()
        .unwrap();
    assert!(many == vector);
    let limit = world.client().capabilities().max_message;
    let above = world
        .client()
        .call::<Bytes>("echo.vector", &Bytes::from(vec![0; limit]));
    let error = above.wait().unwrap_err();
    assert!(
        matches!(error.kind(), CallErrorKind::TooLarge { .. }),
        "{error}"
    );
    assert_eq!(error.fate(), Fate::NotSent);
}
