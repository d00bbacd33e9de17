//! The cost of a session's requests, and how fast it may send them. A client over its limit of work is slowed: its next request
//! is read later. So is a client of a vendor over its limit of requests, for which the native protocol closes the session.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::access::Payer;
use crate::hub::Wakeup;
use crate::protocol::{ErrorCode, Mistake};
use crate::rate::{Pauses, RateLimiter};
use crate::session::{Session, SessionConfig};

// All costs are in the unit of the limits: the time to read one event.

/// That time in nanoseconds, about.
pub const WORK_NS: u64 = 150;

/// Cost to read, decode and answer a request.
const REQUEST_WORK: u64 = 16;
/// A request costs one unit for each part of so many bytes, to decode it.
const BYTES_PER_WORK: usize = 16;
/// Cost to find a symbol by its name and in the index, or to list it over HTTP.
pub const NAME_WORK: u64 = 4;
/// Cost to make and encode a snapshot.
pub const SNAPSHOT_WORK: u64 = 8;
/// Cost to visit a subscription, or to name it in an answer.
const SUBSCRIPTION_WORK: u64 = 1;
/// Cost to read and encode a bar, a trade or a quote of the past, or a line of the metrics.
pub const ROW_WORK: u64 = 2;
/// Cost of a request over HTTP, with what is around it.
pub const HTTP_WORK: u64 = POLL_WORK as u64;
/// Cost of one poll for the hub: 28 microseconds, with the work of HTTP and of the kernel. docs/COMPARISON.md has the CPU time of 1,000
/// clients that poll (`make compare`): for each poll 26 microseconds at 8,600 polls a second, and 39 at 1,000, where the threads sleep and wake
/// more often.
const POLL_WORK: usize = 190;
/// Cost to look at a symbol while a list is searched for others: 0.06 to 0.11 microseconds, with texts in lower case.
pub const SEARCH_WORK: u64 = 1;

/// Returns the cost to decode a request or a query string of so many bytes.
pub const fn byte_work(bytes: usize) -> u64 {
    (bytes / BYTES_PER_WORK) as u64
}

/// The longest time for which a client over its limit is not read. It may have disconnected, which only a read finds.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The limits of one session.
#[derive(Debug)]
pub(super) struct Budget {
    requests: RateLimiter,
    work: RateLimiter,
    /// The cost of the current request.
    spent: u64,
    /// Whether the client has no error for too much work: its next request is read later instead.
    is_patient: bool,
}

impl Budget {
    /// Returns the limits of a new session. Its burst of work is used up: initial requests use the limit that all sessions of
    /// the hub share, so that reconnecting does not bring a new burst.
    pub(super) fn new(config: &SessionConfig, pauses: Arc<Pauses>, now: Instant) -> Self {
        let requests = RateLimiter::per_second(config.requests_per_second_max, now).with_pauses(pauses);
        let work = RateLimiter::per_second(config.work_per_second_max, now).used_up();
        Self { requests, work, spent: 0, is_patient: false }
    }

    /// Counts a request; returns false if the session is over its limit.
    pub(super) fn spend_request(&mut self, now: Instant) -> bool {
        self.spent = REQUEST_WORK;
        self.requests.allow(1, now)
    }

    /// Counts a request that is served although the session may be over its limit: the next one is then read later.
    pub(super) fn charge_request(&mut self, now: Instant) {
        self.spent = REQUEST_WORK;
        self.is_patient = true;
        self.requests.charge(1, now);
    }

    /// Returns for how long the client's next request must wait until nothing is owed.
    fn wait(&self, now: Instant) -> Duration {
        self.work.wait(0, now).max(self.requests.wait(0, now))
    }

    /// Adds the cost to decode so many bytes to that of the current request.
    pub(super) fn count_bytes(&mut self, bytes: usize) {
        self.spent += byte_work(bytes);
    }

    /// Adds other work to that of the current request.
    pub(super) fn count_work(&mut self, work: u64) {
        self.spent += work;
    }

