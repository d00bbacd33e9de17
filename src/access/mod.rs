//! The keys of clients that speak a vendor's dialect, and the places of their connections. One [`Keys`] serves the whole process.
//!
//! The transports read the credentials of a request or a message, and answer in the vendor's words.

mod allowance;
mod config;
#[cfg(test)]
mod keys_test;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use subtle::ConstantTimeEq;

use crate::domain::Timestamp;

pub use allowance::Allowance;
use allowance::Allowances;
use config::WORD_BYTES_MAX;
pub use config::{AnyKey, AtExcess, KeyConfig, KeysConfig, OpenToAll, Vendor};

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
    /// One word: a key of Massive or Finnhub, or a bearer token. The secret of a listed key.
    Token(&'a str),
}

/// The reason why credentials are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No such key, or a wrong secret.
    #[error("no such key")]
    Unknown,
    /// The key may not speak this dialect (`dialects` of the key).
    #[error("the key may not use this dialect")]
    NotEntitled,
}

/// A key that was accepted. Clones are cheap.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Arc<KeyConfig>);

/// Does not show the secret.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.0.id).finish()
    }
}

impl Key {
    /// Returns the name of the key.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Returns the most symbols of one session, at most `session_max` (`session.symbols_max`).
    pub fn symbols_max(&self, session_max: usize) -> usize {
        if self.0.symbols_max == 0 { session_max } else { self.0.symbols_max.min(session_max) }
    }
}

/// The keys of the server, and their connections.
pub struct Keys {
    accepts_any: bool,
    any_connections_max: usize,
    at_excess: AtExcess,
    listed: Vec<Key>,
    seats: Mutex<Seats>,
    allowances: Allowances,
}

/// The connections of each key at each endpoint, oldest first. An entry exists only while its key has a connection there, so
/// that `server.connections_max` bounds the map.
#[derive(Default)]
struct Seats {
    taken: HashMap<Place, Vec<Taken>>,
    next: u64,
}

/// The id of a key, and the endpoint.
type Place = (String, String);

struct Taken {
    number: u64,
    end: Box<dyn Fn() + Send>,
}

/// The key has too many connections at this endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSeat;

/// The place of one connection, until it is dropped.
pub struct Seat {
    keys: Arc<Keys>,
    place: Place,
    number: u64,
}

impl Keys {
    /// Returns these keys. If `accepts_any`, every other pair and token is accepted as well, but none with the id of a listed key.
    pub fn new(config: &KeysConfig, accepts_any: bool) -> Self {
        let listed = config.pairs.iter().map(|pair| Key(Arc::new(pair.clone()))).collect();
        let allowances = Allowances::new(config.requests_per_minute_max);
        let (any_connections_max, at_excess) = (config.any_connections_max, config.at_excess);
        Self { accepts_any, any_connections_max, at_excess, listed, seats: Mutex::default(), allowances }
    }

    /// Counts a request of the key over HTTP.
    pub fn spend(&self, vendor: Vendor, key: &Key, now: Timestamp) -> Allowance {
        self.allowances.spend(vendor, key, now)
    }

    /// Returns the key of these credentials, for a client that speaks the dialect of this vendor.
    ///
    /// # Errors
    ///
    /// Returns why they are refused.
    pub fn check(&self, vendor: Vendor, credentials: Credentials<'_>) -> Result<Key, KeyError> {
        let known = self.listed.iter().find(|key| key.is(credentials));
        match known {
            Some(key) if key.0.dialects.contains(&vendor) => Ok(key.clone()),
            Some(_) => Err(KeyError::NotEntitled),
            None => self.unlisted(credentials).ok_or(KeyError::Unknown),
        }
    }

    /// Returns a key for credentials that are not listed, if any are accepted; `None` if they name a listed key, or if they are empty or
    /// too long to be any.
    fn unlisted(&self, credentials: Credentials<'_>) -> Option<Key> {
        let (id, secret) = match credentials {
            Credentials::Pair { id, secret } => (id, secret),
            Credentials::Token(token) => (token, token),
        };
        let is_word = |word: &str| (1..=WORD_BYTES_MAX).contains(&word.len());
        let is_listed = self.listed.iter().any(|key| key.id() == id);
        let connections_max = self.any_connections_max;
        let key = || KeyConfig { id: id.into(), secret: secret.into(), connections_max, ..KeyConfig::default() };
        (self.accepts_any && !is_listed && is_word(id) && is_word(secret)).then(|| Key(Arc::new(key())))
    }

    /// Returns `keys.at_excess`, for vendors that close the oldest connection of a key.
    pub fn at_excess(&self) -> AtExcess {
        self.at_excess
    }

    /// Takes a place for a connection of this key at an endpoint. If the key has as many connections there as it may, the oldest
    /// one's `end` is called, on this thread, or the place is refused.
    ///
    /// # Errors
    ///
    /// Returns an error if the place is refused.
    pub fn take_seat(
        self: &Arc<Self>,
        key: &Key,
        endpoint: &str,
        at_excess: AtExcess,
        end: impl Fn() + Send + 'static,
    ) -> Result<Seat, NoSeat> {
        let place = (key.id().to_owned(), endpoint.to_owned());
        let connections_max = key.0.connections_max;
        let mut seats = self.seats();
        let number = seats.next;
        let taken = seats.taken.entry(place.clone()).or_default();
        let mut ended = Vec::new();
        while connections_max > 0 && taken.len() >= connections_max {
            if at_excess == AtExcess::Refuse {
                return Err(NoSeat);
            }
            ended.push(taken.remove(0));
        }
        taken.push(Taken { number, end: Box::new(end) });
        seats.next += 1;
        drop(seats);
        // Without the lock: whoever is ended may give its place back at once.
        for oldest in ended {
            (oldest.end)();
        }
        Ok(Seat { keys: self.clone(), place, number })
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.keys.seats();
        if let Some(taken) = seats.taken.get_mut(&self.place) {
            taken.retain(|taken| taken.number != self.number);
            if taken.is_empty() {
                seats.taken.remove(&self.place);
            }
        }
    }
}

impl Key {
    /// Returns whether these are the credentials of this key. Secrets are compared in a time that does not depend on where they
    /// differ.
    fn is(&self, credentials: Credentials<'_>) -> bool {
        match credentials {
            Credentials::Pair { id, secret } => id == self.0.id && are_equal(secret, &self.0.secret),
            Credentials::Token(token) => are_equal(token, &self.0.secret),
        }
    }
}

fn are_equal(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}
