//! `TokenKeys`: the keys by which tokens are verified, from files of secrets and of public keys, or from a set (`jwks.rs`).

use std::path::Path;
use std::sync::Arc;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, Header, Validation, decode, decode_header};

use crate::access::Digest;
use crate::access::file::{self, KeyFileError};
use crate::access::token::claims::Claims;
use crate::access::token::config::{JwtConfig, PUBLIC_KEYS_MAX};
use crate::access::token::{TokenError, jwks};

/// Longest file of a secret, of a public key, or of certificates, in bytes.
pub(super) const FILE_BYTES_MAX: u64 = 1 << 20;
/// Sizes of RSA keys in bytes: 2048 bits (RFC 7518 section 3.3) to 8192.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1_024;
/// Longest `kid` in bytes.
const KID_BYTES_MAX: usize = 256;
/// The types of a token in its header: `JWT`, or `at+jwt` (RFC 9068 section 2.1), also with `application/` before it.
const TYPES: [&str; 2] = ["jwt", "at+jwt"];

/// The keys of an issuer.
pub(super) struct TokenKeys {
    keys: Vec<TokenKey>,
    /// Whether `kid` of a token chooses the key. Keys from single files have no names.
    are_named: bool,
    algorithms: Vec<Algorithm>,
}

/// One key.
struct TokenKey {
    kid: Option<String>,
    key: DecodingKey,
    /// One for each key, with algorithms of its family only: a key never verifies a signature of another kind.
    validation: Validation,
    /// By RFC 7638.
    thumbprint: Arc<str>,
}

/// The claims that a key must check beside the signature.
#[derive(Clone)]
pub(super) struct Demands {
    algorithms: Vec<Algorithm>,
    audience: Option<String>,
    issuer: Option<String>,
}

impl Demands {
    /// Returns the demands of the settings, which are valid.
    pub(super) fn new(config: &JwtConfig) -> Self {
        let set = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let (audience, issuer) = (set(&config.audience), set(&config.issuer));
        Self { algorithms: config.parsed_algorithms().unwrap_or_default(), audience, issuer }
    }

    /// Returns the demands of one key. The times are checked in `claims.rs`, by the server's clock.
    fn of_key(&self, algorithms: Vec<Algorithm>) -> Validation {
        // Without the name in this list, the crate accepts a token that lacks the claim.
        let mut required = vec!["exp", "sub"];
        let mut validation = Validation::new(algorithms[0]);
        validation.algorithms = algorithms;
        (validation.validate_exp, validation.validate_nbf) = (false, false);
        if let Some(audience) = &self.audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        validation.set_required_spec_claims(&required);
        validation
    }
}

impl TokenKeys {
    /// Reads the files of the settings. With `jwks_url` there are none.
    ///
    /// # Errors
    ///
    /// Returns the first mistake in them.
    pub(super) fn read(config: &JwtConfig) -> Result<Option<Self>, KeyFileError> {
        let demands = Demands::new(config);
        if !config.jwks_file.is_empty() {
            let complain = |complaint| KeyFileError::new("auth.jwt.jwks_file", &config.jwks_file, complaint);
            let text = file::read(Path::new(&config.jwks_file), jwks::BYTES_MAX).map_err(complain)?;
            return jwks::parse(&text, &demands).map(Some).map_err(complain);
        }
        let keys = if config.hmac_secret_file.is_empty() {
            public_keys(config, &demands)?
        } else {
            secrets(config, &demands)?
        };
        let keys = Self { keys, are_named: false, algorithms: demands.algorithms };
        Ok(Some(keys).filter(|keys| keys.len() > 0))
    }

    /// Returns the keys of a set (RFC 7517) that can verify a token of these demands.
    pub(super) fn of_set(set: Vec<Jwk>, demands: &Demands) -> Self {
        let keys = set.into_iter().filter_map(|key| TokenKey::of_set(&key, demands).ok()).collect();
        Self { keys, are_named: true, algorithms: demands.algorithms.clone() }
    }

    /// Returns the number of keys.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns whether there is a key with this thumbprint.
    pub(super) fn has(&self, thumbprint: &str) -> bool {
        self.keys.iter().any(|key| *key.thumbprint == *thumbprint)
    }

