//! A policy made of rules.

use super::pattern::{Pattern, PatternError};
use super::{Action, Asked, Authorise, Verdict};

/// Rules that allow and rules that deny. One that denies wins over all that allow, in whatever order they were given.
/// What no rule speaks of is denied to other processes, and allowed within this one.
///
/// ```
/// use tidings_core::authorise::{Acl, Rule};
///
/// let acl = Acl::new()
///     .allow(Rule::requests().caller("front-*")?.topic("orders")?)
///     .deny(Rule::requests().topic("orders")?.method("admin_*")?)
///     .allow(Rule::serving().caller("worker-*")?.topic("orders")?);
/// # Ok::<_, tidings_core::authorise::PatternError>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "give it to a bus or server by `.authorise(acl)`"]
pub struct Acl {
    rules: Vec<(Verdict, Rule)>,
}

impl Acl {
    /// A list without rules: it denies everything to other processes.
    pub fn new() -> Self {
        Acl::default()
    }

    /// Allows what `rule` speaks of, unless another rule denies it.
    pub fn allow(self, rule: Rule) -> Self {
        self.with(Verdict::Allow, rule)
    }

    /// Denies what `rule` speaks of, whatever other rules allow.
    pub fn deny(self, rule: Rule) -> Self {
        self.with(Verdict::Deny, rule)
    }

    fn with(mut self, verdict: Verdict, rule: Rule) -> Self {
        self.rules.push((verdict, rule));
        self
    }
}

impl Authorise for Acl {
    fn authorise(&self, asked: &Asked<'_>) -> Verdict {
        let mut verdict = match asked.local {
            true => Verdict::Allow,
            false => Verdict::Deny,
        };
        for (said, rule) in &self.rules {
            if rule.speaks_of(asked, *said) {
                match said {
                    Verdict::Deny => return Verdict::Deny,
                    Verdict::Allow => verdict = Verdict::Allow,
                }
            }
        }
        verdict
    }
}

/// What a rule of an [`Acl`] speaks of: of everything of its sort, narrowed by what is said of it. All that is said must
/// hold.
///
/// A pattern is a name (`orders`), or how names begin and a `*` (`orders.*`; `*` for any). There are no others.
#[derive(Debug, Clone)]
#[must_use = "a rule does nothing before it is given to an `Acl`"]
pub struct Rule {
    sort: Sort,
    caller: Option<Pattern>,
    uid: Option<u32>,
    exchange: Option<Pattern>,
    topic: Option<Pattern>,
    server: Option<Pattern>,
    method: Option<Pattern>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Requests,
    Serving,
    Anything,
}

impl Rule {
    /// Speaks of calls and casts, and of being told who serves what one may call.
    pub fn requests() -> Self {
        Rule::of(Sort::Requests)
    }

    /// Speaks of serving a topic from another process: of who may register there at a hub.
    pub fn serving() -> Self {
        Rule::of(Sort::Serving)
    }

    /// Speaks of both.
    pub fn anything() -> Self {
        Rule::of(Sort::Anything)
    }

    /// Only of callers with such a verified name: a token's, a certificate's. Who has no name is not meant, not even by
    /// `*`.
    ///
    /// # Errors
    /// [`PatternError`] when the text is no pattern.
    pub fn caller(mut self, pattern: &str) -> Result<Self, PatternError> {
        self.caller = Some(Pattern::parse("caller", pattern)?);
        Ok(self)
    }

    /// Only of callers whose processes the kernel says to be this user's.
    pub fn uid(mut self, uid: u32) -> Self {
        self.uid = Some(uid);
        self
    }

    /// Only of such exchanges.
    ///
    /// # Errors
    /// [`PatternError`] when the text is no pattern.
    pub fn exchange(mut self, pattern: &str) -> Result<Self, PatternError> {
        self.exchange = Some(Pattern::parse("exchange", pattern)?);
        Ok(self)
    }

    /// Only of such topics.
    ///
    /// # Errors
    /// [`PatternError`] when the text is no pattern.
    pub fn topic(mut self, pattern: &str) -> Result<Self, PatternError> {
        self.topic = Some(Pattern::parse("topic", pattern)?);
        Ok(self)
    }

    /// Only of requests that name such a server, and of serving under such a name.
    ///
    /// # Errors
    /// [`PatternError`] when the text is no pattern.
    pub fn server(mut self, pattern: &str) -> Result<Self, PatternError> {
        self.server = Some(Pattern::parse("server name", pattern)?);
        Ok(self)
    }

    /// Only of requests for such methods; of serving, which is for all of a topic's, it then does not speak.
    ///
    /// # Errors
    /// [`PatternError`] when the text is no pattern.
    pub fn method(mut self, pattern: &str) -> Result<Self, PatternError> {
        self.method = Some(Pattern::parse("method", pattern)?);
        Ok(self)
    }

    fn of(sort: Sort) -> Self {
        Rule {
            sort,
            caller: None,
            uid: None,
            exchange: None,
            topic: None,
            server: None,
            method: None,
        }
    }

