//! Closed bars from before the start: computed by the feed when a reader asks for them, and cached for the next reader.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::{Bar, Interval, SymbolId, day_start};
use crate::feed::Opening;
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
    /// The bars of one hour of the present day of New York and the one before, and after them the newest bar of one minute, if there
    /// is any.
    Newest,
}

/// Computes a series of one symbol, oldest first; the result is the same every time.
pub type PastSource = Box<dyn Fn(SymbolId, Series) -> Vec<Bar> + Send + Sync>;

/// Returns a series of one symbol from the closed bars of an opening.
pub fn past_of(opening: &Opening, id: SymbolId, series: Series) -> Vec<Bar> {
    match series {
        Series::Bars(interval) => opening.closed(id, interval).copied().collect(),
        Series::Hours => opening.closed(id, Interval::H1).copied().collect(),
        Series::Newest => {
            let begin = day_start(day_start(opening.start).plus_micros(-1));
            let hours = opening.closed(id, Interval::H1).filter(|hour| hour.ts >= begin);
            hours.chain(opening.closed(id, Interval::M1).next_back()).copied().collect()
        }
    }
}

/// A cache of the past by symbol and series.
pub(super) struct PastBars {
    source: PastSource,
    /// Most bars of one symbol and series.
    bars_max: usize,
    kept: Mutex<Kept>,
    /// The newest bars of each symbol that has been asked for.
    newest: Mutex<HashMap<SymbolId, Newest>>,
    metrics: SharedMetrics,
}

/// The newest bars of one symbol from before the start. They are few, so those of all symbols stay.
#[derive(Clone, Debug)]
pub(super) struct Newest {
    /// The bar of the newest minute with a trade.
    pub(super) minute: Option<CompactBar>,
    /// Days of New York, oldest first. The last one ends at the beginning of the hour of the start.
    pub(super) days: Arc<[CompactBar]>,
}

/// Days of [`Newest`]: the day of the start, and two before it.
const NEWEST_DAYS: usize = 3;

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
        Self { source, bars_max, kept, newest: Mutex::default(), metrics }
    }

    /// Returns the closed bars of this symbol and interval, oldest first.
    pub(super) fn series(&self, id: SymbolId, interval: Interval) -> Arc<[CompactBar]> {
        self.cached((id, Series::Bars(interval)), |bars| {
            bars[bars.len().saturating_sub(self.bars_max)..].iter().map(CompactBar::from).collect()
        })
    }

    /// Returns the days of New York of this symbol, oldest first. The last one ends at the start of the stream.
    pub(super) fn days(&self, id: SymbolId) -> Arc<[CompactBar]> {
        self.cached((id, Series::Hours), |hours| days_of(hours).into())
    }

    /// Returns the newest bars of this symbol. The first call for a symbol computes two days, or a month if it has not
    /// traded on one of them.
    pub(super) fn newest(&self, id: SymbolId) -> Newest {
        let newest = || self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(newest) = newest().get(&id) {
            return newest.clone();
        }
        let made = |series| {
            let bars = (self.source)(id, series);
            self.metrics.past_bars_made.inc_by(bars.len() as u64);
            bars
        };
        let mut hours = made(Series::Newest);
        let minute = hours.pop().as_ref().map(CompactBar::from);
        let mut days = merged(&hours);
        if days.len() < 2 {
            days = days_of(&made(Series::Bars(Interval::H1)));
        }
        let days = days[days.len().saturating_sub(NEWEST_DAYS)..].into();
        let made = Newest { minute, days };
        newest().insert(id, made.clone());
        made
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

/// Returns the days of New York of shorter bars, without the first one, which begins before the bars do.
fn days_of(bars: &[Bar]) -> Vec<CompactBar> {
    let begin = bars.first().map_or(0, |first| {
        let (_, end) = Timeframe::Day(1).span(first.ts);
        bars.partition_point(|bar| bar.ts < end)
    });
    merged(&bars[begin..])
}

/// Returns the days of New York of shorter bars.
fn merged(bars: &[Bar]) -> Vec<CompactBar> {
    merge(Timeframe::Day(1), bars.iter().copied()).iter().map(CompactBar::from).collect()
}

impl fmt::Debug for PastBars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PastBars").field("kept", &self.kept).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Price, Size, Timestamp};
    use crate::metrics::Metrics;

    fn bars(count: i64) -> Vec<Bar> {
        let price = Price::from_cents(100);
        let bar = |second: i64| {
            let ts = Timestamp::from_micros(second * 1_000_000);
            Bar { ts, open: price, high: price, low: price, close: price, volume: Size::new(1), trades: 1, vwap: price }
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
    fn the_newest_bars_of_a_symbol_are_computed_once_however_small_the_cache_is() {
        /// Midnight (UTC) of a day in summer, at which New York is four hours behind; seconds since 1970.
        const START: i64 = 20_000 * 86_400;
        let metrics = Arc::new(Metrics::default());
        let day = 86_400_i64;
        let source = move |id: SymbolId, series| {
            // From midnight in New York on.
            let hours = if series == Series::Newest { 44 } else { 30 * 24 };
            let every = if id.0 == 0 { 3_600 } else { 3 * day };
            let at = |second| Bar { ts: Timestamp::from_micros((START + second) * 1_000_000), ..bars(1)[0] };
            let minute = (series == Series::Newest).then_some(-60);
            (-hours * 3_600..0).step_by(every.try_into().unwrap()).chain(minute).map(at).collect()
        };
        let past = PastBars::new(Box::new(source), 5, 4, metrics.clone());
        let newest = [0, 0, 1, 1].map(|id| past.newest(SymbolId(id)));
        let days = |newest: &Newest| {
            let hour = |day: &CompactBar| (day.ts().micros() / 1_000_000 - START) / 3_600;
            let day = |day: &CompactBar| (hour(day), Bar::from(day).trades);
            newest.days.iter().map(day).collect::<Vec<_>>()
        };
        let minute = newest[1].minute.as_ref().map(|bar| bar.ts().micros() / 1_000_000 - START);
        assert_eq!((days(&newest[1]), minute), (vec![(-44, 24), (-20, 20)], Some(-60)));
        assert_eq!(days(&newest[3]), [(-236, 1), (-164, 1), (-92, 1)], "a symbol that trades every third day");
        assert_eq!(metrics.past_bars_made.get(), 45 + 2 + 10);
    }

    #[test]
    fn a_series_larger_than_the_cache_is_computed_each_time() {
        let metrics = Arc::new(Metrics::default());
        let past = PastBars::new(Box::new(|_, _| bars(5)), 5, 4, metrics.clone());
        assert_eq!([0, 0].map(|id| past.series(SymbolId(id), Interval::D1).len()), [5, 5]);
        assert_eq!((metrics.past_bars_made.get(), past.kept.lock().unwrap().bars), (10, 0));
    }
}
