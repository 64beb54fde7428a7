//! What kind of file it is, by its first bytes and by its name.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The kind of a file. Its name is what the database has and what the report prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    Empty,
    Rust,
    C,
    Script,
    Markup,
    Configuration,
    Text,
    Image,
    Font,
    Archive,
    Executable,
    Binary,
}

const ALL: [(Kind, &str); 12] = [
    (Kind::Empty, "empty"),
    (Kind::Rust, "rust"),
    (Kind::C, "c"),
    (Kind::Script, "script"),
    (Kind::Markup, "markup"),
    (Kind::Configuration, "configuration"),
    (Kind::Text, "text"),
    (Kind::Image, "image"),
    (Kind::Font, "font"),
    (Kind::Archive, "archive"),
    (Kind::Executable, "executable"),
    (Kind::Binary, "binary"),
];

/// How binary formats begin.
const MAGIC: [(&[u8], Kind); 15] = [
    (b"\x7fELF", Kind::Executable),
    (b"MZ\x90\0", Kind::Executable),
    (b"\x89PNG\r\n\x1a\n", Kind::Image),
    (b"\xff\xd8\xff", Kind::Image),
    (b"GIF8", Kind::Image),
    (b"\0\0\x01\0", Kind::Image),
    (b"OTTO\0", Kind::Font),
    (b"\0\x01\0\0\0", Kind::Font),
    (b"wOFF", Kind::Font),
    (b"\x1f\x8b", Kind::Archive),
    (b"PK\x03\x04", Kind::Archive),
    (b"BZh", Kind::Archive),
    (b"\xfd7zXZ\0", Kind::Archive),
    (b"\x28\xb5\x2f\xfd", Kind::Archive),
    (b"!<arch>\n", Kind::Archive),
];

impl Kind {
    /// Judges a file by its path and its first bytes, `start`. The content decides what is binary, the name decides
    /// which sort of text it is: that is where each of them can be trusted.
    pub fn detect(path: &Path, start: &[u8]) -> Kind {
        if start.is_empty() {
            return Kind::Empty;
        }
        if let Some((_, kind)) = MAGIC.iter().find(|(magic, _)| start.starts_with(magic)) {
            return *kind;
        }
        if start.contains(&0) {
            return Kind::Binary;
        }
        if start.starts_with(b"#!") {
            return Kind::Script;
        }
        let extension = path.extension().and_then(|extension| extension.to_str());
        match extension.unwrap_or_default() {
            "rs" => Kind::Rust,
            "c" | "h" | "cc" | "cpp" | "hpp" => Kind::C,
            "sh" | "py" | "pl" | "pm" | "rb" | "js" | "lua" | "awk" | "vim" | "tcl" => Kind::Script,
            "html" | "htm" | "xml" | "svg" | "md" | "rst" | "css" | "tex" => Kind::Markup,
            "toml" | "json" | "yaml" | "yml" | "ini" | "conf" | "cfg" | "lock" => {
                Kind::Configuration
            }
            _ => Kind::Text,
        }
    }

    pub fn name(self) -> &'static str {
        let (_, name) = ALL
            .iter()
            .find(|(kind, _)| *kind == self)
            .unwrap_or(&(Kind::Binary, "binary"));
        name
    }

    pub fn from_name(name: &str) -> Option<Kind> {
        let (kind, _) = ALL.iter().find(|(_, known)| *known == name)?;
        Some(*kind)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
