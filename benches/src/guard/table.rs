//! The table that is committed.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Where it is, from the root of the repository.
pub(super) const FILE: &str = "benches/guard.md";

pub(super) struct Table {
    pub(super) compiler: String,
    pub(super) lines: Vec<Line>,
}

/// What one run of a path takes.
#[derive(Debug, PartialEq)]
pub(super) struct Line {
    pub(super) path: String,
    /// None where they could not be counted.
    pub(super) instructions: Option<f64>,
    pub(super) allocations: f64,
}

const COMPILER: &str = "Compiler: ";

impl Table {
    pub(super) fn of_this_compiler(lines: Vec<Line>) -> Self {
        let told = Command::new("rustc").arg("--version").output();
        let compiler = told.map_or_else(
            |_| "a compiler that does not say".into(),
            |told| String::from_utf8_lossy(&told.stdout).trim().to_owned(),
        );
        Table { compiler, lines }
    }

    pub(super) fn read() -> Result<Self, String> {
        let text = fs::read_to_string(file()).map_err(|error| format!("{FILE}: {error}"))?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let compiler = text.lines().find_map(|line| line.strip_prefix(COMPILER));
        let compiler = compiler.ok_or_else(|| format!("{FILE} does not name its compiler"))?;
        let rows = text
            .lines()
            .skip_while(|line| !line.starts_with("|---"))
            .skip(1);
        let lines = rows
            .filter(|row| row.starts_with('|'))
            .map(|row| Line::parse(row).ok_or_else(|| format!("{FILE}: not understood: {row}")));
        Ok(Table {
            compiler: compiler.into(),
            lines: lines.collect::<Result<_, _>>()?,
        })
    }

    /// In place of what is there.
    pub(super) fn write(&self) -> Result<(), String> {
        if self.lines.iter().any(|line| line.instructions.is_none()) {
            return Err("without valgrind there is no table to write: install it (Debian's package is `valgrind`)".into());
        }
        fs::write(file(), self.text()).map_err(|error| format!("{FILE}: {error}"))?;
        println!("{FILE} is written");
        Ok(())
    }

    fn text(&self) -> String {
        let mut text = format!(
            "# What the core's paths take\n\n\
             Instructions and allocations of one run of each, compared by `tests/run guard`. Written by\n\
             `cargo run --release -p tidings-benches --bin guard -- --update`; what a path does is in\n\
             `src/guard/paths.rs`.\n\n{COMPILER}{}\n\n| path | instructions | allocations |\n|---|---:|---:|\n",
            self.compiler
        );
        for line in &self.lines {
            let instructions = line.instructions.unwrap_or_default();
            let _ = writeln!(
                text,
                "| {} | {instructions:.0} | {:.2} |",
                line.path, line.allocations
            );
        }
        text
    }
}

impl Line {
    fn parse(row: &str) -> Option<Self> {
        let mut cells = row.trim_matches('|').split('|').map(str::trim);
        Some(Line {
            path: cells.next()?.into(),
            instructions: Some(cells.next()?.parse().ok()?),
            allocations: cells.next()?.parse().ok()?,
        })
    }
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("guard.md")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let line = Line {
            path: "timer: arm, disarm".into(),
            instructions: Some(123.0),
            allocations: 0.25,
        };
        let table = Table {
            compiler: "rustc 1.95.0".into(),
            lines: vec![line],
        };
        let read = Table::parse(&table.text()).unwrap();
        assert_eq!((read.compiler, read.lines), (table.compiler, table.lines));
        assert!(Table::parse("Compiler: x\n|---|\n| a | b | c |").is_err());
    }
}
