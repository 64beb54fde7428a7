//! A guard over the core's paths: instructions and allocations of each, kept in a table that is committed.
//!
//! Times say little on a busy machine; these counts are the same on any. Instructions are counted by callgrind, within
//! `TOLERANCE` of the table, allocations by our allocator, exactly. A change that makes a path dearer shows in a red
//! test, one that is meant to shows in the table's diff.

mod callgrind;
mod pair;
mod paths;
mod table;

use std::process::ExitCode;

use callgrind::Counted;
use paths::{PATHS, Path};
use table::{Line, Table};

/// How much more or fewer instructions than the table's are let pass.
const TOLERANCE: f64 = 0.02;

/// How often a path is run where its allocations are counted.
const TIMES: u64 = 640;

const USAGE: &str = "\
usage: guard           compares the paths with the table benches/guard.md
       guard --update  writes the table anew
       guard --run PATH TIMES  runs a path so often: what callgrind is given";

/// The program.
pub fn run() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        [] => measured().and_then(|now| compare(&now)),
        ["--update"] => measured().and_then(|now| now.write()),
        ["--run", name, times] => run_path(name, times),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

fn run_path(name: &str, times: &str) -> Result<(), String> {
    let path = PATHS.iter().find(|path| path.name == name);
    let path = path.ok_or_else(|| format!("there is no path `{name}`\n{USAGE}"))?;
    let times = times.parse().map_err(|_| USAGE.to_owned())?;
    (path.prepare)()(times);
    Ok(())
}

fn measured() -> Result<Table, String> {
    if cfg!(debug_assertions) {
        return Err("the guard is about optimised code: build it with --release".into());
    }
    let lines = PATHS.iter().map(|path| {
        Ok(Line {
            path: path.name.into(),
            instructions: match callgrind::instructions(path)? {
                Counted::Each(instructions) => Some(instructions),
                Counted::NotInstalled => None,
            },
            allocations: allocations(path),
        })
    });
    let lines = lines.collect::<Result<Vec<Line>, String>>()?;
    Ok(Table::of_this_compiler(lines))
}

/// Allocations of one run, to hundredths: a queue that grows once in so many runs is no more than that.
fn allocations(path: &Path) -> f64 {
    let mut run = (path.prepare)();
    // Whatever is made at first only.
    run(TIMES);
    crate::counters::allocations::start_counting();
    run(TIMES);
    let count = crate::counters::allocations::stop_counting().count;
    (count as f64 / TIMES as f64 * 100.0).round() / 100.0
}

fn compare(now: &Table) -> Result<(), String> {
    let kept = Table::read()?;
    let mut wrong = Vec::new();
    for line in &now.lines {
        match kept.lines.iter().find(|known| known.path == line.path) {
            Some(known) => wrong.extend(differences(known, line)),
            None => wrong.push(format!("`{}` is not in the table", line.path)),
        }
    }
    for known in &kept.lines {
        if !now.lines.iter().any(|line| line.path == known.path) {
            wrong.push(format!("`{}` is in the table, and no path", known.path));
        }
    }
    if now.lines.iter().any(|line| line.instructions.is_none()) {
        println!("SKIP the guard's instruction counts: valgrind is not installed");
    }
    if wrong.is_empty() {
        println!("{} paths are as in {}", now.lines.len(), table::FILE);
        return Ok(());
    }
    let compiler = if kept.compiler == now.compiler {
        String::new()
    } else {
        format!(
            "\nThe table is of {}, this is {}: that alone changes instruction counts.",
            kept.compiler, now.compiler
        )
    };
    Err(format!(
        "{}{compiler}\nWhere that is meant, write the table anew and commit it:\n    \
         cargo run --release -p tidings-benches --bin guard -- --update",
        wrong.join("\n")
    ))
}

fn differences(known: &Line, now: &Line) -> Vec<String> {
    let mut wrong = Vec::new();
    if known.allocations != now.allocations {
        wrong.push(format!(
            "`{}` makes {:.2} allocations instead of {:.2}",
            now.path, now.allocations, known.allocations
        ));
    }
    if let (Some(before), Some(after)) = (known.instructions, now.instructions) {
        let change = after / before - 1.0;
        if change.abs() > TOLERANCE {
            wrong.push(format!(
                "`{}` takes {after:.0} instructions instead of {before:.0} ({:+.1} %)",
                now.path,
                change * 100.0
            ));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(instructions: Option<f64>, allocations: f64) -> Line {
        Line {
            path: "a path".into(),
            instructions,
            allocations,
        }
    }

    #[test]
    fn instructions_may_differ_a_little_and_allocations_not_at_all() {
        let known = line(Some(1000.0), 3.0);
        assert!(differences(&known, &line(Some(1019.0), 3.0)).is_empty());
        assert!(differences(&known, &line(None, 3.0)).is_empty());
        assert_eq!(differences(&known, &line(Some(1021.0), 3.0)).len(), 1);
        assert_eq!(differences(&known, &line(Some(979.0), 3.01)).len(), 2);
    }
}