    /// Returns whether these are the same keys.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.len() == other.len() && self.keys.iter().all(|key| other.has(&key.thumbprint))
    }

    /// Returns the claims of a token whose signature is good, and the thumbprint of its key.
    ///
    /// # Errors
    ///
    /// Returns the first check that fails.
    pub(super) fn verify(&self, token: &str, verifies: &dyn Fn()) -> Result<(Claims, Arc<str>), TokenError> {
        let header = decode_header(token).map_err(|_| TokenError::Malformed)?;
        // `jku`, `jwk`, `x5u` and `x5c` are never read: whoever makes a token would choose its key.
        if header.crit.is_some() {
            return Err(TokenError::Critical);
        }
        if !header.typ.as_deref().is_none_or(is_type) {
            return Err(TokenError::Type);
        }
        if !self.algorithms.contains(&header.alg) {
            return Err(TokenError::Algorithm);
        }
        let is_known = header.kid.is_none() || self.keys.iter().any(|key| key.kid == header.kid);
        let mut refused = if is_known || !self.are_named { TokenError::UnknownKey } else { TokenError::UnknownKid };
        for key in self.candidates(&header) {
            verifies();
            match decode::<Claims>(token, &key.key, &key.validation) {
                Ok(token) => return Ok((token.claims, key.thumbprint.clone())),
                Err(err) => refused = in_words(err.kind()),
            }
            if refused != TokenError::Signature {
                break;
            }
        }
        Err(refused)
    }

    /// Returns the keys that may have signed a token with this header.
    fn candidates<'a>(&'a self, header: &'a Header) -> impl Iterator<Item = &'a TokenKey> {
        let fitting = self.keys.iter().filter(|key| key.validation.algorithms.contains(&header.alg));
        // A token without a name is not compared with every key of a set, each of which costs a verification.
        let is_only = header.kid.is_some() || fitting.clone().take(2).count() == 1;
        let is_named = move |key: &&TokenKey| match (&header.kid, self.are_named) {
            (_, false) => true,
            (Some(kid), true) => key.kid.as_ref() == Some(kid),
            (None, true) => is_only,
        };
        fitting.filter(is_named).take(PUBLIC_KEYS_MAX)
    }
}

fn is_type(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    TYPES.contains(&typ.strip_prefix("application/").unwrap_or(&typ))
}

fn in_words(kind: &ErrorKind) -> TokenError {
    match kind {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::MissingRequiredClaim(name) => TokenError::Claim(match name.as_str() {
            "exp" => "exp",
            "sub" => "sub",
            "aud" => "aud",
            _ => "iss",
        }),
        ErrorKind::InvalidAudience => TokenError::Audience,
        ErrorKind::InvalidIssuer => TokenError::Issuer,
        ErrorKind::Json(_) => TokenError::Claims,
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidKeyFormat => TokenError::Algorithm,
        _ => TokenError::Malformed,
    }
}

impl TokenKey {
    /// Returns a key of a set.
    ///
    /// # Errors
    ///
    /// Returns why it cannot verify a token: another use, kind or size, or a name that is too long.
    fn of_set(jwk: &Jwk, demands: &Demands) -> Result<Self, String> {
        let common = &jwk.common;
        let is_for_signatures = common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature);
        let verifies = common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
        if !is_for_signatures || !verifies {
            return Err("the key is not for signatures".into());
        }
        if common.key_id.as_ref().is_some_and(|kid| kid.len() > KID_BYTES_MAX) {
            return Err("its kid is too long".into());
        }
        Self::new(jwk, demands)
    }

    /// Returns a public key, for the algorithms of its kind that are permitted.
    ///
    /// # Errors
    ///
    /// Returns why it cannot verify a token.
    fn new(jwk: &Jwk, demands: &Demands) -> Result<Self, String> {
        let able = abilities(jwk)?;
        let own = match jwk.common.key_algorithm {
            Some(name) => Some(Algorithm::try_from(name).map_err(|_| "its algorithm is none for signatures")?),
            None => None,
        };
        let fits =
            |algorithm: &Algorithm| demands.algorithms.contains(algorithm) && own.is_none_or(|own| own == *algorithm);
        let algorithms: Vec<_> = able.iter().copied().filter(fits).collect();
        if algorithms.is_empty() {
            return Err("auth.jwt.algorithms has no algorithm of this key".into());
        }
        let thumbprint = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|err| err.to_string())?;
        let key = DecodingKey::from_jwk(jwk).map_err(|err| err.to_string())?;
        let kid = jwk.common.key_id.clone();
        Ok(Self { kid, key, validation: demands.of_key(algorithms), thumbprint: thumbprint.into() })
    }
}

