//! One way only.

use super::{Ours, Place};
use crate::arguments::Arguments;
use crate::cores::Cores;
use crate::harness::Group;
use crate::runtimes::Driver;
use crate::target::Target;

const TOKIO: &str = "tidings, tokio";

pub(super) fn run(arguments: &Arguments) {
    let place = Place::new();
    Group::new("Unix socket: `cast`")
        .on(Cores::Two)
        .case(Ours::direct(&place, Driver::tokio()).casts(TOKIO))
        .case(Ours::through_a_hub(&place).casts("tidings, through the hub, tokio"))
        .case(Ours::direct(&place, Driver::Smol).casts("tidings, smol"))
        .target(Target::nanoseconds(TOKIO, 1e9 / 3e6))
        .run(arguments);
}
