//! The promises of every reader of market data, whatever the file: for the targets of its formats.
//!
//! An input begins with bytes that choose the options and what is checked; `0` is the usual choice, so that a corpus of texts is readable.

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;
use tickcast::domain::{Price, Size, Symbol};
use tickcast_tape::{
    BadRecord, BarsAsTrades, Body, Counts, Fault, Merge, ReadOptions, Reader, Row, Skip, convert, open, recording_end,
};

use super::parts::{check_complaint, take};

/// The years 1800 to 2261, and a day of time zones, in microseconds since 1970.
const MICROS: std::ops::Range<i64> = -5_364_748_800_000_000..9_214_732_800_000_000;
/// Longest interval of a bar in microseconds.
const DAY: i64 = 86_400_000_000;

thread_local! {
    static FOLDER: TempDir = TempDir::new().expect("a temporary folder");
}

/// Takes a choice from the beginning of an input.
pub(super) fn choose(data: &mut &[u8]) -> u8 {
    take(data) ^ b'0'
}

/// Takes options from the beginning of an input.
pub(super) fn take_options(data: &mut &[u8]) -> ReadOptions {
    let choice = choose(data);
    let has = |bit: u8| choice & (1 << bit) != 0;
    let symbol = |text: &str| text.parse::<Symbol>().expect("a symbol");
    let columns = ["timestamp", "open", "high", "low", "close", "volume"].map(String::from);
    let symbols = [("BTC/USDT", "BTC-USDT"), ("5482", "ES")].map(|(name, text)| (name.to_owned(), symbol(text)));
    let usual = ReadOptions::default();
    ReadOptions {
        tz: has(0).then(|| "America/New_York".parse().expect("a zone")),
        symbol: has(1).then(|| symbol("SPY")),
        only: has(2).then(|| ["SPY", "ESH1"].map(symbol).into()),
        interval_micros: has(3).then_some(60_000_000),
        columns: if has(4) { columns.into() } else { Vec::new() },
        reorder_ms: if has(5) { 0 } else { usual.reorder_ms },
        events_max: if has(6) { 8 } else { usual.events_max },
        symbols: symbols.into(),
        ..usual
    }
}

/// A file, and what was read of it.
struct Case<'a> {
    path: PathBuf,
    content: &'a [u8],
    options: ReadOptions,
    /// Up to the first mistake.
    strict: Read,
}

/// The rows of a file, and why it could not be read on.
#[derive(Debug)]
struct Read {
    rows: Vec<Row>,
    counts: Counts,
    complaint: Option<String>,
    is_cut: bool,
    needs_option: bool,
}

/// Reads a file of this name and content, whose first bytes choose what is checked. Perhaps there is a file beside it.
pub(super) fn check(name: &str, mut content: &[u8], beside: Option<(&str, &[u8])>, options: &ReadOptions) {
    let (check, kept) = (choose(&mut content) % 4, choose(&mut content));
    FOLDER.with(|folder| {
        let path = write(folder.path(), name, content);
        let beside = beside.map(|(name, content)| write(folder.path(), name, content));
        let strict = read(&path, options);
        // A recorder goes on after it, or complains.
        if let Err(err) = recording_end(&path) {
            check_complaint(&err.to_string());
        }
        let case = Case { path, content, options: options.clone(), strict };
        case.check_skipping();
        match check {
            0 => case.check_order(),
            1 => case.check_cut(&gzip(content), kept),
            2 => case.check_cut(&zstd::encode_all(content, 1).expect("memory"), kept),
            _ => case.check_conversion(),
        }
        if let Some(path) = beside {
            std::fs::remove_file(path).expect("it was written");
        }
    });
}

fn write(folder: &Path, name: &str, content: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).expect("a disk with space");
    path
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).expect("memory");
    encoder.finish().expect("memory")
}

