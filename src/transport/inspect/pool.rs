//! The captures of the whole process. If there is no free place, the oldest capture that has waited long for its socket is
//! ended, or else one of the address with the most captures, in favour of an address with fewer.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::capture::Capture;

/// A capture without a socket is safe from being ended for so long. The page opens its socket at once.
const SOCKETLESS_MAX: Duration = Duration::from_secs(5);

/// The client that has asked for a capture.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    /// The name of its identity; empty without a key.
    pub(super) name: String,
    pub(super) address: Option<IpAddr>,
}

/// Every capture, by name.
pub(super) struct Pool {
    captures_max: usize,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    by_name: HashMap<String, Entry>,
    /// How many captures there have been; numbers them by age.
    captures: u64,
}

struct Entry {
    capture: Arc<Capture>,
    owner: Owner,
    number: u64,
    began: Instant,
    is_waiting: bool,
}

impl Pool {
    /// Returns a pool of at most `captures_max` captures, at least 1.
    pub(super) fn new(captures_max: usize) -> Self {
        Self { captures_max, entries: Mutex::default() }
    }

    /// Adds a capture of this client; returns false if there is no place.
    pub(super) fn insert(&self, name: &str, capture: &Arc<Capture>, owner: Owner, now: Instant) -> bool {
        let mut entries = self.entries();
        if entries.by_name.len() >= self.captures_max && !entries.make_room(owner.address, now) {
            return false;
        }
        entries.captures += 1;
        let number = entries.captures;
        let entry = Entry { capture: capture.clone(), owner, number, began: now, is_waiting: true };
        entries.by_name.insert(name.into(), entry);
        true
    }

    /// Takes the capture with this name, if it waits for its socket, and belongs to the identity with the name `owner`; to any if that is
    /// `None`.
    pub(super) fn open(&self, name: &str, owner: Option<&str>) -> Option<Arc<Capture>> {
        let mut entries = self.entries();
        let is_of = |entry: &Entry| owner.is_none_or(|owner| entry.owner.name == owner);
        let entry = entries.by_name.get_mut(name).filter(|entry| entry.is_waiting && is_of(entry))?;
        entry.is_waiting = false;
        Some(entry.capture.clone())
    }

    /// Returns whether the capture with this name waits for its socket; `None` if it has been ended.
    pub(super) fn is_waiting(&self, name: &str) -> Option<bool> {
        self.entries().by_name.get(name).map(|entry| entry.is_waiting)
    }

    /// Removes a capture.
    pub(super) fn remove(&self, name: &str) {
        self.entries().by_name.remove(name);
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    /// Ends the oldest capture that has waited long for its socket; or else the oldest of the address with the most, if that
    /// has at least two more than `address`.
    fn make_room(&mut self, address: Option<IpAddr>, now: Instant) -> bool {
        let is_late = |entry: &Entry| entry.is_waiting && now.saturating_duration_since(entry.began) >= SOCKETLESS_MAX;
        if self.end_oldest(is_late) {
            return true;
        }
        let mut counts: HashMap<Option<IpAddr>, usize> = HashMap::new();
        for entry in self.by_name.values() {
            *counts.entry(entry.owner.address).or_default() += 1;
        }
        let own = counts.get(&address).copied().unwrap_or(0);
        let Some((largest, count)) = counts.into_iter().max_by_key(|(_, count)| *count) else { return false };
        count >= own + 2 && self.end_oldest(|entry| entry.owner.address == largest)
    }

    /// Ends the oldest of the captures that `gives` selects; returns whether there was one.
    fn end_oldest(&mut self, gives: impl Fn(&Entry) -> bool) -> bool {
        let candidates = self.by_name.iter().filter(|(_, entry)| gives(entry));
        let oldest = candidates.min_by_key(|(_, entry)| entry.number).map(|(name, _)| name.clone());
        let Some(entry) = oldest.and_then(|oldest| self.by_name.remove(&oldest)) else { return false };
        entry.capture.dismiss();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ManualClock, Timestamp};
    use crate::metrics::SharedMetrics;

    fn insert(pool: &Pool, name: &str, address: [u8; 4]) -> bool {
        insert_at(pool, name, address, Instant::now(), &SharedMetrics::default())
    }

    fn insert_at(pool: &Pool, name: &str, address: [u8; 4], now: Instant, metrics: &SharedMetrics) -> bool {
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(7)));
        let capture = Arc::new(Capture::new(1_024, clock, metrics.clone()));
        let owner = Owner { name: "desk7".into(), address: Some(IpAddr::from(address)) };
        pool.insert(name, &capture, owner, now)
    }

    #[test]
    fn the_address_with_most_captures_loses_its_oldest_to_others_until_they_have_as_many() {
        let pool = Pool::new(4);
        for name in ["a", "b", "c", "d"] {
            assert!(insert(&pool, name, [1; 4]));
        }
        assert!(!insert(&pool, "e", [1; 4]), "the address has the whole pool");
        assert!(insert(&pool, "f", [2; 4]) && insert(&pool, "g", [3; 4]));
        let waiting = ["a", "b", "c", "d", "f", "g"].map(|name| pool.is_waiting(name).is_some());
        assert_eq!(waiting, [false, false, true, true, true, true]);
        assert!(!insert(&pool, "h", [2; 4]) && insert(&pool, "i", [4; 4]));
        assert!(!insert(&pool, "j", [5; 4]), "nobody has more than one");
    }

    #[test]
    fn a_capture_without_a_socket_is_ended_after_a_while() {
        let (pool, start, metrics) = (Pool::new(2), Instant::now(), SharedMetrics::default());
        let insert_at = |name, now| insert_at(&pool, name, [1; 4], now, &metrics);
        assert!(insert_at("a", start) && insert_at("b", start));
        assert!(pool.open("a", Some("desk7")).is_some());
        assert!(!insert_at("c", start + SOCKETLESS_MAX / 2));
        assert_eq!(metrics.captures_dismissed.get(), 0);
        assert!(insert_at("d", start + SOCKETLESS_MAX));
        assert_eq!(metrics.captures_dismissed.get(), 1);
        assert_eq!(["a", "b", "d"].map(|name| pool.is_waiting(name)), [Some(false), None, Some(true)]);
    }

    #[test]
    fn a_name_opens_one_socket_of_its_owner() {
        let pool = Pool::new(1);
        assert!(insert(&pool, "a", [1; 4]));
        for owner in ["", "desk", "desk77", "DESK7"] {
            assert!(pool.open("a", Some(owner)).is_none(), "{owner}");
        }
        assert_eq!(pool.is_waiting("a"), Some(true));
        let open = |name| pool.open(name, Some("desk7")).is_some();
        assert_eq!([open("b"), open("a"), open("a")], [false, true, false]);
        assert_eq!(pool.is_waiting("a"), Some(false));
        pool.remove("a");
        assert!(insert(&pool, "b", [1; 4]));
    }
}
