//! How the connections of a hub or a member authenticate (PR-AUTH).

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::session::Auth;

/// Makes what each connection authenticates with; without anything inside, none does.
#[derive(Clone, Default)]
pub(super) struct Credentials(pub(super) Option<Arc<dyn Fn() -> io::Result<Auth> + Send + Sync>>);

impl Credentials {
    /// For one more connection, with a nonce of its own (S15).
    pub(super) fn next(&self) -> io::Result<Option<Auth>> {
        self.0.as_ref().map(|next| next()).transpose()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "[redacted]"
        } else {
            "none"
        })
    }
}
