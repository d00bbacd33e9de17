//! Numbers the stream: gives each event its `offset` and `seq`, and inserts the bars that close and the days that begin
//! in between. Pure.

use std::sync::Arc;

use crate::domain::{
    Bar, BarBuilder, Channel, ClosedBar, Day, DayFigures, Event, EventBody, Gap, Interval, OpenBars, Price, SymbolId,
    SymbolTable, Timestamp, day_start,
};
use crate::protocol::Publication;

/// Numbers events in the order in which they are pushed.
pub struct Sequencer {
    table: Arc<SymbolTable>,
    offset: u64,
    seq: Vec<[u64; Channel::COUNT]>,
    open: Vec<OpenBars>,
    /// The New York day of each symbol, as far as it is since the start of the stream.
    new_york: Vec<BarBuilder>,
    /// Last price of each symbol.
    last: Vec<Price>,
    /// Start of the present day.
    day: Timestamp,
    /// End of the shortest open bars.
    boundary: Timestamp,
}

impl Sequencer {
    /// Returns a sequencer at offset 0 that continues these open bars and last prices, one entry for each symbol of the
    /// table.
    pub fn new(
        table: Arc<SymbolTable>,
        open: Vec<[Option<Bar>; Interval::COUNT]>,
        last: Vec<Price>,
        start: Timestamp,
    ) -> Self {
        Self {
            offset: 0,
            seq: vec![[0; Channel::COUNT]; table.len()],
            new_york: vec![BarBuilder::default(); table.len()],
            open: open.into_iter().map(OpenBars::resume).collect(),
            last,
            day: Interval::D1.start_of(start),
            boundary: next_second(start),
            table,
        }
    }

    /// Returns the offset of the newest event.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Appends the event to `out`, after the bars that closed and the day that began before it.
    pub fn push(&mut self, id: SymbolId, body: EventBody, out: &mut Vec<Publication>) {
        match &body {
            EventBody::Trade(trade) => {
                self.close_bars(trade.ts, out);
                self.open[id.index()].add(trade);
                self.new_york[id.index()].add(day_start(trade.ts), trade);
                self.last[id.index()] = trade.price;
            }
            EventBody::Quote(quote) => self.close_bars(quote.ts, out),
            _ => {}
        }
        self.number(id, body, out);
    }

    /// Appends the bars that closed by `now` to `out`: shortest interval first, symbols in the order of the table. A
    /// new day begins for every symbol, whether it trades or not.
    pub fn close_bars(&mut self, now: Timestamp, out: &mut Vec<Publication>) {
        if now < self.boundary {
            return;
        }
        self.boundary = next_second(now);
        for interval in Interval::ALL {
            for id in self.table.clone().ids() {
                if let Some(bar) = self.open[id.index()].take_before(interval, now) {
                    let day = self.new_york[id.index()].bar().unwrap_or(bar);
                    let closed = ClosedBar { bar, day: DayFigures::from(&day) };
                    self.number(id, EventBody::Bar(interval, closed.into()), out);
                }
            }
        }
        let day = Interval::D1.start_of(now);
        if day > self.day {
            self.day = day;
            for id in self.table.clone().ids() {
                let prev_close = self.last[id.index()];
                self.number(id, EventBody::Day(Day { ts: day, prev_close }), out);
            }
        }
    }

    /// Appends a gap from `since` to `now` of every symbol to `out`, before the bars that the jump closes.
    pub fn leave_out(&mut self, since: Timestamp, now: Timestamp, out: &mut Vec<Publication>) {
        for id in self.table.clone().ids() {
            self.number(id, EventBody::Gap(Gap { since, ts: now }), out);
        }
        self.close_bars(now, out);
    }

    fn number(&mut self, id: SymbolId, body: EventBody, out: &mut Vec<Publication>) {
        let symbol = self.table.instrument(id).symbol;
        self.offset += 1;
        let mut event = Event { offset: self.offset, seq: 0, id, symbol, body };
        let seq = &mut self.seq[id.index()][event.channel().index()];
        *seq += 1;
        event.seq = *seq;
        out.push(Publication::new(event));
    }
}