/// Reads a file to its end or to a mistake. Nothing comes after either.
fn read(path: &Path, options: &ReadOptions) -> Read {
    let mut found =
        Read { rows: Vec::new(), counts: Counts::default(), complaint: None, is_cut: false, needs_option: false };
    let mut reader = match open(path, options) {
        Ok(reader) => reader,
        Err(err) => return found.failed(&err),
    };
    let failure = loop {
        match reader.next() {
            Ok(Some(row)) => found.rows.push(row),
            Ok(None) => break None,
            Err(err) => break Some(err),
        }
    };
    assert!(matches!(reader.next(), Ok(None)), "a row after the end, or after {failure:?}");
    found.rows.iter().for_each(check_row);
    found.counts = reader.counts();
    assert_eq!(found.counts.rows, found.rows.len() as u64);
    match failure {
        Some(err) => found.failed(&err),
        None => found,
    }
}

impl Read {
    fn failed(mut self, err: &tickcast_tape::ReadError) -> Self {
        let complaint = err.to_string();
        check_complaint(&complaint);
        FOLDER.with(|folder| assert!(complaint.starts_with(&*folder.path().to_string_lossy()), "{complaint}"));
        self.is_cut = matches!(err.fault(), Fault::Cut(_) | Fault::Empty);
        self.needs_option = matches!(err.fault(), Fault::Option(_));
        self.complaint = Some(complaint);
        self
    }
}

fn check_row(row: &Row) {
    let is_price = |price: &Price| (1..=10_000_000_000_000).contains(&price.units());
    let is_size = |size: &Size| i64::try_from(size.micros()).is_ok();
    assert!(MICROS.contains(&row.ts.micros()), "{row:?}");
    let is_valid = match &row.body {
        Body::Trade { price, size, seq } => {
            is_price(price) && is_size(size) && *size > Size::default() && i64::try_from(*seq).is_ok()
        }
        // A size in lots may be more than one in shares can be.
        Body::Quote { bid, ask, .. } => is_price(bid) && is_price(ask),
        Body::Bar(bar) => {
            let enclosed = |price: Price| bar.low <= price && price <= bar.high;
            is_price(&bar.low)
                && is_price(&bar.high)
                && enclosed(bar.open)
                && enclosed(bar.close)
                && is_size(&bar.volume)
                && bar.volume > Size::default()
                && (1_000_000..=DAY).contains(&bar.span_micros)
                && bar.span_micros % 1_000_000 == 0
        }
        Body::Correction(correction) => is_price(&correction.price) && is_price(&correction.trade.price),
        Body::Cancel(cancel) => is_price(&cancel.trade.price),
    };
    assert!(is_valid, "{row:?}");
}

/// Returns the rows without the lengths of their bars, which lines after them may decide.
fn without_spans(rows: &[Row]) -> Vec<Row> {
    let mut rows = rows.to_vec();
    for row in &mut rows {
        if let Body::Bar(bar) = &mut row.body {
            bar.span_micros = 0;
        }
    }
    rows
}

/// Returns the rows without the numbers of their trades, which a new file has anew.
fn without_numbers(mut rows: Vec<Row>) -> Vec<Row> {
    for row in &mut rows {
        if let Body::Trade { seq, .. } = &mut row.body {
            *seq = 0;
        }
    }
    rows
}

fn is_prefix(short: &[Row], long: &[Row]) -> bool {
    without_spans(long).starts_with(&without_spans(short))
}

