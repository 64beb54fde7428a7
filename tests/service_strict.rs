//! The output of `#[service]` in a crate that denies what can be denied, and that has types named like those of the
//! standard library: it compiles, without a warning.
#![cfg(all(feature = "macros", feature = "memory"))]
#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    unused,
    rust_2018_idioms,
    clippy::all,
    clippy::pedantic,
    clippy::nursery,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]
// Of the user's own visibility.
#![allow(clippy::redundant_pub_crate)]

/// A service whose module has types of these names.
pub mod shadowed {
    use serde::{Deserialize, Serialize};

    macro_rules! types {
        ($($name:ident)*) => {$(
            /// A type of the user's.
            #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
            pub struct $name {
                /// Something.
                pub field: u8,
            }
        )*};
    }
    types!(String Option Box Vec Result Future Arc Send Sync S Service Context Request Bus Clone Into OnceLock Payload TryInto Version VersionError V);

    /// Takes and gives what is named like something else.
    #[tidings::service(
        version = "1.2.3",
        topic = "shadowed-names",
        namespace = "shadows",
        alias = "names",
        alias = none
    )]
    pub trait Shadowed {
        /// Gives both back.
        async fn first(&self, string: String, option: Option) -> Result;
        /// Gives one of them back.
        #[since = "1.1"]
        fn second(&self, s: S, service: Service, future: Future, arc: Arc) -> Box;
        /// Fails with its own type.
        ///
        /// # Errors
        /// Always.
        #[blocking]
        fn third(&self, context: Context, request: Request) -> std::result::Result<Vec, Error>;
    }

    /// An error that can travel.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Error;

    impl std::fmt::Display for Error {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("no")
        }
    }
}

/// Methods of all kinds, with attributes.
#[tidings::service]
#[deprecated = "only for this test"]
pub trait Attributed {
    /// Async, with a default body.
    async fn waits(&self, first: u8, second: u8) -> u8 {
        if first == 0 {
            return second;
        }
        first
    }
    /// Quick, with a default body.
    fn quick(&self) -> u8 {
        1
    }
    /// The result matters.
    #[must_use]
    fn matters(&self) -> u8;
    /// The result of this as well.
    #[must_use]
    async fn matters_later(&self) -> u8;
    /// Compiled by a condition.
    #[cfg(test)]
    fn present(&self, value: u8);
    /// Left out by a condition, of another type.
    #[cfg(not(test))]
    fn present(&self, value: ThereIsNoSuchType);
    /// Not to be called any more.
    #[deprecated(note = "call `present`")]
    fn old(&self);
    /// Named with a keyword.
    fn r#type(&self, r#in: u8, #[ctx] r#fn: tidings::Context) -> u8;
    /// With much to say.
    #[allow(clippy::too_many_arguments)]
    fn many(&self, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8);
}

/// Left out as a whole.
#[tidings::service]
#[cfg(not(test))]
pub trait Absent {
    /// Of a type that nobody has.
    fn value(&self, value: ThereIsNoSuchType);
}

/// Documented from elsewhere.
#[tidings::service]
pub trait Documented {
    #[doc = include_str!("../LICENSE-MIT")]
    fn licence(&self) -> std::borrow::Cow<'static, str>;
}

mod hidden {
    /// A service that nobody outside sees, and that nobody here uses.
    #[tidings::service]
    pub(crate) trait Narrow {
        fn value(&self) -> u8;
    }

    #[tidings::service]
    pub(super) trait Upward {
        fn value(&self) -> u8;
    }

    #[tidings::service]
    trait Private {
        fn value(&self) -> u8;
    }
}

/// The crate under another name.
pub mod elsewhere {
    /// Where it is.
    pub mod inner {
        pub use tidings as bus;
    }

    /// A service that finds the crate there.
    #[inner::bus::service(crate = inner::bus)]
    pub trait Moved {
        /// A value.
        fn value(&self) -> u8;
    }
}

/// A trait from a macro of the user's.
macro_rules! service_of {
    ($(#[$doc:meta])* $name:ident, $argument:ident: $ty:ty, $output:ty) => {
        $(#[$doc])*
        #[tidings::service]
        pub trait $name {
            /// Made by a macro.
            async fn value(&self, $argument: $ty) -> $output {
                let _ = self;
                let _ = $argument;
                Ok(0)
            }
        }
    };
}
service_of!(
    /// From a macro.
    FromMacro,
    text: String,
    Result<u8, shadowed::Error>
);

#[test]
fn it_compiles() {}
