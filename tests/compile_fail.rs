//! What `#[service]` says to a user who wrote something that cannot be served, and where.
//!
//! Each file in `tests/compile_fail/` is a program that must not compile. A comment `//~ text => advice` says that an
//! error starts at `text` on its line and contains `advice` (it may be told more than once); `//~^` says the same of the
//! line before. Nothing else may be told. All programs are checked by one run of cargo.
#![cfg(all(feature = "macros", feature = "memory"))]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// An error, expected or found: its line, and a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    line: usize,
    place: String,
    advice: String,
}

#[test]
fn what_cannot_be_served_is_told_at_its_place() {
    let cases = cases();
    assert!(cases.len() > 5, "the cases are not where they were");
    let output = check(&cases);
    let mut found = errors(&output, &cases);
    let mut wrong = Vec::new();
    for (name, source) in &cases {
        let mut found = found.remove(name).unwrap_or_default();
        for expected in expectations(source) {
            let before = found.len();
            found.retain(|told| !matches(told, &expected));
            if found.len() == before {
                wrong.push(format!("{name}: not told: {expected:?}"));
            }
        }
        wrong.extend(found.iter().map(|told| format!("{name}: told: {told:?}")));
    }
    assert!(wrong.is_empty(), "{}\n\n{output}", wrong.join("\n"));
}

fn matches(told: &Told, expected: &Told) -> bool {
    told.line == expected.line
        && told.place.starts_with(&expected.place)
        && told.advice.contains(&expected.advice)
}

/// The programs, by name.
fn cases() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_fail");
    let mut cases = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        cases.insert(name, fs::read_to_string(&path).unwrap());
    }
    cases
}

/// The errors that the comments of a program speak of.
fn expectations(source: &str) -> Vec<Told> {
    let mut expected = Vec::new();
    for (number, text) in (1..).zip(source.lines()) {
        for comment in text.split("//~").skip(1) {
            let (line, comment) = match comment.strip_prefix('^') {
                Some(comment) => (number - 1, comment),
                None => (number, comment),
            };
            let (place, advice) = comment.split_once("=>").expect("`text => advice`");
            expected.push(Told {
                line,
                place: place.trim().to_owned(),
                advice: advice.trim().to_owned(),
            });
        }
    }
    assert!(!expected.is_empty(), "a program that expects nothing");
    expected
}

/// Has cargo check all programs, and returns what the compiler says: one line for each error.
fn check(cases: &BTreeMap<String, String>) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let package = scratch.join("compile_fail");
    let mut manifest = format!(
        "[package]\nname = \"compile-fail\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
         tidings = {{ path = {root:?} }}\nserde = {{ version = \"1\", features = [\"derive\"] }}\n"
    );
    fs::create_dir_all(&package).unwrap();
    for (name, source) in cases {
        fs::write(package.join(name).with_extension("rs"), source).unwrap();
        manifest += &format!("\n[[bin]]\nname = \"{name}\"\npath = \"{name}.rs\"\n");
    }
    fs::write(package.join("Cargo.toml"), manifest).unwrap();
    // The same versions as this build has, which are on this machine.
    fs::copy(root.join("Cargo.lock"), package.join("Cargo.lock")).unwrap();
    let output = Command::new(env!("CARGO"))
        .args([
            "check",
            "--offline",
            "--keep-going",
            "--message-format=short",
            "--color=never",
        ])
        .arg("--target-dir")
        .arg(scratch.parent().unwrap())
        .current_dir(&package)
        .output()
        .unwrap();
    assert!(!output.status.success(), "programs compile that must not");
    String::from_utf8(output.stderr).unwrap()
}

/// The errors in what the compiler said, by program.
fn errors(output: &str, cases: &BTreeMap<String, String>) -> BTreeMap<String, Vec<Told>> {
    let mut errors: BTreeMap<String, Vec<Told>> = BTreeMap::new();
    for text in output.lines() {
        let Some((place, rest)) = text.split_once(": error") else {
            continue;
        };
        let mut parts = place.rsplitn(3, ':');
        let (Some(column), Some(line), Some(file)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let name = Path::new(file).file_stem().unwrap().to_str().unwrap();
        let (line, column): (usize, usize) = (line.parse().unwrap(), column.parse().unwrap());
        let source = cases[name].lines().nth(line - 1).unwrap();
        let code = source.split("//~").next().unwrap();
        errors.entry(name.to_owned()).or_default().push(Told {
            line,
            place: code
                .chars()
                .skip(column - 1)
                .collect::<String>()
                .trim()
                .to_owned(),
            advice: rest.to_owned(),
        });
    }
    errors
}
