//! The documentation of what is generated.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Expr, ExprLit, Lit, Meta};

use super::is;
use crate::method::Kind;

/// What a method's kind means to a caller, and what every caller should know.
pub(super) fn of_request(kind: Kind) -> String {
    let kind = match kind {
        Kind::Quick => "A quick method: the server answers at once.",
        Kind::Async => "An async method: the server runs a task for it.",
        Kind::Blocking => "A blocking method: the server runs it on a thread that may block.",
    };
    format!("{kind} Nothing is sent before a verb: `.cast()`, `.call()` or `.invoke()`.")
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
