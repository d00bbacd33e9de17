//! `Quotas`: what each address has used of its limits: its sessions, and how fast it begins new ones.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::access::network::counted;
use crate::access::{Keys, LimitsConfig};
use crate::metrics::SharedMetrics;
use crate::rate::RateLimiter;

/// Least time between two searches for books that are not needed any more.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// The quotas of all addresses.
pub(super) struct Quotas {
    config: LimitsConfig,
    books: Mutex<Books>,
    metrics: SharedMetrics,
}

/// One book for each address, at most `limits.addresses_max`, and one for all others together.
struct Books {
    of_address: HashMap<u128, Book>,
    others: Book,
    swept: Option<Instant>,
}

/// What an address has used.
struct Book {
    sessions: usize,
    handshakes: RateLimiter,
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
        Self { config, books: Mutex::new(Books { of_address: HashMap::new(), others, swept: None }), metrics }
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number by which this address is counted, if the limits hold for it.
    fn limited(&self, address: Option<IpAddr>) -> Option<u128> {
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
        Self { sessions: 0, handshakes: RateLimiter::every(period, config.address_burst, now) }
    }

    fn is_unused(&self, now: Instant) -> bool {
        self.sessions == 0 && self.handshakes.is_unused(now)
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
