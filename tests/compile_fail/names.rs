//! What a call could not tell apart.

#[tidings::service]
pub trait Twice {
    fn hello(&self) -> u8;
    fn hello(&self, name: String) -> u8; //~ hello => two methods are named `hello`, and a call names nothing but `hello`: rename one
}

#[tidings::service]
pub trait HalfConditional {
    #[cfg(all())]
    fn hello(&self) -> u8;
    fn hello(&self, name: String) -> u8; //~ hello => two methods are named `hello`
}

#[tidings::service]
pub trait Reserved {
    fn new(&self) -> u8; //~ new => `ReservedClient::new` makes a client: choose another name for the method
    fn version_cap(&self) -> u8; //~ version_cap => `ReservedClient::version_cap` caps what a client asks for: choose another name
    fn can_send_version(&self) -> bool; //~ can_send_version => `ReservedClient::can_send_version` asks what a client may send
    fn größe(&self) -> u8; //~ größe => a method cannot have the character 'ö': use ASCII letters
}

fn main() {}
