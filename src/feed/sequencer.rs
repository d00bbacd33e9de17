//! Numbers the stream: gives each event its `offset` and `seq`, and inserts the bars that close, or change after that, and the
//! days that begin in between. Pure.

use std::sync::Arc;

use crate::domain::{
    Bar, Channel, ClosedBar, Day, DayFigures, Event, EventBody, Gap, Interval, OpenBars, Price, SymbolId, SymbolTable,
    Timestamp,
};
use crate::feed::opening::Opening;
use crate::protocol::Publication;

/// Time after the end of a minute at which its bar is published again, if it has changed.
const UPDATE_MICROS: i64 = 30_000_000;

/// Numbers events in the order in which they are pushed.
pub struct Sequencer {
    table: Arc<SymbolTable>,
    offset: u64,
    seq: Vec<[u64; Channel::COUNT]>,
    open: Vec<OpenBars>,
    /// Time and price of the last trade of each symbol that has a price.
    last: Vec<Option<(Timestamp, Price)>>,
    /// Start of the present day.
    day: Timestamp,
    /// Start of the present minute.
    minute: Timestamp,
    /// Whether the changed bars of the previous minute have been published half a minute after its end.
    is_updated: bool,
    /// End of the shortest open bars.
    boundary: Timestamp,
}

impl Sequencer {
    /// Returns a sequencer at offset 0 that continues these open bars, bars of the New York day and last trades, one entry
    /// for each symbol of the table. Symbols that are added later begin without.
    pub fn new(
        table: Arc<SymbolTable>,
        open: Vec<[Option<Bar>; Interval::COUNT]>,
        days: Vec<Option<Bar>>,
        last: Vec<Option<(Timestamp, Price)>>,
        start: Timestamp,
    ) -> Self {
        let resume = |(open, day)| {
            let mut bars = OpenBars::resume(open, day, start);
            // A trade of the minute before is late, also if it is the first one.
            bars.begin_minute(start);
            bars
        };
        Self {
            offset: 0,
            seq: vec![[0; Channel::COUNT]; open.len()],
            open: open.into_iter().zip(days).map(resume).collect(),
            last,
            day: Interval::D1.start_of(start),
            minute: Interval::M1.start_of(start),
            is_updated: false,
            boundary: next_second(start),
            table,
        }
    }

    /// Returns a sequencer at offset 0 of symbols without a past.
    pub(super) fn empty(table: Arc<SymbolTable>, start: Timestamp) -> Self {
        let symbols = table.len();
        Self::new(table, vec![[None; Interval::COUNT]; symbols], vec![None; symbols], vec![None; symbols], start)
    }

    /// Goes on from another state: offsets and `seq` go on, after an offset that no event has. Returns that offset, and the newest `seq`
    /// of each symbol and channel.
    pub(super) fn restart(&mut self, opening: &Opening) -> (u64, &[[u64; Channel::COUNT]]) {
        self.offset += 1;
        self.resume(opening)
    }

    /// Does the same without a hole in the offsets, for sessions that are told.
    pub(super) fn resume(&mut self, opening: &Opening) -> (u64, &[[u64; Channel::COUNT]]) {
        let Opening { start, open, days, .. } = opening;
        let new = Self::new(self.table.clone(), open.clone(), days.clone(), opening.last_trades(), *start);
        let (offset, seq) = (self.offset, std::mem::take(&mut self.seq));
        *self = Self { offset, seq, ..new };
        // Symbols that the state does not know begin without, and so do those that have had no event.
        self.seq.resize(self.seq.len().max(self.open.len()), [0; Channel::COUNT]);
        if let Some(last) = self.seq.len().checked_sub(1).and_then(|last| u32::try_from(last).ok()) {
            self.make_room(SymbolId(last));
        }
        (offset, &self.seq)
    }

    /// Returns the open bars of each symbol, and its bar of the New York day.
    pub(super) fn open_bars(&self) -> (Vec<[Option<Bar>; Interval::COUNT]>, Vec<Option<Bar>>) {
        let open = |bars: &OpenBars| Interval::ALL.map(|interval| bars.bar(interval));
        (self.open.iter().map(open).collect(), self.open.iter().map(OpenBars::day).collect())
    }

    /// Returns how many minutes have begun since that of this time. The bars of the present minute and of the one before may still change.
    pub(super) fn minutes_since(&self, ts: Timestamp) -> i64 {
        ((self.minute.micros() - Interval::M1.start_of(ts).micros()) / Interval::M1.micros()).max(0)
    }

