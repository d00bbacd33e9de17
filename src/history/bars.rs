//! The bars of every symbol and interval since the start of the stream: a bounded number of closed ones, and the open
//! one.

use std::collections::VecDeque;

use crate::domain::{Bar, BarBuilder, EventBody, Interval, OpenBars, SymbolId, Timestamp, Trade};
use crate::history::compact_bar::CompactBar;
use crate::history::{BarBounds, PastSource, Series};
use crate::protocol::Publication;

/// The result of a read of bars: oldest first; if `open` is set, it is the last one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BarRead {
    /// Closed bars.
    pub closed: Vec<CompactBar>,
    /// The open bar, if it belongs to the result.
    pub open: Option<Bar>,
}

/// The bars of every symbol; see [`Self::new`].
#[derive(Clone, Debug)]
pub struct Bars {
    symbols: Vec<SymbolBars>,
    /// The bars of a symbol without an event.
    none: SymbolBars,
    bounds: BarBounds,
    offset: u64,
    /// Time at which the stream began.
    start: Timestamp,
    /// The newest time of an event: bars that ended before it are closed.
    now: Timestamp,
}

#[derive(Clone, Debug)]
struct SymbolBars {
    closed: [ClosedBars; Interval::COUNT],
    open: OpenBars,
}

#[derive(Clone, Debug)]
struct ClosedBars {
    bars: VecDeque<CompactBar>,
    /// Whether a bar has been evicted: then there is a hole between the past and the oldest bar.
    is_cut: bool,
    /// A bar that begins before this time and is not here may have had trades: no late trade begins it anew.
    known_from: Timestamp,
}

impl SymbolBars {
    /// Adds a trade; `now` is the newest time of an event, this trade included. If the bar of its time has ended, that one changes; it is not
    /// published again.
    fn add(&mut self, trade: &Trade, now: Timestamp, kept_max: usize) {
        if self.is_in_order(trade.ts, now) {
            return self.open.add(trade);
        }
        self.close_before(now, kept_max);
        self.open.begin_minute(now);
        self.open.add(trade);
        for (interval, closed) in Interval::ALL.into_iter().zip(&mut self.closed) {
            let start = interval.start_of(trade.ts);
            if self.open.start(interval) != Some(start) {
                closed.include(start, trade, kept_max);
            }
        }
        // A bar that has ended, but had no trade yet.
        self.close_before(now, kept_max);
    }

    /// Returns whether a trade of this time belongs to the open bars, and all trades in these are of the present minute.
    fn is_in_order(&self, ts: Timestamp, now: Timestamp) -> bool {
        let second = Interval::S1.start_of(ts);
        second == Interval::S1.start_of(now)
            && self.open.start(Interval::S1).is_none_or(|open| open == second)
            && self.open.start(Interval::M1) == Some(Interval::M1.start_of(ts))
    }

    /// Closes the bars that have ended before `now`. The feed closes bars, but not the one that a late trade has begun if a newer trade follows in
    /// the same second, and not that of a minute before the previous one.
    fn close_before(&mut self, now: Timestamp, kept_max: usize) {
        for (interval, closed) in Interval::ALL.into_iter().zip(&mut self.closed) {
            if let Some(bar) = self.open.take_before(interval, now) {
                closed.put(&bar, kept_max);
            }
        }
    }

    /// Closes the bar of the minute.
    fn close_minute(&mut self, kept_max: usize) {
        if let Some(bar) = self.open.take(Interval::M1) {
            self.closed[Interval::M1 as usize].put(&bar, kept_max);
        }
    }

    /// Adds a bar that the feed has closed.
    fn close(&mut self, interval: Interval, bar: &Bar, kept_max: usize) {
        let closed = &mut self.closed[interval as usize];
        if let Some(open) = self.open.take_before(interval, bar.ts.plus_micros(interval.micros())) {
            closed.put(&open, kept_max);
        }
        closed.put(bar, kept_max);
    }

    /// Replaces the bar of a minute, and the longer closed bars that contain the minute, of those that end after `start`.
    fn update(&mut self, minute: &Bar, start: Timestamp, kept_max: usize) {
        self.close(Interval::M1, minute, kept_max);
        for interval in Interval::ALL.into_iter().filter(|interval| *interval > Interval::M1) {
            let closed = &mut self.closed[interval as usize];
            let begin = interval.start_of(minute.ts);
            if begin >= interval.start_of(start)
                && closed.bars.back().is_some_and(|newest| newest.ts() == begin)
                && let Some(bar) = self.open.part_from(interval, begin)
            {
                closed.put(&bar, kept_max);
            }
        }
    }

