//! Prints Markdown.

use crate::arguments::Arguments;
use crate::harness::Row;
use crate::target::Target;

/// What is to be known of the whole run.
pub(crate) fn opening(arguments: &Arguments) {
    if arguments.operations.is_some() {
        return;
    }
    let build = if cfg!(debug_assertions) {
        "debug build, whose figures mean nothing"
    } else {
        "release build"
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!(
        "# tidings, side by side\n\n{build}, {cores} cores, {} rounds of {:?} per case, cases in turn; median (min .. max) per operation",
        arguments.rounds, arguments.round
    );
}

/// The figures of a group, as a table.
pub(crate) fn table(title: &str, rows: &[Row], on_sockets: bool) {
    println!("\n## {title}\n");
    let (heads, rules) = if on_sockets {
        (" context switches |", "---:|")
    } else {
        ("", "")
    };
    println!("| case | time | min .. max | per second | allocations |{heads}");
    println!("|---|---:|---:|---:|---:|{rules}");
    for row in rows {
        let (least, most) = row.range();
        print!(
            "| {} | {} | {} .. {} | {} | {:.2} |",
            row.name,
            time(row.median()),
            time(least),
            time(most),
            rate(row.median()),
            row.counts.allocations,
        );
        if on_sockets {
            print!(" {:.2} |", row.counts.switches);
        }
        println!();
    }
}

/// What was to be reached, as a table; nothing when no target can be judged.
pub(crate) fn targets(targets: &[Target], rows: &[Row]) {
    let verdicts: Vec<_> = targets
        .iter()
        .filter_map(|target| target.verdict(rows))
        .collect();
    if verdicts.is_empty() {
        return;
    }
    println!("\n| target | measured | |\n|---|---:|---|");
    for verdict in verdicts {
        let word = if verdict.reached {
            "reached"
        } else {
            "**not reached**"
        };
        println!("| {} | {} | {word} |", verdict.target, verdict.measured);
    }
}

fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        n if n < 1e3 => format!("{n:.1} ns"),
        n if n < 1e6 => format!("{:.2} us", n / 1e3),
        n => format!("{:.2} ms", n / 1e6),
    }
}

fn rate(nanoseconds: f64) -> String {
    match 1e9 / nanoseconds {
        n if n < 1e3 => format!("{n:.0}"),
        n if n < 1e6 => format!("{:.0} k", n / 1e3),
        n => format!("{:.2} M", n / 1e6),
    }
}
