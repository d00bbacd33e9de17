//! The bars of every symbol and interval: the closed ones, bounded, and the open one.

use std::collections::VecDeque;

use crate::domain::{Bar, EventBody, Interval, OpenBars, SymbolId, Timestamp};
use crate::protocol::Publication;

/// The past of one symbol before the first event.
#[derive(Clone, Debug, Default)]
pub struct PastBars {
    /// Closed bars by interval, oldest first.
    pub closed: [Vec<Bar>; Interval::COUNT],
    /// The bar of each interval that is open when the stream begins.
    pub open: [Option<Bar>; Interval::COUNT],
}

/// What a read of bars gives: oldest first, the last one open when `open` is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BarRead {
    /// Closed bars.
    pub closed: Vec<Bar>,
    /// The bar that is still open, when it belongs to the answer.
    pub open: Option<Bar>,
}

/// Bars for which a ring has room beyond those of the past, in case `history.bars_max` allows them.
const BARS_SPARE: usize = 1_024;

/// Every symbol's bars; see [`Self::new`].
#[derive(Clone, Debug)]
pub struct Bars {
    symbols: Vec<SymbolBars>,
    bars_max: usize,
}

#[derive(Clone, Debug)]
struct SymbolBars {
    closed: [VecDeque<Bar>; Interval::COUNT],
    open: OpenBars,
}

impl Bars {
    /// Returns bars that begin with this past, one entry for each symbol, and keep at most `bars_max` closed bars of each
    /// symbol and interval.
    pub fn new(past: Vec<PastBars>, bars_max: usize) -> Self {
        let closed = |bars: Vec<Bar>| {
            let skipped = bars.len().saturating_sub(bars_max);
            // Room from the start, so that a ring that fills does not move: memory stays flat.
            let mut kept = VecDeque::with_capacity(bars_max.min(bars.len() + BARS_SPARE));
            kept.extend(bars.into_iter().skip(skipped));
            kept
        };
        let symbol = |past: PastBars| SymbolBars { closed: past.closed.map(closed), open: OpenBars::resume(past.open) };
        Self { symbols: past.into_iter().map(symbol).collect(), bars_max }
    }

    /// Takes in the next event of the stream.
    pub fn apply(&mut self, publication: &Publication) {
        let event = &publication.event;
        let symbol = &mut self.symbols[event.id.index()];
        match &event.body {
            EventBody::Trade(trade) => symbol.open.add(trade),
            EventBody::Quote(_) | EventBody::Day(_) => {}
            EventBody::Bar(interval, bar) => {
                symbol.open.take(*interval);
                let closed = &mut symbol.closed[*interval as usize];
                if closed.len() == self.bars_max {
                    closed.pop_front();
                }
                closed.push_back(**bar);
            }
        }
    }

    /// Returns the newest `limit` bars that began before `before` (or the newest of all), the open one among them.
    pub fn read(&self, id: SymbolId, interval: Interval, limit: usize, before: Option<Timestamp>) -> BarRead {
        let symbol = &self.symbols[id.index()];
        let wanted = |bar: &Bar| before.is_none_or(|before| bar.ts < before);
        let open = symbol.open.bar(interval).filter(|bar| limit > 0 && wanted(bar));
        let closed = &symbol.closed[interval as usize];
        let end = closed.partition_point(wanted);
        let start = end.saturating_sub(limit - usize::from(open.is_some()));
        BarRead { closed: closed.range(start..end).copied().collect(), open }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Event, Price, Size, Trade};

    fn bar(minute: i64) -> Bar {
        let price = Price::from_cents(100 + minute);
        Bar {
            ts: Timestamp::from_micros(minute * 60_000_000),
            open: price,
            high: price,
            low: price,
            close: price,
            volume: 1,
            trades: 1,
            vwap: price,
        }
    }

    fn bars(bars_max: usize) -> Bars {
        let mut past = PastBars::default();
        past.closed[Interval::M1 as usize] = (0..10).map(bar).collect();
        past.open[Interval::M1 as usize] = Some(bar(10));
        Bars::new(vec![past], bars_max)
    }

    fn publication(body: EventBody) -> Publication {
        Publication::new(Event { offset: 1, seq: 1, id: SymbolId(0), symbol: "AAPL".parse().unwrap(), body })
    }

    fn minutes(read: &BarRead) -> Vec<i64> {
        read.closed.iter().chain(&read.open).map(|bar| bar.ts.micros() / 60_000_000).collect()
    }

    #[test]
    fn a_read_pages_backward_and_counts_the_open_bar() {
        let bars = bars(100);
        let read = |limit, before: Option<i64>| {
            let before = before.map(|minute| Timestamp::from_micros(minute * 60_000_000));
            minutes(&bars.read(SymbolId(0), Interval::M1, limit, before))
        };
        assert_eq!(read(3, None), [8, 9, 10]);
        assert_eq!(read(3, Some(8)), [5, 6, 7]);
        assert_eq!(read(1, None), [10]);
        assert_eq!(read(0, None), [0; 0]);
        assert_eq!(read(100, None).len(), 11);
        assert_eq!(read(5, Some(0)), [0; 0]);
    }

    #[test]
    fn closing_a_bar_moves_it_to_the_closed_ones_and_forgets_the_oldest() {
        let mut bars = bars(5);
        let trade = Trade { ts: bar(10).ts, price: Price::from_cents(500), size: Size::new(2) };
        bars.apply(&publication(EventBody::Trade(trade)));
        let open = bars.read(SymbolId(0), Interval::M1, 1, None).open.unwrap();
        assert_eq!((open.high, open.volume), (Price::from_cents(500), 3));
        bars.apply(&publication(EventBody::Bar(Interval::M1, Box::new(open))));
        let read = bars.read(SymbolId(0), Interval::M1, 100, None);
        assert_eq!(minutes(&read), [6, 7, 8, 9, 10]);
        assert_eq!((read.open, read.closed[4]), (None, open));
    }
}
