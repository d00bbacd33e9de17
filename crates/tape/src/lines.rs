//! `LinesReader`: reads recordings of tickcast, whose lines are the messages of the protocol (docs/PROTOCOL.md) after a header.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::value::RawValue;
use tickcast_core::domain::{CancelKind, Price, Symbol, Timestamp};

use crate::counts::{Counts, OpenGap, Skip};
use crate::decimal;
use crate::error::{Bad, Fault, Place, ReadError, quoted};
use crate::input::{Input, Progress};
use crate::limits::{self, check_bar};
use crate::names::Names;
use crate::options::{BadRecord, ReadOptions};
use crate::reader::{Reader, Recording};
use crate::row::{Amended, Body, Cancel, Correction, InputBar, Row};
use crate::spans;
use tickcast_core::domain::Size;

/// The version of recordings that is written; higher ones are refused.
pub(crate) const VERSION: u64 = 1;
/// Most bytes of a line. Snapshots of many symbols are lines of their own.
pub(crate) const LINE_BYTES_MAX: u64 = 1024 * 1024;

/// Reads a recording.
pub(crate) struct LinesReader {
    path: PathBuf,
    input: BufReader<Box<dyn Read + Send>>,
    line: u64,
    text: Vec<u8>,
    names: Names,
    /// The bars that are rows: those of this length, as no trades were recorded. None beside trades, which make bars.
    bars: Option<i64>,
    bad_record: BadRecord,
    counts: Counts,
    progress: Progress,
    recording: Recording,
    is_over: bool,
}

#[derive(Deserialize)]
struct Header<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    version: Option<u64>,
    #[serde(borrow, default)]
    epoch: Cow<'a, str>,
    #[serde(default)]
    started: i64,
    #[serde(default)]
    channels: Vec<String>,
}

/// A message, with the keys of every kind that becomes a row.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    symbol: Option<Cow<'a, str>>,
    /// A number, but an object in snapshots.
    seq: Option<&'a RawValue>,
    ts: Option<i64>,
    #[serde(borrow)]
    price: Option<&'a RawValue>,
    size: Option<&'a RawValue>,
    bid: Option<&'a RawValue>,
    bid_size: Option<&'a RawValue>,
    ask: Option<&'a RawValue>,
    ask_size: Option<&'a RawValue>,
    interval: Option<&'a str>,
    open: Option<&'a RawValue>,
    high: Option<&'a RawValue>,
    low: Option<&'a RawValue>,
    close: Option<&'a RawValue>,
    volume: Option<&'a RawValue>,
    trades: Option<u64>,
    vwap: Option<&'a RawValue>,
    trade_seq: Option<u64>,
    trade_ts: Option<i64>,
    trade_price: Option<&'a RawValue>,
    trade_size: Option<&'a RawValue>,
    #[serde(rename = "kind")]
    reason: Option<&'a str>,
    /// Why events are missing.
    #[serde(rename = "reason")]
    because: Option<&'a str>,
    skipped: Option<u64>,
    #[serde(borrow)]
    epoch: Option<Cow<'a, str>>,
    /// The first and the last offset that a recorder could not record.
    from: Option<u64>,
    to: Option<u64>,
}

impl LinesReader {
    pub(crate) fn new(input: Input, options: &ReadOptions) -> Result<Self, ReadError> {
        let (path, progress) = (input.path.clone(), input.progress.clone());
        let mut reader = Self {
            path,
            input: BufReader::with_capacity(128 * 1024, input.into_bytes()),
            line: 0,
            text: Vec::new(),
            names: Names::new(options),
            bars: None,
            bad_record: options.bad_record,
            counts: Counts::default(),
            progress,
            recording: Recording {
                epoch: String::new(),
                started: 0,
                has_end: false,
                is_unfinished: false,
                announced: None,
            },
            is_over: false,
        };
        if !reader.advance()? {
            if reader.counts.cut == 0 {
                return Err(reader.fail(Fault::Empty));
            }
            reader.is_over = true;
            return Ok(reader);
        }
        let header: Option<Header> = serde_json::from_slice(&reader.text).ok();
        let expected = format!("line 1 of a recording: {{\"type\":\"recording\",\"version\":{VERSION},…}}");
        let bars = match &header {
            Some(Header { kind: "recording", version: Some(1..=VERSION), channels, epoch, started }) => {
                (reader.recording.epoch, reader.recording.started) = (epoch.to_string(), *started);
                let has_trades = channels.iter().any(|channel| channel == "trades");
                let spans = channels.iter().filter_map(|channel| spans::parse(channel.strip_prefix("bars.")?));
                spans.min().filter(|_| !has_trades)
            }
            Some(Header { kind: "recording", version: Some(version), .. }) => {
                let complaint = format!("is a recording of version {version}, expected at most {VERSION}");
                return Err(reader.fail(Fault::Format(complaint)));
            }
            _ => {
                let bad = Bad::cell(&reader.text, expected);
                return Err(ReadError::bad(&reader.path, Place::Line(1), bad));
            }
        };
        reader.bars = bars;
        Ok(reader)
    }

