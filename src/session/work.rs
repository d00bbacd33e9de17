//! What the requests of a session cost, and how fast it may ask. A client that asks for more than its budget of work is
//! slowed: its next request is read later.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::rate::{Pauses, RateLimiter};
use crate::session::{Session, SessionConfig};

/// What each of these costs, in looks at one event: reading, understanding and answering a request,
const REQUEST_WORK: u64 = 16;
/// finding a symbol by its name, and its place in the index,
const NAME_WORK: u64 = 4;
/// making a snapshot and writing it,
const SNAPSHOT_WORK: u64 = 8;
/// and naming a subscription in an answer, or going through it.
const SUBSCRIPTION_WORK: u64 = 1;
/// What one poll costs, with all that HTTP does for it: about 100 microseconds, so that a worker that serves as many as it may
/// has half of its time for others.
const POLL_WORK: usize = 1_024;

/// A client that owes is not read for so long at the most: it may be gone, which is noticed when it is read.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What one client may still ask for.
#[derive(Debug)]
pub(super) struct Budget {
    requests: RateLimiter,
    work: RateLimiter,
    /// What the present request has cost.
    spent: u64,
}

impl Budget {
    /// Returns the budget of a session that begins now. It has saved no work yet: what it needs at once comes from the
    /// budget that all sessions of the hub share, so that to come back brings nothing new.
    pub(super) fn new(config: &SessionConfig, pauses: Arc<Pauses>, now: Instant) -> Self {
        let requests = RateLimiter::per_second(config.requests_per_second_max, now).with_pauses(pauses);
        let work = RateLimiter::per_second(config.work_per_second_max, now).used_up();
        Self { requests, work, spent: 0 }
    }

    /// Takes one request from the budget; returns false when there is none left.
    pub(super) fn spend_request(&mut self, now: Instant) -> bool {
        self.spent = REQUEST_WORK;
        self.requests.allow(1, now)
    }

    /// Takes note that so many symbols were named, snapshots made, and subscriptions gone through.
    pub(super) fn count(&mut self, names: usize, snapshots: usize, subscriptions: usize) {
        self.spent +=
            NAME_WORK * names as u64 + SNAPSHOT_WORK * snapshots as u64 + SUBSCRIPTION_WORK * subscriptions as u64;
    }
}

impl Session {
    /// Pays for the request that has been served, and for what recoveries have read since the last one.
    pub(super) fn pay(&mut self, now: Instant) {
        let spent = std::mem::take(&mut self.budget.spent);
        let read = self.outbox.borrow_mut().take_work();
        let router = self.router.borrow();
        router.metrics().work.inc_by(spent + read);
        router.shared().turn.borrow_mut().spend(spent, now);
        let missing = self.budget.work.take(u32::try_from(spent + read).unwrap_or(u32::MAX), now);
        let missing = router.shared().work.borrow_mut().take(missing, now);
        self.budget.work.charge(missing, now);
    }

    /// Returns for how long the client's next request is to wait.
    pub fn pause(&mut self, now: Instant) -> Duration {
        let owed = self.budget.work.wait(0, now);
        let router = self.router.borrow();
        if !owed.is_zero() {
            router.metrics().requests_slowed.inc();
        }
        let turn = router.shared().turn.borrow_mut().wait(now);
        owed.max(turn).min(PAUSE_MAX)
    }

    /// Waits until it is the turn of a poll.
    pub fn poll_turn(&self, cx: &std::task::Context<'_>, now: Instant) -> std::task::Poll<()> {
        let router = self.router.borrow();
        let mut turn = router.shared().turn.borrow_mut();
        let taken = turn.take(self.key, now);
        if taken == 0 {
            turn.queue(self.key, cx.waker());
            return std::task::Poll::Pending;
        }
        turn.settle(taken, POLL_WORK);
        std::task::Poll::Ready(())
    }
}
