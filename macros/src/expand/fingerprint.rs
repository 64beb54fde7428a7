//! A function for each method that gives the fingerprint of its types: found once, then a load.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};

use super::{Names, arguments_type, reply_type, shown_at};
use crate::method::Method;
use crate::service::{Service, conditions};

/// The functions, for the body of a block.
pub(super) fn expand(service: &Service, names: &Names) -> TokenStream {
    service
        .methods
        .iter()
        .map(|method| function(method, names))
        .collect()
}

/// The name of a method's function.
pub(super) fn name(method: &Method) -> Ident {
    format_ident!("__fingerprint_of_{}", method.ident)
}

fn function(method: &Method, names: &Names) -> TokenStream {
    let core = &names.core;
    let conditions = conditions(&method.attributes);
    let name = name(method);
    // Each type where the user wrote it, so that what serde lacks is told there.
    let carried =
        |ty: &dyn ToTokens| quote_spanned!(shown_at(&ty)=> #core::server::handler::wire::<#ty>);
    let arguments = carried(&arguments_type(method));
    let reply = carried(&reply_type(method));
    let error = method.result.as_ref().map(|result| {
        let ty = &result.error;
        let core = names.core_at(ty);
        quote_spanned!(shown_at(&ty)=> , #core::server::handler::wire_error::<#ty>())
    });
    let each = method.sent().map(|argument| carried(&argument.ty));
    let each = (method.sent().count() > 1).then(|| quote!(#(let _ = #each;)*));
    quote! {
        #(#conditions)*
        fn #name() -> u64 {
            static KNOWN: ::std::sync::OnceLock<u64> = ::std::sync::OnceLock::new();
            #each
            *KNOWN.get_or_init(|| {
                #core::codec::fingerprint::combine(&[#arguments(), #reply() #error])
            })
        }
    }
}