    /// Returns the offset of the newest event.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Appends the event to `out`, after the bars that closed and the day that began before it.
    pub fn push(&mut self, id: SymbolId, body: EventBody, out: &mut Vec<Publication>) {
        self.make_room(id);
        match &body {
            EventBody::Trade(trade) => {
                self.close_bars(trade.ts, out);
                self.open[id.index()].add(trade);
                // A late trade is not the last one.
                let last = &mut self.last[id.index()];
                if last.is_none_or(|(ts, _)| trade.ts >= ts) {
                    *last = Some((trade.ts, trade.price));
                }
            }
            EventBody::Quote(quote) => self.close_bars(quote.ts, out),
            EventBody::Correction(correction) => {
                self.close_bars(correction.ts, out);
                self.open[id.index()].amend(&correction.trade, Some(&correction.corrected()));
            }
            EventBody::Cancel(cancel) => {
                self.close_bars(cancel.ts, out);
                self.open[id.index()].amend(&cancel.trade, None);
            }
            _ => {}
        }
        self.number(id, body, out);
    }

    /// Appends the bars that closed by `now` to `out`: shortest interval first, symbols in the order of the table. At a full
    /// minute the bars of the New York day follow, of the symbols in whose day something has changed; half a minute later the bars
    /// of the last minute that have changed since. A new day (UTC) begins for every symbol that has a price, whether it trades on it or not.
    pub fn close_bars(&mut self, now: Timestamp, out: &mut Vec<Publication>) {
        if now < self.boundary {
            return;
        }
        self.boundary = next_second(now);
        let minute = Interval::M1.start_of(now);
        let is_full = minute > self.minute;
        if is_full || !self.is_updated && now >= self.minute.plus_micros(UPDATE_MICROS) {
            self.publish_updates(out);
            self.is_updated = true;
        }
        for interval in Interval::ALL {
            for id in self.ids() {
                if let Some(bar) = self.open[id.index()].take_before(interval, now) {
                    let closed = self.closed(id, bar);
                    self.number(id, EventBody::Bar(interval, closed.into()), out);
                }
            }
        }
        if is_full {
            self.begin_minute(minute, out);
        }
        let day = Interval::D1.start_of(now);
        if day > self.day {
            self.day = day;
            for id in self.ids() {
                if let Some((_, prev_close)) = self.last[id.index()] {
                    self.number(id, EventBody::Day(Day { ts: day, prev_close }), out);
                }
            }
        }
    }

    /// Appends the bars of the New York day that have changed during the last minute, and begins the next one.
    fn begin_minute(&mut self, minute: Timestamp, out: &mut Vec<Publication>) {
        (self.minute, self.is_updated) = (minute, false);
        for id in self.ids() {
            if let Some(day) = self.open[id.index()].take_day() {
                self.number(id, EventBody::DailyBar(day.into()), out);
            }
            self.open[id.index()].begin_minute(minute);
        }
    }

    /// Appends the bars of the previous minute that have changed since they were published last.
    fn publish_updates(&mut self, out: &mut Vec<Publication>) {
        for id in self.ids() {
            if let Some(bar) = self.open[id.index()].take_update() {
                let closed = self.closed(id, bar);
                self.number(id, EventBody::UpdatedBar(closed.into()), out);
            }
        }
    }

    fn closed(&self, id: SymbolId, bar: Bar) -> ClosedBar {
        let day = self.open[id.index()].day().unwrap_or(bar);
        ClosedBar { bar, day: DayFigures::from(&day) }
    }

    /// Appends a gap from `since` to `now` of every symbol to `out`, before the bars that the jump closes; not of symbols that were added
    /// and have no place here, for lack of an event.
    pub fn leave_out(&mut self, since: Timestamp, now: Timestamp, out: &mut Vec<Publication>) {
        for id in self.ids() {
            self.number(id, EventBody::Gap(Gap { since, ts: now }), out);
        }
        self.close_bars(now, out);
    }

    /// Makes room for a symbol that was added to the table.
    fn make_room(&mut self, id: SymbolId) {
        let symbols = id.index() + 1;
        if symbols > self.open.len() {
            let mut open = OpenBars::default();
            open.begin_minute(self.minute);
            self.open.resize(symbols, open);
            self.seq.resize(symbols.max(self.seq.len()), [0; Channel::COUNT]);
            self.last.resize(symbols, None);
        }
    }