/// Returns the algorithms that a public key of this kind can verify.
///
/// # Errors
///
/// Returns why it can verify none.
fn abilities(jwk: &Jwk) -> Result<&'static [Algorithm], String> {
    let len = |text: &str| base64url(text).map(|bytes| bytes.len()).ok_or("it is no base64url");
    match &jwk.algorithm {
        AlgorithmParameters::RSA(rsa) => {
            let bytes = base64url(&rsa.n).ok_or("it is no base64url")?;
            let bytes = bytes.iter().skip_while(|byte| **byte == 0).count();
            let is_good = RSA_BYTES.contains(&bytes);
            let all = &[
                Algorithm::RS256,
                Algorithm::RS384,
                Algorithm::RS512,
                Algorithm::PS256,
                Algorithm::PS384,
                Algorithm::PS512,
            ];
            is_good.then_some(&all[..]).ok_or_else(|| "an RSA key must have 2048 to 8192 bits".into())
        }
        AlgorithmParameters::EllipticCurve(point) => match (&point.curve, len(&point.x)?, len(&point.y)?) {
            (EllipticCurve::P256, 32, 32) => Ok(&[Algorithm::ES256]),
            (EllipticCurve::P384, 48, 48) => Ok(&[Algorithm::ES384]),
            _ => Err("a key of an elliptic curve must be one of P-256 or P-384".into()),
        },
        AlgorithmParameters::OctetKeyPair(pair) => match (&pair.curve, len(&pair.x)?) {
            (EllipticCurve::Ed25519, 32) => Ok(&[Algorithm::EdDSA]),
            _ => Err("a key of an Edwards curve must be one of Ed25519".into()),
        },
        _ => Err("it is no public key of RSA, of P-256, P-384 or Ed25519".into()),
    }
}

fn base64url(text: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).ok()
}

/// Reads the secret, and the one before it.
fn secrets(config: &JwtConfig, demands: &Demands) -> Result<Vec<TokenKey>, KeyFileError> {
    let mut keys: Vec<TokenKey> = Vec::new();
    let files = [
        ("auth.jwt.hmac_secret_file", &config.hmac_secret_file),
        ("auth.jwt.hmac_previous_file", &config.hmac_previous_file),
    ];
    for (setting, path) in files.into_iter().filter(|(_, path)| !path.is_empty()) {
        let complain = |complaint: String| KeyFileError::new(setting, path, complaint);
        let bytes = file::read(Path::new(path), FILE_BYTES_MAX).map_err(complain)?;
        let secret = file::without_line_end(&bytes);
        let least = demands.algorithms.iter().map(|algorithm| digest_bytes(*algorithm)).max().unwrap_or(0);
        if secret.len() < least {
            return Err(complain(format!("a secret of these algorithms must have at least {least} bytes")));
        }
        // Compares secrets, and stays in memory.
        let thumbprint: Arc<str> = format!("{:x}", Digest::of_bytes(secret)).into();
        if keys.iter().any(|key| key.thumbprint == thumbprint) {
            return Err(complain("it has the same secret as auth.jwt.hmac_secret_file".into()));
        }
        let validation = demands.of_key(demands.algorithms.clone());
        keys.push(TokenKey { kid: None, key: DecodingKey::from_secret(secret), validation, thumbprint });
    }
    Ok(keys)
}

/// Returns the least length of a secret in bytes: that of the digest (RFC 7518 section 3.2).
const fn digest_bytes(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::HS384 => 48,
        Algorithm::HS512 => 64,
        _ => 32,
    }
}

/// Reads the files of public keys.
fn public_keys(config: &JwtConfig, demands: &Demands) -> Result<Vec<TokenKey>, KeyFileError> {
    let mut keys: Vec<TokenKey> = Vec::new();
    for path in &config.public_keys {
        let complain = |complaint: String| KeyFileError::new("auth.jwt.public_keys", path, complaint);
        let text = file::read_text(Path::new(path), FILE_BYTES_MAX).map_err(complain)?;
        let jwk = public_key(&text).ok_or_else(|| complain("it must have one public key in PEM".into()))?;
        let key = TokenKey::new(&jwk, demands).map_err(complain)?;
        if keys.iter().any(|other| other.thumbprint == key.thumbprint) {
            return Err(complain("another file has the same key".into()));
        }
        keys.push(key);
    }
    Ok(keys)
}

/// Reads one public key in PEM. A private key or a certificate, which the crate would accept as well, is none.
fn public_key(text: &str) -> Option<Jwk> {
    let is_public = text.contains("-----BEGIN PUBLIC KEY-----") || text.contains("-----BEGIN RSA PUBLIC KEY-----");
    if !is_public || text.matches("-----BEGIN ").count() != 1 {
        return None;
    }
    let pem = text.as_bytes();
    let key = DecodingKey::from_rsa_pem(pem)
        .or_else(|_| DecodingKey::from_ec_pem(pem))
        .or_else(|_| DecodingKey::from_ed_pem(pem));
    let key = key.ok().filter(|key| key.family() != AlgorithmFamily::Hmac)?;
    Jwk::from_decoding_key(&key, None).ok()
}
