//! The bars of every symbol and interval since the start of the stream: a bounded number of closed ones, and the open
//! one.

use std::collections::VecDeque;

use crate::domain::{Bar, EventBody, Interval, OpenBars, SymbolId, Timestamp};
use crate::history::BarBounds;
use crate::history::compact_bar::CompactBar;
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
}

#[derive(Clone, Debug)]
struct SymbolBars {
    closed: [ClosedBars; Interval::COUNT],
    open: OpenBars,
}

#[derive(Clone, Debug, Default)]
struct ClosedBars {
    bars: VecDeque<CompactBar>,
    /// Whether a bar has been evicted: then there is a hole between the past and the oldest bar.
    is_cut: bool,
}

impl SymbolBars {
    /// Replaces the bar of a minute, and the longer closed bars that contain the minute.
    fn update(&mut self, minute: &Bar, kept_max: usize) {
        // A minute without a trade in time was not closed before.
        if self.open.bar(Interval::M1).is_some_and(|open| open.ts == minute.ts) {
            self.open.take(Interval::M1);
        }
        self.closed[Interval::M1 as usize].replace(minute, kept_max);
        for interval in Interval::ALL.into_iter().filter(|interval| *interval > Interval::M1) {
            let closed = &mut self.closed[interval as usize];
            let start = interval.start_of(minute.ts);
            if closed.bars.back().is_some_and(|newest| newest.ts() == start)
                && let Some(bar) = self.open.part_from(interval, start)
            {
                closed.replace(&bar, kept_max);
            }
        }
    }
}

impl ClosedBars {
    fn push(&mut self, bar: &Bar, kept_max: usize) {
        if self.bars.len() == kept_max {
            self.bars.pop_front();
            self.is_cut = true;
        }
        self.bars.push_back(CompactBar::from(bar));
    }

    /// Replaces the bar with this start. A bar of a minute that had no trade in time is added.
    fn replace(&mut self, bar: &Bar, kept_max: usize) {
        let place = self.bars.partition_point(|each| each.ts() < bar.ts);
        match self.bars.get_mut(place) {
            Some(old) if old.ts() == bar.ts => *old = CompactBar::from(bar),
            None => self.push(bar, kept_max),
            Some(_) => {}
        }
    }
}

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
        let symbol = |open| SymbolBars { closed: Default::default(), open: OpenBars::resume(open, None, start) };
        let none = symbol([None; Interval::COUNT]);
        Self { symbols: open.into_iter().map(symbol).collect(), none, bounds, offset: 0 }
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
        let symbol = &mut self.symbols[index];
        match &event.body {
            EventBody::Trade(trade) => symbol.open.add(trade),
            EventBody::Correction(correction) => {
                symbol.open.amend(&correction.trade, Some(&correction.corrected()));
            }
            EventBody::Cancel(cancel) => symbol.open.amend(&cancel.trade, None),
            EventBody::Bar(interval, closed) => {
                symbol.open.take(*interval);
                symbol.closed[*interval as usize].push(&closed.bar, self.bounds.kept_max);
            }
            EventBody::UpdatedBar(closed) => symbol.update(&closed.bar, self.bounds.kept_max),
            EventBody::Quote(_) | EventBody::DailyBar(_) | EventBody::Day(_) | EventBody::Gap(_) => {}
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
        let ClosedBars { bars, is_cut } = &symbol.closed[interval as usize];
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
        let ClosedBars { bars, is_cut } = &symbol.closed[interval as usize];
        let end = bars.partition_point(|bar| wanted(bar.ts()));
        let start = end.saturating_sub(limit - usize::from(open.is_some()));
        let past_bars = if *is_cut { 0 } else { self.bounds.bars_max.saturating_sub(bars.len()) };
        let closed = bars.range(start..end).cloned().collect();
        LiveRead { offset: self.offset, read: BarRead { closed, open }, past_bars }
    }
}
