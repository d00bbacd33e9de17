//! Reads of a symbol's bars, trades or quotes between two times, in pages: the rows after those that a client has got.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::PoisonError;

use crate::domain::{Bar, Channel, Correction, Event, EventBody, Interval, Quote, SymbolId, Timestamp, Topic, Trade};
use crate::history::bars::LiveRange;
use crate::history::timeframe::{Base, merge};
use crate::history::{Archive, CompactBar, Offsets, Ring, Timeframe};

/// A trade may be published this long after its time, in microseconds; then it does not stand in the order of time.
const LATE_MICROS: i64 = 120_000_000;
/// Events among which the newest one is looked for, because some of them may have been published late.
const LATE_EVENTS: usize = 8;
/// Most events that are read while the ring is locked, so that the history never waits for long.
const LOCKED_EVENTS_MAX: usize = 512;

/// The times and the order of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// The earliest time.
    pub from: Timestamp,
    /// The latest time, which belongs to the window.
    pub to: Timestamp,
    /// Whether the newest rows come first.
    pub descends: bool,
}

impl Window {
    pub(super) fn contains(&self, ts: Timestamp) -> bool {
        self.from <= ts && ts <= self.to
    }
}

/// A trade or a quote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tick {
    /// A trade.
    Trade(Trade, Standing),
    /// A trade with its right values, in the place of one that was reported wrongly. It has the numbers of its correction.
    Corrected(Box<Correction>),
    /// A quote.
    Quote(Quote),
}

impl Tick {
    fn ts(&self) -> Timestamp {
        match self {
            Self::Trade(trade, _) => trade.ts,
            Self::Corrected(correction) => correction.trade.ts,
            Self::Quote(quote) => quote.ts,
        }
    }
}

/// Whether a trade still counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// It counts. Reads of [`Archive::ticks`] do not look whether it has been amended.
    #[default]
    Valid,
    /// It has been cancelled.
    Cancelled,
    /// It has been corrected, and another one counts.
    Corrected,
}

/// A row of a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// A bar.
    Bar(CompactBar),
    /// A trade or a quote, with its numbers in its topic and in the stream.
    Tick {
        /// Number in the topic.
        seq: u64,
        /// Number in the stream.
        offset: u64,
        /// The values.
        tick: Tick,
    },
}

impl Row {
    /// Returns the position of the row among those of its symbol, by which [`Archive::bars`] and [`Archive::ticks`] continue: the
    /// start of a bar in microseconds, or the offset of an event.
    pub fn position(&self) -> i64 {
        match self {
            Self::Bar(bar) => bar.ts().micros(),
            Self::Tick { offset, .. } => offset.cast_signed(),
        }
    }

    /// Returns the time of a trade or a quote.
    fn ts(&self) -> Option<Timestamp> {
        if let Self::Tick { tick, .. } = self { Some(tick.ts()) } else { None }
    }
}

impl Archive {
    /// Returns the bars of a timeframe that begin in the window: closed ones, and of timeframes longer than a minute also the
    /// open one, so far. At most `limit`, after the bar at `after` in the order of the window.
    pub fn bars(
        &self,
        id: SymbolId,
        timeframe: Timeframe,
        window: &Window,
        after: Option<i64>,
        limit: usize,
    ) -> Vec<Row> {
        let parts = match timeframe.base() {
            Base::Interval(interval) => self.parts(id, interval, timeframe, window),
            Base::Days => {
                let hours = self.past().series(id, Interval::H1);
                let is_enough = hours.first().is_some_and(|first| first.ts() <= window.from);
                self.day_parts(id, &if is_enough { hours } else { self.past().days(id) })
            }
        };
        let bars = merge(timeframe, parts.into_iter());
        let is_after = |bar: &Bar| {
            after.is_none_or(|after| if window.descends { bar.ts.micros() < after } else { bar.ts.micros() > after })
        };
        let wanted = bars.iter().filter(|bar| window.contains(bar.ts) && is_after(bar));
        let row = |bar: &Bar| Row::Bar(CompactBar::from(bar));
        if window.descends {
            wanted.rev().take(limit).map(row).collect()
        } else {
            wanted.take(limit).map(row).collect()
        }
    }