    fn speaks_of(&self, asked: &Asked<'_>, said: Verdict) -> bool {
        let serving = asked.action == Action::Serve;
        let sort = match self.sort {
            Sort::Requests => !serving,
            Sort::Serving => serving,
            Sort::Anything => true,
        };
        let holds = |pattern: &Option<Pattern>, name: Option<&str>| match pattern {
            None => true,
            Some(pattern) => name.is_some_and(|name| pattern.matches(name)),
        };
        let caller = asked.caller;
        sort && holds(
            &self.caller,
            caller.and_then(|caller| caller.name.as_deref()),
        ) && (self.uid.is_none() || self.uid == caller.and_then(|caller| caller.uid))
            && holds(&self.exchange, Some(asked.exchange))
            && holds(&self.topic, Some(asked.topic))
            && holds(&self.server, asked.server)
            // Who may call some method may know who serves it; who may not call one of several may too.
            && (asked.action == Action::List && said == Verdict::Allow || holds(&self.method, asked.method))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::Caller;

    fn asked<'a>(caller: Option<&'a Caller>, method: &'a str) -> Asked<'a> {
        Asked {
            action: Action::Call,
            exchange: "tidings",
            topic: "orders.eu",
            namespace: None,
            method: Some(method),
            server: None,
            caller,
            local: false,
        }
    }

    fn allows(acl: &Acl, asked: &Asked<'_>) -> bool {
        acl.authorise(asked) == Verdict::Allow
    }

    fn ada() -> Caller {
        Caller::of_transport("unix")
            .with_credentials(7, 8, None)
            .with_name("ada")
    }

    #[test]
    fn without_a_rule_other_processes_may_nothing_and_this_one_may_everything() {
        let acl = Acl::new();
        let mut asked = asked(None, "get");
        assert!(!allows(&acl, &asked)); // S9
        asked.local = true;
        assert!(allows(&acl, &asked));
        let acl = acl.deny(Rule::anything());
        assert!(!allows(&acl, &asked), "a rule holds here too");
    }

    #[test]
    fn deny_wins_in_whatever_order() {
        let (everything, admin) = (Rule::anything(), Rule::requests().method("admin*").unwrap());
        let one = Acl::new().allow(everything.clone()).deny(admin.clone());
        let other = Acl::new().deny(admin).allow(everything);
        for acl in [one, other] {
            assert!(allows(&acl, &asked(None, "get")));
            assert!(!allows(&acl, &asked(None, "admin_stop")));
        }
    }

    #[test]
    fn all_that_a_rule_says_must_hold() {
        let ada = ada();
        let rules: Vec<(&str, Rule, bool)> = vec![
            ("name", Rule::requests().caller("ada").unwrap(), true),
            ("any name", Rule::requests().caller("*").unwrap(), true),
            ("other name", Rule::requests().caller("bob").unwrap(), false),
            ("user", Rule::requests().uid(7), true),
            ("other user", Rule::requests().uid(0), false),
            ("topic", Rule::requests().topic("orders.*").unwrap(), true),
            (
                "other topic",
                Rule::requests().topic("orders").unwrap(),
                false,
            ),
            (
                "exchange",
                Rule::requests().exchange("tidings").unwrap(),
                true,
            ),
            (
                "other exchange",
                Rule::requests().exchange("t").unwrap(),
                false,
            ),
            ("method", Rule::requests().method("get").unwrap(), true),
            (
                "other method",
                Rule::requests().method("set*").unwrap(),
                false,
            ),
            (
                "unnamed server",
                Rule::requests().server("*").unwrap(),
                false,
            ),
            ("serving", Rule::serving(), false),
            (
                "both",
                Rule::requests().caller("ada").unwrap().uid(1),
                false,
            ),
        ];
        for (what, rule, holds) in rules {
            let acl = Acl::new().allow(rule);
            assert_eq!(allows(&acl, &asked(Some(&ada), "get")), holds, "{what}");
        }
        let nameless = Acl::new().allow(Rule::requests().caller("*").unwrap());
        assert!(!allows(&nameless, &asked(None, "get")));
    }

    #[test]
    fn who_may_call_some_method_may_know_who_serves_it() {
        let mut list = asked(None, "");
        (list.action, list.method) = (Action::List, None);
        let get = || Rule::requests().method("get").unwrap();
        let elsewhere = Rule::requests().topic("payments").unwrap();
        for (acl, holds) in [
            (Acl::new(), false),
            (Acl::new().allow(get()), true),
            (Acl::new().allow(Rule::requests()).deny(get()), true),
            (Acl::new().allow(get()).deny(Rule::requests()), false),
            (Acl::new().allow(elsewhere), false),
            (Acl::new().allow(Rule::serving()), false),
        ] {
            assert_eq!(allows(&acl, &list), holds, "{acl:?}");
        }
    }

    #[test]
    fn who_may_call_may_not_serve_unless_that_is_said() {
        let ada = ada();
        let mut serve = asked(Some(&ada), "");
        (serve.action, serve.method, serve.server) = (Action::Serve, None, Some("w1"));
        for (rule, holds) in [
            (Rule::requests(), false),
            (Rule::serving(), true),
            (Rule::anything(), true),
            (Rule::serving().server("w*").unwrap(), true),
            (Rule::serving().server("x*").unwrap(), false),
            (Rule::anything().method("*").unwrap(), false),
        ] {
            let acl = Acl::new().allow(rule.clone());
            assert_eq!(allows(&acl, &serve), holds, "{rule:?}");
        }
    }
}
