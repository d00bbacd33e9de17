//! The access of clients, and their rights: [`Keys`] makes an [`Identity`] with one [`Entitlement`] of the credentials of a request,
//! or says why not, and keeps the places of its connections. One [`Keys`] serves the whole process.
//!
//! The transports read the credentials of a request or a message, and answer in the words of the protocol or the vendor.

mod allowance;
mod auth_config;
mod config;
mod delays;
mod denied;
mod entitlement;
mod failures;
mod file;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz {
    //! Entrances of the fuzz targets (`tests/fuzz/`): no part of the server, which is built without them.
    pub use crate::access::token::fuzz::{key_set, revocations};
}
mod glob;
mod guard;
mod identity;
mod key_file;
#[cfg(test)]
mod keys_test;
mod ledger;
mod limits_config;
pub mod list;
mod network;
mod networks;
mod origin;
mod pass;
mod payer;
mod quotas;
mod seats;
mod secret;
mod strangers;
mod summary;
mod symbol_set;
mod tickets;
mod token;
mod visible;

use std::net::IpAddr;
use std::time::Instant;

use crate::domain::Timestamp;
use crate::metrics::SharedMetrics;
use crate::protocol::CloseReason;

pub use allowance::Allowance;
use allowance::{Allowances, Kind};
pub use auth_config::{AuthConfig, OpenToEverybody};
use config::WORD_BYTES_MAX;
pub use config::{AnyKey, AtExcess, KeyConfig, KeysConfig, OpenToAll, Vendor};
pub use delays::Delays;
pub use denied::{Denied, KeyError};
pub use entitlement::{Entitlement, OnLimit, Rights};
pub use file::{KeyFileError, Reread};
pub use glob::Glob;
pub use guard::Expiry;
use guard::Guard;
pub use identity::Identity;
use identity::KeySet;
pub use limits_config::LimitsConfig;
pub use network::Network;
pub use networks::Networks;
pub use origin::web_origin;
pub use pass::{Pass, PassError};
pub use payer::{Owed, Payer};
use quotas::Quotas;
pub use quotas::{Crowded, Lodging};
use seats::Seats;
pub use seats::{NoSeat, Seat};
pub use secret::{Digest, Secret, name_of_token, names_token};
pub use strangers::Stranger;
use strangers::Strangers;
pub use tickets::{Ticket, is_page_ticket};
pub use token::{JwtConfig, JwtDefault, TokenError};
pub use visible::VisibleTable;

/// The credentials that a client has sent.
#[derive(Clone, Copy)]
pub enum Credentials<'a> {
    /// A key of two words.
    Pair {
        /// Name of the key.
        id: &'a str,
        /// Its secret.
        secret: &'a str,
    },
    /// One word: a key of Massive or Finnhub, or a bearer token. The secret of a listed key, or a token (JWT).
    Token(&'a str),
    /// A ticket in an address.
    Ticket(&'a str),
}

impl<'a> Credentials<'a> {
    const fn secret(self) -> &'a str {
        match self {
            Self::Pair { secret, .. } | Self::Token(secret) | Self::Ticket(secret) => secret,
        }
    }
}

/// Where the credentials came from.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The address of the client.
    pub address: Option<IpAddr>,
    /// The origin of the page, if a browser named one.
    pub origin: Option<String>,
}

/// Checks the text of a key file, for a server with whichever delays.
///
/// # Errors
///
/// Returns the first mistake in it, in one line.
pub fn check_key_file(text: &str) -> Result<(), String> {
    key_file::parse(text, None).map(drop)
}

/// The keys of the server, and their connections.
pub struct Keys {
    accepts_any: bool,
    any_connections_max: usize,
    at_excess: AtExcess,
    /// The keys of the section `[keys]`, and the dialects that each may speak.
    listed: KeySet,
    dialects: std::collections::HashMap<String, Vec<Vendor>>,
    /// `None` if credentials are not checked but in the dialects of vendors.
    guard: Option<Guard>,
    seats: Seats,
    strangers: Strangers,
    quotas: Quotas,
    allowances: Allowances,
}

impl Keys {
    /// Returns these keys. If `accepts_any`, every other pair and token is accepted as well, but none with the id of a listed key.
    pub fn new(config: &KeysConfig, accepts_any: bool) -> Self {
        let (mut listed, mut dialects) = (KeySet::default(), std::collections::HashMap::new());
        for KeyConfig { id, secret, dialects: spoken, symbols_max, connections_max } in &config.pairs {
            let (symbols_max, connections_max) = (*symbols_max, *connections_max);
            let entitlement = Entitlement { symbols_max, connections_max, ..Entitlement::everything() };
            listed.insert(Identity::of_dialects(id.clone(), secret, entitlement));
            dialects.insert(id.clone(), spoken.clone());
        }
        let allowances = Allowances::new(config.requests_per_minute_max);
        let (any_connections_max, at_excess) = (config.any_connections_max, config.at_excess);
        let (guard, seats) = (None, Seats::default());
        let strangers = Strangers::new(AuthConfig::default().pending_max, SharedMetrics::default());
        let quotas = Quotas::new(LimitsConfig::default(), SharedMetrics::default(), Instant::now());
        Self {
            accepts_any,
            any_connections_max,
            at_excess,
            listed,
            dialects,
            guard,
            seats,
            strangers,
            quotas,
            allowances,
        }
    }

