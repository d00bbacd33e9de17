//! Secrets of keys: how one is made, and the digest by which it is known.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Crc;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use crate::access::tickets;

/// The beginning of every secret that this program makes, by which scanners of repositories find it.
const PREFIX: &str = "tcs_";
/// Random bytes of a secret.
const RANDOM_BYTES: usize = 32;
/// Bytes of the checksum behind them.
const CHECK_BYTES: usize = 4;

/// Length of the name of an unlisted word: `token-` and 12 digits of its digest.
const TOKEN_NAME_BYTES: usize = 18;
/// Such a name begins so.
const TOKEN_NAME: &str = "token-";

/// The SHA-256 of a secret. A slow hash would not help: a secret has 256 random bits, and strangers would make the server compute it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Returns the digest of a secret.
    pub fn of(secret: &str) -> Self {
        Self::of_bytes(secret.as_bytes())
    }

    /// Returns the digest of a secret that is no text.
    pub(super) fn of_bytes(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// Reads 64 hexadecimal digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// Returns whether both are the same, in a time that does not depend on where they differ.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// Does not show it: it would tell whether a guessed word is the secret.
impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Digest {
    /// Returns the bytes, which must not be shown.
    pub(super) const fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::LowerHex for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A new secret. It is shown once, by `Display`.
pub struct Secret(String);

impl Secret {
    /// Returns a random secret: `tcs_`, and in base64url 32 random bytes with their CRC-32.
    pub fn random() -> Self {
        Self::from_bytes(rand::random())
    }

    fn from_bytes(random: [u8; RANDOM_BYTES]) -> Self {
        let bytes = [&random[..], &checksum(&random)].concat();
        Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Returns the digest for the key file.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns whether the word begins like a secret of this program and has a wrong checksum: it was cut or mistyped.
pub(super) fn is_mistyped(word: &str) -> bool {
    let Some(rest) = word.strip_prefix(PREFIX) else { return false };
    let bytes = URL_SAFE_NO_PAD.decode(rest).unwrap_or_default();
    let Some((random, check)) = bytes.split_last_chunk::<CHECK_BYTES>() else { return true };
    random.len() != RANDOM_BYTES || *check != checksum(random)
}

/// Returns whether the word begins like a secret or a ticket of this program, in any case.
pub(super) fn is_like_ours(word: &str) -> bool {
    [PREFIX]
        .iter()
        .chain(&tickets::PREFIXES)
        .any(|prefix| word.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix)))
}

/// Returns the name of a key that is one unlisted word. It does not show the word, which may be a secret of somebody who has mistyped
/// it, or a key of the real vendor: names are logged.
pub fn name_of_token(token: &str) -> String {
    let mut name = format!("{TOKEN_NAME}{:x}", Digest::of(token));
    name.truncate(TOKEN_NAME_BYTES);
    name
}

/// Returns whether this is the name of a key that is one unlisted word, of this one.
pub fn names_token(name: &str, token: &str) -> bool {
    name.starts_with(TOKEN_NAME) && name_of_token(token) == name
}

fn checksum(bytes: &[u8]) -> [u8; CHECK_BYTES] {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum().to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_a_checksum_and_a_digest() {
        let secret = Secret::from_bytes([7; 32]).to_string();
        assert_eq!((secret.len(), &secret[..4]), (52, "tcs_"));
        assert!(!is_mistyped(&secret));
        for wrong in [&secret[..51], &secret.replace('H', "h"), &format!("{secret}A"), "tcs_"] {
            assert!(is_mistyped(wrong), "{wrong}");
        }
        assert!(!is_mistyped("a word of a vendor"));
        let digest = Digest::of("abc");
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(format!("{digest:x}"), hex, "FIPS 180-4");
        assert!(Digest::parse(hex).unwrap().is(&digest));
        assert_eq!([Digest::parse(&hex[1..]), Digest::parse(&hex.replace('b', "ä")[..64])], [None, None]);
        assert_eq!(format!("{digest:?}"), "***");
        assert_ne!(Secret::random().to_string(), Secret::random().to_string());
    }
}
