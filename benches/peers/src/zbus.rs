//! zbus, peer to peer.

use std::hint::black_box;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicU64, Ordering};

use serde_bytes::ByteBuf;
use tidings_benches::harness::Case;
use tidings_benches::loads;
use tidings_benches::peer::Peer;
use tidings_benches::place::{Address, Place};
use tidings_benches::process;
use tidings_benches::runtimes::Driver;
use tidings_benches::setting::{Load, Setting, Verb, Wire};
use zbus::connection::Builder;
use zbus::message::{Flags, Message};
use zbus::{Connection, Guid, interface};

pub(crate) const PEER: Peer = Peer {
    name: "zbus",
    package: "zbus",
    cases: |setting, place| match setting {
        Setting::Socket(wire, load) => vec![over(wire, load, place)],
        _ => Vec::new(),
    },
    serve,
};

const NAME: &str = "zbus, tokio";
const PATH: &str = "/echo";
const INTERFACE: &str = "benches.Echo1";

#[derive(Default)]
struct Echo {
    noted: AtomicU64,
}

#[interface(name = "benches.Echo1")]
impl Echo {
    fn echo(&self, message: ByteBuf) -> ByteBuf {
        message
    }

    fn note(&self, message: ByteBuf) {
        black_box(message);
        self.noted.fetch_add(1, Ordering::Relaxed);
    }

    fn noted(&self) -> u64 {
        self.noted.load(Ordering::Relaxed)
    }
}

fn over(wire: Wire, load: Load, place: &Place) -> Case {
    let (address, server) = place.serve(wire, PEER.name);
    let driver = Driver::tokio();
    let connection = driver.block_on(connect(&address));
    let message = ByteBuf::from(vec![0x5a; load.size.bytes()]);
    let case = match load.verb {
        Verb::Call => loads::calls(NAME, driver, load.in_flight, move || {
            let (connection, message) = (connection.clone(), message.clone());
            async move {
                black_box(call(&connection, "Echo", &message).await);
            }
        }),
        Verb::Cast => loads::casts_over(
            NAME,
            driver,
            Casting {
                connection,
                message,
            },
        ),
    };
    case.with_servers([server])
}

async fn connect(address: &Address) -> Connection {
    let builder = match address {
        Address::Tls(..) => unreachable!("{}", crate::PLAIN),
        Address::Unix(path) => Builder::unix_stream(UnixStream::connect(path).expect(SERVED)),
        Address::Tcp(port) => {
            let stream = TcpStream::connect(port).expect(SERVED);
            stream.set_nodelay(true).expect(SERVED);
            Builder::tcp_stream(stream)
        }
    };
    builder.p2p().build().await.expect(SERVED)
}

async fn call<B>(connection: &Connection, method: &str, body: &B) -> Message
where
    B: serde::Serialize + zbus::wire::DynamicType,
{
    let to = None::<&str>;
    let reply = connection.call_method(to, PATH, Some(INTERFACE), method, body);
    reply.await.expect(SERVED)
}

struct Casting {
    connection: Connection,
    message: ByteBuf,
}

impl loads::OneWay for Casting {
    async fn send(&mut self) {
        let note = Message::method_call(PATH, "Note")
            .interface(INTERFACE)
            .with_flags(Flags::NO_REPLY_EXPECTED)
            .build(&self.message);
        let sent = self
            .connection
            .send(&note.expect("it is well formed"))
            .await;
        sent.expect(SERVED);
    }

    async fn arrived(&mut self) -> u64 {
        let noted = call(&self.connection, "Noted", &()).await;
        noted.body().deserialize().expect("a number")
    }
}

fn serve(address: &Address) {
    Driver::tokio().block_on(async {
        let builder = match address {
            Address::Tls(..) => unreachable!("{}", crate::PLAIN),
            Address::Unix(path) => {
                let listener = UnixListener::bind(path).expect(FREE);
                process::announce();
                Builder::unix_stream(listener.accept().expect(SERVED).0)
            }
            Address::Tcp(port) => {
                let listener = TcpListener::bind(port).expect(FREE);
                process::announce();
                let (stream, _) = listener.accept().expect(SERVED);
                stream.set_nodelay(true).expect(SERVED);
                Builder::tcp_stream(stream)
            }
        };
        let serving = builder.server(Guid::generate()).p2p();
        let serving = serving.serve_at(PATH, Echo::default()).build().await;
        let _serving = serving.expect(SERVED);
        std::future::pending::<()>().await;
    });
}

const SERVED: &str = "the other process is there";
const FREE: &str = "the address is free";
