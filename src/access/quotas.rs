//! `Quotas`: what each address has used of its limits: its sessions, how fast it begins new ones, and the work of its requests. The
//! work of each key is in `payer.rs`.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::access::network::counted;
use crate::access::payer::KeyBooks;
use crate::access::{Keys, LimitsConfig};
use crate::metrics::SharedMetrics;
use crate::rate::RateLimiter;

/// Least time between two searches for books that are not needed any more.
pub(super) const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// The quotas of all addresses.
pub(super) struct Quotas {
    pub(super) config: LimitsConfig,
    books: Mutex<Books>,
    keys: Mutex<KeyBooks>,
    pub(super) metrics: SharedMetrics,
}

/// One book for each address, at most `limits.addresses_max`, and one for all others together.
struct Books {
    of_address: HashMap<u128, Book>,
    others: Book,
    swept: Option<Instant>,
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
        let others = Book::new(&config, now);
        let books = Mutex::new(Books { of_address: HashMap::new(), others, swept: None });
        let keys = Mutex::new(KeyBooks::new(config.key_work_per_second_max, now));
        Self { config, books, keys, metrics }
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number by which this address is counted, if the limits hold for it.
    pub(super) fn limited(&self, address: Option<IpAddr>) -> Option<u128> {
        address.filter(|address| !self.config.exempt.contains(*address)).map(counted)
    }

    fn knock(&self, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        let (Some(number), 1..) = (self.limited(address), self.config.address_handshakes_per_second) else {
            return Ok(());
        };
        let mut books = self.lock();
        let (book, _) = books.of(number, &self.config, &self.metrics, now);
        if book.handshakes.allow(1, now) {
            return Ok(());
        }
        self.metrics.count_limit("address_handshakes");
        Err(book.handshakes.wait(1, now))
    }

    /// Takes a place; returns the number of the address, if it has a book of its own.
    fn enter(&self, number: u128, now: Instant) -> Result<Option<u128>, Crowded> {
        let mut books = self.lock();
        let (book, is_own) = books.of(number, &self.config, &self.metrics, now);
        let max = self.config.address_connections_max;
        if max > 0 && book.sessions >= max {
            self.metrics.count_limit("address_connections");
            return Err(Crowded);
        }
        book.sessions += 1;
        Ok(is_own.then_some(number))
    }

    fn leave(&self, address: Option<u128>) {
        let books = &mut *self.lock();
        let book = address.and_then(|number| books.of_address.get_mut(&number)).unwrap_or(&mut books.others);
        book.sessions = book.sessions.saturating_sub(1);
    }
}

/// The work of requests.
impl Quotas {
    /// Returns for how long the next request of an address must wait.
    pub(super) fn work_wait(&self, number: u128, now: Instant) -> Duration {
        let books = self.lock();
        let is_full = books.of_address.len() >= self.config.addresses_max;
        let book = books.of_address.get(&number).or(is_full.then_some(&books.others));
        book.map_or(Duration::ZERO, |book| book.work.wait(0, now))
    }

    /// Charges work to an address.
    pub(super) fn charge(&self, number: u128, work: u32, now: Instant) {
        self.lock().of(number, &self.config, &self.metrics, now).0.work.charge(work, now);
    }

    fn lock_keys(&self) -> MutexGuard<'_, KeyBooks> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns for how long the next request of a key must wait.
    pub(super) fn key_wait(&self, name: &str, now: Instant) -> Duration {
        self.lock_keys().wait(name, self.config.addresses_max, now)
    }

    /// Charges work to a key.
    pub(super) fn charge_key(&self, name: &str, work: u32, now: Instant) {
        self.lock_keys().charge(name, work, self.config.addresses_max, now);
    }
}

/// The address has as many sessions as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowded;

impl Books {
    /// Returns the book of an address, and whether it is its own.
    fn of(&mut self, number: u128, config: &LimitsConfig, metrics: &SharedMetrics, now: Instant) -> (&mut Book, bool) {
        if !self.of_address.contains_key(&number) && !self.has_room(config.addresses_max, metrics, now) {
            metrics.count_limit("addresses");
            return (&mut self.others, false);
        }
        let book = self.of_address.entry(number).or_insert_with(|| {
            metrics.addresses.inc();
            Book::new(config, now)
        });
        (book, true)
    }

    /// Returns whether there is room for another book, if need be after those have been removed of which nothing is used.
    fn has_room(&mut self, max: usize, metrics: &SharedMetrics, now: Instant) -> bool {
        if self.of_address.len() < max {
            return true;
        }
        if self.swept.is_none_or(|swept| now.saturating_duration_since(swept) >= SWEEP_INTERVAL) {
            self.swept = Some(now);
            self.of_address.retain(|_, book| !book.is_unused(now));
            metrics.addresses.set(i64::try_from(self.of_address.len()).unwrap_or(i64::MAX));
        }
        self.of_address.len() < max
    }
}

impl Book {
    fn new(config: &LimitsConfig, now: Instant) -> Self {
        let period = Duration::from_secs(1) / config.address_handshakes_per_second.max(1);
        let handshakes = RateLimiter::every(period, config.address_burst, now);
        Self { sessions: 0, handshakes, work: RateLimiter::per_second(config.address_work_per_second_max, now) }
    }

    fn is_unused(&self, now: Instant) -> bool {
        self.sessions == 0 && self.handshakes.is_unused(now) && self.work.is_unused(now)
    }
}

impl Keys {
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
        assert_eq!(quotas.lock().of_address.len(), 2);
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
        for name in ["a", "b", "c", "d"] {
            quotas.charge_key(name, 60, now);
        }
        let waits = ["a", "b", "c", "d", "e"].map(|name| quotas.key_wait(name, now).as_secs());
        assert_eq!(waits, [1, 1, 7, 7, 7], "further keys share a book");
        assert_eq!(quotas.lock_keys().len(), 2);
        quotas.charge_key("e", 60, now + Duration::from_mins(1));
        assert_eq!(quotas.key_wait("e", now + Duration::from_mins(1)).as_secs(), 1, "it has a book of its own now");
    }

    #[test]
    fn a_hundred_thousand_addresses_take_bounded_memory_and_share_the_last_book() {
        let now = Instant::now();
        let config = LimitsConfig { addresses_max: 1_000, address_burst: 2, ..LimitsConfig::default() };
        let quotas = quotas(config, now);
        let admitted = (0..100_000).filter(|number| quotas.knock(Some(address(*number)), now).is_ok()).count();
        assert_eq!((admitted, quotas.lock().of_address.len()), (1_002, 1_000));
        assert_eq!(quotas.knock(Some(address(7)), now), Ok(()), "it has a book of its own");
        assert!(quotas.knock(Some(address(200_000)), now).is_err(), "the strictest quota for every new one");
        // One of them has a session, and keeps its book.
        assert_eq!(quotas.enter(counted(address(8)), now), Ok(Some(0x7f00_0008)));
        let later = now + Duration::from_secs(2);
        assert_eq!(quotas.knock(Some(address(200_000)), later), Ok(()));
        assert_eq!(
            (quotas.lock().of_address.len(), quotas.metrics.addresses.get()),
            (2, 2),
            "books of which nothing is used are removed"
        );
        assert_eq!(quotas.metrics.limited("addresses"), 99_001);
    }
}
