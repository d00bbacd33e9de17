//! How many requests over HTTP each key has left in the present minute.

use std::sync::{Mutex, PoisonError};

use crate::access::ledger::{Ledger, Minute};
use crate::access::{Identity, Vendor};
use crate::domain::Timestamp;

/// Most names whose requests are counted in one minute: of words that clients have made up where any is accepted, and, apart from them, of
/// subjects of tokens. Those of further ones are counted together. The keys of the settings and of the key file are all counted.
const NAMES_MAX: usize = 4_096;

/// Where a name comes from. Each kind has places of its own, so that made-up words take none from anybody else.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// From the settings or the key file.
    Listed,
    /// From a verified token.
    Token,
    /// From the client, who is nobody in particular.
    MadeUp,
}

/// The requests of each key in the present minute.
#[derive(Debug)]
pub(super) struct Allowances {
    requests_max: u32,
    /// By [`Kind`].
    minutes: Mutex<[Ledger<(Vendor, String), Minute>; 3]>,
}

/// The requests that a key has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Requests per minute.
    pub limit: u32,
    /// Requests that are left in this minute, after the present one.
    pub remaining: u32,
    /// The end of the minute, in seconds since 1970.
    pub reset_s: i64,
    /// Seconds until then.
    pub wait_s: i64,
    /// Whether the present request is one too many.
    pub is_exceeded: bool,
}

impl Allowances {
    /// Returns allowances of so many requests per minute, none used.
    pub(super) fn new(requests_max: u32) -> Self {
        let ledger = || Ledger::new(Minute::default());
        Self { requests_max, minutes: Mutex::new([ledger(), ledger(), ledger()]) }
    }

    /// Counts a request of the key, which is of this kind.
    pub(super) fn spend(&self, vendor: Vendor, key: &Identity, kind: Kind, now: Timestamp) -> Allowance {
        let mut minutes = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        let keys_max = if matches!(kind, Kind::Listed) { usize::MAX } else { NAMES_MAX };
        let (minute, _) = minutes[kind as usize].of((vendor, key.name().to_owned()), keys_max, now, Minute::default);
        let (used, end) = minute.present(now);
        let is_exceeded = *used >= self.requests_max;
        *used = used.saturating_add(1);
        Allowance {
            limit: self.requests_max,
            remaining: self.requests_max.saturating_sub(*used),
            reset_s: end.micros() / 1_000_000,
            wait_s: (end.micros() - now.micros()).div_euclid(1_000_000) + 1,
            is_exceeded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Caller, Credentials, Keys, KeysConfig};

    #[test]
    fn each_key_has_its_requests_in_each_minute() {
        let config = KeysConfig { requests_per_minute_max: 2, ..KeysConfig::default() };
        let keys = Keys::new(&config, true);
        let key = |secret: &str| {
            keys.check(Vendor::Alpaca, Credentials::Pair { id: secret, secret }, &Caller::default()).unwrap()
        };
        let spend = |secret: &str, seconds: i64| {
            let now = Timestamp::from_micros(seconds * 1_000_000);
            let allowance = keys.spend(Vendor::Alpaca, &key(secret), now);
            (allowance.remaining, allowance.is_exceeded, allowance.reset_s)
        };
        assert_eq!(
            [spend("a", 61), spend("a", 61), spend("a", 119)],
            [(1, false, 120), (0, false, 120), (0, true, 120)]
        );
        assert_eq!(spend("b", 119), (1, false, 120));
        assert_eq!(spend("a", 120), (1, false, 180));
        for number in 0..NAMES_MAX {
            spend(&number.to_string(), 180);
        }
        assert_eq!([spend("x", 180), spend("y", 180), spend("z", 180)].map(|spent| spent.1), [false, false, true]);
        assert!(!spend("1", 180).1, "its second request");
        assert!(spend("1", 180).1);
    }
}
