//! Authentication by token: each side proves that it knows a secret, and neither tells it (PR-AUTH).
//!
//! The session has no cryptography and no randomness of its own: a [`Secret`] makes and checks the
//! proofs, and the nonces come in with the configuration.

use std::fmt::{self, Debug};
use std::sync::Arc;

use super::code::CloseCode;
use super::config::Role;
use super::event::CloseReason;
use super::frame::{Kind, MAGIC, whole};
use super::hello::{Hello, PeerHello};
use super::name::Name;
use super::session::{Phase, Session};
use super::wire::{Parsed, Reader, put_name, violation};

/// What makes each connection's proofs good for that connection only: never used twice (S15).
pub type Nonce = [u8; 32];

/// What shows that its maker knows a secret.
///
/// Whether it is the right one is for the secret alone to tell ([`Secret::verifies`]). There is no
/// `==` for proofs, which would end at the first byte that differs and so tell how many are right
/// (S14):
///
/// ```compile_fail,E0369
/// # use tidings_core::session::Proof;
/// fn is_right(proof: Proof, expected: Proof) -> bool {
///     proof == expected
/// }
/// ```
pub struct Proof([u8; 32]);

impl Proof {
    /// The proof of these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// As they travel; for comparing them there is [`Secret::verifies`].
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Whoever has it can try guesses at home, so that it is not shown (S12).
impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proof([redacted])")
    }
}

/// The secret of a token, which makes and checks proofs.
pub trait Secret: Debug + Send + Sync {
    /// The keyed hash of `message`.
    fn prove(&self, message: &[u8]) -> Proof;

    /// Whether `proof` is that of `message`, in a time that does not depend on where they differ
    /// (S14).
    fn verifies(&self, message: &[u8], proof: &Proof) -> bool;
}

/// How a session authenticates. A configuration for the other role fails every handshake.
#[derive(Debug, Clone)]
pub enum Auth {
    /// Member: prove to the hub who this is, and take no hub that does not know the secret too.
    Prove {
        /// Of this connection.
        nonce: Nonce,
        /// The token's name.
        name: Name,
        /// The token's secret.
        secret: Arc<dyn Secret>,
    },
    /// Hub: take no member that does not prove who it is.
    Demand {
        /// Of this connection.
        nonce: Nonce,
        /// Whose proofs are taken.
        accepted: Arc<Accepted>,
    },
}

impl Auth {
    pub(super) fn nonce(&self) -> Nonce {
        let (Self::Prove { nonce, .. } | Self::Demand { nonce, .. }) = self;
        *nonce
    }
}

/// The tokens that a hub takes. A name may have several secrets, while one replaces another.
#[derive(Debug)]
pub struct Accepted {
    tokens: Vec<(Name, Arc<dyn Secret>)>,
    decoy: Arc<dyn Secret>,
    /// The most secrets of one name.
    rounds: usize,
}

impl Accepted {
    /// The tokens by name. `decoy` is a secret that nobody has: what is checked for a name that is
    /// not known, so that it takes as long as for one that is (S1).
    #[must_use]
    pub fn new(tokens: Vec<(Name, Arc<dyn Secret>)>, decoy: Arc<dyn Secret>) -> Self {
        let of = |name: &Name| tokens.iter().filter(|(known, _)| known == name).count();
        let rounds = tokens.iter().map(|(name, _)| of(name)).max().unwrap_or(1);
        Self {
            tokens,
            decoy,
            rounds,
        }
    }

    /// The secret of `name` that the proof was made with; as many are tried for every name.
    fn find(&self, name: &Name, message: &[u8], proof: &Proof) -> Option<&Arc<dyn Secret>> {
        let mut of_the_name = self.tokens.iter().filter(|(known, _)| known == name);
        let mut found = None;
        for _ in 0..self.rounds {
            match of_the_name.next() {
                Some((_, secret)) if secret.verifies(message, proof) => found = Some(secret),
                Some(_) => {}
                None => {
                    let _ = self.decoy.verifies(message, proof);
                }
            }
        }
        found
    }
}

/// Both have said Hello, and the proofs are to come.
#[derive(Debug)]
pub(super) struct Proving {
    peer: Hello,
    told: PeerHello,
    nonce: Nonce,
}

/// The one text for every proof that is not taken: which part of it was wrong is not told (S1).
const FAILED: &str = "authentication failed";

impl Session {
    /// Hub: whether the peer may have this hub's Hello. One that offers no proof gets none.
    pub(super) fn asks_for_proof(&self, peer: &Hello) -> Parsed<()> {
        if matches!(self.config.auth, Some(Auth::Demand { .. })) && peer.nonce.is_none() {
            return violation(CloseCode::Unauthenticated, "this hub asks for a token");
        }
        Ok(())
    }

    /// Whether so many bytes more may be written: a hub that asks for tokens says no more than it
    /// was told, until it knows whom it talks to (S20, PR-AUTH-6).
    pub(super) fn may_say(&self, bytes: usize) -> bool {
        let guarded = matches!(self.config.auth, Some(Auth::Demand { .. })) && !self.is_open();
        let magic = if self.greeted { 0 } else { MAGIC.len() };
        let said = (self.output.appended())
            .saturating_add(magic as u64)
            .saturating_add(bytes as u64);
        !guarded || said <= self.heard
    }

