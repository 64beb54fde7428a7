//! From the tokens of a bus to what its connections authenticate with.

use std::io;
use std::sync::Arc;

use super::LinkOptions;
use super::credentials::Credentials;
use crate::error::OpenError;
use crate::session::{Auth, Name, Secret};
use crate::token::{self, Token};
use crate::transport::OpenOptions;

impl LinkOptions {
    /// The same for the hub of an address: its policy is that of the bus, and it lets in who proves one of the tokens that it was told to accept, and its
    /// own requests have its own token's name. Without any tokens everybody is let in whom the listener admits.
    ///
    /// # Errors
    /// [`OpenError::Unsupported`] when the bus has a token of its own but none to accept, or an empty list of them:
    /// it was not meant to let in just anybody.
    pub fn as_hub(mut self, options: &OpenOptions) -> Result<Self, OpenError> {
        self.policy = options.policy.clone();
        let tokens = &options.tokens;
        let accepted = match (&tokens.own, &tokens.accepted) {
            (None, None) => return Ok(self),
            (_, Some(accepted)) if !accepted.is_empty() => accepted,
            _ => {
                return Err(self.not_with(
                    "this process serves the address and has none to accept: say whom it takes with \
                     `.accept_tokens([..])`, or only connect",
                ));
            }
        };
        if let Some(own) = &tokens.own {
            self.identity = self.identity.with_name(own.name());
        }
        let accepted = Arc::new(token::accepted(accepted).map_err(|error| self.no_chance(error))?);
        self.credentials = Credentials(Some(Arc::new(move || {
            Ok(Auth::Demand {
                nonce: token::nonce()?,
                accepted: accepted.clone(),
            })
        })));
        Ok(self)
    }

    /// The same for a member: it proves its token, and takes no hub that does not know that token's secret.
    ///
    /// # Errors
    /// [`OpenError::Unsupported`] when the bus was told to accept tokens but has none of its own: somebody else
    /// serves the address, and it cannot know whether that is who is meant.
    pub fn as_member(mut self, options: &OpenOptions) -> Result<Self, OpenError> {
        let tokens = &options.tokens;
        let (name, secret) = match (&tokens.own, &tokens.accepted) {
            (None, None) => return Ok(self),
            (Some(own), _) => self.of_member(own)?,
            (None, Some(_)) => {
                return Err(self.not_with(
                    "somebody else serves the address and this process has none to show: give it one with `.token(..)`, \
                     or only serve",
                ));
            }
        };
        self.credentials = Credentials(Some(Arc::new(move || {
            Ok(Auth::Prove {
                nonce: token::nonce()?,
                name: name.clone(),
                secret: secret.clone(),
            })
        })));
        Ok(self)
    }

    fn of_member(&self, own: &Token) -> Result<(Name, Arc<dyn Secret>), OpenError> {
        let wrong = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
        token::secret(own).map_err(|error| self.no_chance(wrong(error)))
    }

    fn not_with(&self, advice: &'static str) -> OpenError {
        OpenError::Unsupported {
            address: self.address.clone(),
            what: "a token",
            advice,
        }
    }

    fn no_chance(&self, error: io::Error) -> OpenError {
        OpenError::Refused {
            address: self.address.clone(),
            reason: format!("tokens cannot be used here: {error}"),
        }
    }
}
