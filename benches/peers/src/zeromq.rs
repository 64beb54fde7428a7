//! zeromq, in Rust: bytes with neither calls nor types. A dealer sends, a router sends back.

use bytes::Bytes;
use tidings_benches::harness::{Case, Laps};
use tidings_benches::loads;
use tidings_benches::peer::Peer;
use tidings_benches::place::{Address, Place};
use tidings_benches::process;
use tidings_benches::runtimes::Driver;
use tidings_benches::setting::{Load, Setting, Verb, Wire};
use zeromq::{DealerSocket, RouterSocket, Socket, SocketRecv, SocketSend};

pub(crate) const PEER: Peer = Peer {
    name: "zeromq",
    package: "zeromq",
    cases: |setting, place| match setting {
        Setting::Socket(wire, load) => vec![over(wire, load, place)],
        _ => Vec::new(),
    },
    serve,
};

const NAME: &str = "zeromq, tokio";
/// What a message begins with that is sent back.
const ECHO: u8 = 0x5a;
/// What a message begins with that is not.
const NOTE: u8 = 0xa5;

fn endpoint(address: &Address) -> String {
    match address {
        Address::Tls(..) => unreachable!("{}", crate::PLAIN),
        Address::Unix(path) => format!("ipc://{}", path.display()),
        Address::Tcp(port) => format!("tcp://{port}"),
    }
}

fn over(wire: Wire, load: Load, place: &Place) -> Case {
    let (address, server) = place.serve(wire, PEER.name);
    let driver = Driver::tokio();
    let mut socket = DealerSocket::new();
    driver
        .block_on(socket.connect(&endpoint(&address)))
        .expect(SERVED);
    let echo = Bytes::from(vec![ECHO; load.size.bytes()]);
    let case = match load.verb {
        Verb::Call => calls(socket, echo, driver, load.in_flight),
        Verb::Cast => {
            let note = Bytes::from(vec![NOTE; load.size.bytes()]);
            let casting = Casting {
                socket,
                note,
                echo,
                sent: 0,
            };
            loads::casts_over(NAME, driver, casting)
        }
    };
    case.with_servers([server])
}

/// As many on their way at a time.
fn calls(mut socket: DealerSocket, message: Bytes, driver: Driver, in_flight: u64) -> Case {
    let run = move |operations, laps: &Laps| {
        driver.block_on(async {
            let mut begun = std::collections::VecDeque::with_capacity(in_flight as usize);
            for sent in 0..operations {
                if sent >= in_flight {
                    socket.recv().await.expect(SERVED);
                    begun.pop_front().into_iter().for_each(|lap| laps.end(lap));
                }
                begun.push_back(laps.start());
                socket.send(message.clone().into()).await.expect(SERVED);
            }
            for lap in begun {
                socket.recv().await.expect(SERVED);
                laps.end(lap);
            }
        });
    };
    Case::with_laps(NAME, run).in_grains_of(in_flight)
}

struct Casting {
    socket: DealerSocket,
    note: Bytes,
    echo: Bytes,
    sent: u64,
}

impl loads::OneWay for Casting {
    async fn send(&mut self) {
        self.socket
            .send(self.note.clone().into())
            .await
            .expect(SERVED);
        self.sent += 1;
    }

    /// Messages keep their order: when one comes back, all before it were there.
    async fn arrived(&mut self) -> u64 {
        self.socket
            .send(self.echo.clone().into())
            .await
            .expect(SERVED);
        self.socket.recv().await.expect(SERVED);
        self.sent
    }
}

fn serve(address: &Address) {
    Driver::tokio().block_on(async {
        let mut socket = RouterSocket::new();
        let bound = socket.bind(&endpoint(address)).await;
        bound.expect("the address is free");
        process::announce();
        while let Ok(message) = socket.recv().await {
            let is_note = message
                .iter()
                .last()
                .is_some_and(|body| body.first() == Some(&NOTE));
            if !is_note && socket.send(message).await.is_err() {
                return;
            }
        }
    });
}

const SERVED: &str = "the server is there";
