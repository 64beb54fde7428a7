//! What cannot be named by both sides.

#[tidings::service]
pub trait OfMethod {
    fn store<T>(&self, value: T); //~ <T> => a method of a service cannot be generic: the other side must know its types
    fn borrow<'a>(&self) -> u8; //~ <'a> => a method of a service cannot be generic
    fn bounded(&self)
    where
        Self: Sized; //~^ where => a method of a service has no `where` clause
}

#[tidings::service]
pub trait OfTrait<T> { //~ <T> => the trait of a service cannot be generic: name the types
    fn value(&self) -> u8;
}

#[tidings::service]
pub trait WithClause where u8: Copy { //~ where => the trait of a service has no `where` clause
    fn value(&self) -> u8;
}

fn main() {}
