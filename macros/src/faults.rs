//! What is wrong with a trait: gathered, so that a user sees all of it in one build.

use quote::ToTokens;

/// The faults found so far.
#[derive(Default)]
pub(crate) struct Faults(Option<syn::Error>);

impl Faults {
    /// Notes that the user must change `place`, and how.
    pub(crate) fn at(&mut self, place: impl ToTokens, advice: impl std::fmt::Display) {
        self.add(syn::Error::new_spanned(place, advice));
    }

    pub(crate) fn add(&mut self, fault: syn::Error) {
        match &mut self.0 {
            Some(faults) => faults.combine(fault),
            None => self.0 = Some(fault),
        }
    }

    /// `value`, if nothing is wrong.
    pub(crate) fn unless_any<T>(self, value: T) -> syn::Result<T> {
        match self.0 {
            Some(faults) => Err(faults),
            None => Ok(value),
        }
    }
}
