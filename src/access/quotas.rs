//! `Quotas`: what each address has used of its limits: its sessions, how fast it begins new ones, and the work of its requests; and the
//! work of each key.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::access::config::WORK_MAX;
use crate::access::ledger::{self, Ledger};
use crate::access::network::counted;
use crate::access::{Keys, LimitsConfig};
use crate::metrics::SharedMetrics;
use crate::rate::RateLimiter;

/// The quotas of all addresses.
pub(super) struct Quotas {
    pub(super) config: LimitsConfig,
    /// A book for each address, at most `limits.addresses_max`.
    addresses: Mutex<Ledger<u128, Book>>,
    /// The work of each key, of as many keys at most.
    keys: Mutex<Ledger<String, RateLimiter>>,
    pub(super) metrics: SharedMetrics,
}

/// The quota that an address has used.
struct Book {
    sessions: usize,
    handshakes: RateLimiter,
    work: RateLimiter,
}

/// The place of a session among those of its address, until it is dropped.
pub struct Lodging {
    keys: Arc<Keys>,
    /// `None` if the address has no book of its own.
    address: Option<u128>,
}

impl Quotas {
    /// Returns quotas of which nothing is used.
    pub(super) fn new(config: LimitsConfig, metrics: SharedMetrics, now: Instant) -> Self {
        let addresses = Mutex::new(Ledger::new(Book::new(&config, now)));
        let keys = Mutex::new(Ledger::new(RateLimiter::per_second(
            match config.key_work_per_second_max {
                // Keys without a budget have no book; those with one of their own share this one when there are too many.
                0 => WORK_MAX,
                max => max,
            },
            now,
        )));
        Self { config, addresses, keys, metrics }
    }

    /// Lets `act` see the book of an address, and whether it is its own.
    fn with_book<T>(&self, number: u128, now: Instant, act: impl FnOnce(&mut Book, bool) -> T) -> T {
        let mut books = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let (book, is_own) = books.of(number, self.config.addresses_max, now, || Book::new(&self.config, now));
        let done = act(book, is_own);
        if !is_own {
            self.metrics.count_limit("addresses");
        }
        self.metrics.addresses.set(i64::try_from(books.len()).unwrap_or(i64::MAX));
        done
    }

    /// Returns the number by which this address is counted, if the limits hold for it.
    pub(super) fn limited(&self, address: Option<IpAddr>) -> Option<u128> {
        address.filter(|address| !self.config.exempt.contains(*address)).map(counted)
    }

    fn knock(&self, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        let (Some(number), 1..) = (self.limited(address), self.config.address_handshakes_per_second) else {
            return Ok(());
        };
        let knocked = self.with_book(number, now, |book, _| {
            if book.handshakes.allow(1, now) { Ok(()) } else { Err(book.handshakes.wait(1, now)) }
        });
        knocked.inspect_err(|_| self.metrics.count_limit("address_handshakes"))
    }

    /// Takes a place; returns the number of the address, if it has a book of its own.
    fn enter(&self, number: u128, now: Instant) -> Result<Option<u128>, Crowded> {
        let max = self.config.address_connections_max;
        let entered = self.with_book(number, now, |book, is_own| {
            if max > 0 && book.sessions >= max {
                return Err(Crowded);
            }
            book.sessions += 1;
            Ok(is_own.then_some(number))
        });
        entered.inspect_err(|_| self.metrics.count_limit("address_connections"))
    }

    fn leave(&self, address: Option<u128>) {
        let mut books = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let book = books.kept(address.as_ref());
        book.sessions = book.sessions.saturating_sub(1);
    }
}

/// The work of requests.
impl Quotas {
    /// Returns for how long the next request of an address must wait.
    pub(super) fn work_wait(&self, number: u128, now: Instant) -> Duration {
        self.with_book(number, now, |book, _| book.work.wait(0, now))
    }

    /// Charges work to an address.
    pub(super) fn charge(&self, number: u128, work: u32, now: Instant) {
        self.with_book(number, now, |book, _| book.work.charge(work, now));
    }

