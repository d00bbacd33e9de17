//! The section `[auth.jwt]`: which tokens are accepted, whose keys verify them, and what they permit at most.

use std::path::Path;

use jsonwebtoken::{Algorithm, AlgorithmFamily};
use serde::Deserialize;
use url::Url;

use crate::access::config::{LIMIT_MAX, WORK_MAX};
use crate::access::token::granted::Bounds;
use crate::access::{Delays, file, list};

/// Most files of public keys. A token without `kid` is compared with each of them.
pub(super) const PUBLIC_KEYS_MAX: usize = 16;
/// Longest audience or issuer in bytes.
const TEXT_BYTES_MAX: usize = 1_024;
const MS_PER_DAY: u64 = 86_400_000;

/// The section `[auth.jwt]`. Without a source of keys no token is accepted.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtConfig {
    /// Names of the permitted algorithms (RFC 7518 section 3.1).
    #[serde(deserialize_with = "list::texts")]
    pub algorithms: Vec<String>,
    /// The `aud` that every token must have; empty for tokens without one.
    pub audience: String,
    /// The `iss` that every token must have; empty for any.
    pub issuer: String,
    /// How far the clocks of the issuer and of this server may differ. Milliseconds, at most 300,000.
    pub leeway_ms: u64,
    /// The file with the secret of HS256, HS384 and HS512; empty for none.
    pub hmac_secret_file: String,
    /// The file with the secret before this one, while it is replaced; empty for none.
    pub hmac_previous_file: String,
    /// Files with one public key each, in PEM. At most 16.
    #[serde(deserialize_with = "list::texts")]
    pub public_keys: Vec<String>,
    /// The file with a set of public keys (RFC 7517); empty for none.
    pub jwks_file: String,
    /// The address, `https://…`, of a set of public keys; empty for none.
    pub jwks_url: String,
    /// The file with the certificates, in PEM, that may vouch for `jwks_url`; empty for those of the system.
    pub jwks_ca_file: String,
    /// Time between two reads of `jwks_url`. Milliseconds, 30,000 to 86,400,000.
    pub jwks_refresh_ms: u64,
    /// How long the keys of `jwks_url` are used while it cannot be read. Milliseconds, `jwks_refresh_ms` to 2,592,000,000.
    pub jwks_stale_ms: u64,
    /// The most that a token may permit, and what it permits where it says nothing.
    pub default: JwtDefault,
}

/// The section `[auth.jwt.default]`: the most that a token may permit.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtDefault {
    /// Patterns of symbols. A token without `symbols` permits none, whatever is here.
    #[serde(deserialize_with = "list::texts")]
    pub symbols: Vec<String>,
    /// Names and patterns of channels.
    #[serde(deserialize_with = "list::texts")]
    pub channels: Vec<String>,
    /// Highest rate of each topic in hertz, 0.001 to 1,000; 0 for none.
    pub max_hz: f64,
    /// Most symbols of one session; 0 means `session.symbols_max`. At most 1,000,000.
    pub symbols_max: usize,
    /// Most connections at the same time of one subject; 0 means any number. At most 1,000,000.
    pub connections_max: usize,
    /// Most work per second for the requests of one subject, in units of one event read; 0 means `limits.key_work_per_second_max`. At most
    /// 1,000,000,000.
    pub work_per_second_max: u32,
    /// The least delay: 0 or one of `auth.delays_ms`. Milliseconds.
    pub delay_ms: u64,
    /// Whether tokens may permit to publish. One that does not say so permits it not.
    pub publish: bool,
}

impl Default for JwtConfig {
    fn default() -> Self {
        Self {
            algorithms: ["RS256", "ES256", "EdDSA"].map(Into::into).into(),
            audience: String::new(),
            issuer: String::new(),
            leeway_ms: 30_000,
            hmac_secret_file: String::new(),
            hmac_previous_file: String::new(),
            public_keys: Vec::new(),
            jwks_file: String::new(),
            jwks_url: String::new(),
            jwks_ca_file: String::new(),
            jwks_refresh_ms: 3_600_000,
            jwks_stale_ms: MS_PER_DAY,
            default: JwtDefault::default(),
        }
    }
}

