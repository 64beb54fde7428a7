//! What a server does for each method: the erased form of the functions that users write.

use std::any::Any;
use std::cmp::Ordering;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{Budget, fingerprint};
use crate::context::{Context, encodes_its_reply};
use crate::error::{ApplicationError, CallError, CallErrorKind, Fate, ServeError, Stage};
use crate::name::{Method, Topic};
use crate::payload::Payload;
use crate::reply::Reply;
use crate::runtime::BoxFuture;
use crate::server::quickness::Quickness;

/// What starting a handler gives.
pub enum Started {
    /// It has answered already.
    Done(Reply),
    /// The same, and its value lies in the place that was given for it.
    Placed(InPlace),
    /// It answers when this future ends.
    Future(BoxFuture<Reply>),
    /// It may block its thread, and must run where that stalls nobody.
    Blocking(Box<dyn FnOnce() -> Reply + Send>),
}

/// Says that a value was put into its place; only who does that can say so.
pub struct InPlace(());

/// A method's function, erased.
pub trait Handler: Send + Sync {
    /// Reads the arguments and starts. Called in the order of arrival; must not block. If `place` is an `Option` of the
    /// type of its value, that may be put there at once, where no caller wants it encoded.
    fn start(&self, arguments: Payload, budget: &Budget, place: &mut dyn Any) -> Started;
}

impl<F: Fn(Payload, &Budget, &mut dyn Any) -> Started + Send + Sync> Handler for F {
    fn start(&self, arguments: Payload, budget: &Budget, place: &mut dyn Any) -> Started {
        self(arguments, budget, place)
    }
}

/// One method of an endpoint.
pub struct MethodSpec {
    /// Its name.
    pub name: &'static str,
    /// What its argument and reply types look like; `None` for a method that takes whatever can be decoded.
    pub fingerprint: Option<fn() -> u64>,
    /// Its documentation, for introspection.
    pub docs: &'static str,
    /// What it does.
    pub handler: Box<dyn Handler>,
}

impl MethodSpec {
    /// A method named `name`.
    pub fn new(name: &'static str, handler: impl Handler + 'static) -> Self {
        MethodSpec {
            name,
            fingerprint: None,
            docs: "",
            handler: Box::new(handler),
        }
    }

    /// The same with the fingerprint of its types.
    pub fn fingerprint(self, fingerprint: fn() -> u64) -> Self {
        MethodSpec {
            fingerprint: Some(fingerprint),
            ..self
        }
    }

    /// The same with its documentation.
    pub fn docs(self, docs: &'static str) -> Self {
        MethodSpec { docs, ..self }
    }
}

/// A method as the server keeps it.
pub(crate) struct Registered {
    pub(crate) handler: Box<dyn Handler>,
    pub(crate) fingerprint: Option<fn() -> u64>,
    pub(crate) quickness: Quickness,
}

/// The place of a method among those of its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MethodId(usize);

/// All methods of a server.
#[derive(Default)]
pub(crate) struct Registry(Vec<Registered>);

impl Registry {
    fn add(&mut self, method: Registered) -> MethodId {
        self.0.push(method);
        MethodId(self.0.len() - 1)
    }

    /// The method with this id, which is of this server.
    pub(crate) fn of(&self, id: MethodId) -> &Registered {
        &self.0[id.0]
    }
}

/// The methods of an endpoint by name: the shorter first, so that most looks at one compare two numbers.
#[derive(Default)]
pub(crate) struct Methods(Vec<(Method, MethodId)>);

impl Methods {
    pub(crate) fn add(
        &mut self,
        topic: &Topic,
        name: Method,
        method: Registered,
        registry: &mut Registry,
    ) -> Result<(), ServeError> {
        match self.search(&name) {
            Err(place) => {
                self.0.insert(place, (name, registry.add(method)));
                Ok(())
            }
            Ok(_) => Err(ServeError::AlreadyRegistered {
                topic: topic.to_string(),
                method: name.to_string(),
            }),
        }
    }

    #[inline]
    pub(crate) fn find(&self, name: &Method) -> Option<MethodId> {
        let place = self.search(name).ok()?;
        Some(self.0[place].1)
    }

