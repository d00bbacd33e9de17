//! The counters of credentials, tokens, renewals and limits.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;

use crate::metrics::{AUTH_WAYS, Metrics};

impl Metrics {
    /// Counts a check of credentials of this way, one of [`AUTH_WAYS`], with this result, one of [`AUTH_RESULTS`](crate::metrics::AUTH_RESULTS).
    pub fn count_auth(&self, way: &'static str, result: &'static str) {
        self.auth.of(way, result).inc();
    }

    /// Returns how many checks of credentials had this result, over all ways.
    pub fn auth(&self, result: &'static str) -> u64 {
        AUTH_WAYS.into_iter().map(|way| self.auth.of(way, result).get()).sum()
    }

    /// Counts a read of the issuer's keys.
    pub fn count_jwks_refresh(&self, is_good: bool) {
        self.jwks_refreshes.of(if is_good { "good" } else { "failed" }).inc();
    }

    /// Returns how many reads of the issuer's keys were good, or have failed.
    pub fn jwks_refreshes(&self, is_good: bool) -> u64 {
        self.jwks_refreshes.of(if is_good { "good" } else { "failed" }).get()
    }

    /// Sets the time since the last good read of the issuer's keys, in microseconds.
    pub fn set_jwks_age(&self, micros: i64) {
        self.jwks_age.0.set(Duration::from_micros(u64::try_from(micros).unwrap_or(0)).as_secs_f64());
    }

    /// Counts a request `auth` with this result, one of [`RENEWAL_RESULTS`](crate::metrics::RENEWAL_RESULTS).
    pub fn count_renewal(&self, result: &'static str) {
        self.auth_renewals.of(result).inc();
    }

    /// Returns how many requests `auth` had this result.
    pub fn renewals(&self, result: &'static str) -> u64 {
        self.auth_renewals.of(result).get()
    }

    /// Counts a client that is refused or ended because of this limit, one of [`LIMITS`](crate::metrics::LIMITS).
    pub fn count_limit(&self, limit: &'static str) {
        self.limit_refused.of(limit).inc();
    }

    /// Returns how many clients were refused or ended because of this limit.
    pub fn limited(&self, limit: &'static str) -> u64 {
        self.limit_refused.of(limit).get()
    }

    /// Returns the counter of what has become of tickets, one of [`TICKET_RESULTS`](crate::metrics::TICKET_RESULTS).
    pub fn tickets(&self, result: &'static str) -> Counter {
        self.tickets.of(result)
    }
}
