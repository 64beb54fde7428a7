//! One step of rustls, which does no more at a time, and leaves all buffers to others.

use std::io;

use rustls::CommonState;
use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic,
};

use super::words;

/// What a record has besides its plain bytes, as a rule.
pub(super) const OVERHEAD: usize = 22;
/// Plain bytes of an alert.
const ALERT: usize = 2;

/// One end of a connection.
pub(super) enum End {
    Client(UnbufferedClientConnection),
    Server(UnbufferedServerConnection),
}

/// What is to be done where nothing else is.
pub(super) enum Wish<'p> {
    Wait,
    Seal(&'p [u8]),
    Close,
}

/// What a step has done.
pub(super) enum Step {
    /// Something that comes before what is wished for.
    First,
    /// The peer was heard to say that nothing more comes, which it says once.
    Closed,
    /// What was wished for.
    Granted,
    /// Nothing: more has to come first.
    Waits,
}

impl End {
    /// What the handshake has come to.
    pub(super) fn state(&self) -> &CommonState {
        match self {
            End::Client(end) => end,
            End::Server(end) => end,
        }
    }

    /// Does the next thing that there is to do, with the bytes that came, and says how many of them are used up.
    pub(super) fn step(
        &mut self,
        incoming: &mut [u8],
        put: &mut dyn FnMut(&[u8]),
        outgoing: &mut Vec<u8>,
        wish: Wish<'_>,
    ) -> (usize, io::Result<Step>) {
        match self {
            End::Client(end) => step(end.process_tls_records(incoming), put, outgoing, wish),
            End::Server(end) => step(end.process_tls_records(incoming), put, outgoing, wish),
        }
    }
}

fn step<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    put: &mut dyn FnMut(&[u8]),
    outgoing: &mut Vec<u8>,
    wish: Wish<'_>,
) -> (usize, io::Result<Step>) {
    let mut used = status.discard;
    let step = match status.state {
        Ok(ConnectionState::ReadTraffic(mut traffic)) => loop {
            match traffic.next_record() {
                Some(Ok(record)) => {
                    used += record.discard;
                    put(record.payload);
                }
                Some(Err(error)) => break Err(words::told(error)),
                None => break Ok(Step::First),
            }
        },
        Ok(ConnectionState::EncodeTlsData(data)) => encode(data, outgoing).map(|()| Step::First),
        Ok(ConnectionState::TransmitTlsData(data)) => {
            // It is before all that is put there from now on.
            data.done();
            Ok(Step::First)
        }
        Ok(ConnectionState::WriteTraffic(traffic)) => grant(traffic, outgoing, wish),
        Ok(ConnectionState::PeerClosed) => Ok(Step::Closed),
        Ok(ConnectionState::BlockedHandshake | ConnectionState::Closed) => Ok(Step::Waits),
        // Neither end has asked for data before the handshake has ended.
        Ok(state) => Err(io::Error::other(format!("TLS: unexpected {state:?}"))),
        Err(error) => Err(words::told(error)),
    };
    (used, step)
}

fn encode<Data>(mut data: EncodeTlsData<'_, Data>, outgoing: &mut Vec<u8>) -> io::Result<()> {
    append(outgoing, 0, |place| Ok(data.encode(place)?))
}

fn grant<Data>(
    mut traffic: WriteTraffic<'_, Data>,
    outgoing: &mut Vec<u8>,
    wish: Wish<'_>,
) -> io::Result<Step> {
    match wish {
        Wish::Wait => return Ok(Step::Waits),
        Wish::Seal(plain) => append(outgoing, plain.len() + OVERHEAD, |place| {
            Ok(traffic.encrypt(plain, place)?)
        }),
        Wish::Close => append(outgoing, ALERT + OVERHEAD, |place| {
            Ok(traffic.queue_close_notify(place)?)
        }),
    }
    .map(|()| Step::Granted)
}

/// Why rustls has not written.
enum Unwritten {
    Needs(usize),
    Failed(io::Error),
}

impl From<EncodeError> for Unwritten {
    fn from(error: EncodeError) -> Unwritten {
        match error {
            EncodeError::InsufficientSize(needs) => Unwritten::Needs(needs.required_size),
            error => Unwritten::Failed(io::Error::other(error)),
        }
    }
}

impl From<EncryptError> for Unwritten {
    fn from(error: EncryptError) -> Unwritten {
        match error {
            EncryptError::InsufficientSize(needs) => Unwritten::Needs(needs.required_size),
            error => Unwritten::Failed(io::Error::other(error)),
        }
    }
}

/// Puts what `write` writes behind what is there, in `room` bytes or as many as it needs.
fn append(
    to: &mut Vec<u8>,
    mut room: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Unwritten>,
) -> io::Result<()> {
    let before = to.len();
    let outcome = loop {
        to.resize(before + room, 0);
        match write(to.get_mut(before..).unwrap_or_default()) {
            Err(Unwritten::Needs(more)) if more > room => room = more,
            Err(Unwritten::Needs(_)) => break Err(io::ErrorKind::InvalidData.into()),
            Err(Unwritten::Failed(error)) => break Err(error),
            Ok(written) => break Ok(written),
        }
    };
    to.truncate(before + outcome.as_ref().unwrap_or(&0));
    outcome.map(drop)
}
