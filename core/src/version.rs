//! Versions of services, and which serves which (C-VE-1).

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// `X.Y` or `X.Y.Z`. A message without a version counts as 1.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Incompatible changes.
    pub major: u16,
    /// Additions.
    pub minor: u16,
    /// Corrections.
    pub patch: u16,
}

impl Version {
    /// The version of a message that names none.
    pub const DEFAULT: Version = Version::new(1, 0, 0);

    /// A version from its parts.
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Version {
            major,
            minor,
            patch,
        }
    }

    /// Whether an implementation of this version serves a request for `requested`.
    ///
    /// ```
    /// # use tidings_core::Version;
    /// let version = |text: &str| text.parse::<Version>().unwrap();
    /// assert!(version("1.24").serves(version("1.23.1")));
    /// assert!(!version("1.23").serves(version("1.23.1")));
    /// assert!(!version("2.0").serves(version("1.0")));
    /// ```
    pub const fn serves(self, requested: Version) -> bool {
        self.major == requested.major
            && (requested.minor < self.minor
                || (requested.minor == self.minor && requested.patch <= self.patch))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if self.patch > 0 {
            write!(f, ".{}", self.patch)?;
        }
        Ok(())
    }
}

/// Where a version is asked for, a text will do: `.version("1.3")`.
impl TryFrom<&str> for Version {
    type Error = VersionError;

    fn try_from(text: &str) -> Result<Self, VersionError> {
        text.parse()
    }
}

/// A text that is not a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a version: write `X.Y` or `X.Y.Z`, for example `1.0`")]
pub struct VersionError(String);

/// What is a [`Version`] already cannot fail to be one.
impl From<Infallible> for VersionError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let wrong = || VersionError(text.escape_debug().to_string());
        let mut parts = text.split('.').map(|part| match part {
            digits if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse::<u16>().ok()
            }
            _ => None,
        });
        let mut next = || parts.next().map(|part| part.ok_or_else(wrong)).transpose();
        let (Some(major), Some(minor), patch, None) =
            (next()?, next()?, next()?.unwrap_or(0), next()?)
        else {
            return Err(wrong());
        };
        Ok(Version {
            major,
            minor,
            patch,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_no_version_are_refused() {
        for bad in [
            "", "1", "1.", ".1", "1.2.3.4", "1.x", "+1.0", "1. 0", "70000.0",
        ] {
            assert!(bad.parse::<Version>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_version_prints_as_it_is_written() {
        for text in ["1.0", "1.24", "1.23.1"] {
            assert_eq!(text.parse::<Version>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_later_patch_of_an_earlier_minor_is_served() {
        assert!(Version::new(1, 24, 0).serves(Version::new(1, 23, 9)));
        assert!(!Version::new(1, 24, 0).serves(Version::new(1, 25, 0)));
        assert!(!Version::new(1, 24, 0).serves(Version::new(2, 0, 0)));
    }
}
