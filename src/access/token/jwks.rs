//! A set of public keys (JWKS, RFC 7517 section 5), from a file or an issuer.

use jsonwebtoken::jwk::Jwk;
use serde::Deserialize;
use serde_json::Value;

use crate::access::token::key::{Demands, TokenKeys};

/// Longest set in bytes.
pub(super) const BYTES_MAX: u64 = 256 << 10;
/// Most keys of a set.
const KEYS_MAX: usize = 256;

/// The keys one by one, so that one of an unknown kind does not spoil the set.
#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

/// Reads the keys of a set that can verify tokens of these demands. Others are passed over: keys for encryption, symmetric ones, and
/// kinds that are unknown.
///
/// # Errors
///
/// Returns the reason if the text is no set, or has no such key.
pub(super) fn parse(text: &[u8], demands: &Demands) -> Result<TokenKeys, String> {
    // A list would be read as the members of an object, too.
    let is_object = text.trim_ascii_start().starts_with(b"{");
    let set = serde_json::from_slice(text).ok().filter(|_| is_object);
    let set: Set = set.ok_or_else(|| "it is no set of keys in JSON (JWKS)".to_owned())?;
    if set.keys.len() > KEYS_MAX {
        return Err(format!("it has more than {KEYS_MAX} keys"));
    }
    let keys = set.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok()).collect();
    let keys = TokenKeys::of_set(keys, demands);
    if keys.len() == 0 {
        return Err("it has no public key of an algorithm of auth.jwt.algorithms".into());
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::JwtConfig;
    use proptest::prelude::*;

    /// The public key of RFC 8037 appendix A.2.
    const ED: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"ed"}"#;

    fn keys(keys: &str) -> Result<usize, String> {
        let demands = Demands::new(&JwtConfig { jwks_file: "keys.json".into(), ..JwtConfig::default() });
        parse(format!(r#"{{"keys":[{keys}]}}"#).as_bytes(), &demands).map(|keys| keys.len())
    }

    #[test]
    fn a_list_is_no_set() {
        let demands = Demands::new(&JwtConfig { jwks_file: "keys.json".into(), ..JwtConfig::default() });
        let read = |text: String| parse(text.as_bytes(), &demands).map(|keys| keys.len());
        assert_eq!(read(format!(" {{\"keys\":[{ED}]}}")), Ok(1));
        assert!(read(format!("[[{ED}]]")).unwrap_err().contains("JWKS"));
    }

    #[test]
    fn a_key_that_cannot_verify_a_token_is_passed_over() {
        assert_eq!(keys(ED), Ok(1));
        let small = "a".repeat(342 / 2);
        for other in [
            r#"{"kty":"new","crv":"x"}"#,
            r#"{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","alg":"HS256","kid":"ed"}"#,
            r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#,
            r#"{"kty":"RSA","n":7,"e":"AQAB"}"#,
            "null",
            "[]",
            &ED.replace("\"kid\":\"ed\"", "\"use\":\"enc\""),
            &ED.replace("\"kid\":\"ed\"", "\"key_ops\":[\"encrypt\"]"),
            &ED.replace("\"kid\":\"ed\"", "\"alg\":\"RS256\""),
            &ED.replace("\"kid\":\"ed\"", "\"alg\":\"RSA-OAEP\""),
            &ED.replace("\"ed\"", &format!("\"{}\"", "k".repeat(257))),
            &ED.replace("Ed25519", "X25519"),
            &format!(r#"{{"kty":"RSA","n":"{small}","e":"AQAB"}}"#),
        ] {
            assert_eq!(keys(&format!("{other},{ED}")), Ok(1), "{other}");
            assert!(keys(other).is_err(), "{other}");
        }
        assert!(keys(&vec![ED; 257].join(",")).is_err());
        assert!(keys("").is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[a-zA-Z0-9_\":,{}\\[\\]-]{0,60}") {
            let demands = Demands::new(&JwtConfig::default());
            let _ = parse(&bytes, &demands);
            let _ = keys(&ED.replace("11qYAY", &text));
            let _ = keys(&text);
        }
    }
}
