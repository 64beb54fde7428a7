//! The version in which a method came.

#[tidings::service(version = "1.3")]
pub trait Versioned {
    #[since = "1"] //~ "1" => not a version: write `X.Y` or `X.Y.Z`, for example `since = "1.0"`
    fn one_part(&self) -> u8;
    #[since] //~ #[since] => write `#[since = "1.3"]`
    fn bare(&self) -> u8;
    #[since(1.3)] //~ #[since(1.3)] => write `#[since = "1.3"]`
    fn called(&self) -> u8;
    #[since = 1.3] //~ #[since = 1.3] => write `#[since = "1.3"]`
    fn number(&self) -> u8;
    #[since = "1.1"]
    #[since = "1.2"] //~ #[since = "1.2"] => `since` is given twice
    fn twice(&self) -> u8;
}

#[tidings::service(version = "1.3")]
pub trait Later {
    #[since = "1.4"] //~ "1.4" => the service is of version 1.3, which is earlier: raise it to `version = "1.4"`
    fn minor(&self) -> u8;
    #[since = "1.3.1"] //~ "1.3.1" => raise it to `version = "1.3.1"`
    fn patch(&self) -> u8;
    #[since = "1.3"]
    fn right(&self) -> u8;
}

#[tidings::service(version = "2.1")]
pub trait OtherMajor {
    #[since = "1.4"] //~ "1.4" => each major version begins anew: write the version in which the method came in 2.x, or leave this out for 2.0
    fn earlier(&self) -> u8;
    #[since = "3.0"] //~ "3.0" => each major version begins anew
    fn later(&self) -> u8;
}

fn main() {}