    /// Begins with these closed bars at `start`. A series of `whole_max` bars may have lost older ones. Of a symbol without any bar it is known that
    /// it has had no trade.
    fn restore(&mut self, series: &[Vec<Bar>; Interval::COUNT], start: Timestamp, whole_max: usize, kept_max: usize) {
        let is_open = |interval| self.open.start(interval).is_some();
        let is_new = series.iter().all(Vec::is_empty) && !Interval::ALL.into_iter().any(is_open);
        for (closed, bars) in self.closed.iter_mut().zip(series) {
            closed.bars = bars[bars.len().saturating_sub(kept_max)..].iter().map(CompactBar::from).collect();
            closed.is_cut = bars.len() >= whole_max.min(kept_max);
            let oldest = closed.bars.front().map_or(closed.known_from, CompactBar::ts);
            closed.known_from = if is_new { ALWAYS } else { oldest };
        }
        // The minute before may still change: it is open for the feed.
        self.close_before(start, kept_max);
    }
}

/// Before every bar.
const ALWAYS: Timestamp = Timestamp::from_micros(i64::MIN);

impl ClosedBars {
    /// Returns no bars, of which those are missing that began before this time.
    const fn new(known_from: Timestamp) -> Self {
        Self { bars: VecDeque::new(), is_cut: false, known_from }
    }

    /// Adds a late trade to the bar with this start, whose first and last price stay. Without a trade in time there was no bar: it is added.
    fn include(&mut self, start: Timestamp, trade: &Trade, kept_max: usize) {
        let old = self.bars.get(self.place(start)).filter(|bar| bar.ts() == start).map(Bar::from);
        if old.is_none() && start < self.known_from {
            return;
        }
        let mut bar = old.map_or_else(BarBuilder::default, |old| BarBuilder::resume(old, LATER));
        bar.include(start, trade);
        if let Some(bar) = bar.bar() {
            self.put(&bar, kept_max);
        }
    }

    /// Adds a bar, or replaces that with the same start. The oldest bar is evicted if there is one too many.
    fn put(&mut self, bar: &Bar, kept_max: usize) {
        let mut place = self.place(bar.ts);
        if let Some(old) = self.bars.get_mut(place).filter(|old| old.ts() == bar.ts) {
            *old = CompactBar::from(bar);
            return;
        }
        if self.bars.len() >= kept_max {
            self.is_cut = true;
            if place == 0 {
                return;
            }
            self.bars.pop_front();
            place -= 1;
        }
        self.bars.insert(place, CompactBar::from(bar));
        if self.is_cut
            && let Some(oldest) = self.bars.front()
        {
            self.known_from = self.known_from.max(oldest.ts());
        }
    }

    /// Returns the place of the bar with this start.
    fn place(&self, start: Timestamp) -> usize {
        self.bars.partition_point(|bar| bar.ts() < start)
    }
}

/// After every trade.
const LATER: Timestamp = Timestamp::from_micros(i64::MAX);

/// The live part of the result of a read.
#[derive(Debug)]
pub(super) struct LiveRead {
    pub(super) offset: u64,
    pub(super) read: BarRead,
    /// How many of the newest bars of the past precede the bars here; 0 if there is a hole between.
    pub(super) past_bars: usize,
}

/// The live part of the result of a read between two times.
#[derive(Debug)]
pub(super) struct LiveRange {
    /// Closed bars, oldest first.
    pub(super) closed: Vec<CompactBar>,
    /// The open bar, if it belongs to the result.
    pub(super) open: Option<Bar>,
    /// Like [`LiveRead::past_bars`].
    pub(super) past_bars: usize,
    /// Whether a bar has been evicted.
    pub(super) is_cut: bool,
}

impl Bars {
    /// Returns bars that continue these open ones from `start` on, one entry per symbol. Symbols that are added later begin without.
    pub fn new(open: Vec<[Option<Bar>; Interval::COUNT]>, start: Timestamp, bounds: BarBounds) -> Self {
        let closed = Interval::ALL.map(|interval| ClosedBars::new(interval.start_of(start)));
        let symbol = |open| SymbolBars { closed: closed.clone(), open: OpenBars::resume(open, None, start) };
        let none = symbol([None; Interval::COUNT]);
        Self { symbols: open.into_iter().map(symbol).collect(), none, bounds, offset: 0, start, now: start }
    }

