//! `Guard`: the keys of the key file, and the checks of a server that knows its clients.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::access::failures::Failures;
use crate::access::identity::KeySet;
use crate::access::key_file::{self, KeyFileError};
use crate::access::secret::is_mistyped;
use crate::access::{AuthConfig, Caller, Credentials, Digest, Identity, KeyError, Keys, LimitsConfig, web_origin};
use crate::domain::{Clock, Timestamp};
use crate::metrics::SharedMetrics;
use crate::protocol::CloseReason;

/// The checks of a server with a key file.
pub(super) struct Guard {
    is_required: bool,
    path: PathBuf,
    file: RwLock<Arc<KeySet>>,
    failures: Failures,
    expiry_notice: Duration,
    clock: Arc<dyn Clock>,
    metrics: SharedMetrics,
}

impl Keys {
    /// Adds the keys of the key file, and the check of credentials, if the settings demand it.
    ///
    /// # Errors
    ///
    /// Returns the first mistake in the file.
    pub fn guarded(
        self,
        auth: &AuthConfig,
        limits: &LimitsConfig,
        clock: Arc<dyn Clock>,
        metrics: SharedMetrics,
    ) -> Result<Self, KeyFileError> {
        if !auth.is_on() {
            return Ok(self);
        }
        let path = PathBuf::from(&auth.keys_file);
        let file = RwLock::new(Arc::new(key_file::read(&path)?));
        let failures = Failures::new(limits.clone());
        let expiry_notice = Duration::from_millis(auth.expiry_notice_ms);
        let guard = Guard { is_required: auth.required, path, file, failures, expiry_notice, clock, metrics };
        Ok(Self { guard: Some(guard), ..self })
    }

    /// Returns whether credentials are checked on every address.
    pub fn is_guarded(&self) -> bool {
        self.guard.is_some()
    }

    /// Returns whether every client must show a key.
    pub fn are_required(&self) -> bool {
        self.guard.as_ref().is_some_and(Guard::is_required)
    }

    /// Returns who a client of the native protocol is. Without a key file that is anybody; where no key is needed, so is a client
    /// without credentials.
    ///
    /// # Errors
    ///
    /// Returns why the client is refused.
    pub fn identify(&self, credentials: Option<Credentials<'_>>, caller: &Caller) -> Result<Identity, KeyError> {
        let Some(guard) = &self.guard else { return Ok(Identity::anybody()) };
        let Some(credentials) = credentials else {
            if guard.is_required {
                guard.metrics.count_auth(KeyError::Missing.name());
                return Err(KeyError::Missing);
            }
            return Ok(Identity::anybody());
        };
        guard.watch(caller, || {
            let digest = Digest::of(credentials.secret());
            let key = guard.find(credentials, &digest).ok_or_else(|| unknown(credentials))?;
            guard.permit(&key, caller)?;
            Ok(key)
        })
    }

    /// Reads the key file again, and ends the connections of the keys that are no longer in it or have changed. A bad file changes
    /// nothing. The result is logged, and returned: whether the file was good; `None` without one.
    pub fn reload(&self) -> Option<bool> {
        let guard = self.guard.as_ref()?;
        match key_file::read(&guard.path) {
            Ok(file) => {
                let keys = file.len();
                *guard.file.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(file);
                let ended = self.end_connections(|_| true);
                log::info!("keys reloaded keys={keys} connections_ended={ended}");
                Some(true)
            }
            Err(err) => {
                log::error!("keys not reloaded, the old ones stay: {err}");
                Some(false)
            }
        }
    }

    /// Ends the connections of the keys that have expired.
    pub fn end_expired(&self) {
        let Some(guard) = &self.guard else { return };
        let now = guard.clock.now();
        self.end_connections(|key| key.entitlement().expires_at.is_some_and(|end| end <= now));
    }

    /// Returns the time from which a session of this client is told that its key expires.
    pub fn notice_of(&self, identity: &Identity) -> Option<Timestamp> {
        let notice = i64::try_from(self.guard.as_ref()?.expiry_notice.as_micros()).ok()?;
        identity.entitlement().expires_at.map(|end| end.plus_micros(-notice))
    }
}

impl Guard {
    fn current(&self) -> Arc<KeySet> {
        self.file.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) const fn is_required(&self) -> bool {
        self.is_required
    }

    /// Returns whether the key file has a key with this id.
    pub(super) fn lists(&self, id: &str) -> bool {
        self.current().by_id(id).is_some()
    }

    pub(super) fn find(&self, credentials: Credentials<'_>, digest: &Digest) -> Option<Identity> {
        self.current().find(credentials, digest)
    }

    /// Looks somebody up, and counts the result. After too many wrong credentials of an address, further wrong ones of it are refused as
    /// too many; right ones are let in, because several clients may have one address.
    pub(super) fn watch(
        &self,
        caller: &Caller,
        look_up: impl FnOnce() -> Result<Identity, KeyError>,
    ) -> Result<Identity, KeyError> {
        let now = self.clock.now();
        let mut found = look_up();
        if let Err(KeyError::Unknown | KeyError::Mistyped) = found
            && let Err(wait_ms) = self.failures.count(caller.address, now)
        {
            found = Err(KeyError::RateLimited { wait_ms });
        }
        self.metrics.count_auth(found.as_ref().map_or_else(|err| err.name(), |_| "accepted"));
        found
    }

    /// Checks that the key has not expired, and may be used from there.
    pub(super) fn permit(&self, key: &Identity, caller: &Caller) -> Result<(), KeyError> {
        let entitlement = key.entitlement();
        if entitlement.expires_at.is_some_and(|end| end <= self.clock.now()) {
            return Err(KeyError::Expired);
        }
        let is_near = |address| entitlement.addresses.iter().any(|network| network.contains(address));
        if !entitlement.addresses.is_empty() && !caller.address.is_some_and(is_near) {
            return Err(KeyError::Address);
        }
        let is_listed = |origin: &String| {
            let origin = web_origin(origin);
            origin.is_some_and(|origin| entitlement.origins.contains(&origin.ascii_serialization()))
        };
        if !entitlement.origins.is_empty() && caller.origin.as_ref().is_some_and(|origin| !is_listed(origin)) {
            return Err(KeyError::Origin);
        }
        Ok(())
    }

    /// Returns why the sessions of this key must end; `None` if they may go on.
    pub(super) fn end_of(&self, key: &Identity) -> Option<CloseReason> {
        if !key.is_of_file() {
            return None;
        }
        let current = self.current();
        let Some(present) = current.by_id(key.name()) else { return Some(CloseReason::KeyRevoked) };
        if key.secret.is_none_or(|secret| !present.has_secret(&secret)) {
            return Some(CloseReason::KeyRevoked);
        }
        if present.entitlement().expires_at.is_some_and(|end| end <= self.clock.now()) {
            return Some(CloseReason::TokenExpired);
        }
        (present.entitlement() != key.entitlement()).then_some(CloseReason::KeyChanged)
    }
}

impl KeyError {
    /// Returns the value of the label in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RateLimited { .. } => "rate_limited",
            Self::Missing => "missing",
            Self::Mistyped | Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::Address | Self::Origin | Self::NotEntitled => "forbidden",
        }
    }

    /// Returns whether the key is a right one, but may not be used so.
    pub const fn is_forbidden(self) -> bool {
        matches!(self, Self::Address | Self::Origin | Self::NotEntitled)
    }
}

/// Returns the reason why credentials are refused that no key has.
pub(super) fn unknown(credentials: Credentials<'_>) -> KeyError {
    if is_mistyped(credentials.secret()) { KeyError::Mistyped } else { KeyError::Unknown }
}
