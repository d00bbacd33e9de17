//! `DbnReader`: reads Databento Binary Encoding, versions 1 to 3.
//!
//! `trades` become trades; `tbbo` and `mbp-1` quotes, each with its trade after it where the record is one; `bbo-1s` and `bbo-1m` quotes;
//! `ohlcv-*` bars. Other schemas are refused.

mod frames;

use std::collections::HashMap;
use std::path::PathBuf;

use dbn::decode::dbn::fsm::{DbnFsm, ProcessResult};
use dbn::{
    Action, BboMsg, BidAskPair, Mbp1Msg, OhlcvMsg, Record, RecordRef, Schema, TradeMsg, TsSymbolMap, UNDEF_PRICE, rtype,
};
use tickcast_core::domain::{Price, Symbol, Timestamp};

use crate::counts::{Counts, Skip};
use crate::databento::frames::Frames;
use crate::decimal::divided;
use crate::error::{Bad, Fault, Place, ReadError};
use crate::input::{Input, Progress};
use crate::limits::{self, check_bar};
use crate::names::Names;
use crate::options::{BadRecord, ReadOptions};
use crate::reader::Reader;
use crate::row::{Body, InputBar, Row};
use tickcast_core::domain::Size;

/// Longest metadata, in bytes: a million symbols.
const METADATA_BYTES_MAX: u32 = 128 * 1024 * 1024;
/// Most records in a file that give an instrument a symbol: a day of all options of the United States has about 1,500,000.
const MAPPINGS_MAX: u64 = 4_000_000;
/// Most instruments whose symbols are remembered. Beyond it they are looked up again.
const KNOWN_MAX: usize = 1_000_000;
/// Units of 1e-9 in a unit of [`Price`].
const NANOS_PER_UNIT: i64 = 100_000;
const SCHEMAS: [Schema; 10] = [
    Schema::Trades,
    Schema::Tbbo,
    Schema::Mbp1,
    Schema::Bbo1S,
    Schema::Bbo1M,
    Schema::Ohlcv1S,
    Schema::Ohlcv1M,
    Schema::Ohlcv1H,
    Schema::Ohlcv1D,
    Schema::OhlcvEod,
];

/// Reads a DBN file.
pub(crate) struct DbnReader {
    path: PathBuf,
    frames: Frames,
    fsm: DbnFsm,
    make: Make,
    bad_record: BadRecord,
    progress: Progress,
    record: u64,
    /// The trade of the record whose quote was delivered.
    second: Option<Row>,
    is_over: bool,
}

/// Makes rows from records.
struct Make {
    symbols: TsSymbolMap,
    names: Names,
    /// The symbol of an instrument for the time in which it has it, in nanoseconds.
    known: HashMap<u32, Known>,
    /// Records so far that give an instrument a symbol.
    mappings: u64,
    counts: Counts,
}

#[derive(Clone, Copy)]
struct Known {
    start: u64,
    end: u64,
    symbol: Option<Symbol>,
}

type Made = Result<(Row, Option<Row>), Skip>;

