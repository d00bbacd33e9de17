//! The figures of the feed: its offset and lag, its publishers, and its replay.

use std::time::Duration;

use crate::metrics::{Metrics, REPLAY_SKIPS};

/// Counts of the files of a replay since it began, or since the last seek or round of a loop.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReplayCounts {
    /// Events published.
    pub events: u64,
    /// Prices and sizes rounded.
    pub rounded: u64,
    /// Rows out of order.
    pub reordered: u64,
    /// Records that became no event, in the order of [`REPLAY_SKIPS`].
    pub skipped: [u64; REPLAY_SKIPS.len()],
    /// Where the replay is between the begin and the end of its files, 0 to 1.
    pub position: f64,
}

impl Metrics {
    /// Counts a refusal of events of a publisher, for one of [`PUBLISH_REFUSALS`].
    pub fn count_publish_refused(&self, reason: &'static str) {
        self.publishes_refused.of(reason).inc();
    }

    /// Returns how often events of publishers were refused for this reason.
    pub fn publishes_refused(&self, reason: &'static str) -> u64 {
        self.publishes_refused.of(reason).get()
    }

    /// Sets the offset of the newest event that the feed has published.
    pub fn set_feed_offset(&self, offset: u64) {
        self.feed_offset.set(offset.try_into().unwrap_or(i64::MAX));
    }

    /// Returns the offset of the newest event that the feed has published.
    pub fn feed_offset(&self) -> u64 {
        self.feed_offset.get().try_into().unwrap_or(0)
    }

    /// Sets how long ago the next event to be published was due.
    pub fn set_feed_lag(&self, lag: Duration) {
        self.feed_lag.0.set(lag.as_secs_f64());
    }

    /// Returns how long ago the next event to be published was due.
    pub fn feed_lag(&self) -> Duration {
        Duration::try_from_secs_f64(self.feed_lag.0.get()).unwrap_or_default()
    }

    /// Counts what has been added since `before`. A figure that is smaller than before has begun anew.
    pub fn count_replay(&self, before: &ReplayCounts, now: &ReplayCounts) {
        let added = |before: u64, now: u64| now.checked_sub(before).unwrap_or(now);
        self.replay_events.inc_by(added(before.events, now.events));
        self.replay_rounded.inc_by(added(before.rounded, now.rounded));
        self.replay_reordered.inc_by(added(before.reordered, now.reordered));
        for (reason, (before, now)) in REPLAY_SKIPS.into_iter().zip(before.skipped.into_iter().zip(now.skipped)) {
            self.replay_skipped.of(reason).inc_by(added(before, now));
        }
        self.replay_position.0.set(now.position);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_grow_over_the_rounds_of_a_loop() {
        let metrics = Metrics::default();
        let rounds = [(2, 1), (5, 1), (5, 1), (3, 0), (5, 1)];
        let mut before = ReplayCounts::default();
        for (events, bad) in rounds {
            let mut now = ReplayCounts { events, position: 0.5, ..ReplayCounts::default() };
            now.skipped[0] = bad;
            metrics.count_replay(&before, &now);
            before = now;
        }
        assert_eq!((metrics.replay_events.get(), metrics.replay_skipped.of("bad").get()), (10, 2));
        assert!((metrics.replay_position.0.get() - 0.5).abs() < f64::EPSILON);
    }
}
