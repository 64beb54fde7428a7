//! The trait, for the server's type to implement.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{ReturnType, parse_quote};

use super::named;
use crate::method::{Kind, Method};
use crate::service::Service;

/// The trait as it was written, but that it can be shared between threads and that async methods are `Send`.
pub(super) fn expand(service: &Service) -> TokenStream {
    let mut shell = service.shell.clone();
    shell.colon_token.get_or_insert_default();
    shell.supertraits.extend::<[syn::TypeParamBound; 3]>([
        parse_quote!(::core::marker::Send),
        parse_quote!(::core::marker::Sync),
        parse_quote!('static),
    ]);
    shell.items = service
        .methods
        .iter()
        .map(|method| syn::TraitItem::Verbatim(signature(method)))
        .collect();
    quote!(#shell)
}

fn signature(method: &Method) -> TokenStream {
    let Method {
        attributes,
        fn_token,
        ident,
        receiver,
        output,
        default,
        ..
    } = method;
    let arguments = method.arguments.iter().map(named);
    match method.kind {
        Kind::Quick | Kind::Blocking => {
            let body = match default {
                Some(body) => quote!(#body),
                None => quote_spanned!(ident.span()=> ;),
            };
            quote! {
                #(#attributes)*
                #fn_token #ident(#receiver, #(#arguments),*) #output #body
            }
        }
        Kind::Async => {
            let value = match output {
                ReturnType::Type(_, ty) => quote!(#ty),
                ReturnType::Default => quote!(()),
            };
            let future = quote_spanned! {ident.span()=>
                -> impl ::core::future::Future<Output = #value> + ::core::marker::Send
            };
            let body = match default {
                Some(body) => {
                    // As in an `async fn`, the future owns all arguments, those that are not used as well.
                    let names = method.arguments.iter().map(|argument| &argument.ident);
                    quote_spanned!(ident.span()=> { async move { #(let #names = #names;)* #body } })
                }
                None => quote_spanned!(ident.span()=> ;),
            };
            quote! {
                #(#attributes)*
                #fn_token #ident(#receiver, #(#arguments),*) #future #body
            }
        }
    }
}
