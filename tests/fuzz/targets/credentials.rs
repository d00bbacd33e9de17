//! Credentials of requests: accepted ones are the same when they are written in any way; none that the page `/handshake` or the log
//! shows holds a secret; and only the pair of a key is let in.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use tickcast::access::{Caller, Credentials, KeyError, Vendor};
use tickcast::transport::fuzz::{credentials, shown_offers};

use super::keyring::Keyring;
use super::parts::{check_refusal, take};

const PROTOCOL: &str = "sec-websocket-protocol";
const PREFIXES: [&str; 2] = ["tickcast.basic.", "tickcast.bearer."];

static KEYRING: LazyLock<Keyring> = LazyLock::new(Keyring::of_key_file);

pub(super) fn run(mut data: &[u8]) {
    let name = ["authorization", PROTOCOL, "apca-api-key-id", "apca-api-secret-key"][usize::from(take(&mut data) % 4)];
    let mut lines = data.split(|byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let headers = [(name, line()), ("authorization", line()), (PROTOCOL, line())];
    let headers: Vec<_> = headers.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    for of_vendor in [false, true] {
        match credentials(&headers, of_vendor) {
            Ok(Some((id, secret))) => check(id.as_deref(), &secret),
            Ok(None) => {}
            Err(refusal) => {
                check_refusal(&refusal);
                assert_eq!(refusal.0, 401);
            }
        }
    }
    for (_, value) in headers {
        check_shown(&String::from_utf8_lossy(value));
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let (id, secret) = text.split_once(':').unwrap_or(("", text));
        check_key(Some(id), secret);
        check_key(None, text);
    }
}

/// Checks credentials that a request has brought.
fn check(id: Option<&str>, secret: &str) {
    let expected = Ok(Some((id.map(str::to_owned), secret.to_owned())));
    let word = id.map_or_else(|| secret.to_owned(), |id| format!("{id}:{secret}"));
    let offer = format!("{}{}", PREFIXES[usize::from(id.is_none())], URL_SAFE_NO_PAD.encode(&word));
    // The two headers of Alpaca may hold an id with a colon, which no other way can express.
    if id.is_none_or(|id| !id.contains(':')) {
        assert_eq!(credentials(&[(PROTOCOL, offer.as_bytes())], false), expected);
        if id.is_some() {
            let header = format!("Basic {}", STANDARD.encode(&word));
            assert_eq!(credentials(&[("authorization", header.as_bytes())], false), expected);
        }
    }
    let twice = [(PROTOCOL, offer.as_bytes()), (PROTOCOL, offer.as_bytes())];
    assert!(credentials(&twice, false).is_err(), "{offer} twice");
    assert_eq!(shown_offers(&offer), format!("{}***", PREFIXES[usize::from(id.is_none())]));
    check_key(id, secret);
}

/// Checks that every offer with credentials is shown without them.
fn check_shown(list: &str) {
    for offer in shown_offers(list).split(',').map(str::trim) {
        for prefix in PREFIXES {
            let begin = offer.get(..prefix.len());
            if begin.is_some_and(|begin| begin.eq_ignore_ascii_case(prefix)) {
                assert_eq!(&offer[prefix.len()..], "***", "{list:?}");
            }
        }
    }
}

/// Checks that these credentials are let in if, and only if, they are those of the key, and that a mistyped secret is called so.
fn check_key(id: Option<&str>, secret: &str) {
    let sent = id.map_or(Credentials::Token(secret), |id| Credentials::Pair { id, secret });
    let is_right = id.is_none_or(|id| id == Keyring::ID) && secret == Keyring::SECRET;
    for found in [
        KEYRING.keys.identify(Some(sent), &Caller::default()).map_err(|denied| denied.why),
        KEYRING.keys.look_up(Vendor::Alpaca, sent, &Caller::default()).map_err(|denied| denied.why),
    ] {
        match found {
            Ok(found) => assert!(is_right && found.name() == Keyring::ID, "{id:?} {secret:?}"),
            Err(KeyError::Mistyped) => assert!(!is_right && secret.starts_with("tcs_") && !is_whole(secret)),
            Err(KeyError::Unknown) => assert!(!is_right && (!secret.starts_with("tcs_") || is_whole(secret))),
            // A word like a ticket of the server's own pages.
            Err(KeyError::Ticket) => assert!(id.is_none() && secret.starts_with("tcp_")),
            Err(err) => panic!("{err}"),
        }
    }
}

/// Returns whether a secret has 32 bytes with their CRC-32 (ISO 3309), computed bit by bit.
fn is_whole(secret: &str) -> bool {
    let bytes = URL_SAFE_NO_PAD.decode(&secret[4..]).unwrap_or_default();
    let Some((random, check)) = bytes.split_last_chunk::<4>() else { return false };
    let crc = random.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 })
    });
    random.len() == 32 && *check == (!crc).to_be_bytes()
}