    /// Adds the cost of named symbols, snapshots and visited subscriptions to that of the current request.
    pub(super) fn count(&mut self, names: usize, snapshots: usize, subscriptions: usize) {
        self.spent +=
            NAME_WORK * names as u64 + SNAPSHOT_WORK * snapshots as u64 + SUBSCRIPTION_WORK * subscriptions as u64;
    }
}

impl Session {
    /// Sets to whom the work of the client's requests is charged, beside the session.
    pub fn set_payer(&mut self, payer: Option<Box<Payer>>) {
        self.payer = payer;
    }

    /// Checks that the client's address and key may cause more work.
    ///
    /// # Errors
    ///
    /// Returns the mistake, with the time to wait.
    pub(super) fn check_payer(&self, now: Instant) -> Result<(), Mistake> {
        let Some(owed) = self.payer.as_ref().and_then(|payer| payer.check(now).err()) else { return Ok(()) };
        // Rounded up: a client that comes back in time is not to be refused again.
        let retry_after_ms = u64::try_from(owed.wait.as_millis()).ok().map(|wait_ms| wait_ms + 1);
        Err(Mistake { retry_after_ms, ..Mistake::new(ErrorCode::RateLimited, owed.to_string()) })
    }

    /// Charges what has not been charged yet to the client alone: a request that has ended the session, and the events that recoveries
    /// have read since the last one.
    pub(super) fn settle(&self) {
        if let Some(payer) = &self.payer {
            payer.charge(self.budget.spent + self.outbox.borrow_mut().take_work(), Instant::now());
        }
    }

    /// Charges the cost of the answered request, and of the events that recoveries have read since the last one.
    pub(super) fn pay(&mut self, now: Instant) {
        let spent = std::mem::take(&mut self.budget.spent);
        let read = self.outbox.borrow_mut().take_work();
        let router = self.router.borrow();
        router.config().metrics.work.inc_by(spent + read);
        router.shared().turn.borrow_mut().spend(spent, now);
        if let Some(payer) = &self.payer {
            payer.charge(spent + read, now);
        }
        let missing = self.budget.work.take(u32::try_from(spent + read).unwrap_or(u32::MAX), now);
        let missing = router.shared().work.borrow_mut().take(missing, now);
        self.budget.work.charge(missing, now);
    }

    /// Returns for how long the client's next request must wait.
    pub fn pause(&mut self, now: Instant) -> Duration {
        let mut owed = self.budget.wait(now);
        if self.budget.is_patient
            && let Some(payer) = &self.payer
        {
            owed = owed.max(payer.wait(now));
        }
        let router = self.router.borrow();
        if !owed.is_zero() {
            router.config().metrics.requests_slowed.inc();
        }
        let turn = router.shared().turn.borrow_mut().wait(now);
        owed.max(turn).min(PAUSE_MAX)
    }

    /// Waits for the turn of a poll.
    pub fn poll_turn(&self, cx: &std::task::Context<'_>, now: Instant) -> std::task::Poll<()> {
        let router = self.router.borrow();
        let mut turn = router.shared().turn.borrow_mut();
        let taken = turn.take(self.key, now);
        if taken == 0 {
            turn.queue(self.key, Wakeup::Task(cx.waker().clone()));
            return std::task::Poll::Pending;
        }
        turn.settle(taken, POLL_WORK);
        std::task::Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_over_the_limit_is_refused_or_makes_the_next_one_wait() {
        let (config, now) =
            (SessionConfig { requests_per_second_max: 200, ..SessionConfig::default() }, Instant::now());
        let budget = || Budget::new(&config, Arc::default(), now);
        let (mut native, mut vendor) = (budget(), budget());
        for _ in 0..1_000 {
            assert!(native.spend_request(now));
            vendor.charge_request(now);
            assert_eq!((native.wait(now), vendor.wait(now)), (Duration::ZERO, Duration::ZERO), "the burst");
        }
        for number in 1..=3 {
            assert!(!native.spend_request(now));
            vendor.charge_request(now);
            assert_eq!((native.wait(now), vendor.wait(now)), (Duration::ZERO, Duration::from_millis(5) * number));
        }
    }
}