    /// Returns the closed bar of the newest minute with a trade. Cheap after the first call for a symbol.
    pub fn last_minute(&self, id: SymbolId) -> Option<CompactBar> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        let mut newest = live.read(id, Interval::M1, 2, None);
        drop(live);
        newest.read.closed.pop().or_else(|| if newest.past_bars > 0 { self.past().newest(id).minute } else { None })
    }

    /// Returns the bar of the newest day of New York with a trade, so far, and the one before it. Cheap after the first call for a
    /// symbol.
    pub fn last_days(&self, id: SymbolId) -> [Option<Bar>; 2] {
        let parts = self.day_parts(id, &self.past().newest(id).days);
        let mut days = merge(Timeframe::Day(1), parts.into_iter());
        [days.pop(), days.pop()]
    }

    /// Returns bars of this interval, oldest first, with all those that lie in a bar of the timeframe that begins in the window:
    /// the closed ones, and the open one unless the timeframe is a minute or less.
    fn parts(&self, id: SymbolId, interval: Interval, timeframe: Timeframe, window: &Window) -> Vec<Bar> {
        let is_after = |ts: Timestamp| ts >= window.from;
        let is_before = |ts: Timestamp| ts <= window.to || timeframe.span(ts).0 <= window.to;
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        let LiveRange { closed, open, past_bars, .. } = live.range(id, interval, is_after, is_before);
        drop(live);
        let (mut bars, open) = (Vec::new(), open.filter(|_| timeframe.is_merged()));
        if past_bars > 0 {
            let past = self.past().series(id, interval);
            let newest = &past[past.len().saturating_sub(past_bars)..];
            let start = newest.partition_point(|bar| !is_after(bar.ts()));
            // A minute from before the start is here too, if late trades have changed it.
            let live = closed.first().map(CompactBar::ts).or(open.map(|open| open.ts));
            let end = newest.partition_point(|bar| is_before(bar.ts()) && live.is_none_or(|live| bar.ts() < live));
            bars.extend(newest[start.min(end)..end].iter().map(Bar::from));
        }
        bars.extend(closed.iter().map(Bar::from));
        bars.extend(open);
        bars
    }

    /// Returns hours, or whole days of New York, oldest first: those of `past`, and those since the start; the last one is open.
    fn day_parts(&self, id: SymbolId, past: &[CompactBar]) -> Vec<Bar> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        let LiveRange { closed, open, is_cut, .. } = live.range(id, Interval::H1, |_| true, |_| true);
        drop(live);
        let mut parts: Vec<_> = past.iter().map(Bar::from).collect();
        let first = closed.first().filter(|_| is_cut).map(CompactBar::ts);
        parts.extend(closed.iter().map(Bar::from).chain(open));
        if let Some(first) = first {
            // Hours have been evicted: the days from the start of the stream to the first whole one have no bar.
            let (start, end) = (past.last().map_or(first, |last| day_start(last.ts())), day_end(first));
            parts.retain(|part| part.ts < start || part.ts >= end);
        }
        parts
    }

    /// Returns the trades or quotes of a symbol in the window, as far as the ring has them, in the order of the stream or against
    /// it: at most `limit`, after the event with the offset `after`. Corrections come as the trades that they make.
    pub fn ticks(&self, id: SymbolId, channel: Channel, window: &Window, after: Option<i64>, limit: usize) -> Vec<Row> {
        self.scan(id, channel, window, after, limit, row)
    }

    /// Returns the rows that `row` makes of the events of a symbol, see [`Self::ticks`].
    fn scan(
        &self,
        id: SymbolId,
        channel: Channel,
        window: &Window,
        after: Option<i64>,
        limit: usize,
        mut row: impl FnMut(&Event) -> Option<Row>,
    ) -> Vec<Row> {
        let topic = Topic::symbol(id, channel);
        let (mut rows, mut after) = (Vec::new(), after.map(i64::cast_unsigned));
        while rows.len() < limit {
            let ring = self.ring();
            let Some(offsets) = ring.offsets() else { break };
            let reader = TickReader { ring: &ring, offsets, topic };
            let (first, end) = reader.places(window, after);
            let wanted = (limit - rows.len()).min(LOCKED_EVENTS_MAX);
            let (mut near, mut read) = (0, 0);
            let mut places: Box<dyn Iterator<Item = u64>> =
                if window.descends { Box::new((first..end).rev()) } else { Box::new(first..end) };
            for place in places.by_ref().take(wanted) {
                read += 1;
                after = offsets.at(topic, place).or(after);
                let row = reader.event(place, &mut near).and_then(&mut row);
                rows.extend(row.filter(|row| row.ts().is_some_and(|ts| window.contains(ts))));
            }
            if read < wanted {
                break;
            }
        }
        rows
    }

    /// Returns the trades of a symbol like [`Self::ticks`], each with what has become of it, and the corrected ones, in the place of
    /// their corrections.
    pub fn trades(&self, id: SymbolId, window: &Window, after: Option<i64>, limit: usize) -> Vec<Row> {
        let of = |channel| self.ticks(id, channel, window, after, limit);
        let (mut rows, corrected) = (of(Channel::Trades), of(Channel::Corrections));
        rows.extend(corrected);
        rows.sort_unstable_by_key(|row| if window.descends { -row.position() } else { row.position() });
        rows.truncate(limit);
        self.judge(id, &mut rows);
        rows
    }

    /// Returns the newest trade of a symbol like [`Self::last_tick`], with what has become of it.
    pub fn last_trade(&self, id: SymbolId) -> Option<Row> {
        let mut last = [self.last_tick(id, Channel::Trades)?];
        self.judge(id, &mut last);
        let [last] = last;
        Some(last)
    }

    /// Records in these trades whether they have been amended. A symbol has few amendments: at most one in some seconds.
    fn judge(&self, id: SymbolId, rows: &mut [Row]) {
        let Some(from) = rows.iter().filter_map(Row::ts).min() else { return };
        let since = Window { from, to: Timestamp::from_micros(i64::MAX), descends: false };
        let mut standings = HashMap::new();
        for channel in [Channel::Corrections, Channel::Cancels] {
            self.scan(id, channel, &since, None, usize::MAX, |event| {
                let (seq, standing) = match &event.body {
                    EventBody::Correction(correction) => (correction.trade_seq, Standing::Corrected),
                    EventBody::Cancel(cancel) => (cancel.trade_seq, Standing::Cancelled),
                    _ => return None,
                };
                standings.insert(seq, standing);
                None
            });
        }
        for row in rows {
            if let Row::Tick { seq, tick: Tick::Trade(_, standing), .. } = row {
                *standing = standings.get(seq).copied().unwrap_or_default();
            }
        }
    }

    /// Returns the newest trade or quote of a symbol, if there has been one since the start of the stream.
    pub fn last_tick(&self, id: SymbolId, channel: Channel) -> Option<Row> {
        let ring = self.ring();
        let (offsets, topic) = (ring.offsets()?, Topic::symbol(id, channel));
        let reader = TickReader { ring: &ring, offsets, topic };
        let end = offsets.index_after(topic, u64::MAX);
        let newest = (end.saturating_sub(LOCKED_EVENTS_MAX as u64)..end).rev();
        let events = newest.into_iter().filter_map(|place| reader.event(place, &mut 0));
        // A trade that was reported late is not the newest one. Of equal times the event that was published last counts.
        let last =
            events.filter(|event| row(event).is_some()).take(LATE_EVENTS).min_by_key(|event| Reverse(event.ts()));
        last.and_then(row).or_else(|| {
            let last = offsets.last(topic)?.first()?;
            row(&last.event)
        })
    }
}

