//! A run of the example, watched.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// No single step may take longer.
const LONG: Duration = Duration::from_secs(120);

/// The front process, with a directory of its own for temporary files.
pub struct Run {
    front: Child,
    stdout: JoinHandle<String>,
    stderr: Receiver<String>,
    /// What was read of the standard error so far.
    seen: Vec<String>,
    temporary: TempDir,
}

/// A run that has ended.
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    /// Whatever is left of its temporary files.
    pub left_behind: Vec<PathBuf>,
}

impl Run {
    pub fn start(directory: &Path, arguments: &[&str]) -> Self {
        let temporary = TempDir::new().unwrap();
        let mut front = Command::new(conductor())
            .args(arguments)
            .arg(directory)
            .env("TMPDIR", temporary.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = front.stdout.take().unwrap();
        let stdout = thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).unwrap();
            text
        });
        let lines = BufReader::new(front.stderr.take().unwrap()).lines();
        let (send, stderr) = channel();
        thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .try_for_each(|line| send.send(line))
        });
        Run {
            front,
            stdout,
            stderr,
            seen: Vec::new(),
            temporary,
        }
    }

    /// Reads its standard error up to the next line that `is_it`.
    pub fn wait_for(&mut self, is_it: impl Fn(&str) -> bool) {
        let until = Instant::now() + LONG;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.stderr.recv_timeout(left);
            let line = line.unwrap_or_else(|_| panic!("it never came: {:#?}", self.seen));
            self.seen.push(line);
            if self.seen.last().is_some_and(|line| is_it(line)) {
                return;
            }
        }
    }

    /// Reads up to the next line of progress.
    pub fn wait_for_progress(&mut self) {
        self.wait_for(|line| line.starts_with("indexing: "));
    }

    /// The id of the process that was introduced as `name`.
    pub fn process(&self, name: &str) -> u32 {
        let introduction = format!("{name} is process ");
        let id = self
            .seen
            .iter()
            .find_map(|line| line.strip_prefix(&introduction));
        id.unwrap().parse().unwrap()
    }

    /// All the processes that were introduced.
    pub fn processes(&self) -> Vec<u32> {
        let ids = self
            .seen
            .iter()
            .filter_map(|line| line.split_once(" is process "));
        ids.map(|(_, id)| id.parse().unwrap()).collect()
    }

    pub fn front(&self) -> u32 {
        self.front.id()
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ended {
        let status = within_long(|| self.front.try_wait().unwrap());
        let Some(status) = status else {
            let _ = self.front.kill();
            panic!("it does not end: {:#?}", self.seen);
        };
        // Who was killed cannot tidy up; its children do, as soon as they notice.
        if status.signal().is_some() {
            within_long(|| self.left_behind().is_empty().then_some(()));
        }
        let left_behind = self.left_behind();
        self.seen.extend(self.stderr.iter());
        Ended {
            status,
            stdout: self.stdout.join().unwrap(),
            stderr: self.seen.join("\n"),
            left_behind,
        }
    }

    fn left_behind(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.temporary.path()).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

/// Sends a signal.
pub fn signal(name: &str, process: u32) {
    let sent = Command::new("kill")
        .args([format!("-{name}"), process.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// Whether the process has ended, or will have within a time that is long.
pub fn ends(process: u32) -> bool {
    within_long(|| {
        let state = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // A zombie has ended: it only waits for whoever inherited it to say so.
        let alive = state
            .rsplit(')')
            .next()
            .is_some_and(|state| !state.is_empty() && !state.trim_start().starts_with('Z'));
        (!alive).then_some(())
    })
    .is_some()
}

/// What `look` finds, looking again and again for a long time: processes that are not our children tell nobody else.
fn within_long<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    loop {
        match look() {
            Some(found) => return Some(found),
            None if started.elapsed() > LONG => return None,
            None => thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// The example's program. Cargo does not tell tests of examples, nor builds these for a test alone.
fn conductor() -> &'static Path {
    static CONDUCTOR: OnceLock<PathBuf> = OnceLock::new();
    CONDUCTOR.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let profile = test.parent().and_then(Path::parent).unwrap();
        let mut build = Command::new(env!("CARGO"));
        build.args([
            "build",
            "--quiet",
            "--package",
            "tidings-examples",
            "--example",
            "conductor",
        ]);
        if profile.file_name() == Some(OsStr::new("release")) {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success());
        profile.join("examples/conductor")
    })
}