impl DbnReader {
    pub(crate) fn new(input: Input, options: &ReadOptions) -> Result<Self, ReadError> {
        let (path, progress) = (input.path.clone(), input.progress.clone());
        let fail = |fault| ReadError::new(&path, Place::File, fault);
        let length = input.head.get(4..8).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
        let version = input.head.get(3).copied().unwrap_or_default();
        if !(1..=3).contains(&version) {
            let complaint = format!("is DBN of version {version}, expected 1 to 3");
            return Err(fail(Fault::Format(complaint)));
        }
        let Some(length) = length else { return Err(fail(Fault::Cut("its metadata"))) };
        if length > METADATA_BYTES_MAX {
            let complaint = format!("has metadata of {length} bytes, more than {METADATA_BYTES_MAX}");
            return Err(fail(Fault::Limit(complaint)));
        }
        let mut frames = Frames::new(input.into_bytes(), 8 + length as usize);
        // Records that older versions have in another form are not among those that are read.
        let mut fsm = DbnFsm::builder()
            .upgrade_policy(dbn::VersionUpgradePolicy::AsIs)
            .build()
            .map_err(|err| fail(format(&err)))?;
        let metadata = loop {
            match fsm.process() {
                ProcessResult::Metadata(metadata) => break metadata,
                ProcessResult::ReadMore(_) => match frames.pass(&mut fsm) {
                    Ok(0) => return Err(fail(Fault::Cut("its metadata"))),
                    Ok(_) => {}
                    Err(err) => return Err(ReadError::io(&path, Place::File, err)),
                },
                ProcessResult::Record(()) => {}
                ProcessResult::Err(err) => return Err(fail(format(&err))),
            }
        };
        if let Some(schema) = metadata.schema.filter(|schema| !SCHEMAS.contains(schema)) {
            let read = SCHEMAS.map(|schema| schema.to_string()).join(", ");
            return Err(fail(Fault::Format(format!("has the schema {schema}, expected one of {read}"))));
        }
        // A file without numbers of instruments has nothing to map: `symbols` of the options may.
        let symbols = metadata.symbol_map().unwrap_or_default();
        let (known, counts) = (HashMap::new(), Counts::default());
        let make = Make { symbols, names: Names::new(options), known, mappings: 0, counts };
        let bad_record = options.bad_record;
        Ok(Self { path, frames, fsm, make, bad_record, progress, record: 0, second: None, is_over: false })
    }

    fn read(&mut self) -> Result<Option<Row>, ReadError> {
        loop {
            if !self.fsm.has_buffered_record() {
                if !self.buffer()? {
                    return Ok(None);
                }
                continue;
            }
            self.record += 1;
            let Some(record) = self.fsm.next_buffered_record() else { continue };
            match self.make.rows(record) {
                Ok(Ok((row, second))) => {
                    self.second = second;
                    return Ok(Some(row));
                }
                Ok(Err(skip)) => self.make.counts.skip(skip),
                Err(_) if self.bad_record == BadRecord::Skip => self.make.counts.skip(Skip::Bad),
                Err(bad) => return Err(ReadError::bad(&self.path, Place::Record(self.record), bad)),
            }
        }
    }

    /// Decodes further records, or reads further bytes; returns `false` at the end of the file.
    fn buffer(&mut self) -> Result<bool, ReadError> {
        let place = Place::Record(self.record + 1);
        let cut = match self.fsm.process_batch() {
            ProcessResult::Record(_) | ProcessResult::Metadata(_) => return Ok(true),
            ProcessResult::Err(err) => return Err(ReadError::new(&self.path, place, format(&err))),
            ProcessResult::ReadMore(_) => match self.frames.pass(&mut self.fsm) {
                Ok(0) => match self.frames.complaint() {
                    Some(complaint) => ReadError::new(&self.path, place, Fault::Format(complaint)),
                    None if self.fsm.data().is_empty() => return Ok(false),
                    None => ReadError::new(&self.path, place, Fault::Cut("a record")),
                },
                Ok(_) => return Ok(true),
                Err(err) => ReadError::io(&self.path, place, err),
            },
        };
        if cut.is_cut() && self.bad_record == BadRecord::Skip {
            self.make.counts.cut += 1;
            return Ok(false);
        }
        Err(cut)
    }
}

impl Reader for DbnReader {
    fn next(&mut self) -> Result<Option<Row>, ReadError> {
        let row = match self.second.take() {
            Some(row) => Some(row),
            None if self.is_over => None,
            None => self.read().inspect_err(|_| self.is_over = true)?,
        };
        self.is_over |= row.is_none();
        self.make.counts.rows += u64::from(row.is_some());
        Ok(row)
    }

    fn counts(&self) -> Counts {
        self.make.counts
    }

    fn progress(&self) -> Vec<Progress> {
        vec![self.progress.clone()]
    }

    fn place(&self) -> Place {
        Place::Record(self.record)
    }
}

