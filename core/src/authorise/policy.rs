//! The policy of a bus or server, as the bus asks it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::{Action, Asked, Authorise, Verdict};
use crate::bus::{Caller, InFlight, Reach, Verb};
use crate::error::CallErrorKind;
use crate::name::{Exchange, ServerName, Topic};
use crate::notice::Notice;

/// A policy, or none.
#[derive(Clone, Default)]
pub struct Policy(Option<Arc<dyn Authorise>>);

impl Policy {
    /// That of `policy`.
    pub fn new(policy: impl Authorise + 'static) -> Self {
        Policy(Some(Arc::new(policy)))
    }

    /// What both allow.
    pub(crate) fn and(self, other: Policy) -> Policy {
        match (self.0, other.0) {
            (Some(one), Some(other)) => {
                Policy::new(move |asked: &Asked<'_>| match one.authorise(asked) {
                    Verdict::Allow => other.authorise(asked),
                    Verdict::Deny => Verdict::Deny,
                })
            }
            (one, other) => Policy(one.or(other)),
        }
    }

    /// Whether there is one: then what exists is told only to those who may use it.
    pub fn is_set(&self) -> bool {
        self.0.is_some()
    }

    /// Why the request may not be made, if so.
    #[inline]
    pub(crate) fn refusal(&self, request: &InFlight) -> Option<CallErrorKind> {
        match &self.0 {
            None => None,
            Some(policy) => refusal(&**policy, request),
        }
    }

    /// Why `caller`, at the other end of a connection, may not serve the topic under this name, if so.
    pub(crate) fn refusal_to_serve(
        &self,
        (exchange, topic, name): (&Exchange, &Topic, &ServerName),
        caller: &Caller,
    ) -> Option<String> {
        let asked = Asked {
            action: Action::Serve,
            exchange,
            topic,
            namespace: None,
            method: None,
            server: Some(name),
            caller: Some(caller),
            local: false,
        };
        denied(&**self.0.as_ref()?, &asked)
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_set() { "a policy" } else { "none" })
    }
}

#[cold]
fn refusal(policy: &dyn Authorise, request: &InFlight) -> Option<CallErrorKind> {
    let head = request.head();
    let action = match (head.reach, head.verb) {
        (Reach::Registry, _) => Action::List,
        (_, Verb::Call) => Action::Call,
        (_, Verb::Cast) => Action::Cast,
    };
    let asked = Asked {
        action,
        exchange: &head.exchange,
        topic: &head.topic,
        namespace: head.namespace().map(|name| &**name),
        method: (action != Action::List).then_some(&*head.method),
        server: head.server.as_deref(),
        caller: head.caller.as_deref(),
        local: !request.is_remote(),
    };
    denied(policy, &asked).map(CallErrorKind::Forbidden)
}

/// What the one is told to whom it is denied. It says nothing of what was asked for, which may exist or not (S8).
fn denied(policy: &dyn Authorise, asked: &Asked<'_>) -> Option<String> {
    let verdict = catch_unwind(AssertUnwindSafe(|| policy.authorise(asked)));
    match verdict {
        Ok(Verdict::Allow) => return None,
        Ok(Verdict::Deny) => {}
        Err(panic) => crate::server::handler::drop_quietly(panic),
    }
    let who = match asked.caller {
        Some(caller) => caller.to_string(),
        None => "an unknown caller".into(),
    };
    let what = match asked.action {
        Action::Call | Action::Cast => "call this",
        Action::Serve => "serve this",
        Action::List => "know who serves this",
    };
    let Asked { topic, method, .. } = asked;
    let dot = method.map_or(String::new(), |method| format!(".{method}"));
    Notice::Denied.tell(&who, &format!("may not {what}: `{topic}{dot}`"));
    Some(format!("{who} may not {what}, says the policy there"))
}
