//! What only the compiler's types can tell: it is told where the type stands.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

pub struct Plain;

#[derive(Debug, Serialize, Deserialize)]
pub struct NoDisplay;

#[tidings::service]
pub trait Arguments {
    fn one(&self, plain: Plain); //~ Plain => `Plain: serde::Serialize` is not satisfied //~ => `Plain: serde::
}

#[tidings::service]
pub trait Bounds {
    fn argument(&self, a: u8, plain: Plain); //~ Plain => `Plain: serde::Serialize` is not satisfied //~ => `Plain: serde::
    async fn reply(&self) -> Plain; //~ Plain => `Plain: serde::Serialize` is not satisfied //~ => `Plain: serde::
    fn failure(&self) -> Result<u8, NoDisplay>; //~ NoDisplay => `NoDisplay: ApplicationError` is not satisfied //~ => `NoDisplay
    fn context(&self, #[ctx] context: u8); //~ u8 => mismatched types: expected `u8`, found `Context`
}

#[tidings::service]
pub trait Sends {
    async fn waits(&self);
}

pub struct Local;

impl Sends for Local {
    async fn waits(&self) { //~ { => future cannot be sent between threads safely
        let here = Rc::new(1);
        std::future::ready(()).await;
        drop(here);
    }
}

fn main() {}
