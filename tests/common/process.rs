//! Other processes of a test: its own program again, in one of the roles that it knows.
#![allow(dead_code, reason = "each test uses some of it")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

/// The longest that a process may take to say something.
const LONG: Duration = Duration::from_secs(20);

/// A process that was started here. It is killed, and reaped, at the latest when this is dropped. So that it does not
/// outlive a test that is killed, it is to end by itself when its standard input does: with its [`words`], or by
/// [`end_with_the_test`].
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    said: Receiver<String>,
    what: String,
}

impl Process {
    /// This program again, to run the test `test`, which is ignored otherwise.
    pub(crate) fn again(test: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--ignored", "--nocapture"]);
        command
    }

    /// Starts `command`, which is `what` in messages, and waits until it says that it is ready; gives what stands behind
    /// that.
    pub(crate) fn launch(what: &str, command: &mut Command) -> (Process, String) {
        let mut child = command
            // A group of its own: were that of the test orphaned meanwhile, the kernel would make it go on when stopped.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (say, said) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if say.send(line).is_err() {
                    return;
                }
            }
        });
        let process = Process {
            input: child.stdin.take(),
            child,
            said,
            what: what.to_owned(),
        };
        let behind = process.wait_for("ready");
        (process, behind)
    }

    /// Waits until it says `word`, and gives what stands behind that.
    pub(crate) fn wait_for(&self, word: &str) -> String {
        loop {
            match self.said.recv_timeout(LONG) {
                Ok(line) => match line.split_once(' ').unwrap_or((&line, "")) {
                    (first, rest) if first == word => return rest.to_owned(),
                    _ => {}
                },
                Err(RecvTimeoutError::Timeout) => panic!("{} does not say `{word}`", self.what),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("{} ended before it said `{word}`", self.what)
                }
            }
        }
    }

    /// By which the kernel knows it.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Tells it `word`.
    pub(crate) fn tell(&mut self, word: &str) {
        writeln!(self.input.as_mut().unwrap(), "{word}").unwrap();
    }

    /// `kill -9`. It is gone when this returns.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends its standard input, as the end of this test would.
    pub(crate) fn hang_up(&mut self) {
        self.input = None;
    }

    /// Waits until it has ended by itself.
    pub(crate) fn ends(&mut self) {
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{}: {status}", self.what);
    }

    /// Waits until it has ended by an abort.
    pub(crate) fn was_aborted(&mut self) {
        let status = self.child.wait().unwrap();
        assert_eq!(
            status.signal(),
            Some(Signal::ABORT.as_raw()),
            "{}: {status}",
            self.what
        );
    }

    /// `kill -STOP`: it keeps all that it has and does nothing, from when this returns.
    pub(crate) fn stop(&self) {
        self.signal(Signal::STOP);
        // Its other threads go on until the one that takes the signal has had its turn.
        let pid = Pid::from_child(&self.child);
        let (_, status) = waitpid(Some(pid), WaitOptions::UNTRACED).unwrap().unwrap();
        assert!(status.stopped(), "{}: {status:?}", self.what);
    }

    /// `kill -CONT`.
    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In one of those: tells the test something.
pub(crate) fn say(word: &str) {
    println!("\n{word}"); // The test harness has begun a line.
}

/// In one of those: what it is told, until its test has ended, however that was.
pub(crate) fn words() -> impl Iterator<Item = String> {
    std::io::stdin().lock().lines().map_while(Result::ok)
}

/// In one of those that are told nothing: ends it when its test has ended.
pub(crate) fn end_with_the_test() {
    std::thread::spawn(|| {
        words().for_each(drop);
        std::process::exit(0);
    });
}
