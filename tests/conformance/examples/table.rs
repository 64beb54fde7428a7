//! Writes `docs/conformance.md` from the record of a run, or compares it with one: see `tests/conformance/table`.

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use tidings_conformance::record::Record;
use tidings_conformance::table;

const COLUMNS: [&str; 5] = ["memory", "memory, strict", "unix", "tcp", "tcp, TLS"];

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["write", record] => made(record).and_then(|page| {
            fs::write(docs("conformance.md"), page).map_err(|error| error.to_string())
        }),
        ["check", record] => made(record).and_then(|page| check(&page)),
        _ => Err("usage: table write|check RECORD".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

fn made(record: &str) -> Result<String, String> {
    let record = Record::read(Path::new(record)).map_err(|error| error.to_string())?;
    let missing = record.missing();
    if !missing.is_empty() {
        return Err(format!("failed, or not run:\n{}", missing.join("\n")));
    }
    let contract = fs::read_to_string(docs("contract.md")).map_err(|error| error.to_string())?;
    let page = table::page(&contract, &COLUMNS, &record);
    if page.contains(table::GAP) {
        return Err(format!("a clause was shown nowhere:\n{page}"));
    }
    Ok(page)
}

fn check(page: &str) -> Result<(), String> {
    let kept = fs::read_to_string(docs("conformance.md")).map_err(|error| error.to_string())?;
    if kept == page {
        return Ok(());
    }
    let mut differences: Vec<String> = Vec::new();
    let (kept, page): (Vec<&str>, Vec<&str>) = (kept.lines().collect(), page.lines().collect());
    differences.extend(
        kept.iter()
            .filter(|line| !page.contains(line))
            .map(|line| format!("- {line}")),
    );
    differences.extend(
        page.iter()
            .filter(|line| !kept.contains(line))
            .map(|line| format!("+ {line}")),
    );
    Err(format!(
        "docs/conformance.md is not what this run has shown:\n{}\nWrite it anew by `tests/conformance/table`.",
        differences.join("\n")
    ))
}

fn docs(page: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(page)
}
