//! Several buses on one address: who serves whom.

mod common;

use common::{Directory, on_each_runtime, open};

#[test]
fn members_and_the_hub_call_each_other_in_every_direction() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let buses: Vec<_> = (0..3)
            .map(|_| open(runtime, &directory.address("")))
            .collect();
        let _servers: Vec<_> = buses
            .iter()
            .enumerate()
            .map(|(n, bus)| {
                let greet = move |name: String| format!("{n} greets {name}");
                bus.listen(format!("greeter{n}"))
                    .on("hello", greet)
                    .start()
                    .unwrap()
            })
            .collect();
        for bus in &buses {
            for n in 0..3 {
                let path = format!("greeter{n}.hello");
                let text: String = bus.call(&path, &"Ada").wait().unwrap();
                assert_eq!(text, format!("{n} greets Ada"));
            }
        }
    });
}
