//! `Failures`: how often each address has sent wrong credentials in the present minute.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use crate::access::LimitsConfig;
use crate::access::ledger::{Ledger, Minute};
use crate::access::network::counted;
use crate::domain::Timestamp;

/// The failures of all addresses. Further wrong credentials of an address over its limit are refused as too many until the minute
/// ends.
#[derive(Debug)]
pub(super) struct Failures {
    config: LimitsConfig,
    minutes: Mutex<Ledger<u128, Minute>>,
}

impl Failures {
    /// Returns failures with these limits, none counted.
    pub(super) fn new(config: LimitsConfig) -> Self {
        Self { config, minutes: Mutex::new(Ledger::new(Minute::default())) }
    }

    /// Counts wrong credentials of this address. An address that has no place of its own, because there are `limits.addresses_max`
    /// others, shares one with all such addresses.
    ///
    /// # Errors
    ///
    /// If there were too many before, returns after how many milliseconds wrong ones are answered as such again.
    pub(super) fn count(&self, address: Option<IpAddr>, now: Timestamp) -> Result<(), u64> {
        let limit = self.config.address_failures_per_minute;
        let (Some(address), 1..) = (address, limit) else { return Ok(()) };
        let mut minutes = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        let (minute, _) = minutes.of(counted(address), self.config.addresses_max, now, Minute::default);
        let (count, end) = minute.present(now);
        if *count >= limit {
            let wait_ms = (end.micros() - now.micros()) / 1_000 + 1;
            return Err(u64::try_from(wait_ms).unwrap_or(0));
        }
        *count += 1;
        Ok(())
    }

    /// Returns the number of addresses that are counted.
    #[cfg(test)]
    fn addresses(&self) -> usize {
        self.minutes.lock().unwrap_or_else(PoisonError::into_inner).len()
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
            assert_eq!(failures.count(Some(address(1)), at(seconds)).is_ok(), is_good, "{seconds}");
            let other = address(1_000 + u32::try_from(seconds).unwrap());
            assert_eq!(failures.count(Some(other), at(seconds)), Ok(()));
        }
        assert_eq!(failures.count(Some(address(1)), at(170)), Err(10_001));
    }

    #[test]
    fn a_hundred_thousand_addresses_take_bounded_memory_and_share_the_last_place() {
        let failures = Failures::new(LimitsConfig {
            address_failures_per_minute: 2,
            addresses_max: 1_000,
            ..LimitsConfig::default()
        });
        let now = Timestamp::from_micros(60_000_000);
        for number in 0..100_000 {
            assert_eq!(failures.count(Some(address(number)), now).is_ok(), number < 1_002, "{number}");
        }
        assert_eq!(failures.addresses(), 1_000);
        assert_eq!(failures.count(Some(address(7)), now), Ok(()), "counted for itself");
        assert!(failures.count(Some(address(99_999)), now).is_err());
        assert!(failures.count(Some(address(200_000)), now).is_err(), "the strictest quota for every new one");
        let unlimited = Failures::new(LimitsConfig { address_failures_per_minute: 0, ..LimitsConfig::default() });
        assert!((0..100).all(|_| unlimited.count(Some(address(1)), now).is_ok()));
        assert_eq!(unlimited.addresses(), 0);
    }
}