impl Case<'_> {
    fn skipping(&self) -> ReadOptions {
        ReadOptions { bad_record: BadRecord::Skip, ..self.options.clone() }
    }

    /// If mistakes are skipped, the rows before the first one are the same, and so are all rows of a file without a mistake.
    fn check_skipping(&self) {
        let strict = &self.strict;
        // A line of LOBSTER makes two rows, and so does a record of DBN.
        assert!(strict.rows.len() <= self.content.len());
        let skipping = read(&self.path, &self.skipping());
        assert!(skipping.rows.len() <= self.content.len());
        // Lines after the mistake show the length of bars too: they can contradict those before it.
        assert!(skipping.needs_option || is_prefix(&strict.rows, &skipping.rows));
        if strict.complaint.is_none() {
            assert_eq!((&skipping.rows, &skipping.complaint), (&strict.rows, &None));
            assert_eq!(skipping.counts, strict.counts);
            assert_eq!((strict.counts.skipped(Skip::Bad), strict.counts.cut), (0, 0));
        }
    }

    /// The rows come in the order of time, and none is lost; trades made from bars have their volume.
    fn check_order(&self) {
        let options = self.skipping();
        let Ok(mut merge) = Merge::open(std::slice::from_ref(&self.path), &options) else { return };
        let (rows, is_complete) = ordered(&mut merge);
        let all = read(&self.path, &options);
        if is_complete && all.complaint.is_none() {
            assert_eq!(rows.len(), all.rows.len());
        }
        let merge = Merge::open(std::slice::from_ref(&self.path), &options).expect("it was opened before");
        let (trades, are_complete) = ordered(&mut BarsAsTrades::new(merge, options.events_max));
        assert!(trades.iter().all(|row| !matches!(row.body, Body::Bar(_))));
        if is_complete && are_complete {
            assert_eq!(volume(&trades), volume(&rows));
        }
    }

    /// What is left of a compressed file has the first rows of the whole file, and says that it is cut off.
    fn check_cut(&self, compressed: &[u8], kept: u8) {
        let is_compressed = matches!(self.content, [0x1f | 0x28, ..]);
        if is_compressed || self.content.is_empty() {
            return;
        }
        let length = if kept == 0 { compressed.len() } else { compressed.len() * usize::from(kept) / 256 };
        std::fs::write(&self.path, &compressed[..length]).expect("a disk with space");
        let found = read(&self.path, &self.options);
        if length == compressed.len() {
            assert_eq!((&found.rows, &found.complaint), (&self.strict.rows, &self.strict.complaint));
            return;
        }
        assert!(is_prefix(&found.rows, &self.strict.rows));
        let is_known = found.is_cut || found.complaint == self.strict.complaint || found.rows.is_empty();
        assert!(is_known && found.complaint.is_some(), "{:?}, whole: {:?}", found.complaint, self.strict.complaint);
    }

    /// The rows come back from the formats that have them.
    fn check_conversion(&self) {
        let options = self.skipping();
        let inputs = std::slice::from_ref(&self.path);
        let Ok(mut merge) = Merge::open(inputs, &options) else { return };
        let (rows, is_complete) = ordered(&mut merge);
        if !is_complete || rows.is_empty() {
            return;
        }
        let rows = without_numbers(rows);
        let has_trades = rows.iter().any(|row| matches!(row.body, Body::Trade { .. }));
        let span = |row: &Row| if let Body::Bar(bar) = &row.body { Some(bar.span_micros) } else { None };
        let shortest = rows.iter().filter_map(span).min();
        let is_amended = |row: &Row| matches!(row.body, Body::Correction(_) | Body::Cancel(_));
        let has = |end: &str, row: &Row| match end {
            "csv" => !is_amended(row),
            _ => span(row).is_none_or(|span| !has_trades && Some(span) == shortest),
        };
        for end in ["csv", "jsonl"] {
            let output = self.path.with_extension(format!("out.{end}"));
            convert(inputs, &output, &options).expect("the file was read before");
            let expected: Vec<_> = rows.iter().filter(|row| has(end, row)).cloned().collect();
            let again = read(&output, &ReadOptions::default());
            assert_eq!((without_numbers(again.rows), again.complaint), (expected, None), "{end}");
        }
    }
}

/// Reads rows to the end or to a mistake, and returns whether the end was reached.
fn ordered(reader: &mut impl Reader) -> (Vec<Row>, bool) {
    let mut rows: Vec<Row> = Vec::new();
    let is_complete = loop {
        match reader.next() {
            Ok(Some(row)) => {
                assert!(rows.last().is_none_or(|last| last.ts <= row.ts), "{:?}, then {row:?}", rows.last());
                rows.push(row);
            }
            Ok(None) => break true,
            Err(err) => {
                check_complaint(&err.to_string());
                break false;
            }
        }
    };
    assert!(matches!(reader.next(), Ok(None)), "a row after the end");
    (rows, is_complete)
}

/// Returns the shares of all trades and bars in millionths.
fn volume(rows: &[Row]) -> u128 {
    let size = |row: &Row| match &row.body {
        Body::Trade { size, .. } => u128::from(size.micros()),
        Body::Bar(bar) => u128::from(bar.volume.micros()),
        _ => 0,
    };
    rows.iter().map(size).sum()
}
