//! Hello: what each side tells of itself before anything else (PR-HELLO).

use super::auth::{Auth, Nonce};
use super::code::CloseCode;
use super::config::{Config, FRAME_FLOOR, Limits, Role, TEXT_MAX};
use super::frame::{Kind, whole};
use super::name::Name;
use super::wire::{
    Parsed, Reader, cut_text, malformed, put_counted, put_size, put_varint, violation,
};

/// What the peer told, and what both agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerHello {
    /// The protocol version that both speak: the highest in common.
    pub version: u16,
    /// The capability bits that both have.
    pub capabilities: u64,
    /// The peer's instance id: another one after a restart.
    pub instance: [u8; 16],
    /// The peer's software. It comes from a peer: escape it before logging.
    pub software: String,
    /// The longest payload that the peer takes, in bytes.
    pub max_message: usize,
    /// The requests that the peer takes at a time.
    pub max_in_flight: u32,
    /// The token by which the member has proved who it is: at the hub the peer's, at the member its
    /// own. `None` where no token was asked for.
    pub token: Option<Name>,
}

/// What a Hello frame holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) role: Role,
    pub(super) versions: (u16, u16),
    pub(super) capabilities: u64,
    pub(super) max_frame: usize,
    pub(super) max_message: usize,
    pub(super) max_in_flight: u32,
    pub(super) max_in_flight_bytes: usize,
    pub(super) max_partial: u32,
    pub(super) max_names: u32,
    pub(super) instance: [u8; 16],
    pub(super) software: String,
    /// Of a member that offers to prove itself, or of a hub that asks for that (PR-AUTH-1).
    pub(super) nonce: Option<Nonce>,
}

/// The tag of the extension with the nonce.
const NONCE: u64 = 1;

impl Hello {
    pub(super) fn ours(role: Role, config: &Config, limits: &Limits) -> Self {
        // Who has not proved itself has no need to know which software has which holes.
        let software = match &config.auth {
            Some(Auth::Demand { .. }) => "",
            _ => cut_text(&config.software, TEXT_MAX),
        };
        Self {
            role,
            versions: config.versions,
            capabilities: config.capabilities,
            max_frame: limits.max_frame,
            max_message: limits.max_message,
            max_in_flight: limits.max_in_flight,
            max_in_flight_bytes: limits.max_in_flight_bytes,
            max_partial: limits.max_partial,
            max_names: limits.max_names,
            instance: config.instance,
            software: software.to_owned(),
            nonce: config.auth.as_ref().map(Auth::nonce),
        }
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        whole(out, Kind::Hello, |out| {
            out.push(match self.role {
                Role::Hub => 0,
                Role::Member => 1,
            });
            put_size(out, self.versions.0.into());
            put_size(out, self.versions.1.into());
            put_varint(out, self.capabilities);
            put_size(out, self.max_frame);
            put_size(out, self.max_message);
            put_varint(out, self.max_in_flight.into());
            put_size(out, self.max_in_flight_bytes);
            put_varint(out, self.max_partial.into());
            put_varint(out, self.max_names.into());
            out.extend_from_slice(&self.instance);
            put_counted(out, self.software.as_bytes());
            put_size(out, self.nonce.iter().len());
            if let Some(nonce) = &self.nonce {
                put_varint(out, NONCE);
                put_counted(out, nonce);
            }
        });
    }

    pub(super) fn parse(mut reader: Reader<'_>) -> Parsed<Self> {
        let role = match reader.byte()? {
            0 => Role::Hub,
            1 => Role::Member,
            _ => return malformed("an unknown role"),
        };
        let mut hello = Self {
            role,
            versions: (reader.u16()?, reader.u16()?),
            capabilities: reader.varint()?,
            max_frame: reader.u32()? as usize,
            max_message: reader.u32()? as usize,
            max_in_flight: reader.u32()?,
            max_in_flight_bytes: reader.size()?,
            max_partial: reader.u32()?,
            max_names: reader.u32()?,
            instance: reader.array()?,
            software: reader.text()?.to_owned(),
            nonce: None,
        };
        for _ in 0..reader.size()? {
            // Extensions of Hello are never critical: unknown ones are skipped.
            let tag = reader.varint()?;
            let mut value = Reader::new(reader.counted()?);
            if tag == NONCE {
                let nonce = value.array()?;
                value.end()?;
                if hello.nonce.replace(nonce).is_some() {
                    return malformed("an extension comes twice");
                }
            }
        }
        reader.end()?;
        hello.checked()
    }

    /// Below the floors nothing can work (PR-HELLO-5).
    fn checked(self) -> Parsed<Self> {
        let floors = self.max_frame >= FRAME_FLOOR
            && self.max_message >= FRAME_FLOOR
            && self.max_in_flight >= 1
            && self.max_in_flight_bytes >= self.max_message
            && self.max_partial >= 1
            && self.versions.0 <= self.versions.1
            && self.software.len() <= TEXT_MAX;
        if floors {
            Ok(self)
        } else {
            malformed("a limit below the protocol's floor")
        }
    }

    /// What both agree on; the versions have been compared before.
    pub(super) fn agree(&self, version: u16, ours: &Self) -> PeerHello {
        PeerHello {
            version,
            capabilities: self.capabilities & ours.capabilities,
            instance: self.instance,
            software: self.software.clone(),
            max_message: self.max_message,
            max_in_flight: self.max_in_flight,
            token: None,
        }
    }
}

/// The highest version in common (PR-HELLO-3).
pub(super) fn common_version(ours: (u16, u16), theirs: (u16, u16)) -> Option<u16> {
    let highest = ours.1.min(theirs.1);
    (highest >= ours.0.max(theirs.0)).then_some(highest)
}

/// Two hubs or two members have nothing to say to each other.
pub(super) fn check_role(ours: Role, theirs: Role) -> Parsed<()> {
    if theirs == ours.peer() {
        Ok(())
    } else {
        violation(CloseCode::WrongRole, "both sides have the same role")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_common_version_is_spoken() {
        assert_eq!(common_version((1, 3), (2, 9)), Some(3));
        assert_eq!(common_version((2, 9), (1, 3)), Some(3));
        assert_eq!(common_version((1, 1), (2, 2)), None);
        assert_eq!(common_version((5, 6), (1, 4)), None);
    }

    #[test]
    fn a_hello_comes_back_as_it_was_and_unknown_extensions_are_skipped() {
        let config = Config::new([3; 16]);
        let hello = Hello::ours(Role::Member, &config, &config.limits);
        let mut out = Vec::new();
        hello.put(&mut out);
        let body = out.get(2..).unwrap();
        assert_eq!(Hello::parse(Reader::new(body)), Ok(hello.clone()));
        let mut extended = body[..body.len() - 1].to_vec();
        extended.extend([1, 99, 2, 0, 0]);
        assert_eq!(Hello::parse(Reader::new(&extended)), Ok(hello));
    }
}
