//! A hub that does not hold the lock of its address, so that the test decides when it can be taken over.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};
use tidings_core::Caller;
use tidings_core::link::{Hub, HubLimits, LinkOptions, Listener};
use tidings_core::runtime::Runtime;

use crate::common::Directory;
use crate::stream::Stream;

/// Takes the lock of the directory's address, until dropped.
pub(crate) fn held_lock(directory: &Directory) -> File {
    let mut name = directory.socket().into_os_string();
    name.push(".lock");
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    let file = options.open(name).unwrap();
    flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
    file
}

pub(crate) struct Unlocked(UnixListener);

impl Unlocked {
    /// A hub at the directory's address.
    pub(crate) fn hub(runtime: &Arc<dyn Runtime>, directory: &Directory) -> Hub {
        Unlocked::hub_with(HubLimits::default(), runtime, directory)
    }

    /// The same with limits of its own.
    pub(crate) fn hub_with(
        limits: HubLimits,
        runtime: &Arc<dyn Runtime>,
        directory: &Directory,
    ) -> Hub {
        let listener = UnixListener::bind(directory.socket()).unwrap();
        listener.set_nonblocking(true).unwrap();
        let options = LinkOptions::new("unlocked", Caller::this_process("unix"));
        Hub::start(Unlocked(listener), options, limits, runtime.clone()).unwrap()
    }
}

impl AsFd for Unlocked {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Listener for Unlocked {
    type Socket = Stream;

    fn accept(&self) -> io::Result<Stream> {
        let (stream, _) = self.0.accept()?;
        Ok(Stream::new(stream))
    }

    fn close(&self) {
        rustix::net::shutdown(&self.0, rustix::net::Shutdown::Both).unwrap();
    }

    fn admits(&self, _peer: &Caller) -> bool {
        true
    }
}
