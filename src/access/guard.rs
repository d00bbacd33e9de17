//! `Guard`: the keys of the key file, the tokens of an issuer, and the checks of a server that knows its clients.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::access::denied::unknown;
use crate::access::failures::Failures;
use crate::access::file::{KeyFileError, Reread};
use crate::access::identity::KeySet;
use crate::access::key_file;
use crate::access::quotas::Quotas;
use crate::access::secret::is_like_ours;
use crate::access::strangers::Strangers;
use crate::access::tickets::{Tickets, is_page_ticket};
use crate::access::token::{self, Tokens};
use crate::access::{
    AuthConfig, Caller, Credentials, Delays, Denied, Digest, Identity, KeyError, Keys, LimitsConfig, web_origin,
};
use crate::domain::{Clock, Timestamp};
use crate::metrics::SharedMetrics;
use crate::protocol::CloseReason;

/// The checks of a server with a key file, or with tokens.
pub(super) struct Guard {
    is_required: bool,
    /// `None` without a key file.
    path: Option<PathBuf>,
    /// The delays that its keys may have.
    delays: Delays,
    file: RwLock<Arc<KeySet>>,
    pub(super) tokens: Option<Tokens>,
    failures: Failures,
    expiry_notice: Duration,
    expiry_grace: Duration,
    renewal_interval: Duration,
    first_message: Duration,
    pub(super) tickets: Tickets,
    /// Id of the key of the server's own pages; empty for none.
    pub(super) page_key: String,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: SharedMetrics,
}

/// The end of a client's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The end.
    pub expires_at: Timestamp,
    /// When its sessions are told so.
    pub told_at: Timestamp,
}

impl Keys {
    /// Adds the limits of strangers and of addresses, and the keys of the key file, the tokens, and the check of credentials, if the settings
    /// demand it.
    ///
    /// # Errors
    ///
    /// Returns the first mistake in the files.
    pub fn guarded(
        self,
        auth: &AuthConfig,
        limits: &LimitsConfig,
        clock: Arc<dyn Clock>,
        metrics: SharedMetrics,
    ) -> Result<Self, KeyFileError> {
        let strangers = Strangers::new(auth.pending_max, metrics.clone());
        let quotas = Quotas::new(limits.clone(), metrics.clone(), Instant::now());
        let keys = Self { strangers, quotas, ..self };
        if !auth.is_on() {
            return Ok(keys);
        }
        let path = Some(PathBuf::from(&auth.keys_file)).filter(|path| !path.as_os_str().is_empty());
        let file = path.as_deref().map(|path| key_file::read(path, &auth.delays_ms)).transpose()?.unwrap_or_default();
        if let Some(complaint) = complain_of_page_key(&file, &auth.page_key) {
            return Err(KeyFileError::new("auth.keys_file", &auth.keys_file, complaint));
        }
        let (file, tokens) = (RwLock::new(Arc::new(file)), Tokens::new(auth, clock.clone(), metrics.clone())?);
        let failures = Failures::new(limits.clone());
        let guard = Guard {
            is_required: auth.required,
            path,
            delays: auth.delays_ms.clone(),
            file,
            tokens,
            failures,
            expiry_notice: Duration::from_millis(auth.expiry_notice_ms),
            expiry_grace: Duration::from_millis(auth.expiry_grace_ms),
            renewal_interval: Duration::from_millis(auth.renewal_ms),
            first_message: Duration::from_millis(auth.first_message_ms),
            tickets: Tickets::new(auth)?,
            page_key: auth.page_key.clone(),
            clock,
            metrics,
        };
        Ok(Self { guard: Some(guard), ..keys })
    }

    /// Returns whether credentials are checked on every address.
    pub fn is_guarded(&self) -> bool {
        self.guard.is_some()
    }

    /// Returns whether every client must show a key.
    pub fn are_required(&self) -> bool {
        self.guard.as_ref().is_some_and(Guard::is_required)
    }

    /// Returns who a client of the native protocol is. Without a key file and tokens that is anybody; where no key is needed, so is a client
    /// without credentials.
    ///
    /// # Errors
    ///
    /// Returns why the client is refused.
    pub fn identify(&self, credentials: Option<Credentials<'_>>, caller: &Caller) -> Result<Identity, Denied> {
        self.identify_by(credentials, caller, &|| self.charge_verification(caller.address))
    }

