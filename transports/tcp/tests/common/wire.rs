//! What a hub and its members say in their addresses, without TLS and with it.

#[cfg(feature = "tls")]
use super::certificates::Authority;

/// A kind of connection.
pub(crate) struct Wire {
    name: &'static str,
    hub: String,
    member: String,
    /// Keeps the files.
    #[cfg(feature = "tls")]
    _authority: Option<Authority>,
}

impl Wire {
    /// Runs `test` over each that this build has.
    pub(crate) fn each(test: impl Fn(&Wire)) {
        for wire in Wire::all() {
            eprintln!("{}", wire.name);
            test(&wire);
        }
    }

    fn all() -> Vec<Wire> {
        vec![
            Wire::plain(),
            #[cfg(feature = "tls")]
            Wire::tls(),
        ]
    }

    fn plain() -> Wire {
        Wire {
            name: "plain",
            hub: String::new(),
            member: String::new(),
            #[cfg(feature = "tls")]
            _authority: None,
        }
    }

    #[cfg(feature = "tls")]
    fn tls() -> Wire {
        let authority = Authority::new();
        let own = authority.certificate(&["hub.test"]).options();
        Wire {
            name: "TLS",
            hub: format!("&tls&{own}"),
            member: format!("&tls&{}&name=hub.test", authority.trusted()),
            _authority: Some(authority),
        }
    }

    /// How to serve `address`.
    pub(crate) fn hub(&self, address: &str) -> String {
        format!("{address}?listen{}", self.hub)
    }

    /// How to connect to `address`, with one more option.
    pub(crate) fn member(&self, address: &str, more: &str) -> String {
        format!("{address}?{more}{}", self.member)
    }
}