fn format(err: &dbn::Error) -> Fault {
    Fault::Format(crate::error::quoted(err.to_string().as_bytes()))
}

impl Make {
    #[inline]
    fn rows(&mut self, record: RecordRef) -> Result<Made, Bad> {
        let kind = record.header().rtype;
        match kind {
            rtype::MBP_0 => {
                let trade: &TradeMsg = of(record)?;
                let Some((ts, symbol)) = self.place(trade)? else { return Ok(Err(Skip::NotAsked)) };
                Ok(self.trade(trade.price, trade.size)?.map(|body| (Row { ts, symbol, body }, None)))
            }
            rtype::MBP_1 => self.quote_and_trade(of(record)?),
            rtype::BBO_1S | rtype::BBO_1M => {
                let bbo: &BboMsg = of(record)?;
                let Some((ts, symbol)) = self.place(bbo)? else { return Ok(Err(Skip::NotAsked)) };
                Ok(self.quote(&bbo.levels[0])?.map(|body| (Row { ts, symbol, body }, None)))
            }
            rtype::OHLCV_1S | rtype::OHLCV_1M | rtype::OHLCV_1H | rtype::OHLCV_1D | rtype::OHLCV_EOD => {
                let bar: &OhlcvMsg = of(record)?;
                let Some((ts, symbol)) = self.place(bar)? else { return Ok(Err(Skip::NotAsked)) };
                Ok(self.bar(bar, kind)?.map(|body| (Row { ts, symbol, body }, None)))
            }
            rtype::SYMBOL_MAPPING => {
                self.mappings += 1;
                let expected = "a mapping of a symbol";
                if self.mappings > MAPPINGS_MAX {
                    return Err(Bad::cell(b"one more", format!("one of at most {MAPPINGS_MAX} mappings of symbols")));
                }
                self.symbols.on_record(record).map_err(|err| Bad::cell(err.to_string().as_bytes(), expected))?;
                self.known.clear();
                Ok(Err(Skip::Other))
            }
            rtype::SYSTEM | rtype::ERROR => Ok(Err(Skip::Other)),
            other => {
                let name = dbn::RType::try_from(other).map_or_else(|_| other.to_string(), |rtype| rtype.to_string());
                Err(Bad::cell(name.as_bytes(), "a trade, mbp-1, bbo or ohlcv").at("rtype"))
            }
        }
    }

    fn quote_and_trade(&mut self, record: &Mbp1Msg) -> Result<Made, Bad> {
        let Some((ts, symbol)) = self.place(record)? else { return Ok(Err(Skip::NotAsked)) };
        let row = |body| Row { ts, symbol, body };
        let quote = self.quote(&record.levels[0])?;
        let is_trade = record.action().is_ok_and(|action| action == Action::Trade);
        let trade = if is_trade { self.trade(record.price, record.size)?.ok() } else { None };
        Ok(match (quote, trade) {
            (Ok(quote), trade) => Ok((row(quote), trade.map(row))),
            (Err(_), Some(trade)) => Ok((row(trade), None)),
            (Err(skip), None) => Err(skip),
        })
    }

    /// Returns time and symbol of a record, or `None` if the symbol was not asked for.
    #[inline]
    fn place<R: Record>(&mut self, record: &R) -> Result<Option<(Timestamp, Symbol)>, Bad> {
        let nanos = record.raw_index_ts();
        let Some(ts) = i64::try_from(nanos / 1_000).ok().and_then(limits::time) else {
            return Err(Bad::cell(nanos.to_string().as_bytes(), "a time before 2262").at("ts"));
        };
        let id = u32::try_from(record.instrument_id()).unwrap_or(u32::MAX);
        let symbol = match self.known.get(&id) {
            Some(known) if (known.start..known.end).contains(&nanos) => known.symbol,
            _ => self.look_up(id, nanos)?,
        };
        self.counts.rounded_times += u64::from(!nanos.is_multiple_of(1_000));
        Ok(symbol.map(|symbol| (ts, symbol)))
    }