    /// Lets `act` see the work of a key that may cause so much per second.
    pub(super) fn with_key<T>(
        &self,
        name: &str,
        per_second: u32,
        now: Instant,
        act: impl FnOnce(&mut RateLimiter) -> T,
    ) -> T {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || RateLimiter::per_second(per_second, now);
        let (work, is_own) = keys.of(name.to_owned(), self.config.addresses_max, now, fresh);
        if is_own {
            // It may have changed with the key file.
            work.set_cells(per_second, now);
        }
        act(work)
    }
}

/// The address has as many sessions as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowded;

impl Book {
    fn new(config: &LimitsConfig, now: Instant) -> Self {
        let period = Duration::from_secs(1) / config.address_handshakes_per_second.max(1);
        let handshakes = RateLimiter::every(period, config.address_burst, now);
        Self { sessions: 0, handshakes, work: RateLimiter::per_second(config.address_work_per_second_max, now) }
    }
}

impl ledger::Book for Book {
    type Moment = Instant;

    fn is_unused(&self, now: Instant) -> bool {
        self.sessions == 0 && self.handshakes.is_unused(now) && self.work.is_unused(now)
    }

    fn is_sweep_due(swept: Instant, now: Instant) -> bool {
        <RateLimiter as ledger::Book>::is_sweep_due(swept, now)
    }
}

impl Keys {
    /// Returns the number by which this address is counted; `None` if no limit holds for it.
    pub fn number_of(&self, address: Option<IpAddr>) -> Option<u128> {
        self.quotas.limited(address)
    }

    /// Counts a new session of this address (`limits.address_handshakes_per_second`).
    ///
    /// # Errors
    ///
    /// Returns after which time the next one is permitted.
    pub fn knock(&self, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        self.quotas.knock(address, now)
    }

    /// Takes a place for a session of this address; none is needed if no limit holds for it.
    ///
    /// # Errors
    ///
    /// Returns an error if the address has `limits.address_connections_max` sessions.
    pub fn lodge(self: &Arc<Self>, address: Option<IpAddr>, now: Instant) -> Result<Option<Box<Lodging>>, Crowded> {
        let Some(number) = self.quotas.limited(address) else { return Ok(None) };
        let address = self.quotas.enter(number, now)?;
        // Boxed, because most sessions of a server for this machine have none.
        Ok(Some(Lodging { keys: self.clone(), address }.into()))
    }
}

impl Drop for Lodging {
    fn drop(&mut self) {
        self.keys.quotas.leave(self.address);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::access::Networks;

    const MS: Duration = Duration::from_millis(1);

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from(0x7f00_0000 | number).into()
    }

    fn quotas(mut config: LimitsConfig, now: Instant) -> Quotas {
        config.exempt = Networks::default();
        Quotas::new(config, SharedMetrics::default(), now)
    }

    #[test]
    fn an_address_begins_a_burst_of_sessions_and_then_so_many_a_second() {
        let now = Instant::now();
        let config = LimitsConfig { address_handshakes_per_second: 20, address_burst: 3, ..LimitsConfig::default() };
        let quotas = quotas(config, now);
        let knock = |number, now| quotas.knock(Some(address(number)), now);
        assert_eq!([(); 4].map(|()| knock(1, now)), [Ok(()), Ok(()), Ok(()), Err(50 * MS)]);
        assert_eq!(knock(2, now), Ok(()), "another address");
        assert_eq!(knock(1, now + 49 * MS), Err(MS));
        assert_eq!([knock(1, now + 50 * MS), knock(1, now + 50 * MS)], [Ok(()), Err(50 * MS)]);
        assert_eq!(quotas.metrics.limited("address_handshakes"), 3);
    }

    #[test]
    fn sessions_of_an_address_are_counted_until_they_end() {
        let now = Instant::now();
        let quotas = quotas(LimitsConfig { address_connections_max: 2, ..LimitsConfig::default() }, now);
        assert_eq!([(); 3].map(|()| quotas.enter(1, now)), [Ok(Some(1)), Ok(Some(1)), Err(Crowded)]);
        assert_eq!(quotas.enter(2, now), Ok(Some(2)));
        quotas.leave(Some(1));
        assert_eq!([(); 2].map(|()| quotas.enter(1, now)), [Ok(Some(1)), Err(Crowded)]);
    }

