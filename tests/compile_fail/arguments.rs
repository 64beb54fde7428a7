//! How arguments are written.

use tidings::Context;

#[tidings::service]
pub trait Patterns {
    fn pair(&self, (a, b): (u8, u8)); //~ (a, b) => an argument of a service's method needs a name
    fn ignored(&self, _: u8); //~ _ => needs a name
    fn changing(&self, mut a: u8) {} //~ mut a => has a plain name: write `let mut a = a;` in the body
    fn conditional(&self, #[cfg(all())] a: u8); //~ #[cfg(all())] => an argument has no attribute but `#[ctx]`
    fn many( //~ many => 17 arguments are too many, at most 16 can be sent: put them into a struct
        &self, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8, j: u8, k: u8, l: u8, m: u8, n: u8,
        o: u8, p: u8, q: u8,
    );
}

#[tidings::service]
pub trait Contexts {
    fn borrowed(&self, #[ctx] context: &Context); //~ &Context => the context is handed over: write `#[ctx] context: Context`
    fn two(&self, #[ctx] first: Context, #[ctx] second: Context); //~ second => a request has one context
}

fn main() {}
