//! How the connections of a hub or a member authenticate (PR-AUTH).

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::session::Auth;

/// Makes what one more connection authenticates with.
pub(super) type Next = Arc<dyn Fn() -> io::Result<Auth> + Send + Sync>;

/// Makes what each connection authenticates with, in either role; without anything inside, none does.
#[derive(Clone, Default)]
pub(super) struct Credentials {
    pub(super) as_hub: Option<Next>,
    pub(super) as_member: Option<Next>,
}

impl Credentials {
    /// For one more connection of a hub, with a nonce of its own (S15).
    ///
    /// # Errors
    /// The system's, when it gives no random bytes.
    pub(super) fn of_hub(&self) -> io::Result<Option<Auth>> {
        self.as_hub.as_ref().map(|next| next()).transpose()
    }

    /// The same for a member.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn of_member(&self) -> io::Result<Option<Auth>> {
        self.as_member.as_ref().map(|next| next()).transpose()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |next: &Option<Next>| next.as_ref().map_or("none", |_| "[redacted]");
        f.debug_struct("Credentials")
            .field("as_hub", &shown(&self.as_hub))
            .field("as_member", &shown(&self.as_member))
            .finish()
    }
}
