//! What the server calls its methods on.

use std::sync::Arc;

#[tidings::service]
pub trait Receivers {
    fn missing(name: String) -> String; //~ missing => takes `&self` first, the value that `ReceiversServer::new` was given: write `fn missing(&self, ..)`
    fn none(); //~ none => takes `&self` first
    fn changing(&mut self); //~ &mut self => take `&self`: calls run at the same time. Keep what changes in a `Mutex`
    fn consuming(self); //~ self => take `&self`: the server calls the method more than once
    fn shared(self: Arc<Self>); //~ self: Arc<Self> => take `&self`
    fn lasting(&'static self); //~ &'static self => take `&self`, without a lifetime
}

fn main() {}
