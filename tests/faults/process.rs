//! The processes of a test: this program again, in a role.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::engine::{Directory, Engine, LONG};

/// Who a process is, as its environment tells it.
pub(crate) struct Part {
    pub(crate) role: String,
    /// Its name among the processes of the test.
    pub(crate) name: String,
    pub(crate) engine: Engine,
    pub(crate) directory: PathBuf,
    /// Where the bus of the directory is, for the process that serves it and for one that connects.
    pub(crate) hub: String,
    pub(crate) member: String,
}

const ROLE: &str = "TIDINGS_FAULTS_ROLE";
const NAME: &str = "TIDINGS_FAULTS_NAME";
const ENGINE: &str = "TIDINGS_FAULTS_ENGINE";
const DIRECTORY: &str = "TIDINGS_FAULTS_DIRECTORY";
const HUB: &str = "TIDINGS_FAULTS_HUB";
const MEMBER: &str = "TIDINGS_FAULTS_MEMBER";

impl Part {
    /// The part of this process; none for one that nobody of us started.
    pub(crate) fn of_the_environment() -> Option<Part> {
        let variable = |name| std::env::var(name).ok();
        Some(Part {
            role: variable(ROLE)?,
            name: variable(NAME)?,
            engine: Engine::named(&variable(ENGINE)?),
            directory: variable(DIRECTORY)?.into(),
            hub: variable(HUB)?,
            member: variable(MEMBER)?,
        })
    }
}

/// A process that was started here. It is killed, and reaped, at the latest when this is dropped; and it ends by
/// itself when its standard input does, so that it does not outlive a test that is killed.
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    said: Receiver<String>,
    what: String,
}

impl Process {
    /// Starts it and waits until it says that it is ready.
    pub(crate) fn start(role: &str, name: &str, engine: Engine, directory: &Directory) -> Process {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "as_another_process", "--ignored", "--nocapture"])
            .env(ROLE, role)
            .env(NAME, name)
            .env(ENGINE, engine.name())
            // A group of its own: were that of the test orphaned meanwhile, the kernel would make it go on when stopped.
            .process_group(0)
            .env(DIRECTORY, directory.path())
            .env(HUB, directory.hub())
            .env(MEMBER, directory.member())
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
            what: format!("{role} {name}"),
        };
        process.wait_for("ready");
        process
    }

    /// Waits until it says `word`.
    pub(crate) fn wait_for(&self, word: &str) {
        self.wait_for_line(word);
    }

    /// Waits until it says `word`, and gives what stands behind that.
    pub(crate) fn wait_for_line(&self, word: &str) -> String {
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
