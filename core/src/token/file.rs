//! Tokens in a file that nobody but its owner can read.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::{Token, TokenError, wipe};

/// The most bytes of a file of tokens.
const MOST: u64 = 1 << 20;

/// The tokens in the file, in its order.
pub(super) fn read(path: &Path) -> Result<Vec<Token>, TokenError> {
    let mut bytes = contents(path)?;
    let tokens = parse(path, &bytes);
    wipe(&mut bytes);
    tokens
}

fn contents(path: &Path) -> Result<Vec<u8>, TokenError> {
    let failed = |error: io::Error| TokenError::File {
        path: path.to_owned(),
        source: Arc::new(error),
    };
    let refused = |text: &str| failed(io::Error::new(io::ErrorKind::InvalidInput, text));
    if !path.metadata().map_err(failed)?.is_file() {
        return Err(refused("it is no file")); // Opening a pipe would wait for its other end.
    }
    let file = File::open(path).map_err(failed)?;
    // Of what was opened: the path may lead elsewhere by now.
    let metadata = file.metadata().map_err(failed)?;
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::MetadataExt::mode(&metadata) & 0o777;
        if mode & 0o077 != 0 {
            let path = path.to_owned();
            return Err(TokenError::Exposed { path, mode });
        }
    }
    if metadata.len() > MOST {
        return Err(refused("it is larger than 1 MiB"));
    }
    // Room for all of it at once: what grows leaves copies behind.
    let mut bytes = Vec::with_capacity(metadata.len() as usize + 1);
    file.take(MOST).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<Token>, TokenError> {
    let mut tokens = Vec::new();
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let no_token = || TokenError::Line {
            path: path.to_owned(),
            line: at + 1,
        };
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, secret) = line.split_at(colon.ok_or_else(no_token)?);
        let name = std::str::from_utf8(name).map_err(|_| no_token())?;
        // A bad name is not shown: where the colon is in the secret, it is a part of that.
        let token = Token::new(name, &secret[1..]).map_err(|error| match error {
            TokenError::Name(_) => no_token(),
            other => other,
        })?;
        tokens.push(token);
    }
    Ok(tokens)
}
