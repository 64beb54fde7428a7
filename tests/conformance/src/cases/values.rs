//! Values come back equal, and are the handler's own (C-VB-6).

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::World;

/// Sends `value` through a server that returns what it gets.
fn echoes<T>(world: &World, value: T)
where
    T: Serialize + DeserializeOwned + Debug + PartialEq + Send + 'static,
{
    let _server = world
        .listen("echo")
        .on("quick", |value: T| value)
        .on_async("async", |value: T| async move { value })
        .start()
        .unwrap();
    for path in ["echo.quick", "echo.async"] {
        assert_eq!(
            world.client().call::<T>(path, &value).wait().unwrap(),
            value
        );
        assert_eq!(
            world.client().invoke::<T>(path, &value).wait().unwrap(),
            value
        );
    }
}

/// C-VB-6
pub fn what_looks_empty_is_an_answer(world: &World) {
    echoes(world, None::<String>);
    echoes(world, Some(None::<u8>));
    echoes(world, Some(Some(0_u8)));
    echoes(world, 0_i64);
    echoes(world, false);
    echoes(world, String::new());
    echoes(world, Vec::<u8>::new());
    echoes(world, vec![String::new(), String::new()]);
    echoes(world, BTreeMap::<String, u8>::new());
    echoes(world, ());
    echoes(world, ((), None::<()>, false, 0_u8));
}

/// C-VB-6
pub fn values_come_back_equal(world: &World) {
    echoes(world, i64::MIN);
    echoes(world, u64::MAX);
    echoes(world, u128::MAX);
    echoes(world, [f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE]);
    echoes(world, "\0 \u{202e} \u{1f426} \n".to_owned());
    echoes(world, (0..2000).map(|n| n.to_string()).collect::<Vec<_>>());
    let nested: BTreeMap<String, Vec<Option<(u32, char)>>> = [
        ("a".to_owned(), vec![None, Some((1, 'x'))]),
        (String::new(), vec![]),
    ]
    .into();
    echoes(world, nested);
    echoes(world, Ok::<u8, String>(1));
    echoes(world, Err::<u8, String>("no".into()));
}

/// C-VB-6, FAULTS-D10
pub fn not_a_number_passes_through_with_its_bits(world: &World) {
    let _server = world
        .listen("echo")
        .on("f", |value: f64| value)
        .start()
        .unwrap();
    let odd = f64::from_bits(0x7ff8_dead_beef_0001);
    let back: f64 = world.client().call("echo.f", &odd).wait().unwrap();
    assert_eq!(back.to_bits(), odd.to_bits());
}

/// C-VB-6
pub fn what_a_handler_does_to_its_arguments_stays_with_it(world: &World) {
    let _server = world
        .listen("topic")
        .on("spoil", |mut list: Vec<String>| {
            list[0].push_str(", spoilt");
            list.clear();
            list.len()
        })
        .start()
        .unwrap();
    let list = vec!["fresh".to_owned()];
    for _ in 0..2 {
        assert_eq!(
            world
                .client()
                .call::<usize>("topic.spoil", &list)
                .wait()
                .unwrap(),
            0
        );
        let promise = world.client().invoke::<usize>("topic.spoil", &list);
        assert_eq!(promise.wait().unwrap(), 0);
    }
    assert_eq!(list, ["fresh"]);
}
