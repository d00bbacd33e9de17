//! Tokens (JWT, RFC 7519): [`Tokens`] makes an [`Identity`] of a token that an issuer has signed, by the settings of `[auth.jwt]`.
//!
//! It does not know how tokens are sent, the keys of the key file, or the places of connections. The times in a token are judged by
//! the server's clock; its end is checked by the caller, as that of a key.

mod claims;
mod config;
mod error;
mod fetch;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzz;
mod granted;
mod jwks;
mod key;
mod memory;
mod revoked;
#[cfg(test)]
mod tokens_test;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, PoisonError, RwLock};

use crate::access::file::{KeyFileError, Reread};
use crate::access::{AuthConfig, Denied, Digest, Identity};
use crate::domain::{Clock, Timestamp};
use crate::metrics::SharedMetrics;
use crate::protocol::CloseReason;

use claims::Rules;
pub(super) use claims::TokenFacts;
pub use config::{JwtConfig, JwtDefault};
pub use error::TokenError;
use fetch::{Issuer, Reads};
use key::{Demands, TokenKeys};
use memory::Memory;
use revoked::Revoked;

/// Longest token in bytes.
const TOKEN_BYTES_MAX: usize = 8_192;
/// The names of clients with a token begin so. Ids of keys have no colon, so that no token has the name of a key.
pub(super) const NAME_PREFIX: &str = "jwt:";

/// Returns whether a word is a token rather than a secret: it has parts.
pub(super) fn is_like(word: &str) -> bool {
    word.contains('.')
}

/// The tokens of one issuer.
pub(super) struct Tokens {
    config: JwtConfig,
    rules: Rules,
    revoked_path: Option<PathBuf>,
    revoked: RwLock<Arc<Revoked>>,
    shared: Arc<Shared>,
    /// `None` without `auth.jwt.jwks_url`. The thread that reads it ends when this is dropped.
    reads: Option<(Arc<Reads>, SyncSender<()>)>,
}

/// The state that the thread which reads the keys of the issuer replaces.
struct Shared {
    keys: RwLock<Option<Known>>,
    memory: Memory,
    /// Whether keys were replaced since the sessions were looked at.
    have_changed: AtomicBool,
    clock: Arc<dyn Clock>,
    started_at: Timestamp,
    metrics: SharedMetrics,
}

/// Keys, and the time at which they were read from the issuer.
struct Known {
    keys: Arc<TokenKeys>,
    read_at: Option<Timestamp>,
}

impl Tokens {
    /// Reads the files of the settings, and begins to read the keys at `auth.jwt.jwks_url`; `None` if no tokens are accepted.
    ///
    /// # Errors
    ///
    /// Returns the first mistake in the files.
    pub(super) fn new(
        auth: &AuthConfig,
        clock: Arc<dyn Clock>,
        metrics: SharedMetrics,
    ) -> Result<Option<Self>, KeyFileError> {
        let config = &auth.jwt;
        if !config.is_on() {
            return Ok(None);
        }
        let rules =
            Rules::new(config, &auth.delays_ms).map_err(|(key, complaint)| KeyFileError::new(key, "", complaint))?;
        let revoked_path = Some(PathBuf::from(&auth.revoked_file)).filter(|path| !path.as_os_str().is_empty());
        let revoked = revoked_path.as_deref().map(read_revoked).transpose()?.unwrap_or_default();
        let keys = TokenKeys::read(config)?.map(|keys| Known { keys: Arc::new(keys), read_at: None });
        let shared = Arc::new(Shared {
            keys: RwLock::new(keys),
            memory: Memory::new(auth.cache_max),
            have_changed: AtomicBool::new(false),
            started_at: clock.now(),
            clock,
            metrics,
        });
        let reads = if config.jwks_url.is_empty() { None } else { Some(read_issuer(config, &shared)?) };
        let revoked = RwLock::new(Arc::new(revoked));
        Ok(Some(Self { config: config.clone(), rules, revoked_path, revoked, shared, reads }))
    }

