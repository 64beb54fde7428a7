//! The options that every socket address has.

use std::str::FromStr;

use super::LinkOptions;
use crate::bus::Address;
use crate::error::OpenError;

impl LinkOptions {
    /// Takes one option of `address`, if it is among those that every socket address has:
    ///
    /// | option | meaning |
    /// |---|---|
    /// | `max_message=BYTES` | the largest message, 16 MiB unless given |
    /// | `in_flight=N` | requests that one connection has in flight, 1024 unless given |
    /// | `queue=N` | requests that wait here for one connection, 1024 unless given |
    ///
    /// Says whether it was one of them.
    ///
    /// # Errors
    /// [`OpenError::Address`] when its value is no number.
    pub fn take(&mut self, address: &Address, name: &str, value: &str) -> Result<bool, OpenError> {
        let limits = &mut self.limits;
        match name {
            "max_message" => {
                limits.max_message = number(address, name, value)?;
                limits.max_in_flight_bytes = limits.max_in_flight_bytes.max(limits.max_message);
            }
            "in_flight" => limits.max_in_flight = number(address, name, value)?,
            "queue" => self.outbox_messages = number(address, name, value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// The value of an option that is a number.
///
/// # Errors
/// [`OpenError::Address`] when it is none.
pub fn number<T: FromStr>(address: &Address, name: &str, value: &str) -> Result<T, OpenError> {
    value
        .parse()
        .map_err(|_| address.refuse(format!("`{name}` is a number, for example `{name}=1000`")))
}
