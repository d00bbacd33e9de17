//! `Turn`: limits the work of a hub for requests, recoveries and polls, over all its sessions, before other tasks of
//! the thread run. The unit of work is one event read from the ring, about 0.15 microseconds.
//!
//! Requests are served first and charged to the turn; later ones wait. Sessions that read from the ring, and polls,
//! wait for a part of a turn, first come, first served.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::hub::SessionKey;
use crate::hub::pass::Wakeup;

/// Length of a turn.
const TURN: Duration = Duration::from_millis(1);
/// Number of readers that get a part of each turn.
const PARTS: i64 = 4;
/// While sessions wait, work of so many turns is made up for, because a timer of the runtime may fire a millisecond late.
const TURNS_SAVED_MAX: i64 = 2;
/// Work beyond a turn is deducted from the next ones, but from no more than this many.
const TURNS_OWED_MAX: i64 = 100;

/// The rest of the present turn, and the sessions that wait for the next one.
#[derive(Debug)]
pub struct Turn {
    work_max: i64,
    began: Instant,
    left: i64,
    /// Whether no reader has been served in this turn: one is served whatever requests have cost.
    is_due: bool,
    /// Sessions that may read, and their parts. Bounded by the sessions, like the waiting ones.
    granted: BTreeMap<SessionKey, i64>,
    waiting: BTreeMap<SessionKey, Wakeup>,
    order: VecDeque<SessionKey>,
    /// Notified when a session waits.
    timer: Rc<Notify>,
}

impl Turn {
    /// Returns the first turn, with this much work in every turn. It notifies the timer when a session waits.
    pub fn new(work_max: u32, timer: Rc<Notify>, now: Instant) -> Self {
        let work_max = i64::from(work_max);
        Self {
            work_max,
            began: now,
            left: work_max,
            is_due: true,
            granted: BTreeMap::new(),
            waiting: BTreeMap::new(),
            order: VecDeque::new(),
            timer,
        }
    }

    /// Charges the cost of a request.
    pub fn spend(&mut self, work: u64, now: Instant) {
        self.begin_due(now);
        let work = i64::try_from(work).unwrap_or(i64::MAX);
        self.left = self.left.saturating_sub(work).max(-TURNS_OWED_MAX * self.work_max);
    }

    /// Returns for how long the requests of a session must wait, because the present turn is used up.
    pub fn wait(&mut self, now: Instant) -> Duration {
        self.begin_due(now);
        if self.left > 0 {
            return Duration::ZERO;
        }
        let turns = 1 + -self.left / self.work_max;
        TURN * u32::try_from(turns).unwrap_or(u32::MAX)
    }

    /// Takes a part of the turn; 0 if other sessions come first or nothing is left.
    pub fn take(&mut self, session: SessionKey, now: Instant) -> usize {
        self.grant(now);
        let part = self.part();
        let taken = match self.granted.remove(&session) {
            Some(granted) => granted,
            None if self.left > 0 && self.waiting.is_empty() => {
                self.is_due = false;
                self.left -= part;
                part
            }
            None => 0,
        };
        usize::try_from(taken).unwrap_or_default()
    }

    /// Returns unused work: of the part `taken`, `used` was done, possibly more than taken.
    pub fn settle(&mut self, taken: usize, used: usize) {
        let [taken, used] = [taken, used].map(|work| i64::try_from(work).unwrap_or(i64::MAX));
        self.left = self.left.saturating_add(taken).saturating_sub(used).max(-TURNS_OWED_MAX * self.work_max);
    }

    /// Wakes the session when it has a part of a turn.
    pub fn queue(&mut self, session: SessionKey, wakeup: Wakeup) {
        if self.waiting.insert(session, wakeup).is_none() {
            self.order.push_back(session);
        }
        self.timer.notify_one();
    }

    /// Wakes the session, if it waits, because it has something to write without a part.
    pub(super) fn wake(&mut self, session: SessionKey) {
        self.waiting.remove(&session).into_iter().for_each(Wakeup::wake);
    }

    /// Grants parts of the present turn; returns when the next turn is due, if sessions wait for it.
    pub(super) fn next(&mut self, now: Instant) -> Option<Instant> {
        self.grant(now);
        (!self.order.is_empty()).then_some(self.began + TURN)
    }

    /// Removes a session that leaves.
    pub(super) fn forget(&mut self, session: SessionKey) {
        if let Some(granted) = self.granted.remove(&session) {
            self.left += granted;
        }
        if self.waiting.remove(&session).is_some() {
            self.order.retain(|each| *each != session);
        }
    }

