//! What cannot travel, where it can be seen.

use std::path::Path;

#[tidings::service]
pub trait Arguments {
    fn text(&self, name: &str); //~ &str => a reference cannot be sent to another process: use `String`
    fn bytes(&self, part: &'static [u8]); //~ &'static [u8] => use `Vec<u8>`
    async fn path(&self, path: &Path); //~ &Path => use `PathBuf`
    fn other(&self, value: Option<&mut Vec<u8>>); //~ &mut Vec<u8> => use `Vec<u8>`
    fn borrowing(&self, value: std::borrow::Cow<'_, str>); //~ '_ => what is sent borrows nothing: write `'static`
    fn opaque(&self, value: impl Into<String>); //~ impl Into<String> => `impl Trait` cannot be sent: the other side must know the type
    fn object(&self, value: Box<dyn Fn()>); //~ dyn Fn() => a trait object cannot be sent
    fn borrowed_object(&self, value: &dyn ToString); //~ dyn ToString => a trait object cannot be sent
    fn pointer(&self, value: *const u8); //~ *const u8 => a pointer means nothing in another process
    fn function(&self, value: fn() -> u8); //~ fn() -> u8 => a pointer means nothing in another process
    fn own(&self, value: Self); //~ Self => `Self` is the server's own type
    fn count(&self, value: usize); //~ usize => `usize` does not have the same range on every host: send `u64`
    fn counts(&self, value: (u8, [Vec<std::primitive::isize>; 2])); //~ isize => send `i64`
}

#[tidings::service]
pub trait Replies {
    fn text(&self) -> &str; //~ &str => a reference cannot be sent to another process: use `String`
    async fn length(&self) -> Option<usize>; //~ usize => send `u64`
    fn outcome(&self) -> Result<usize, String>; //~ usize => send `u64`
    fn failure(&self) -> Result<(), &'static str>; //~ &'static str => use `String`
    fn opaque(&self) -> impl Send; //~ impl Send => `impl Trait` cannot be sent
    fn unseen(&self) -> std::io::Result<u8>; //~ std => the error travels as well, so its type must be seen here: write `Result<T, E>`
}

fn main() {}
