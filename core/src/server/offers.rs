//! What a server offers: the namespaces of its endpoints, each in a version. By this the router knows which requests a
//! server is for, before it sends it one (C-VE-2).

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::bus::Head;
use crate::error::{CallErrorKind, nearest};
use crate::name::Namespace;
use crate::version::Version;

/// The most namespaces and versions that one server may offer.
pub const MAX_OFFERS: usize = 32;

/// The most of them that an error names.
const TOLD: usize = 16;

/// A namespace in a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The namespace; `None` is for requests that name none.
    pub namespace: Option<Namespace>,
    /// The version that is implemented there.
    pub version: Version,
}

impl Offer {
    /// Whether it is for a request like `head`.
    pub fn serves(&self, head: &Head) -> bool {
        self.is_of(head) && self.version.serves(head.version)
    }

    fn is_of(&self, head: &Head) -> bool {
        self.namespace.as_ref() == head.namespace()
    }
}

/// All that a server offers. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offers(Arc<[Offer]>);

impl Offers {
    /// Those of a server that did not say: it is sent whatever comes for its topic, and refuses by itself.
    pub fn unknown() -> Self {
        Offers(Arc::default())
    }

    /// These, each once.
    pub fn new(offers: impl IntoIterator<Item = Offer>) -> Self {
        let mut once: Vec<Offer> = Vec::new();
        for offer in offers {
            if !once.contains(&offer) {
                once.push(offer);
            }
        }
        Offers(once.into())
    }

    /// Whether a request like `head` may be sent there.
    pub fn serve(&self, head: &Head) -> bool {
        self.0.is_empty() || self.0.iter().any(|offer| offer.serves(head))
    }

    /// One by one; none for a server that did not say.
    pub fn iter(&self) -> std::slice::Iter<'_, Offer> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the server did not say.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Why none of `offers` is for a request like `head`: the namespace, or, where that is offered, the version.
#[cold]
pub(crate) fn refusal<'a>(
    offers: impl Iterator<Item = &'a Offer> + Clone,
    head: &Head,
) -> CallErrorKind {
    let versions: BTreeSet<Version> = offers
        .clone()
        .filter(|offer| offer.is_of(head))
        .map(|offer| offer.version)
        .collect();
    if !versions.is_empty() {
        return CallErrorKind::UnsupportedVersion {
            topic: head.topic.to_string(),
            requested: head.version.to_string(),
            offered: list(versions.iter().map(Version::to_string)),
        };
    }
    let names: BTreeSet<Option<&str>> = offers.map(|offer| offer.namespace.as_deref()).collect();
    let near = head
        .namespace()
        .and_then(|asked| nearest(asked, names.iter().copied().flatten()));
    CallErrorKind::NoSuchNamespace {
        topic: head.topic.to_string(),
        namespace: head.namespace().map(ToString::to_string),
        near: near.map(str::to_owned),
        offered: list(names.iter().map(|name| match name {
            Some(name) => format!("`{name}`"),
            None => "none (name no namespace)".to_owned(),
        })),
    }
}

fn list(all: impl ExactSizeIterator<Item = String>) -> String {
    let more = all.len().saturating_sub(TOLD);
    let mut told = all.take(TOLD).collect::<Vec<_>>().join(", ");
    if more > 0 {
        told += &format!(" and {more} more");
    }
    told
}
