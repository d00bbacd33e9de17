//! Tests of the order of rows.

use std::collections::VecDeque;
use std::path::Path;

use proptest::prelude::*;
use tickcast_core::domain::{Price, Timestamp};

use super::Ordered;
use crate::counts::Counts;
use crate::error::{Fault, Place, ReadError};
use crate::input::Progress;
use crate::options::{BadRecord, Order, ReadOptions};
use crate::reader::Reader;
use crate::row::{Body, Row};
use tickcast_core::domain::Size;

/// Rows of these milliseconds and symbols, whose prices number them; then perhaps an error.
struct Given(VecDeque<Row>, Order, bool);

impl Reader for Given {
    fn next(&mut self) -> Result<Option<Row>, ReadError> {
        match self.0.pop_front() {
            None if std::mem::take(&mut self.2) => {
                Err(ReadError::new(Path::new("x"), Place::File, Fault::Cut("a test")))
            }
            row => Ok(row),
        }
    }

    fn counts(&self) -> Counts {
        Counts::default()
    }

    fn progress(&self) -> Vec<Progress> {
        Vec::new()
    }

    fn order(&self) -> Order {
        self.1
    }
}

fn rows(given: &[(i64, &str)]) -> VecDeque<Row> {
    let row = |(number, (millis, symbol)): (i64, &(i64, &str))| Row {
        ts: Timestamp::from_micros(millis * 1_000),
        symbol: symbol.parse().unwrap(),
        body: Body::Trade { price: Price::from_units(number), size: Size::from_micros(1), seq: 0 },
    };
    (1..).zip(given).map(row).collect()
}

/// Returns times and numbers of the rows in order, the counters, and whether an error came at the end.
fn ordered(rows: VecDeque<Row>, order: Order, options: &ReadOptions) -> Result<(Vec<(i64, i64)>, Counts), ReadError> {
    let mut reader = Ordered::new(Path::new("x"), Box::new(Given(rows, order, false)), options)?;
    let mut found = Vec::new();
    while let Some(row) = reader.next()? {
        let Body::Trade { price, .. } = row.body else { panic!() };
        found.push((row.ts.micros() / 1_000, price.units()));
    }
    Ok((found, reader.counts()))
}

fn skip() -> ReadOptions {
    ReadOptions { bad_record: BadRecord::Skip, ..ReadOptions::default() }
}

#[test]
fn late_rows_are_sorted_within_the_window_and_refused_or_moved_beyond_it() {
    let given = rows(&[(0, "A"), (1_500, "A"), (600, "A"), (1_600, "A"), (100, "A"), (2_000, "A")]);
    let (found, counts) = ordered(given.clone(), Order::Time, &skip()).unwrap();
    assert_eq!(found, [(0, 1), (600, 3), (1_500, 2), (1_600, 4), (1_600, 5), (2_000, 6)]);
    assert_eq!((counts.sorted, counts.moved), (1, 1));
    let err = ordered(given, Order::Time, &ReadOptions::default()).unwrap_err();
    assert!(err.to_string().starts_with("x: the time is 1.5s before that of an earlier line"), "{err}");
}

#[test]
fn rows_of_the_same_time_stay_in_the_order_of_the_file() {
    let given = rows(&[(5, "A"), (5, "B"), (4, "A"), (5, "A"), (4, "B")]);
    let (found, _) = ordered(given, Order::Time, &ReadOptions::default()).unwrap();
    assert_eq!(found, [(4, 3), (4, 5), (5, 1), (5, 2), (5, 4)]);
}

#[test]
fn a_file_sorted_by_symbol_is_sorted_by_time_in_memory_up_to_a_bound() {
    let given = rows(&[(0, "A"), (60_000, "A"), (0, "B"), (60_000, "B")]);
    for order in [Order::Auto, Order::Symbol] {
        let (found, counts) = ordered(given.clone(), order, &ReadOptions::default()).unwrap();
        assert_eq!(found, [(0, 1), (0, 3), (60_000, 2), (60_000, 4)]);
        assert_eq!((counts.sorted, counts.moved), (0, 0));
        let options = ReadOptions { events_max: 3, ..Default::default() };
        assert!(ordered(given.clone(), order, &options).unwrap_err().to_string().contains("events_max"));
    }
    let by_time = rows(&[(0, "A"), (0, "B"), (60_000, "A"), (60_000, "B"), (0, "C")]);
    let (found, counts) = ordered(by_time, Order::Auto, &skip()).unwrap();
    assert_eq!((found[4], counts.moved), ((60_000, 5), 1), "symbols by turns show that it is sorted by time");
}

#[test]
fn a_file_that_shows_too_late_that_it_is_sorted_by_symbol_is_refused() {
    let mut long: Vec<_> = (0..100_000).map(|millis| (millis, "A")).collect();
    long.push((0, "B"));
    let options = ReadOptions { order: Order::Symbol, ..Default::default() };
    let (found, _) = ordered(rows(&long), Order::Auto, &options).unwrap();
    assert_eq!(found[1], (0, 100_001));
    let err = ordered(rows(&long), Order::Auto, &ReadOptions::default()).unwrap_err();
    assert!(err.to_string().contains("'B' begins before the lines of other symbols: --order symbol"), "{err}");
    long.insert(70_000, (70_000, "C"));
    long.insert(80_000, (80_000, "C"));
    let (_, counts) = ordered(rows(&long), Order::Auto, &skip()).unwrap();
    assert_eq!(counts.moved, 1, "a symbol that comes again shows that it is sorted by time");
}

#[test]
fn the_rows_before_a_mistake_are_delivered_before_it() {
    for order in [Order::Time, Order::Auto] {
        let given = Given(rows(&[(0, "A"), (1, "A")]), order, true);
        let mut reader = Ordered::new(Path::new("x"), Box::new(given), &ReadOptions::default()).unwrap();
        assert!(reader.next().unwrap().is_some() && reader.next().unwrap().is_some());
        assert!(reader.next().is_err());
        assert!(reader.next().unwrap().is_none());
    }
}

proptest! {
    #[test]
    fn no_row_is_lost_and_no_time_goes_back(times in prop::collection::vec((0_i64..4_000, 0_usize..3), 0..200), reorder_ms in 0_u32..3_000) {
        let given: Vec<_> = times.iter().map(|(millis, symbol)| (*millis, ["A", "B", "C"][*symbol])).collect();
        let options = ReadOptions { reorder_ms, ..skip() };
        let (found, _) = ordered(rows(&given), Order::Time, &options).unwrap();
        prop_assert!(found.is_sorted_by_key(|(millis, _)| *millis));
        let mut numbers: Vec<_> = found.iter().map(|(_, number)| *number).collect();
        numbers.sort_unstable();
        prop_assert!(numbers.into_iter().eq(1..=i64::try_from(times.len()).unwrap()));
        // Those that are not moved keep their time.
        let kept = found.iter().filter(|(millis, number)| given[usize::try_from(number - 1).unwrap()].0 == *millis);
        prop_assert!(reorder_ms < 4_000 && kept.count() > 0 || times.is_empty());
    }
}