    #[inline]
    fn search(&self, name: &Method) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| {
            let by_length = known.len().cmp(&name.len());
            by_length.then_with(|| match known == name {
                true => Ordering::Equal,
                false => known.as_str().cmp(name),
            })
        })
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &Method> {
        self.0.iter().map(|(name, _)| name)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A handler whose function answers at once with a value: it must not block.
pub fn quick<A, T>(function: impl Fn(A) -> T + Send + Sync + 'static) -> impl Handler + 'static
where
    A: DeserializeOwned + 'static,
    T: Serialize + Send + 'static,
{
    with_arguments(move |arguments: A, place| placed(function(arguments), place))
}

/// As [`quick`], for a function that can fail with an error of its own.
pub fn try_quick<A, T, E>(
    function: impl Fn(A) -> Result<T, E> + Send + Sync + 'static,
) -> impl Handler + 'static
where
    A: DeserializeOwned + 'static,
    T: Serialize + Send + 'static,
    E: ApplicationError,
{
    with_arguments(move |arguments: A, place| match function(arguments) {
        Ok(answer) => placed(answer, place),
        Err(error) => Started::Done(failure(error)),
    })
}

/// A handler whose function is async.
pub fn asynchronous<A, T, F>(
    function: impl Fn(A) -> F + Send + Sync + 'static,
) -> impl Handler + 'static
where
    A: DeserializeOwned + 'static,
    T: Serialize + Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    with_arguments(move |arguments: A, _| {
        let future = function(arguments);
        Started::Future(Box::pin(async move { value(future.await) }))
    })
}

/// As [`asynchronous`], for a function that can fail with an error of its own.
pub fn try_asynchronous<A, T, E, F>(
    function: impl Fn(A) -> F + Send + Sync + 'static,
) -> impl Handler + 'static
where
    A: DeserializeOwned + 'static,
    T: Serialize + Send + 'static,
    E: ApplicationError,
    F: Future<Output = Result<T, E>> + Send + 'static,
{
    with_arguments(move |arguments: A, _| {
        let future = function(arguments);
        Started::Future(Box::pin(async move { outcome(future.await) }))
    })
}

/// A handler whose function may block its thread: it runs on the pool for that.
pub fn blocking<A, T>(function: impl Fn(A) -> T + Send + Sync + 'static) -> impl Handler + 'static
where
    A: DeserializeOwned + Send + 'static,
    T: Serialize + Send + 'static,
{
    let function = Arc::new(function);
    with_arguments(move |arguments: A, _| {
        let function = function.clone();
        Started::Blocking(Box::new(move || value(function(arguments))))
    })
}

/// As [`blocking`], for a function that can fail with an error of its own.
pub fn try_blocking<A, T, E>(
    function: impl Fn(A) -> Result<T, E> + Send + Sync + 'static,
) -> impl Handler + 'static
where
    A: DeserializeOwned + Send + 'static,
    T: Serialize + Send + 'static,
    E: ApplicationError,
{
    let function = Arc::new(function);
    with_arguments(move |arguments: A, _| {
        let function = function.clone();
        Started::Blocking(Box::new(move || outcome(function(arguments))))
    })
}

/// Reads the arguments; what cannot be read fails this request alone (D5, D8), and no handler is started.
fn with_arguments<A: DeserializeOwned + 'static>(
    start: impl Fn(A, &mut dyn Any) -> Started + Send + Sync + 'static,
) -> impl Handler + 'static {
    move |arguments: Payload, budget: &Budget, place: &mut dyn Any| match arguments
        .take::<A>(budget)
    {
        Ok(arguments) => start(arguments, place),
        Err(reason) => {
            let kind = CallErrorKind::BadRequest(reason.to_string());
            Started::Done(Reply::Failed(CallError::new(
                kind,
                Fate::NotExecuted,
                Stage::Accepted,
            )))
        }
    }
}

/// In its place, where there is one for a value of its type.
#[inline]
fn placed<T: Serialize + Send + 'static>(answer: T, place: &mut dyn Any) -> Started {
    match place.downcast_mut::<Option<T>>() {
        Some(place) => {
            *place = Some(answer);
            Started::Placed(InPlace(()))
        }
        None => Started::Done(value(answer)),
    }
}

/// Encoded at once where that is its way, which spares it the box.
fn value<T: Serialize + Send + 'static>(value: T) -> Reply {
    match encodes_its_reply() {
        Some((limit, codec)) => Reply::of_encoded(Payload::bytes_of(&value, limit, codec)),
        None => Reply::Value(Payload::value(value)),
    }
}

fn outcome<T: Serialize + Send + 'static, E: ApplicationError>(outcome: Result<T, E>) -> Reply {
    match outcome {
        Ok(answer) => value(answer),
        Err(error) => failure(error),
    }
}

fn failure<E: ApplicationError>(error: E) -> Reply {
    Reply::Application(Box::new(crate::error::failure_of(error)))
}

/// The fingerprint of a type that travels as an argument or a reply.
pub fn wire<T: Serialize + DeserializeOwned + Send + 'static>() -> u64 {
    fingerprint::cached::<T>()
}

/// The fingerprint of a method's own error type.
pub fn wire_error<E: ApplicationError>() -> u64 {
    fingerprint::cached::<E>()
}

/// The request that the handler on this thread serves.
///
/// # Panics
/// Outside of a handler, where there is none.
pub fn context() -> Context {
    Context::current().expect("only handlers ask for their request")
}

/// Runs user code; a panic becomes its answer (C-OC-2). The text of the panic stays here (S18).
#[inline]
pub(crate) fn guarded<R>(code: impl FnOnce() -> R) -> Result<R, Reply> {
    catch_unwind(AssertUnwindSafe(code)).map_err(|panic: Box<dyn Any + Send>| {
        drop_quietly(panic);
        Reply::Failed(CallError::new(
            CallErrorKind::Panicked,
            Fate::Executed,
            Stage::Running,
        ))
    })
}

/// Drops what user code left behind, whose own `Drop` may panic as well.
pub(crate) fn drop_quietly<T>(value: T) {
    drop(catch_unwind(AssertUnwindSafe(move || drop(value))));
}
