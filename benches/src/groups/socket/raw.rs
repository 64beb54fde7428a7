//! The socket alone: a message is written, read, written back and read.

use super::{RAW_BLOCKING, RAW_SMOL, RAW_TOKIO, roles};
use crate::harness::{Case, Laps};
use crate::place::{Address, Place};
use crate::runtimes::Driver;
use crate::setting::{Size, Wire};
use crate::streams;

const ALIVE: &str = "the other process is there";

/// The server must know how long a message is: it is told by the first bytes.
type Length = [u8; 8];

fn length(size: Size) -> Length {
    (size.bytes() as u64).to_le_bytes()
}

fn message(length: Length) -> Vec<u8> {
    vec![0; u64::from_le_bytes(length) as usize]
}

pub(super) fn blocking(place: &Place, wire: Wire, size: Size) -> Case {
    let (address, server) = place.serve(wire, roles::RAW_BLOCKING);
    let mut socket = streams::connect(&address);
    socket.write_all(&length(size)).expect(ALIVE);
    let mut message = message(length(size));
    let run = move |operations, laps: &Laps| {
        for _ in 0..operations {
            let lap = laps.start();
            socket.write_all(&message).expect(ALIVE);
            socket.read_exact(&mut message).expect(ALIVE);
            laps.end(lap);
        }
    };
    Case::with_laps(RAW_BLOCKING, run).with_servers([server])
}

pub(super) fn serve_blocking(address: &Address) {
    let mut socket = streams::accept(address);
    let mut length = Length::default();
    socket.read_exact(&mut length).expect(ALIVE);
    let mut message = message(length);
    while socket.read_exact(&mut message).is_ok() && socket.write_all(&message).is_ok() {}
}

pub(super) fn on_tokio(place: &Place, wire: Wire, size: Size) -> Case {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let (address, server) = place.serve(wire, roles::RAW_TOKIO);
    let driver = Driver::tokio();
    let mut socket = driver.block_on(async {
        let mut socket = streams::tokio::connect(&address).await;
        socket.write_all(&length(size)).await.expect(ALIVE);
        socket
    });
    let mut message = message(length(size));
    let run = move |operations, laps: &Laps| {
        driver.block_on(async {
            for _ in 0..operations {
                let lap = laps.start();
                socket.write_all(&message).await.expect(ALIVE);
                socket.read_exact(&mut message).await.expect(ALIVE);
                laps.end(lap);
            }
        });
    };
    Case::with_laps(RAW_TOKIO, run).with_servers([server])
}

pub(super) fn serve_on_tokio(address: &Address) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    Driver::tokio().block_on(async {
        let mut socket = streams::tokio::accept(address).await;
        let mut length = Length::default();
        socket.read_exact(&mut length).await.expect(ALIVE);
        let mut message = message(length);
        while socket.read_exact(&mut message).await.is_ok()
            && socket.write_all(&message).await.is_ok()
        {}
    });
}

pub(super) fn on_smol(place: &Place, wire: Wire, size: Size) -> Case {
    use smol::io::{AsyncReadExt, AsyncWriteExt};

    let (address, server) = place.serve(wire, roles::RAW_SMOL);
    let mut socket = smol::block_on(async {
        let mut socket = streams::smol::connect(&address).await;
        socket.write_all(&length(size)).await.expect(ALIVE);
        socket
    });
    let mut message = message(length(size));
    let run = move |operations, laps: &Laps| {
        smol::block_on(async {
            for _ in 0..operations {
                let lap = laps.start();
                socket.write_all(&message).await.expect(ALIVE);
                socket.read_exact(&mut message).await.expect(ALIVE);
                laps.end(lap);
            }
        });
    };
    Case::with_laps(RAW_SMOL, run).with_servers([server])
}

pub(super) fn serve_on_smol(address: &Address) {
    use smol::io::{AsyncReadExt, AsyncWriteExt};

    smol::block_on(async {
        let mut socket = streams::smol::accept(address).await;
        let mut length = Length::default();
        socket.read_exact(&mut length).await.expect(ALIVE);
        let mut message = message(length);
        while socket.read_exact(&mut message).await.is_ok()
            && socket.write_all(&message).await.is_ok()
        {}
    });
}
