//! What lies between TCP and the session: nothing, or TLS. Whether a build has TLS makes its
//! difference here.

use std::io;
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
    Tls {
        config: Arc<rustls::ServerConfig>,
        asks: bool,
    },
}

/// How a member secures its connections.
pub(crate) enum ClientSecurity {
    None,
    #[cfg(feature = "tls")]
    Tls(tls::Client),
}

impl ServerSecurity {
    #[cfg_attr(not(feature = "tls"), expect(unused_variables))]
    pub(crate) fn of(
        address: &Address,
        options: &Options,
        given: &Given,
    ) -> Result<ServerSecurity, OpenError> {
        #[cfg(feature = "tls")]
        if let Some(tls) = tls::of_address(address, options, given.as_ref())? {
            let config = tls.server().map_err(|reason| address.refuse(reason))?;
            let asks = tls.asks_for_certificates();
            return Ok(ServerSecurity::Tls { config, asks });
        }
        #[cfg(not(feature = "tls"))]
        refuse_tls(address, options)?;
        Ok(ServerSecurity::None)
    }

    pub(crate) fn is_none(&self) -> bool {
        matches!(self, ServerSecurity::None)
    }

    /// Whether it lets in only those who show a certificate.
    pub(crate) fn asks_for_certificates(&self) -> bool {
        match self {
            ServerSecurity::None => false,
            #[cfg(feature = "tls")]
            ServerSecurity::Tls { asks, .. } => *asks,
        }
    }

    pub(crate) fn over(&self, tcp: TcpSocket) -> io::Result<Stream> {
        Ok(match self {
            ServerSecurity::None => Stream::Plain(tcp),
            #[cfg(feature = "tls")]
            ServerSecurity::Tls { config, .. } => {
                Stream::Tls(Box::new(TlsSocket::accept(tcp, config.clone())?))
            }
        })
    }
}

impl ClientSecurity {
    #[cfg_attr(not(feature = "tls"), expect(unused_variables))]
    pub(crate) fn of(
        address: &Address,
        options: &Options,
        given: &Given,
        places: &[Place],
    ) -> Result<ClientSecurity, OpenError> {
        #[cfg(feature = "tls")]
        if let Some(tls) = tls::of_address(address, options, given.as_ref())? {
            let client = tls
                .client(places)
                .map_err(|reason| address.refuse(reason))?;
            return Ok(ClientSecurity::Tls(client));
        }
        #[cfg(not(feature = "tls"))]
        refuse_tls(address, options)?;
        Ok(ClientSecurity::None)
    }

    /// Over a connection to the place of this index.
    #[cfg_attr(not(feature = "tls"), expect(unused_variables))]
    pub(crate) fn over(&self, tcp: TcpSocket, place: usize) -> io::Result<Stream> {
        Ok(match self {
            ClientSecurity::None => Stream::Plain(tcp),
            #[cfg(feature = "tls")]
            ClientSecurity::Tls(client) => {
                Stream::Tls(Box::new(TlsSocket::connect(tcp, client, place)?))
            }
        })
    }
}

#[cfg(not(feature = "tls"))]
fn refuse_tls(address: &Address, options: &Options) -> Result<(), OpenError> {
    if options.tls.tls {
        return Err(address.refuse("TLS needs the feature `tls` of the crate `tidings`"));
    }
    Ok(())
}
