//! What is generated: the trait, the types of fingerprints, the server, the client.

mod client;
mod definition;
mod documentation;
mod fingerprint;
mod server;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Ident, Type};

use crate::case::snake;
use crate::method::{Argument, Method};
use crate::options::{Options, Version};
use crate::service::Service;

/// All that `service` becomes.
pub(crate) fn expand(options: &Options, service: &Service) -> TokenStream {
    let names = Names::of(options, service);
    let conditions = service.conditions();
    let definition = definition::expand(service);
    let structs = [
        server::structure(service, &names),
        client::structure(service, &names),
    ];
    let fingerprints = fingerprint::expand(service, &names);
    let server = server::implementation(service, &names);
    let client = client::implementation(service, &names);
    quote! {
        #definition
        #(#structs)*
        #(#conditions)*
        // A program may use the client only, or the server. What is deprecated is told at the trait.
        #[allow(dead_code, deprecated)]
        const _: () = {
            #fingerprints
            #server
            #client
        };
    }
}

/// The names that the parts of a service know each other by.
struct Names {
    core: TokenStream,
    service: Ident,
    server: Ident,
    client: Ident,
    topic: String,
    version: Version,
    /// Its own namespace, then its aliases.
    namespaces: Vec<Option<String>>,
}

impl Names {
    fn of(options: &Options, service: &Service) -> Self {
        let ident = &service.shell.ident;
        Names {
            core: options.core(),
            service: ident.clone(),
            server: format_ident!("{}Server", ident),
            client: format_ident!("{}Client", ident),
            topic: options
                .topic
                .clone()
                .unwrap_or_else(|| snake(&ident.unraw().to_string())),
            version: options.version,
            namespaces: std::iter::once(options.namespace.clone())
                .chain(options.aliases.clone())
                .collect(),
        }
    }

    /// The path of the core, shown at `place`: an error is shown from its first token to its last.
    fn core_at(&self, place: &impl ToTokens) -> TokenStream {
        let place = place.span();
        let shown = |mut token: TokenTree| {
            token.set_span(token.span().located_at(place));
            token
        };
        self.core.clone().into_iter().map(shown).collect()
    }

    /// `version` as an expression.
    fn version(&self, version: Version) -> TokenStream {
        let core = &self.core;
        let Version {
            major,
            minor,
            patch,
        } = version;
        quote!(#core::Version::new(#major, #minor, #patch))
    }

    /// The least version that a request for `method` needs.
    fn since(&self, method: &Method) -> Version {
        match &method.since {
            Some(since) => since.version,
            None => self.version.first_of_major(),
        }
    }
}

/// A namespace, or none, as an expression of type `Option<&'static str>`.
fn optional(name: &Option<String>) -> TokenStream {
    match name {
        Some(name) => quote!(::core::option::Option::Some(#name)),
        None => quote!(::core::option::Option::None),
    }
}

/// A name of ours, which no name of the user's meets.
fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// Where errors in generated code are shown: at what the user wrote, though the code is ours.
fn shown_at(place: &impl ToTokens) -> Span {
    Span::call_site().located_at(place.span())
}

/// What a method's arguments are together on the wire: `()`, the one itself, or a tuple. For types and values alike.
fn together<T: ToTokens>(parts: &[T], place: &Ident) -> TokenStream {
    match parts {
        [one] => quote!(#one),
        parts => quote_spanned!(shown_at(place)=> (#(#parts),*)),
    }
}

/// The type of a method's arguments.
fn arguments_type(method: &Method) -> TokenStream {
    let types: Vec<&Type> = method.sent().map(|argument| &argument.ty).collect();
    together(&types, &method.ident)
}

/// The type of a method's reply, when it is one.
fn reply_type(method: &Method) -> TokenStream {
    match (&method.result, &method.output) {
        (Some(result), _) => {
            let value = &result.value;
            quote!(#value)
        }
        (None, syn::ReturnType::Type(_, ty)) => quote!(#ty),
        (None, syn::ReturnType::Default) => quote!(()),
    }
}

fn named(argument: &Argument) -> TokenStream {
    let Argument { ident, ty, .. } = argument;
    quote!(#ident: #ty)
}

fn is(attribute: &Attribute, name: &str) -> bool {
    attribute.path().is_ident(name)
}
