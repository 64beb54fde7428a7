//! What a case is to reach.

use crate::harness::Row;

/// What a case is to reach, in the figures of one run.
pub(crate) struct Target {
    case: String,
    bound: Bound,
}

enum Bound {
    /// At most so many times the time of another case.
    Times(f64, String),
    /// At most so many nanoseconds.
    Nanoseconds(f64),
    /// At most so many allocations per operation.
    Allocations(f64),
    /// At most so many context switches per operation.
    Switches(f64),
}

/// How a target was met.
pub(crate) struct Verdict {
    pub(crate) target: String,
    pub(crate) measured: String,
    pub(crate) reached: bool,
}

impl Target {
    /// `case` takes at most `times` the time of `other`.
    pub(crate) fn times(case: impl Into<String>, times: f64, other: impl Into<String>) -> Self {
        Self::new(case, Bound::Times(times, other.into()))
    }

    /// `case` takes at most so long per operation.
    pub(crate) fn nanoseconds(case: impl Into<String>, at_most: f64) -> Self {
        Self::new(case, Bound::Nanoseconds(at_most))
    }

    /// `case` makes at most so many allocations per operation, in all processes together.
    pub(crate) fn allocations(case: impl Into<String>, at_most: f64) -> Self {
        Self::new(case, Bound::Allocations(at_most))
    }

    /// `case` takes at most so many context switches per operation.
    pub(crate) fn switches(case: impl Into<String>, at_most: f64) -> Self {
        Self::new(case, Bound::Switches(at_most))
    }

    fn new(case: impl Into<String>, bound: Bound) -> Self {
        Target {
            case: case.into(),
            bound,
        }
    }

    /// `None` when a case that it needs was not run.
    pub(crate) fn verdict(&self, rows: &[Row]) -> Option<Verdict> {
        let row = |name: &str| rows.iter().find(|row| row.name == name);
        let own = row(&self.case)?;
        let (measured, limit, target) = match &self.bound {
            Bound::Times(times, other) => {
                let ratio = own.median() / row(other)?.median();
                (ratio, *times, format!("<= {times:.2} x {other}"))
            }
            Bound::Nanoseconds(limit) => (own.median(), *limit, format!("<= {limit:.0} ns")),
            Bound::Allocations(limit) => {
                let target = format!("<= {limit} allocations");
                (own.counts.allocations, *limit, target)
            }
            Bound::Switches(limit) => {
                let target = format!("<= {limit} context switches");
                (own.counts.switches, *limit, target)
            }
        };
        Some(Verdict {
            target: format!("{} {target}", self.case),
            measured: match &self.bound {
                Bound::Nanoseconds(_) => format!("{measured:.0} ns"),
                _ => format!("{measured:.2}"),
            },
            // What one operation shares with its neighbours (a buffer that grows) is not its own.
            reached: measured <= limit + 0.005,
        })
    }
}
