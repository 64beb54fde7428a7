//! Which requests a server will run.

use crate::authorise::Policy;
use crate::bus::InFlight;
use crate::error::CallErrorKind;
use crate::server::endpoint::Endpoints;
use crate::server::handler::{MethodId, Registered};
use crate::server::life::Life;
use crate::server::offers::Offers;

/// What a server offers, and to whom.
pub(super) struct Admission {
    policy: Policy,
    endpoints: Endpoints,
}

impl Admission {
    pub(super) fn new(policy: Policy, endpoints: Endpoints) -> Admission {
        Admission { policy, endpoints }
    }

    /// What it offers.
    pub(super) fn offers(&self) -> &Offers {
        self.endpoints.offers()
    }

    /// A method that was found.
    #[inline]
    pub(super) fn method(&self, id: MethodId) -> &Registered {
        self.endpoints.method(id)
    }

    /// The method that a request is for, when a server of this `life` will run it.
    ///
    /// # Errors
    /// Why not.
    #[inline]
    pub(super) fn admit(&self, request: &InFlight, life: &Life) -> Result<MethodId, CallErrorKind> {
        // Before anything else: who may not call learns nothing about what there is to call (S8, C-VE-5).
        if let Some(forbidden) = self.policy.refusal(request) {
            return Err(forbidden);
        }
        let head = request.head();
        if life.is_stopping() {
            return Err(CallErrorKind::ShuttingDown);
        }
        let found = self.endpoints.find(head).map_err(|kind| {
            // Where not everybody may call everything, not everybody is told what else there is.
            if self.policy.is_set() {
                kind.without_suggestion()
            } else {
                kind
            }
        })?;
        if let (Some(ours), Some(theirs)) = (self.method(found).fingerprint, head.fingerprint) {
            let ours = ours();
            if ours != theirs {
                return Err(CallErrorKind::SchemaMismatch {
                    method: head.method.to_string(),
                    ours,
                    theirs,
                });
            }
        }
        if !head.codec.is_known() {
            return Err(CallErrorKind::UnknownCodec {
                codec: head.codec.to_byte(),
            });
        }
        // Whether it is too late is asked once, when its handler is to start: a look at the clock is a tenth of a call.
        Ok(found)
    }
}
