//! `Gate`: when a session may be written to, and who is woken then.

use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use crate::hub::PushConfig;
use crate::rate::RateLimiter;

/// When one session may be written to.
#[derive(Debug)]
pub(super) struct Gate {
    /// Whether the limit of writes is used up: events wait for the coalescing window to end.
    window: bool,
    /// An answer waits, which waits for no window.
    urgent: bool,
    writes: RateLimiter,
    due_since: Option<Instant>,
    last_drain: Instant,
    waker: Option<Waker>,
}

impl Gate {
    /// Returns the gate of a session that nothing has been written to.
    pub(super) fn new(push: &PushConfig, now: Instant) -> Self {
        let writes = RateLimiter::every(push.coalesce(), push.burst_writes, now);
        Self { window: false, urgent: false, writes, due_since: None, last_drain: now, waker: None }
    }

    /// Returns whether events may be written.
    pub(super) fn is_open(&self) -> bool {
        self.urgent || !self.window
    }

    /// Returns whether a coalescing window is open: events wait for its end.
    pub(super) fn has_window(&self) -> bool {
        self.window
    }

    /// Ends the coalescing window.
    pub(super) fn end_window(&mut self) {
        self.window = false;
    }

    /// Lets everything that waits go now: an answer is among it.
    pub(super) fn hurry(&mut self) {
        self.urgent = true;
    }

    /// Takes note that something is due, and wakes the task that writes.
    pub(super) fn wake(&mut self, now: Instant) {
        self.due_since.get_or_insert(now);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Waits until something is due.
    pub(super) fn wait(&mut self, cx: &Context<'_>) {
        self.due_since = None;
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            self.waker = Some(cx.waker().clone());
        }
    }

    /// Takes note that something is due although the session waits for its turn: its socket is not to blame for that.
    pub(super) fn postpone(&mut self, now: Instant) {
        self.due_since = Some(now);
    }

    /// Takes note of a write of so many events; `has_more` says whether something is left. Returns when the next write may be,
    /// when that is not at once.
    pub(super) fn count_write(
        &mut self,
        events: u64,
        has_more: (bool, bool),
        push: &PushConfig,
        now: Instant,
    ) -> Option<Instant> {
        let (queued, any) = has_more;
        self.last_drain = now;
        self.due_since = any.then_some(now);
        if queued {
            return None;
        }
        self.urgent = false;
        if events == 0 || self.window || push.coalesce_ms == 0 {
            return None;
        }
        self.writes.take(1, now);
        let wait = self.writes.wait(1, now);
        self.window = !wait.is_zero();
        self.window.then(|| now + wait)
    }

    /// Returns for how long something has been due without being written.
    pub(super) fn overdue(&self, now: Instant) -> Duration {
        self.due_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Returns when something was last written.
    pub(super) fn last_drain(&self) -> Instant {
        self.last_drain
    }
}
