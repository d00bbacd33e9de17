//! How fast a socket accepts bytes. A slow client is served; a client that reads next to nothing is disconnected.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// The progress of one socket.
#[derive(Debug, Default)]
pub(in crate::transport) struct WriteProgress {
    /// When it last accepted all offered bytes, or the required minimum, after it had not.
    progress: Cell<Option<Instant>>,
    /// Since when bytes have been unsent without such progress; `None` while nothing is unsent.
    waits_since: Cell<Option<Instant>>,
    /// Bytes accepted since then.
    taken: Cell<u64>,
    /// Whether the connection must end by a reset.
    is_given_up: Cell<bool>,
}

impl WriteProgress {
    /// Records that the socket has accepted `len` of `offered` bytes. All of them, or `bytes_min` in total, count as progress.
    pub(super) fn took(&self, len: usize, offered: usize, bytes_min: u64, now: Instant) {
        let taken = self.taken.get() + len as u64;
        if len == offered || taken >= bytes_min {
            self.progress.set(Some(now));
            self.waits_since.set(None);
            self.taken.set(0);
        } else {
            self.taken.set(taken);
        }
    }

    /// Returns whether bytes are unsent, so that progress must be recorded.
    pub(in crate::transport) fn is_waiting(&self) -> bool {
        self.waits_since.get().is_some() || self.taken.get() > 0
    }

    /// Records that the socket is jammed. Returns since when it has made no progress.
    pub(super) fn waits(&self, now: Instant) -> Instant {
        let since = self.waits_since.get().unwrap_or(now);
        self.waits_since.set(Some(since));
        since
    }

    /// Returns whether the socket has made progress since then.
    pub(in crate::transport) fn has_progressed(&self, since: Instant) -> bool {
        self.progress.get().is_some_and(|progress| progress >= since)
    }

    /// Makes the connection end by a reset, which discards the unsent bytes in the kernel.
    pub(in crate::transport) fn give_up(&self) {
        self.is_given_up.set(true);
    }

    /// Returns whether the connection must end by a reset.
    pub(in crate::transport) fn is_given_up(&self) -> bool {
        self.is_given_up.get()
    }

    /// Returns for how long the socket has made no progress while data was due, which it has been for `overdue`.
    pub(in crate::transport) fn stalled_for(&self, overdue: Duration, now: Instant) -> Duration {
        self.progress.get().map_or(overdue, |progress| overdue.min(now.saturating_duration_since(progress)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_slow_socket_makes_progress_and_one_byte_a_second_is_none() {
        let start = Instant::now();
        let (slow, dripping) = (WriteProgress::default(), WriteProgress::default());
        for second in 1..=20 {
            let now = start + SECOND * second;
            slow.took(600, 32_768, 1_024, now);
            slow.waits(now);
            dripping.took(1, 32_768, 1_024, now);
            assert_eq!(dripping.waits(now), start + SECOND);
        }
        let now = start + SECOND * 20;
        assert_eq!(slow.stalled_for(SECOND * 20, now), Duration::ZERO);
        assert_eq!(dripping.stalled_for(SECOND * 20, now), SECOND * 20);
    }

    #[test]
    fn a_socket_that_accepts_all_bytes_has_no_unsent_ones() {
        let start = Instant::now();
        let pace = WriteProgress::default();
        pace.waits(start);
        pace.took(2, 2, 1_024, start + SECOND);
        assert_eq!(pace.waits(start + SECOND * 60), start + SECOND * 60);
        assert_eq!(pace.stalled_for(Duration::ZERO, start + SECOND * 60), Duration::ZERO);
    }
}
