//! Bytes that are shared instead of copied, between services that are declared with types.
#![cfg(all(
    unix,
    feature = "macros",
    feature = "memory",
    any(feature = "tokio", feature = "smol")
))]

use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use tidings::{Bus, Bytes};

/// A file, held in memory once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct File {
    name: String,
    content: Bytes,
}

#[tidings::service(topic = "files")]
trait Files {
    fn get(&self, name: String) -> Option<File>;
    fn put(&self, file: File);
    fn size(&self, content: Bytes) -> u64;
}

#[derive(Default)]
struct Shelf(Mutex<Vec<File>>);

impl Files for Shelf {
    fn get(&self, name: String) -> Option<File> {
        self.0
            .lock()
            .unwrap()
            .iter()
            .find(|file| file.name == name)
            .cloned()
    }

    fn put(&self, file: File) {
        self.0.lock().unwrap().push(file);
    }

    fn size(&self, content: Bytes) -> u64 {
        content.len() as u64
    }
}

/// The same as an older program has it.
mod older {
    use super::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    pub(crate) struct File {
        pub(crate) name: String,
        pub(crate) content: Vec<u8>,
    }

    #[tidings::service(topic = "files")]
    pub(crate) trait Files {
        fn get(&self, name: String) -> Option<File>;
        fn put(&self, file: File);
        fn size(&self, content: Vec<u8>) -> u64;
    }
}

#[test]
fn a_side_with_vectors_meets_one_with_bytes() -> tidings::Result<()> {
    let directory = tempfile::tempdir().unwrap();
    let socket = format!("unix:{}", directory.path().join("bus").display());
    for address in ["mem:", "mem:?codec=strict", &socket] {
        let hub = Bus::open(address)?;
        let _server = hub.serve(FilesServer::new(Shelf::default()))?;
        let bus = if address == socket {
            Bus::open(address)?
        } else {
            hub.clone()
        };
        let (files, older) = (FilesClient::new(&bus), older::FilesClient::new(&bus));
        for size in [0_u64, 100, 20_000, 700_000] {
            let content: Vec<u8> = (0..size).map(|n| (n % 253) as u8).collect();
            let name = format!("of {size}");
            let (copied, shared) = (content.clone(), Bytes::from(content.clone()));
            assert_eq!(files.size(shared.clone()).wait()?, size);
            assert_eq!(older.size(copied).wait()?, size);
            let content = shared;
            files
                .put(File {
                    name: name.clone(),
                    content: content.clone(),
                })
                .wait()?;
            assert!(
                files
                    .get(name.clone())
                    .wait()?
                    .is_some_and(|file| file.content == content)
            );
            assert!(
                older
                    .get(name)
                    .wait()?
                    .is_some_and(|file| content == file.content)
            );
        }
        assert_eq!(files.get("none".to_owned()).wait()?, None);
    }
    Ok(())
}
