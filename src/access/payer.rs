//! `Payer`: the address and the key to which the work of a client's requests is charged.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::access::quotas::{Quotas, SWEEP_INTERVAL};
use crate::access::{Identity, Keys};
use crate::rate::RateLimiter;

/// The work of each key, at most `limits.addresses_max` of them, and of all others together.
pub(super) struct KeyBooks {
    of_key: HashMap<String, RateLimiter>,
    others: RateLimiter,
    per_second: u32,
    swept: Option<Instant>,
}

/// A client whose work is limited: by its address, by its key, or by both.
pub struct Payer {
    keys: Arc<Keys>,
    address: Option<u128>,
    key: Option<Identity>,
}

/// A client has used more work than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owed {
    is_of_key: bool,
    /// Time after which it may send the next request.
    pub wait: Duration,
}

impl fmt::Display for Owed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_of_key {
            "the requests of the key have cost too much (limits.key_work_per_second_max)"
        } else {
            "the requests of the address have cost too much (limits.address_work_per_second_max)"
        })
    }
}

impl KeyBooks {
    /// Returns books in which nothing is used.
    pub(super) fn new(per_second: u32, now: Instant) -> Self {
        let others = RateLimiter::per_second(per_second, now);
        Self { of_key: HashMap::new(), others, per_second, swept: None }
    }

    /// Returns the number of keys with a book of their own.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.of_key.len()
    }

    /// Returns for how long the next request of a key must wait.
    pub(super) fn wait(&self, name: &str, max: usize, now: Instant) -> Duration {
        let shared = (self.of_key.len() >= max).then_some(&self.others);
        self.of_key.get(name).or(shared).map_or(Duration::ZERO, |work| work.wait(0, now))
    }

    /// Charges work to a key; there are books for at most `max` of them.
    pub(super) fn charge(&mut self, name: &str, work: u32, max: usize, now: Instant) {
        if let Some(own) = self.of_key.get_mut(name) {
            return own.charge(work, now);
        }
        let is_due = self.swept.is_none_or(|swept| now.saturating_duration_since(swept) >= SWEEP_INTERVAL);
        if self.of_key.len() >= max && is_due {
            self.swept = Some(now);
            self.of_key.retain(|_, work| !work.is_unused(now));
        }
        let fresh = RateLimiter::per_second(self.per_second, now);
        let has_room = self.of_key.len() < max;
        let book = if has_room { self.of_key.entry(name.to_owned()).or_insert(fresh) } else { &mut self.others };
        book.charge(work, now);
    }
}

impl Keys {
    /// Returns who pays for the requests of a client; `None` if neither its address nor its key is limited.
    pub fn payer(self: &Arc<Self>, address: Option<IpAddr>, identity: &Identity) -> Option<Box<Payer>> {
        let quotas: &Quotas = &self.quotas;
        let address = quotas.limited(address).filter(|_| quotas.config.address_work_per_second_max > 0);
        let is_limited = identity.has_own_limit() && quotas.config.key_work_per_second_max > 0;
        let key = is_limited.then(|| identity.clone());
        (address.is_some() || key.is_some()).then(|| Payer { keys: self.clone(), address, key }.into())
    }
}

impl Payer {
    /// Returns for how long the next request must wait.
    pub fn wait(&self, now: Instant) -> Duration {
        self.owed(now).map_or(Duration::ZERO, |owed| owed.wait)
    }

    /// Checks whether a request may be served, and counts a refusal.
    ///
    /// # Errors
    ///
    /// Returns an error if the earlier requests have cost too much.
    pub fn check(&self, now: Instant) -> Result<(), Owed> {
        let Some(owed) = self.owed(now) else { return Ok(()) };
        let limit = if owed.is_of_key { "key_work" } else { "address_work" };
        self.keys.quotas.metrics.count_limit(limit);
        Err(owed)
    }

    fn owed(&self, now: Instant) -> Option<Owed> {
        let quotas = &self.keys.quotas;
        let of_address = self.address.map(|number| Owed { is_of_key: false, wait: quotas.work_wait(number, now) });
        let key = self.key.as_ref().map(Identity::name);
        let of_key = key.map(|name| Owed { is_of_key: true, wait: quotas.key_wait(name, now) });
        of_address.into_iter().chain(of_key).max_by_key(|owed| owed.wait).filter(|owed| !owed.wait.is_zero())
    }

    /// Charges the work of a request, in units of one event read.
    pub fn charge(&self, work: u64, now: Instant) {
        let work = u32::try_from(work).unwrap_or(u32::MAX);
        if work == 0 {
            return;
        }
        if let Some(number) = self.address {
            self.keys.quotas.charge(number, work, now);
        }
        if let Some(key) = &self.key {
            self.keys.quotas.charge_key(key.name(), work, now);
        }
    }
}
