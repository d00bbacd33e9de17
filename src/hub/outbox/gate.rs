//! `Gate`: when a session may write, and who is woken to write.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::hub::PushConfig;
use crate::hub::pass::Wakeup;
use crate::rate::RateLimiter;

/// The contents of the outbox after a write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    /// Events or answers, due or not.
    pub(super) queued: bool,
    /// Control items.
    pub(super) controls: bool,
}

/// When one session may write.
#[derive(Debug)]
pub(super) struct Gate {
    /// The rate limit of writes is reached: events wait until the coalescing window ends.
    window: bool,
    /// An answer is queued, which does not wait for a window.
    urgent: bool,
    writes: RateLimiter,
    due_since: Option<Instant>,
    last_drain: Instant,
    wakeup: Option<Wakeup>,
}

impl Gate {
    /// Returns the gate of a session without a write yet.
    pub(super) fn new(push: &PushConfig, now: Instant) -> Self {
        let writes = RateLimiter::every(push.coalesce(), push.burst_writes, now);
        Self { window: false, urgent: false, writes, due_since: None, last_drain: now, wakeup: None }
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

    /// Makes everything that is queued due now, because it includes an answer.
    pub(super) fn set_urgent(&mut self) {
        self.urgent = true;
    }

    /// Records that data are due, and wakes the writer.
    pub(super) fn wake(&mut self, now: Instant) {
        self.due_since.get_or_insert(now);
        if let Some(wakeup) = self.wakeup.take() {
            wakeup.wake();
        }
    }

    /// Stores the wakeup until data are due.
    pub(super) fn wait(&mut self, wakeup: Wakeup) {
        self.due_since = None;
        self.wakeup = Some(wakeup);
    }

    /// Records that data are due although the session waits for its turn, so that the delay does not count as a stall
    /// of its socket.
    pub(super) fn postpone(&mut self, now: Instant) {
        self.due_since = Some(now);
    }

    /// Records a write of this many events. Returns the time of the next write,
    /// if it may not follow at once.
    pub(super) fn count_write(&mut self, events: u64, left: Left, push: &PushConfig, now: Instant) -> Option<Instant> {
        self.last_drain = now;
        self.due_since = (left.queued || left.controls).then_some(now);
        if left.queued {
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

    /// Reads the memory that a write needs, see [`SessionWriter::load`](crate::hub::SessionWriter::load).
    pub(super) fn load(&self) {
        black_box((self.window, self.due_since, self.last_drain, self.wakeup.is_some()));
    }

    /// Returns for how long data have been due without a write.
    pub(super) fn overdue(&self, now: Instant) -> Duration {
        self.due_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Returns the time of the last write.
    pub(super) fn last_drain(&self) -> Instant {
        self.last_drain
    }
}
