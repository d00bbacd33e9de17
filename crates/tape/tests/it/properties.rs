//! Properties: rows of any values come back from CSV, recordings and DBN; no text causes a panic.

use proptest::prelude::*;
use tickcast_core::domain::{Price, Size, Timestamp};
use tickcast_tape::write::{Contents, CsvWriter, DbnWriter, LinesWriter, RecordingHeader, RowWriter};
use tickcast_tape::{BadRecord, Body, InputBar, Merge, ReadOptions, Reader, Row};

use crate::{Folder, read, symbol};

const SPAN: i64 = 60_000_000;

fn prices() -> impl Strategy<Value = Price> {
    prop_oneof![1_i64..1_000, 1_i64..10_000_000_000_000].prop_map(Price::from_units)
}

fn sizes(micros: u64) -> impl Strategy<Value = Size> {
    prop_oneof![1_u64..1_000, 1_u64..4_000_000_000].prop_map(move |value| Size::from_micros(value * micros))
}

/// Rows in the order of time, of sizes that are multiples of so many millionths.
fn tape(micros: u64) -> impl Strategy<Value = Vec<Row>> {
    let trade = (prices(), sizes(micros)).prop_map(|(price, size)| Body::Trade { price, size, seq: 0 });
    let quote = (prices(), sizes(micros), prices(), sizes(micros))
        .prop_map(|(bid, bid_size, ask, ask_size)| Body::Quote { bid, bid_size, ask, ask_size });
    let body = prop_oneof![trade, quote];
    let row = (0_i64..5_000_000, prop_oneof![Just("A"), Just("BRK.B"), Just("ABCDEFGHIJKLMNO")], body);
    prop::collection::vec(row, 0..50).prop_map(|rows| {
        let mut ts = 1_608_042_600_000_000;
        let rows = rows.into_iter().map(|(step, name, body)| {
            ts += step;
            Row { ts: Timestamp::from_micros(ts), symbol: symbol(name), body }
        });
        rows.collect()
    })
}

fn written(rows: &[Row], mut writer: Box<dyn RowWriter>) {
    for row in rows {
        writer.write(row).unwrap();
    }
    writer.finish().unwrap();
}

fn contents(rows: &[Row]) -> Contents {
    let mut symbols: Vec<_> = rows.iter().map(|row| row.symbol).collect();
    symbols.sort_unstable();
    symbols.dedup();
    let range = rows.first().zip(rows.last()).map(|(first, last)| (first.ts, last.ts));
    Contents { symbols, range, has_trades: true, has_quotes: true, ..Contents::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_come_back_from_csv_and_recordings(rows in tape(1)) {
        let (folder, options) = (Folder::new(), ReadOptions::default());
        let csv = folder.path("x.csv");
        written(&rows, Box::new(CsvWriter::create(&csv).unwrap()));
        prop_assert_eq!(read(&csv, &options).unwrap().0, rows.clone());
        let lines = folder.path("x.jsonl");
        written(&rows, Box::new(LinesWriter::create(&lines, &RecordingHeader::of(&contents(&rows))).unwrap()));
        prop_assert_eq!(read(&lines, &options).unwrap().0, rows);
    }

    #[test]
    fn rows_of_whole_shares_come_back_from_dbn(rows in tape(1_000_000)) {
        let folder = Folder::new();
        let path = folder.path("x.dbn");
        written(&rows, Box::new(DbnWriter::create(&path, &contents(&rows)).unwrap()));
        prop_assert_eq!(read(&path, &ReadOptions::default()).unwrap().0, rows);
    }

    #[test]
    fn bars_come_back_from_csv(bars in prop::collection::vec((1_i64..1_000, prop::array::uniform3(0_i64..1_000), 1_u64..10_000_000), 1..50)) {
        let bar = |(minute, (low, steps, volume)): (i64, (i64, [i64; 3], u64))| {
            let [high, open, close] = [steps[0], steps[1].min(steps[0]), steps[2].min(steps[0])].map(|step| Price::from_units(low + step));
            let bar = InputBar { span_micros: SPAN, open, high, low: Price::from_units(low), close, volume: Size::from_micros(volume), trades: None, vwap: None };
            Row { ts: Timestamp::from_micros(1_608_042_600_000_000 + minute * SPAN), symbol: symbol("SPY"), body: Body::Bar(Box::new(bar)) }
        };
        let rows: Vec<_> = (0..).zip(bars).map(bar).collect();
        let folder = Folder::new();
        let path = folder.path("x.csv");
        written(&rows, Box::new(CsvWriter::create(&path).unwrap()));
        prop_assert_eq!(read(&path, &ReadOptions::default()).unwrap().0, rows);
    }

    #[test]
    fn no_text_causes_a_panic_or_an_endless_loop(
        header in prop_oneof![
            Just("symbol,timestamp,price,size\n"),
            Just("date,open,high,low,close,volume\n"),
            Just("{\"type\":\"recording\",\"version\":1}\n"),
            Just(""),
        ],
        text in "([A-Z0-9.,:\"{}TZ -]|\\PC|\n|\r\n){0,300}",
    ) {
        let folder = Folder::new();
        let path = folder.write("SPY.csv", format!("{header}{text}"));
        for bad_record in [BadRecord::Stop, BadRecord::Skip] {
            let options = ReadOptions { bad_record, ..ReadOptions::default() };
            if let Ok(mut merge) = Merge::open(std::slice::from_ref(&path), &options) {
                while let Ok(Some(_)) = merge.next() {}
            }
        }
    }
}
