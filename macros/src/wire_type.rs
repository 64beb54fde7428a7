//! What may travel: the faults of a type that can be seen in its text. What cannot be seen, serde's bounds find.

use quote::ToTokens;
use syn::{GenericArgument, Path, PathArguments, Type, TypeReference};

use crate::faults::Faults;

/// Notes what is wrong with `ty` as an argument, a reply or an error.
pub(crate) fn check(ty: &Type, faults: &mut Faults) {
    match ty {
        Type::Reference(reference) => match &*reference.elem {
            object @ Type::TraitObject(_) => check(object, faults),
            _ => faults.at(
                reference,
                format_args!(
                    "a reference cannot be sent to another process: use `{}`",
                    owned(reference)
                ),
            ),
        },
        Type::ImplTrait(opaque) => faults.at(
            opaque,
            "`impl Trait` cannot be sent: the other side must know the type. Name it",
        ),
        Type::TraitObject(object) => faults.at(
            object,
            "a trait object cannot be sent: the other side must know the type. Name it, or send an enum",
        ),
        Type::Ptr(_) | Type::FnPtr(_) => faults.at(
            ty,
            "a pointer means nothing in another process: send the value that it leads to",
        ),
        Type::Path(path) => {
            if let Some(own) = &path.qself {
                check(&own.ty, faults);
            }
            check_path(&path.path, faults);
        }
        Type::Array(array) => check(&array.elem, faults),
        Type::Slice(slice) => check(&slice.elem, faults),
        Type::Tuple(tuple) => tuple.elems.iter().for_each(|part| check(part, faults)),
        Type::Group(group) => check(&group.elem, faults),
        Type::Paren(paren) => check(&paren.elem, faults),
        _ => {}
    }
}

fn check_path(path: &Path, faults: &mut Faults) {
    if let Some(name) = path.segments.first().filter(|first| first.ident == "Self") {
        let advice = "`Self` is the server's own type, which clients do not have: name the type that is sent";
        return faults.at(name, advice);
    }
    if let Some(name) = path.segments.last() {
        // FAULTS D15: what travels does not depend on the platform.
        for (local, everywhere) in [("usize", "u64"), ("isize", "i64")] {
            if name.ident == local {
                let advice = format!(
                    "`{local}` does not have the same range on every host: send `{everywhere}`"
                );
                return faults.at(name, advice);
            }
        }
    }
    for segment in &path.segments {
        if let PathArguments::AngleBracketed(arguments) = &segment.arguments {
            for argument in &arguments.args {
                match argument {
                    GenericArgument::Type(ty) => check(ty, faults),
                    GenericArgument::Lifetime(lifetime) if lifetime.ident != "static" => faults.at(
                        lifetime,
                        "what is sent borrows nothing: write `'static`, or use a type that owns its value",
                    ),
                    GenericArgument::AssocType(binding) => check(&binding.ty, faults),
                    _ => {}
                }
            }
        }
    }
}

/// The type to send instead of a reference.
fn owned(reference: &TypeReference) -> String {
    match &*reference.elem {
        Type::Path(path) if path.path.is_ident("str") => "String".to_owned(),
        Type::Path(path) if path.path.is_ident("Path") => "PathBuf".to_owned(),
        Type::Slice(slice) => format!("Vec<{}>", text(&slice.elem)),
        other => text(other),
    }
}

/// A type as it is usually written.
fn text(ty: &Type) -> String {
    let spaced = ty.to_token_stream().to_string();
    [" < ", " <", "< ", " >", " ,", " :: "]
        .iter()
        .fold(spaced, |text, wide| text.replace(wide, wide.trim()))
}

/// What stands in the invisible brackets that `macro_rules!` puts round a type.
pub(crate) fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungrouped(&group.elem),
        ty => ty,
    }
}
