//! What is no method, and methods that are not ordinary ones.

#[tidings::service]
pub trait Associated {
    type Item; //~ Item => a service has no associated types: name the type
    const LIMIT: u32; //~ LIMIT => a service has no associated constants
    fn value(&self) -> u8;
}

#[tidings::service]
pub trait Empty {} //~ Empty => a service needs at least one method

#[tidings::service]
pub unsafe trait Unsafe { //~ unsafe => the trait of a service cannot be unsafe
    unsafe fn value(&self) -> u8; //~ unsafe => a method of a service cannot be unsafe
    extern "C" fn foreign(&self) -> u8; //~ extern "C" => a method of a service has no ABI of its own
    const fn constant(&self) -> u8; //~ const => a method of a service cannot be `const`
}

#[tidings::service]
pub trait Visible {
    /// A number.
    pub fn value(&self) -> u8; //~ pub => a method is as visible as its trait: remove this
    pub const LIMIT: u8; //~ pub => a service has methods only
}

#[tidings::service]
pub struct NoTrait; //~ struct => expected `trait`

#[tidings::service]
pub trait Kinds {
    #[blocking] //~ #[blocking] => an async method cannot be `#[blocking]`: remove `async`
    async fn both(&self) -> u8;
    #[blocking(4)] //~ (4) => unexpected
    fn counted(&self) -> u8;
}

fn main() {}