    /// Returns the client with this token, whose digest this is. Its end is not checked. Calls `verifies` before each verification of the
    /// signature; there is none for a token that is remembered.
    ///
    /// # Errors
    ///
    /// Returns the first check that fails, and the subject if the issuer has signed the token.
    pub(super) fn check(
        &self,
        token: &str,
        digest: &Digest,
        now: Timestamp,
        verifies: &dyn Fn(),
    ) -> Result<Identity, Denied> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong.into());
        }
        let Shared { memory, metrics, .. } = &*self.shared;
        let epoch = memory.epoch();
        let keys = self.keys(now).ok_or(TokenError::Unavailable)?;
        if let Some(identity) = memory.get(digest) {
            metrics.auth_cache_hits.inc();
            return Ok(identity);
        }
        let read = keys.verify(token, verifies);
        let (claims, thumbprint) = read.map_err(|err| match (err, &self.reads) {
            // The issuer may have a new key; while it is looked for, the client is not told that its token is bad.
            (TokenError::UnknownKid | TokenError::UnknownKey, Some((reads, _))) if reads.want(now) => {
                TokenError::Unavailable
            }
            _ => err,
        })?;
        let name = claims.name();
        let identity = self.rules.identity(claims, thumbprint, now);
        let identity = identity.map_err(|err| Denied { why: err.into(), name })?.with_secret(*digest);
        if identity.token().is_some_and(|facts| self.revoked().has(facts)) {
            return Err(Denied::of(&identity, TokenError::Revoked.into()));
        }
        // A token that has ended would only take the place of another one.
        if identity.entitlement().expires_at.is_some_and(|end| end > now) {
            let forgotten = memory.insert(epoch, *digest, identity.clone());
            metrics.auth_cache_evicted.inc_by(forgotten as u64);
        }
        Ok(identity)
    }

    /// Returns the keys; `None` if they are not known yet, or are too old to be trusted.
    fn keys(&self, now: Timestamp) -> Option<Arc<TokenKeys>> {
        let known = self.shared.keys.read().unwrap_or_else(PoisonError::into_inner);
        let stale_micros = i64::try_from(self.config.jwks_stale_ms).map_or(i64::MAX, |ms| ms.saturating_mul(1_000));
        let is_fresh = |at: Timestamp| now.micros().saturating_sub(at.micros()) <= stale_micros;
        known.as_ref().filter(|known| known.read_at.is_none_or(is_fresh)).map(|known| known.keys.clone())
    }

    fn revoked(&self) -> Arc<Revoked> {
        self.revoked.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns why the sessions of this token must end; `None` if they may go on. A key that the issuer has withdrawn ends them as an
    /// expired token does: the client needs a new one.
    pub(super) fn end_of(&self, facts: &TokenFacts) -> Option<CloseReason> {
        if self.revoked().has(facts) {
            return Some(CloseReason::KeyRevoked);
        }
        let known = self.shared.keys.read().unwrap_or_else(PoisonError::into_inner);
        let is_withdrawn = known.as_ref().is_some_and(|known| !known.keys.has(&facts.key));
        is_withdrawn.then_some(CloseReason::TokenExpired)
    }

    /// Reads the files again, and asks the issuer for its keys. A bad file changes nothing. The result is logged, and returned for
    /// each setting.
    pub(super) fn reload(&self) -> Vec<(&'static str, Reread)> {
        let mut read = Vec::new();
        match self.revoked_path.as_deref().map(read_revoked) {
            Some(Ok(revoked)) => {
                log::info!("revocations reloaded revoked={}", revoked.len());
                *self.revoked.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(revoked);
                read.push(("auth.revoked_file", Reread::Reloaded));
            }
            Some(Err(err)) => {
                read.push(("auth.revoked_file", Reread::Kept(err.to_string())));
                log::error!("revocations not reloaded, the old ones stay: {err}");
            }
            None => {}
        }
        match TokenKeys::read(&self.config) {
            Ok(Some(keys)) => {
                log::info!("keys of tokens reloaded keys={}", keys.len());
                self.shared.replace(keys, None);
                read.push((self.config.source(), Reread::Reloaded));
            }
            Ok(None) => {}
            Err(err) => {
                read.push((self.config.source(), Reread::Kept(err.to_string())));
                log::error!("keys of tokens not reloaded, the old ones stay: {err}");
            }
        }
        // After the keys and the revocations are there: the epoch of a check that has seen the old ones is over now.
        self.shared.memory.forget();
        if let Some((reads, _)) = &self.reads {
            reads.demand();
            read.push((self.config.source(), Reread::Asked));
        }
        read
    }

    /// Updates the age of the keys, and returns whether keys were replaced since the last call, so that sessions may have to end.
    pub(super) fn tick(&self, now: Timestamp) -> bool {
        let Shared { keys, have_changed, started_at, metrics, .. } = &*self.shared;
        if self.reads.is_some() {
            let keys = keys.read().unwrap_or_else(PoisonError::into_inner);
            let since = keys.as_ref().and_then(|known| known.read_at).unwrap_or(*started_at);
            metrics.set_jwks_age(now.micros().saturating_sub(since.micros()));
        }
        have_changed.swap(false, Ordering::AcqRel)
    }
}

impl Shared {
    /// Replaces the keys, and forgets the tokens that the old ones have verified if the new ones are others.
    fn replace(&self, keys: TokenKeys, read_at: Option<Timestamp>) {
        let mut known = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let are_same = known.as_ref().is_some_and(|known| known.keys.is(&keys));
        *known = Some(Known { keys: Arc::new(keys), read_at });
        drop(known);
        if !are_same {
            self.memory.forget();
            self.have_changed.store(true, Ordering::Release);
        }
    }

    /// Takes the answer of the issuer. Returns whether it is a good set.
    fn accept(&self, answer: Result<Vec<u8>, String>, demands: &Demands) -> bool {
        let parsed = answer.and_then(|text| jwks::parse(&text, demands));
        self.metrics.count_jwks_refresh(parsed.is_ok());
        match parsed {
            Ok(keys) => {
                log::debug!("keys of the issuer read keys={}", keys.len());
                self.replace(keys, Some(self.clock.now()));
                true
            }
            Err(err) => {
                log::warn!("keys of the issuer not read, the old ones stay (auth.jwt.jwks_url): {err}");
                false
            }
        }
    }
}

fn read_revoked(path: &Path) -> Result<Revoked, KeyFileError> {
    Revoked::read(path).map_err(|complaint| KeyFileError::new("auth.revoked_file", path, complaint))
}

/// Starts the thread that reads the keys of the issuer.
fn read_issuer(config: &JwtConfig, shared: &Arc<Shared>) -> Result<(Arc<Reads>, SyncSender<()>), KeyFileError> {
    let (issuer, reads, demands) = (Issuer::new(config)?, Arc::new(Reads::new(config)), Demands::new(config));
    let (stop, stopped) = mpsc::sync_channel(0);
    let (shared, schedule) = (shared.clone(), reads.clone());
    let thread = std::thread::Builder::new().name("jwks".into()).spawn(move || {
        fetch::run(&issuer, &schedule, &*shared.clock, &stopped, |answer| shared.accept(answer, &demands));
    });
    thread.map_err(|err| {
        KeyFileError::new("auth.jwt.jwks_url", &config.jwks_url, format!("cannot start a thread: {err}"))
    })?;
    Ok((reads, stop))
}
