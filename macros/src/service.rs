//! The trait of a service, read and checked.

use std::collections::HashMap;

use proc_macro2::TokenStream;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Ident, ItemTrait, TraitItem, TraitItemFn, Visibility};

use crate::faults::Faults;
use crate::method::Method;
use crate::options::Version;

/// A trait that can be served.
pub(crate) struct Service {
    /// The trait, without its items.
    pub(crate) shell: ItemTrait,
    pub(crate) methods: Vec<Method>,
}

impl Service {
    /// Reads a trait.
    ///
    /// # Errors
    /// All that keeps it from being a service.
    pub(crate) fn read(mut item: ItemTrait) -> syn::Result<Self> {
        let mut faults = Faults::default();
        check_shell(&item, &mut faults);
        let items = std::mem::take(&mut item.items);
        if items.is_empty() {
            faults.at(&item.ident, "a service needs at least one method");
        }
        let mut methods = Vec::with_capacity(items.len());
        for part in items {
            match part {
                TraitItem::Fn(function) => match Method::read(function, &item.ident) {
                    Ok(method) => methods.push(method),
                    Err(fault) => faults.add(fault),
                },
                TraitItem::Type(ty) => faults.at(
                    &ty.ident,
                    "a service has no associated types: name the type in the methods that use it",
                ),
                TraitItem::Const(constant) => faults.at(
                    &constant.ident,
                    "a service has no associated constants, which clients could not see: make it a constant of the module, or a method",
                ),
                TraitItem::Verbatim(tokens) => match visibility(&tokens) {
                    Some(visibility) => faults.at(
                        visibility,
                        "a method is as visible as its trait: remove this",
                    ),
                    None => faults.at(tokens, "a service has methods only"),
                },
                other => faults.at(other, "a service has methods only"),
            }
        }
        check_names(&methods, &mut faults);
        faults.unless_any(Service {
            shell: item,
            methods,
        })
    }

    /// Checks that the service has all its methods in `version`.
    ///
    /// # Errors
    /// Each method that came later, or in another major version.
    pub(crate) fn check_since(&self, version: Version) -> syn::Result<()> {
        let mut faults = Faults::default();
        let since = self
            .methods
            .iter()
            .filter_map(|method| method.since.as_ref());
        for since in since.filter(|since| !version.serves(since.version)) {
            let advice = match since.version.major == version.major {
                true => format!(
                    "the service is of version {version}, which is earlier: raise it to `version = \"{}\"`",
                    since.version
                ),
                false => format!(
                    "the service is of version {version}, and each major version begins anew: write the version in which the method came in {}.x, or leave this out for {}",
                    version.major,
                    version.first_of_major()
                ),
            };
            faults.at(&since.text, advice);
        }
        faults.unless_any(())
    }

    /// The attributes of the trait that its server and client have as well.
    pub(crate) fn shared_attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.shell.attrs.iter().filter(|attribute| {
            attribute.path().is_ident("cfg") || attribute.path().is_ident("deprecated")
        })
    }

    /// The conditions under which the trait is compiled.
    pub(crate) fn conditions(&self) -> Vec<&Attribute> {
        conditions(&self.shell.attrs)
    }
}

/// The `cfg` attributes among `attributes`.
pub(crate) fn conditions(attributes: &[Attribute]) -> Vec<&Attribute> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"))
        .collect()
}

fn check_shell(item: &ItemTrait, faults: &mut Faults) {
    if !item.generics.params.is_empty() {
        faults.at(
            &item.generics,
            "the trait of a service cannot be generic: name the types, or write one trait for each",
        );
    }
    if let Some(clause) = &item.generics.where_clause {
        faults.at(
            clause,
            "the trait of a service has no `where` clause: write bounds as supertraits",
        );
    }
    if let Some(unsafety) = &item.unsafety {
        faults.at(unsafety, "the trait of a service cannot be unsafe: clients in other processes cannot promise anything");
    }
    if let Err(fault) = item.modifiers.require_empty() {
        faults.add(fault);
    }
}

/// The visibility before an item that would be a method without it.
fn visibility(item: &TokenStream) -> Option<Visibility> {
    let read = |input: ParseStream<'_>| {
        input.call(Attribute::parse_outer)?;
        let visibility = input.parse::<Visibility>()?;
        input.parse::<TraitItemFn>()?;
        Ok(visibility)
    };
    read.parse2(item.clone()).ok()
}

/// A name is called by one method only; several may have it when conditions choose among them.
fn check_names(methods: &[Method], faults: &mut Faults) {
    let mut seen: HashMap<&Ident, bool> = HashMap::new();
    for method in methods {
        let conditional = !conditions(&method.attributes).is_empty();
        match seen.insert(&method.ident, conditional) {
            Some(before) if !(before && conditional) => faults.at(
                &method.ident,
                format_args!(
                    "two methods are named `{0}`, and a call names nothing but `{0}`: rename one of them",
                    method.ident
                ),
            ),
            _ => {}
        }
    }
}
