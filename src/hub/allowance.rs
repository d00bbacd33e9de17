//! `Allowance`: how often one session may be written to, over time. The generic cell rate algorithm (ITU-T I.371, annex A):
//! one moment for each session instead of a count of tokens and a time.

use std::time::{Duration, Instant};

/// What a session has used of its share of writes: one for each coalescing window, and a few at once after a quiet time.
#[derive(Debug)]
pub(super) struct Allowance {
    /// Until when the writes so far use up the share (the theoretical arrival time of the next one).
    used_until: Instant,
}

impl Allowance {
    /// Returns an allowance that is untouched at `now`.
    pub(super) fn new(now: Instant) -> Self {
        Self { used_until: now }
    }

    /// Counts a write at `now`. Returns when the next one may be when that is not at once: `burst_writes` are allowed
    /// together, then one for each `window`.
    ///
    /// A write before that (its writer was late, or had to) is counted, but never more than the whole burst.
    pub(super) fn count_write(&mut self, now: Instant, window: Duration, burst_writes: u32) -> Option<Instant> {
        let burst = window * burst_writes;
        self.used_until = (self.used_until.max(now) + window).min(now + burst);
        let wait = (self.used_until + window).saturating_duration_since(now + burst);
        (!wait.is_zero()).then(|| now + wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: Duration = Duration::from_millis(20);

    proptest! {
        /// Whatever the gaps between events, and however late each write is: no stretch of time has more writes than its
        /// windows and one burst, and an event waits for one window at most.
        #[test]
        fn writes_keep_to_their_share_and_events_wait_for_one_window_at_most(
            gaps in prop::collection::vec(0u64..60_000, 1..200),
            late in prop::collection::vec(0u64..3_000, 200),
            burst in 1u32..5,
        ) {
            let start = Instant::now();
            let (mut allowance, mut next, mut event) = (Allowance::new(start), start, start);
            let mut writes: Vec<Instant> = Vec::new();
            for (gap, late) in gaps.iter().zip(late) {
                event += Duration::from_micros(*gap);
                if writes.last().is_some_and(|last| *last >= event) {
                    // It went along with the last write.
                    continue;
                }
                prop_assert!(next <= event + WINDOW, "it would wait for more than a window");
                let now = event.max(next) + Duration::from_micros(late);
                next = allowance.count_write(now, WINDOW, burst).unwrap_or(now);
                writes.push(now);
            }
            for (from, first) in writes.iter().enumerate() {
                for (count, last) in (1u32..).zip(&writes[from..]) {
                    prop_assert!(count <= burst || *last - *first >= WINDOW * (count - burst), "{writes:?}");
                }
            }
        }
    }

    #[test]
    fn after_a_quiet_time_the_burst_goes_at_once() {
        let mut now = Instant::now();
        let mut allowance = Allowance::new(now);
        for _ in 0..3 {
            now += Duration::from_mins(1);
            assert_eq!(allowance.count_write(now, WINDOW, 2), None);
            assert_eq!(allowance.count_write(now, WINDOW, 2), Some(now + WINDOW));
        }
    }

    #[test]
    fn writes_beyond_the_share_are_not_held_against_the_session_for_long() {
        let now = Instant::now();
        let mut allowance = Allowance::new(now);
        for _ in 0..1_000 {
            allowance.count_write(now, WINDOW, 2);
        }
        assert_eq!(allowance.count_write(now, WINDOW, 2), Some(now + WINDOW));
    }
}
