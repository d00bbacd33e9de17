//! The connections of a worker thread, and which one is closed when there are too many: the oldest without a request, or else
//! the oldest whose response is not a session. Of one address with too many, its own oldest one.

use std::cell::{Cell, RefCell};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::metrics::{Metrics, SharedMetrics};
use crate::transport::connection::state::{ConnectionState, Dismissal};
use crate::transport::second_look::sockets_read;

/// A response that a client has been reading for so long may be ended when unread data of all clients exceeds its limit.
const SLOW_AFTER: Duration = Duration::from_secs(5);

/// Limits of the number of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Of all worker threads together.
    pub all: usize,
    /// Of each worker thread. More than its share if there are descriptors enough, because the kernel spreads connections
    /// unevenly.
    pub each: usize,
    /// Of each address on each worker thread, those without a session; 0 means any number.
    pub of_address: usize,
}

/// The connections of one worker thread, over all of its listeners.
#[derive(Debug)]
pub struct ConnectionTable {
    limits: ConnectionLimits,
    connections: Cell<usize>,
    /// The next key. Keys ascend, so a smaller key belongs to an older entry.
    next: Cell<u64>,
    /// Connections without a request.
    idle: RefCell<BTreeMap<u64, Rc<ConnectionState>>>,
    /// Connections with a response that is not a session.
    busy: RefCell<BTreeMap<u64, Rc<ConnectionState>>>,
    /// The keys of the connections of each address in the two maps above. No entry is empty.
    of_address: RefCell<HashMap<u128, BTreeSet<u64>>>,
    /// Whether the second check of a slow response is scheduled.
    is_relieving: Cell<bool>,
    metrics: SharedMetrics,
}

impl ConnectionTable {
    /// Returns an empty table. When a further connection exceeds `limits`, another one of this thread is closed. The gauge in
    /// `metrics` counts the connections of all threads.
    pub fn new(limits: ConnectionLimits, metrics: SharedMetrics) -> Rc<Self> {
        Rc::new(Self {
            limits,
            connections: Cell::default(),
            next: Cell::default(),
            idle: RefCell::default(),
            busy: RefCell::default(),
            of_address: RefCell::default(),
            is_relieving: Cell::default(),
            metrics,
        })
    }

    /// Returns the counters of the server.
    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Adds a new connection, and closes another one if there are too many, of its address first.
    pub(super) fn enter(&self, state: &Rc<ConnectionState>, address: Option<u128>) {
        self.connections.set(self.connections.get() + 1);
        let all = self.metrics.connections.inc() + 1;
        let has_left = address.is_some_and(|address| self.assign(state, address));
        let is_crowded =
            usize::try_from(all).is_ok_and(|all| all > self.limits.all) || self.connections.get() > self.limits.each;
        if is_crowded && !has_left {
            let oldest = |map: &RefCell<BTreeMap<_, Rc<ConnectionState>>>| {
                map.borrow().values().find(|other| !Rc::ptr_eq(other, state)).cloned()
            };
            if let Some(oldest) = oldest(&self.idle).or_else(|| oldest(&self.busy)) {
                self.dismiss(&oldest);
            }
        }
        if state.place().get().is_none() {
            self.move_to(state, true);
        }
    }

    /// Counts a connection without a request among those of its address, and closes the oldest of them if there are too many: so an
    /// address that opens more and more closes its own ones, and none of others. Returns whether it has closed one.
    pub(super) fn assign(&self, state: &Rc<ConnectionState>, address: u128) -> bool {
        if self.limits.of_address == 0 {
            return false;
        }
        let key = state.place().get();
        self.remove(state);
        state.address().set(Some(address));
        self.insert(state, true, key.unwrap_or_else(|| self.next_key()));
        let oldest = {
            let (of_address, idle) = (self.of_address.borrow(), self.idle.borrow());
            let keys = of_address.get(&address).filter(|keys| keys.len() > self.limits.of_address);
            keys.and_then(|keys| keys.iter().find_map(|key| idle.get(key)).cloned())
        };
        let Some(oldest) = oldest else { return false };
        self.metrics.count_limit("address_sockets");
        self.dismiss(&oldest);
        true
    }

    /// Ends the oldest response that holds memory, if its client has had [`SLOW_AFTER`] to read it and has not done so by the
    /// next turn. The caller has refused another response for want of memory.
    pub(in crate::transport) fn relieve(self: &Rc<Self>, now: Instant) {
        if self.slowest(now).is_none() || self.is_relieving.replace(true) {
            return;
        }
        let table = self.clone();
        actix_web::rt::spawn(async move {
            sockets_read().await;
            table.is_relieving.set(false);
            let oldest = table.slowest(now).and_then(|key| table.busy.borrow().get(&key).cloned());
            if let Some(oldest) = oldest {
                table.dismiss(&oldest);
            }
        });
    }

