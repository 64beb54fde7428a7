//! tonic, with prost. `build.rs` writes its glue.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::StreamExt;
use hyper_util::rt::TokioIo;
use tidings_benches::harness::Case;
use tidings_benches::loads;
use tidings_benches::peer::Peer;
use tidings_benches::place::{Address, Place};
use tidings_benches::process;
use tidings_benches::runtimes::Driver;
use tidings_benches::setting::{Load, Setting, Verb, Wire};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream, UnixListenerStream};
use tonic::transport::{Channel, Endpoint, Server, Uri};
use tonic::{Request, Response, Status, Streaming};

use self::glue::echo_client::EchoClient;
use self::glue::echo_server::{Echo, EchoServer};

mod glue {
    include!(concat!(env!("OUT_DIR"), "/benches.Echo.rs"));
}

pub(crate) const PEER: Peer = Peer {
    name: "tonic",
    package: "tonic",
    cases: |setting, place| match setting {
        Setting::Socket(wire, load) => vec![over(wire, load, place)],
        _ => Vec::new(),
    },
    serve,
};

const NAME: &str = "tonic, tokio";

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Payload {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) body: Bytes,
}

impl Payload {
    fn number(number: u64) -> Payload {
        let body = Bytes::copy_from_slice(&number.to_le_bytes());
        Payload { body }
    }
}

#[derive(Default)]
struct Echoing {
    noted: AtomicU64,
}

#[tonic::async_trait]
impl Echo for Echoing {
    async fn echo(&self, request: Request<Payload>) -> Result<Response<Payload>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn noted(&self, _: Request<Payload>) -> Result<Response<Payload>, Status> {
        Ok(Response::new(Payload::number(
            self.noted.load(Ordering::Relaxed),
        )))
    }

    async fn note(&self, notes: Request<Streaming<Payload>>) -> Result<Response<Payload>, Status> {
        let mut notes = notes.into_inner();
        while let Some(note) = notes.next().await {
            black_box(note?);
            self.noted.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Response::new(Payload::number(0)))
    }
}

fn over(wire: Wire, load: Load, place: &Place) -> Case {
    let (address, server) = place.serve(wire, PEER.name);
    let driver = Driver::tokio();
    let client = EchoClient::new(driver.block_on(connect(address)));
    let payload = Payload {
        body: Bytes::from(vec![0x5a; load.size.bytes()]),
    };
    let case = match load.verb {
        Verb::Call => loads::calls(NAME, driver, load.in_flight, move || {
            let (mut client, payload) = (client.clone(), payload.clone());
            async move {
                black_box(client.echo(payload).await.expect(SERVED));
            }
        }),
        Verb::Cast => {
            let (notes, stream) = mpsc::channel(crate::QUEUE);
            let mut noting = client.clone();
            driver.spawn(async move {
                let _ = noting.note(ReceiverStream::new(stream)).await;
            });
            let casting = Casting {
                client,
                notes,
                payload,
            };
            loads::casts_over(NAME, driver, casting)
        }
    };
    case.with_servers([server])
}

async fn connect(address: Address) -> Channel {
    match address {
        Address::Tls(..) => unreachable!("{}", crate::PLAIN),
        Address::Unix(path) => {
            let connector = tower::service_fn(move |_: Uri| {
                let path = path.clone();
                async move { UnixStream::connect(path).await.map(TokioIo::new) }
            });
            let endpoint = Endpoint::from_static("http://localhost");
            endpoint
                .connect_with_connector(connector)
                .await
                .expect(SERVED)
        }
        Address::Tcp(port) => {
            let endpoint = Endpoint::from_shared(format!("http://{port}")).expect("an address");
            endpoint.tcp_nodelay(true).connect().await.expect(SERVED)
        }
    }
}

struct Casting {
    client: EchoClient<Channel>,
    notes: mpsc::Sender<Payload>,
    payload: Payload,
}

impl loads::OneWay for Casting {
    async fn send(&mut self) {
        self.notes.send(self.payload.clone()).await.expect(SERVED);
    }

    async fn arrived(&mut self) -> u64 {
        let noted = self.client.noted(Payload::number(0)).await.expect(SERVED);
        let noted = noted.into_inner().body;
        u64::from_le_bytes(noted.as_ref().try_into().expect("a number"))
    }
}

fn serve(address: &Address) {
    Driver::tokio().block_on(async {
        let server = Server::builder().add_service(EchoServer::new(Echoing::default()));
        let served = match address {
            Address::Tls(..) => unreachable!("{}", crate::PLAIN),
            Address::Unix(path) => {
                let listener = UnixListener::bind(path).expect(FREE);
                process::announce();
                server
                    .serve_with_incoming(UnixListenerStream::new(listener))
                    .await
            }
            Address::Tcp(port) => {
                let listener = TcpListener::bind(port).await.expect(FREE);
                process::announce();
                let connections = TcpListenerStream::new(listener).inspect(|connection| {
                    let _ = connection.as_ref().map(|socket| socket.set_nodelay(true));
                });
                server.serve_with_incoming(connections).await
            }
        };
        served.expect("it serves to its end");
    });
}

const SERVED: &str = "the server is there";
const FREE: &str = "the address is free";
