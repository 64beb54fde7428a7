//! Endpoints: the methods of one version of a service. A server carries one or several on its topic.

use crate::bus::Head;
use crate::error::{CallErrorKind, ServeError, nearest};
use crate::name::{Method, NameError, Namespace, Topic};
use crate::server::handler::{MethodId, MethodSpec, Methods, Registered, Registry};
use crate::server::offers::{self, MAX_OFFERS, Offer, Offers};
use crate::server::quickness::Quickness;
use crate::version::{Version, VersionError};

/// The methods of one version of a service: what [`Service`](crate::server::Service) gives.
pub struct Endpoint {
    /// The topic.
    pub topic: &'static str,
    /// The namespaces by which it is reached, its own first; `None` is for requests that name none.
    pub namespaces: Vec<Option<&'static str>>,
    /// The version that it implements.
    pub version: Version,
    /// Its methods.
    pub methods: Vec<MethodSpec>,
}

impl Endpoint {
    /// An endpoint without a namespace.
    pub fn new(topic: &'static str, version: Version, methods: Vec<MethodSpec>) -> Self {
        Endpoint {
            topic,
            namespaces: vec![None],
            version,
            methods,
        }
    }

    /// The same, reached by the first of `namespaces` and, for the sake of older callers, by the others.
    pub fn namespaces(self, namespaces: Vec<Option<&'static str>>) -> Self {
        Endpoint { namespaces, ..self }
    }
}

/// An endpoint while its server is being built.
pub(super) struct Building {
    own: Option<Result<Namespace, NameError>>,
    aliases: Vec<Option<Result<Namespace, NameError>>>,
    pub(super) version: Result<Version, VersionError>,
    pub(super) methods: Vec<(Result<Method, NameError>, Registered)>,
}

impl Building {
    pub(super) fn new() -> Self {
        Building {
            own: None,
            aliases: Vec::new(),
            version: Ok(Version::DEFAULT),
            methods: Vec::new(),
        }
    }

    pub(super) fn of(endpoint: Endpoint) -> Self {
        let methods = endpoint.methods.into_iter().map(|method| {
            let registered = Registered {
                handler: method.handler,
                fingerprint: method.fingerprint,
                quickness: Quickness::default(),
            };
            (Method::from_static(method.name), registered)
        });
        let mut namespaces = endpoint
            .namespaces
            .into_iter()
            .map(|name| name.map(Namespace::from_static));
        Building {
            own: namespaces.next().flatten(),
            aliases: namespaces.collect(),
            version: Ok(endpoint.version),
            methods: methods.collect(),
        }
    }

    pub(super) fn namespace(&mut self, name: impl AsRef<str>) {
        self.own = Some(Namespace::new(name));
    }

    pub(super) fn alias(&mut self, name: Option<&str>) {
        self.aliases.push(name.map(Namespace::new));
    }

    fn check(self, topic: &Topic, registry: &mut Registry) -> Result<Served, ServeError> {
        let mut methods = Methods::default();
        for (name, method) in self.methods {
            let name = name?;
            name.check_not_reserved()?;
            methods.add(topic, name, method, registry)?;
        }
        if methods.is_empty() {
            return Err(ServeError::NoMethods {
                topic: topic.to_string(),
            });
        }
        let mut served = Served {
            unnamed: false,
            names: Vec::new(),
            version: self.version?,
            methods,
        };
        for name in std::iter::once(self.own).chain(self.aliases) {
            match name {
                Some(name) => served.names.push(name?),
                None => served.unnamed = true,
            }
        }
        Ok(served)
    }
}

/// An endpoint at work.
struct Served {
    /// It is for requests that name no namespace.
    unnamed: bool,
    /// And for those that name one of these.
    names: Vec<Namespace>,
    version: Version,
    methods: Methods,
}

impl Served {
    #[inline]
    fn is_for(&self, head: &Head) -> bool {
        let has_namespace = match head.namespace() {
            None => self.unnamed,
            Some(name) => self.names.contains(name),
        };
        has_namespace && self.version.serves(head.version)
    }

    fn offers(&self) -> impl Iterator<Item = Offer> {
        let unnamed = self.unnamed.then_some(None);
        let names = self.names.iter().cloned().map(Some);
        let offer = |namespace| Offer {
            namespace,
            version: self.version,
        };
        unnamed.into_iter().chain(names).map(offer)
    }

    /// Whether every request that `later` is for comes here first.
    fn hides(&self, later: &Served) -> bool {
        self.version.serves(later.version)
            && (self.unnamed || !later.unnamed)
            && later.names.iter().all(|name| self.names.contains(name))
    }
}

/// The endpoints of a server, in the order in which they are looked through.
pub(crate) struct Endpoints {
    list: Vec<Served>,
    methods: Registry,
    offers: Offers,
}

impl Endpoints {
    /// Checks what was built.
    ///
    /// # Errors
    /// Names, versions and limits; methods that no request would ever reach.
    pub(super) fn check(topic: &Topic, built: Vec<Building>) -> Result<Self, ServeError> {
        let mut list: Vec<Served> = Vec::with_capacity(built.len());
        let mut methods = Registry::default();
        for building in built {
            let next = building.check(topic, &mut methods)?;
            for earlier in list.iter().filter(|earlier| earlier.hides(&next)) {
                let hidden = |method: &&Method| earlier.methods.find(method).is_some();
                if let Some(method) = next.methods.names().find(hidden) {
                    return Err(ServeError::NeverReached {
                        topic: topic.to_string(),
                        method: method.to_string(),
                        version: next.version.to_string(),
                        before: earlier.version.to_string(),
                    });
                }
            }
            list.push(next);
        }
        if list.is_empty() {
            return Err(ServeError::NoMethods {
                topic: topic.to_string(),
            });
        }
        let offers = Offers::new(list.iter().flat_map(Served::offers));
        if offers.len() > MAX_OFFERS {
            return Err(ServeError::TooManyEndpoints {
                topic: topic.to_string(),
                count: offers.len(),
                limit: MAX_OFFERS,
            });
        }
        Ok(Endpoints {
            list,
            methods,
            offers,
        })
    }

    /// A method that was found.
    pub(crate) fn method(&self, id: MethodId) -> &Registered {
        self.methods.of(id)
    }

    pub(crate) fn offers(&self) -> &Offers {
        &self.offers
    }

    /// The method that a request is for: that of the first endpoint which has its namespace, serves its version and has
    /// the method (C-VE-2).
    ///
    /// # Errors
    /// How far the request got: no namespace, no version, no method.
    pub(crate) fn find(&self, head: &Head) -> Result<MethodId, CallErrorKind> {
        self.list
            .iter()
            .filter(|endpoint| endpoint.is_for(head))
            .find_map(|endpoint| endpoint.methods.find(&head.method))
            .ok_or_else(|| self.refusal(head))
    }

    #[cold]
    fn refusal(&self, head: &Head) -> CallErrorKind {
        if !self.list.iter().any(|endpoint| endpoint.is_for(head)) {
            return offers::refusal(self.offers.iter(), head);
        }
        let meant = self.list.iter().filter(|endpoint| endpoint.is_for(head));
        let names = meant.flat_map(|endpoint| endpoint.methods.names().map(Method::as_str));
        CallErrorKind::NoSuchMethod {
            topic: head.topic.to_string(),
            method: head.method.to_string(),
            near: nearest(&head.method, names).map(str::to_owned),
        }
    }
}
