//! The documentation of what is generated.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Expr, ExprLit, Lit, Meta};

use super::is;
use crate::method::Kind;

/// What a method's kind means to a caller.
pub(super) fn of_kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Quick => {
            "The server answers at once (a quick method). Nothing is sent before a verb: `.cast()`, `.call()` or \
             `.invoke()`."
        }
        Kind::Async => {
            "The server runs a task for it (an async method). Nothing is sent before a verb: `.cast()`, `.call()` or \
             `.invoke()`."
        }
        Kind::Blocking => {
            "The server runs it on a thread of its own kind (a blocking method). Nothing is sent before a verb: \
             `.cast()`, `.call()` or `.invoke()`."
        }
    }
}

/// The text of the doc comments among `attributes`, as an expression of type `&'static str`.
pub(super) fn text(attributes: &[Attribute]) -> TokenStream {
    let lines: Vec<&Expr> = attributes
        .iter()
        .filter(|attribute| is(attribute, "doc"))
        .filter_map(|attribute| match &attribute.meta {
            Meta::NameValue(doc) => Some(&doc.value),
            _ => None,
        })
        .collect();
    let literal = |line: &&Expr| match line {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => {
            let text = text.value();
            Some(
                text.strip_prefix(' ')
                    .unwrap_or(&text)
                    .trim_end()
                    .to_owned(),
            )
        }
        _ => None,
    };
    match lines.iter().map(literal).collect::<Option<Vec<_>>>() {
        Some(lines) => {
            let text = lines.join("\n");
            quote!(#text)
        }
        // `#[doc = include_str!(..)]` is text only to the compiler.
        None => quote!(::core::concat!(#(#lines, "\n"),*)),
    }
}
