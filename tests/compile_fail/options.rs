//! What stands in the attribute.

#[tidings::service(verison = "1.0")] //~ verison => `verison` is not an option of `service`: there are `version = "1.0"`
pub trait Misspelt {
    fn value(&self) -> u8;
}

#[tidings::service(version = "1")] //~ "1" => not a version: write `X.Y` or `X.Y.Z`, for example `version = "1.0"`
pub trait OnePart {
    fn value(&self) -> u8;
}

#[tidings::service(version = "1.x")] //~ "1.x" => not a version
pub trait Letters {
    fn value(&self) -> u8;
}

#[tidings::service(version = 1.0)] //~ 1.0 => expected string literal
pub trait Number {
    fn value(&self) -> u8;
}

#[tidings::service(version = "1.0", version = "1.1")] //~ version = "1.1" => `version` is given twice
pub trait Twice {
    fn value(&self) -> u8;
}

#[tidings::service(topic = "")] //~ "" => a topic has at least one character
pub trait NoTopic {
    fn value(&self) -> u8;
}

#[tidings::service(topic = "a b")] //~ "a b" => a topic cannot have the character ' ': use ASCII letters, digits
pub trait Spaced {
    fn value(&self) -> u8;
}

#[tidings::service(topic = "a b")] //~ "a b" => a topic cannot have the character ' '
pub trait BothWrong {
    fn value(&mut self) -> u8; //~ &mut self => take `&self`
}

#[tidings::service(namespace = "")] //~ "" => a namespace has at least one character
pub trait NoNamespace {
    fn value(&self) -> u8;
}

#[tidings::service(namespace = "a", namespace = "b")] //~ namespace = "b" => `namespace` is given twice
pub trait TwoNamespaces {
    fn value(&self) -> u8;
}

#[tidings::service(alias = "a b")] //~ "a b" => a namespace cannot have the character ' '
pub trait SpacedAlias {
    fn value(&self) -> u8;
}

#[tidings::service(alias = anything)] //~ anything => `alias = none` for requests that name none
pub trait BareAlias {
    fn value(&self) -> u8;
}

fn main() {}
