//! A socket in the hands of the test, and a peer that greets.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::io::{self, IoSlice, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use tidings_core::Caller;
use tidings_core::link::{Listener, Socket};
use tidings_core::session::{Config, Role, Session};

use crate::common::LONG;

pub(crate) struct Stream(UnixStream);

impl Stream {
    pub(crate) fn new(stream: UnixStream) -> Stream {
        stream.set_nonblocking(true).unwrap();
        Stream(stream)
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Socket for Stream {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(buffer)
    }

    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        (&self.0).write_vectored(slices)
    }

    fn peer(&self) -> io::Result<Caller> {
        Ok(Caller::of_transport("unix"))
    }
}

/// A listener that there never is.
pub(crate) enum Never {}

impl AsFd for Never {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match *self {}
    }
}

impl Listener for Never {
    type Socket = Stream;

    fn accept(&self) -> io::Result<Stream> {
        match *self {}
    }

    fn close(&self) {
        match *self {}
    }

    fn admits(&self, _peer: &Caller) -> bool {
        match *self {}
    }
}

/// Exchanges Hello over `stream`, unless the other side goes meanwhile.
pub(crate) fn greet(mut stream: &UnixStream, role: Role) -> io::Result<Session> {
    stream.set_read_timeout(Some(LONG))?;
    let mut session = Session::new(role, Config::new([9; 16]), Instant::now());
    let mut buffer = [0; 4096];
    while !session.is_open() || session.has_output() {
        let now = Instant::now();
        let bytes: Vec<u8> = session.transmit(now).flatten().copied().collect();
        stream.write_all(&bytes)?;
        session.wrote(bytes.len(), now);
        if !session.is_open() {
            let read = stream.read(&mut buffer)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            session.receive(&buffer[..read], now);
        }
    }
    Ok(session)
}