    /// Begins with these closed bars, see [`Archive::restore`](crate::history::Archive::restore).
    pub(super) fn restore(&mut self, past: &PastSource, whole_max: usize) {
        let (start, kept_max) = (self.start, self.bounds.kept_max);
        for (id, symbol) in (0..).map(SymbolId).zip(&mut self.symbols) {
            let series = Interval::ALL.map(|interval| past(id, Series::Bars(interval)));
            symbol.restore(&series, start, whole_max, kept_max);
        }
        self.none.restore(&Default::default(), start, whole_max, kept_max);
    }

    /// Returns the same bars after the event with this offset, as after a restart of the stream.
    pub(super) const fn after(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    /// Returns the number of symbols with bars.
    pub(super) fn symbols(&self) -> usize {
        self.symbols.len()
    }

    pub(super) const fn bounds(&self) -> BarBounds {
        self.bounds
    }

    /// Adds the next event of the stream.
    pub fn apply(&mut self, publication: &Publication) {
        let event = &publication.event;
        self.offset = event.offset;
        let index = event.id.index();
        if index >= self.symbols.len() {
            self.symbols.resize(index + 1, self.none.clone());
        }
        let (symbol, kept_max) = (&mut self.symbols[index], self.bounds.kept_max);
        self.now = self.now.max(event.ts());
        match &event.body {
            EventBody::Trade(trade) => symbol.add(trade, self.now, kept_max),
            EventBody::Correction(correction) => {
                symbol.open.amend(&correction.trade, Some(&correction.corrected()));
            }
            EventBody::Cancel(cancel) => symbol.open.amend(&cancel.trade, None),
            EventBody::Bar(interval, closed) => {
                self.now = self.now.max(closed.bar.ts.plus_micros(interval.micros()));
                symbol.close(*interval, &closed.bar, kept_max);
            }
            EventBody::UpdatedBar(closed) => symbol.update(&closed.bar, self.start, kept_max),
            // It follows a full minute: the trades before it are of minutes that have ended.
            EventBody::DailyBar(_) => symbol.close_minute(kept_max),
            EventBody::Quote(_) | EventBody::Day(_) | EventBody::Gap(_) => {}
        }
    }

    fn symbol(&self, id: SymbolId) -> &SymbolBars {
        self.symbols.get(id.index()).unwrap_or(&self.none)
    }

    /// Returns the bars for whose start both conditions hold, as far as they are stored here.
    pub(super) fn range(
        &self,
        id: SymbolId,
        interval: Interval,
        is_after: impl Fn(Timestamp) -> bool,
        is_before: impl Fn(Timestamp) -> bool,
    ) -> LiveRange {
        let symbol = self.symbol(id);
        let ClosedBars { bars, is_cut, .. } = &symbol.closed[interval as usize];
        let start = bars.partition_point(|bar| !is_after(bar.ts()));
        let end = bars.partition_point(|bar| is_before(bar.ts()));
        let open = symbol.open.bar(interval).filter(|bar| is_after(bar.ts) && is_before(bar.ts));
        let past_bars = if *is_cut { 0 } else { self.bounds.bars_max.saturating_sub(bars.len()) };
        let closed = bars.range(start.min(end)..end).cloned().collect();
        LiveRange { closed, open, past_bars, is_cut: *is_cut }
    }

    /// Returns the newest `limit` bars that began before `before` (or the newest of all), including the open bar, as
    /// far as they are stored here.
    pub(super) fn read(&self, id: SymbolId, interval: Interval, limit: usize, before: Option<Timestamp>) -> LiveRead {
        let symbol = self.symbol(id);
        let wanted = |ts: Timestamp| before.is_none_or(|before| ts < before);
        let open = symbol.open.bar(interval).filter(|bar| limit > 0 && wanted(bar.ts));
        let ClosedBars { bars, is_cut, .. } = &symbol.closed[interval as usize];
        let end = bars.partition_point(|bar| wanted(bar.ts()));
        let start = end.saturating_sub(limit - usize::from(open.is_some()));
        let past_bars = if *is_cut { 0 } else { self.bounds.bars_max.saturating_sub(bars.len()) };
        let closed = bars.range(start..end).cloned().collect();
        LiveRead { offset: self.offset, read: BarRead { closed, open }, past_bars }
    }
}
