//! Tokens (JWT): whatever the bytes, none is accepted that was not signed by a key that the server knows; one that is signed is refused
//! for its claims only.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tickcast::access::{Caller, Credentials, KeyError, TokenError, Vendor};

use super::keyring::Keyring;

/// The public keys of an issuer, and everything that it has ever signed, by each.
const SET: &[u8] = include_bytes!("../corpus/key_set/three");
const SIGNED: [&str; 3] =
    [include_str!("../corpus/token/ed"), include_str!("../corpus/token/ec"), include_str!("../corpus/token/rsa")];
/// Longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 8_192;
/// Longest block of SHA-256, in bytes.
const BLOCK_BYTES: usize = 64;

static SECRET: LazyLock<Keyring> = LazyLock::new(Keyring::of_secret);
static ISSUER: LazyLock<Keyring> = LazyLock::new(|| Keyring::of_issuer(SET));

pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    check_token(text);
    // As claims, after a header of the first line if there are two: signed, and with another signature.
    let (header, claims) = text.split_once('\n').unwrap_or((r#"{"alg":"HS256","typ":"JWT"}"#, text));
    let signed = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
    let mut signature = hmac(signed.as_bytes());
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
    if token.len() > TOKEN_BYTES_MAX {
        return;
    }
    let found = look_up(&SECRET, &token);
    assert_ne!(found, Some(Err(TokenError::Signature)), "{token}");
    signature[claims.len() % signature.len()] ^= 1;
    let forged = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
    assert!(matches!(look_up(&SECRET, &forged), None | Some(Err(_))), "{forged}");
    if found == Some(Ok(())) {
        check_claims(header, claims);
    }
}

/// Checks that a token is not accepted unless a known key has signed it.
fn check_token(token: &str) {
    let signed = token.rsplit_once('.').map_or("", |(signed, _)| signed);
    if look_up(&SECRET, token) == Some(Ok(())) {
        let (_, signature) = token.rsplit_once('.').expect("it has a signature");
        assert_eq!(URL_SAFE_NO_PAD.decode(signature).ok(), Some(hmac(signed.as_bytes()).to_vec()), "{token}");
    }
    if look_up(&ISSUER, token) == Some(Ok(())) {
        let is_known = SIGNED.iter().any(|known| known.rsplit_once('.').is_some_and(|(known, _)| known == signed));
        assert!(is_known, "{token}");
    }
}

/// Returns what the server says of a token: that it is good, though it may have ended or not permit this dialect, or why it is none;
/// `None` if the text does not look like a token.
fn look_up(keyring: &Keyring, token: &str) -> Option<Result<(), TokenError>> {
    let found = keyring.keys.look_up(Vendor::Alpaca, Credentials::Token(token), &Caller::default());
    match found.map_err(|denied| denied.why) {
        Ok(_) | Err(KeyError::Expired | KeyError::NotEntitled) => Some(Ok(())),
        Err(KeyError::Token(err)) => Some(Err(err)),
        Err(KeyError::Unknown | KeyError::Mistyped | KeyError::Ticket) => None,
        Err(err) => panic!("{err}"),
    }
}

/// Checks what every accepted token has, by a second reading.
fn check_claims(header: &str, claims: &str) {
    let read = [header, claims].map(serde_json::from_str::<Value>);
    // A number that is out of range in a member that nobody reads is passed over.
    let [Ok(header), Ok(claims)] = read else { return };
    assert!(header["alg"] == "HS256" && header.get("crit").is_none_or(Value::is_null), "{header}");
    let subject = claims["sub"].as_str().expect("a subject");
    assert!((1..=256).contains(&subject.len()) && !subject.chars().any(char::is_control), "{subject:?}");
    assert!(claims["exp"].as_f64().is_some_and(|exp| (0.0..253_402_300_801.0).contains(&exp)), "{claims}");
}

/// Returns the HMAC (RFC 2104) with the secret of tokens, which is shorter than a block.
fn hmac(text: &[u8]) -> [u8; 32] {
    let mut key = [0; BLOCK_BYTES];
    key[..Keyring::HMAC.len()].copy_from_slice(Keyring::HMAC);
    let inner = Sha256::new().chain_update(key.map(|byte| byte ^ 0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(key.map(|byte| byte ^ 0x5C)).chain_update(inner).finalize().into()
}