    /// Does the same, and calls `verifies` before a signature is verified, to charge that.
    ///
    /// # Errors
    ///
    /// Returns why the client is refused.
    pub(super) fn identify_by(
        &self,
        credentials: Option<Credentials<'_>>,
        caller: &Caller,
        verifies: &dyn Fn(),
    ) -> Result<Identity, Denied> {
        let Some(guard) = &self.guard else { return Ok(Identity::anybody()) };
        let Some(credentials) = credentials else {
            if guard.is_required {
                guard.metrics.count_auth("none", KeyError::Missing.name());
                return Err(KeyError::Missing.into());
            }
            return Ok(Identity::anybody());
        };
        guard.count(credentials, caller, guard.look_up(credentials, caller, verifies))
    }

    /// Reads the key file, the keys of tokens and the revocations again, and ends the connections of the keys that are no longer there
    /// or have changed, and of the tokens that are no longer good. A bad file changes nothing, and the good ones hold. The result is
    /// logged, and returned for each setting that names a file or an address.
    pub fn reload(&self) -> Vec<(&'static str, Reread)> {
        let Some(guard) = &self.guard else { return Vec::new() };
        let file = guard.path.as_deref().map(|path| guard.read_again(path));
        let mut read = Vec::new();
        if let Some(file) = &file {
            read.push((
                "auth.keys_file",
                file.as_ref().map_or_else(|err| Reread::Kept(err.to_string()), |_| Reread::Reloaded),
            ));
        }
        read.extend(guard.tokens.iter().flat_map(Tokens::reload));
        let ended = self.end_connections(|_| true);
        match &file {
            Some(Ok(keys)) => log::info!("keys reloaded keys={keys} connections_ended={ended}"),
            Some(Err(err)) => log::error!("keys not reloaded, the old ones stay: {err}"),
            None => log::info!("tokens reloaded connections_ended={ended}"),
        }
        read
    }

    /// Ends the connections of the keys and tokens that have expired, and of the tokens whose key the issuer has withdrawn.
    pub fn end_expired(&self) {
        let Some(guard) = &self.guard else { return };
        let now = guard.clock.now();
        let has_new_keys = guard.tokens.as_ref().is_some_and(|tokens| tokens.tick(now));
        self.end_connections(|key| has_new_keys || key.entitlement().expires_at.is_some_and(|end| end <= now));
    }

    /// Returns the time at which the key of this client expires, and from which its sessions are told so. That may be later than
    /// when the client came, because the operator may have changed the key file.
    pub fn expiry_of(&self, identity: &Identity) -> Option<Expiry> {
        let guard = self.guard.as_ref()?;
        let expires_at = guard.expires_at(identity)?;
        Some(Expiry { expires_at, told_at: expires_at.plus_micros(-micros(guard.expiry_notice)) })
    }

    /// Returns how long a WebSocket without a key may take to say who its client is; `None` if it needs a key with its request.
    pub fn first_message(&self) -> Option<Duration> {
        self.guard
            .as_ref()
            .filter(|guard| guard.is_required)
            .map(|guard| guard.first_message)
            .filter(|time| !time.is_zero())
    }

    /// Returns the shortest time between two renewals of a session.
    pub(super) fn renewal_interval(&self) -> Duration {
        self.guard.as_ref().map_or(Duration::ZERO, |guard| guard.renewal_interval)
    }

    /// Returns the counters of a server that checks credentials.
    pub(super) fn metrics(&self) -> Option<&SharedMetrics> {
        self.guard.as_ref().map(|guard| &guard.metrics)
    }
}

impl Guard {
    pub(super) fn current(&self) -> Arc<KeySet> {
        self.file.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) const fn is_required(&self) -> bool {
        self.is_required
    }

    /// Returns whether the key file has a key with this id.
    pub(super) fn lists(&self, id: &str) -> bool {
        self.current().by_id(id).is_some()
    }

    /// Reads the key file again, and returns the number of its keys.
    fn read_again(&self, path: &Path) -> Result<usize, KeyFileError> {
        let file = key_file::read(path, &self.delays)?;
        let keys = file.len();
        *self.file.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(file);
        Ok(keys)
    }

    fn look_up(&self, credentials: Credentials<'_>, caller: &Caller, verifies: &dyn Fn()) -> Result<Identity, Denied> {
        let key = match credentials {
            Credentials::Ticket(text) => self.redeem(text)?,
            // A token is sent more than once.
            Credentials::Token(text) if is_page_ticket(text) => self.redeem(text)?,
            _ => {
                let digest = Digest::of(credentials.secret());
                match self.find_key(credentials, &digest) {
                    None => self.find_token(credentials, &digest, verifies)?.ok_or_else(|| unknown(credentials))?,
                    Some(key) => key,
                }
            }
        };
        self.permit(&key, caller).map_err(|why| Denied::of(&key, why))?;
        Ok(key)
    }

