//! Two runs, side by side.

use std::path::Path;

use super::{Report, Row};

/// Differences below this are taken for noise.
const NOISE: f64 = 0.1;

/// Prints how the figures of `after` differ from those of `before`.
pub(crate) fn compare(before: &Path, after: &Path) -> Result<(), String> {
    let (before, after) = (Report::read(before)?, Report::read(after)?);
    println!(
        "# Two runs compared\n\nBefore: {}\n\nAfter: {}\n\nIn bold what differs by more than {} %.",
        before.machine.in_words(),
        after.machine.in_words(),
        NOISE * 100.0
    );
    for section in &after.sections {
        let Some(earlier) = before.section(&section.title) else {
            continue;
        };
        let pairs = section.rows.iter();
        let pairs: Vec<(&Row, &Row)> = pairs
            .filter_map(|row| Some((earlier.row(&row.name)?, row)))
            .collect();
        if pairs.is_empty() {
            continue;
        }
        println!(
            "\n## {}\n\n| case | before | after | after / before | allocations |\n|---|---:|---:|---:|---:|",
            section.title
        );
        for (before, after) in pairs {
            println!("{}", line(before, after));
        }
    }
    Ok(())
}

fn line(before: &Row, after: &Row) -> String {
    let ratio = after.median / before.median;
    let ratio = if (ratio - 1.0).abs() > NOISE {
        format!("**{ratio:.2}**")
    } else {
        format!("{ratio:.2}")
    };
    let allocations = match (before.allocations, after.allocations) {
        (Some(before), Some(after)) if (before - after).abs() >= 0.01 => {
            format!("**{before:.2} -> {after:.2}**")
        }
        (_, Some(same)) => format!("{same:.2}"),
        (_, None) => "–".into(),
    };
    format!(
        "| {} | {} | {} | {ratio} | {allocations} |",
        after.name,
        before.unit.shown(before.median),
        after.unit.shown(after.median)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Unit;

    #[test]
    fn what_differs_more_than_noise_is_in_bold() {
        let row = |figure, allocations| Row {
            allocations: Some(allocations),
            ..Row::of("a", Unit::Nanoseconds, figure)
        };
        let same = line(&row(100.0, 3.0), &row(105.0, 3.0));
        assert_eq!(same, "| a | 100.0 ns | 105.0 ns | 1.05 | 3.00 |");
        let differs = line(&row(100.0, 3.0), &row(50.0, 2.0));
        assert_eq!(
            differs,
            "| a | 100.0 ns | 50.0 ns | **0.50** | **3.00 -> 2.00** |"
        );
    }
}
