//! `Strangers`: the sessions whose clients have not shown a key yet, and which of them ends when there are too many.
//!
//! A session in the dialect of a vendor is opened before its client has authenticated, and takes a place of
//! `server.connections_max`. Without a limit, silent clients would take all of them.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::access::Keys;
use crate::access::network::counted;
use crate::metrics::SharedMetrics;

/// The sessions of all strangers, at most `auth.pending_max`.
pub(super) struct Strangers {
    max: usize,
    waiting: Mutex<Waiting>,
    metrics: SharedMetrics,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    /// By age, the oldest first.
    sessions: BTreeMap<u64, Session>,
    /// The number of sessions of each address; no entry is 0.
    of_address: HashMap<u128, usize>,
}

struct Session {
    address: u128,
    end: Box<dyn FnOnce() + Send>,
}

/// A session whose client has not shown a key, until this is dropped.
pub struct Stranger {
    keys: Arc<Keys>,
    number: u64,
}

impl Strangers {
    /// Returns an empty list of at most so many sessions.
    pub(super) fn new(max: usize, metrics: SharedMetrics) -> Self {
        Self { max, waiting: Mutex::default(), metrics }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, address: Option<IpAddr>, end: impl FnOnce() + Send + 'static) -> u64 {
        let address = address.map_or(u128::MAX, counted);
        let mut waiting = self.lock();
        let number = waiting.next;
        waiting.next += 1;
        waiting.sessions.insert(number, Session { address, end: Box::new(end) });
        *waiting.of_address.entry(address).or_default() += 1;
        let ended = if waiting.sessions.len() > self.max { waiting.take_one() } else { None };
        self.metrics.strangers.set(i64::try_from(waiting.sessions.len()).unwrap_or(i64::MAX));
        drop(waiting);
        // Without the lock: the session may end at once.
        if let Some(ended) = ended {
            self.metrics.count_limit("pending");
            (ended.end)();
        }
        number
    }

    fn leave(&self, number: u64) {
        let mut waiting = self.lock();
        waiting.remove(number);
        self.metrics.strangers.set(i64::try_from(waiting.sessions.len()).unwrap_or(i64::MAX));
    }
}

impl Waiting {
    /// Takes out the oldest session of an address that has the most. So strangers of one address end each other, and not those of
    /// other addresses.
    fn take_one(&mut self) -> Option<Session> {
        let most = self.of_address.values().max()?;
        let is_of_most = |session: &Session| self.of_address.get(&session.address) == Some(most);
        let number = self.sessions.iter().find(|(_, session)| is_of_most(session)).map(|(number, _)| *number)?;
        self.remove(number)
    }

    fn remove(&mut self, number: u64) -> Option<Session> {
        let session = self.sessions.remove(&number)?;
        if let Some(count) = self.of_address.get_mut(&session.address) {
            *count -= 1;
            if *count == 0 {
                self.of_address.remove(&session.address);
            }
        }
        Some(session)
    }
}

impl Keys {
    /// Counts a session whose client has not shown a key, until the result is dropped. If there are more than `auth.pending_max`, the
    /// `end` of one of them is called, on this thread: of the oldest one of the address that has the most.
    pub fn await_key(self: &Arc<Self>, address: Option<IpAddr>, end: impl FnOnce() + Send + 'static) -> Stranger {
        let number = self.strangers.enter(address, end);
        Stranger { keys: self.clone(), number }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.keys.strangers.leave(self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    type Ended = Arc<Mutex<Vec<u32>>>;

    fn enter(strangers: &Strangers, ended: &Ended, address: u32, name: u32) -> u64 {
        let ended = ended.clone();
        strangers.enter(Some(Ipv4Addr::from(address).into()), move || ended.lock().unwrap().push(name))
    }

    #[test]
    fn the_oldest_session_of_the_address_with_the_most_ends_for_a_new_one() {
        let (strangers, ended) = (Strangers::new(3, SharedMetrics::default()), Ended::default());
        enter(&strangers, &ended, 1, 10);
        enter(&strangers, &ended, 2, 20);
        enter(&strangers, &ended, 2, 21);
        assert!(ended.lock().unwrap().is_empty());
        enter(&strangers, &ended, 3, 30);
        assert_eq!(*ended.lock().unwrap(), [20], "address 2 had the most");
        enter(&strangers, &ended, 4, 40);
        assert_eq!(*ended.lock().unwrap(), [20, 10], "each has one: the oldest of all");
        for name in 50..60 {
            enter(&strangers, &ended, 5, name);
        }
        let expected: Vec<_> = [20, 10, 21].into_iter().chain(50..59).collect();
        assert_eq!(*ended.lock().unwrap(), expected, "strangers of one address end each other");
        assert_eq!(strangers.metrics.strangers.get(), 3);
    }

    #[test]
    fn a_session_that_leaves_makes_room_and_nothing_of_it_is_kept() {
        let (strangers, ended) = (Strangers::new(1, SharedMetrics::default()), Ended::default());
        for name in 0..1_000 {
            let number = enter(&strangers, &ended, name, name);
            strangers.leave(number);
            strangers.leave(number);
        }
        assert!(ended.lock().unwrap().is_empty());
        let waiting = strangers.lock();
        assert_eq!((waiting.sessions.len(), waiting.of_address.len(), strangers.metrics.strangers.get()), (0, 0, 0));
    }
}
