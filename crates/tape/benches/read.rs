//! Benchmark: rows per second of each format, on one core. Goals: 1,000,000 lines of CSV, 5,000,000 records of DBN.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tickcast_core::domain::{Price, Size, Timestamp};
use tickcast_tape::write::{Contents, CsvWriter, DbnWriter, LinesWriter, RecordingHeader, RowWriter};
use tickcast_tape::{Body, Merge, ReadOptions, Reader, Row, open};

const ROWS: usize = 200_000;
const SYMBOLS: [&str; 8] = ["AAPL", "MSFT", "SPY", "QQQ", "NVDA", "AMZN", "TSLA", "BRK.B"];

/// Trades and quotes by turns, in the order of time.
fn tape() -> Vec<Row> {
    let row = |place: usize| {
        let cents = i64::try_from(place % 977).expect("small");
        let price = Price::from_cents(20_000 + cents);
        let size = Size::from_micros(((place % 9 + 1) * 100_000_000) as u64);
        let body = if place.is_multiple_of(2) {
            Body::Trade { price, size, seq: 0 }
        } else {
            Body::Quote { bid: price, bid_size: size, ask: Price::from_cents(20_001 + cents), ask_size: size }
        };
        let micros = i64::try_from(place).expect("small") * 1_371;
        let ts = Timestamp::from_micros(1_608_042_600_000_000 + micros);
        Row { ts, symbol: SYMBOLS[place % SYMBOLS.len()].parse().expect("a ticker"), body }
    };
    (0..ROWS).map(row).collect()
}

fn written(rows: &[Row], mut writer: Box<dyn RowWriter>) {
    for row in rows {
        writer.write(row).expect("a folder for the files");
    }
    writer.finish().expect("a folder for the files");
}

/// Trades as Massive writes them, in the order of time.
fn massive(folder: &Path) -> PathBuf {
    let mut text = String::from(
        "ticker,conditions,correction,exchange,id,participant_timestamp,price,sequence_number,sip_timestamp,size,tape,trf_id,trf_timestamp\n",
    );
    for (place, row) in tape().iter().enumerate() {
        let (symbol, nanos) = (row.symbol, row.ts.micros() * 1_000 + 17);
        let cents = place % 977;
        writeln!(
            text,
            "{symbol},\"12,37\",0,11,{place},{nanos},{}.{:02},{place},{nanos},{},1,0,0",
            200 + cents / 100,
            cents % 100,
            1 + place % 100
        )
        .expect("memory");
    }
    let path = folder.join("massive.csv");
    std::fs::write(&path, text).expect("a folder for the files");
    path
}

/// Bars as `to_csv` writes them.
fn bars(folder: &Path) -> PathBuf {
    let mut text = String::from("symbol,timestamp,open,high,low,close,volume,trade_count,vwap\n");
    for place in 0..ROWS {
        let (minute, symbol) = (place / SYMBOLS.len(), SYMBOLS[place % SYMBOLS.len()]);
        let (day, minute) = (1 + minute / 1_440 % 28, minute % 1_440);
        writeln!(
            text,
            "{symbol},2024-01-{day:02} {:02}:{:02}:00+00:00,192.49,192.6,191.9,191.95,5261.0,225.0,192.1289",
            minute / 60,
            minute % 60
        )
        .expect("memory");
    }
    let path = folder.join("bars.csv");
    std::fs::write(&path, text).expect("a folder for the files");
    path
}

fn count(mut reader: impl Reader) -> usize {
    let mut rows = 0;
    while reader.next().expect("files without mistakes").is_some() {
        rows += 1;
    }
    rows
}

fn read(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder for the files");
    let rows = tape();
    let symbols = SYMBOLS.map(|symbol| symbol.parse().expect("a ticker")).into();
    let range = rows.first().zip(rows.last()).map(|(first, last)| (first.ts, last.ts));
    let contents = Contents { symbols, range, has_trades: true, has_quotes: true, ..Contents::default() };
    let at = |name: &str| folder.path().join(name);
    for name in ["tape.dbn", "tape.dbn.zst"] {
        written(&rows, Box::new(DbnWriter::create(&at(name), &contents).expect("a folder")));
    }
    for name in ["tape.csv", "tape.csv.gz"] {
        written(&rows, Box::new(CsvWriter::create(&at(name)).expect("a folder")));
    }
    let header = RecordingHeader::of(&contents);
    written(&rows, Box::new(LinesWriter::create(&at("tape.jsonl.zst"), &header).expect("a folder")));
    massive(folder.path());
    bars(folder.path());

    let mut group = criterion.benchmark_group("read");
    group.throughput(Throughput::Elements(ROWS as u64)).sample_size(10);
    let options = ReadOptions::default();
    for name in ["tape.dbn", "tape.dbn.zst", "tape.csv", "tape.csv.gz", "massive.csv", "bars.csv", "tape.jsonl.zst"] {
        let path = at(name);
        group.bench_function(name, |bencher| {
            bencher.iter(|| assert_eq!(count(open(&path, &options).expect("a file")), ROWS));
        });
    }
    for name in ["tape.dbn", "tape.csv"] {
        let path = at(name);
        group.bench_function(format!("merge of one, {name}"), |bencher| {
            bencher
                .iter(|| assert_eq!(count(Merge::open(std::slice::from_ref(&path), &options).expect("a file")), ROWS));
        });
    }
    group.finish();
}

criterion_group!(benches, read);
criterion_main!(benches);
