//! The child processes of a run: started, watched, and ended with it.

use std::io::{BufRead, BufReader, Write, stderr};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::args::Role;
use crate::crew::Plan;
use crate::error::Failure;
use crate::interrupt;
use crate::roles::{DONE, READY};

/// The conductor and the workers, as processes. Dropping this ends them and waits for their end.
pub struct Processes(Vec<Member>);

/// A child process.
struct Member {
    name: String,
    role: Role,
    process: Child,
    /// Set when it has ended by itself or by somebody else.
    ended: Option<ExitStatus>,
}

/// How long a child may take until it serves.
const START: Duration = Duration::from_secs(20);
/// How long a child may take to end when it is asked to, before it is killed.
const END: Duration = Duration::from_secs(3);
/// How often an interrupt is looked for meanwhile.
const LOOK: Duration = Duration::from_millis(50);

impl Processes {
    /// Starts them, and waits until each of them serves.
    pub fn start(plan: &Plan) -> Result<Self, Failure> {
        let mut started = Processes(Vec::new());
        let (ready, readies) = channel();
        started.add(plan, Role::Conductor, "conductor".into(), &ready)?;
        for name in plan.worker_names() {
            started.add(plan, Role::Worker, name, &ready)?;
        }
        started.wait_until_ready(&readies)?;
        started.introduce();
        Ok(started)
    }

    fn add(
        &mut self,
        plan: &Plan,
        role: Role,
        name: String,
        ready: &Sender<(usize, bool)>,
    ) -> Result<(), Failure> {
        let mut process = command(plan, role, &name)?
            .spawn()
            .map_err(|error| Failure::system(format!("start {name}"), error))?;
        if let Some(stdout) = process.stdout.take() {
            let (ready, position) = (ready.clone(), self.0.len());
            thread::spawn(move || ready.send((position, says_ready(stdout))));
        }
        self.0.push(Member {
            name,
            role,
            process,
            ended: None,
        });
        Ok(())
    }

    fn wait_until_ready(&mut self, readies: &Receiver<(usize, bool)>) -> Result<(), Failure> {
        let started = Instant::now();
        let mut waiting: Vec<_> = (0..self.0.len()).collect();
        while let Some(first) = waiting.first() {
            interrupt::check()?;
            match readies.recv_timeout(LOOK) {
                Ok((position, true)) => waiting.retain(|waiting| *waiting != position),
                Ok((position, false)) => return Err(self.0[position].not_started()),
                Err(_) if started.elapsed() < START => {}
                Err(_) => {
                    return Err(Failure::Slow {
                        member: self.0[*first].name.clone(),
                        seconds: START.as_secs(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Tells the process ids, for those who want to see what a `kill` does.
    fn introduce(&self) {
        for Member { name, process, .. } in &self.0 {
            let _ = writeln!(stderr(), "{name} is process {}", process.id());
        }
    }

    /// See [`Crew::check`](crate::crew::Crew::check).
    pub fn check(&mut self) -> Result<Vec<String>, Failure> {
        let mut news = Vec::new();
        for member in &mut self.0 {
            let Some(status) = member.has_just_ended() else {
                continue;
            };
            if member.role == Role::Conductor {
                return Err(Failure::ConductorLost { status });
            }
            news.push(format!(
                "{} ended ({status}): the others take its files",
                member.name
            ));
        }
        let mut workers = self.0.iter().filter(|member| member.role == Role::Worker);
        if workers.all(|worker| worker.ended.is_some()) {
            return Err(Failure::NoWorkers);
        }
        Ok(news)
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for member in &mut self.0 {
            if let Some(mut stdin) = member.process.stdin.take() {
                // One that has ended does not listen, and need not.
                let _ = stdin.write_all(&[DONE]);
            }
        }
        let asked = Instant::now();
        for member in &mut self.0 {
            member.end_by(asked + END);
        }
    }
}

impl Member {
    /// How it ended, the first time that this is seen.
    fn has_just_ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.process.try_wait().ok().flatten();
            return self.ended;
        }
        None
    }

    /// Why it closed its standard output without a word.
    fn not_started(&mut self) -> Failure {
        match self.process.wait() {
            Ok(status) => {
                self.ended = Some(status);
                Failure::NotStarted {
                    member: self.name.clone(),
                    status,
                }
            }
            Err(error) => Failure::system(format!("wait for {}", self.name), error),
        }
    }

    /// Waits for its end, and makes one when the time is over.
    fn end_by(&mut self, deadline: Instant) {
        while self.ended.is_none() && self.has_just_ended().is_none() {
            if Instant::now() < deadline {
                thread::sleep(Duration::from_millis(2));
                continue;
            }
            let _ = writeln!(stderr(), "{} does not end and is killed", self.name);
            let _ = self.process.kill();
            self.ended = self.process.wait().ok();
            return;
        }
    }
}

/// This same program, with another role.
fn command(plan: &Plan, role: Role, name: &str) -> Result<Command, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::system("find this program to start it again", error))?;
    let mut command = Command::new(program);
    command
        .args(["--role", &role.to_string()])
        .args(["--name", name])
        .args(["--bus", &plan.address])
        .args(["--exchange", &plan.exchange])
        .args(["--runtime", &plan.runtime.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // Ctrl-C is for the front process alone, which then ends the others in order.
        .process_group(0);
    if role == Role::Conductor {
        command.arg("--database").arg(&plan.database);
        command.arg("--scratch").arg(&plan.scratch);
    }
    Ok(command)
}

/// Whether a child says that it is ready, rather than ending without a word.
fn says_ready(stdout: ChildStdout) -> bool {
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).is_ok() && line.trim_end() == READY
}
