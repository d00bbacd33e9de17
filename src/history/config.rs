//! The section `[history]` of the configuration, and the memory that its bounds add up to.

use serde::Deserialize;

use crate::domain::Interval;

/// Most bytes of one event in the rings, encoded bytes included.
const EVENT_BYTES: u64 = 256;
/// Bytes of one closed bar.
pub(super) const BAR_BYTES: usize = 32;
/// Most closed bars of one symbol and interval if `bars_max` is 0.
const BARS_DEFAULT_MAX: usize = 3_000;
/// Fewest closed bars for which there must be memory: one minute of seconds, one hour of minutes.
const BARS_LEAST: usize = 60;

/// Bounds of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryConfig {
    /// Newest events in the ring, for cursors. 1 to 16,777,216.
    pub events_max: usize,
    /// Closed bars of each symbol and interval for readers, at most 100,000. 0 means 3,000, or as many as fit into
    /// `memory_max_bytes`.
    pub bars_max: usize,
    /// Bars from before the start that are cached after they were computed for a reader, over all symbols. At most
    /// 100,000,000.
    pub past_bars_max: usize,
    /// Most memory for all of this, in bytes. At most 2^50.
    pub memory_max_bytes: u64,
}

impl Default for HistoryConfig {
    fn default() -> Self {
        Self { events_max: 262_144, bars_max: 0, past_bars_max: 500_000, memory_max_bytes: 268_435_456 }
    }
}

/// Numbers of closed bars of each symbol and interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarBounds {
    /// Most bars for a reader: those closed since the start and, before them, those of the past.
    pub bars_max: usize,
    /// Most bars closed since the start that are stored.
    pub kept_max: usize,
}

impl HistoryConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    ///
    /// Returns the key and the rule that its value breaks.
    pub fn validate(&self) -> Result<(), (&'static str, &'static str)> {
        match self {
            Self { events_max: 0 | 16_777_217.., .. } => Err(("history.events_max", "must be 1 to 16777216")),
            Self { bars_max: 100_001.., .. } => Err(("history.bars_max", "must be at most 100000")),
            Self { past_bars_max: 100_000_001.., .. } => Err(("history.past_bars_max", "must be at most 100000000")),
            Self { memory_max_bytes, .. } if *memory_max_bytes > 1 << 50 => {
                Err(("history.memory_max_bytes", "must be at most 2^50"))
            }
            _ => Ok(()),
        }
    }

    /// Returns the most closed bars of a symbol and interval for a reader.
    pub const fn bars_per_symbol_max(&self) -> usize {
        if self.bars_max == 0 { BARS_DEFAULT_MAX } else { self.bars_max }
    }

    /// Returns how many bars fit into memory with this many symbols, beside so many delayed streams: each has a history of its own, with
    /// the same bars of the past, and at most `delay_events_max` waiting events.
    ///
    /// # Errors
    ///
    /// Returns the arithmetic, in one line, if the bounds exceed `memory_max_bytes`.
    pub fn bar_bounds(&self, symbols: usize, delayed: usize, delay_events_max: usize) -> Result<BarBounds, String> {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let bar_bytes = count(BAR_BYTES);
        let histories = count(delayed).saturating_add(1);
        // The streams share their events: the oldest one has the longest delay.
        let waiting = count(delay_events_max).saturating_mul(count(delayed.min(1)));
        let kept = count(self.events_max).saturating_mul(histories);
        let events = kept.saturating_add(waiting).saturating_mul(EVENT_BYTES);
        let past = count(self.past_bars_max).saturating_mul(bar_bytes);
        // One bar of every symbol and interval.
        let row =
            count(symbols).saturating_mul(count(Interval::COUNT)).saturating_mul(bar_bytes).saturating_mul(histories);
        let least = if self.bars_max == 0 { BARS_LEAST } else { self.bars_max };
        let bars = row.saturating_mul(count(least));
        let sum = events.saturating_add(past).saturating_add(bars);
        if sum > self.memory_max_bytes {
            return Err(format!(
                "history.memory_max_bytes is {}, and the bounds take {sum}: history.events_max {} x {EVENT_BYTES} bytes = \
                 {events}, history.past_bars_max {} x {BAR_BYTES} bytes = {past}, {symbols} symbols x {} intervals x \
                 {least} bars ({}) x {BAR_BYTES} bytes = {bars}{}",
                self.memory_max_bytes,
                self.events_max,
                self.past_bars_max,
                Interval::COUNT,
                if self.bars_max == 0 { "the least" } else { "history.bars_max" },
                match delayed {
                    0 => String::new(),
                    _ => format!(
                        "; events and bars in {histories} histories, for auth.delays_ms, and events of \
                         feed.delay_events_max {delay_events_max} that wait"
                    ),
                },
            ));
        }
        if self.bars_max > 0 {
            return Ok(BarBounds { bars_max: self.bars_max, kept_max: self.bars_max });
        }
        let room = (self.memory_max_bytes - events - past) / row.max(1);
        let kept_max = usize::try_from(room).unwrap_or(usize::MAX).min(BARS_DEFAULT_MAX);
        Ok(BarBounds { bars_max: BARS_DEFAULT_MAX, kept_max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_number_as_many_bars_are_stored_as_fit_into_memory() {
        let config = HistoryConfig::default();
        let kept = |symbols| config.bar_bounds(symbols, 0, 0).unwrap().kept_max;
        assert_eq!([30, 530, 10_030].map(kept), [3_000, 1_821, 96]);
        assert!(config.bar_bounds(30_000, 0, 0).unwrap_err().contains("30000 symbols x 6 intervals x 60 bars"));
    }

    #[test]
    fn a_delayed_stream_takes_memory_for_its_history_and_for_the_events_that_wait() {
        let config = HistoryConfig::default();
        assert_eq!(config.bar_bounds(530, 1, 262_144).unwrap().kept_max, 251);
        let err = config.bar_bounds(30, 3, 262_144).unwrap_err();
        assert!(err.contains("in 4 histories, for auth.delays_ms") && !err.contains('\n'), "{err}");
    }

    #[test]
    fn bounds_that_exceed_the_memory_are_refused_with_the_arithmetic() {
        let config = HistoryConfig { bars_max: 3_000, memory_max_bytes: 1 << 30, ..HistoryConfig::default() };
        assert_eq!(config.bar_bounds(30, 0, 0), Ok(BarBounds { bars_max: 3_000, kept_max: 3_000 }));
        let err = config.bar_bounds(10_030, 0, 0).unwrap_err();
        for part in [
            "is 1073741824,",
            "take 5860388864:",
            "262144 x 256 bytes = 67108864",
            "x 3000 bars (history.bars_max) x 32",
        ] {
            assert!(err.contains(part), "{part}: {err}");
        }
        let config = HistoryConfig { events_max: usize::MAX, ..HistoryConfig::default() };
        assert!(config.bar_bounds(usize::MAX, 0, 0).is_err());
    }
}
