//! Where hubs are: the hosts and ports of an address.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use tidings_core::{Address, OpenError};

/// One place of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) host: Host,
    pub(crate) port: u16,
}

/// A host, as the user names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    /// `*`: all addresses of this host, of both families.
    Any,
    Ip(IpAddr),
    /// To be looked up.
    Name(String),
}

impl Place {
    /// The places of `address`, of which there is one at least.
    pub(crate) fn all_of(address: &Address) -> Result<Vec<Place>, OpenError> {
        let places = address.place().split(',');
        places.map(|text| Place::of(address, text)).collect()
    }

    fn of(address: &Address, text: &str) -> Result<Place, OpenError> {
        let refuse = |reason: &str| address.refuse(reason);
        let (host, port) = text.rsplit_once(':').ok_or_else(|| {
            refuse("it has no port; write `tcp:host:port`, for example `tcp:127.0.0.1:4000`")
        })?;
        let port = port
            .parse()
            .map_err(|_| refuse("its port is no number from 0 to 65535; write `tcp:host:port`"))?;
        let host = match host.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
            None if host.is_empty() => Host::Ip(Ipv4Addr::LOCALHOST.into()),
            None if host == "*" => Host::Any,
            None if host.contains(':') => {
                return Err(refuse(
                    "an IPv6 address stands in brackets; write `tcp:[::1]:4000`",
                ));
            }
            None => host
                .parse()
                .map_or_else(|_| Host::Name(host.to_owned()), Host::Ip),
            // With a zone (`fe80::1%eth0`) it is for the system to read.
            Some(Some(inner)) if inner.contains('%') => Host::Name(inner.to_owned()),
            Some(inner) => inner
                .and_then(|inner| inner.parse::<Ipv6Addr>().ok())
                .map(|ip| Host::Ip(ip.into()))
                .ok_or_else(|| {
                    refuse("what stands in its brackets is no IPv6 address; write `tcp:[::1]:4000`")
                })?,
        };
        let is_readable = |name: &str| name.bytes().all(|byte| byte.is_ascii_graphic());
        match host {
            Host::Name(name) if !is_readable(&name) => {
                Err(refuse("its host is no name; write `tcp:host:port`"))
            }
            host => Ok(Place { host, port }),
        }
    }

    /// Its addresses. Blocks where the host is a name.
    pub(crate) fn look_up(&self) -> io::Result<Vec<SocketAddr>> {
        match &self.host {
            Host::Any => Ok(vec![SocketAddr::from((Ipv6Addr::UNSPECIFIED, self.port))]),
            Host::Ip(ip) => Ok(vec![SocketAddr::from((*ip, self.port))]),
            Host::Name(name) => {
                let told = |error: io::Error| {
                    io::Error::new(
                        error.kind(),
                        format!("`{name}` cannot be looked up: {error}"),
                    )
                };
                let found: Vec<_> = (name.as_str(), self.port)
                    .to_socket_addrs()
                    .map_err(told)?
                    .collect();
                if found.is_empty() {
                    return Err(told(io::ErrorKind::NotFound.into()));
                }
                Ok(found)
            }
        }
    }

    /// Whether [`look_up`](Self::look_up) may block.
    pub(crate) fn is_named(&self) -> bool {
        matches!(self.host, Host::Name(_))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Any => write!(f, "*:{}", self.port),
            Host::Ip(ip) => SocketAddr::from((*ip, self.port)).fmt(f),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Result<Vec<Place>, String> {
        let address = Address::parse(text).unwrap();
        Place::all_of(&address).map_err(|error| error.to_string())
    }

    fn one(text: &str) -> Place {
        let [place] = <[Place; 1]>::try_from(places(text).unwrap()).unwrap();
        place
    }

    #[test]
    fn a_place_is_a_host_and_a_port() {
        let ip = |text: &str| Host::Ip(text.parse().unwrap());
        for (text, host, port) in [
            ("tcp:127.0.0.1:4000", ip("127.0.0.1"), 4000),
            ("tcp:[::1]:0", ip("::1"), 0),
            ("tcp::65535", ip("127.0.0.1"), 65535),
            ("tcp:*:4000", Host::Any, 4000),
            ("tcp:0.0.0.0:4000", ip("0.0.0.0"), 4000),
            ("tcp:db.example:4000", Host::Name("db.example".into()), 4000),
            (
                "tcp:[fe80::1%lo]:4000",
                Host::Name("fe80::1%lo".into()),
                4000,
            ),
        ] {
            assert_eq!(one(text), Place { host, port }, "{text}");
        }
        let several = places("tcp:a:1,[::1]:2,127.0.0.1:3?tls").unwrap();
        let told: Vec<_> = several.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["a:1", "[::1]:2", "127.0.0.1:3"]);
    }

    #[test]
    fn what_is_no_place_says_what_to_write() {
        for (text, says) in [
            ("tcp:", "tcp:host:port"),
            ("tcp:4000", "tcp:host:port"),
            ("tcp:host", "tcp:host:port"),
            ("tcp:host:http", "65535"),
            ("tcp:host:65536", "65535"),
            ("tcp:host:4000,", "tcp:host:port"),
            ("tcp:::1:4000", "brackets"),
            ("tcp:[::1:4000", "brackets"),
            ("tcp:[localhost]:4000", "brackets"),
            ("tcp:a b:4000", "no name"),
        ] {
            let refused = places(text).unwrap_err();
            assert!(refused.contains(says), "{text}: {refused}");
        }
    }
}
