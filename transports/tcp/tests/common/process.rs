//! Other processes of a test: the test's own program again, in one of the roles that it knows.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A process that is killed at the end, if it is not before.
pub(crate) struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts `command`, which tells by a line `ready WORD` that it is ready; gives the word.
    pub(crate) fn start(mut command: Command) -> (Process, String) {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut process = Process { child, output };
        let word = process.wait_for("ready ");
        (process, word)
    }

    /// This program, which runs the test `test` (ignored otherwise) with `variables` set.
    pub(crate) fn command(test: &str, variables: &[(&str, &str)]) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--ignored", "--nocapture"]);
        command.envs(variables.iter().copied());
        command
    }

    /// The rest of the next line that begins with `word`.
    pub(crate) fn wait_for(&mut self, word: &str) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            let read = self.output.read_line(&mut line).unwrap();
            assert!(read > 0, "the process ended before it said `{word}`");
            if let Some(rest) = line.strip_prefix(word) {
                return rest.trim_end().to_owned();
            }
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// In one of those: ends it when its test has ended, however that was.
pub(crate) fn end_with_the_test() {
    std::thread::spawn(|| {
        std::io::stdin().lines().for_each(drop);
        std::process::exit(0);
    });
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
