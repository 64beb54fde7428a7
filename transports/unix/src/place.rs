//! Where a socket is: its directory, its name, and whether that is a safe place (S5, T19).

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::geteuid;
use tidings_core::link::advice_on_scarcity;
use tidings_core::{Address, OpenError};

use crate::options::Options;

/// The longest path of a socket: 108 bytes with the zero at its end.
const PATH_MAX: usize = 107;

/// The place of a socket. The directory is held open, so that it stays the one that was checked.
#[derive(Debug)]
pub(crate) struct Place {
    address: String,
    path: PathBuf,
    name: PathBuf,
    directory: OwnedFd,
}

impl Place {
    /// Checks the path and its directory.
    pub(crate) fn new(address: &Address, options: &Options) -> Result<Place, OpenError> {
        let path = PathBuf::from(address.place());
        let Some(name) = path.file_name().map(PathBuf::from) else {
            return Err(address.refuse("it has no file name; write `unix:/directory/name.sock`"));
        };
        if !path.is_absolute() {
            return Err(
                address.refuse("its path is not absolute; write `unix:/directory/name.sock`")
            );
        }
        let length = path.as_os_str().as_bytes().len();
        if length > PATH_MAX {
            return Err(OpenError::PathTooLong {
                path: path.display().to_string(),
                length,
                limit: PATH_MAX,
            });
        }
        let parent = path.parent().unwrap_or(Path::new("/"));
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let cannot =
            |advice: &str, errno: Errno| cannot_serve(&address.to_string(), advice, errno.into());
        let directory = rustix::fs::open(parent, flags, Mode::empty()).map_err(|errno| {
            cannot(
                "create its directory, or use one that can be entered",
                errno,
            )
        })?;
        let stat = rustix::fs::fstat(&directory)
            .map_err(|errno| cannot("its directory cannot be looked at", errno))?;
        let ours = stat.st_uid == geteuid().as_raw() || stat.st_uid == 0;
        let mode = Mode::from_raw_mode(stat.st_mode);
        let others_write = mode.intersects(Mode::WGRP | Mode::WOTH);
        let sticky = mode.contains(Mode::SVTX);
        if !ours || (others_write && !(sticky && options.shared_dir)) {
            let advice = if ours && sticky {
                "others can write to its directory: use a directory of your own, or add \
                 `?shared_dir` if that is meant"
            } else {
                "its directory belongs to somebody else or others can write to it, so that they \
                 could put their own socket there: use a directory of your own, mode 0700"
            };
            return Err(cannot(advice, Errno::PERM));
        }
        Ok(Place {
            address: address.to_string(),
            path,
            name,
            directory,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn name(&self) -> &Path {
        &self.name
    }

    pub(crate) fn directory(&self) -> &OwnedFd {
        &self.directory
    }

    /// The name of the lock file, in the same directory.
    pub(crate) fn lock_name(&self) -> PathBuf {
        self.beside(".lock")
    }

    /// A name beside the socket's that no other process uses.
    pub(crate) fn temporary_name(&self) -> PathBuf {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let serial = NEXT.fetch_add(1, Ordering::Relaxed);
        PathBuf::from(format!(".tidings.{}.{serial}", std::process::id()))
    }

    /// The path under which a file of the directory can be bound: short, whatever the directory's
    /// own path is, and in the directory that was checked, whatever its path leads to by now.
    pub(crate) fn through_directory(&self, name: &Path) -> PathBuf {
        let directory = format!("/proc/self/fd/{}", self.directory.as_raw_fd());
        Path::new(&directory).join(name)
    }

    /// Device and inode of a socket in the directory; `None` when there is no file of that name.
    pub(crate) fn socket_at(&self, name: &Path) -> io::Result<Option<(u64, u64)>> {
        match rustix::fs::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Socket => {
                Ok(Some((stat.st_dev, stat.st_ino)))
            }
            Ok(_) => Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "there is a file that is not a socket",
            )),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    pub(crate) fn in_use(&self) -> OpenError {
        OpenError::AddressInUse {
            address: self.address.clone(),
        }
    }

    pub(crate) fn cannot_serve(&self, advice: &str, source: io::Error) -> OpenError {
        cannot_serve(&self.address, advice, source)
    }

    pub(crate) fn not_connected(&self, advice: &str, source: io::Error) -> OpenError {
        OpenError::NotConnected {
            address: self.address.clone(),
            advice: advice_on_scarcity(&source).unwrap_or(advice).into(),
            source: Arc::new(source),
        }
    }

    pub(crate) fn refused(&self, reason: String) -> OpenError {
        OpenError::Refused {
            address: self.address.clone(),
            reason,
        }
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.name.clone().into_os_string();
        name.push(suffix);
        name.into()
    }
}

fn cannot_serve(address: &str, advice: &str, source: io::Error) -> OpenError {
    OpenError::Bind {
        address: address.to_owned(),
        advice: advice_on_scarcity(&source).unwrap_or(advice).into(),
        source: Arc::new(source),
    }
}
