//! Closed bars from before the start: computed by the feed when a reader asks for them, and cached for the next reader.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::{Bar, Interval, SymbolId};
use crate::history::compact_bar::CompactBar;
use crate::history::timeframe::{Timeframe, merge};
use crate::metrics::SharedMetrics;

/// Closed bars from before the start that a source computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Series {
    /// The bars of an interval.
    Bars(Interval),
    /// Bars of one hour, as far back as those of one day.
    Hours,
}

/// Computes a series of one symbol, oldest first; the result is the same every time.
pub type PastSource = Box<dyn Fn(SymbolId, Series) -> Vec<Bar> + Send + Sync>;

/// A cache of the past by symbol and series.
pub(super) struct PastBars {
    source: PastSource,
    /// Most bars of one symbol and series.
    bars_max: usize,
    kept: Mutex<Kept>,
    metrics: SharedMetrics,
}

/// Key of a series.
type Key = (SymbolId, Series);

/// The cached series.
#[derive(Debug, Default)]
struct Kept {
    series: HashMap<Key, Arc<[CompactBar]>>,
    /// Their keys, in the order in which they were computed; the first is evicted first.
    order: VecDeque<Key>,
    bars: usize,
    bars_max: usize,
}

impl Kept {
    /// Caches a series and evicts others if necessary; a series that is larger than the cache is not cached. Returns
    /// how many series were evicted.
    fn keep(&mut self, key: Key, series: &Arc<[CompactBar]>) -> u64 {
        if series.len() > self.bars_max || self.series.contains_key(&key) {
            return 0;
        }
        let mut evicted = 0;
        while self.bars + series.len() > self.bars_max
            && let Some(oldest) = self.order.pop_front()
        {
            self.bars -= self.series.remove(&oldest).map_or(0, |series| series.len());
            evicted += 1;
        }
        self.bars += series.len();
        self.order.push_back(key);
        self.series.insert(key, series.clone());
        evicted
    }
}

impl PastBars {
    /// Returns the past of this source, the newest `bars_max` bars of each symbol and interval; caches up to `kept_max`
    /// bars.
    pub(super) fn new(source: PastSource, bars_max: usize, kept_max: usize, metrics: SharedMetrics) -> Self {
        let kept = Mutex::new(Kept { bars_max: kept_max, ..Kept::default() });
        Self { source, bars_max, kept, metrics }
    }

    /// Returns the closed bars of this symbol and interval, oldest first.
    pub(super) fn series(&self, id: SymbolId, interval: Interval) -> Arc<[CompactBar]> {
        self.cached((id, Series::Bars(interval)), |bars| {
            bars[bars.len().saturating_sub(self.bars_max)..].iter().map(CompactBar::from).collect()
        })
    }

    /// Returns the days of New York of this symbol, oldest first. The last one ends at the start of the stream.
    pub(super) fn days(&self, id: SymbolId) -> Arc<[CompactBar]> {
        self.cached((id, Series::Hours), |hours| {
            // The first day in New York begins before the hours do.
            let begin = hours.first().map_or(0, |first| {
                let (_, end) = Timeframe::Day(1).span(first.ts);
                hours.partition_point(|hour| hour.ts < end)
            });
            merge(Timeframe::Day(1), hours[begin..].iter().copied()).iter().map(CompactBar::from).collect()
        })
    }

    fn cached(&self, key: Key, make: impl FnOnce(&[Bar]) -> Arc<[CompactBar]>) -> Arc<[CompactBar]> {
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = kept().series.get(&key) {
            return series.clone();
        }
        let series = make(&(self.source)(key.0, key.1));
        self.metrics.past_bars_made.inc_by(series.len() as u64);
        self.metrics.past_series_evicted.inc_by(kept().keep(key, &series));
        series
    }
}

impl fmt::Debug for PastBars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PastBars").field("kept", &self.kept).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Price, Timestamp};
    use crate::metrics::Metrics;

    fn bars(count: i64) -> Vec<Bar> {
        let price = Price::from_cents(100);
        let bar = |second: i64| {
            let ts = Timestamp::from_micros(second * 1_000_000);
            Bar { ts, open: price, high: price, low: price, close: price, volume: 1, trades: 1, vwap: price }
        };
        (0..count).map(bar).collect()
    }

    #[test]
    fn series_are_cached_up_to_the_bound_and_the_oldest_is_evicted_first() {
        let metrics = Arc::new(Metrics::default());
        let past = PastBars::new(Box::new(|id, _| bars(i64::from(id.0))), 6, 10, metrics.clone());
        let read = |id| past.series(SymbolId(id), Interval::M1).len();
        let counters = || (metrics.past_bars_made.get(), metrics.past_series_evicted.get());
        assert_eq!([4, 5, 4, 5].map(read), [4, 5, 4, 5]);
        assert_eq!(counters(), (9, 0));
        assert_eq!(read(9), 6, "the newest ones");
        assert_eq!(counters(), (15, 2));
        assert_eq!(read(4), 4);
        assert_eq!(counters(), (19, 2));
        assert_eq!(past.kept.lock().unwrap().bars, 10);
        assert_eq!(past.series(SymbolId(9), Interval::M1)[0].ts(), bars(9)[3].ts);
    }

    #[test]
    fn a_series_larger_than_the_cache_is_computed_each_time() {
        let metrics = Arc::new(Metrics::default());
        let past = PastBars::new(Box::new(|_, _| bars(5)), 5, 4, metrics.clone());
        assert_eq!([0, 0].map(|id| past.series(SymbolId(id), Interval::D1).len()), [5, 5]);
        assert_eq!((metrics.past_bars_made.get(), past.kept.lock().unwrap().bars), (10, 0));
    }
}