    /// Returns the key of the oldest response that holds memory and is slow at `now`.
    fn slowest(&self, now: Instant) -> Option<u64> {
        let is_slow = |state: &ConnectionState| state.kept_for(now).is_some_and(|time| time >= SLOW_AFTER);
        self.busy.borrow().iter().find(|(_, state)| is_slow(state)).map(|(key, _)| *key)
    }

    /// Closes a connection, and counts it no more: many can be accepted before its task ends it, and each would close another one.
    fn dismiss(&self, state: &ConnectionState) {
        self.metrics.connections_dismissed.inc();
        self.remove(state);
        state.dismiss(Dismissal::Crowded);
        self.count_out();
    }

    fn count_out(&self) {
        self.connections.set(self.connections.get() - 1);
        self.metrics.connections.dec();
    }

    /// Records that a connection has become idle, or has begun to respond.
    pub(super) fn move_to(&self, state: &Rc<ConnectionState>, is_idle: bool) {
        self.remove(state);
        self.insert(state, is_idle, self.next_key());
    }

    fn next_key(&self) -> u64 {
        self.next.replace(self.next.get() + 1)
    }

    fn insert(&self, state: &Rc<ConnectionState>, is_idle: bool, key: u64) {
        if state.is_dismissed() {
            return;
        }
        state.place().set(Some(key));
        if is_idle { &self.idle } else { &self.busy }.borrow_mut().insert(key, state.clone());
        if let Some(address) = state.address().get() {
            self.of_address.borrow_mut().entry(address).or_default().insert(key);
        }
    }

    /// Exempts a connection from being closed until its response ends.
    pub(super) fn keep(&self, state: &ConnectionState) {
        self.remove(state);
    }

    /// Removes a connection that has ended.
    pub(super) fn leave(&self, state: &ConnectionState) {
        self.remove(state);
        if !state.is_crowded_out() {
            self.count_out();
        }
    }

