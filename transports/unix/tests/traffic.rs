//! Requests between processes: where they go, in which order, and what ends them.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use common::{Directory, LONG, on_each_runtime, open, together, until};
use tidings_core::{Bus, CallErrorKind, Context, Fate, Promise};

#[test]
fn a_topic_is_balanced_over_the_processes_that_serve_it() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let buses: [Bus; 3] = together(runtime, &directory, "");
        let counts: Vec<Arc<AtomicUsize>> = (0..3).map(|_| Arc::default()).collect();
        let _servers: Vec<_> = buses
            .iter()
            .zip(&counts)
            .map(|(bus, count)| {
                let count = count.clone();
                let work = move |_: u32| {
                    count.fetch_add(1, Ordering::Relaxed);
                };
                bus.listen("work").on("do", work).start().unwrap()
            })
            .collect();
        for n in 0..300u32 {
            buses[1].call::<()>("work.do", &n).wait().unwrap();
        }
        let counts: Vec<usize> = counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .collect();
        assert_eq!(counts.iter().sum::<usize>(), 300);
        assert!(counts.iter().all(|count| *count >= 50), "{counts:?}"); // C-AD-2
    });
}

#[test]
fn the_busy_server_gets_less() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let [hub, slow, fast] = together(runtime, &directory, "");
        let stuck = |_: u32| std::future::pending::<u32>();
        let _slow = slow.listen("work").on_async("do", stuck).start().unwrap();
        let first: Promise<u32> = hub.invoke("work.do", &0u32);
        let _fast = fast.listen("work").on("do", |n: u32| n).start().unwrap();
        for n in 0..100u32 {
            assert_eq!(hub.call::<u32>("work.do", &n).wait().unwrap(), n);
        }
        assert!(!first.is_ready());
    });
}

#[test]
fn a_request_may_name_its_server() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let buses: [Bus; 3] = together(runtime, &directory, "");
        let _servers: Vec<_> = ["a", "b", "c"]
            .iter()
            .zip(&buses)
            .map(|(name, bus)| {
                let who = move |_: ()| name.to_string();
                bus.listen("who").name(name).on("who", who).start().unwrap()
            })
            .collect();
        for (bus, name) in buses
            .iter()
            .flat_map(|bus| ["a", "b", "c"].map(|name| (bus, name)))
        {
            let answer: String = bus.request("who.who", &()).to(name).wait().unwrap(); // C-AD-3
            assert_eq!(answer, name);
        }
        let nobody = buses[1]
            .request::<String>("who.who", &())
            .to("d")
            .wait()
            .unwrap_err();
        assert!(
            matches!(nobody.kind(), CallErrorKind::NoServer { .. }),
            "{nobody}"
        );
        assert_eq!(nobody.fate(), Fate::NotExecuted);
        let taken = buses[1]
            .listen("who")
            .name("c")
            .on("who", |_: ()| 0)
            .start()
            .unwrap_err();
        assert!(
            matches!(taken, tidings_core::ServeError::NameTaken { .. }),
            "{taken}"
        );
    });
}

#[test]
fn exchanges_do_not_hear_each_other() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let here = open(runtime, &directory.address(""));
        let other = Bus::builder()
            .runtime(runtime.clone())
            .exchange("other")
            .open_with(&tidings_unix::Unix, &directory.address(""))
            .unwrap();
        let _server = here.listen("t").on("m", |n: u32| n).start().unwrap();
        let error = other.call::<u32>("t.m", &1u32).wait().unwrap_err(); // C-AD-5
        assert!(
            matches!(error.kind(), CallErrorKind::NoServer { .. }),
            "{error}"
        );
    });
}

#[test]
fn the_kernel_tells_the_server_who_calls() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let buses: [Bus; 3] = together(runtime, &directory, "");
        let who = |_: ()| {
            let context = Context::current().unwrap();
            context
                .caller()
                .map(|caller| (caller.uid, caller.gid, caller.pid))
        };
        let _server = buses[1].listen("who").on("calls", who).start().unwrap();
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        let us = (
            Some(uid.as_raw()),
            Some(gid.as_raw()),
            Some(std::process::id()),
        );
        for bus in &buses {
            let told: Option<(Option<u32>, Option<u32>, Option<u32>)> =
                bus.call("who.calls", &()).wait().unwrap();
            assert_eq!(told, Some(us));
        }
    });
}

