//! One method of a service, read and checked.

use syn::ext::IdentExt;
use syn::{
    Attribute, Block, Expr, ExprLit, FnArg, GenericArgument, Ident, Lit, LitStr, Meta,
    MetaNameValue, Pat, PatType, PathArguments, Receiver, ReceiverKind, ReturnType, Safety,
    Signature, Token, TraitItemFn, Type,
};

use crate::faults::Faults;
use crate::options::{Version, check_name, version_of};
use crate::wire_type;

/// A method that can be served and called.
pub(crate) struct Method {
    /// Its attributes, without our own.
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) kind: Kind,
    pub(crate) fn_token: Token![fn],
    pub(crate) ident: Ident,
    pub(crate) receiver: Receiver,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) output: ReturnType,
    /// Both sides of the output where it is a `Result`.
    pub(crate) result: Option<Outcome>,
    pub(crate) default: Option<Block>,
    /// The version in which it came, where it says.
    pub(crate) since: Option<Since>,
}

/// The version of `#[since = "1.3"]`, and where it stands.
pub(crate) struct Since {
    pub(crate) version: Version,
    pub(crate) text: LitStr,
}

/// Where a method's handler runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Where the request arrives.
    Quick,
    /// In a task.
    Async,
    /// On the pool for what blocks.
    Blocking,
}

/// A value that a method takes.
pub(crate) struct Argument {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    pub(crate) source: Source,
}

/// Where an argument comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The caller.
    Caller,
    /// The server: it is the request's context.
    Context,
}

/// The two sides of a `Result<T, E>`.
pub(crate) struct Outcome {
    pub(crate) value: Type,
    pub(crate) error: Type,
}

/// serde has implementations for tuples up to this.
const MAX_ARGUMENTS: usize = 16;

impl Method {
    /// Reads a method of the trait named `service`.
    ///
    /// # Errors
    /// All that keeps it from being called from another process.
    pub(crate) fn read(function: TraitItemFn, service: &Ident) -> syn::Result<Self> {
        let TraitItemFn {
            attrs: mut attributes,
            modifiers,
            sig,
            default,
            ..
        } = function;
        let mut faults = Faults::default();
        if let Err(fault) = modifiers.require_empty() {
            faults.add(fault);
        }
        check_signature(&sig, service, &mut faults);
        let kind = kind(&mut attributes, &sig, &mut faults);
        let since = since(&mut attributes, &mut faults);
        let result = match &sig.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => outcome(ty, &mut faults),
        };
        let mut receiver = Err(no_receiver(&sig, service));
        let mut arguments = Vec::with_capacity(sig.inputs.len());
        for input in sig.inputs {
            match input {
                FnArg::Receiver(found) => receiver = check_receiver(found),
                FnArg::Typed(typed) => arguments.extend(argument(typed, &mut faults)),
            }
        }
        check_arguments(&sig.ident, &arguments, &mut faults);
        match receiver {
            Ok(receiver) => faults.unless_any(Method {
                attributes,
                kind,
                fn_token: sig.fn_token,
                ident: sig.ident,
                receiver,
                arguments,
                output: sig.output,
                result,
                default,
                since,
            }),
            Err(fault) => Err(faults.and(fault)),
        }
    }

    /// Its name on the bus.
    pub(crate) fn wire_name(&self) -> String {
        self.ident.unraw().to_string()
    }

    /// The arguments that callers give.
    pub(crate) fn sent(&self) -> impl Iterator<Item = &Argument> {
        self.arguments
            .iter()
            .filter(|argument| argument.source == Source::Caller)
    }
}

fn check_signature(sig: &Signature, service: &Ident, faults: &mut Faults) {
    let name = sig.ident.unraw().to_string();
    let ours = [
        ("new", "makes a client"),
        ("version_cap", "caps what a client asks for"),
        ("can_send_version", "asks what a client may send"),
    ];
    if let Some((_, purpose)) = ours.iter().find(|(ours, _)| *ours == name) {
        faults.at(
            &sig.ident,
            format_args!("`{service}Client::{name}` {purpose}: choose another name for the method"),
        );
    }
    if let Err(advice) = check_name("method", &name) {
        faults.at(&sig.ident, advice);
    }
    if !sig.generics.params.is_empty() {
        faults.at(
            &sig.generics,
            "a method of a service cannot be generic: the other side must know its types. Name them, or write a method for each",
        );
    }
    if let Some(clause) = &sig.generics.where_clause {
        faults.at(
            clause,
            "a method of a service has no `where` clause: every server has every method",
        );
    }
    if let Some(constness) = &sig.constness {
        faults.at(
            constness,
            "a method of a service cannot be `const`: remove it",
        );
    }
    if let Safety::Unsafe(token) = &sig.safety {
        faults.at(
            token,
            "a method of a service cannot be unsafe: clients in other processes cannot promise anything",
        );
    }
    if let Some(abi) = &sig.abi {
        faults.at(
            abi,
            "a method of a service has no ABI of its own: remove it",
        );
    }
}

/// Takes `#[blocking]` out of `attributes`, and says where the method's handler runs.
fn kind(attributes: &mut Vec<Attribute>, sig: &Signature, faults: &mut Faults) -> Kind {
    let Some(blocking) = take(attributes, "blocking", faults) else {
        return match sig.asyncness {
            Some(_) => Kind::Async,
            None => Kind::Quick,
        };
    };
    if sig.asyncness.is_some() {
        faults.at(
            &blocking,
            "an async method cannot be `#[blocking]`: remove `async`, and it may block its thread",
        );
    }
    Kind::Blocking
}

