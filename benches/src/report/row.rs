//! One figure.

use serde::{Deserialize, Serialize};

use crate::counters::Counts;

/// The figures of one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub name: String,
    pub unit: Unit,
    pub median: f64,
    pub least: f64,
    pub most: f64,
    /// Of single operations: what half of them took at most, and what all but one in a hundred did.
    pub percentiles: Option<(f64, f64)>,
    pub allocations: Option<f64>,
    pub switches: Option<f64>,
    pub syscalls: Option<f64>,
}

/// What the figures of a row are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Nanoseconds per operation.
    Nanoseconds,
    Bytes,
    Count,
}

/// How a target was met.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    pub target: String,
    pub measured: String,
    pub reached: bool,
    /// It would be good, and is not asked for.
    pub stretch: bool,
    /// Why it is not reached, and what to try next.
    pub missed: String,
}

impl Row {
    /// From its nanoseconds per operation in each round.
    pub(crate) fn timed(
        name: &str,
        mut times: Vec<f64>,
        percentiles: Option<(f64, f64)>,
        counts: Counts,
        on_sockets: bool,
    ) -> Self {
        times.sort_by(f64::total_cmp);
        Row {
            name: name.into(),
            unit: Unit::Nanoseconds,
            median: times[times.len() / 2],
            least: times[0],
            most: times[times.len() - 1],
            percentiles,
            allocations: Some(counts.allocations),
            switches: on_sockets.then_some(counts.switches),
            syscalls: counts.syscalls,
        }
    }

    /// A figure that was taken once.
    pub(crate) fn of(name: impl Into<String>, unit: Unit, figure: f64) -> Self {
        Row {
            name: name.into(),
            unit,
            median: figure,
            least: figure,
            most: figure,
            percentiles: None,
            allocations: None,
            switches: None,
            syscalls: None,
        }
    }
}

impl Unit {
    /// A figure with its unit.
    pub(crate) fn shown(self, figure: f64) -> String {
        match (self, figure) {
            (Unit::Nanoseconds, n) if n < 1e3 => format!("{n:.1} ns"),
            (Unit::Nanoseconds, n) if n < 1e6 => format!("{:.2} us", n / 1e3),
            (Unit::Nanoseconds, n) if n < 1e9 => format!("{:.2} ms", n / 1e6),
            (Unit::Nanoseconds, n) => format!("{:.1} s", n / 1e9),
            (Unit::Bytes, n) if n.abs() < 8192.0 => format!("{n:.0} B"),
            (Unit::Bytes, n) if n.abs() < 8.0 * 1024.0 * 1024.0 => format!("{:.1} KiB", n / 1024.0),
            (Unit::Bytes, n) => format!("{:.1} MiB", n / 1024.0 / 1024.0),
            (Unit::Count, n) => format!("{n:.0}"),
        }
    }
}
