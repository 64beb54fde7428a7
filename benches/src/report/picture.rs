//! Bars: one for each of those that are compared.

use std::fmt::Write;

use super::{Report, Unit, markdown::rate};
use crate::groups::titles;
use crate::setting::{Size, Wire};

/// The pictures by their files' names; those whose figures were taken.
pub(super) fn all(report: &Report) -> Vec<(&'static str, String)> {
    let memory = titles::memory_call(Size::Number);
    let unix = titles::socket_in_flight(Wire::Unix, Size::Block, 64);
    [
        (
            "memory.svg",
            bars(
                report,
                &memory,
                "One call in memory: shorter is better",
                |time| (time, Unit::Nanoseconds.shown(time)),
            ),
        ),
        (
            "unix.svg",
            bars(
                report,
                &unix,
                "Calls in a second over a Unix socket, 64 in flight: longer is better",
                |time| (1e9 / time, rate(time)),
            ),
        ),
    ]
    .into_iter()
    .filter_map(|(name, picture)| Some((name, picture?)))
    .collect()
}

const WIDTH: f64 = 720.0;
/// Where bars begin; the names are on their left.
const LEFT: f64 = 270.0;
/// What is left for the longest bar, with its figure on its right.
const LONGEST: f64 = 360.0;
const LINE: f64 = 24.0;

/// A bar for each row of a section; `shown` gives a row's length and its text from its time.
fn bars(
    report: &Report,
    title: &str,
    head: &str,
    shown: fn(f64) -> (f64, String),
) -> Option<String> {
    let section = report.section(title)?;
    let mut bars: Vec<(&str, f64, String)> = section
        .rows
        .iter()
        .map(|row| {
            let (length, text) = shown(row.median);
            (row.name.as_str(), length, text)
        })
        .collect();
    let longest = bars
        .iter()
        .map(|bar| bar.1)
        .fold(f64::MIN_POSITIVE, f64::max);
    bars.sort_by(|a, b| a.1.total_cmp(&b.1));
    let height = LINE * (bars.len() as f64 + 2.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"12\" y=\"{LINE}\" font-weight=\"bold\" fill=\"#222222\">{}</text>\n",
        escaped(head)
    );
    for (nth, (name, length, text)) in bars.iter().enumerate() {
        let top = LINE * (nth as f64 + 1.5);
        let baseline = top + LINE * 0.7;
        let bar = (length / longest * LONGEST).max(1.0);
        let colour = if name.starts_with("tidings") {
            "#1f6f8b"
        } else {
            "#b8bec4"
        };
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{baseline}\" text-anchor=\"end\" fill=\"#222222\">{}</text>\n\
             <rect x=\"{LEFT}\" y=\"{}\" width=\"{bar:.1}\" height=\"{}\" fill=\"{colour}\"/>\n\
             <text x=\"{:.1}\" y=\"{baseline}\" fill=\"#222222\">{}</text>",
            LEFT - 8.0,
            escaped(name),
            top + 3.0,
            LINE - 6.0,
            LEFT + bar + 6.0,
            escaped(text)
        );
    }
    svg.push_str("</svg>\n");
    Some(svg)
}

fn escaped(text: &str) -> String {
    text.replace('`', "")
        .replace('&', "&amp;")
        .replace('<', "&lt;")
}
