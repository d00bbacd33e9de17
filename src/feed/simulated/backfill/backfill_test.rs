//! Tests of the past: valid and complete bars, the same at every start, with the statistics of the live market.

use super::*;
use crate::domain::{BarBuilder, Channel};
use crate::feed::simulated::Simulator;
use proptest::prelude::*;

const START: Timestamp = Timestamp::from_micros(1_772_463_845_123_456);

/// One symbol with all its closed bars, by `Interval as usize`.
struct SymbolPast {
    bars: [Vec<Bar>; Interval::COUNT],
    opening: Opening,
}

fn symbol_past(past: &Backfill, id: u32) -> SymbolPast {
    let id = SymbolId(id);
    SymbolPast { bars: Interval::ALL.map(|interval| past.bars(id, interval)), opening: past.opening(id) }
}

fn past(config: &SimulatorConfig, start: Timestamp) -> Backfill {
    Backfill::new(config, start).unwrap()
}

fn check(past: &SymbolPast, start: Timestamp) {
    for interval in Interval::ALL {
        let (bars, open) = (&past.bars[interval as usize], past.opening.open[interval as usize]);
        assert_eq!(open.ts, interval.start_of(start));
        for bar in bars.iter().chain([&open]) {
            assert_eq!(bar.ts, interval.start_of(bar.ts));
            assert!(bar.low <= bar.open.min(bar.close) && bar.open.max(bar.close) <= bar.high, "{bar:?}");
            assert!((bar.low..=bar.high).contains(&bar.vwap) && bar.low > Price::default(), "{bar:?}");
            assert!(bar.trades >= 1 && bar.volume.shares() >= bar.trades, "{bar:?}");
            for price in [bar.open, bar.high, bar.low, bar.close] {
                assert_eq!(price.units() % Price::UNITS_PER_CENT, 0);
            }
        }
        assert!(bars.iter().chain([&open]).is_sorted_by(|bar, next| bar.ts < next.ts));
    }
    for pair in Interval::ALL.windows(2) {
        check_merges(past, pair[0], pair[1]);
    }
    let opening = &past.opening;
    let today = opening.open[Interval::D1 as usize];
    let prev_close = past.bars[Interval::D1 as usize].last().map_or(today.open, |bar| bar.close);
    assert_eq!(opening.prev_close, prev_close);
    assert!((1..=opening.open[0].volume.shares()).contains(&opening.last_size.shares()));
    assert_eq!(opening.snapshot().last.unwrap().price, today.close);
}

/// Asserts that every longer bar is the merge of the shorter ones, from the first one that begins with the oldest
/// shorter bar.
fn check_merges(past: &SymbolPast, shorter: Interval, longer: Interval) {
    let all = |interval: Interval| {
        let bars = past.bars[interval as usize].iter().copied();
        bars.chain([past.opening.open[interval as usize]]).collect::<Vec<Bar>>()
    };
    let parts = all(shorter);
    let from = longer.start_of(parts[0].ts).plus_micros(longer.micros());
    let mut merged: Vec<Bar> = Vec::new();
    let mut builder = BarBuilder::default();
    for part in parts.iter().filter(|part| part.ts >= from) {
        let start = longer.start_of(part.ts);
        if builder.start().is_some_and(|open| open != start) {
            merged.extend(builder.take());
        }
        builder.merge(start, part);
    }
    merged.extend(builder.take());
    let mut longer = all(longer);
    longer.retain(|bar| bar.ts >= from);
    assert_eq!(merged[merged.len() - longer.len().min(merged.len())..], longer[..]);
}

#[test]
fn the_past_is_valid_complete_and_ends_where_the_live_stream_begins() {
    let config = SimulatorConfig::default();
    let market = Simulator::new(&config, START).unwrap();
    let all = past(&config, START);
    for (id, listing) in (0..).zip(config.listings().unwrap()) {
        let past = symbol_past(&all, id);
        check(&past, START);
        let SymbolPast { bars, opening } = past;
        assert_eq!((opening.id, opening.quote), (SymbolId(id), market.standing_quote(SymbolId(id))));
        assert!(opening.open.iter().all(|bar| bar.close == listing.start_price));
        let (middle, price) =
            (opening.quote.bid.units().midpoint(opening.quote.ask.units()), listing.start_price.units());
        assert!((middle - price).abs() <= 100 + price / 5_000, "{}", listing.instrument.symbol);
        let counts = Interval::ALL.map(|interval| bars[interval as usize].len());
        let least = [1_000, 3_770, 756, 252, 735, 250];
        assert!(counts.iter().zip(least).all(|(count, least)| *count >= least), "{counts:?}");
    }
}

#[test]
fn a_candle_opens_near_the_close_of_the_previous_one() {
    let config = SimulatorConfig::default();
    let past = past(&config, START);
    for (id, listing) in (0..).zip(config.listings().unwrap()) {
        for interval in [Interval::S1, Interval::M1, Interval::M5, Interval::M15, Interval::H1] {
            for pair in past.bars(SymbolId(id), interval).windows(2) {
                let gap = (pair[1].open.to_dollars() - pair[0].close.to_dollars()).abs();
                // With a wide spread, a trade at the bid may follow one at the ask.
                let wide = listing.start_price.to_dollars() * 10e-4 + 0.05;
                assert!(gap <= wide, "{} {interval} {gap} {pair:?}", listing.instrument.symbol);
            }
        }
    }
}

