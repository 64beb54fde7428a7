//! Writes tonic's glue for the service that it is compared by: without a `.proto` file, so that nobody needs `protoc`.

use tonic_build::manual::{Builder, Method, Service};

fn main() {
    let unary = |name: &str, route: &str| {
        Method::builder()
            .name(name)
            .route_name(route)
            .input_type("crate::tonic::Payload")
            .output_type("crate::tonic::Payload")
            .codec_path("tonic_prost::ProstCodec")
    };
    let service = Service::builder()
        .name("Echo")
        .package("benches")
        .method(unary("echo", "Echo").build())
        .method(unary("noted", "Noted").build())
        .method(unary("note", "Note").client_streaming().build())
        .build();
    Builder::new().compile(&[service]);
}