    fn look_up(&mut self, id: u32, nanos: u64) -> Result<Option<Symbol>, Bad> {
        let intervals = self.symbols.inner().get(&id).map_or(&[][..], |intervals| intervals.intervals());
        let found = intervals.iter().find(|each| (each.start_ts..each.end_ts).contains(&nanos));
        let number = id.to_string();
        let (name, start, end) = match found {
            Some(found) => (found.symbol.as_str(), found.start_ts, found.end_ts),
            // Only `symbols` of the options can name it.
            None => (number.as_str(), nanos, nanos + 1),
        };
        let symbol = self.names.resolve(name.as_bytes()).map_err(|bad| bad.at("instrument_id"))?;
        if self.known.len() == KNOWN_MAX {
            self.known.clear();
        }
        self.known.insert(id, Known { start, end, symbol });
        Ok(symbol)
    }

    fn price(&mut self, nanos: i64, field: &'static str) -> Result<Price, Bad> {
        let units = divided(nanos, NANOS_PER_UNIT);
        self.counts.rounded_prices += u64::from(units.is_rounded);
        if limits::is_price(units.value) {
            return Ok(Price::from_units(units.value));
        }
        let text = if nanos == UNDEF_PRICE { "undefined".into() } else { dollars(nanos) };
        Err(Bad::cell(text.as_bytes(), limits::A_PRICE).at(field))
    }

    fn trade(&mut self, price: i64, size: u32) -> Result<Result<Body, Skip>, Bad> {
        let price = self.price(price, "price")?;
        Ok(if size == 0 { Err(Skip::NoVolume) } else { Ok(Body::Trade { price, size: shares(size), seq: 0 }) })
    }

    fn quote(&mut self, level: &BidAskPair) -> Result<Result<Body, Skip>, Bad> {
        if level.bid_px == UNDEF_PRICE || level.ask_px == UNDEF_PRICE {
            return Ok(Err(Skip::OneSided));
        }
        let (bid, ask) = (self.price(level.bid_px, "bid_px")?, self.price(level.ask_px, "ask_px")?);
        Ok(Ok(Body::Quote { bid, bid_size: shares(level.bid_sz), ask, ask_size: shares(level.ask_sz) }))
    }

    fn bar(&mut self, bar: &OhlcvMsg, kind: u8) -> Result<Result<Body, Skip>, Bad> {
        if bar.volume == 0 {
            return Ok(Err(Skip::NoVolume));
        }
        let volume = bar.volume.checked_mul(Size::MICROS_PER_SHARE).filter(|micros| i64::try_from(*micros).is_ok());
        let volume = volume.ok_or_else(|| {
            Bad::cell(bar.volume.to_string().as_bytes(), "a volume: at most 9,223,372,036,854 shares").at("volume")
        })?;
        let bar = InputBar {
            span_micros: limits::span_of_rtype(kind).unwrap_or_default(),
            open: self.price(bar.open, "open")?,
            high: self.price(bar.high, "high")?,
            low: self.price(bar.low, "low")?,
            close: self.price(bar.close, "close")?,
            volume: Size::from_micros(volume),
            trades: None,
            vwap: None,
        };
        check_bar(&bar)?;
        Ok(Ok(Body::Bar(Box::new(bar))))
    }
}

/// Returns a price in units of 1e-9 as a text.
fn dollars(nanos: i64) -> String {
    let (sign, nanos) = (if nanos < 0 { "-" } else { "" }, nanos.unsigned_abs());
    format!("{sign}{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

fn shares(size: u32) -> Size {
    Size::from_micros(u64::from(size) * Size::MICROS_PER_SHARE)
}

fn of<T: dbn::HasRType<Header = dbn::RecordHeader>>(record: RecordRef<'_>) -> Result<&T, Bad> {
    let expected = || format!("a record of {} bytes", size_of::<T>());
    record
        .try_get::<T>()
        .map_err(|_| Bad::cell(format!("{} bytes", record.header().record_size()).as_bytes(), expected()))
}
