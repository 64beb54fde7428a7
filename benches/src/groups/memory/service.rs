//! What is served in memory.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidings::Request;

use crate::setting::{Blob, KIB, Size};

#[tidings::service(version = "1.0")]
pub(crate) trait Echo {
    fn number(&self, n: u64) -> u64;
    async fn number_async(&self, n: u64) -> u64;
    fn note_number(&self, n: u64);
    fn blob(&self, blob: Blob) -> Blob;
    async fn blob_async(&self, blob: Blob) -> Blob;
    fn note_blob(&self, blob: Blob);
}

#[derive(Default)]
pub(super) struct Echoing {
    /// How many casts have arrived.
    pub(super) noted: Arc<AtomicU64>,
}

impl Echo for Echoing {
    fn number(&self, n: u64) -> u64 {
        n * 2
    }

    async fn number_async(&self, n: u64) -> u64 {
        n * 2
    }

    fn note_number(&self, n: u64) {
        black_box(n);
        self.noted.fetch_add(1, Ordering::Release);
    }

    fn blob(&self, blob: Blob) -> Blob {
        blob
    }

    async fn blob_async(&self, blob: Blob) -> Blob {
        blob
    }

    fn note_blob(&self, blob: Blob) {
        black_box(blob);
        self.noted.fetch_add(1, Ordering::Release);
    }
}

/// What is sent: a number, or a blob of 1 KiB, which each sender makes anew.
pub(super) trait Message: Serialize + DeserializeOwned + Send + 'static {
    const SIZE: Size;
    /// For the untyped verbs.
    const METHOD: &str;
    const NOTE: &str;
    fn make() -> Self;
    fn echo(client: &EchoClient) -> Request<Self>;
    fn echo_async(client: &EchoClient) -> Request<Self>;
    fn note(client: &EchoClient) -> Request<()>;
}

impl Message for u64 {
    const SIZE: Size = Size::Number;
    const METHOD: &str = "echo.number";
    const NOTE: &str = "echo.note_number";

    fn make() -> u64 {
        black_box(7)
    }

    fn echo(client: &EchoClient) -> Request<u64> {
        client.number(u64::make())
    }

    fn echo_async(client: &EchoClient) -> Request<u64> {
        client.number_async(u64::make())
    }

    fn note(client: &EchoClient) -> Request<()> {
        client.note_number(u64::make())
    }
}

impl Message for Blob {
    const SIZE: Size = Size::Blob(KIB);
    const METHOD: &str = "echo.blob";
    const NOTE: &str = "echo.note_blob";

    fn make() -> Blob {
        Blob::of(black_box(KIB))
    }

    fn echo(client: &EchoClient) -> Request<Blob> {
        client.blob(Blob::make())
    }

    fn echo_async(client: &EchoClient) -> Request<Blob> {
        client.blob_async(Blob::make())
    }

    fn note(client: &EchoClient) -> Request<()> {
        client.note_blob(Blob::make())
    }
}
