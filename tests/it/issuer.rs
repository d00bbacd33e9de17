//! An issuer of tokens (JWT) for tests: its keys of each kind, tokens with any header and claims, files of keys, and the ways to send
//! a token.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256};
use serde_json::{Value, json};
use tickcast::app::Settings;
use tickcast::domain::{Clock, SystemClock};

use crate::spawn::START;

/// The audience and the issuer of the tokens.
pub(crate) const AUDIENCE: &str = "tickcast";
pub(crate) const ISSUER: &str = "https://issuer.example/";
/// The time of a server at rest, in seconds.
pub(crate) const START_S: i64 = START.micros() / 1_000_000;

/// One private key of the issuer, or of somebody else.
pub(crate) struct Signer {
    pub(crate) kid: &'static str,
    pub(crate) algorithm: Algorithm,
    pair: Option<KeyPair>,
    key: EncodingKey,
}

impl Signer {
    fn rsa(kid: &'static str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
        let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap();
        Self { kid, algorithm: Algorithm::RS256, pair: Some(pair), key }
    }

    fn ec(kid: &'static str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let key = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap();
        Self { kid, algorithm: Algorithm::ES256, pair: Some(pair), key }
    }

    fn ed(kid: &'static str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let key = EncodingKey::from_ed_pem(pair.serialize_pem().as_bytes()).unwrap();
        Self { kid, algorithm: Algorithm::EdDSA, pair: Some(pair), key }
    }

    /// Returns the holder of a secret for HS256.
    pub(crate) fn hmac(secret: &[u8]) -> Self {
        Self { kid: "", algorithm: Algorithm::HS256, pair: None, key: EncodingKey::from_secret(secret) }
    }

    /// Returns the public key in PEM.
    pub(crate) fn public_pem(&self) -> String {
        self.pair.as_ref().unwrap().public_key_pem()
    }

    /// Returns the private key in PEM.
    pub(crate) fn private_pem(&self) -> String {
        self.pair.as_ref().unwrap().serialize_pem()
    }

    /// Returns the public key as a JWK with its `kid`.
    pub(crate) fn jwk(&self) -> Value {
        let pem = self.public_pem();
        let key = match self.algorithm {
            Algorithm::RS256 => DecodingKey::from_rsa_pem(pem.as_bytes()),
            Algorithm::ES256 => DecodingKey::from_ec_pem(pem.as_bytes()),
            _ => DecodingKey::from_ed_pem(pem.as_bytes()),
        };
        let mut jwk =
            serde_json::to_value(Jwk::from_decoding_key(&key.unwrap(), Some(self.algorithm)).unwrap()).unwrap();
        jwk["kid"] = self.kid.into();
        jwk["use"] = "sig".into();
        jwk
    }

    /// Returns the usual header.
    pub(crate) fn header(&self) -> Value {
        json!({"alg": format!("{:?}", self.algorithm), "typ": "JWT", "kid": self.kid})
    }

    /// Returns a token with these claims.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.sign(&self.header().to_string(), &claims.to_string())
    }

    /// Returns a token with the usual header and claims, some of them replaced; `null` removes one.
    pub(crate) fn token_with(&self, header: &Value, claims: &Value) -> String {
        self.sign(&merged(self.header(), header).to_string(), &merged(claims_at(START_S), claims).to_string())
    }

    /// Returns a token with exactly these texts.
    pub(crate) fn sign(&self, header: &str, payload: &str) -> String {
        let message = format!("{}.{}", base64url(header), base64url(payload));
        let signature = crypto::sign(message.as_bytes(), &self.key, self.algorithm).unwrap();
        format!("{message}.{signature}")
    }
}

/// The keys of the issuer, and one of somebody else.
pub(crate) static RSA: LazyLock<Signer> = LazyLock::new(|| Signer::rsa("rsa-1"));
pub(crate) static RSA_2: LazyLock<Signer> = LazyLock::new(|| Signer::rsa("rsa-2"));
pub(crate) static EC: LazyLock<Signer> = LazyLock::new(|| Signer::ec("ec-1"));
pub(crate) static ED: LazyLock<Signer> = LazyLock::new(|| Signer::ed("ed-1"));
pub(crate) static STRANGER: LazyLock<Signer> = LazyLock::new(|| Signer::rsa("rsa-1"));

/// Returns an object with the members of another one in place of its own; `null` removes one.
pub(crate) fn merged(mut object: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        if value.is_null() {
            object.as_object_mut().unwrap().remove(name);
        } else {
            object[name] = value.clone();
        }
    }
    object
}

/// Returns the claims of a good token for every symbol, made at this time and good for ten minutes.
pub(crate) fn claims_at(seconds: i64) -> Value {
    json!({
        "sub": "alice", "aud": AUDIENCE, "iss": ISSUER, "iat": seconds, "exp": seconds + 600, "tickcast": {"symbols": ["*"]},
    })
}

/// Returns the claims of a good token of a server with the clock of the system.
pub(crate) fn claims_now(more: &Value) -> Value {
    merged(claims_at(SystemClock.now().micros() / 1_000_000), more)
}

/// Returns base64url without padding.
pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Returns a set of the public keys of these signers.
pub(crate) fn set_of(signers: &[&Signer]) -> String {
    json!({"keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<_>>()}).to_string()
}

/// Returns the value of `Authorization` for a token.
pub(crate) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// Returns the subprotocols by which a page sends a token.
pub(crate) fn offers(token: &str) -> String {
    format!("tickcast.v1.json, tickcast.bearer.{}", base64url(token))
}

/// A file, removed when dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Writes a file.
    pub(crate) fn new(content: impl AsRef<[u8]>) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let file = Self(std::env::temp_dir().join(format!("tickcast-issuer-{}-{number}", std::process::id())));
        file.write(content);
        file
    }

    /// Replaces the content.
    pub(crate) fn write(&self, content: impl AsRef<[u8]>) {
        std::fs::write(&self.0, content).unwrap();
    }

    /// Returns the path.
    pub(crate) fn path(&self) -> String {
        self.0.to_str().unwrap().into()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Makes every client of a server need a token of the issuer whose keys are in this file.
pub(crate) fn require(settings: &mut Settings, set: &Scratch) {
    settings.auth.required = true;
    settings.auth.jwt.jwks_file = set.path();
    settings.auth.jwt.audience = AUDIENCE.into();
    settings.auth.jwt.issuer = ISSUER.into();
    // Wrong tokens are what tests send.
    settings.limits.address_failures_per_minute = 0;
}
