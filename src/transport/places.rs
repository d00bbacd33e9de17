//! How many connections there are, and which of a worker thread gives way when there is one too many: those without a
//! request first, then those whose answer is no session, the oldest of each first.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::metrics::{Metrics, SharedMetrics};
use crate::transport::activity::{Activity, Dismissal};
use crate::transport::watch::another_turn;

/// Who has read at a long answer for so long gives way when too much waits for all clients.
const SLOW_AFTER: Duration = Duration::from_secs(5);

/// How many connections there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Of all worker threads together.
    pub all: usize,
    /// Of each of them: more than its share, where there are descriptors enough, as the kernel does not spread them evenly.
    pub each: usize,
}

/// The connections of one worker thread, over all of its listeners.
#[derive(Debug)]
pub struct Places {
    room: Room,
    connections: Cell<usize>,
    /// Counts up: the smaller a key, the older what it stands for.
    next: Cell<u64>,
    /// Those that have no request.
    idle: RefCell<BTreeMap<u64, Rc<Activity>>>,
    /// Those that are being answered and are no session.
    busy: RefCell<BTreeMap<u64, Rc<Activity>>>,
    /// Whether an answer that is read too slowly is about to be looked at again.
    is_relieving: Cell<bool>,
    metrics: SharedMetrics,
}