    /// Returns the key of the key file with these credentials.
    pub(super) fn find_key(&self, credentials: Credentials<'_>, digest: &Digest) -> Option<Identity> {
        self.current().find(credentials, digest)
    }

    /// Returns the client with this token; `None` if the credentials are none, or no tokens are accepted. Calls `verifies` before a
    /// signature is verified.
    ///
    /// # Errors
    ///
    /// Returns why the token is refused.
    pub(super) fn find_token(
        &self,
        credentials: Credentials<'_>,
        digest: &Digest,
        verifies: &dyn Fn(),
    ) -> Result<Option<Identity>, Denied> {
        match (&self.tokens, credentials) {
            (Some(tokens), Credentials::Token(word)) if token::is_like(word) => {
                Ok(Some(tokens.check(word, digest, self.clock.now(), verifies)?))
            }
            _ => Ok(None),
        }
    }

    /// Returns the way by which a client with these credentials comes, for the metrics.
    fn way(&self, credentials: Credentials<'_>, found: &Result<Identity, Denied>) -> &'static str {
        let is_ticket = match credentials {
            Credentials::Ticket(_) => true,
            Credentials::Token(word) => is_page_ticket(word),
            Credentials::Pair { .. } => false,
        };
        if is_ticket {
            return "ticket";
        }
        let is_token = match (credentials, found) {
            (_, Ok(identity)) => identity.token().is_some(),
            (Credentials::Token(word), Err(_)) => self.tokens.is_some() && token::is_like(word),
            (_, Err(_)) => false,
        };
        if is_token { "token" } else { "key" }
    }

    /// Counts what was found for these credentials. After too many wrong ones of an address, further wrong ones of it are refused as
    /// too many; right ones are let in, because several clients may have one address.
    pub(super) fn count(
        &self,
        credentials: Credentials<'_>,
        caller: &Caller,
        mut found: Result<Identity, Denied>,
    ) -> Result<Identity, Denied> {
        let (way, now) = (self.way(credentials, &found), self.clock.now());
        if found.as_ref().is_err_and(|denied| denied.why.is_wrong())
            && let Err(wait_ms) = self.failures.count(caller.address, now)
        {
            found = Err(KeyError::RateLimited { wait_ms }.into());
        }
        self.metrics.count_auth(way, found.as_ref().map_or_else(|denied| denied.why.name(), |_| "accepted"));
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

    /// Returns why a session of this key must end; `None` if it may go on.
    pub(super) fn end_of(&self, key: &Identity, can_renew: bool) -> Option<CloseReason> {
        let grace = if can_renew { self.expiry_grace } else { Duration::ZERO };
        let is_over = |end: Timestamp| end.plus_micros(micros(grace)) <= self.clock.now();
        let is_expired = self.expires_at(key).is_some_and(is_over);
        let ended = key.token().and_then(|facts| self.tokens.as_ref()?.end_of(facts));
        if ended.is_some() {
            return ended;
        }
        if key.is_of_file() {
            let current = self.current();
            let present = current.by_id(key.name());
            let Some(present) = present.filter(|present| key.secret.is_some_and(|secret| present.has_secret(&secret)))
            else {
                return Some(CloseReason::KeyRevoked);
            };
            if !is_expired && !key.entitlement().goes_on_by(present.entitlement()) {
                return Some(CloseReason::KeyChanged);
            }
        }
        is_expired.then_some(CloseReason::TokenExpired)
    }

    /// Returns the end of a key: of one of the file, as the file says now.
    fn expires_at(&self, key: &Identity) -> Option<Timestamp> {
        let present = if key.is_of_file() { self.current().by_id(key.name()).cloned() } else { None };
        present.as_ref().unwrap_or(key).entitlement().expires_at
    }
}

pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Returns why a key file does not go with `auth.page_key`.
fn complain_of_page_key(file: &KeySet, id: &str) -> Option<String> {
    match file.by_id(id) {
        _ if id.is_empty() => None,
        // Not shown: it may be one.
        _ if is_like_ours(id) => Some("auth.page_key must be the id of a key, not its secret".into()),
        None => Some(format!("it has no key {id} (auth.page_key)")),
        Some(key) if !key.entitlement().suits_everybody() => Some(format!(
            "the key {id} must not have admin or publish: every visitor of the pages has it (auth.page_key)"
        )),
        Some(_) => None,
    }
}
