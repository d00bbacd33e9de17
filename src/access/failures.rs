//! `Failures`: how often each address has sent wrong credentials in the present minute.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use crate::access::LimitsConfig;
use crate::access::network::counted;
use crate::domain::Timestamp;

const MINUTE_MICROS: i64 = 60_000_000;

/// The failures of all addresses. Further wrong credentials of an address over its limit are refused as too many until the minute
/// ends.
#[derive(Debug)]
pub(super) struct Failures {
    config: LimitsConfig,
    minute: Mutex<Minute>,
}

#[derive(Debug, Default)]
struct Minute {
    start: Timestamp,
    failed: HashMap<u128, u32>,
    /// The failures of the addresses for which `failed` has no room.
    others: u32,
}

impl Failures {
    /// Returns failures with these limits, none counted.
    pub(super) fn new(config: LimitsConfig) -> Self {
        Self { config, minute: Mutex::default() }
    }

    /// Checks that another wrong try of the address may be answered. An address that has no place of its own, because there are
    /// `limits.addresses_max` others, shares one with all such addresses.
    ///
    /// # Errors
    ///
    /// Returns after how many milliseconds it may try again.
    pub(super) fn check(&self, address: Option<IpAddr>, now: Timestamp) -> Result<(), u64> {
        let limit = self.config.address_failures_per_minute;
        let (Some(address), 1..) = (address, limit) else { return Ok(()) };
        let minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        if minute.start != now.floor_to(MINUTE_MICROS) {
            return Ok(());
        }
        let is_full = minute.failed.len() >= self.config.addresses_max;
        let shared = if is_full { minute.others } else { 0 };
        let failed = minute.failed.get(&counted(address)).copied().unwrap_or(shared);
        let end = minute.start.plus_micros(MINUTE_MICROS);
        let wait_ms = (end.micros() - now.micros()) / 1_000 + 1;
        if failed >= limit { Err(u64::try_from(wait_ms).unwrap_or(0)) } else { Ok(()) }
    }

    /// Counts wrong credentials of this address.
    pub(super) fn count(&self, address: Option<IpAddr>, now: Timestamp) {
        let Some(address) = address else { return };
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        let start = now.floor_to(MINUTE_MICROS);
        if start != minute.start {
            *minute = Minute { start, ..Minute::default() };
        }
        let Minute { failed, others, .. } = &mut *minute;
        let number = counted(address);
        let has_room = failed.len() < self.config.addresses_max || failed.contains_key(&number);
        let count = if has_room { failed.entry(number).or_default() } else { others };
        *count = count.saturating_add(1);
    }

    /// Returns the number of addresses that are counted.
    #[cfg(test)]
    fn addresses(&self) -> usize {
        self.minute.lock().unwrap_or_else(PoisonError::into_inner).failed.len()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from(0x7f00_0000 | number).into()
    }

    #[test]
    fn an_address_is_refused_for_the_rest_of_the_minute_and_no_other_one() {
        let failures = Failures::new(LimitsConfig { address_failures_per_minute: 2, ..LimitsConfig::default() });
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        for (seconds, is_good) in [(60, true), (90, true), (119, false), (120, true), (121, true), (122, false)] {
            let checked = failures.check(Some(address(1)), at(seconds));
            assert_eq!(checked.is_ok(), is_good, "{seconds}");
            assert_eq!(failures.check(Some(address(2)), at(seconds)), Ok(()));
            failures.count(Some(address(1)), at(seconds));
        }
        assert_eq!(failures.check(Some(address(1)), at(170)), Err(10_001));
    }

    #[test]
    fn a_hundred_thousand_addresses_take_bounded_memory_and_share_the_last_place() {
        let failures = Failures::new(LimitsConfig { address_failures_per_minute: 2, addresses_max: 1_000 });
        let now = Timestamp::from_micros(60_000_000);
        for number in 0..100_000 {
            failures.count(Some(address(number)), now);
        }
        assert_eq!(failures.addresses(), 1_000);
        assert_eq!(failures.check(Some(address(7)), now), Ok(()), "counted for itself");
        assert!(failures.check(Some(address(99_999)), now).is_err());
        assert!(failures.check(Some(address(200_000)), now).is_err(), "the strictest quota for every new one");
        let unlimited = Failures::new(LimitsConfig { address_failures_per_minute: 0, ..LimitsConfig::default() });
        (0..100).for_each(|_| unlimited.count(Some(address(1)), now));
        assert_eq!(unlimited.check(Some(address(1)), now), Ok(()));
    }
}