impl Default for JwtDefault {
    fn default() -> Self {
        let all = || vec!["*".to_owned()];
        Self {
            symbols: all(),
            channels: all(),
            max_hz: 0.0,
            symbols_max: 0,
            connections_max: 0,
            work_per_second_max: 0,
            delay_ms: 0,
            publish: false,
        }
    }
}

impl JwtConfig {
    /// Returns whether tokens are accepted.
    pub fn is_on(&self) -> bool {
        self.sources() > 0
    }

    /// Returns the number of sources of keys.
    fn sources(&self) -> usize {
        let files = [&self.hmac_secret_file, &self.jwks_file, &self.jwks_url];
        files.into_iter().filter(|path| !path.is_empty()).count() + usize::from(!self.public_keys.is_empty())
    }

    /// Returns the setting that names the source of keys.
    pub(super) fn source(&self) -> &'static str {
        match self {
            Self { hmac_secret_file, .. } if !hmac_secret_file.is_empty() => "auth.jwt.hmac_secret_file",
            Self { jwks_file, .. } if !jwks_file.is_empty() => "auth.jwt.jwks_file",
            Self { jwks_url, .. } if !jwks_url.is_empty() => "auth.jwt.jwks_url",
            _ => "auth.jwt.public_keys",
        }
    }

    /// Returns the settings and the files with a secret that everybody on this machine may read. They are used all the same: Kubernetes
    /// mounts secrets so by default.
    pub fn open_secrets(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let files = [
            ("auth.jwt.hmac_secret_file", self.hmac_secret_file.as_str()),
            ("auth.jwt.hmac_previous_file", self.hmac_previous_file.as_str()),
        ];
        let is_open = |path: &str| !path.is_empty() && file::is_readable_for_all(Path::new(path)).unwrap_or(false);
        files.into_iter().filter(move |(_, path)| is_open(path))
    }

    /// Returns the permitted algorithms; `None` if a name is unknown.
    pub(super) fn parsed_algorithms(&self) -> Option<Vec<Algorithm>> {
        self.algorithms.iter().map(|name| name.parse().ok()).collect()
    }

    /// Checks that every value is within its range, and fits to the others.
    ///
    /// # Errors
    ///
    /// Returns the key that does not, and the rule that it breaks.
    pub fn validate(&self) -> Result<(), (&'static str, &'static str)> {
        self.validate_ranges()?;
        self.default.validate()?;
        if *self != Self::default() && !self.is_on() {
            return Err((
                "auth.jwt",
                "must have a source of keys: hmac_secret_file, public_keys, jwks_file or jwks_url",
            ));
        }
        if self.sources() > 1 {
            return Err((
                "auth.jwt",
                "must have one source of keys only: hmac_secret_file, public_keys, jwks_file or jwks_url",
            ));
        }
        self.validate_algorithms()?;
        self.validate_sources()
    }

    fn validate_ranges(&self) -> Result<(), (&'static str, &'static str)> {
        match self {
            Self { leeway_ms: 300_001.., .. } => Err(("auth.jwt.leeway_ms", "must be at most 300000")),
            Self { jwks_refresh_ms: ..30_000 | 86_400_001.., .. } => {
                Err(("auth.jwt.jwks_refresh_ms", "must be 30000 to 86400000"))
            }
            Self { jwks_stale_ms, jwks_refresh_ms, .. }
                if !(*jwks_refresh_ms..=30 * MS_PER_DAY).contains(jwks_stale_ms) =>
            {
                Err(("auth.jwt.jwks_stale_ms", "must be jwks_refresh_ms to 2592000000"))
            }
            Self { audience, .. } if audience.len() > TEXT_BYTES_MAX => {
                Err(("auth.jwt.audience", "must have at most 1024 bytes"))
            }
            Self { issuer, .. } if issuer.len() > TEXT_BYTES_MAX => {
                Err(("auth.jwt.issuer", "must have at most 1024 bytes"))
            }
            _ => Ok(()),
        }
    }

    fn validate_algorithms(&self) -> Result<(), (&'static str, &'static str)> {
        const KEY: &str = "auth.jwt.algorithms";
        let Some(algorithms) = self.parsed_algorithms().filter(|all| !all.is_empty()) else {
            return Err((
                KEY,
                "must be of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA, HS256, HS384 and HS512",
            ));
        };
        let is_secret = |algorithm: &Algorithm| algorithm.family() == AlgorithmFamily::Hmac;
        let has_secret = !self.hmac_secret_file.is_empty();
        if !has_secret && algorithms.iter().any(is_secret) {
            return Err((KEY, "must have HS256, HS384 and HS512 only with hmac_secret_file, never beside public keys"));
        }
        if has_secret && !algorithms.iter().all(is_secret) {
            return Err((KEY, "must name HS256, HS384 or HS512, and nothing else, because hmac_secret_file is set"));
        }
        Ok(())
    }

    fn validate_sources(&self) -> Result<(), (&'static str, &'static str)> {
        let is_twice = |path: &String| self.public_keys.iter().filter(|other| *other == path).count() > 1;
        match self {
            Self { hmac_previous_file, hmac_secret_file, .. }
                if hmac_secret_file.is_empty() && !hmac_previous_file.is_empty() =>
            {
                Err(("auth.jwt.hmac_previous_file", "must not be set without hmac_secret_file"))
            }
            Self { hmac_previous_file, hmac_secret_file, .. }
                if hmac_secret_file == hmac_previous_file && self.is_secret() =>
            {
                Err(("auth.jwt.hmac_previous_file", "must be another file than hmac_secret_file"))
            }
            Self { public_keys, .. } if public_keys.len() > PUBLIC_KEYS_MAX => {
                Err(("auth.jwt.public_keys", "may have at most 16 files"))
            }
            Self { public_keys, .. } if public_keys.iter().any(is_twice) => {
                Err(("auth.jwt.public_keys", "must not have a file twice"))
            }
            Self { jwks_ca_file, jwks_url, .. } if jwks_url.is_empty() && !jwks_ca_file.is_empty() => {
                Err(("auth.jwt.jwks_ca_file", "must not be set without jwks_url"))
            }
            Self { jwks_url, .. } if !jwks_url.is_empty() && !is_secure(jwks_url) => Err((
                "auth.jwt.jwks_url",
                "must be like https://example.com/keys.json, without a name, a password and #",
            )),
            Self { audience, jwks_url, .. } if !jwks_url.is_empty() && audience.is_empty() => Err((
                "auth.jwt.audience",
                "must be set when jwks_url is: other services may have tokens of this issuer",
            )),
            _ => Ok(()),
        }
    }

    fn is_secret(&self) -> bool {
        !self.hmac_secret_file.is_empty()
    }
}

