//! What lies between TCP and the session: nothing, or TLS. The only file that knows both builds.

#[cfg(feature = "tls")]
use std::sync::Arc;

use tidings_core::{Address, OpenError};

use crate::options::Options;
use crate::places::Place;
use crate::socket::TcpSocket;
use crate::stream::Stream;
#[cfg(feature = "tls")]
use crate::tls::{self, Tls, TlsSocket};

/// The certificates that the plugin was given, where it can use any.
#[cfg(feature = "tls")]
pub(crate) type Given = Option<Tls>;
#[cfg(not(feature = "tls"))]
pub(crate) type Given = ();

/// How a hub secures what it accepts.
pub(crate) enum ServerSecurity {
    None,
    #[cfg(feature = "tls")]
    Tls(Arc<rustls::ServerConfig>),
}

/// How a member secures its connections.
pub(crate) enum ClientSecurity {
    None,
    #[cfg(feature = "tls")]
    Tls(tls::Client),
}

#[cfg(feature = "tls")]
impl ServerSecurity {
    pub(crate) fn of(
        address: &Address,
        options: &Options,
        given: &Given,
    ) -> Result<ServerSecurity, OpenError> {
        let Some(tls) = tls::of_address(address, options, given.as_ref())? else {
            return Ok(ServerSecurity::None);
        };
        let config = tls.server().map_err(|reason| address.refuse(reason))?;
        Ok(ServerSecurity::Tls(config))
    }

    pub(crate) fn is_none(&self) -> bool {
        matches!(self, ServerSecurity::None)
    }

    pub(crate) fn over(&self, tcp: TcpSocket) -> std::io::Result<Stream> {
        Ok(match self {
            ServerSecurity::None => Stream::Plain(tcp),
            ServerSecurity::Tls(config) => {
                Stream::Tls(Box::new(TlsSocket::accept(tcp, config.clone())?))
            }
        })
    }
}

#[cfg(feature = "tls")]
impl ClientSecurity {
    pub(crate) fn of(
        address: &Address,
        options: &Options,
        given: &Given,
        places: &[Place],
    ) -> Result<ClientSecurity, OpenError> {
        let Some(tls) = tls::of_address(address, options, given.as_ref())? else {
            return Ok(ClientSecurity::None);
        };
        let client = tls
            .client(places)
            .map_err(|reason| address.refuse(reason))?;
        Ok(ClientSecurity::Tls(client))
    }

    /// Over a connection to the place of this index.
    pub(crate) fn over(&self, tcp: TcpSocket, place: usize) -> std::io::Result<Stream> {
        Ok(match self {
            ClientSecurity::None => Stream::Plain(tcp),
            ClientSecurity::Tls(client) => {
                Stream::Tls(Box::new(TlsSocket::connect(tcp, client, place)?))
            }
        })
    }
}

#[cfg(not(feature = "tls"))]
fn refuse_tls(address: &Address, options: &Options) -> Result<(), OpenError> {
    match options.tls.is_wanted() {
        false => Ok(()),
        true => Err(address.refuse("TLS needs the feature `tls` of the crate `tidings`")),
    }
}

#[cfg(not(feature = "tls"))]
impl ServerSecurity {
    pub(crate) fn of(
        address: &Address,
        options: &Options,
        (): &Given,
    ) -> Result<ServerSecurity, OpenError> {
        refuse_tls(address, options).map(|()| ServerSecurity::None)
    }

    pub(crate) fn is_none(&self) -> bool {
        matches!(self, ServerSecurity::None)
    }

    pub(crate) fn over(&self, tcp: TcpSocket) -> std::io::Result<Stream> {
        Ok(Stream::Plain(tcp))
    }
}

#[cfg(not(feature = "tls"))]
impl ClientSecurity {
    pub(crate) fn of(
        address: &Address,
        options: &Options,
        (): &Given,
        _places: &[Place],
    ) -> Result<ClientSecurity, OpenError> {
        refuse_tls(address, options).map(|()| ClientSecurity::None)
    }

    pub(crate) fn over(&self, tcp: TcpSocket, _place: usize) -> std::io::Result<Stream> {
        Ok(Stream::Plain(tcp))
    }
}
