//! Bus addresses: `scheme:place?option=value&...`.

use std::fmt;

use crate::error::OpenError;

/// Where a bus is: `mem:`, `mem:name`, `unix:/run/app.sock`, each with options behind `?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    scheme: String,
    place: String,
    options: Vec<(String, String)>,
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// [`OpenError::Address`] when it has no scheme, or an option is not of the form `name=value`.
    pub fn parse(text: &str) -> Result<Self, OpenError> {
        let wrong = |reason: &str| OpenError::Address {
            address: escaped(text),
            reason: reason.into(),
        };
        let (scheme, rest) = text
            .split_once(':')
            .ok_or_else(|| wrong("it has no scheme; write `mem:` or `unix:/path`"))?;
        if scheme.is_empty()
            || !scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'-')
        {
            return Err(wrong(
                "its scheme is not a word; write `mem:` or `unix:/path`",
            ));
        }
        let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
        let options = options
            .split('&')
            .filter(|option| !option.is_empty())
            .map(|option| option.split_once('=').unwrap_or((option, "")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Ok(Address {
            scheme: scheme.to_ascii_lowercase(),
            place: place.to_owned(),
            options,
        })
    }

    /// What stands before the colon, in lower case.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// What stands between the colon and the options.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The options in their order; one without `=` has an empty value.
    pub fn options(&self) -> impl Iterator<Item = (&str, &str)> {
        self.options
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The failure that this address cannot be used for `reason`.
    pub fn refuse(&self, reason: impl Into<String>) -> OpenError {
        OpenError::Address {
            address: escaped(&self.to_string()),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.scheme, self.place)?;
        let mut separator = '?';
        for (name, value) in &self.options {
            write!(f, "{separator}{name}")?;
            if !value.is_empty() {
                write!(f, "={value}")?;
            }
            separator = '&';
        }
        Ok(())
    }
}

/// `text` without anything that a log or terminal would obey, and not endless (S13).
pub(crate) fn escaped(text: &str) -> String {
    text.chars()
        .take(256)
        .flat_map(char::escape_debug)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_a_place_and_options() {
        let address = Address::parse("UNIX:/run/a.sock?listen&uid=7").unwrap();
        assert_eq!((address.scheme(), address.place()), ("unix", "/run/a.sock"));
        assert_eq!(
            address.options().collect::<Vec<_>>(),
            [("listen", ""), ("uid", "7")]
        );
        assert_eq!(address.to_string(), "unix:/run/a.sock?listen&uid=7");
    }

    #[test]
    fn an_address_without_a_scheme_says_what_to_write() {
        for bad in ["", "/run/a.sock", ":x", "a b:c"] {
            assert!(
                Address::parse(bad)
                    .unwrap_err()
                    .to_string()
                    .contains("unix:/path"),
                "{bad:?}"
            );
        }
    }
}
