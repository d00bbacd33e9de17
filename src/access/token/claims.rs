//! The claims of a token whose signature is good (RFC 7519 section 4.1), and the checks that the settings demand of them.

use serde::Deserialize;
use serde_json::Value;

use crate::access::token::config::JwtConfig;
use crate::access::token::granted::{Bounds, Granted};
use crate::access::token::{NAME_PREFIX, TokenError};
use crate::access::{Delays, Entitlement, Identity};
use crate::domain::Timestamp;

/// Longest subject, and longest `jti`, in bytes.
const TEXT_BYTES_MAX: usize = 256;
/// The end of the year 9999 in seconds since 1970. Later times are mistakes: milliseconds or microseconds.
const SECONDS_MAX: i64 = 253_402_300_799;
const MICROS_PER_SECOND: i64 = 1_000_000;

/// The claims. Those of the standard are checked one by one, so that the answer can name the wrong one; a name that comes twice is
/// refused by the parser. `aud` and `iss` are checked by the crate, with the signature.
#[derive(Deserialize)]
pub(super) struct Claims {
    sub: Option<Value>,
    exp: Option<Value>,
    nbf: Option<Value>,
    iat: Option<Value>,
    jti: Option<Value>,
    tickcast: Option<Granted>,
}

impl Claims {
    /// Returns the name of the client, if the subject is a valid one; empty otherwise.
    pub(super) fn name(&self) -> String {
        let subject = text(self.sub.clone(), "sub").ok().flatten();
        subject.map_or_else(String::new, |subject| format!("{NAME_PREFIX}{subject}"))
    }
}

/// The facts of a token by which it may be revoked.
#[derive(Clone, Debug)]
pub(in crate::access) struct TokenFacts {
    /// The subject.
    pub(super) subject: String,
    /// `jti`, if it has one.
    pub(super) id: Option<String>,
    /// `iat`, if it has one.
    pub(super) issued_at: Option<Timestamp>,
    /// The thumbprint of the key that has verified it.
    pub(super) key: std::sync::Arc<str>,
}

/// The checks of claims.
pub(super) struct Rules {
    leeway_micros: i64,
    bounds: Bounds,
}

impl Rules {
    /// Reads the settings, of a server with these delays.
    ///
    /// # Errors
    ///
    /// Returns the key that is not valid, and the rule that it breaks.
    pub(super) fn new(config: &JwtConfig, delays: &Delays) -> Result<Self, (&'static str, &'static str)> {
        let leeway_micros = i64::try_from(config.leeway_ms).map_or(i64::MAX, |ms| ms.saturating_mul(1_000));
        Ok(Self { leeway_micros, bounds: Bounds::new(&config.default, delays)? })
    }

    /// Returns the client with these claims. Its end is `exp` and the leeway; the caller checks it.
    ///
    /// # Errors
    ///
    /// Returns the first check that fails.
    pub(super) fn identity(
        &self,
        claims: Claims,
        key: std::sync::Arc<str>,
        now: Timestamp,
    ) -> Result<Identity, TokenError> {
        let (facts, entitlement) = self.read(claims, key, now)?;
        Ok(Identity::of_token(format!("{NAME_PREFIX}{}", facts.subject), facts, entitlement))
    }

    fn read(
        &self,
        claims: Claims,
        key: std::sync::Arc<str>,
        now: Timestamp,
    ) -> Result<(TokenFacts, Entitlement), TokenError> {
        let subject = text(claims.sub, "sub")?.ok_or(TokenError::Claim("sub"))?;
        let end = time(claims.exp.as_ref(), "exp")?.ok_or(TokenError::Claim("exp"))?;
        let issued_at = time(claims.iat.as_ref(), "iat")?;
        let begin = time(claims.nbf.as_ref(), "nbf")?;
        let id = text(claims.jti, "jti")?;
        let latest = now.plus_micros(self.leeway_micros);
        if begin.into_iter().chain(issued_at).any(|time| time > latest) {
            return Err(TokenError::NotYet);
        }
        let expires_at = end.plus_micros(self.leeway_micros);
        let entitlement = self.bounds.entitlement(claims.tickcast.unwrap_or_default(), expires_at)?;
        Ok((TokenFacts { subject, id, issued_at, key }, entitlement))
    }
}

/// Returns a text of 1 to 256 bytes without control characters, which could forge lines of the log; `None` if it is left out.
fn text(value: Option<Value>, name: &'static str) -> Result<Option<String>, TokenError> {
    let fits = |text: &str| (1..=TEXT_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if fits(&text) => Ok(Some(text)),
        Some(_) => Err(TokenError::Claim(name)),
    }
}

