//! Tests of bars as trades: a bar made from the trades is the bar.

use proptest::prelude::*;
use tickcast_core::domain::{Interval, Price, Timestamp, day_start};

use super::{DAY, split, trades};
use crate::row::InputBar;
use tickcast_core::domain::Size;

const MINUTE: i64 = 60_000_000;

fn bar(prices: [i64; 4], micros: u64) -> InputBar {
    let [open, high, low, close] = prices.map(Price::from_cents);
    let volume = Size::from_micros(micros);
    InputBar { span_micros: MINUTE, open, high, low, close, volume, trades: None, vwap: None }
}

/// Returns open, high, low, close and volume of the trades.
fn bar_of(trades: &[(Timestamp, Price, Size)]) -> ([Price; 4], u64) {
    let prices = trades.iter().map(|(_, price, _)| *price);
    let (first, last) = (trades[0].1, trades[trades.len() - 1].1);
    let volume = trades.iter().map(|(.., size)| size.micros()).sum();
    ([first, prices.clone().max().unwrap(), prices.min().unwrap(), last], volume)
}

#[test]
fn a_rising_bar_falls_first_and_a_falling_bar_rises_first() {
    let cents = |prices: [i64; 4]| {
        let (trades, _) = trades(Timestamp::default(), &bar(prices, 10_000_000));
        let found = trades.iter().map(|(ts, price, size)| {
            (ts.micros() / 1_000, price.units() / 100, size.micros() / Size::MICROS_PER_SHARE)
        });
        found.collect::<Vec<_>>()
    };
    assert_eq!(cents([100, 110, 90, 105]), [(0, 100, 3), (20_000, 90, 3), (40_000, 110, 2), (59_999, 105, 2)]);
    assert_eq!(cents([105, 110, 90, 100]), [(0, 105, 3), (20_000, 110, 3), (40_000, 90, 2), (59_999, 100, 2)]);
}

#[test]
fn a_small_volume_makes_only_the_trades_that_the_prices_need() {
    let sizes = |prices, micros| {
        let (trades, is_thin) = trades(Timestamp::default(), &bar(prices, micros));
        (trades.iter().map(|(.., size)| size.to_string()).collect::<Vec<_>>(), is_thin)
    };
    let owned = |sizes: &[&str]| sizes.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(sizes([100, 100, 100, 100], 1_000_000), (owned(&["1"]), false));
    assert_eq!(sizes([100, 105, 100, 105], 3_000_000), (owned(&["2", "1"]), false));
    assert_eq!(sizes([100, 106, 100, 105], 3_000_000), (owned(&["1", "1", "1"]), false));
    assert_eq!(sizes([100, 106, 90, 105], 1_000_000), (owned(&["0.25", "0.25", "0.25", "0.25"]), false));
    assert_eq!(sizes([100, 106, 90, 105], 4_500_000), (owned(&["1", "1", "1", "1.5"]), false));
    assert_eq!(sizes([100, 106, 90, 105], 2), (owned(&["0.000001", "0.000001"]), true), "no room for high and low");
}

#[test]
fn the_trades_of_a_day_are_in_the_day_of_new_york_and_in_the_day_of_utc() {
    let at = |text: &str| {
        let time: chrono::DateTime<chrono::Utc> = text.parse().unwrap();
        Timestamp::from_micros(time.timestamp_micros())
    };
    for start in ["2020-12-15T00:00:00Z", "2020-12-15T05:00:00Z", "2020-07-15T00:00:00Z", "2020-07-15T04:00:00Z"] {
        let bar = InputBar { span_micros: DAY, ..bar([100, 110, 90, 105], 10_000_000) };
        let (trades, _) = trades(at(start), &bar);
        let noon = at(&format!("{}T12:00:00Z", &start[..10]));
        for (ts, ..) in trades {
            assert_eq!(day_start(ts), day_start(noon), "{start}");
            assert_eq!(Interval::D1.start_of(ts), Interval::D1.start_of(noon), "{start}");
        }
    }
}

proptest! {
    #[test]
    fn the_bar_of_the_trades_is_the_bar(
        (low, steps) in (1_i64..1_000, prop::array::uniform3(0_i64..40)),
        micros in prop_oneof![4_u64..100, 1..8_u64, 1_u64..100_000_000, Just(5_000_000)],
        start in -1_000_000_i64..1_000_000,
        span in prop_oneof![Just(1_000_000_i64), Just(MINUTE), Just(7 * MINUTE)],
    ) {
        let high = low + steps[0];
        let (open, close) = (low + steps[1].min(steps[0]), low + steps[2].min(steps[0]));
        let bar = InputBar { span_micros: span, ..bar([open, high, low, close], micros) };
        let ts = Timestamp::from_micros(start * span);
        let (trades, is_thin) = trades(ts, &bar);
        prop_assert!(trades.is_sorted_by_key(|(ts, ..)| *ts));
        prop_assert!(trades.iter().all(|(each, _, size)| size.micros() > 0 && each.floor_to(span) == ts));
        let (prices, volume) = bar_of(&trades);
        prop_assert_eq!(volume, micros);
        if is_thin {
            prop_assert!(micros < 4);
        } else {
            prop_assert_eq!(prices, [bar.open, bar.high, bar.low, bar.close]);
        }
        prop_assert!(trades.len() == 4 || micros < 4 * Size::MICROS_PER_SHARE);
    }

    #[test]
    fn parts_add_up_and_are_whole_if_there_are_enough_shares(micros in 4_u64..u64::MAX / 2, count in 1_u64..5) {
        let parts: Vec<_> = split(micros, count).map(Size::micros).collect();
        prop_assert_eq!(parts.iter().sum::<u64>(), micros);
        if micros >= count * Size::MICROS_PER_SHARE {
            prop_assert!(parts[..parts.len() - 1].iter().all(|part| part % Size::MICROS_PER_SHARE == 0));
        }
    }
}
