//! Texts of peers as they may be shown: nothing in them that a log or a terminal would obey (S13).

use std::fmt::{self, Write};

/// Writes on what is written to it, with control characters, line breaks and marks that change the direction of a text
/// as their numbers.
pub(super) struct Printable<W>(pub(super) W);

impl<W: Write> Write for Printable<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(obeyed) {
            let (plain, from) = rest.split_at(at);
            self.0.write_str(plain)?;
            let mut characters = from.chars();
            if let Some(character) = characters.next() {
                write!(self.0, "{}", character.escape_default())?;
            }
            rest = characters.as_str();
        }
        self.0.write_str(rest)
    }
}

fn obeyed(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// `text` as it may be shown.
pub(super) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    // A string takes all that is written to it.
    let _ = Printable(&mut shown).write_str(text);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_obeyed_becomes_its_number_and_the_rest_stays() {
        for (text, shown) in [
            ("", ""),
            ("it's a \"text\" \\ \u{fc}", "it's a \"text\" \\ \u{fc}"),
            ("a\nb\r\n", "a\\nb\\r\\n"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("\u{202e}txt.exe\0", "\\u{202e}txt.exe\\u{0}"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }

    /// S13: whatever a peer puts into a failure, no line and no escape of its comes out.
    #[test]
    fn a_failure_shows_nothing_of_a_peer_that_a_terminal_would_obey() {
        use crate::error::{CallError, CallErrorKind as Kind, Fate, RemoteError, Stage};
        let text = || String::from("a\nb\u{1b}[2J\u{202e}");
        let remote = RemoteError::new(text(), text(), Vec::new());
        let kinds = [
            Kind::Remote(remote.clone()),
            Kind::BadRequest(text()),
            Kind::Forbidden(text()),
            Kind::ReplyEncode(text()),
            Kind::ConnectionLost(text()),
            Kind::Other(text()),
            Kind::NotConnected {
                address: text(),
                reason: text(),
            },
            Kind::NoServer {
                exchange: text(),
                topic: text(),
                server: Some(text()),
                near: Some(text()),
            },
        ];
        let mut shown = vec![remote.to_string(), format!("{remote:?}")];
        for kind in kinds {
            let bare = CallError::new(kind, Fate::Unknown, Stage::Sent);
            let told = bare
                .clone()
                .of_request("t.m".into(), std::time::Duration::ZERO, false);
            let debug = [format!("{bare:?}"), format!("{told:?}")];
            shown.extend(
                [bare.to_string(), told.to_string()]
                    .into_iter()
                    .chain(debug),
            );
        }
        for text in shown {
            assert!(text.contains("[2J") && !text.contains(obeyed), "{text:?}");
        }
    }
}
