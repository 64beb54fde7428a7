//! The short table in the README.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::{Report, Row, Section};
use crate::groups::titles;
use crate::setting::{Size, Wire};

const BEGIN: &str = "<!-- benches: begin -->\n";
const END: &str = "<!-- benches: end -->";

/// Replaces what stands between the two marks of the file.
pub(super) fn update(path: &Path, report: &Report) -> Result<(), String> {
    let wrong = |reason: &dyn std::fmt::Display| format!("{}: {reason}", path.display());
    let text = fs::read_to_string(path).map_err(|error| wrong(&error))?;
    let parts = text
        .split_once(BEGIN)
        .and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.ok_or_else(|| wrong(&format!("has no {BEGIN}and {END}")))?;
    let text = format!("{before}{BEGIN}{}{END}{after}", report.short_table());
    fs::write(path, text).map_err(|error| wrong(&error))
}

impl Report {
    /// A line for each of the usual loads.
    fn short_table(&self) -> String {
        let unix = |in_flight| titles::socket_in_flight(Wire::Unix, Size::Block, in_flight);
        let sections = [
            ("`call` in memory", titles::memory_call(Size::Number)),
            (
                "64 in flight in memory",
                titles::memory_in_flight(Size::Number, 64),
            ),
            ("`cast` in memory", titles::memory_cast(Size::Number)),
            (
                "`call` over a Unix socket",
                titles::socket_one_in_flight(Wire::Unix, Size::Block),
            ),
            ("64 in flight", unix(64)),
            ("1024 in flight", unix(1024)),
            (
                "`cast` over a Unix socket",
                titles::socket_cast(Wire::Unix, Size::Block),
            ),
        ];
        let mut text = String::from(
            "\n| for each message | tidings | the next best | the bare socket |\n|---|---:|---:|---:|\n",
        );
        for (what, title) in sections {
            if let Some(section) = self.section(&title) {
                let _ = writeln!(text, "| {what} |{}", section.in_short());
            }
        }
        let _ = writeln!(
            text,
            "\n{} All of it is in [benches/REPORT.md](benches/REPORT.md).\n",
            self.machine.in_words()
        );
        text
    }
}

impl Section {
    fn in_short(&self) -> String {
        let best = |of: fn(&str) -> bool| {
            let rows = self.rows.iter().filter(|row| of(&row.name));
            rows.min_by(|a, b| a.median.total_cmp(&b.median))
        };
        let time = |row: &Row| row.unit.shown(row.median);
        let ours = best(|name| name.starts_with("tidings"));
        let other = best(|name| !name.starts_with("tidings") && !name.starts_with("raw"));
        let raw = best(|name| name.starts_with("raw"));
        let cell = |row: Option<&Row>| row.map_or_else(|| "–".into(), time);
        let other = other.map_or_else(|| "–".into(), |row| format!("{} ({})", time(row), row.name));
        format!(" {} | {other} | {} |", cell(ours), cell(raw))
    }
}
