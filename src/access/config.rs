//! The section `[keys]`: the keys of clients that speak a vendor's dialect.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use crate::access::AuthConfig;
use crate::access::token::NAME_PREFIX;

/// The most keys of the configuration.
const PAIRS_MAX: usize = 10_000;
/// The most connections or symbols that one key may be permitted.
pub(super) const LIMIT_MAX: usize = 1_000_000;
/// The most work per second that one key may be permitted.
pub(super) const WORK_MAX: u32 = 1_000_000_000;
/// The longest id or secret in bytes.
pub(super) const WORD_BYTES_MAX: usize = 256;

/// The section `[keys]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysConfig {
    /// Whether a pair of id and secret that is not in `pairs` is accepted.
    pub any: AnyKey,
    /// Most connections at the same time of each key that is not in `pairs`, for each endpoint; 0 means any number. At most
    /// 1,000,000.
    pub any_connections_max: usize,
    /// The reaction of a dialect whose vendor closes the oldest connection of a key that has too many (Massive).
    pub at_excess: AtExcess,
    /// Requests over HTTP of each key per minute. 1 to 1,000,000,000.
    pub requests_per_minute_max: u32,
    /// The keys, at most 10,000.
    pub pairs: Vec<KeyConfig>,
}

/// One key.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyConfig {
    /// Name of the key, 1 to 256 bytes.
    pub id: String,
    /// Its secret, 1 to 256 bytes. Vendors whose keys are one word, and bearer tokens, use the secret alone.
    pub secret: String,
    /// Dialects that the key may speak.
    #[serde(default = "Vendor::all")]
    pub dialects: Vec<Vendor>,
    /// Most symbols of one session, counted as the vendor counts; 0 means `session.symbols_max`. At most 1,000,000.
    #[serde(default)]
    pub symbols_max: usize,
    /// Most connections at the same time for each endpoint; 0 means any number. At most 1,000,000.
    #[serde(default)]
    pub connections_max: usize,
}

/// Does not show the secret.
impl fmt::Debug for KeyConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, secret: _, dialects, symbols_max, connections_max } = self;
        let mut key = f.debug_struct("KeyConfig");
        key.field("id", id).field("secret", &"***").field("dialects", dialects);
        key.field("symbols_max", symbols_max).field("connections_max", connections_max).finish()
    }
}

/// A vendor whose dialect is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Vendor {
    /// Alpaca.
    Alpaca,
    /// Massive, formerly Polygon.
    Massive,
    /// Finnhub.
    Finnhub,
}

impl Vendor {
    fn all() -> Vec<Self> {
        vec![Self::Alpaca, Self::Massive, Self::Finnhub]
    }
}

/// Which connection of a key gives way if the key has too many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtExcess {
    /// The newest: it is refused.
    Refuse,
    /// The oldest: it is ended.
    #[default]
    EndOldest,
}

/// Whether every pair of id and secret is accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnyKey {
    /// `false`: only the listed keys.
    Never,
    /// `"loopback"`: if the server listens on loopback addresses only.
    #[default]
    Loopback,
    /// `true`: yes, and a server that listens beyond loopback refuses to start.
    Always,
    /// `"everywhere"`: yes, also beyond loopback.
    Everywhere,
}

impl<'de> Deserialize<'de> for AnyKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyKeyVisitor)
    }
}

/// Values from the environment are always strings.
struct AnyKeyVisitor;

impl Visitor<'_> for AnyKeyVisitor {
    type Value = AnyKey;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("keys.any: true, false, \"loopback\" or \"everywhere\"")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<AnyKey, E> {
        Ok(if value { AnyKey::Always } else { AnyKey::Never })
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<AnyKey, E> {
        match value {
            "false" => Ok(AnyKey::Never),
            "loopback" => Ok(AnyKey::Loopback),
            "true" => Ok(AnyKey::Always),
            "everywhere" => Ok(AnyKey::Everywhere),
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(value), &self)),
        }
    }
}

impl Default for KeysConfig {
    fn default() -> Self {
        Self {
            any: AnyKey::default(),
            any_connections_max: 1_000,
            at_excess: AtExcess::default(),
            requests_per_minute_max: 10_000,
            pairs: vec![KeyConfig::default()],
        }
    }
}