    #[test]
    fn addresses_of_ipv6_share_their_first_half_and_exempt_networks_have_no_limit() {
        let now = Instant::now();
        let exempt = Networks::parse(&["127.0.0.0/8"]).unwrap();
        let config = LimitsConfig { address_burst: 1, exempt, ..LimitsConfig::default() };
        let quotas = Quotas::new(config, SharedMetrics::default(), now);
        let knock = |text: &str| quotas.knock(text.parse().ok(), now).is_ok();
        assert!(knock("2001:db8::1") && !knock("2001:db8::2") && knock("2001:db8:0:1::1"));
        assert!((0..100).all(|_| knock("127.0.0.1") && knock("::ffff:127.0.0.2")));
        assert_eq!(quotas.addresses.lock().unwrap().len(), 2);
    }

    #[test]
    fn work_is_owed_until_it_has_been_worked_off_at_the_rate() {
        let now = Instant::now();
        let config =
            LimitsConfig { address_work_per_second_max: 100, key_work_per_second_max: 10, ..LimitsConfig::default() };
        let quotas = quotas(LimitsConfig { addresses_max: 2, ..config }, now);
        quotas.charge(1, 500, now);
        assert_eq!((quotas.work_wait(1, now), quotas.work_wait(2, now)), (Duration::ZERO, Duration::ZERO), "the burst");
        quotas.charge(1, 200, now);
        assert_eq!((quotas.work_wait(1, now), quotas.work_wait(2, now)), (2_000 * MS, Duration::ZERO));
        assert_eq!(quotas.work_wait(1, now + 2_000 * MS), Duration::ZERO);
        let charge = |name, now| quotas.with_key(name, 10, now, |work| work.charge(60, now));
        let wait = |name, now| quotas.with_key(name, 10, now, |work| work.wait(0, now).as_secs());
        for name in ["a", "b", "c", "d"] {
            charge(name, now);
        }
        let waits = ["a", "b", "c", "d", "e"].map(|name| wait(name, now));
        assert_eq!(waits, [1, 1, 7, 7, 7], "further keys share a book");
        assert_eq!(quotas.keys.lock().unwrap().len(), 2);
        let later = now + Duration::from_mins(1);
        charge("e", later);
        assert_eq!(wait("e", later), 1, "it has a book of its own now");
        assert_eq!(quotas.with_key("e", 20, later, |work| work.wait(0, later)), Duration::ZERO, "60 of 100 at once");
    }

    #[test]
    fn a_hundred_thousand_addresses_take_bounded_memory_and_share_the_last_book() {
        let now = Instant::now();
        let config = LimitsConfig { addresses_max: 1_000, address_burst: 2, ..LimitsConfig::default() };
        let quotas = quotas(config, now);
        let admitted = (0..100_000).filter(|number| quotas.knock(Some(address(*number)), now).is_ok()).count();
        assert_eq!((admitted, quotas.addresses.lock().unwrap().len()), (1_002, 1_000));
        assert_eq!(quotas.knock(Some(address(7)), now), Ok(()), "it has a book of its own");
        assert!(quotas.knock(Some(address(200_000)), now).is_err(), "the strictest quota for every new one");
        // One of them has a session, and keeps its book.
        assert_eq!(quotas.enter(counted(address(8)), now), Ok(Some(0x7f00_0008)));
        let later = now + Duration::from_secs(2);
        assert_eq!(quotas.knock(Some(address(200_000)), later), Ok(()));
        assert_eq!(
            (quotas.addresses.lock().unwrap().len(), quotas.metrics.addresses.get()),
            (2, 2),
            "books of which nothing is used are removed"
        );
        assert_eq!(quotas.metrics.limited("addresses"), 99_001);
    }
}