/// Reads the events of one topic from the ring.
struct TickReader<'a> {
    ring: &'a Ring,
    offsets: &'a Offsets,
    topic: Topic,
}

impl TickReader<'_> {
    /// Returns the places in the index of the events that are in the window, and after the event with the offset `after`.
    fn places(&self, window: &Window, after: Option<u64>) -> (u64, u64) {
        let Self { offsets, topic, .. } = *self;
        let end = offsets.index_after(topic, u64::MAX);
        let begin = offsets.index_after(topic, 0);
        // Late events make the order of time uncertain by so much, and the places a little too many.
        let first = self.place_of(begin, end, |ts| ts < window.from.plus_micros(-LATE_MICROS));
        let last = self.place_of(first, end, |ts| ts <= window.to.plus_micros(LATE_MICROS));
        match after {
            None => (first, last),
            Some(after) if window.descends => (first, last.min(offsets.index_after(topic, after.saturating_sub(1)))),
            Some(after) => (first.max(offsets.index_after(topic, after)), last),
        }
    }

    /// Returns the first place whose event does not have this property of time.
    fn place_of(&self, mut low: u64, mut high: u64, has: impl Fn(Timestamp) -> bool) -> u64 {
        while low < high {
            let middle = low + (high - low) / 2;
            let ts = self.event(middle, &mut 0).map(Event::ts);
            if ts.is_some_and(&has) { low = middle + 1 } else { high = middle }
        }
        low
    }

    fn event(&self, place: u64, near: &mut usize) -> Option<&Event> {
        let (batch, index) = self.ring.find(self.offsets.at(self.topic, place)?, near)?;
        Some(&batch[index].event)
    }
}

/// Returns the start of the day of New York that contains `ts`.
fn day_start(ts: Timestamp) -> Timestamp {
    Timeframe::Day(1).span(ts).0
}

/// Returns the end of the day of New York that contains `ts`; `ts` itself if the day begins there.
fn day_end(ts: Timestamp) -> Timestamp {
    let (start, end) = Timeframe::Day(1).span(ts);
    if start == ts { ts } else { end }
}

/// Returns the row of a trade, a quote or a correction.
fn row(event: &Event) -> Option<Row> {
    let tick = match &event.body {
        EventBody::Trade(trade) => Tick::Trade(*trade, Standing::Valid),
        EventBody::Correction(correction) => Tick::Corrected(correction.clone()),
        EventBody::Quote(quote) => Tick::Quote(*quote),
        _ => return None,
    };
    Some(Row::Tick { seq: event.seq, offset: event.offset, tick })
}