fn is_secure(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let is_anonymous = url.username().is_empty() && url.password().is_none();
    url.scheme() == "https" && url.has_host() && is_anonymous && url.fragment().is_none()
}

impl JwtDefault {
    fn validate(&self) -> Result<(), (&'static str, &'static str)> {
        if self.symbols_max > LIMIT_MAX {
            return Err(("auth.jwt.default.symbols_max", "must be at most 1000000"));
        }
        if self.connections_max > LIMIT_MAX {
            return Err(("auth.jwt.default.connections_max", "must be at most 1000000"));
        }
        if self.work_per_second_max > WORK_MAX {
            return Err(("auth.jwt.default.work_per_second_max", "must be at most 1000000000"));
        }
        Bounds::new(self, &Delays::default()).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(change: impl FnOnce(&mut JwtConfig)) -> Option<&'static str> {
        let mut config = JwtConfig::default();
        change(&mut config);
        config.validate().err().map(|(key, _)| key)
    }

    fn secret(config: &mut JwtConfig) {
        config.hmac_secret_file = "secret".into();
        config.algorithms = vec!["HS256".into()];
    }

    fn url(config: &mut JwtConfig) {
        config.jwks_url = "https://example.com/keys.json".into();
        config.audience = "tickcast".into();
    }

    #[test]
    fn a_good_section_has_one_source_of_keys_that_fits_its_algorithms() {
        assert_eq!(complaint(|_| {}), None, "no tokens");
        assert_eq!(complaint(secret), None);
        assert_eq!(complaint(url), None);
        assert_eq!(complaint(|config| config.jwks_file = "keys.json".into()), None);
        assert_eq!(complaint(|config| config.public_keys = vec!["a.pem".into(), "b.pem".into()]), None);
    }