    fn remove(&self, state: &ConnectionState) {
        let Some(key) = state.place().take() else { return };
        if self.idle.borrow_mut().remove(&key).is_none() {
            self.busy.borrow_mut().remove(&key);
        }
        if let Some(address) = state.address().get()
            && let Entry::Occupied(mut keys) = self.of_address.borrow_mut().entry(address)
        {
            keys.get_mut().remove(&key);
            if keys.get().is_empty() {
                keys.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;
    use std::time::Duration;

    use super::*;
    use crate::transport::connection::state::Timeouts;

    /// Limits of four connections on one thread.
    const FOUR: ConnectionLimits = ConnectionLimits { all: 4, each: 4, of_address: 0 };
    const TIMEOUTS: Timeouts = Timeouts { request: Duration::from_secs(5), keep_alive: Duration::from_secs(75) };

    fn dismissed(state: &ConnectionState) -> bool {
        state.dismissal(Waker::noop()).is_some()
    }

    #[test]
    fn the_oldest_connection_without_a_request_is_closed_then_the_oldest_response_and_never_a_session() {
        let table = ConnectionTable::new(FOUR, SharedMetrics::default());
        let enter = || {
            let state = ConnectionState::begin(&Rc::new(TIMEOUTS), &table, None);
            state.open();
            state
        };
        let [session, answering, unfinished, idle] = [(); 4].map(|()| enter());
        let session_answer = session.respond(false);
        table.keep(&session);
        let answer = answering.respond(false);
        drop(idle.respond(false));
        unfinished.received(true);
        let newest = enter();
        assert!(dismissed(&idle), "it has been without a request for longer than the other has been sending one");
        idle.end();
        let next = enter();
        assert!(dismissed(&unfinished) && !dismissed(&newest));
        unfinished.end();
        let held = [newest.respond(false), next.respond(false)];
        table.keep(&newest);
        table.keep(&next);
        let last = enter();
        assert!(dismissed(&answering) && !dismissed(&session) && !dismissed(&last));
        drop(answer);
        answering.end();
        drop((session_answer, held));
        for state in [session, newest, next, last] {
            assert!(!dismissed(&state));
            state.end();
        }
        assert_eq!((table.idle.borrow().len(), table.busy.borrow().len(), table.connections.get()), (0, 0, 0));
        assert_eq!((table.metrics.connections.get(), table.metrics.connections_dismissed.get()), (0, 3));
    }

    #[test]
    fn one_thread_may_exceed_its_share_but_neither_of_the_two_limits() {
        let metrics = SharedMetrics::default();
        let [one, other] = [(); 2]
            .map(|()| ConnectionTable::new(ConnectionLimits { all: 6, each: 5, of_address: 0 }, metrics.clone()));
        let enter = |table| {
            let state = ConnectionState::begin(&Rc::new(TIMEOUTS), table, None);
            state.open();
            state
        };
        let crowd: Vec<_> = (0..5).map(|_| enter(&one)).collect();
        let first = enter(&other);
        assert_eq!(metrics.connections_dismissed.get(), 0);
        let last = enter(&other);
        assert!(dismissed(&first) && crowd.iter().all(|state| !dismissed(state)), "all together are too many");
        first.end();
        last.end();
        let sixth = enter(&one);
        assert!(dismissed(&crowd[0]) && !dismissed(&sixth), "it has as many as it may");
    }

    #[test]
    fn an_address_with_too_many_connections_closes_its_own_oldest_one_and_sessions_do_not_count() {
        let limits = ConnectionLimits { all: 100, each: 100, of_address: 2 };
        let table = ConnectionTable::new(limits, SharedMetrics::default());
        let enter = |address| {
            let state = ConnectionState::begin(&Rc::new(TIMEOUTS), &table, Some(address));
            state.open();
            state
        };
        let [other, session, first] = [2, 1, 1].map(enter);
        let held = session.respond(false);
        table.keep(&session);
        let second = enter(1);
        assert!(!dismissed(&first));
        let third = enter(1);
        assert_eq!(
            [&other, &session, &first, &second, &third].map(|state| dismissed(state)),
            [false, false, true, false, false]
        );
        let answers = [&second, &third].map(|state| state.respond(false));
        assert!(dismissed(&enter(1)), "both others have requests: the new one is closed");
        drop(answers);
        assert!(!dismissed(&enter(1)) && dismissed(&second), "it has been without a request for the longest");
        assert_eq!(table.metrics.limited("address_sockets"), 3);
        drop(held);
        for state in [other, session, first, second, third] {
            state.end();
        }
        assert!(!table.of_address.borrow().contains_key(&2));
    }

    #[test]
    fn of_a_crowd_the_one_accepted_first_is_closed_in_whatever_order_they_open() {
        for assigned in [false, true] {
            let table = ConnectionTable::new(ConnectionLimits { of_address: 4, ..FOUR }, SharedMetrics::default());
            let enter = || ConnectionState::begin(&Rc::new(TIMEOUTS), &table, (!assigned).then_some(1));
            let crowd = [(); 4].map(|()| enter());
            for state in crowd.iter().rev() {
                if assigned {
                    state.assign(Some(1));
                }
                state.open();
            }
            let last = enter();
            let closed: Vec<_> = crowd.iter().chain([&last]).map(|state| dismissed(state)).collect();
            assert_eq!(closed, [true, false, false, false, false], "{assigned}");
            for state in crowd.iter().chain([&last]) {
                state.end();
            }
        }
    }

    #[test]
    fn a_burst_of_one_address_closes_none_of_others_before_the_closed_ones_have_ended() {
        let limits = ConnectionLimits { all: 6, each: 6, of_address: 2 };
        let table = ConnectionTable::new(limits, SharedMetrics::default());
        let enter = |address| ConnectionState::begin(&Rc::new(TIMEOUTS), &table, Some(address));
        let others = [2, 3, 4, 5].map(enter);
        let burst: Vec<_> = (0..20).map(|_| enter(1)).collect();
        assert!(others.iter().all(|state| !dismissed(state)), "they are older, and of other addresses");
        assert_eq!(burst.iter().filter(|state| dismissed(state)).count(), 18);
        assert_eq!((table.connections.get(), table.metrics.connections.get()), (6, 6));
        for state in others.iter().chain(&burst) {
            state.end();
        }
        assert_eq!((table.connections.get(), table.metrics.connections.get()), (0, 0));
    }

    #[actix_web::test]
    async fn the_oldest_long_response_is_ended_once_its_client_has_had_time_to_read() {
        let table = ConnectionTable::new(FOUR, SharedMetrics::default());
        let [short, session, long, next] = [(); 4].map(|()| {
            let state = ConnectionState::begin(&Rc::new(TIMEOUTS), &table, None);
            state.open();
            state
        });
        let answers = [&short, &session, &long, &next].map(|state| state.respond(false));
        for state in [&session, &long, &next] {
            state.keep();
        }
        table.keep(&session);
        let now = Instant::now();
        let relieved = async |now| {
            table.relieve(now);
            assert!(!dismissed(&next), "it is looked at again");
            while table.is_relieving.get() {
                tokio::task::yield_now().await;
            }
        };
        relieved(now).await;
        assert!(!dismissed(&long), "it has just begun");
        relieved(now + SLOW_AFTER).await;
        assert_eq!([&short, &session, &long, &next].map(|state| dismissed(state)), [false, false, true, false]);
        table.relieve(now + SLOW_AFTER);
        drop(answers);
        while table.is_relieving.get() {
            tokio::task::yield_now().await;
        }
        assert!(!dismissed(&next), "it has ended before the second look");
    }
}