    /// The Hellos fit: opens the session, or has the proofs come first.
    pub(super) fn agreed(&mut self, peer: Hello, told: PeerHello) -> Parsed<()> {
        let nonce = match (&self.config.auth, self.role, peer.nonce) {
            (None, Role::Hub, _) | (None, Role::Member, None) => {
                self.open(peer, told);
                return Ok(());
            }
            (Some(Auth::Demand { .. }), Role::Hub, Some(nonce))
            | (Some(Auth::Prove { .. }), Role::Member, Some(nonce)) => nonce,
            (None, Role::Member, Some(_)) => {
                let text = "the hub asks for a token and this member has none";
                return violation(CloseCode::Unauthenticated, text);
            }
            (Some(_), Role::Member, None) => {
                let text = "the hub asks for no token, so it cannot prove itself";
                return violation(CloseCode::Unauthenticated, text);
            }
            (Some(_), _, _) => return violation(CloseCode::Unauthenticated, FAILED),
        };
        let proving = Proving { peer, told, nonce };
        if let Some(Auth::Prove { name, secret, .. }) = &self.config.auth {
            let message = self.message(Role::Member, &proving, name);
            let proof = secret.prove(&message);
            self.output.frames(|out| {
                whole(out, Kind::Auth, |out| {
                    put_name(out, name);
                    out.extend_from_slice(proof.as_bytes());
                });
            });
        }
        self.phase = Phase::Proving(Box::new(proving));
        Ok(())
    }

    /// A frame while the proofs are to come: nothing else is looked at (S1).
    pub(super) fn on_proving_frame(&mut self, kind: Option<Kind>, body: Reader<'_>) -> Parsed<()> {
        match (kind, self.role) {
            (Some(Kind::Auth), Role::Hub) => self.on_auth(body),
            (Some(Kind::AuthResult), Role::Member) => self.on_auth_result(body),
            (Some(Kind::Close), _) => self.on_close(body),
            _ => violation(CloseCode::Unauthenticated, "a frame before the proof"),
        }
    }

    /// A proof when none is to come: a second one, or one that nobody asked for.
    pub(super) fn on_late_proof(&self, kind: Kind) -> Parsed<()> {
        let own = match self.role {
            Role::Hub => Kind::AuthResult,
            Role::Member => Kind::Auth,
        };
        if kind == own {
            return violation(CloseCode::WrongDirection, "a proof of this side's own");
        }
        violation(CloseCode::UnexpectedFrame, "a proof that nobody waits for")
    }

    fn on_auth(&mut self, mut body: Reader<'_>) -> Parsed<()> {
        let name = body.name()?;
        let proof = Proof::new(body.array()?);
        body.end()?;
        let Some((mut proving, Some(Auth::Demand { accepted, .. }))) = self.proving() else {
            return violation(CloseCode::Unauthenticated, FAILED);
        };
        let message = self.message(Role::Member, &proving, &name);
        let Some(secret) = accepted.find(&name, &message, &proof) else {
            return violation(CloseCode::Unauthenticated, FAILED);
        };
        let answer = secret.prove(&self.message(Role::Hub, &proving, &name));
        self.output.frames(|out| {
            whole(out, Kind::AuthResult, |out| {
                out.extend_from_slice(answer.as_bytes());
            });
        });
        proving.told.token = Some(name);
        self.open(proving.peer, proving.told);
        Ok(())
    }

    fn on_auth_result(&mut self, mut body: Reader<'_>) -> Parsed<()> {
        let proof = Proof::new(body.array()?);
        body.end()?;
        let Some((mut proving, Some(Auth::Prove { name, secret, .. }))) = self.proving() else {
            return violation(CloseCode::Unauthenticated, FAILED);
        };
        if !secret.verifies(&self.message(Role::Hub, &proving, &name), &proof) {
            let text = "the hub does not know the secret of this member's token";
            return violation(CloseCode::Unauthenticated, text);
        }
        proving.told.token = Some(name);
        self.open(proving.peer, proving.told);
        Ok(())
    }

    /// Takes what is known until the proof out of the session, for good: there is one try.
    fn proving(&mut self) -> Option<(Proving, Option<Auth>)> {
        match std::mem::replace(&mut self.phase, Phase::Hello) {
            Phase::Proving(proving) => Some((*proving, self.config.auth.clone())),
            other => {
                self.phase = other;
                None
            }
        }
    }

    /// What the side `by` proves its knowledge with (PR-AUTH-3): each part but the last has its
    /// fixed length, so that no two lists of parts give the same bytes.
    fn message(&self, by: Role, proving: &Proving, name: &Name) -> Vec<u8> {
        let label: &[u8] = match by {
            Role::Member => b"tidings token 1 member\0",
            Role::Hub => b"tidings token 1 hub\0",
        };
        let ours = (self.config.auth.as_ref()).map_or([0; 32], Auth::nonce);
        let (own, theirs) = (
            (ours, self.config.instance),
            (proving.nonce, proving.peer.instance),
        );
        let (member, hub) = match self.role {
            Role::Member => (own, theirs),
            Role::Hub => (theirs, own),
        };
        [
            label,
            &member.0,
            &hub.0,
            &member.1,
            &hub.1,
            name.as_str().as_bytes(),
        ]
        .concat()
    }

    /// Hub: ends the session without a word, because its words would be more than the peer's.
    pub(super) fn end_unsaid(&mut self) {
        let reason = CloseReason::Us(CloseCode::Unauthenticated);
        self.end(reason, "a Hello that is shorter than its answer", None);
    }
}