    #[test]
    fn a_bad_combination_is_named() {
        type Change = fn(&mut JwtConfig);
        let cases: [(&str, Change); 24] = [
            ("auth.jwt", |config| config.audience = "tickcast".into()),
            ("auth.jwt", |config| config.default.symbols_max = 7),
            ("auth.jwt", |config| (config.jwks_file, config.public_keys) = ("a".into(), vec!["b".into()])),
            ("auth.jwt", |config| {
                url(config);
                config.jwks_file = "keys.json".into();
            }),
            ("auth.jwt", |config| {
                secret(config);
                config.public_keys = vec!["a.pem".into()];
            }),
            ("auth.jwt.algorithms", |config| config.hmac_secret_file = "secret".into()),
            ("auth.jwt.algorithms", |config| {
                config.jwks_file = "keys.json".into();
                config.algorithms.push("HS256".into());
            }),
            ("auth.jwt.algorithms", |config| {
                secret(config);
                config.algorithms.push("RS256".into());
            }),
            ("auth.jwt.algorithms", |config| (config.jwks_file, config.algorithms) = ("a".into(), vec!["none".into()])),
            ("auth.jwt.algorithms", |config| (config.jwks_file, config.algorithms) = ("a".into(), Vec::new())),
            ("auth.jwt.audience", |config| config.jwks_url = "https://example.com/keys.json".into()),
            ("auth.jwt.audience", |config| config.audience = "a".repeat(1_025)),
            ("auth.jwt.issuer", |config| config.issuer = "a".repeat(1_025)),
            ("auth.jwt.jwks_url", |config| {
                (config.audience, config.jwks_url) = ("a".into(), "http://example.com/".into());
            }),
            ("auth.jwt.jwks_url", |config| {
                (config.audience, config.jwks_url) = ("a".into(), "https://a:b@example.com/".into());
            }),
            ("auth.jwt.jwks_url", |config| (config.audience, config.jwks_url) = ("a".into(), "keys.json".into())),
            ("auth.jwt.jwks_ca_file", |config| (config.jwks_file, config.jwks_ca_file) = ("a".into(), "b".into())),
            ("auth.jwt.hmac_previous_file", |config| {
                (config.jwks_file, config.hmac_previous_file) = ("a".into(), "b".into());
            }),
            ("auth.jwt.hmac_previous_file", |config| {
                secret(config);
                config.hmac_previous_file = "secret".into();
            }),
            ("auth.jwt.public_keys", |config| config.public_keys = vec!["a.pem".into(), "a.pem".into()]),
            ("auth.jwt.jwks_refresh_ms", |config| config.jwks_refresh_ms = 29_999),
            ("auth.jwt.jwks_stale_ms", |config| config.jwks_stale_ms = 3_599_999),
            ("auth.jwt.default.max_hz", |config| config.default.max_hz = -1.0),
            ("auth.jwt.default.channels", |config| config.default.channels = vec!["ticks".into()]),
        ];
        for (key, change) in cases {
            assert_eq!(complaint(change), Some(key));
        }
    }
}
