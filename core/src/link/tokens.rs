//! From the options of a bus to whom its links let in and what they let be done.

use std::io;
use std::sync::Arc;

use super::LinkOptions;
use super::credentials::Next;
use crate::error::OpenError;
use crate::session::Auth;
use crate::token;
use crate::transport::OpenOptions;

/// These take the tokens, the policy and the memory of a bus. A bus that was given any token speaks with nobody who proves none:
/// where one is missing for the role that the process has or may come to have, it is not opened.
impl LinkOptions {
    /// The same for a process that serves its address: it lets in who proves one of the tokens that it was told to
    /// accept, and its own requests have its own token's name. Without any tokens everybody is let in whom the listener
    /// admits.
    ///
    /// # Errors
    /// [`OpenError::Unsupported`] when the bus has a token of its own but none to accept, or an empty list of them.
    pub fn as_hub(mut self, options: &OpenOptions) -> Result<Self, OpenError> {
        self.policy = options.policy.clone();
        self.memory = options.memory.clone();
        if let Some(own) = &options.tokens.own {
            self.identity = self.identity.with_name(own.name());
        }
        self.credentials.as_hub = self.demand(options)?;
        Ok(self)
    }

    /// The same for one that connects: it proves its token, and takes no hub that does not know that token's secret.
    ///
    /// # Errors
    /// [`OpenError::Unsupported`] when the bus was told to accept tokens but has none of its own.
    pub fn as_member(mut self, options: &OpenOptions) -> Result<Self, OpenError> {
        self.memory = options.memory.clone();
        self.credentials.as_member = self.prove(options)?;
        Ok(self)
    }

    /// The same for one that does the one or the other, as things stand.
    ///
    /// # Errors
    /// Those of both: it has all that it needs, or is not opened.
    pub fn as_either(self, options: &OpenOptions) -> Result<Self, OpenError> {
        self.as_hub(options)?.as_member(options)
    }

    fn demand(&self, options: &OpenOptions) -> Result<Option<Next>, OpenError> {
        let accepted = match (&options.tokens.own, &options.tokens.accepted) {
            (None, None) => return Ok(None),
            (_, Some(accepted)) if !accepted.is_empty() => accepted,
            _ => {
                return Err(self.not_with(
                    "this process serves the address, or may come to, and has none to accept: say whom it takes with \
                     `.accept_tokens([..])`, or only connect",
                ));
            }
        };
        let accepted = token::accepted(accepted).map_err(|error| self.no_chance(&error))?;
        let accepted = Arc::new(accepted);
        Ok(Some(Arc::new(move || {
            Ok(Auth::Demand {
                nonce: token::nonce()?,
                accepted: accepted.clone(),
            })
        })))
    }

    fn prove(&self, options: &OpenOptions) -> Result<Option<Next>, OpenError> {
        let own = match (&options.tokens.own, &options.tokens.accepted) {
            (None, None) => return Ok(None),
            (Some(own), _) => own,
            (None, Some(_)) => {
                return Err(self.not_with(
                    "somebody else may serve the address, and this process has none to show: give it one with \
                     `.token(..)`, or only listen",
                ));
            }
        };
        let wrong = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
        let proven = token::secret(own).map_err(wrong);
        let (name, secret) = proven.map_err(|error| self.no_chance(&error))?;
        Ok(Some(Arc::new(move || {
            Ok(Auth::Prove {
                nonce: token::nonce()?,
                name: name.clone(),
                secret: secret.clone(),
            })
        })))
    }

    fn not_with(&self, advice: &'static str) -> OpenError {
        OpenError::Unsupported {
            address: self.address.clone(),
            what: "a token",
            advice,
        }
    }

    fn no_chance(&self, error: &io::Error) -> OpenError {
        OpenError::Refused {
            address: self.address.clone(),
            reason: format!("tokens cannot be used here: {error}"),
        }
    }
}