#[test]
fn the_past_is_repeatable_and_generated_symbols_do_not_change_its_random_numbers() {
    let config = SimulatorConfig { extra_symbols: 2, ..SimulatorConfig::default() };
    let (one, two) = (past(&config, START), past(&config, START));
    let other = past(&SimulatorConfig { seed: 43, ..config }, START);
    for id in [0, 17, 31].map(SymbolId) {
        assert_eq!(one.opening(id), two.opening(id));
        let hours = |past: &Backfill| past.bars(id, Interval::H1);
        assert_eq!(hours(&one), hours(&two));
        assert_ne!(hours(&one), hours(&other));
    }
}

/// Regression: two servers with one seed, started seconds apart, had different closes of the previous day.
#[test]
fn days_before_the_start_depend_on_seed_and_calendar_alone() {
    let config = SimulatorConfig::default();
    let midnight = Interval::D1.start_of(START);
    let reference = past(&config, START);
    for start in [midnight, midnight.plus_micros(1), START.plus_micros(7_000_000), midnight.plus_micros(DAY - 1)] {
        let other = past(&config, start);
        assert_eq!(other.opening(SymbolId(3)).prev_close, reference.opening(SymbolId(3)).prev_close);
        for interval in [Interval::M15, Interval::H1, Interval::D1] {
            let before = |past: &Backfill| {
                let mut bars = past.bars(SymbolId(3), interval);
                bars.retain(|bar| bar.ts < midnight);
                bars
            };
            assert_eq!(before(&other), before(&reference));
        }
    }
    let next_day = past(&config, START.plus_micros(DAY));
    let days = |past: &Backfill| past.bars(SymbolId(3), Interval::D1);
    assert_eq!(days(&next_day)[..249], days(&reference)[1..]);
}

const DAY: i64 = Interval::D1.micros();

#[test]
fn the_change_since_yesterday_has_the_size_of_a_change_over_one_day() {
    let config = SimulatorConfig { extra_symbols: 2_000, ..SimulatorConfig::default() };
    let past = past(&config, START);
    let moves = (0..).zip(config.listings().unwrap()).map(|(id, listing)| {
        let snapshot = past.opening(SymbolId(id)).snapshot();
        let change = libm::log(snapshot.last.unwrap().price.to_dollars() / snapshot.prev_close.unwrap().to_dollars());
        change / (listing.volatility * deviation(DAY))
    });
    let moves: Vec<f64> = moves.collect();
    let squares: f64 = moves.iter().map(|change| change * change).sum();
    // All symbols share the market factor, so the variance of one day is a weak statistic.
    assert!((0.3..2.5).contains(&(squares / 2_030.0)), "{squares}");
    assert!(moves.iter().all(|change| change.abs() < 6.0));
}

#[test]
fn the_live_stream_continues_the_snapshot() {
    let opening = past(&SimulatorConfig::default(), START).opening(SymbolId(0));
    let snapshot = opening.snapshot();
    assert_eq!(snapshot.ts, START);
    assert_eq!(snapshot.seq, [0; Channel::COUNT]);
    assert_eq!(snapshot.quote, Some((&opening.quote).into()));
    assert_eq!(snapshot.last.unwrap().price.to_string(), "201.37");
}

#[test]
fn very_many_symbols_have_the_same_past_with_fewer_seconds() {
    let config = SimulatorConfig { extra_symbols: 10_000, events_per_second: 1e5, ..SimulatorConfig::default() };
    let past = symbol_past(&past(&config, START), 10_029);
    let counts = Interval::ALL.map(|interval| past.bars[interval as usize].len());
    assert!((300..460).contains(&counts[0]), "{counts:?}");
    assert_eq!(counts[1..], [3_784, 756, 252, 735, 250]);
    check(&past, START);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_past_is_valid_at_any_start_and_rate(
        seconds in 100_000_000_i64..4_000_000_000,
        micros in prop::sample::select(vec![0_i64, 1, 999_999, 500_000]),
        alignment in prop::sample::select(Interval::ALL.to_vec()),
        events_per_second in prop::sample::select(vec![0.001, 0.5, 200.0, 1e6]),
        seed: u64,
    ) {
        let start = alignment.start_of(Timestamp::from_micros(seconds * 1_000_000)).plus_micros(micros);
        let config = SimulatorConfig { seed, events_per_second, ..SimulatorConfig::default() };
        check(&symbol_past(&past(&config, start), 1), start);
    }
}

#[test]
fn the_newest_bars_are_those_of_two_days_of_new_york_at_every_time_of_the_day() {
    const HOUR: i64 = Interval::H1.micros();
    let midnight = Interval::D1.start_of(START);
    for (hours, first) in [(0, -43), (4, -43), (5, -19), (15, -19), (23, -19)] {
        let start = midnight.plus_micros(hours * HOUR + 123_456_789);
        let past = past(&SimulatorConfig::default(), start);
        for id in [SymbolId(0), SymbolId(17)] {
            let mut newest = past.newest(id);
            assert_eq!(newest.pop().as_ref(), past.bars(id, Interval::M1).last(), "{hours}");
            let mut all = past.hours(id);
            all.retain(|bar| bar.ts >= midnight.plus_micros(first * HOUR));
            assert_eq!(newest, all, "{hours}");
        }
    }
}