impl Places {
    /// Returns places for so many connections; with one more, another one of this thread gives way. Those of all threads are
    /// counted by the gauge of `metrics`.
    pub fn new(room: Room, metrics: SharedMetrics) -> Rc<Self> {
        Rc::new(Self {
            room,
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

    /// Takes a place for a new connection, and makes room for it when all are taken.
    pub(super) fn enter(&self, activity: &Rc<Activity>) {
        self.connections.set(self.connections.get() + 1);
        let all = self.metrics.connections.inc() + 1;
        if usize::try_from(all).is_ok_and(|all| all > self.room.all) || self.connections.get() > self.room.each {
            let oldest = self.idle.borrow_mut().pop_first().or_else(|| self.busy.borrow_mut().pop_first());
            if let Some((_, oldest)) = oldest {
                self.dismiss(&oldest);
            }
        }
        self.move_to(activity, true);
    }

    /// Ends the oldest answer for which memory is kept, if its client has had time enough to read it, and has not one turn later:
    /// somebody else has been refused for it.
    pub(super) fn relieve(self: &Rc<Self>, now: Instant) {
        if self.slowest(now).is_none() || self.is_relieving.replace(true) {
            return;
        }
        let places = self.clone();
        actix_web::rt::spawn(async move {
            another_turn().await;
            places.is_relieving.set(false);
            let oldest = places.slowest(now).and_then(|key| places.busy.borrow_mut().remove(&key));
            if let Some(oldest) = oldest {
                places.dismiss(&oldest);
            }
        });
    }

    /// Returns the key of the oldest answer that is kept and was slow at this time.
    fn slowest(&self, now: Instant) -> Option<u64> {
        let is_slow = |activity: &Activity| activity.kept_for(now).is_some_and(|time| time >= SLOW_AFTER);
        self.busy.borrow().iter().find(|(_, activity)| is_slow(activity)).map(|(key, _)| *key)
    }

    fn dismiss(&self, activity: &Activity) {
        self.metrics.connections_dismissed.inc();
        activity.place().take();
        activity.dismiss(Dismissal::Crowded);
    }

    /// Notes that a connection has become idle, or has begun to be answered.
    pub(super) fn move_to(&self, activity: &Rc<Activity>, is_idle: bool) {
        if activity.is_dismissed() {
            return;
        }
        self.remove(activity);
        let key = self.next.replace(self.next.get() + 1);
        activity.place().set(Some(key));
        if is_idle { &self.idle } else { &self.busy }.borrow_mut().insert(key, activity.clone());
    }

    /// Lets a connection that is being answered keep its place until the answer is complete.
    pub(super) fn keep(&self, activity: &Activity) {
        self.remove(activity);
    }

    /// Gives the place of a connection back that has ended.
    pub(super) fn leave(&self, activity: &Activity) {
        self.remove(activity);
        self.connections.set(self.connections.get() - 1);
        self.metrics.connections.dec();
    }

    fn remove(&self, activity: &Activity) {
        if let Some(key) = activity.place().take()
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
    use crate::transport::activity::Patience;

    /// Room for four connections of one thread.
    const FOUR: Room = Room { all: 4, each: 4 };
    const PATIENCE: Patience = Patience { request: Duration::from_secs(5), keep_alive: Duration::from_secs(75) };

    fn dismissed(activity: &Activity) -> bool {
        activity.dismissal(Waker::noop()).is_some()
    }

    #[test]
    fn the_oldest_without_a_request_gives_way_then_the_oldest_answer_and_no_session_ever() {
        let places = Places::new(FOUR, SharedMetrics::default());
        let enter = || {
            let activity = Activity::begin(PATIENCE, &places);
            activity.open();
            activity
        };
        let [session, answering, unfinished, idle] = [(); 4].map(|()| enter());
        let session_answer = session.answer(false);
        places.keep(&session);
        let answer = answering.answer(false);
        drop(idle.answer(false));
        unfinished.received(true);
        let newest = enter();
        assert!(dismissed(&idle), "it has been without a request for longer than the other has been sending one");
        idle.end();
        let next = enter();
        assert!(dismissed(&unfinished) && !dismissed(&newest));
        unfinished.end();
        let held = [newest.answer(false), next.answer(false)];
        places.keep(&newest);
        places.keep(&next);
        let last = enter();
        assert!(dismissed(&answering) && !dismissed(&session) && !dismissed(&last));
        drop(answer);
        answering.end();
        drop((session_answer, held));
        for activity in [session, newest, next, last] {
            assert!(!dismissed(&activity));
            activity.end();
        }
        assert_eq!((places.idle.borrow().len(), places.busy.borrow().len(), places.connections.get()), (0, 0, 0));
        assert_eq!((places.metrics.connections.get(), places.metrics.connections_dismissed.get()), (0, 3));
    }

    #[test]
    fn one_thread_may_have_more_than_its_share_but_no_more_than_all_or_each_may() {
        let metrics = SharedMetrics::default();
        let [one, other] = [(); 2].map(|()| Places::new(Room { all: 6, each: 5 }, metrics.clone()));
        let enter = |places| {
            let activity = Activity::begin(PATIENCE, places);
            activity.open();
            activity
        };
        let crowd: Vec<_> = (0..5).map(|_| enter(&one)).collect();
        let first = enter(&other);
        assert_eq!(metrics.connections_dismissed.get(), 0);
        let last = enter(&other);
        assert!(dismissed(&first) && crowd.iter().all(|activity| !dismissed(activity)), "all together are too many");
        first.end();
        last.end();
        let sixth = enter(&one);
        assert!(dismissed(&crowd[0]) && !dismissed(&sixth), "it has as many as it may");
    }

    #[actix_web::test]
    async fn the_oldest_long_answer_gives_way_to_others_once_its_client_has_had_time() {
        let places = Places::new(FOUR, SharedMetrics::default());
        let [short, session, long, next] = [(); 4].map(|()| {
            let activity = Activity::begin(PATIENCE, &places);
            activity.open();
            activity
        });
        let answers = [&short, &session, &long, &next].map(|activity| activity.answer(false));
        for activity in [&session, &long, &next] {
            activity.keep();
        }
        places.keep(&session);
        let now = Instant::now();
        let relieved = async |now| {
            places.relieve(now);
            assert!(!dismissed(&next), "it is looked at again");
            while places.is_relieving.get() {
                tokio::task::yield_now().await;
            }
        };
        relieved(now).await;
        assert!(!dismissed(&long), "it has just begun");
        relieved(now + SLOW_AFTER).await;
        assert_eq!([&short, &session, &long, &next].map(|activity| dismissed(activity)), [false, false, true, false]);
        places.relieve(now + SLOW_AFTER);
        drop(answers);
        while places.is_relieving.get() {
            tokio::task::yield_now().await;
        }
        assert!(!dismissed(&next), "it has ended before the second look");
    }
}
