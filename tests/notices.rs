//! What the bus says in the program's own log: what no caller hears, and not more of it than can be read.
#![cfg(all(feature = "unix", any(feature = "tokio", feature = "smol")))]

#[path = "faults/engine.rs"]
#[allow(dead_code, reason = "the tests with several processes use more of it")]
mod engine;

use std::fmt::Debug;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use engine::{Directory, Engine, until};
use tidings::{Bus, CallError, Context, Promise};

#[cfg(feature = "tokio")]
const ENGINE: Engine = Engine::Tokio;
#[cfg(not(feature = "tokio"))]
const ENGINE: Engine = Engine::Smol;

/// Keeps all lines of the process; a test looks for its own among them.
struct Lines(Mutex<Vec<String>>);

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {} {}", record.level(), record.target(), record.args());
        self.0.lock().unwrap().push(line);
    }
    fn flush(&self) {}
}

fn lines_with(text: &str) -> Vec<String> {
    static LINES: OnceLock<&'static Lines> = OnceLock::new();
    let lines = LINES.get_or_init(|| {
        let lines: &'static Lines = Box::leak(Box::new(Lines(Mutex::default())));
        log::set_logger(lines).unwrap();
        log::set_max_level(log::LevelFilter::Info);
        lines
    });
    let lines = lines.0.lock().unwrap();
    lines
        .iter()
        .filter(|line| line.contains(text))
        .cloned()
        .collect()
}

/// S13, R16, C-OC-2: the first line comes, and a hundred more of the same within a second do not.
#[test]
fn a_handler_that_panics_again_and_again_is_one_line_a_second() {
    assert!(lines_with("panics.often").is_empty());
    let bus = Bus::open("mem:").unwrap();
    let fails = |()| -> () { std::panic::resume_unwind(Box::new("secret")) };
    let _server = bus.listen("panics").on("often", fails).start().unwrap();
    let begin = std::time::Instant::now();
    for _ in 0..100 {
        bus.call::<()>("panics.often", &()).wait().unwrap_err();
    }
    let seconds = begin.elapsed().as_secs() as usize;
    let lines = lines_with("panics.often");
    assert_eq!(
        lines[0],
        "WARN tidings::server `panics.often`: its handler panicked"
    );
    assert!(lines.len() <= 1 + seconds, "{lines:?}");
}

/// C-OC-3, S13: an error of the method's own is told with its kind and text, which cannot write lines of their own.
#[test]
fn a_method_that_fails_is_told_in_one_line_whatever_its_text() {
    assert!(lines_with("fails.always").is_empty());
    let bus = Bus::open("mem:").unwrap();
    #[derive(Debug, serde::Serialize, serde::Deserialize)]
    struct Broken;
    impl std::fmt::Display for Broken {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("first\nsecond \u{1b}[31m")
        }
    }
    let fails = |()| -> Result<(), Broken> { Err(Broken) };
    let _server = bus.listen("fails").try_on("always", fails).start().unwrap();
    let told: CallError = bus.call::<()>("fails.always", &()).wait().unwrap_err();
    assert!(told.remote().is_some());
    assert_eq!(
        lines_with("fails.always"),
        [r"WARN tidings::server `fails.always`: failed as Broken: first\nsecond \u{1b}[31m"]
    );
}

/// S1, S9: who is not let in by its token is told of, and what a policy denies, with who it was.
#[test]
fn who_is_not_let_in_and_what_is_denied_is_told_with_who_it_was() {
    use tidings::authorise::{Asked, Verdict};
    assert!(lines_with("door.no").is_empty());
    let token = |name: &str, secret: &str| tidings::Token::new(name, secret).unwrap();
    let directory = Directory::new();
    let denies = |asked: &Asked<'_>| match asked.method {
        Some("no") => Verdict::Deny,
        _ => Verdict::Allow,
    };
    let builder = || Bus::builder().runtime(ENGINE.runtime());
    let accepted = token("ada", "the secret of ada, long enough");
    let hub = builder().accept_tokens([accepted]).authorise(denies);
    let bus = hub.open(&directory.hub()).unwrap();
    let _server = bus.listen("door").on("no", |()| ()).start().unwrap();
    let open = |secret: &str| {
        let member = builder().token(token("ada", secret));
        member.open(&directory.member())
    };
    let secret = "not the secret of ada, is it";
    open(secret).unwrap_err();
    until("the hub tells of it", || {
        !lines_with("not authenticated: authentication failed").is_empty()
    });
    assert!(lines_with(secret).is_empty()); // S12
    let ada = open("the secret of ada, long enough").unwrap();
    ada.cast("door.no", &()).unwrap();
    until("the denial is told", || !lines_with("door.no").is_empty());
    let line = &lines_with("door.no")[0];
    assert!(
        line.starts_with("WARN tidings::authorise unix `ada` user "),
        "{line}"
    );
    assert!(line.ends_with("may not call this: `door.no`"), "{line}");
}

