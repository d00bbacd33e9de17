//! Tests of reads between two times, in pages.

use std::sync::Arc;

use proptest::prelude::*;

use crate::domain::{
    Bar, Channel, ClosedBar, DayFigures, Event, EventBody, Interval, Price, Size, SymbolId, Timestamp, Trade,
};
use crate::history::{Archive, BarBounds, CompactBar, PastSource, Row, Series, Timeframe, Window};
use crate::metrics::Metrics;
use crate::protocol::Publication;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// How late a trade may be.
const LATE: i64 = 2 * MINUTE;
/// Midnight in New York in winter: 05:00 UTC.
const MIDNIGHT: i64 = 1_772_427_600 * SECOND;
/// Ten hours later.
const START: i64 = MIDNIGHT + 10 * HOUR;

fn bar(ts: i64, shares: u64) -> Bar {
    let (ts, price) = (Timestamp::from_micros(ts), Price::from_cents(100));
    Bar {
        ts,
        open: price,
        high: price,
        low: price,
        close: price,
        volume: Size::from_shares(shares),
        trades: 1,
        vwap: price,
    }
}

fn closed(bar: Bar) -> EventBody {
    EventBody::Bar(Interval::H1, ClosedBar { bar, day: DayFigures::from(&bar) }.into())
}

/// An archive whose past has a bar of 1 share in each minute of three days, and hours of 60 shares before them.
fn archive(kept_max: usize) -> Archive {
    let past: PastSource = Box::new(|_, series| {
        let bars = |from: i64, step: i64, shares: u64| {
            (0..(START - from + step - 1) / step).map(|n| bar(from + n * step, shares)).collect()
        };
        match series {
            Series::Bars(Interval::M1) => bars(START - 72 * HOUR, MINUTE, 1),
            Series::Bars(Interval::H1) => bars(START - 30 * 24 * HOUR, HOUR, 60),
            Series::Bars(interval) => {
                let step = interval.micros();
                bars(START - 72 * HOUR, step, u64::try_from(step / MINUTE).unwrap())
            }
            Series::Hours => bars(START - 100 * 24 * HOUR, HOUR, 60),
            Series::Newest => {
                let hours: Vec<_> = bars(START - 72 * HOUR, HOUR, 60);
                hours.into_iter().chain([bar(START - MINUTE, 1)]).collect()
            }
        }
    });
    let bounds = BarBounds { bars_max: 10_000, kept_max };
    let (open, start) = (vec![Default::default(); 2], Timestamp::from_micros(START));
    Archive::new(open, start, bounds, past, (100_000, 1_000), Arc::new(Metrics::default()))
}

fn event(offset: u64, body: EventBody) -> Event {
    Event { offset, seq: offset, id: SymbolId(0), symbol: "AAPL".parse().unwrap(), body }
}

fn trade(ts: i64) -> EventBody {
    EventBody::Trade(Trade { ts: Timestamp::from_micros(ts), price: Price::from_cents(100), size: Size::new(1) })
}

fn window(from: i64, to: i64, descends: bool) -> Window {
    Window { from: Timestamp::from_micros(from), to: Timestamp::from_micros(to), descends }
}

/// Reads all rows in pages of this length.
fn pages(limit: usize, read: impl Fn(Option<i64>, usize) -> Vec<Row>) -> Vec<Row> {
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let page = read(after, limit);
        assert!(page.len() <= limit);
        after = page.last().map(Row::position);
        let is_last = page.is_empty();
        rows.extend(page);
        if is_last {
            return rows;
        }
    }
}

fn volumes(rows: &[Row]) -> Vec<(i64, u64)> {
    let volume = |row: &Row| match row {
        Row::Bar(bar) => (bar.ts().micros(), Bar::from(bar).volume.shares()),
        Row::Tick { .. } => panic!("a bar"),
    };
    rows.iter().map(volume).collect()
}