    fn fail(&self, fault: Fault) -> ReadError {
        ReadError::new(&self.path, Place::Line(self.line), fault)
    }

    /// Reads the next line; returns `false` after the last one.
    fn advance(&mut self) -> Result<bool, ReadError> {
        loop {
            self.text.clear();
            self.line += 1;
            let place = Place::Line(self.line);
            let read = (&mut self.input).take(LINE_BYTES_MAX).read_until(b'\n', &mut self.text);
            let count = match read {
                Ok(count) => count as u64,
                Err(err) if err.kind() == io::ErrorKind::UnexpectedEof && self.bad_record == BadRecord::Skip => {
                    self.counts.cut += 1;
                    return Ok(false);
                }
                Err(err) => return Err(ReadError::io(&self.path, place, err)),
            };
            if count == LINE_BYTES_MAX {
                return Err(self.fail(Fault::Limit(format!("the line has more than {LINE_BYTES_MAX} bytes"))));
            }
            if count > 0 && self.text.last() != Some(&b'\n') && !self.text.trim_ascii_end().ends_with(b"}") {
                if self.bad_record == BadRecord::Skip {
                    self.counts.cut += 1;
                    return Ok(false);
                }
                return Err(self.fail(Fault::Cut("a line")));
            }
            if count == 0 || !self.text.trim_ascii().is_empty() {
                return Ok(count > 0);
            }
        }
    }

    fn read(&mut self) -> Result<Option<Row>, ReadError> {
        while self.advance()? {
            match self.row() {
                Ok(Ok(row)) => return Ok(Some(row)),
                Ok(Err(Some(skip))) => self.counts.skip(skip),
                Ok(Err(None)) => {}
                Err(_) if self.bad_record == BadRecord::Skip => self.counts.skip(Skip::Bad),
                Err(bad) => return Err(ReadError::bad(&self.path, Place::Line(self.line), bad)),
            }
        }
        Ok(None)
    }

    /// Makes the row of the present line. Returns no reason for a message with which nothing is lost.
    fn row(&mut self) -> Result<Result<Row, Option<Skip>>, Bad> {
        let message: Message = serde_json::from_slice(&self.text).map_err(|err| {
            Bad::cell(&self.text, format!("a message of the protocol ({})", quoted(err.to_string().as_bytes())))
        })?;
        match message.kind {
            "trade" | "quote" | "bar" | "correction" | "cancel" => {}
            // The values before the first event, and days and jumps of the market's time, which come from the events.
            "snapshot" | "day" => return Ok(Err(None)),
            "lag" | "gap" | "end" => {
                self.recording.has_end |= message.kind == "end";
                note(&message, &mut self.counts, &mut self.recording);
                return Ok(Err(None));
            }
            _ => return Ok(Err(Some(Skip::Other))),
        }
        if message.kind == "bar" && (self.bars.is_none() || message.interval.and_then(spans::parse) != self.bars) {
            // It is made of the trades, or of the shorter bars.
            return Ok(Err(None));
        }
        let name = message.symbol.as_deref().unwrap_or_default();
        let symbol: Option<Symbol> = self.names.resolve(name.as_bytes()).map_err(|bad| bad.at("symbol"))?;
        let Some(symbol) = symbol else { return Ok(Err(Some(Skip::NotAsked))) };
        let ts = time(message.ts, "ts")?;
        let body = body(&message, &mut self.counts)?;
        Ok(body.map(|body| Row { ts, symbol, body }).map_err(Some))
    }
}

impl Reader for LinesReader {
    fn next(&mut self) -> Result<Option<Row>, ReadError> {
        if self.is_over {
            return Ok(None);
        }
        let row = self.read().inspect_err(|_| self.is_over = true)?;
        self.is_over |= row.is_none();
        self.recording.is_unfinished = self.is_over && !self.recording.has_end && self.counts.cut == 0;
        self.counts.rows += u64::from(row.is_some());
        Ok(row)
    }

    fn counts(&self) -> Counts {
        self.counts
    }

    fn progress(&self) -> Vec<Progress> {
        vec![self.progress.clone()]
    }

    fn place(&self) -> Place {
        Place::Line(self.line)
    }

    fn recording(&self) -> Option<&Recording> {
        Some(&self.recording)
    }

    fn has_late_rows(&self) -> bool {
        true
    }
}

