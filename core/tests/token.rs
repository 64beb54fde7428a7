//! Tokens and the files that hold them.
#![cfg(unix)]

use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use tidings_core::{Token, TokenError};

const SECRET: &str = "sixteen bytes!!!";

/// A file of its own with this content and mode 0600, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(content: impl AsRef<[u8]>) -> Scratch {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let serial = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tidings-token-{}-{serial}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_file(&path);
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&path);
        file.unwrap().write_all(content.as_ref()).unwrap();
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn names(tokens: &[Token]) -> Vec<&str> {
    tokens.iter().map(Token::name).collect()
}

#[test]
fn a_secret_has_sixteen_bytes_at_least() {
    for (length, fits) in [
        (0, false),
        (15, false),
        (16, true),
        (1024, true),
        (1025, false),
    ] {
        let token = Token::new("ada", vec![b'x'; length]);
        assert_eq!(token.is_ok(), fits, "{length}");
        if let Err(error) = token {
            let told =
                matches!(error, TokenError::SecretLength { length: told, .. } if told == length);
            assert!(told, "{error}");
        }
    }
    for name in ["", "a b", "a\n", "a:b"] {
        let error = Token::new(name, SECRET).unwrap_err();
        assert!(matches!(error, TokenError::Name(_)), "{error}");
    }
}

#[test]
fn a_file_holds_one_token_or_several() {
    let one = Scratch::new(format!("# of this host\n\nada:{SECRET}\n"));
    assert_eq!(Token::from_file(&one.0).unwrap().name(), "ada");
    assert_eq!(names(&Token::all_from_file(&one.0).unwrap()), ["ada"]);
    let two = Scratch::new(format!("ada:{SECRET}\r\nbob:{SECRET}:with:colons"));
    assert_eq!(
        names(&Token::all_from_file(&two.0).unwrap()),
        ["ada", "bob"]
    );
    let error = Token::from_file(&two.0).unwrap_err();
    assert!(
        matches!(error, TokenError::NotOne { found: 2, .. }),
        "{error}"
    );
    let none = Scratch::new("# nothing yet\n");
    for error in [
        Token::from_file(&none.0).unwrap_err(),
        Token::all_from_file(&none.0).unwrap_err(),
    ] {
        assert!(
            matches!(error, TokenError::NotOne { found: 0, .. }),
            "{error}"
        );
    }
}

#[test]
fn a_file_that_others_can_get_at_is_refused() {
    let file = Scratch::new(format!("ada:{SECRET}\n"));
    for mode in [0o640, 0o604, 0o620, 0o602, 0o660, 0o666, 0o601] {
        fs::set_permissions(&file.0, fs::Permissions::from_mode(mode)).unwrap();
        let error = Token::from_file(&file.0).unwrap_err();
        let told = matches!(error, TokenError::Exposed { mode: told, .. } if told == mode);
        assert!(told && error.to_string().contains("chmod 600"), "{error}");
    }
    fs::set_permissions(&file.0, fs::Permissions::from_mode(0o400)).unwrap();
    Token::from_file(&file.0).unwrap();
}

#[test]
fn what_is_no_file_of_tokens_is_told_without_its_content() {
    let missing = Token::from_file("/no/such/file").unwrap_err();
    assert!(matches!(missing, TokenError::File { .. }), "{missing}");
    // A directory, and something endless: neither is read.
    for path in ["/", "/dev/zero"] {
        let error = Token::from_file(path).unwrap_err();
        assert!(matches!(error, TokenError::File { .. }), "{error}");
    }
    for (content, line) in [
        ("hushhushwithoutaname".to_owned(), 1),
        (
            format!("# x\nada:{SECRET}\nhush hush: of eve, long enough"),
            3,
        ),
        ("\u{fc}:hush hush, long enough".to_owned(), 1),
    ] {
        let file = Scratch::new(&content);
        let error = Token::all_from_file(&file.0).unwrap_err();
        let told = matches!(error, TokenError::Line { line: told, .. } if told == line);
        assert!(told, "{error}");
        for text in [error.to_string(), format!("{error:?}")] {
            assert!(!text.contains("hush"), "{text}"); // S12
        }
    }
    let file = Scratch::new([b"ada:" as &[u8], &[0xff; 20]].concat());
    Token::from_file(&file.0).unwrap(); // A secret is bytes, not text.
    let short = Scratch::new("ada:hunter2");
    let error = Token::from_file(&short.0).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
}

#[test]
fn a_token_prints_its_name_and_nothing_else() {
    let token = Token::new("ada", SECRET).unwrap();
    for text in [format!("{token:?}"), format!("{token:#?}")] {
        assert!(
            text.contains("ada") && text.contains("[redacted]"),
            "{text}"
        );
        assert!(!text.contains("sixteen"), "{text}");
    }
}