#[test]
fn days_are_whole_and_the_last_one_is_open_and_grows() {
    let archive = archive(1_000);
    let id = SymbolId(0);
    let days = |from: i64| volumes(&archive.bars(id, Timeframe::Day(1), &window(from, i64::MAX, false), None, 1_000));
    let day = |ago: i64| MIDNIGHT - ago * 24 * HOUR;
    let expected: Vec<_> = (0..100).rev().map(|ago| (day(ago), if ago == 0 { 600 } else { 24 * 60 })).collect();
    assert_eq!(days(0), expected, "without the first one, which is not whole");
    assert_eq!(days(day(3)), expected[96..], "from the bars of an hour");
    archive.apply([Publication::new(event(1, trade(START + 1)))].into());
    assert_eq!(days(day(1)), [(day(1), 1_440), (day(0), 601)]);
    assert_eq!(days(day(99))[98..], [(day(1), 1_440), (day(0), 601)]);
    let close = closed(bar(START, 7));
    archive.apply([Publication::new(event(2, close))].into());
    assert_eq!(days(day(1)), [(day(1), 1_440), (day(0), 607)]);
}

#[test]
fn days_with_evicted_hours_are_left_out() {
    let archive = archive(3);
    let closes: Vec<_> = (0..40)
        .map(|hour| {
            let body = closed(bar(START + hour * HOUR, 60));
            Publication::new(event(hour.cast_unsigned() + 1, body))
        })
        .collect();
    archive.apply(closes.into());
    let days = |from: i64| {
        let rows = archive.bars(SymbolId(0), Timeframe::Day(1), &window(from, i64::MAX, false), None, 1_000);
        volumes(&rows).into_iter().map(|(ts, _)| (ts - MIDNIGHT) / (24 * HOUR)).collect::<Vec<_>>()
    };
    assert_eq!(days(MIDNIGHT - 3 * 24 * HOUR), [-3, -2, -1, 2], "of the hours kept the second begins a day");
}

#[test]
fn a_minute_is_served_when_it_has_closed_and_a_longer_bar_while_it_is_open() {
    let archive = archive(1_000);
    archive.apply([Publication::new(event(1, trade(START + 1)))].into());
    let newest = |timeframe| {
        let rows = archive.bars(SymbolId(0), timeframe, &window(0, i64::MAX, true), None, 1);
        volumes(&rows)[0]
    };
    assert_eq!(newest(Timeframe::Minute(1)), (START - MINUTE, 1));
    assert_eq!(newest(Timeframe::Minute(5)), (START, 1));
    assert_eq!(newest(Timeframe::Minute(7)), (START - 5 * MINUTE, 6), "600 minutes are 85 times 7 and 5");
    assert_eq!(newest(Timeframe::Hour(4)), (START - 2 * HOUR, 121));
}

#[test]
fn the_newest_trade_is_found_after_the_ring_has_evicted_it() {
    let archive = archive(10);
    assert_eq!(archive.last_tick(SymbolId(0), Channel::Trades), None);
    archive.apply([Publication::new(event(1, trade(START)))].into());
    for offset in 2..=2_000 {
        let mut other = event(offset, trade(START));
        other.id = SymbolId(1);
        archive.apply([Publication::new(other)].into());
    }
    let newest = |id, channel| archive.last_tick(id, channel).map(|row| row.position());
    assert_eq!(newest(SymbolId(0), Channel::Trades), Some(1));
    assert_eq!(newest(SymbolId(1), Channel::Trades), Some(2_000));
    assert_eq!(newest(SymbolId(0), Channel::Quotes), None);
}

