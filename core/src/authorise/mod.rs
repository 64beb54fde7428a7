//! Who may do what: one question, asked on one path before every handler, whatever the transport.
//!
//! A policy ([`Authorise`]) is given to a bus, for all that it serves, or to one server. It is asked
//! * by the process that runs the handler, for each request to its servers, before anything else is looked at: whether
//!   the method exists, its version, its types, room (S8, C-VE-5);
//! * by a hub, also for each request that it would pass on to a member, for each server that a member wants to
//!   register there ([`Action::Serve`]), and before it tells who serves a topic ([`Action::List`]).
//!
//! So a policy at the hub holds for the whole bus, and one at a member for what that member serves. A request that is
//! denied fails as `Forbidden`, and its fate is `NotExecuted`. In-process requests are asked about like all others;
//! [`Asked::local`] tells them. Without a policy nothing is asked, and whoever is on the bus may do anything: see
//! `docs/security.md` for who that is.
//!
//! [`Acl`] is a policy made of rules. In reading order: `pattern` is what a rule says of names, `acl` the rules, `policy`
//! how the bus asks.

mod acl;
mod pattern;
mod policy;

pub use acl::{Acl, Rule};
pub use pattern::PatternError;
pub use policy::Policy;

use crate::bus::Caller;

/// Decides who may do what.
///
/// It is called on the path of every request, by whatever thread is there: it must be quick, must not block, and must
/// not wait for the bus. A panic in it denies. It is asked at each attempt: about a cast that found no room and waits for
/// some, again.
///
/// A closure will do: `|asked: &Asked<'_>| ..`.
pub trait Authorise: Send + Sync {
    /// Whether this may be done.
    fn authorise(&self, asked: &Asked<'_>) -> Verdict;
}

impl<F: Fn(&Asked<'_>) -> Verdict + Send + Sync> Authorise for F {
    fn authorise(&self, asked: &Asked<'_>) -> Verdict {
        self(asked)
    }
}

/// What a policy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may be done.
    Allow,
    /// It may not.
    Deny,
}

/// What somebody wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// To call a method, by `call` or `invoke`.
    Call,
    /// To call one without a reply.
    Cast,
    /// To serve a topic from another process.
    Serve,
    /// To be told who serves a topic; a call of all of them begins with that.
    List,
}

/// Who wants to do what to whom.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Asked<'a> {
    /// What.
    pub action: Action,
    /// The topic's exchange.
    pub exchange: &'a str,
    /// The topic.
    pub topic: &'a str,
    /// The namespace that the request names.
    pub namespace: Option<&'a str>,
    /// The method that is to be called.
    pub method: Option<&'a str>,
    /// The server that the request names; the name of the one that is to serve.
    pub server: Option<&'a str>,
    /// Who, as the transport knows it: never what a message says of itself.
    pub caller: Option<&'a Caller>,
    /// It was made in this process, on this bus or one that shares its memory; else it came by a connection.
    pub local: bool,
}
