//! Tests of `Tokens` with bytes of every kind.

use std::sync::Arc;

use jsonwebtoken::{EncodingKey, Header, encode};
use proptest::prelude::*;

use super::*;
use crate::access::KeyError;
use crate::domain::ManualClock;
use crate::metrics::Metrics;

const SECRET: &[u8] = b"a secret of at least 32 bytes, for tests";
const NOW: Timestamp = Timestamp::from_micros(1_772_463_845_000_000);

fn tokens() -> Tokens {
    // Files of the same content are written by several tests at once.
    static NUMBER: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("tickcast-secret-{}-{number}", std::process::id()));
    std::fs::write(&path, SECRET).unwrap();
    let jwt = JwtConfig {
        algorithms: vec!["HS256".into()],
        hmac_secret_file: path.to_str().unwrap().into(),
        ..JwtConfig::default()
    };
    let auth = AuthConfig { jwt, ..AuthConfig::default() };
    let tokens = Tokens::new(&auth, Arc::new(ManualClock::new(NOW)), Arc::new(Metrics::default())).unwrap();
    std::fs::remove_file(path).unwrap();
    tokens.unwrap()
}

fn token() -> String {
    let claims = serde_json::json!({"sub": "alice", "exp": 1_772_464_000, "tickcast": {"symbols": ["A"]}});
    encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET)).unwrap()
}

fn check(tokens: &Tokens, word: &str) -> Result<String, TokenError> {
    tokens.check(word, &Digest::of(word), NOW, &|| {}).map(|identity| identity.name().to_owned()).map_err(|denied| {
        match denied.why {
            KeyError::Token(err) => err,
            other => panic!("{other}"),
        }
    })
}

#[test]
fn a_good_token_has_a_name_that_no_key_has() {
    let tokens = tokens();
    assert_eq!(check(&tokens, &token()), Ok("jwt:alice".into()));
    assert_eq!(check(&tokens, "a.b.c"), Err(TokenError::Malformed));
    assert_eq!(check(&tokens, &format!("{}.", "a".repeat(TOKEN_BYTES_MAX))), Err(TokenError::TooLong));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(parts in prop::collection::vec("[a-zA-Z0-9_=+/. é-]{0,60}", 0..5), bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let tokens = tokens();
        prop_assert!(check(&tokens, &parts.join(".")).is_err());
        prop_assert!(check(&tokens, &String::from_utf8_lossy(&bytes)).is_err());
        // A good header, and any claims and signature.
        let header = token().split('.').next().unwrap().to_owned();
        let encoded = |bytes: &[u8]| base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, bytes);
        let words = [[header, encoded(&bytes), parts.concat()], [encoded(&bytes), encoded(&bytes), encoded(&bytes)]];
        for word in words {
            prop_assert!(check(&tokens, &word.join(".")).is_err());
        }
        // Claims that the issuer has signed.
        let signed = encode(&Header::default(), &serde_json::json!({"sub": parts, "exp": bytes}), &EncodingKey::from_secret(SECRET)).unwrap();
        prop_assert!(check(&tokens, &signed).is_err());
    }

    #[test]
    fn a_token_with_another_character_is_refused(at in any::<prop::sample::Index>(), other in "[a-zA-Z0-9_.=-]") {
        let (tokens, good) = (tokens(), token());
        let mut changed = good.clone();
        let at = at.index(good.len());
        changed.replace_range(at..=at, &other);
        prop_assert_eq!(check(&tokens, &changed).is_ok(), changed == good);
        prop_assert!(check(&tokens, &good[..at]).is_err());
        prop_assert!(check(&tokens, &[good, other].concat()).is_err());
    }
}