fn next_second(ts: Timestamp) -> Timestamp {
    Interval::S1.start_of(ts).plus_micros(Interval::S1.micros())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Instrument, Price, Size, Trade};

    fn table() -> Arc<SymbolTable> {
        let instrument =
            |symbol: &str| Instrument { symbol: symbol.parse().unwrap(), name: String::new(), sector: String::new() };
        Arc::new(SymbolTable::new(vec![instrument("AAPL"), instrument("MSFT")]))
    }

    fn trade(ms: i64) -> EventBody {
        let ts = Timestamp::from_micros(ms * 1_000);
        EventBody::Trade(Trade { ts, price: Price::from_cents(100), size: Size::new(1) })
    }

    fn sequencer() -> Sequencer {
        let last = vec![Price::from_cents(50); 2];
        Sequencer::new(table(), vec![[None; Interval::COUNT]; 2], last, Timestamp::default())
    }

    #[test]
    fn offsets_count_the_stream_and_seqs_count_each_channel_of_each_symbol() {
        let (mut sequencer, mut out) = (sequencer(), Vec::new());
        for id in [0, 1, 0] {
            sequencer.push(SymbolId(id), trade(1), &mut out);
        }
        let numbers: Vec<_> = out.iter().map(|each| (each.event.offset, each.event.seq)).collect();
        assert_eq!(numbers, [(1, 1), (2, 1), (3, 2)]);
    }

    #[test]
    fn a_bar_is_published_when_it_closes_and_before_the_next_event() {
        let (mut sequencer, mut out) = (sequencer(), Vec::new());
        sequencer.push(SymbolId(1), trade(500), &mut out);
        sequencer.close_bars(Timestamp::from_micros(999_999), &mut out);
        assert_eq!(out.len(), 1);
        sequencer.push(SymbolId(0), trade(1_000), &mut out);
        let channels: Vec<_> = out.iter().map(|each| (each.event.symbol.as_str(), each.event.channel())).collect();
        assert_eq!(
            channels,
            [("MSFT", Channel::Trades), ("MSFT", Channel::Bars(Interval::S1)), ("AAPL", Channel::Trades)]
        );
        out.clear();
        sequencer.close_bars(Timestamp::from_micros(60_000_000), &mut out);
        let channels: Vec<_> = out.iter().map(|each| (each.event.symbol.as_str(), each.event.channel())).collect();
        assert_eq!(
            channels,
            [
                ("AAPL", Channel::Bars(Interval::S1)),
                ("AAPL", Channel::Bars(Interval::M1)),
                ("MSFT", Channel::Bars(Interval::M1)),
            ]
        );
    }

    #[test]
    fn a_day_begins_once_for_all_symbols_after_its_bars_and_before_its_first_event() {
        let (mut sequencer, mut out) = (sequencer(), Vec::new());
        sequencer.push(SymbolId(1), trade(86_399_500), &mut out);
        out.clear();
        sequencer.push(SymbolId(1), trade(86_400_000 * 3 + 5), &mut out);
        sequencer.close_bars(Timestamp::from_micros(86_400_000_000 * 3 + 1_000_000), &mut out);
        let channels: Vec<_> = out.iter().map(|each| (each.event.symbol.as_str(), each.event.channel())).collect();
        let bars = Interval::ALL.map(|interval| ("MSFT", Channel::Bars(interval)));
        assert_eq!(channels[..Interval::COUNT], bars);
        assert_eq!(
            channels[Interval::COUNT..],
            [
                ("AAPL", Channel::Day),
                ("MSFT", Channel::Day),
                ("MSFT", Channel::Trades),
                ("MSFT", Channel::Bars(Interval::S1))
            ]
        );
        let days = out.iter().filter_map(|each| match each.event.body {
            EventBody::Day(day) => Some((day.ts.micros(), day.prev_close, each.event.seq)),
            _ => None,
        });
        let ts = 86_400_000_000 * 3;
        assert_eq!(days.collect::<Vec<_>>(), [(ts, Price::from_cents(50), 1), (ts, Price::from_cents(100), 1)]);
    }

    #[test]
    fn an_open_bar_from_the_past_is_continued() {
        let past = Bar {
            ts: Timestamp::default(),
            open: Price::from_cents(90),
            high: Price::from_cents(95),
            low: Price::from_cents(80),
            close: Price::from_cents(90),
            volume: 10,
            trades: 4,
            vwap: Price::from_cents(90),
        };
        let mut open = [None; Interval::COUNT];
        open[Interval::M1 as usize] = Some(past);
        let (mut sequencer, mut out) = (sequencer(), Vec::new());
        sequencer.open[0] = OpenBars::resume(open);
        sequencer.push(SymbolId(0), trade(1), &mut out);
        sequencer.close_bars(Timestamp::from_micros(60_000_000), &mut out);
        let EventBody::Bar(Interval::M1, closed) = &out.last().unwrap().event.body else { panic!() };
        let bar = closed.bar;
        assert_eq!((bar.open, bar.high, bar.trades, bar.volume), (past.open, Price::from_cents(100), 5, 11));
    }
}
