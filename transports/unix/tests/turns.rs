//! Handlers that a connection's task may start in its own turn, and those that it may not.

mod common;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use common::{Directory, on_each_runtime, together};
use tidings_core::runtime::{self, Runtime};
use tidings_core::{CallErrorKind, Fate, Promise};

/// As often as it takes to show that a handler is quick.
const OFTEN: u32 = 20;

/// C-DL-6, C-OV-2: not even beats, on a runtime that has another thread for the connection.
#[test]
fn a_handler_that_computes_long_holds_up_nothing_else_on_its_connection() {
    const BEATS: Duration = Duration::from_millis(200);
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap();
    let runtime = runtime::tokio::handle(tokio.handle().clone());
    let directory = Directory::new();
    let [hub, caller] = together(&runtime, &directory, "");
    let sleeps: Arc<dyn Runtime> = runtime.clone();
    let _waits = hub
        .listen("patient")
        .on_async("wait", move |()| sleeps.sleep(BEATS * 3))
        .start()
        .unwrap();
    let _computes = hub
        .listen("busy")
        .on("compute", |()| thread::sleep(BEATS * 5))
        .start()
        .unwrap();
    let _echo = hub.listen("echo").on("echo", |n: u32| n).start().unwrap();
    for n in 0..OFTEN {
        assert_eq!(caller.call::<u32>("echo.echo", &n).wait().unwrap(), n);
    }

    let waits: Promise<()> = caller
        .request("patient.wait", &())
        .heartbeat(BEATS)
        .invoke();
    let computes: Promise<()> = caller
        .request("busy.compute", &())
        .heartbeat(BEATS)
        .invoke();
    for n in 0..OFTEN {
        assert_eq!(caller.call::<u32>("echo.echo", &n).wait().unwrap(), n);
    }
    assert!(!computes.is_ready(), "others waited for it");
    waits.wait().unwrap();
    computes.wait().unwrap();
}

/// C-OV-1: whether the server is idle or not.
#[test]
fn what_never_fits_into_a_servers_queue_is_too_large_for_an_idle_one_too() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let [hub, caller] = together(runtime, &directory, "");
        let length = |text: String| text.len();
        let server = hub.listen("text").on("length", length).queue_bytes(1000);
        let _server = server.start().unwrap();
        for _ in 0..OFTEN {
            let length = caller.call::<usize>("text.length", &"x".repeat(100));
            assert_eq!(length.wait().unwrap(), 100);
        }
        let refused = caller.call::<usize>("text.length", &"x".repeat(2000));
        let refused = refused.wait().unwrap_err();
        let too_large = matches!(refused.kind(), CallErrorKind::TooLarge { limit: 1000, .. });
        assert!(too_large, "{refused}");
        assert_eq!(refused.fate(), Fate::NotExecuted);
    });
}
