//! The session from outside: pairs of sessions over simulated pipes, and peers that break rules.

mod auth;
mod beats;
mod exchange;
mod handshake;
mod limits;
mod mutated;
mod oracle;
mod order;
mod pair;
mod parts;
mod placed;
#[path = "../random/mod.rs"]
mod random;
mod raw;
mod recorded;
mod shown;
mod simulation;
mod simulator;
mod splits;
mod violations;
