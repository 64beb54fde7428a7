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
        self.0 = Some(std::mem::take(self).and(fault));
    }

    /// All of them, with one more.
    pub(crate) fn and(self, fault: syn::Error) -> syn::Error {
        match self.0 {
            Some(mut faults) => {
                faults.combine(fault);
                faults
            }
            None => fault,
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
