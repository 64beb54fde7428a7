//! A number for the shape of a type, so that two builds of it are told apart before a byte is read.
//!
//! postcard carries no types, and much decodes as something else without an error (FAULTS rule 2).
//! So each method has a fingerprint of its argument and reply types, and a difference is a typed
//! error on that method (C-VE-4).
//!
//! # What counts
//! The kinds of values and their order; the names and order of a struct's fields and of an enum's
//! variants, as serde sees them (after `rename`, without `skip`); what each variant carries.
//! Not the names of types, nor where they are declared; and a newtype counts as what it wraps, as
//! on the wire. `usize` counts as `u64`, `Vec<T>` as any other sequence of `T`, bytes
//! ([`Bytes`](crate::Bytes), `serde_bytes`) as one of `u8`, `Box<T>` as `T`.
//!
//! # How it is found
//! Nothing but `Deserialize` is asked of a type. Its implementation is run, more than once, against
//! a deserializer that answers every request with a made-up value and notes what was asked for:
//! once for each variant of an enum that can be reached, and again with other values where one was
//! refused (a non-zero integer, a parsed text). What cannot be seen is left out, the same way in
//! each run: the elements of a tuple behind one whose values are all refused, what lies under
//! an untagged or internally tagged enum or `flatten` (which postcard cannot carry either), nesting
//! beyond 96 levels, what is left after 65,536 values. Then the fingerprint is weaker, never random.
//!
//! The result depends on no address, hash seed, build or platform. It may change between versions
//! of this crate.

mod access;
mod graph;
mod hash;
mod trace;
mod tracer;
mod values;

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde::de::DeserializeOwned;

/// The fingerprint of `T`. Never 0, so that 0 can stand for "not known".
///
/// Runs `T`'s `Deserialize` implementation at least once: microseconds for a small struct, more
/// with many variants. Never fails; a panic in the implementation ends the look at what follows it.
#[must_use]
pub fn of<T: DeserializeOwned>() -> u64 {
    let mut graph = trace::explore::<T>();
    graph.spell_out_bytes();
    hash::of_graph(&graph).max(1)
}

/// [`of`], found once in the life of the process for each `T`.
#[must_use]
pub fn cached<T: DeserializeOwned + 'static>() -> u64 {
    static KNOWN: OnceLock<Mutex<HashMap<TypeId, u64>>> = OnceLock::new();
    let known = || {
        KNOWN
            .get_or_init(Mutex::default)
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    };
    let id = TypeId::of::<T>();
    if let Some(&found) = known().get(&id) {
        return found;
    }
    // Unlocked: `T`'s implementation is the user's, and may come back here.
    let found = of::<T>();
    known().insert(id, found);
    found
}

/// One fingerprint for several in order: a method's arguments, reply and error. Never 0.
#[must_use]
pub fn combine(parts: &[u64]) -> u64 {
    let mut hash = hash::Fnv::new();
    hash.number(parts.len() as u64);
    for &part in parts {
        hash.number(part);
    }
    hash.finish().max(1)
}
