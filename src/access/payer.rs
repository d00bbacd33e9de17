//! `Payer`: the address and the key to which the work of a client's requests is charged.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::access::quotas::Quotas;
use crate::access::{Identity, Keys};

/// Cost to verify the signature of a token that is not remembered, in units of one event read: 60 microseconds, for RS256
/// (`cargo bench --bench access`).
pub(super) const VERIFICATION_WORK: u64 = 400;

/// A client whose work is limited: by its address, by its key, or by both.
pub struct Payer {
    keys: Arc<Keys>,
    address: Option<u128>,
    /// With the most work per second.
    key: Option<(Identity, u32)>,
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
            "the requests of the key have cost too much (work_per_second_max of the key, limits.key_work_per_second_max)"
        } else {
            "the requests of the address have cost too much (limits.address_work_per_second_max)"
        })
    }
}

impl Keys {
    /// Returns who pays for the requests of a client; `None` if neither its address nor its key is limited.
    pub fn payer(self: &Arc<Self>, address: Option<IpAddr>, identity: &Identity) -> Option<Box<Payer>> {
        let quotas: &Quotas = &self.quotas;
        let address = quotas.limited(address).filter(|_| quotas.config.address_work_per_second_max > 0);
        let per_second = match identity.entitlement().work_per_second_max {
            // One visitor of the pages would use up the work of all others. Each pays by address.
            0 if self.is_page_key(identity) => 0,
            0 => quotas.config.key_work_per_second_max,
            own => own,
        };
        let is_limited = identity.has_own_limit() && per_second > 0;
        let key = is_limited.then(|| (identity.clone(), per_second));
        (address.is_some() || key.is_some()).then(|| Payer { keys: self.clone(), address, key }.into())
    }

    /// Charges the verification of a token to the address that has sent it.
    pub(super) fn charge_verification(&self, address: Option<IpAddr>) {
        if let Some(number) =
            self.quotas.limited(address).filter(|_| self.quotas.config.address_work_per_second_max > 0)
        {
            self.quotas.charge(number, cells(VERIFICATION_WORK), Instant::now());
        }
    }
}

/// Returns the work as a number of cells.
fn cells(work: u64) -> u32 {
    u32::try_from(work).unwrap_or(u32::MAX)
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
        let of_key = self.key.as_ref().map(|(key, per_second)| Owed {
            is_of_key: true,
            wait: quotas.with_key(key.name(), *per_second, now, |work| work.wait(0, now)),
        });
        of_address.into_iter().chain(of_key).max_by_key(|owed| owed.wait).filter(|owed| !owed.wait.is_zero())
    }

    /// Charges the work of a request, in units of one event read.
    pub fn charge(&self, work: u64, now: Instant) {
        let work = cells(work);
        if work == 0 {
            return;
        }
        if let Some(number) = self.address {
            self.keys.quotas.charge(number, work, now);
        }
        if let Some((key, per_second)) = &self.key {
            self.keys.quotas.with_key(key.name(), *per_second, now, |limiter| limiter.charge(work, now));
        }
    }
}
