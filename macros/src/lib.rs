//! `#[service]`: one trait gives the server and the client of a service. Used through the crate `tidings`, whose
//! documentation starts at the attribute itself.
//!
//! In reading order: `options` (what stands in the attribute), `service` and `method` (the trait, read and checked),
//! `wire_type` (what may travel), `faults` (all that is wrong, told at once), `expand` (what is generated).

mod case;
mod expand;
mod faults;
mod method;
mod options;
mod service;
mod wire_type;

use proc_macro::TokenStream;

use crate::options::Options;
use crate::service::Service;

/// Makes a trait a service: generates its server and its client.
///
/// From `trait Greeter` it makes:
/// * the trait itself, for the server to implement, with the supertraits `Send + Sync + 'static`;
/// * `GreeterServer<S>`: what `bus.serve(..)` takes. `GreeterServer::new(value)`, where `value` implements `Greeter`;
///   `GreeterServer::from(arc)` where other code keeps the value as well;
/// * `GreeterClient`: `GreeterClient::new(&bus)`. It has a method for each of the trait's, which returns a `Request`:
///   choose options on it, then a verb. Nothing is sent before that. Cheap to clone. `.version_cap("1.3")` caps the
///   versions that it asks for, and `.can_send_version("1.4")` says whether that allows 1.4.
///
/// # Options
/// * `version = "1.0"`: `X.Y` or `X.Y.Z`; 1.0 unless given. What the server implements.
/// * `topic = "greeter"`: unless given, the trait's name in snake case.
/// * `namespace = "inventory"`: tells it apart from other services on its topic; none unless given.
/// * `alias = "stock"`: a namespace that it had once, or `alias = none` if it had none. The server is reached by it as
///   well. May be given several times.
/// * `crate = path`: where the crate `tidings` is found, if not at `::tidings`.
///
/// # Versions
/// A request asks for the least version that will do, so that a new client gets along with an old server while a service
/// is upgraded. A method that was added to a service says when: `#[since = "1.3"]`, and requests for it ask for 1.3. All
/// others ask for the first version of the service's major one, such as 1.0.
///
/// # The three kinds of methods
/// * `fn`: **quick**. It must not block: it may run on the thread of a caller in the same process, or on the one that
///   reads a connection.
/// * `async fn`: runs as a task. Between its awaits the same holds. Its future must be `Send`; the server's type
///   implements it as `async fn`. Cancelled, it is dropped at its next await.
/// * `#[blocking] fn`: may block or compute for long. Runs on a pool of threads kept for that. Cancelled, it goes on
///   unless it looks at `Context::is_cancelled`.
///
/// Kinds can be mixed, and a method may change its kind without its clients noticing. Methods may have default bodies.
///
/// # Arguments and replies
/// They are owned values that implement serde's `Serialize` and `Deserialize`, and mean the same on every host: no
/// references, no `usize`. On the wire, no argument is `()`, one is itself, and several are a tuple: so
/// `bus.call("greeter.div", &(4i64, 2i64))` calls `fn div(&self, a: i64, b: i64)`. An argument of type `String` is
/// `impl Into<String>` in the client.
///
/// A method that returns `Result<T, E>` fails with an error of its own: the client gets `Request<T, MethodError<E>>`.
/// It is written with both types, not as an alias, for the macro sees names only. `E` also implements `Display`.
///
/// An argument `#[ctx] context: Context` is not sent: the server fills in the request's `Context`.
///
/// Attributes of a method stay on the trait; `#[cfg]`, `#[deprecated]`, `#[allow]` and documentation are on the client's
/// method as well.
///
/// Each method has a fingerprint of its types. Where both sides know it and they differ, the call fails as
/// `SchemaMismatch`, and no argument is misread.
#[proc_macro_attribute]
pub fn service(attribute: TokenStream, item: TokenStream) -> TokenStream {
    generate(attribute.into(), item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

fn generate(
    attribute: proc_macro2::TokenStream,
    item: proc_macro2::TokenStream,
) -> syn::Result<proc_macro2::TokenStream> {
    let options = syn::parse2::<Options>(attribute);
    let service = syn::parse2::<syn::ItemTrait>(item).and_then(Service::read);
    match (options, service) {
        (Ok(options), Ok(service)) => {
            service.check_since(options.version)?;
            Ok(expand::expand(&options, &service))
        }
        (Err(mut fault), Err(other)) => {
            fault.combine(other);
            Err(fault)
        }
        (Err(fault), _) | (_, Err(fault)) => Err(fault),
    }
}