    /// Returns the symbols that have a place here.
    fn ids(&self) -> impl Iterator<Item = SymbolId> + use<> {
        (0..u32::try_from(self.open.len()).unwrap_or(u32::MAX)).map(SymbolId)
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
    use crate::domain::{Correction, Instrument, Price, Size, Trade};

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
        let last = vec![Some((Timestamp::default(), Price::from_cents(50))); 2];
        Sequencer::new(table(), vec![[None; Interval::COUNT]; 2], vec![None; 2], last, Timestamp::default())
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
                ("AAPL", Channel::DailyBars),
                ("MSFT", Channel::DailyBars),
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
                ("MSFT", Channel::DailyBars),
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
            volume: Size::new(10),
            trades: 4,
            vwap: Price::from_cents(90),
        };
        let mut open = [None; Interval::COUNT];
        open[Interval::M1 as usize] = Some(past);
        let (mut sequencer, mut out) = (sequencer(), Vec::new());
        sequencer.open[0] = OpenBars::resume(open, None, Timestamp::default());
        sequencer.push(SymbolId(0), trade(1), &mut out);
        sequencer.close_bars(Timestamp::from_micros(60_000_000), &mut out);
        let closed = out.iter().find_map(|each| match &each.event.body {
            EventBody::Bar(Interval::M1, closed) => Some(**closed),
            _ => None,
        });
        let (bar, day) = closed.map(|closed| (closed.bar, closed.day)).unwrap();
        assert_eq!((day.open, day.volume.shares()), (Price::from_cents(100), 1), "the day has no bar from the past");
        assert_eq!((bar.open, bar.high, bar.trades, bar.volume.shares()), (past.open, Price::from_cents(100), 5, 11));
    }

    #[test]
    fn a_changed_bar_is_published_half_a_minute_after_its_minute_and_once_more_at_the_next_one() {
        let (mut sequencer, mut out) = (sequencer(), Vec::new());
        let at = |second: i64| Timestamp::from_micros(second * 1_000_000);
        sequencer.push(SymbolId(0), trade(1_000), &mut out);
        sequencer.push(SymbolId(0), trade(61_000), &mut out);
        // A trade of the minute before, and a cancellation of the first one.
        sequencer.push(SymbolId(0), trade(2_000), &mut out);
        let EventBody::Trade(first) = trade(1_000) else { panic!() };
        let correction =
            Correction { ts: at(62), trade_seq: 1, trade: first, price: Price::from_cents(90), size: Size::new(5) };
        sequencer.push(SymbolId(0), EventBody::Correction(correction.into()), &mut out);
        let mut next = |second: i64, sequencer: &mut Sequencer| {
            out.clear();
            sequencer.close_bars(at(second), &mut out);
            let updates = out.iter().filter_map(|each| match &each.event.body {
                EventBody::UpdatedBar(closed) => {
                    Some((closed.bar.ts, closed.bar.low, closed.bar.volume.shares(), closed.day.volume.shares()))
                }
                _ => None,
            });
            updates.collect::<Vec<_>>()
        };
        assert_eq!(next(89, &mut sequencer), []);
        assert_eq!(next(90, &mut sequencer), [(at(0), Price::from_cents(90), 6, 7)]);
        assert_eq!(next(95, &mut sequencer), []);
        let correct = Correction { ts: at(100), trade: correction.corrected(), size: Size::new(7), ..correction };
        sequencer.push(SymbolId(0), EventBody::Correction(correct.into()), &mut Vec::new());
        assert_eq!(next(119, &mut sequencer), []);
        assert_eq!(next(120, &mut sequencer), [(at(0), Price::from_cents(90), 8, 9)]);
        assert_eq!(next(150, &mut sequencer), []);
    }

    #[test]
    fn the_day_of_new_york_is_published_after_each_minute_in_which_it_has_changed() {
        let (mut sequencer, mut out) = (sequencer(), Vec::new());
        let midnight = 5 * 3_600_000;
        // The last millisecond of the day is of a Wednesday in New York, which 1970-01-01 00:00 UTC is, too.
        for ms in [midnight - 60_001, midnight - 1, midnight + 120_000, midnight + 200_000] {
            sequencer.push(SymbolId(1), trade(ms), &mut out);
        }
        sequencer.close_bars(Timestamp::from_micros((midnight + 400_000) * 1_000), &mut out);
        let days = out.iter().filter_map(|each| match &each.event.body {
            EventBody::DailyBar(day) => Some((day.ts.micros() / 3_600_000_000, day.volume.shares())),
            _ => None,
        });
        assert_eq!(days.collect::<Vec<_>>(), [(-19, 1), (-19, 2), (5, 1), (5, 2)]);
    }
}
