//! The server: the value that implements the trait, with a handler for each method.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::Ident;

use super::{
    Names, arguments_type, documentation, fingerprint, local, optional, shown_at, together,
};
use crate::method::{Argument, Kind, Method, Source};
use crate::service::{Service, conditions};

pub(super) fn structure(service: &Service, names: &Names) -> TokenStream {
    let Names {
        service: trait_name,
        server,
        ..
    } = names;
    let attributes = service.shared_attributes();
    let vis = &service.shell.vis;
    let docs = format!(
        "Serves a [`{trait_name}`]: `bus.serve({server}::new(value))`. Made by the attribute `service`."
    );
    quote! {
        #[doc = #docs]
        #[must_use = "it serves nothing before `bus.serve(..)`"]
        #(#attributes)*
        #vis struct #server<S> {
            service: ::std::sync::Arc<S>,
        }
    }
}

pub(super) fn implementation(service: &Service, names: &Names) -> TokenStream {
    let Names {
        core,
        service: trait_name,
        server,
        topic,
        ..
    } = names;
    let vis = &service.shell.vis;
    let version = names.version(names.version);
    let namespaces = names.namespaces.iter().map(optional);
    let value = local("service");
    // Not `S`: the user may have a type of this name, and arguments of it.
    let implementor = format_ident!("__{}", trait_name);
    let methods = service
        .methods
        .iter()
        .map(|method| specification(method, names, &implementor));
    let title = server.to_string();
    quote! {
        impl<S: #trait_name> #server<S> {
            /// A server whose methods are those of `service`.
            #vis fn new(service: S) -> Self {
                Self { service: ::std::sync::Arc::new(service) }
            }
        }

        impl<S: #trait_name> ::core::convert::From<::std::sync::Arc<S>> for #server<S> {
            fn from(service: ::std::sync::Arc<S>) -> Self {
                Self { service }
            }
        }

        impl<S> ::core::fmt::Debug for #server<S> {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_struct(#title).finish_non_exhaustive()
            }
        }

        impl<#implementor: #trait_name> #core::server::Service for #server<#implementor> {
            fn into_endpoint(self) -> #core::server::Endpoint {
                let #value = self.service;
                #core::server::Endpoint::new(
                    #topic,
                    #version,
                    ::std::vec::Vec::from([#(#methods),*]),
                )
                .namespaces(::std::vec::Vec::from([#(#namespaces),*]))
            }
        }
    }
}

/// A method's entry in the endpoint.
fn specification(method: &Method, names: &Names, implementor: &Ident) -> TokenStream {
    let here = shown_at(&method.ident);
    let core = names.core_at(&method.ident);
    let conditions = conditions(&method.attributes);
    let wire_name = method.wire_name();
    let value = local("service");
    let handler = handler(method, names, implementor);
    let fingerprint = fingerprint::name(method);
    let docs = documentation::text(&method.attributes);
    quote_spanned! {here=>
        #(#conditions)*
        {
            let #value = ::std::sync::Arc::clone(&#value);
            #core::server::MethodSpec::new(#wire_name, #handler)
                .fingerprint(#fingerprint)
                .docs(#docs)
        }
    }
}

/// The handler that calls a method, as an expression that owns a share of the service.
fn handler(method: &Method, names: &Names, implementor: &Ident) -> TokenStream {
    let trait_name = &names.service;
    let ident = &method.ident;
    let here = shown_at(ident);
    let core = names.core_at(ident);
    let value = local("service");
    let sent: Vec<_> = method.sent().map(|argument| &argument.ident).collect();
    let pattern = together(&sent, ident);
    let ty = arguments_type(method);
    let all = method.arguments.iter().map(|argument| &argument.ident);
    let run = quote_spanned!(here=> <#implementor as #trait_name>::#ident(&*#value, #(#all),*));
    let body = match method.kind {
        Kind::Quick | Kind::Blocking => run,
        Kind::Async => quote_spanned! {here=>
            let #value = ::std::sync::Arc::clone(&#value);
            async move { #run.await }
        },
    };
    let context = method
        .arguments
        .iter()
        .find(|argument| argument.source == Source::Context)
        .map(|Argument { ident, ty, .. }| {
            let core = names.core_at(ty);
            quote_spanned!(shown_at(ty)=> let #ident: #ty = #core::server::handler::context();)
        });
    let constructor = match (method.kind, &method.result) {
        (Kind::Quick, None) => "quick",
        (Kind::Quick, Some(_)) => "try_quick",
        (Kind::Async, None) => "asynchronous",
        (Kind::Async, Some(_)) => "try_asynchronous",
        (Kind::Blocking, None) => "blocking",
        (Kind::Blocking, Some(_)) => "try_blocking",
    };
    let constructor = Ident::new(constructor, here);
    quote_spanned! {here=>
        #core::server::handler::#constructor(move |#pattern: #ty| {
            #context
            #body
        })
    }
}
