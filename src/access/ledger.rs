//! `Ledger`: a book for each of many clients, in bounded memory. Clients for whom there is no room share one book, so that new ones
//! get the strictest quota. A book of which nothing is used gives its place to another client.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use crate::domain::Timestamp;
use crate::rate::RateLimiter;

/// Least time between two searches for books that are not needed any more.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
const SWEEP_INTERVAL_MICROS: u64 = 1_000_000;
const MINUTE_MICROS: i64 = 60_000_000;

/// The part of a limit that a client has used.
pub(super) trait Book {
    /// A moment of the clock by which the limit is kept.
    type Moment: Copy;

    /// Returns whether nothing is used, as of a new book.
    fn is_unused(&self, now: Self::Moment) -> bool;

    /// Returns whether the ledger may be searched again after the search at `swept`.
    fn is_sweep_due(swept: Self::Moment, now: Self::Moment) -> bool;
}

/// The books of all clients.
#[derive(Debug)]
pub(super) struct Ledger<K, B: Book> {
    own: HashMap<K, B>,
    shared: B,
    swept: Option<B::Moment>,
}

impl<K: Eq + Hash, B: Book> Ledger<K, B> {
    /// Returns an empty ledger with the book of those who share one.
    pub(super) fn new(shared: B) -> Self {
        Self { own: HashMap::new(), shared, swept: None }
    }

    /// Returns the number of clients with a book of their own.
    pub(super) fn len(&self) -> usize {
        self.own.len()
    }

    /// Returns the book of a client, and whether it is its own. One without a book gets a `fresh` one, if there are fewer than `max`.
    pub(super) fn of(&mut self, client: K, max: usize, now: B::Moment, fresh: impl FnOnce() -> B) -> (&mut B, bool) {
        if !self.own.contains_key(&client) && !self.has_room(max, now) {
            return (&mut self.shared, false);
        }
        (self.own.entry(client).or_insert_with(fresh), true)
    }

    /// Returns the book in use of a client that has its own, or else the shared one.
    pub(super) fn kept(&mut self, client: Option<&K>) -> &mut B {
        client.and_then(|client| self.own.get_mut(client)).unwrap_or(&mut self.shared)
    }

    /// Returns whether there is room for another book, if need be after those of which nothing is used have been removed.
    fn has_room(&mut self, max: usize, now: B::Moment) -> bool {
        if self.own.len() >= max && self.swept.is_none_or(|swept| B::is_sweep_due(swept, now)) {
            self.swept = Some(now);
            self.own.retain(|_, book| !book.is_unused(now));
        }
        self.own.len() < max
    }
}

/// The work of one key.
impl Book for RateLimiter {
    type Moment = Instant;

    fn is_unused(&self, now: Instant) -> bool {
        Self::is_unused(self, now)
    }

    fn is_sweep_due(swept: Instant, now: Instant) -> bool {
        now.saturating_duration_since(swept) >= SWEEP_INTERVAL
    }
}

/// A count of one minute of the wall clock.
#[derive(Debug, Default)]
pub(super) struct Minute {
    start: Timestamp,
    count: u32,
}

impl Minute {
    /// Returns the count of the present minute, and the end of that.
    pub(super) fn present(&mut self, now: Timestamp) -> (&mut u32, Timestamp) {
        let start = now.floor_to(MINUTE_MICROS);
        if self.start != start {
            *self = Self { start, count: 0 };
        }
        (&mut self.count, start.plus_micros(MINUTE_MICROS))
    }
}

impl Book for Minute {
    type Moment = Timestamp;

    fn is_unused(&self, now: Timestamp) -> bool {
        self.start != now.floor_to(MINUTE_MICROS)
    }

    /// The wall clock may be set back.
    fn is_sweep_due(swept: Timestamp, now: Timestamp) -> bool {
        now.micros().abs_diff(swept.micros()) >= SWEEP_INTERVAL_MICROS
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    const USED_FOR: u64 = 3;

    /// Counts its uses, and is unused some time after the last one.
    #[derive(Clone, Copy, Debug, Default, PartialEq)]
    struct Uses {
        count: u32,
        until: u64,
    }

    impl Book for Uses {
        type Moment = u64;

        fn is_unused(&self, now: u64) -> bool {
            self.until <= now
        }

        fn is_sweep_due(swept: u64, now: u64) -> bool {
            now > swept
        }
    }

    proptest! {
        #[test]
        fn memory_is_bounded_what_is_used_is_kept_and_all_others_share_one_book(
            max in 1..6_usize, uses in prop::collection::vec((0..20_u32, 0..2_u64), 1..200),
        ) {
            let mut ledger = Ledger::<u32, Uses>::new(Uses::default());
            let (mut own, mut shared, mut now) = (HashMap::<u32, Uses>::new(), 0, 0);
            for (client, pause) in uses {
                now += pause;
                let (book, is_own) = ledger.of(client, max, now, Uses::default);
                (book.count, book.until) = (book.count + 1, now + USED_FOR);
                let count = book.count;
                prop_assert!(ledger.len() <= max);
                let in_use = own.values().filter(|book| !book.is_unused(now)).count();
                if let Some(before) = own.get(&client).filter(|book| !book.is_unused(now)) {
                    prop_assert!(is_own && count == before.count + 1, "a book in use is kept");
                } else if in_use == max {
                    prop_assert!(!is_own, "books in use give way to nobody");
                }
                if is_own {
                    own.insert(client, Uses { count, until: now + USED_FOR });
                } else {
                    shared += 1;
                    prop_assert_eq!(count, shared, "one book for all of them");
                }
            }
            // A quiet time makes room for anybody.
            now += USED_FOR;
            let (book, is_own) = ledger.of(1_000, max, now, Uses::default);
            prop_assert!(is_own && *book == Uses::default());
        }
    }

    #[test]
    fn a_minute_is_counted_for_itself_also_when_the_clock_is_set_back() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let mut minute = Minute::default();
        for (seconds, count) in [(60, 1), (119, 2), (120, 1), (61, 1), (62, 2)] {
            let (counted, end) = minute.present(at(seconds));
            *counted += 1;
            assert_eq!(
                (*counted, end),
                (count, at(seconds).floor_to(MINUTE_MICROS).plus_micros(MINUTE_MICROS)),
                "{seconds}"
            );
        }
        assert!(Minute::is_sweep_due(at(500), at(60)) && !Minute::is_sweep_due(at(60), at(60).plus_micros(999_999)));
    }
}
