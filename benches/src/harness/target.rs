//! What a case is to reach.

use crate::report::{Row, Verdict};

/// What a case is to reach, in the figures of one run.
pub struct Target {
    case: String,
    bound: Bound,
    /// It would be good, and is not asked for.
    stretch: bool,
    /// Why it is not reached, and what to try next.
    missed: &'static str,
}

enum Bound {
    /// At most so many times the figure of the best of these others.
    Times(f64, Vec<String>),
    /// At most so many nanoseconds more than another.
    Over(f64, String),
    /// At most so much, in the unit of the case.
    AtMost(f64),
    /// At most so many allocations per operation.
    Allocations(f64),
    /// At most so many context switches per operation.
    Switches(f64),
    /// At most so many system calls per operation.
    Syscalls(f64),
}

impl Target {
    /// `case` takes at most `times` the time of `other`.
    pub fn times(case: impl Into<String>, times: f64, other: impl Into<String>) -> Self {
        Self::new(case, Bound::Times(times, vec![other.into()]))
    }

    /// `case` takes at most `times` the time of the fastest of `others` that were run.
    pub fn times_best<T: Into<String>>(
        case: impl Into<String>,
        times: f64,
        others: impl IntoIterator<Item = T>,
    ) -> Self {
        let others = others.into_iter().map(Into::into).collect();
        Self::new(case, Bound::Times(times, others))
    }

    /// `case` takes at most so many nanoseconds more than `other`.
    pub fn over(case: impl Into<String>, nanoseconds: f64, other: impl Into<String>) -> Self {
        Self::new(case, Bound::Over(nanoseconds, other.into()))
    }

    /// The figure of `case` is at most this: nanoseconds where it is a time.
    pub fn at_most(case: impl Into<String>, limit: f64) -> Self {
        Self::new(case, Bound::AtMost(limit))
    }

    /// `case` does this often at least in a second.
    pub fn per_second(case: impl Into<String>, at_least: f64) -> Self {
        Self::new(case, Bound::AtMost(1e9 / at_least))
    }

    /// `case` makes at most so many allocations per operation, in all processes together.
    pub fn allocations(case: impl Into<String>, at_most: f64) -> Self {
        Self::new(case, Bound::Allocations(at_most))
    }

    /// `case` takes at most so many context switches per operation.
    pub fn switches(case: impl Into<String>, at_most: f64) -> Self {
        Self::new(case, Bound::Switches(at_most))
    }

    /// `case` takes at most so many system calls per operation, where the system counts them.
    pub fn syscalls(case: impl Into<String>, at_most: f64) -> Self {
        Self::new(case, Bound::Syscalls(at_most))
    }

    fn new(case: impl Into<String>, bound: Bound) -> Self {
        Target {
            case: case.into(),
            bound,
            stretch: false,
            missed: "",
        }
    }

    /// It would be good, and is not asked for.
    pub fn stretch(self) -> Self {
        Target {
            stretch: true,
            ..self
        }
    }

    /// What the report says where it is not reached: why not, and what to try next.
    pub fn missed(self, missed: &'static str) -> Self {
        Target { missed, ..self }
    }

    /// `None` when a figure that it needs was not taken.
    pub(crate) fn verdict(&self, rows: &[Row]) -> Option<Verdict> {
        let row = |name: &str| rows.iter().find(|row| row.name == name);
        let own = row(&self.case)?;
        let limited = |measured: Option<f64>, limit: f64, what: &str| {
            let target = format!("<= {limit} {what}");
            measured.map(|measured| (measured, limit, target, format!("{measured:.2}")))
        };
        let (measured, limit, target, shown) = match &self.bound {
            Bound::Times(times, others) => {
                let others = others.iter().filter_map(|other| row(other));
                let other = others.min_by(|a, b| a.median.total_cmp(&b.median))?;
                let ratio = own.median / other.median;
                let target = format!("<= {times:.2} x {}", other.name);
                (ratio, *times, target, format!("{ratio:.2} x"))
            }
            Bound::Over(nanoseconds, other) => {
                let more = own.median - row(other)?.median;
                let shown = |nanoseconds| own.unit.shown(nanoseconds);
                let target = format!("<= {other} + {}", shown(*nanoseconds));
                (more, *nanoseconds, target, format!("+ {}", shown(more)))
            }
            Bound::AtMost(limit) => {
                let target = format!("<= {}", own.unit.shown(*limit));
                (own.median, *limit, target, own.unit.shown(own.median))
            }
            Bound::Allocations(limit) => limited(own.allocations, *limit, "allocations")?,
            Bound::Switches(limit) => limited(own.switches, *limit, "context switches")?,
            Bound::Syscalls(limit) => limited(own.syscalls, *limit, "system calls")?,
        };
        // What one operation shares with its neighbours (a buffer that grows) is not its own.
        let slack = match self.bound {
            Bound::AtMost(_) | Bound::Over(..) => 0.0,
            _ => 0.005,
        };
        Some(Verdict {
            target: format!("{} {target}", self.case),
            measured: shown,
            reached: measured <= limit + slack,
            stretch: self.stretch,
            missed: self.missed.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counters::Counts;

    fn row(name: &str, nanoseconds: f64) -> Row {
        let counts = Counts {
            allocations: 3.0,
            switches: 2.0,
            syscalls: None,
        };
        Row::timed(name, vec![nanoseconds], None, counts, true)
    }

    #[test]
    fn a_ratio_is_taken_to_the_best_of_those_that_were_run() {
        let rows = [row("ours", 100.0), row("slow", 400.0), row("fast", 200.0)];
        let target = Target::times_best("ours", 0.5, ["slow", "fast", "left out"]);
        let verdict = target.verdict(&rows).unwrap();
        assert!(verdict.reached);
        assert_eq!(verdict.target, "ours <= 0.50 x fast");
        let verdict = Target::times("ours", 0.4, "fast").verdict(&rows).unwrap();
        assert!(!verdict.reached);
    }

    #[test]
    fn counts_are_judged_where_they_were_taken() {
        let rows = [row("ours", 100.0)];
        let judge = |target: Target| target.verdict(&rows).map(|verdict| verdict.reached);
        assert_eq!(judge(Target::allocations("ours", 3.0)), Some(true));
        assert_eq!(judge(Target::switches("ours", 1.9)), Some(false));
        assert_eq!(judge(Target::syscalls("ours", 9.0)), None);
        assert_eq!(judge(Target::per_second("ours", 2e7)), Some(false));
        assert_eq!(judge(Target::times("ours", 1.0, "left out")), None);
    }

    #[test]
    fn what_something_adds_is_judged_by_the_difference() {
        let rows = [row("with", 130.0), row("without", 100.0)];
        let judge = |target: Target| target.verdict(&rows).map(|verdict| verdict.reached);
        assert_eq!(judge(Target::over("with", 30.0, "without")), Some(true));
        assert_eq!(judge(Target::over("with", 29.0, "without")), Some(false));
    }
}