#[test]
fn dropping_the_promise_ends_the_handler_two_processes_away() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let [hub, serving, calling] = together(runtime, &directory, "");
        let (told, heard) = channel();
        struct Tell(std::sync::mpsc::Sender<&'static str>);
        impl Drop for Tell {
            fn drop(&mut self) {
                let _ = self.0.send("ended");
            }
        }
        let wait = move |_: ()| {
            told.send("began").unwrap();
            let tell = Tell(told.clone());
            async move {
                let _tell = tell;
                std::future::pending::<()>().await;
            }
        };
        let _server = serving
            .listen("slow")
            .on_async("wait", wait)
            .start()
            .unwrap();
        let promise: Promise<()> = calling.invoke("slow.wait", &());
        assert_eq!(heard.recv_timeout(LONG).unwrap(), "began");
        drop(promise);
        assert_eq!(heard.recv_timeout(LONG).unwrap(), "ended"); // C-DL-3
        let in_flight = || [&hub, &serving, &calling].map(Bus::in_flight);
        until("nothing is in flight", || in_flight() == [0, 0, 0]);
    });
}

#[test]
fn a_deadline_passes_here_and_the_handler_there_ends() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let [_hub, serving, calling] = together(runtime, &directory, "");
        let (told, heard) = channel();
        let wait = move |_: ()| {
            let remaining = Context::current().unwrap().remaining();
            told.send(remaining).unwrap();
            std::future::pending::<()>()
        };
        let _server = serving
            .listen("slow")
            .on_async("wait", wait)
            .start()
            .unwrap();
        let timeout = Duration::from_millis(200);
        let start = Instant::now();
        let error = calling
            .request::<()>("slow.wait", &())
            .timeout(timeout)
            .wait()
            .unwrap_err();
        assert!(
            matches!(error.kind(), CallErrorKind::DeadlineExceeded { .. }),
            "{error}"
        );
        assert_eq!(error.fate(), Fate::Unknown);
        assert!(start.elapsed() >= timeout);
        let remaining = heard.recv_timeout(LONG).unwrap().unwrap(); // C-DL-2
        assert!(
            remaining <= timeout + Duration::from_millis(3),
            "{remaining:?}"
        );
    });
}

#[test]
fn large_messages_travel_whole_and_oversize_ones_fail_alone() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let [_hub, serving, calling] = together(runtime, &directory, "?max_message=4194304");
        let _server = serving
            .listen("echo")
            .on("echo", |text: String| text)
            .on("grow", |n: usize| "x".repeat(n))
            .start()
            .unwrap();
        let text: String = (0..3_000_000)
            .map(|n| char::from(b'a' + (n % 26) as u8))
            .collect();
        let echoed: String = calling.call("echo.echo", &text).wait().unwrap();
        assert!(echoed == text, "it came back changed");
        let over = "x".repeat(4 << 20);
        let error = calling
            .call::<String>("echo.echo", &over)
            .wait()
            .unwrap_err();
        assert!(
            matches!(error.kind(), CallErrorKind::TooLarge { .. }),
            "{error}"
        ); // D13
        assert_eq!(error.fate(), Fate::NotSent);
        let error = calling
            .call::<String>("echo.grow", &(5usize << 20))
            .wait()
            .unwrap_err();
        assert!(
            matches!(error.kind(), CallErrorKind::ReplyTooLarge { .. }),
            "{error}"
        ); // A8
        assert_eq!(error.fate(), Fate::Executed);
        assert_eq!(
            calling
                .call::<String>("echo.echo", &"still here")
                .wait()
                .unwrap(),
            "still here"
        );
    });
}

#[test]
fn ten_thousand_in_flight_take_as_long_as_the_longest() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let [_hub, serving, calling] =
            together(runtime, &directory, "?in_flight=16384&queue=16384");
        let pause = Duration::from_millis(500);
        let sleeper = runtime.clone();
        let wait = move |n: u32| {
            let sleep = sleeper.sleep(pause);
            async move {
                sleep.await;
                n
            }
        };
        let server = serving.listen("slow").concurrency(16_384).queue(16_384);
        let _server = server.on_async("wait", wait).start().unwrap();
        let start = Instant::now();
        let promises: Vec<Promise<u32>> = (0..10_000u32)
            .map(|n| calling.invoke("slow.wait", &n))
            .collect();
        for (n, promise) in (0..).zip(promises) {
            assert_eq!(promise.wait().unwrap(), n);
        }
        let took = start.elapsed(); // C-VB-2: not the sum, which is more than an hour.
        assert!(took < pause * 20, "{took:?}");
        assert_eq!(calling.in_flight(), 0);
    });
}