    /// Counts a request of the key over HTTP.
    pub fn spend(&self, vendor: Vendor, key: &Identity, now: Timestamp) -> Allowance {
        let kind = match key {
            key if key.token().is_some() => Kind::Token,
            // Nobody makes up the id of a key of the settings, see `unlisted`.
            key if key.is_of_file() || self.listed.by_id(key.name()).is_some() => Kind::Listed,
            _ => Kind::MadeUp,
        };
        self.allowances.spend(vendor, key, kind, now)
    }

    /// Returns the key of these credentials, for a client that speaks the dialect of this vendor.
    ///
    /// # Errors
    ///
    /// Returns why they are refused.
    pub fn check(&self, vendor: Vendor, credentials: Credentials<'_>, caller: &Caller) -> Result<Identity, Denied> {
        self.count(credentials, caller, self.look_up(vendor, credentials, caller))
    }

    /// Counts the result of [`look_up`](Self::look_up), and returns it.
    ///
    /// # Errors
    ///
    /// Returns why the credentials are refused: as found, or because too many wrong ones came from the address before.
    pub fn count(
        &self,
        credentials: Credentials<'_>,
        caller: &Caller,
        found: Result<Identity, Denied>,
    ) -> Result<Identity, Denied> {
        let Some(guard) = &self.guard else { return found };
        guard.count(credentials, caller, found)
    }

    /// Does the same as [`check`](Self::check) without counting a failure, for those who only want to know the name.
    ///
    /// # Errors
    ///
    /// Returns why they are refused.
    pub fn look_up(&self, vendor: Vendor, credentials: Credentials<'_>, caller: &Caller) -> Result<Identity, Denied> {
        let digest = Digest::of(credentials.secret());
        let listed = self.listed.find(credentials, &digest);
        if let Some(guard) = &self.guard {
            let verifies = || self.charge_verification(caller.address);
            let key = match guard.find_key(credentials, &digest) {
                // A secret of `[keys]` may have points, and is no token because of them.
                None if listed.is_none() || guard.is_required() => guard.find_token(credentials, &digest, &verifies)?,
                key => key,
            };
            if let Some(key) = key {
                guard.permit(&key, caller).map_err(|why| Denied::of(&key, why))?;
                let may = key.entitlement().suits_vendors();
                return if may { Ok(key) } else { Err(Denied::of(&key, KeyError::NotEntitled)) };
            }
            if guard.is_required() {
                return Err(denied::unknown(credentials).into());
            }
        }
        match listed {
            Some(key) if self.dialects.get(key.name()).is_some_and(|spoken| spoken.contains(&vendor)) => Ok(key),
            Some(key) => Err(Denied::of(&key, KeyError::NotEntitled)),
            None => self.unlisted(credentials).ok_or_else(|| denied::unknown(credentials).into()),
        }
    }

    /// Returns a key for credentials that are not listed, if any are accepted; `None` if they name a listed key, if they are empty or
    /// too long to be any, if they look like a secret of this program, which is a mistyped or a removed one, or if they have the name of
    /// a token's subject.
    fn unlisted(&self, credentials: Credentials<'_>) -> Option<Identity> {
        let (id, secret) = match credentials {
            Credentials::Pair { id, secret } => (id, secret),
            Credentials::Token(token) => (token, token),
            // No dialect takes one.
            Credentials::Ticket(_) => return None,
        };
        let is_word = |word: &str| {
            (1..=WORD_BYTES_MAX).contains(&word.len())
                && !secret::is_like_ours(word)
                && !word.starts_with(token::NAME_PREFIX)
        };
        let is_listed = self.listed.by_id(id).is_some() || self.guard.as_ref().is_some_and(|guard| guard.lists(id));
        let connections_max = self.any_connections_max;
        let key = || {
            let entitlement = Entitlement { connections_max, ..Entitlement::everything() };
            let name = if matches!(credentials, Credentials::Token(_)) { name_of_token(id) } else { id.into() };
            Identity::of_dialects(name, secret, entitlement)
        };
        (self.accepts_any && !is_listed && is_word(id) && is_word(secret)).then(key)
    }

    /// Returns `keys.at_excess`, for vendors that close the oldest connection of a key.
    pub fn at_excess(&self) -> AtExcess {
        self.at_excess
    }

    /// Returns why a session of this key must end; `None` if it may go on. One that `can_renew` the key has some time after its end.
    fn end_of(&self, key: &Identity, can_renew: bool) -> Option<CloseReason> {
        self.guard.as_ref().and_then(|guard| guard.end_of(key, can_renew))
    }
}