/// Returns a `NumericDate` (RFC 7519 section 2), which may be a fraction; `None` if it is left out.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked afterwards, and a cast of a float saturates")]
fn time(value: Option<&Value>, name: &'static str) -> Result<Option<Timestamp>, TokenError> {
    let seconds = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => {
            number.as_i64().or_else(|| number.as_f64().filter(|float| *float >= 0.0).map(|float| float as i64))
        }
        Some(_) => None,
    };
    let seconds = seconds.filter(|seconds| (0..=SECONDS_MAX).contains(seconds)).ok_or(TokenError::Claim(name))?;
    Ok(Some(Timestamp::from_micros(seconds * MICROS_PER_SECOND)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 1_772_463_845;

    fn read(claims: &str) -> Result<(TokenFacts, Entitlement), TokenError> {
        let rules = Rules::new(&JwtConfig::default(), &Delays::default()).unwrap();
        let claims = serde_json::from_str(claims).map_err(|_| TokenError::Claims)?;
        rules.read(claims, "key".into(), Timestamp::from_micros(NOW * MICROS_PER_SECOND))
    }

    #[test]
    fn times_are_seconds_of_any_numeric_form_and_end_with_the_leeway() {
        for exp in ["1772463900", "1772463900.9", "1.7724639e9"] {
            let (_, entitlement) = read(&format!(r#"{{"sub":"a","exp":{exp}}}"#)).unwrap();
            assert_eq!(entitlement.expires_at, Some(Timestamp::from_micros(1_772_463_930_000_000)), "{exp}");
        }
        for exp in [
            "-1",
            "-0.5",
            "\"1772463900\"",
            "1e300",
            "1772463900000",
            "1772463900000000",
            "true",
            "[]",
            "18446744073709551615",
        ] {
            assert_eq!(
                read(&format!(r#"{{"sub":"a","exp":{exp}}}"#)).map(drop),
                Err(TokenError::Claim("exp")),
                "{exp}"
            );
        }
        for (claim, is_good) in [("nbf", true), ("iat", true), ("nbf", false), ("iat", false)] {
            let at = NOW + 30 + i64::from(!is_good);
            let got = read(&format!(r#"{{"sub":"a","exp":1772463900,"{claim}":{at}}}"#));
            assert_eq!(got.is_ok(), is_good, "{claim} {got:?}");
        }
    }

    #[test]
    fn a_subject_is_a_text_without_control_characters_and_no_claim_comes_twice() {
        for (claims, error) in [
            (r#"{"exp":1}"#, TokenError::Claim("sub")),
            (r#"{"sub":"","exp":1}"#, TokenError::Claim("sub")),
            (r#"{"sub":7,"exp":1}"#, TokenError::Claim("sub")),
            (r#"{"sub":"a\nb","exp":1}"#, TokenError::Claim("sub")),
            (r#"{"sub":"a"}"#, TokenError::Claim("exp")),
            (r#"{"sub":"a","exp":1,"jti":1}"#, TokenError::Claim("jti")),
            (r#"{"sub":"a","sub":"b","exp":1}"#, TokenError::Claims),
            (r#"{"sub":"a","exp":1,"exp":2}"#, TokenError::Claims),
            (r#"{"sub":"a","exp":1,"tickcast":{"max_hz":1,"max_hz":2}}"#, TokenError::Claims),
            (r#"{"sub":"a","exp":1,"tickcast":{"delay_ms":"1"}}"#, TokenError::Claims),
            (r#"{"sub":"a","exp":1,"tickcast":"*"}"#, TokenError::Claims),
        ] {
            assert_eq!(read(claims).map(drop), Err(error), "{claims}");
        }
        assert_eq!(
            read(&format!(r#"{{"sub":"{}","exp":1}}"#, "a".repeat(257))).map(drop),
            Err(TokenError::Claim("sub"))
        );
        assert_eq!(read(r#"{"sub":"auth0|é","exp":1,"jti":null,"else":{"exp":"x"}}"#).unwrap().0.subject, "auth0|é");
    }

    proptest! {
        #[test]
        fn no_claims_make_it_panic(exp in any::<f64>(), iat in any::<i64>(), text in ".{0,20}") {
            let _ = read(&serde_json::json!({"sub": text, "exp": exp, "iat": iat, "tickcast": {"max_hz": exp}}).to_string());
            let _ = read(&text);
        }
    }
}
