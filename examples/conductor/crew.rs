//! The conductor and the workers of a run: in processes of their own, or all in this one.

use std::io::{BufRead, BufReader, Write, stderr};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use tidings::{Bus, Server};

use crate::args::{Role, RuntimeName};
use crate::error::Failure;
use crate::interrupt;
use crate::roles::{self, DONE, READY};

/// Who does the work. Dropping it sends everyone home.
pub enum Crew {
    /// The servers live as long as this does.
    Here {
        _servers: Vec<Server>,
    },
    Processes(Vec<Member>),
}

/// A child process.
pub struct Member {
    name: String,
    role: Role,
    process: Child,
    /// Set when it has ended by itself or by somebody else.
    ended: Option<ExitStatus>,
}

/// Who is called together, and where they meet.
pub struct Call {
    pub address: String,
    pub exchange: String,
    pub database: PathBuf,
    pub scratch: PathBuf,
    pub runtime: RuntimeName,
    pub workers: u16,
}

/// How long a child may take until it serves.
const START: Duration = Duration::from_secs(20);
/// How long a child may take to end when it is asked to, before it is killed.
const END: Duration = Duration::from_secs(3);
/// How often an interrupt or the end of a child is looked for.
const LOOK: Duration = Duration::from_millis(50);

impl Crew {
    /// Serves everything in this process.
    pub fn here(bus: &Bus, call: &Call) -> Result<Self, Failure> {
        let mut servers = vec![roles::serve_conductor(bus, &call.database)?];
        for name in worker_names(call.workers) {
            servers.push(roles::serve_worker(bus, &name)?);
        }
        Ok(Crew::Here { _servers: servers })
    }

    /// Starts the processes and waits until each of them serves.
    pub fn processes(call: &Call) -> Result<Self, Failure> {
        let mut members = Vec::new();
        let (ready, readies) = channel();
        let names = worker_names(call.workers).map(|name| (name, Role::Worker));
        for (name, role) in [("conductor".to_owned(), Role::Conductor)]
            .into_iter()
            .chain(names)
        {
            let mut process = command(call, role, &name)?
                .spawn()
                .map_err(|error| Failure::system(format!("start {name}"), error))?;
            if let Some(stdout) = process.stdout.take() {
                let (ready, position) = (ready.clone(), members.len());
                thread::spawn(move || ready.send((position, says_ready(stdout))));
            }
            let ended = None;
            members.push(Member {
                name,
                role,
                process,
                ended,
            });
        }
        drop(ready);
        // From here on dropping the crew ends the processes.
        let mut crew = Crew::Processes(members);
        crew.wait_until_ready(&readies)?;
        crew.introduce();
        Ok(crew)
    }

    fn wait_until_ready(&mut self, readies: &Receiver<(usize, bool)>) -> Result<(), Failure> {
        let Crew::Processes(members) = self else {
            return Ok(());
        };
        let started = Instant::now();
        let mut waiting: Vec<_> = (0..members.len()).collect();
        while let Some(first) = waiting.first() {
            interrupt::check()?;
            match readies.recv_timeout(LOOK) {
                Ok((position, true)) => waiting.retain(|waiting| *waiting != position),
                Ok((position, false)) => {
                    let member = &mut members[position];
                    let status = member.process.wait().map_err(|error| {
                        Failure::system(format!("wait for {}", member.name), error)
                    })?;
                    member.ended = Some(status);
                    let member = member.name.clone();
                    return Err(Failure::NotStarted { member, status });
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    if started.elapsed() > START {
                        let member = members[*first].name.clone();
                        let seconds = START.as_secs();
                        return Err(Failure::Slow { member, seconds });
                    }
                }
            }
        }
        Ok(())
    }

    /// Tells the process ids, for those who want to see what a `kill` does.
    fn introduce(&self) {
        let Crew::Processes(members) = self else {
            return;
        };
        for Member { name, process, .. } in members {
            eprintln!("{name} is process {}", process.id());
        }
    }

    /// Looks who has ended since the last time, and gives a line for each worker that did. The run goes on without it:
    /// what it had is given to the others.
    ///
    /// # Errors
    /// When the run cannot go on: without its conductor, or without any worker.
    pub fn check(&mut self) -> Result<Vec<String>, Failure> {
        let Crew::Processes(members) = self else {
            return Ok(Vec::new());
        };
        let mut news = Vec::new();
        for member in &mut *members {
            if let (None, Ok(Some(status))) = (member.ended, member.process.try_wait()) {
                member.ended = Some(status);
                if member.role == Role::Conductor {
                    return Err(Failure::ConductorLost { status });
                }
                let name = &member.name;
                news.push(format!(
                    "{name} ended ({status}): the others take its files"
                ));
            }
        }
        let mut workers = members.iter().filter(|member| member.role == Role::Worker);
        if workers.by_ref().all(|worker| worker.ended.is_some()) {
            return Err(Failure::NoWorkers);
        }
        Ok(news)
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        let Crew::Processes(members) = self else {
            return;
        };
        for member in &mut *members {
            if let Some(mut stdin) = member.process.stdin.take() {
                // One that has ended does not listen, and need not.
                let _ = stdin.write_all(&[DONE]);
            }
        }
        let asked = Instant::now();
        for member in members {
            while member.ended.is_none() {
                match member.process.try_wait() {
                    Ok(Some(status)) => member.ended = Some(status),
                    Ok(None) if asked.elapsed() < END => thread::sleep(Duration::from_millis(2)),
                    _ => {
                        let _ = writeln!(stderr(), "{} does not end and is killed", member.name);
                        let _ = member.process.kill();
                        let _ = member.process.wait();
                        break;
                    }
                }
            }
        }
    }
}

fn worker_names(workers: u16) -> impl Iterator<Item = String> {
    (1..=workers).map(|number| format!("indexer-{number}"))
}

/// This same program, with another role.
fn command(call: &Call, role: Role, name: &str) -> Result<Command, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::system("find this program to start it again", error))?;
    let mut command = Command::new(program);
    command
        .args(["--role", &role.to_string()])
        .args(["--name", name])
        .args(["--bus", &call.address])
        .args(["--exchange", &call.exchange])
        .args(["--runtime", &call.runtime.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // Ctrl-C is for the front process alone, which then ends the others in order.
        .process_group(0);
    if role == Role::Conductor {
        command.arg("--database").arg(&call.database);
        command.arg("--scratch").arg(&call.scratch);
    }
    Ok(command)
}

/// Whether a child says that it is ready, rather than ending without a word.
fn says_ready(stdout: ChildStdout) -> bool {
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).is_ok() && line.trim_end() == READY
}