/// S12: neither arguments nor replies are in what is logged, in an error, or in the debug output of anything.
#[test]
fn no_payload_is_in_any_output() {
    const SECRET: &str = "what only both ends may know";
    assert!(lines_with(SECRET).is_empty());
    let directory = Directory::new();
    let hub = ENGINE.open(&directory.hub());
    let strict = Bus::open("mem:?codec=strict").unwrap();
    let memory = Bus::open("mem:").unwrap();
    for (serving, calling) in [
        (&memory, &memory),
        (&strict, &strict),
        (&hub, &ENGINE.open(&directory.member())),
    ] {
        let shown = Arc::new(Mutex::new(Vec::new()));
        let keep = {
            let shown = shown.clone();
            move |what: &dyn Debug| {
                let mut shown = shown.lock().unwrap();
                shown.extend([format!("{what:?}"), format!("{what:#?}")]);
            }
        };
        let (show, says) = (keep.clone(), |text: String| text);
        let context = move |text: String| {
            show(&Context::current());
            text
        };
        let panics = |text: String| -> () { std::panic::resume_unwind(Box::new(text)) };
        let fails = |text: String| Err::<(), Private>(Private(text));
        let wants = |_: Picky| ();
        let server = serving.listen("secrets").serial().queue(1);
        let server = server
            .on("says", says)
            .on("context", context)
            .on("panics", panics)
            .on("number", |n: u64| n)
            .try_on("fails", fails)
            .on("wants", wants)
            .on_async("never", |_: String| std::future::pending::<()>())
            .start()
            .unwrap();
        let request = calling.request::<String>("secrets.says", SECRET);
        keep(&request);
        let mut call = request.invoke();
        keep(&call);
        until("it is answered", || call.is_ready());
        keep(&call);
        assert_eq!(call.try_take().unwrap().unwrap(), SECRET);
        let said = calling.call::<String>("secrets.context", SECRET).wait();
        assert_eq!(said.unwrap(), SECRET);
        let mut failed: Vec<CallError> = Vec::new();
        for method in ["panics", "fails", "wants", "number", "missing"] {
            let call = calling.call::<()>(&format!("secrets.{method}"), SECRET);
            failed.push(call.wait().unwrap_err());
        }
        failed.push(
            calling
                .call::<u64>("secrets.says", SECRET)
                .wait()
                .unwrap_err(),
        );
        failed.push(
            calling
                .call::<()>("nobody.here", SECRET)
                .wait()
                .unwrap_err(),
        );
        let late = calling.request::<()>("secrets.never", SECRET);
        let late = late.timeout(Duration::from_millis(20));
        failed.push(late.wait().unwrap_err());
        // One runs, one is in the queue, and one is refused.
        let held: Vec<Promise<()>> = (0..3)
            .map(|_| calling.invoke("secrets.never", SECRET))
            .collect();
        until("one is refused", || held.iter().any(Promise::is_ready));
        keep(&held);
        keep(&(serving, calling, &server));
        // S19: what is there to watch it by.
        keep(&(serving.stats(), calling.stats()));
        keep(&(server.stats(), server.drops(), calling.state()));
        let refused = held.into_iter().find_map(|mut call| call.try_take());
        failed.push(refused.unwrap().unwrap_err());
        for error in &failed {
            keep(error);
            let mut shown = shown.lock().unwrap();
            shown.extend([error.to_string(), format!("{error:#}")]);
        }
        let shown = shown.lock().unwrap();
        assert!(shown.len() > 30);
        for text in &*shown {
            assert!(!text.contains(SECRET), "{text}");
        }
    }
    assert!(!lines_with("secrets.panics").is_empty(), "there are lines");
    assert_eq!(lines_with(SECRET), [""; 0]);
}

/// An error of the application whose text says nothing of what is in it.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Private(String);

impl std::fmt::Display for Private {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it failed")
    }
}

/// Refuses every text, with the text.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String")]
struct Picky;

impl TryFrom<String> for Picky {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Err(format!("not `{text}`"))
    }
}

/// C-OC-3: an error that the server expects is no failure of its, and not told.
#[test]
fn an_expected_error_is_not_told_and_another_is() {
    assert!(lines_with("finds.who").is_empty());
    let bus = Bus::open("mem:").unwrap();
    let find = |id: u32| Err::<(), _>(format!("nobody has the number {id}"));
    let server = bus.listen("finds").try_on("who", find);
    let server = server.expects(|text: &String| text.ends_with('7'));
    let server = server.start().unwrap();
    for id in [7_u32, 17, 8] {
        let error = bus.call::<()>("finds.who", &id).wait().unwrap_err();
        assert!(error.remote().is_some(), "{error}");
    }
    assert_eq!(
        lines_with("finds.who"),
        ["WARN tidings::server `finds.who`: failed as String: nobody has the number 8"]
    );
    assert_eq!((server.stats().expected, server.stats().failed), (2, 1));
}

/// P7: whoever speaks something else is told of by its first bytes, and hears nothing.
#[test]
fn a_peer_that_speaks_another_protocol_is_told_with_its_first_bytes() {
    assert!(lines_with("GET / HT").is_empty());
    let directory = Directory::new();
    let bus = ENGINE.open(&directory.hub());
    let path = directory.hub();
    let path = path.trim_start_matches("unix:").split('?').next().unwrap();
    let mut stream = UnixStream::connect(path).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut heard = Vec::new();
    // A reset is an end like any other: what was sent was not read to its end.
    let _ = stream.read_to_end(&mut heard);
    assert_eq!(heard, b"");
    until("the hub tells of it", || !lines_with("GET / HT").is_empty());
    let line = &lines_with("GET / HT")[0];
    let process = format!("process {}", std::process::id());
    assert!(line.starts_with("WARN tidings::link unix user "), "{line}");
    assert!(line.contains(&process), "{line}");
    assert!(
        line.ends_with("the peer speaks another protocol: `GET / HT`"),
        "{line}"
    );
    drop(bus);
}
