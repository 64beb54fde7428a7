//! A connected Unix socket.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, send, sendmsg, sockopt};
use tidings_core::Caller;
use tidings_core::link::Socket;

/// A connected stream socket in non-blocking mode.
pub(crate) struct UnixSocket(OwnedFd);

impl UnixSocket {
    pub(crate) fn new(connected: OwnedFd) -> UnixSocket {
        UnixSocket(connected)
    }
}

impl AsFd for UnixSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Socket for UnixSocket {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        // The kernel discards descriptors that come uninvited (P30). It goes a shorter way than for `read`.
        let (read, _) = recv(&self.0, buffer, RecvFlags::empty())?;
        Ok(read)
    }

    fn read_vectored(&self, slices: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        Ok(rustix::io::readv(&self.0, slices)?)
    }

    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        // Not a plain write: a peer that has gone must not raise SIGPIPE.
        if let [slice] = slices {
            return Ok(send(&self.0, slice, SendFlags::NOSIGNAL)?); // Less to do for the kernel.
        }
        let mut nothing = SendAncillaryBuffer::default();
        Ok(sendmsg(&self.0, slices, &mut nothing, SendFlags::NOSIGNAL)?)
    }

    fn peer(&self) -> io::Result<Caller> {
        let peer = sockopt::socket_peercred(&self.0)?;
        let pid = u32::try_from(peer.pid.as_raw_nonzero().get()).ok();
        let caller = Caller::of_transport("unix");
        Ok(caller.with_credentials(peer.uid.as_raw(), peer.gid.as_raw(), pid))
    }
}