proptest! {
    #[test]
    fn pages_of_bars_of_any_length_are_the_whole_read(
        limit in 1_usize..40,
        descends: bool,
        frame in prop::sample::select(vec![
            Timeframe::Minute(7), Timeframe::Minute(30), Timeframe::Hour(5), Timeframe::Day(1), Timeframe::Week(1),
            Timeframe::Month(1),
        ]),
        hours in 0_i64..200,
        length in 0_i64..200,
    ) {
        let archive = archive(1_000);
        let from = START - hours * HOUR + 17 * SECOND;
        let window = window(from, from + length * HOUR, descends);
        let whole = archive.bars(SymbolId(0), frame, &window, None, usize::MAX);
        let joined = pages(limit, |after, limit| archive.bars(SymbolId(0), frame, &window, after, limit));
        prop_assert_eq!(&joined, &whole);
        for row in volumes(&whole) {
            prop_assert!((window.from.micros()..=window.to.micros()).contains(&row.0));
        }
        prop_assert!(whole.windows(2).all(|pair| (pair[0].position() > pair[1].position()) == descends));
    }

    #[test]
    fn pages_of_trades_of_any_length_are_the_whole_read(
        limit in 1_usize..1_000,
        descends: bool,
        delays in prop::collection::vec((0_i64..3, any::<bool>()), 0..1_200),
        from in 0_i64..1_500,
        length in 0_i64..1_500,
    ) {
        let archive = archive(10);
        let mut ts = START;
        let mut expected = Vec::new();
        for (offset, (seconds, is_late)) in (1..).zip(&delays) {
            ts += seconds * SECOND;
            let own = if *is_late { ts - LATE } else { ts };
            archive.apply([Publication::new(event(offset, trade(own)))].into());
            expected.push((offset.cast_signed(), own));
        }
        let window = window(START + from * SECOND, START + (from + length) * SECOND, descends);
        expected.drain(..expected.len().saturating_sub(1_000));
        expected.retain(|(_, ts)| window.contains(Timestamp::from_micros(*ts)));
        let mut expected: Vec<_> = expected.into_iter().map(|(offset, _)| offset).collect();
        if descends {
            expected.reverse();
        }
        let joined = pages(limit, |after, limit| archive.ticks(SymbolId(0), Channel::Trades, &window, after, limit));
        prop_assert_eq!(joined.iter().map(Row::position).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn the_newest_days_and_minute_are_those_of_a_whole_read() {
    for hours in [0, 5, 30, 60] {
        let archive = archive(1_000);
        for hour in 0..hours {
            let ts = START + hour * HOUR;
            let trade = event(u64::try_from(2 * hour + 1).unwrap(), trade(ts + MINUTE));
            let closed = event(u64::try_from(2 * hour + 2).unwrap(), closed(bar(ts, 7)));
            archive.apply([trade, closed].map(Publication::new).into());
        }
        let read = |timeframe| {
            archive.bars(SymbolId(0), timeframe, &window(START - 240 * HOUR, START + 240 * HOUR, true), None, 2)
        };
        let days: Vec<_> =
            archive.last_days(SymbolId(0)).iter().flatten().map(|day| Row::Bar(CompactBar::from(day))).collect();
        assert_eq!(days, read(Timeframe::Day(1)), "{hours} hours after the start");
        let minute = archive.last_minute(SymbolId(0)).map(Row::Bar);
        assert_eq!(minute, read(Timeframe::Minute(1)).into_iter().next());
    }
}

#[test]
fn a_trade_that_was_reported_late_is_not_the_newest() {
    let archive = archive(1_000);
    let times = [START + MINUTE, START + 2 * MINUTE, START + 2 * MINUTE, START + MINUTE];
    for (offset, ts) in (1..).zip(times) {
        archive.apply([Publication::new(event(offset, trade(ts)))].into());
        let newest = archive.last_tick(SymbolId(0), Channel::Trades).unwrap();
        assert_eq!(
            newest.position(),
            [1, 2, 3, 3][usize::try_from(offset).unwrap() - 1],
            "the last one of the greatest time"
        );
    }
}

#[test]
fn a_minute_of_before_the_start_that_late_trades_have_changed_is_in_a_window_once() {
    let archive = archive(100);
    let changed = bar(START - MINUTE, 9);
    let update = ClosedBar { bar: changed, day: DayFigures::from(&changed) };
    archive.apply([Publication::new(event(1, EventBody::UpdatedBar(update.into())))].into());
    let window = window(START - 3 * MINUTE, START, false);
    let rows = archive.bars(SymbolId(0), Timeframe::Minute(1), &window, None, 10);
    assert_eq!(volumes(&rows), [(START - 3 * MINUTE, 1), (START - 2 * MINUTE, 1), (START - MINUTE, 9)]);
}