#[test]
fn casts_arrive_once_each_and_in_the_order_of_their_thread() {
    const THREADS: u32 = 4;
    const EACH: u32 = 10_000;
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let [_hub, serving, calling] = together(runtime, &directory, "");
        let (told, heard) = channel();
        let note = move |message: (u32, u32)| told.send(message).unwrap();
        let _server = serving
            .listen("log")
            .serial()
            .on("note", note)
            .start()
            .unwrap();
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let bus = calling.clone();
                scope.spawn(move || {
                    for n in 0..EACH {
                        let cast = || bus.request::<()>("log.note", &(thread, n)).cast_when_room();
                        cast().wait().unwrap();
                    }
                });
            }
            let mut next = [0; THREADS as usize];
            let mut arrived = 0;
            while let Ok((thread, n)) = heard.recv_timeout(Duration::from_secs(2)) {
                let expected = &mut next[thread as usize];
                assert!(
                    n >= *expected,
                    "{n} of thread {thread} came after {expected}"
                );
                *expected = n + 1;
                arrived += 1;
                if arrived == THREADS * EACH {
                    break;
                }
            }
            assert_eq!(arrived, THREADS * EACH);
        });
    });
}

#[test]
fn casts_from_many_to_one_slow_server_all_arrive() {
    const EACH: u32 = 3_000;
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let [hub, serving, first] = together(runtime, &directory, "");
        let others = [0, 1].map(|_| open(runtime, &directory.address("")));
        let (told, heard) = channel();
        let note = move |message: (usize, u32)| told.send(message).unwrap();
        // Far fewer than what the senders' credit allows: the rest has to wait on its way.
        let server = serving.listen("log").queue(8).serial();
        let _server = server.on("note", note).start().unwrap();
        std::thread::scope(|scope| {
            for (sender, bus) in [&hub, &first, &others[0], &others[1]]
                .into_iter()
                .enumerate()
            {
                scope.spawn(move || {
                    for n in 0..EACH {
                        bus.request::<()>("log.note", &(sender, n))
                            .cast_when_room()
                            .wait()
                            .unwrap();
                    }
                });
            }
            let mut next = [0; 4];
            for _ in 0..4 * EACH {
                let (sender, n) = heard.recv_timeout(LONG).unwrap();
                assert_eq!(n, next[sender], "of sender {sender}"); // C-VB-4
                next[sender] += 1;
            }
        });
    });
}

#[test]
fn a_server_that_is_full_says_so_and_delays_nobody_else() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let [_hub, serving, calling] = together(runtime, &directory, "");
        let stuck = |_: u32| std::future::pending::<u32>();
        let server = serving
            .listen("full")
            .concurrency(1)
            .queue(2)
            .on_async("wait", stuck);
        let _full = server.start().unwrap();
        let _free = serving
            .listen("free")
            .on("ping", |n: u32| n)
            .start()
            .unwrap();
        let promises: Vec<Promise<u32>> = (0..50u32)
            .map(|n| calling.invoke("full.wait", &n))
            .collect();
        assert_eq!(calling.call::<u32>("free.ping", &7u32).wait().unwrap(), 7); // C-OV-2
        let busy = promises
            .into_iter()
            .filter(Promise::is_ready)
            .map(|promise| promise.wait());
        let errors: Vec<_> = busy.map(Result::unwrap_err).collect();
        assert!(errors.len() >= 47, "{}", errors.len());
        for error in errors {
            assert!(
                matches!(error.kind(), CallErrorKind::Busy { .. }),
                "{error}"
            ); // C-OV-1
            assert_eq!(error.fate(), Fate::NotExecuted);
        }
    });
}

#[test]
fn handlers_may_call_back_their_caller() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let [_hub, serving, calling] = together(runtime, &directory, "");
        let back = serving.clone();
        let ask = move |n: u32| {
            let back = back.clone();
            async move { back.call::<u32>("answer.double", &n).await.unwrap() + 1 }
        };
        let _asks = serving.listen("ask").on_async("ask", ask).start().unwrap();
        let _answers = calling
            .listen("answer")
            .on("double", |n: u32| n * 2)
            .start()
            .unwrap();
        assert_eq!(calling.call::<u32>("ask.ask", &20u32).wait().unwrap(), 41); // C-AD-6
    });
}

#[test]
fn a_storm_of_dropped_promises_leaves_nothing_behind() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let [hub, serving, calling] = together(runtime, &directory, "");
        let stuck = |_: u32| std::future::pending::<u32>();
        let _server = serving
            .listen("slow")
            .on_async("wait", stuck)
            .start()
            .unwrap();
        for n in 0..20_000u32 {
            drop(calling.invoke::<u32>("slow.wait", &n));
        }
        until("nothing is in flight", || {
            [&hub, &serving, &calling]
                .iter()
                .all(|bus| bus.in_flight() == 0)
        });
        let _ping = serving
            .listen("ping")
            .on("ping", |n: u32| n)
            .start()
            .unwrap();
        until("the connection has room again", || {
            calling.call::<u32>("ping.ping", &1u32).wait().is_ok()
        });
    });
}
