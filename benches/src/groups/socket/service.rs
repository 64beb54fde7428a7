//! What is served over sockets.

use std::sync::atomic::{AtomicU64, Ordering};

use tidings::Bytes;

use crate::setting::{Blob, Block};

#[tidings::service(version = "1.0")]
pub(crate) trait Echo {
    fn block(&self, block: Block) -> Block;
    fn bytes(&self, bytes: Bytes) -> Bytes;
    /// The same, copied.
    fn blob(&self, blob: Blob) -> Blob;
    fn note(&self, block: Block);
    /// How many notes have arrived.
    fn noted(&self) -> u64;
}

#[derive(Default)]
pub(super) struct Echoing {
    noted: AtomicU64,
}

impl Echo for Echoing {
    fn block(&self, block: Block) -> Block {
        block
    }

    fn bytes(&self, bytes: Bytes) -> Bytes {
        bytes
    }

    fn blob(&self, blob: Blob) -> Blob {
        blob
    }

    fn note(&self, _block: Block) {
        self.noted.fetch_add(1, Ordering::Relaxed);
    }

    fn noted(&self) -> u64 {
        self.noted.load(Ordering::Relaxed)
    }
}
