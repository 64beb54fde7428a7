//! What a rule says of a name: all of it, or how it begins.

use crate::name;

/// One name, or all that begin with a text: `orders`, `orders.*`, `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pattern {
    Exactly(Box<str>),
    BeginsWith(Box<str>),
}

/// A text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{pattern}` is no pattern for the {what}: write a name, or how names begin and a `*` at the end"
)]
#[non_exhaustive]
pub struct PatternError {
    /// What it was for: "topic", "method", ...
    pub what: &'static str,
    /// The text, escaped.
    pub pattern: String,
}

impl Pattern {
    pub(super) fn parse(what: &'static str, text: &str) -> Result<Pattern, PatternError> {
        let refused = |_| PatternError {
            what,
            pattern: text.escape_debug().take(256).collect(),
        };
        let pattern = match text.strip_suffix('*') {
            Some("") => return Ok(Pattern::BeginsWith("".into())),
            Some(begin) => {
                name::check(what, begin).map_err(refused)?;
                Pattern::BeginsWith(begin.into())
            }
            None => {
                name::check(what, text).map_err(refused)?;
                Pattern::Exactly(text.into())
            }
        };
        Ok(pattern)
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        match self {
            Pattern::Exactly(text) => name == &**text,
            Pattern::BeginsWith(begin) => name.starts_with(&**begin),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse("topic", text).unwrap()
    }

    #[test]
    fn a_star_stands_for_any_ending_and_nothing_else_stands_for_anything() {
        for (text, matching, others) in [
            ("a", &["a"][..], &["", "b", "aa", "A", "a*", "a.b"][..]),
            ("a*", &["a", "ab", "a.b", "a*"], &["", "b", "ba", "A"]),
            ("a.*", &["a.", "a.b", "a.b.c"], &["a", "ab", "a-b", "b.a."]),
            ("*", &["a", "", "a.b", "*"], &[]),
            (".", &["."], &["a", ""]),
        ] {
            for name in matching {
                assert!(pattern(text).matches(name), "{text} {name}");
            }
            for name in others {
                assert!(!pattern(text).matches(name), "{text} {name}");
            }
        }
    }

    #[test]
    fn what_would_match_nothing_or_something_unmeant_is_refused() {
        for text in [
            "", "a*b", "*a", "**", "a**", "a b", "a?", "[a]", "a\n", "\u{e9}*", "^a$",
        ] {
            let error = Pattern::parse("method", text).unwrap_err();
            assert_eq!(error.what, "method");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }

    /// Against the plainest statement of what a pattern means, over all short names of a small alphabet.
    #[test]
    fn patterns_match_what_they_say_over_all_short_names() {
        let letters = ['a', 'b', '.', '-'];
        let mut names = vec![String::new()];
        let mut from = 0;
        for _ in 0..4 {
            let longer: Vec<String> = names[from..]
                .iter()
                .flat_map(|name| letters.map(|letter| format!("{name}{letter}")))
                .collect();
            from = names.len();
            names.extend(longer);
        }
        for text in &names[1..] {
            let (exactly, begins) = (pattern(text), pattern(&format!("{text}*")));
            for name in &names {
                let bytes = (name.as_bytes(), text.as_bytes());
                assert_eq!(exactly.matches(name), bytes.0 == bytes.1);
                let begin = bytes.0.get(..bytes.1.len());
                assert_eq!(
                    begins.matches(name),
                    begin == Some(bytes.1),
                    "{text}* {name}"
                );
            }
        }
    }
}
