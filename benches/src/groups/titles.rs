//! How those sections are called that short tables and pictures are made of.

use crate::setting::{Size, Wire};

pub(crate) fn memory_call(size: Size) -> String {
    format!("Memory, {size}: `call`, one after another")
}

pub(crate) fn memory_in_flight(size: Size, in_flight: u64) -> String {
    format!("Memory, {size}: {in_flight} in flight")
}

pub(crate) fn memory_cast(size: Size) -> String {
    format!("Memory, {size}: `cast`")
}

pub(crate) fn socket_one_in_flight(wire: Wire, size: Size) -> String {
    format!("{wire}, {size}: `call`, 1 in flight")
}

pub(crate) fn socket_in_flight(wire: Wire, size: Size, in_flight: u64) -> String {
    format!("{wire}, {size}: {in_flight} in flight")
}

pub(crate) fn socket_cast(wire: Wire, size: Size) -> String {
    format!("{wire}, {size}: `cast`")
}
