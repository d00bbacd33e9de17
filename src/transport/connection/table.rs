//! How many connections there are, and which of a worker thread gives way when there is one too many: those without a
//! request first, then those whose answer is no session, the oldest of each first.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::metrics::{Metrics, SharedMetrics};
use crate::transport::connection::state::{ConnectionState, Dismissal};
use crate::transport::second_look::another_turn;

/// Who has read at a long answer for so long gives way when too much waits for all clients.
const SLOW_AFTER: Duration = Duration::from_secs(5);

/// How many connections there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Of all worker threads together.
    pub all: usize,
    /// Of each of them: more than its share, where there are descriptors enough, as the kernel does not spread them evenly.
    pub each: usize,
}

/// The connections of one worker thread, over all of its listeners.
#[derive(Debug)]
pub struct ConnectionTable {
    limits: ConnectionLimits,
    connections: Cell<usize>,
    /// Counts up: the smaller a key, the older what it stands for.
    next: Cell<u64>,
    /// Those that have no request.
    idle: RefCell<BTreeMap<u64, Rc<ConnectionState>>>,
    /// Those that are being answered and are no session.
    busy: RefCell<BTreeMap<u64, Rc<ConnectionState>>>,
    /// Whether an answer that is read too slowly is about to be looked at again.
    is_relieving: Cell<bool>,
    metrics: SharedMetrics,
}

impl ConnectionTable {
    /// Returns table for so many connections; with one more, another one of this thread gives way. Those of all threads are
    /// counted by the gauge of `metrics`.
    pub fn new(limits: ConnectionLimits, metrics: SharedMetrics) -> Rc<Self> {
        Rc::new(Self {
            limits,
            connections: Cell::default(),
            next: Cell::default(),
            idle: RefCell::default(),
            busy: RefCell::default(),
            is_relieving: Cell::default(),
            metrics,
        })
    }

    /// Returns the counters.
    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Takes a place for a new connection, and makes limits for it when all are taken.
    pub(super) fn enter(&self, state: &Rc<ConnectionState>) {
        self.connections.set(self.connections.get() + 1);
        let all = self.metrics.connections.inc() + 1;
        if usize::try_from(all).is_ok_and(|all| all > self.limits.all) || self.connections.get() > self.limits.each {
            let oldest = self.idle.borrow_mut().pop_first().or_else(|| self.busy.borrow_mut().pop_first());
            if let Some((_, oldest)) = oldest {
                self.dismiss(&oldest);
            }
        }
        self.move_to(state, true);
    }

    /// Ends the oldest answer for which memory is kept, if its client has had time enough to read it, and has not one turn later:
    /// somebody else has been refused for it.
    pub(in crate::transport) fn relieve(self: &Rc<Self>, now: Instant) {
        if self.slowest(now).is_none() || self.is_relieving.replace(true) {
            return;
        }
        let table = self.clone();
        actix_web::rt::spawn(async move {
            another_turn().await;
            table.is_relieving.set(false);
            let oldest = table.slowest(now).and_then(|key| table.busy.borrow_mut().remove(&key));
            if let Some(oldest) = oldest {
                table.dismiss(&oldest);
            }
        });
    }

    /// Returns the key of the oldest answer that is kept and was slow at this time.
    fn slowest(&self, now: Instant) -> Option<u64> {
        let is_slow = |state: &ConnectionState| state.kept_for(now).is_some_and(|time| time >= SLOW_AFTER);
        self.busy.borrow().iter().find(|(_, state)| is_slow(state)).map(|(key, _)| *key)
    }

    fn dismiss(&self, state: &ConnectionState) {
        self.metrics.connections_dismissed.inc();
        state.place().take();
        state.dismiss(Dismissal::Crowded);
    }

    /// Notes that a connection has become idle, or has begun to be answered.
    pub(super) fn move_to(&self, state: &Rc<ConnectionState>, is_idle: bool) {
        if state.is_dismissed() {
            return;
        }
        self.remove(state);
        let key = self.next.replace(self.next.get() + 1);
        state.place().set(Some(key));
        if is_idle { &self.idle } else { &self.busy }.borrow_mut().insert(key, state.clone());
    }

    /// Lets a connection that is being answered keep its place until the answer is complete.
    pub(super) fn keep(&self, state: &ConnectionState) {
        self.remove(state);
    }

    /// Gives the place of a connection back that has ended.
    pub(super) fn leave(&self, state: &ConnectionState) {
        self.remove(state);
        self.connections.set(self.connections.get() - 1);
        self.metrics.connections.dec();
    }

    fn remove(&self, state: &ConnectionState) {
        if let Some(key) = state.place().take()
            && self.idle.borrow_mut().remove(&key).is_none()
        {
            self.busy.borrow_mut().remove(&key);
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
    const FOUR: ConnectionLimits = ConnectionLimits { all: 4, each: 4 };
    const TIMEOUTS: Timeouts = Timeouts { request: Duration::from_secs(5), keep_alive: Duration::from_secs(75) };

    fn dismissed(state: &ConnectionState) -> bool {
        state.dismissal(Waker::noop()).is_some()
    }

    #[test]
    fn the_oldest_without_a_request_gives_way_then_the_oldest_answer_and_no_session_ever() {
        let table = ConnectionTable::new(FOUR, SharedMetrics::default());
        let enter = || {
            let state = ConnectionState::begin(TIMEOUTS, &table);
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
    fn one_thread_may_have_more_than_its_share_but_no_more_than_all_or_each_may() {
        let metrics = SharedMetrics::default();
        let [one, other] =
            [(); 2].map(|()| ConnectionTable::new(ConnectionLimits { all: 6, each: 5 }, metrics.clone()));
        let enter = |table| {
            let state = ConnectionState::begin(TIMEOUTS, table);
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

    #[actix_web::test]
    async fn the_oldest_long_answer_gives_way_to_others_once_its_client_has_had_time() {
        let table = ConnectionTable::new(FOUR, SharedMetrics::default());
        let [short, session, long, next] = [(); 4].map(|()| {
            let state = ConnectionState::begin(TIMEOUTS, &table);
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