impl Default for KeyConfig {
    fn default() -> Self {
        let word = || "tickcast".to_owned();
        Self { id: word(), secret: word(), dialects: Vendor::all(), symbols_max: 0, connections_max: 0 }
    }
}

impl KeysConfig {
    /// Checks that every value is within its range.
    ///
    /// # Errors
    ///
    /// Returns the key that is not, and the rule that it breaks.
    pub fn validate(&self) -> Result<(), (&'static str, &'static str)> {
        let is_word = |word: &String| (1..=WORD_BYTES_MAX).contains(&word.len());
        let mut ids: Vec<_> = self.pairs.iter().map(|pair| &pair.id).collect();
        ids.sort();
        let is_repeated = ids.windows(2).any(|pair| pair[0] == pair[1]);
        match self {
            Self { pairs, .. } if pairs.len() > PAIRS_MAX => Err(("keys.pairs", "may have at most 10000 keys")),
            Self { any_connections_max, .. } if *any_connections_max > LIMIT_MAX => {
                Err(("keys.any_connections_max", "must be at most 1000000"))
            }
            Self { requests_per_minute_max: 0 | 1_000_000_001.., .. } => {
                Err(("keys.requests_per_minute_max", "must be 1 to 1000000000"))
            }
            Self { pairs, .. } if pairs.iter().any(|pair| pair.id.starts_with(NAME_PREFIX)) => {
                Err(("keys.pairs.id", "must not begin with jwt: like the names of tokens"))
            }
            _ if is_repeated => Err(("keys.pairs.id", "must differ from those of the other keys")),
            Self { pairs, .. } if !pairs.iter().all(|pair| is_word(&pair.id) && is_word(&pair.secret)) => {
                Err(("keys.pairs", "must have an id and a secret of 1 to 256 bytes each"))
            }
            Self { pairs, .. } if pairs.iter().any(|pair| pair.symbols_max > LIMIT_MAX) => {
                Err(("keys.pairs.symbols_max", "must be at most 1000000"))
            }
            Self { pairs, .. } if pairs.iter().any(|pair| pair.connections_max > LIMIT_MAX) => {
                Err(("keys.pairs.connections_max", "must be at most 1000000"))
            }
            _ => Ok(()),
        }
    }

    /// Returns whether the key of the default configuration, which everybody knows, opens this server to clients of other machines,
    /// although nobody has asked for that.
    pub fn is_public(&self, on_loopback: bool) -> bool {
        let known = KeyConfig::default().secret;
        !on_loopback && self.any != AnyKey::Everywhere && self.pairs.iter().any(|pair| pair.secret == known)
    }

    /// Checks that the section fits to the section `[auth]`: where every client needs a key of the key file, none may be here.
    ///
    /// # Errors
    ///
    /// Returns the key that does not, and the rule that it breaks.
    pub fn fit(&self, auth: &AuthConfig) -> Result<(), (&'static str, &'static str)> {
        let is_default = self.pairs == Self::default().pairs;
        match self.any {
            _ if !auth.required => Ok(()),
            _ if !is_default && !self.pairs.is_empty() => {
                Err(("keys.pairs", "must not be set when auth.required is: put the keys into auth.keys_file"))
            }
            AnyKey::Always | AnyKey::Everywhere => {
                Err(("keys.any", "must not let everybody in when auth.required is true"))
            }
            AnyKey::Never | AnyKey::Loopback => Ok(()),
        }
    }

    /// Returns whether every pair is accepted by a server whose addresses are all loopback addresses, or not.
    ///
    /// # Errors
    ///
    /// Returns an error if the setting forbids such a server.
    pub fn accepts_any(&self, on_loopback: bool) -> Result<bool, OpenToAll> {
        match self.any {
            AnyKey::Never => Ok(false),
            AnyKey::Loopback => Ok(on_loopback),
            AnyKey::Always if !on_loopback => Err(OpenToAll),
            AnyKey::Always | AnyKey::Everywhere => Ok(true),
        }
    }
}

/// The server listens beyond loopback, and every key would be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "keys.any = true would let everybody in, as the server listens beyond loopback: list keys in [[keys.pairs]], or set keys.any = \"everywhere\""
)]
pub struct OpenToAll;
