//! The client: a method for each of the trait's, which makes a request.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Type;

use super::{Names, documentation, fingerprint, is, optional, reply_type, shown_at, together};
use crate::method::{Argument, Method};
use crate::service::Service;
use crate::wire_type::ungrouped;

pub(super) fn structure(service: &Service, names: &Names) -> TokenStream {
    let Names {
        core,
        service: trait_name,
        client,
        topic,
        version,
        ..
    } = names;
    let attributes = service.shared_attributes();
    let vis = &service.shell.vis;
    let docs = format!(
        "Calls a [`{trait_name}`] on topic `{topic}`, version {version}. Cheap to clone. Made by the attribute `service`."
    );
    quote! {
        #[doc = #docs]
        #[derive(::core::clone::Clone)]
        #(#attributes)*
        #vis struct #client {
            service: #core::bus::ServiceClient,
        }
    }
}

pub(super) fn implementation(service: &Service, names: &Names) -> TokenStream {
    let Names {
        core,
        client,
        topic,
        ..
    } = names;
    let vis = &service.shell.vis;
    let namespace = names.namespaces.first().map(optional);
    let title = client.to_string();
    let methods = service
        .methods
        .iter()
        .map(|method| request(method, service, names));
    quote! {
        impl #client {
            /// A client on `bus`. It keeps the bus open.
            #[must_use]
            #vis fn new(bus: &#core::Bus) -> Self {
                Self { service: #core::bus::ServiceClient::new(bus, #topic, #namespace) }
            }

            /// Caps the version of its requests, while some servers are older than this client: one that needs a
            /// version which a server of version `cap` does not serve fails as `VersionCap`, before anything is sent.
            #[must_use]
            #vis fn version_cap<V>(self, cap: V) -> Self
            where
                V: ::core::convert::TryInto<#core::Version>,
                V::Error: ::core::convert::Into<#core::VersionError>,
            {
                Self { service: self.service.version_cap(cap) }
            }

            /// Whether a request that needs `version` keeps within the cap.
            #vis fn can_send_version<V>(&self, version: V) -> bool
            where
                V: ::core::convert::TryInto<#core::Version>,
                V::Error: ::core::convert::Into<#core::VersionError>,
            {
                self.service.can_send_version(version)
            }

            #(#methods)*
        }

        impl ::core::fmt::Debug for #client {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_struct(#title).field("service", &self.service).finish()
            }
        }
    }
}

fn request(method: &Method, service: &Service, names: &Names) -> TokenStream {
    let core = &names.core;
    let vis = &service.shell.vis;
    let ident = &method.ident;
    let wire_name = method.wire_name();
    let attributes = method.attributes.iter().filter(|attribute| {
        ["doc", "cfg", "cfg_attr", "deprecated", "allow"]
            .iter()
            .any(|kept| is(attribute, kept))
    });
    let explained = documentation::of_request(method.kind);
    let explained = match &method.since {
        Some(since) => format!("{explained} Needs version {} of the server.", since.version),
        None => explained,
    };
    let parameters = method.sent().map(|argument| {
        let Argument { ident, ty, .. } = argument;
        match is_text(ty) {
            true => quote!(#ident: impl ::core::convert::Into<#ty>),
            false => quote!(#ident: #ty),
        }
    });
    let values: Vec<TokenStream> = method
        .sent()
        .map(|argument| {
            let Argument { ident, ty, .. } = argument;
            match is_text(ty) {
                true => quote!(::core::convert::Into::<#ty>::into(#ident)),
                false => quote!(#ident),
            }
        })
        .collect();
    let arguments = together(&values, ident);
    let reply = reply_type(method);
    let error = match &method.result {
        Some(result) => {
            let error = &result.error;
            quote!(#core::MethodError<#error>)
        }
        None => quote!(#core::CallError),
    };
    let fingerprint = fingerprint::name(method);
    let since = names.version(names.since(method));
    let body = quote_spanned! {shown_at(ident)=>
        self.service.request(
            const { #core::name::Method::literal(#wire_name) }, #since, #fingerprint, #arguments
        )
    };
    quote! {
        #(#attributes)*
        #[doc = ""]
        #[doc = #explained]
        #vis fn #ident(&self, #(#parameters),*) -> #core::Request<#reply, #error> {
            #body
        }
    }
}

/// Whether callers may give a `&str` as well.
fn is_text(ty: &Type) -> bool {
    match ungrouped(ty) {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .is_some_and(|name| name.ident == "String" && name.arguments.is_none()),
        _ => false,
    }
}