/// Counts the events that are announced as missing.
fn note(message: &Message, counts: &mut Counts, recording: &mut Recording) {
    match (message.kind, message.from, message.to) {
        ("lag", ..) => counts.lost += message.skipped.unwrap_or_default(),
        // The `gap` of the protocol has neither.
        ("gap", Some(from), Some(to)) => counts.lost += to.saturating_add(1).saturating_sub(from),
        ("gap", Some(_), None) => {
            counts.open_gaps[OpenGap::named(message.because.unwrap_or_default()) as usize] += 1;
            recording.announced = message.epoch.as_deref().map(str::to_owned);
        }
        _ => {}
    }
}

fn body(message: &Message, counts: &mut Counts) -> Result<Result<Body, Skip>, Bad> {
    let mut price = |value: Option<&RawValue>, key| price(value, key, &mut counts.rounded_prices);
    let mut size = |value: Option<&RawValue>, key| size(value, key, &mut counts.rounded_sizes);
    Ok(Ok(match message.kind {
        "trade" => {
            let size = size(message.size, "size")?;
            if size == Size::default() {
                return Ok(Err(Skip::NoVolume));
            }
            let seq = message.seq.and_then(|seq| seq.get().parse().ok()).unwrap_or_default();
            Body::Trade { price: price(message.price, "price")?, size, seq: number(Some(seq), "seq")? }
        }
        "quote" => Body::Quote {
            bid: price(message.bid, "bid")?,
            bid_size: size(message.bid_size, "bid_size")?,
            ask: price(message.ask, "ask")?,
            ask_size: size(message.ask_size, "ask_size")?,
        },
        "bar" => {
            let bar = InputBar {
                span_micros: message.interval.and_then(spans::parse).unwrap_or_default(),
                open: price(message.open, "open")?,
                high: price(message.high, "high")?,
                low: price(message.low, "low")?,
                close: price(message.close, "close")?,
                volume: size(message.volume, "volume")?,
                trades: message.trades.filter(|trades| *trades > 0 && i64::try_from(*trades).is_ok()),
                vwap: message.vwap.map(|vwap| price(Some(vwap), "vwap")).transpose()?,
            };
            check_bar(&bar)?;
            if bar.volume == Size::default() {
                return Ok(Err(Skip::NoVolume));
            }
            Body::Bar(Box::new(bar))
        }
        kind => {
            let trade = Amended {
                seq: number(message.trade_seq, "trade_seq")?,
                ts: time(message.trade_ts, "trade_ts")?,
                price: price(message.trade_price, "trade_price")?,
                size: size(message.trade_size, "trade_size")?,
            };
            if kind == "correction" {
                let (price, size) = (price(message.price, "price")?, size(message.size, "size")?);
                Body::Correction(Box::new(Correction { trade, price, size }))
            } else {
                let kind = match message.reason {
                    Some("cancel") => CancelKind::Cancelled,
                    Some("error") => CancelKind::Error,
                    other => return Err(Bad::cell(other.unwrap_or_default().as_bytes(), "cancel or error").at("kind")),
                };
                Body::Cancel(Box::new(Cancel { trade, kind }))
            }
        }
    }))
}

fn time(micros: Option<i64>, key: &'static str) -> Result<Timestamp, Bad> {
    let text = || micros.map_or_else(String::new, |micros| micros.to_string());
    let expected = "a time in microseconds since 1970, of the years 1800 to 2261";
    micros.and_then(limits::time).ok_or_else(|| Bad::cell(text().as_bytes(), expected).at(key))
}

fn text(value: Option<&RawValue>) -> &[u8] {
    value.map_or(b"", |value| value.get().as_bytes())
}

/// Returns the number of a trade. Half of all numbers are enough, and others can be counted on from it.
fn number(value: Option<u64>, key: &'static str) -> Result<u64, Bad> {
    let text = || value.map_or_else(String::new, |value| value.to_string());
    let is_valid = |value: &u64| i64::try_from(*value).is_ok();
    value.filter(is_valid).ok_or_else(|| Bad::cell(text().as_bytes(), "the number of a trade").at(key))
}

fn price(value: Option<&RawValue>, key: &'static str, rounded: &mut u64) -> Result<Price, Bad> {
    let text = text(value);
    let fixed = decimal::parse(text, 4).ok_or_else(|| Bad::cell(text, limits::A_PRICE).at(key))?;
    *rounded += u64::from(fixed.is_rounded);
    limits::price(fixed.value, text).map_err(|bad| bad.at(key))
}

fn size(value: Option<&RawValue>, key: &'static str, rounded: &mut u64) -> Result<Size, Bad> {
    let text = text(value);
    let bad = || Bad::cell(text, limits::A_SIZE).at(key);
    let fixed = decimal::parse(text, 6).ok_or_else(bad)?;
    *rounded += u64::from(fixed.is_rounded);
    u64::try_from(fixed.value).map(Size::from_micros).map_err(|_| bad())
}