/// Takes `#[since = "1.3"]` out of `attributes`.
fn since(attributes: &mut Vec<Attribute>, faults: &mut Faults) -> Option<Since> {
    let at = attributes
        .iter()
        .position(|attribute| attribute.path().is_ident("since"))?;
    let found = attributes.remove(at);
    if let Some(again) = attributes
        .iter()
        .find(|attribute| attribute.path().is_ident("since"))
    {
        faults.at(again, "`since` is given twice: keep one of them");
    }
    match &found.meta {
        Meta::NameValue(MetaNameValue {
            value:
                Expr::Lit(ExprLit {
                    lit: Lit::Str(text),
                    ..
                }),
            ..
        }) => match version_of("since", text) {
            Ok(version) => {
                return Some(Since {
                    version,
                    text: text.clone(),
                });
            }
            Err(fault) => faults.add(fault),
        },
        _ => faults.at(
            &found,
            "the version of the service in which the method came: write `#[since = \"1.3\"]`",
        ),
    }
    None
}

/// Takes the attribute `name` out of `attributes`.
fn take(attributes: &mut Vec<Attribute>, name: &str, faults: &mut Faults) -> Option<Attribute> {
    let at = attributes
        .iter()
        .position(|attribute| attribute.path().is_ident(name))?;
    let found = attributes.remove(at);
    if let Err(fault) = found.meta.require_path_only() {
        faults.add(fault);
    }
    Some(found)
}

fn no_receiver(sig: &Signature, service: &Ident) -> syn::Error {
    let name = &sig.ident;
    let advice = format!(
        "a method of a service takes `&self` first, the value that `{service}Server::new` was given: write `fn {name}(&self, ..)`"
    );
    syn::Error::new(name.span(), advice)
}

fn check_receiver(receiver: Receiver) -> syn::Result<Receiver> {
    let advice = match &receiver.kind {
        ReceiverKind::Reference(_, None, None) => return Ok(receiver),
        ReceiverKind::Reference(_, _, Some(_)) => {
            "take `&self`: calls run at the same time. Keep what changes in a `Mutex` or an atomic"
        }
        ReceiverKind::Reference(_, Some(_), None) => {
            "take `&self`, without a lifetime: the reply outlives the call"
        }
        _ => "take `&self`: the server calls the method more than once",
    };
    Err(syn::Error::new_spanned(&receiver, advice))
}

fn argument(typed: PatType, faults: &mut Faults) -> Option<Argument> {
    let PatType {
        mut attrs, pat, ty, ..
    } = typed;
    let source = match take(&mut attrs, "ctx", faults) {
        Some(_) => Source::Context,
        None => Source::Caller,
    };
    if let Some(other) = attrs.first() {
        faults.at(
            other,
            "an argument has no attribute but `#[ctx]`: every caller sends all arguments",
        );
    }
    match (source, &*ty) {
        (Source::Caller, ty) => wire_type::check(ty, faults),
        (Source::Context, Type::Reference(reference)) => {
            faults.at(
                reference,
                "the context is handed over: write `#[ctx] context: Context`",
            );
        }
        (Source::Context, _) => {}
    }
    match *pat {
        Pat::Ident(name)
            if name.by_ref.is_none() && name.mutability.is_none() && name.subpat.is_none() =>
        {
            Some(Argument {
                ident: name.ident,
                ty: *ty,
                source,
            })
        }
        Pat::Ident(name) if name.mutability.is_some() => {
            let advice = format!(
                "an argument of a service's method has a plain name: write `let mut {0} = {0};` in the body",
                name.ident
            );
            faults.at(name, advice);
            None
        }
        pattern => {
            faults.at(
                pattern,
                "an argument of a service's method needs a name, which its client shows: take the pattern apart in the body",
            );
            None
        }
    }
}

fn check_arguments(method: &Ident, arguments: &[Argument], faults: &mut Faults) {
    let of = |source| {
        arguments
            .iter()
            .filter(move |argument| argument.source == source)
    };
    if let Some(second) = of(Source::Context).nth(1) {
        faults.at(
            &second.ident,
            "a request has one context: keep one `#[ctx]` argument",
        );
    }
    let sent = of(Source::Caller).count();
    if sent > MAX_ARGUMENTS {
        faults.at(
            method,
            format_args!("{sent} arguments are too many, at most {MAX_ARGUMENTS} can be sent: put them into a struct"),
        );
    }
}

/// The two sides of `ty` where it is written as a `Result` with both, and what is wrong with it.
fn outcome(ty: &Type, faults: &mut Faults) -> Option<Outcome> {
    let ty = wire_type::ungrouped(ty);
    wire_type::check(ty, faults);
    let Type::Path(path) = ty else {
        return None;
    };
    let name = path
        .path
        .segments
        .last()
        .filter(|name| name.ident == "Result")?;
    let PathArguments::AngleBracketed(arguments) = &name.arguments else {
        return None;
    };
    let mut types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty.clone()),
        _ => None,
    });
    match (types.next(), types.next()) {
        (Some(value), Some(error)) => Some(Outcome { value, error }),
        (Some(_), None) => {
            faults.at(
                ty,
                "the error travels as well, so its type must be seen here: write `Result<T, E>` with both types",
            );
            None
        }
        _ => None,
    }
}
