//! The bars of every symbol and interval since the start of the stream: the closed ones, bounded, and the open one.

use std::collections::VecDeque;

use crate::domain::{Bar, EventBody, Interval, OpenBars, SymbolId, Timestamp};
use crate::history::BarBounds;
use crate::history::kept::KeptBar;
use crate::protocol::Publication;

/// What a read of bars gives: oldest first, the last one open when `open` is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BarRead {
    /// Closed bars.
    pub closed: Vec<KeptBar>,
    /// The bar that is still open, when it belongs to the answer.
    pub open: Option<Bar>,
}

/// Every symbol's bars; see [`Self::new`].
#[derive(Clone, Debug)]
pub struct Bars {
    symbols: Vec<SymbolBars>,
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
    bars: VecDeque<KeptBar>,
    /// Whether one has been forgotten: then there is a hole between the past and the oldest one.
    is_cut: bool,
}

/// What the live part of a read gives.
#[derive(Debug)]
pub(super) struct LiveRead {
    pub(super) offset: u64,
    pub(super) read: BarRead,
    /// How many bars of the past, the newest ones, come before those that are kept here; 0 when there is a hole between.
    pub(super) past_bars: usize,
}

impl Bars {
    /// Returns bars that begin with these open ones, one entry for each symbol, and keep as many as the bounds say.
    pub fn new(open: Vec<[Option<Bar>; Interval::COUNT]>, bounds: BarBounds) -> Self {
        let symbol = |open| SymbolBars { closed: Default::default(), open: OpenBars::resume(open) };
        Self { symbols: open.into_iter().map(symbol).collect(), bounds, offset: 0 }
    }

    /// Takes in the next event of the stream.
    pub fn apply(&mut self, publication: &Publication) {
        let event = &publication.event;
        self.offset = event.offset;
        let symbol = &mut self.symbols[event.id.index()];
        match &event.body {
            EventBody::Trade(trade) => symbol.open.add(trade),
            EventBody::Quote(_) | EventBody::Day(_) | EventBody::Gap(_) => {}
            EventBody::Bar(interval, bar) => {
                symbol.open.take(*interval);
                let closed = &mut symbol.closed[*interval as usize];
                if closed.bars.len() == self.bounds.kept_max {
                    closed.bars.pop_front();
                    closed.is_cut = true;
                }
                closed.bars.push_back(KeptBar::from(&**bar));
            }
        }
    }

    /// Returns the newest `limit` bars that began before `before` (or the newest of all), the open one among them, as far
    /// as they are kept here.
    pub(super) fn read(&self, id: SymbolId, interval: Interval, limit: usize, before: Option<Timestamp>) -> LiveRead {
        let symbol = &self.symbols[id.index()];
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
