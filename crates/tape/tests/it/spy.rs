//! Real bars of minutes through trades and back: every bar is the one of the file.

use std::io::Read;

use chrono_tz::America::New_York;
use tickcast_core::domain::{BarBuilder, Interval, Trade};
use tickcast_tape::{BarsAsTrades, Body, Merge, ReadOptions, Reader};

use crate::{fixture, symbol};

#[test]
fn the_bars_made_from_the_trades_of_1564_minutes_are_those_of_the_file() {
    let path = fixture("SPY-minutes.csv.gz");
    let options = ReadOptions { tz: Some(New_York), symbol: Some(symbol("SPY")), ..Default::default() };
    let merge = Merge::open(std::slice::from_ref(&path), &options).unwrap();
    let mut trades = BarsAsTrades::new(merge, options.events_max);
    let mut found = Vec::new();
    let mut builder = BarBuilder::default();
    let mut last = None;
    while let Some(row) = trades.next().unwrap() {
        assert!(last <= Some(row.ts), "in the order of time");
        last = Some(row.ts);
        let Body::Trade { price, size, .. } = row.body else { panic!("no bar is left") };
        let trade = Trade { ts: row.ts, price, size };
        let start = Interval::M1.start_of(row.ts);
        if builder.start().is_some_and(|open| open != start) {
            found.extend(builder.take());
        }
        builder.add(start, &trade);
    }
    found.extend(builder.take());
    assert_eq!((trades.counts().rows, trades.counts().thin_bars), (1_564, 0));

    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let lines: Vec<_> = text.lines().skip(1).collect();
    assert_eq!((found.len(), lines.len()), (1_564, 1_564));
    for (bar, line) in found.iter().zip(lines) {
        let cells: Vec<_> = line.split(',').collect();
        let time = chrono::DateTime::from_timestamp_micros(bar.ts.micros()).unwrap().with_timezone(&New_York);
        assert_eq!(time.format("%Y-%m-%d %H:%M:%S").to_string(), cells[1]);
        let prices = [bar.open, bar.high, bar.low, bar.close];
        assert_eq!(prices, [2, 3, 4, 5].map(|cell| cells[cell].parse().unwrap()), "{line}");
        assert_eq!(bar.volume.to_string(), cells[6], "{line}");
    }
}
