//! The proofs of tokens: HMAC-SHA-256, compared in constant time (S14).

use std::io;
use std::sync::Arc;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::{SecretBytes, Token};
use crate::session::{Accepted, InvalidName, Name, Nonce, Proof, Secret};

impl Secret for SecretBytes {
    fn prove(&self, message: &[u8]) -> Proof {
        Proof::new(self.mac(message).finalize().into_bytes().into())
    }

    fn verifies(&self, message: &[u8], proof: &Proof) -> bool {
        self.mac(message).verify_slice(proof.as_bytes()).is_ok()
    }
}

impl SecretBytes {
    fn mac(&self, message: &[u8]) -> Hmac<Sha256> {
        let mut mac = match Hmac::<Sha256>::new_from_slice(&self.0) {
            Ok(mac) => mac,
            Err(_) => unreachable!("a key of HMAC may have any length"),
        };
        mac.update(message);
        mac
    }
}

/// The token as a member's session has it.
pub(crate) fn secret(token: &Token) -> Result<(Name, Arc<dyn Secret>), InvalidName> {
    Ok((Name::try_from(token.name.clone())?, token.secret.clone()))
}

/// The tokens as a hub's sessions have them.
///
/// # Errors
/// The system's, when it gives no random bytes.
pub(crate) fn accepted(tokens: &[Token]) -> io::Result<Accepted> {
    let known: Result<_, _> = tokens.iter().map(secret).collect();
    let known = known.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let decoy = SecretBytes(nonce()?.into());
    Ok(Accepted::new(known, Arc::new(decoy)))
}

/// Bytes that nobody can foresee.
///
/// # Errors
/// The system's, when it gives none.
pub(crate) fn nonce() -> io::Result<Nonce> {
    let mut nonce = [0; 32];
    getrandom::fill(&mut nonce)?;
    Ok(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits = text.as_bytes().chunks(2);
        digits
            .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
            .collect()
    }

    #[test]
    fn a_proof_is_an_hmac_sha_256() {
        // Cases 1 to 3 and 6 of RFC 4231.
        for (key, message, mac) in [
            (
                vec![0x0b; 20],
                b"Hi There".to_vec(),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe".to_vec(),
                b"what do ya want for nothing?".to_vec(),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                vec![0xaa; 20],
                vec![0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            (
                vec![0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            let secret = SecretBytes(key.into());
            let proof = secret.prove(&message);
            assert_eq!(proof.as_bytes().to_vec(), hex(mac));
            assert!(secret.verifies(&message, &proof));
            for bit in [0, 100, 255] {
                let mut wrong = *proof.as_bytes();
                wrong[bit / 8] ^= 1 << (bit % 8);
                assert!(!secret.verifies(&message, &Proof::new(wrong)));
            }
        }
    }

    #[test]
    fn nonces_differ() {
        assert_ne!(nonce().unwrap(), nonce().unwrap());
    }
}
