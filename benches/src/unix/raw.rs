//! The socket alone: 64 bytes are written, read, written back and read.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use super::{BLOCK_BYTES, Place, RAW_BLOCKING, RAW_SMOL, RAW_TOKIO, Role, serving};
use crate::harness::Case;
use crate::process;
use crate::runtimes::Driver;

const ALIVE: &str = "the other process is there";
const BINDS: &str = "the directory is new";

pub(super) fn blocking(place: &Place) -> Case {
    let path = place.socket("raw-blocking");
    let server = serving(Role::RawBlocking, &path);
    let mut socket = UnixStream::connect(path).expect(ALIVE);
    let run = move |operations| {
        let mut block = [0; BLOCK_BYTES];
        for _ in 0..operations {
            socket.write_all(&block).expect(ALIVE);
            socket.read_exact(&mut block).expect(ALIVE);
        }
    };
    Case::new(RAW_BLOCKING, run).with_servers([server])
}

pub(super) fn serve_blocking(path: &Path) {
    let listener = UnixListener::bind(path).expect(BINDS);
    process::announce();
    let (mut socket, _) = listener.accept().expect(ALIVE);
    let mut block = [0; BLOCK_BYTES];
    while socket.read_exact(&mut block).is_ok() && socket.write_all(&block).is_ok() {}
}

pub(super) fn on_tokio(place: &Place) -> Case {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let path = place.socket("raw-tokio");
    let server = serving(Role::RawTokio, &path);
    let driver = Driver::tokio();
    let connecting = tokio::net::UnixStream::connect(path);
    let mut socket = driver.block_on(connecting).expect(ALIVE);
    let run = move |operations| {
        driver.block_on(async {
            let mut block = [0; BLOCK_BYTES];
            for _ in 0..operations {
                socket.write_all(&block).await.expect(ALIVE);
                socket.read_exact(&mut block).await.expect(ALIVE);
            }
        });
    };
    Case::new(RAW_TOKIO, run).with_servers([server])
}

pub(super) fn serve_on_tokio(path: &Path) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    Driver::tokio().block_on(async {
        let listener = tokio::net::UnixListener::bind(path).expect(BINDS);
        process::announce();
        let (mut socket, _) = listener.accept().await.expect(ALIVE);
        let mut block = [0; BLOCK_BYTES];
        while socket.read_exact(&mut block).await.is_ok() && socket.write_all(&block).await.is_ok()
        {
        }
    });
}

pub(super) fn on_smol(place: &Place) -> Case {
    use smol::io::{AsyncReadExt, AsyncWriteExt};

    let path = place.socket("raw-smol");
    let server = serving(Role::RawSmol, &path);
    let connecting = smol::net::unix::UnixStream::connect(path);
    let mut socket = smol::block_on(connecting).expect(ALIVE);
    let run = move |operations| {
        smol::block_on(async {
            let mut block = [0; BLOCK_BYTES];
            for _ in 0..operations {
                socket.write_all(&block).await.expect(ALIVE);
                socket.read_exact(&mut block).await.expect(ALIVE);
            }
        });
    };
    Case::new(RAW_SMOL, run).with_servers([server])
}

pub(super) fn serve_on_smol(path: &Path) {
    use smol::io::{AsyncReadExt, AsyncWriteExt};

    smol::block_on(async {
        let listener = smol::net::unix::UnixListener::bind(path).expect(BINDS);
        process::announce();
        let (mut socket, _) = listener.accept().await.expect(ALIVE);
        let mut block = [0; BLOCK_BYTES];
        while socket.read_exact(&mut block).await.is_ok() && socket.write_all(&block).await.is_ok()
        {
        }
    });
}