    /// Grants parts to the sessions that have waited longest, as many as the turn has.
    fn grant(&mut self, now: Instant) {
        self.begin_due(now);
        while (self.left > 0 || self.is_due)
            && let Some(session) = self.order.pop_front()
        {
            let Some(wakeup) = self.waiting.remove(&session) else { continue };
            self.is_due = false;
            let part = self.part();
            self.left -= part;
            self.granted.insert(session, part);
            wakeup.wake();
        }
    }

    fn part(&self) -> i64 {
        (self.work_max / PARTS).max(1)
    }

    /// Begins the turn that is due.
    fn begin_due(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.began);
        if elapsed < TURN {
            return;
        }
        let turns = u32::try_from(elapsed.as_nanos() / TURN.as_nanos()).unwrap_or(u32::MAX);
        let saved_max = if self.order.is_empty() { 1 } else { TURNS_SAVED_MAX };
        self.left = i64::from(turns).saturating_mul(self.work_max).saturating_add(self.left);
        self.left = self.left.min(saved_max * self.work_max);
        self.began += TURN * turns;
        self.is_due = true;
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    const ONE: SessionKey = SessionKey::new(1);
    const OTHER: SessionKey = SessionKey::new(2);

    #[test]
    fn a_turn_has_parts_and_readers_without_one_are_served_in_the_order_of_arrival() {
        let mut now = Instant::now();
        let mut turn = Turn::new(400, Rc::default(), now);
        assert_eq!([(); 5].map(|()| turn.take(ONE, now)), [100, 100, 100, 100, 0]);
        turn.queue(OTHER, Wakeup::Task(Waker::noop().clone()));
        turn.queue(ONE, Wakeup::Task(Waker::noop().clone()));
        assert_eq!(turn.take(OTHER, now), 0);
        now += TURN;
        turn.spend(1_000, now);
        assert_eq!((turn.take(ONE, now), turn.take(OTHER, now)), (0, 100), "one part, for who came first");
        now += TURN;
        assert_eq!(turn.take(ONE, now), 100, "whatever requests have cost");
    }

    #[test]
    fn a_turn_that_a_timer_begins_late_makes_up_for_the_time_while_sessions_wait() {
        let mut now = Instant::now();
        let mut turn = Turn::new(400, Rc::default(), now);
        let mut served = 0;
        for tick in 0_u32..1_000 {
            turn.queue(ONE, Wakeup::Task(Waker::noop().clone()));
            while turn.take(ONE, now) > 0 {
                served += 1;
                turn.queue(ONE, Wakeup::Task(Waker::noop().clone()));
            }
            assert!(turn.next(now).is_some_and(|due| due <= now + TURN), "{tick}");
            now += TURN + Duration::from_micros(u64::from(tick % 10) * 100);
        }
        // 1,450 turns with four parts.
        assert!((5_790..=5_804).contains(&served), "{served}");
        turn.forget(ONE);
        now += TURN * 100;
        assert_eq!([(); 5].map(|()| turn.take(OTHER, now)), [100, 100, 100, 100, 0], "no more after a pause");
    }

    #[test]
    fn unused_work_is_left_for_others() {
        let now = Instant::now();
        let mut turn = Turn::new(400, Rc::default(), now);
        for _ in 0..40 {
            let taken = turn.take(ONE, now);
            turn.settle(taken, 10);
        }
        assert_eq!(turn.take(ONE, now), 0);
    }

    #[test]
    fn requests_wait_for_the_turn_that_compensates_earlier_work_and_no_longer() {
        let mut now = Instant::now();
        let mut turn = Turn::new(400, Rc::default(), now);
        assert_eq!(turn.wait(now), Duration::ZERO);
        turn.spend(1_000, now);
        assert_eq!(turn.wait(now), TURN * 2);
        now += TURN * 2;
        assert_eq!(turn.wait(now), Duration::ZERO);
        turn.spend(u64::MAX, now);
        assert_eq!(turn.wait(now), TURN * 101);
    }

    #[test]
    fn a_session_that_leaves_takes_no_part() {
        let mut now = Instant::now();
        let mut turn = Turn::new(4, Rc::default(), now);
        turn.spend(4, now);
        turn.queue(ONE, Wakeup::Task(Waker::noop().clone()));
        turn.queue(OTHER, Wakeup::Task(Waker::noop().clone()));
        turn.forget(ONE);
        now += TURN;
        turn.spend(3, now);
        assert_eq!(turn.take(OTHER, now), 1);
    }
}
