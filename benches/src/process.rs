//! The processes at the other end of a socket: started from this very program, and asked what
//! their part of the work took.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;

use crate::counters::allocations::{self, Allocations};
use crate::place::Address;

/// A process that serves. It ends when this is dropped.
pub struct Server {
    child: Child,
    /// Commands go in; each is answered by a line. `None` once it was told to end.
    commands: RefCell<Option<ChildStdin>>,
    answers: RefCell<BufReader<ChildStdout>>,
}

impl Server {
    /// Starts a process that serves as `role` at `address`, and waits until it does.
    pub fn start(role: &str, address: &Address) -> Server {
        let program = std::env::current_exe().expect("a program knows where it is");
        let mut child = Command::new(program)
            .args(["--serve", role, &address.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be started again");
        let commands = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("it was just piped"));
        let server = Server {
            child,
            commands: RefCell::new(commands),
            answers: RefCell::new(answers),
        };
        assert_eq!(server.answer(), READY, "{role} did not start");
        server
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Has it count its allocations from zero.
    pub(crate) fn start_counting(&self) {
        self.tell(COUNT);
        self.answer();
    }

    /// What it has allocated since then.
    pub(crate) fn stop_counting(&self) -> Allocations {
        self.tell(STOP);
        self.answer().parse().expect("it answers with its counts")
    }

    fn tell(&self, command: &str) {
        let mut commands = self.commands.borrow_mut();
        let commands = commands.as_mut().expect("it was not told to end");
        writeln!(commands, "{command}").expect("it listens until its end");
    }

    fn answer(&self) -> String {
        let mut line = String::new();
        let read = self.answers.borrow_mut().read_line(&mut line);
        assert!(
            read.is_ok_and(|bytes| bytes > 0),
            "a server process has ended"
        );
        line.trim_end().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.commands.take());
        let _ = self.child.wait();
    }
}

const READY: &str = "ready";
const COUNT: &str = "count";
const STOP: &str = "stop";

/// The server's side of that: says that it serves, answers commands, and ends the process when
/// whoever started it has gone.
pub fn announce() {
    println!("{READY}");
    thread::spawn(|| {
        for command in std::io::stdin().lines().map_while(Result::ok) {
            match command.as_str() {
                COUNT => {
                    println!("{READY}");
                    allocations::start_counting();
                }
                STOP => println!("{}", allocations::stop_counting()),
                _ => break,
            }
        }
        std::process::exit(0);
    });
}

/// Serves nothing, until whoever started this process has gone.
pub(crate) fn idle() {
    announce();
    loop {
        thread::park();
    }
}
