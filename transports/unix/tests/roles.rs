//! Who becomes the hub, and which paths are refused.

mod common;

use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use common::{Directory, on_each_runtime, open, try_open};
use tidings_core::{Bus, OpenError};

fn serve_ping(bus: &Bus) -> tidings_core::Server {
    bus.listen("ping")
        .on("ping", |n: u32| n + 1)
        .start()
        .unwrap()
}

fn ping(bus: &Bus) -> u32 {
    bus.call::<u32>("ping.ping", &1u32).wait().unwrap()
}

#[test]
fn a_socket_left_by_a_crash_is_replaced() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        // Bound and closed without being removed, as by a process that was killed.
        drop(UnixListener::bind(directory.socket()).unwrap());
        assert!(directory.socket().exists());
        let hub = open(runtime, &directory.address("?listen"));
        let member = open(runtime, &directory.address("?connect"));
        let _server = serve_ping(&hub);
        assert_eq!(ping(&member), 2);
    });
}

#[test]
fn a_live_hub_is_never_disturbed() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let hub = open(runtime, &directory.address("?listen"));
        let _server = serve_ping(&hub);
        let member = open(runtime, &directory.address(""));
        let inode = directory.socket().metadata().unwrap().ino();
        let refused = try_open(runtime, &directory.address("?listen")).unwrap_err();
        assert!(
            matches!(refused, OpenError::AddressInUse { .. }),
            "{refused}"
        ); // T17
        assert_eq!(directory.socket().metadata().unwrap().ino(), inode);
        assert_eq!(ping(&member), 2);
    });
}

#[test]
fn a_socket_of_another_program_that_is_alive_is_never_replaced() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let foreign = UnixListener::bind(directory.socket()).unwrap();
        let refused = try_open(runtime, &directory.address("?listen")).unwrap_err();
        assert!(
            matches!(refused, OpenError::AddressInUse { .. }),
            "{refused}"
        );
        drop(foreign);
    });
}

#[test]
fn the_socket_has_mode_0600_and_goes_with_its_hub() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let hub = open(runtime, &directory.address(""));
        let file = directory.socket().metadata().unwrap();
        assert!(file.file_type().is_socket());
        assert_eq!(file.permissions().mode() & 0o777, 0o600); // S4
        drop(hub);
        assert!(!directory.socket().exists());
        // Nothing but the lock file is left.
        let left: Vec<_> = directory
            .path()
            .read_dir()
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(left, ["bus.sock.lock"]);
    });
}

#[test]
fn an_address_can_be_served_again_at_once() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        for _ in 0..20 {
            let hub = open(runtime, &directory.address("?listen")); // C-LC-4
            let _server = serve_ping(&hub);
            assert_eq!(ping(&open(runtime, &directory.address("?connect"))), 2);
        }
    });
}

#[test]
fn of_many_that_open_at_once_one_becomes_the_hub_and_all_meet() {
    on_each_runtime(|runtime| {
        for _ in 0..10 {
            let directory = Directory::new();
            let start = std::sync::Barrier::new(8);
            let buses: Vec<Bus> = std::thread::scope(|scope| {
                let opening: Vec<_> = (0..8)
                    .map(|_| {
                        scope.spawn(|| {
                            start.wait();
                            open(runtime, &directory.address(""))
                        })
                    })
                    .collect();
                opening.into_iter().map(|bus| bus.join().unwrap()).collect()
            });
            let _server = serve_ping(&buses[0]);
            for bus in &buses {
                assert_eq!(ping(bus), 2);
            }
        }
    });
}

#[test]
fn connecting_where_nobody_serves_fails_at_once_and_says_why() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let missing = try_open(runtime, &directory.address("?connect")).unwrap_err();
        drop(UnixListener::bind(directory.socket()).unwrap());
        let stale = try_open(runtime, &directory.address("?connect")).unwrap_err();
        for (error, kind) in [
            (missing, ErrorKind::NotFound),
            (stale, ErrorKind::ConnectionRefused),
        ] {
            let OpenError::NotConnected {
                address, source, ..
            } = &error
            else {
                panic!("{error}")
            };
            assert_eq!(source.kind(), kind); // T15
            assert!(address.contains("bus.sock"));
        }
        assert!(
            directory.socket().exists(),
            "a stale file is not for a member to remove"
        );
    });
}

#[test]
fn a_file_that_is_no_socket_is_neither_served_nor_removed() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        std::fs::write(directory.socket(), "precious").unwrap();
        let refused = try_open(runtime, &directory.address("")).unwrap_err();
        assert!(matches!(refused, OpenError::Bind { .. }), "{refused}");
        assert_eq!(std::fs::read(directory.socket()).unwrap(), b"precious");
    });
}

#[test]
fn a_dangling_symlink_is_not_followed() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let elsewhere = directory.path().join("elsewhere");
        symlink(&elsewhere, directory.socket()).unwrap();
        let refused = try_open(runtime, &directory.address("")).unwrap_err();
        assert!(matches!(refused, OpenError::Bind { .. }), "{refused}"); // S5
        assert!(!elsewhere.exists());
    });
}

#[test]
fn a_path_is_refused_when_it_is_one_byte_too_long() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let room = 107 - directory.path().as_os_str().len() - 1;
        let path =
            |length: usize| format!("unix:{}/{}", directory.path().display(), "x".repeat(length));
        drop(try_open(runtime, &path(room - 1)).unwrap());
        drop(try_open(runtime, &path(room)).unwrap());
        let refused = try_open(runtime, &path(room + 1)).unwrap_err();
        let OpenError::PathTooLong { length, limit, .. } = refused else {
            panic!("{refused}")
        }; // T19
        assert_eq!((length, limit), (108, 107));
    });
}

#[test]
fn a_directory_that_is_missing_or_open_to_others_is_refused() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        let missing = format!("unix:{}/no/bus.sock", directory.path().display());
        let refused = try_open(runtime, &missing).unwrap_err();
        let OpenError::Bind { source, .. } = &refused else {
            panic!("{refused}")
        }; // T26
        assert_eq!(source.kind(), ErrorKind::NotFound);

        let mode =
            |mode| std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(mode));
        mode(0o777).unwrap();
        for options in ["", "?shared_dir"] {
            let refused = try_open(runtime, &directory.address(options)).unwrap_err();
            assert!(matches!(refused, OpenError::Bind { .. }), "{refused}"); // S5
        }
        mode(0o1777).unwrap();
        let refused = try_open(runtime, &directory.address("")).unwrap_err();
        assert!(refused.to_string().contains("shared_dir"), "{refused}");
        drop(try_open(runtime, &directory.address("?shared_dir")).unwrap());
        mode(0o700).unwrap();
    });
}

#[test]
fn options_that_do_not_exist_or_contradict_are_refused() {
    on_each_runtime(|runtime| {
        let directory = Directory::new();
        for options in [
            "?listne",
            "?listen&connect",
            "?uid=me",
            "?queue=-1",
            "?listen=yes",
        ] {
            let refused = try_open(runtime, &directory.address(options)).unwrap_err();
            assert!(
                matches!(refused, OpenError::Address { .. }),
                "{options}: {refused}"
            );
        }
        for address in ["unix:", "unix:/", "unix:relative.sock"] {
            let refused = try_open(runtime, address).unwrap_err();
            assert!(
                matches!(refused, OpenError::Address { .. }),
                "{address}: {refused}"
            );
        }
    });
}
