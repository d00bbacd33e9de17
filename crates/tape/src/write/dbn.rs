//! `DbnWriter`: writes Databento Binary Encoding, version 3.
//!
//! Trades become `trades` records, quotes `mbp-1` with the action `M`, bars of a second, a minute, an hour and a day `ohlcv`. Sizes are whole
//! shares. The instruments are numbered in the order of their first rows, and mapped to their symbols in the metadata.

use std::collections::HashMap;
use std::ffi::c_char;
use std::io::{self, Write};
use std::num::NonZeroU64;
use std::path::Path;

use dbn::encode::dbn::MetadataEncoder;
use dbn::{
    Action, BidAskPair, MappingInterval, Mbp1Msg, Metadata, OhlcvMsg, RecordHeader, SType, Schema, Side, SymbolMapping,
    TradeMsg, rtype,
};
use tickcast_core::domain::{Price, Symbol, Timestamp};

use crate::row::{Body, InputBar, Row};
use crate::write::{Contents, Losses, Output, RowWriter, whole_shares};
use tickcast_core::domain::Size;

/// The name of the data set in the metadata; DBN requires one.
const DATASET: &str = "TICKCAST";
const NANOS_PER_UNIT: i64 = 100_000;
const NONE: c_char = Side::None as c_char;

/// Writes a DBN file.
pub struct DbnWriter {
    output: Output,
    ids: HashMap<Symbol, u32>,
    losses: Losses,
}

impl DbnWriter {
    /// Creates a file, compressed if its name ends with `.zst`. Rows of symbols that are not among the contents are left out.
    ///
    /// # Errors
    ///
    /// Returns the error of the system.
    pub fn create(path: &Path, contents: &Contents) -> io::Result<Self> {
        let ids: HashMap<_, _> = contents.symbols.iter().copied().zip(1..).collect();
        let mut output = Output::create(path)?;
        MetadataEncoder::new(&mut output).encode(&metadata(contents)).map_err(io::Error::other)?;
        Ok(Self { output, ids, losses: Losses::default() })
    }

    /// Writes a record, whose form in memory is that of the file.
    fn encode(&mut self, record: Option<&impl AsRef<[u8]>>) -> io::Result<()> {
        if let Some(record) = record {
            self.losses.written += 1;
            self.output.write_all(record.as_ref())
        } else {
            self.losses.out_of_range += 1;
            Ok(())
        }
    }

    /// Returns whole shares, or `None` if they do not fit into a record.
    fn shares(&mut self, size: Size) -> Option<u32> {
        let (shares, is_rounded) = whole_shares(size);
        self.losses.rounded_sizes += u64::from(is_rounded);
        u32::try_from(shares).ok()
    }

    fn trade(&mut self, (id, nanos): (u32, u64), price: Price, size: Size) -> Option<TradeMsg> {
        let size = self.shares(size).filter(|size| *size > 0)?;
        Some(TradeMsg {
            hd: RecordHeader::new::<TradeMsg>(rtype::MBP_0, 0, id, nanos),
            price: in_nanos(price),
            size,
            action: Action::Trade as c_char,
            side: NONE,
            ts_recv: nanos,
            ..TradeMsg::default()
        })
    }

    fn quote(
        &mut self,
        (id, nanos): (u32, u64),
        (bid, bid_size): (Price, Size),
        (ask, ask_size): (Price, Size),
    ) -> Option<Mbp1Msg> {
        let (bid_sz, ask_sz) = (self.shares(bid_size)?, self.shares(ask_size)?);
        let level = BidAskPair { bid_px: in_nanos(bid), ask_px: in_nanos(ask), bid_sz, ask_sz, bid_ct: 0, ask_ct: 0 };
        Some(Mbp1Msg {
            hd: RecordHeader::new::<Mbp1Msg>(rtype::MBP_1, 0, id, nanos),
            action: Action::Modify as c_char,
            side: NONE,
            ts_recv: nanos,
            levels: [level],
            ..Mbp1Msg::default()
        })
    }

    fn bar(&mut self, (id, nanos): (u32, u64), kind: u8, bar: &InputBar) -> Option<OhlcvMsg> {
        let (volume, is_rounded) = whole_shares(bar.volume);
        self.losses.rounded_sizes += u64::from(is_rounded);
        self.losses.bar_figures += u64::from(bar.trades.is_some() || bar.vwap.is_some());
        (volume > 0).then(|| OhlcvMsg {
            hd: RecordHeader::new::<OhlcvMsg>(kind, 0, id, nanos),
            open: in_nanos(bar.open),
            high: in_nanos(bar.high),
            low: in_nanos(bar.low),
            close: in_nanos(bar.close),
            volume,
        })
    }
}

impl RowWriter for DbnWriter {
    fn write(&mut self, row: &Row) -> io::Result<()> {
        let nanos = u64::try_from(row.ts.micros()).ok().and_then(|micros| micros.checked_mul(1_000));
        let (Some(nanos), Some(id)) = (nanos, self.ids.get(&row.symbol).copied()) else {
            self.losses.out_of_range += 1;
            return Ok(());
        };
        let place = (id, nanos);
        match &row.body {
            Body::Trade { price, size, .. } => {
                let record = self.trade(place, *price, *size);
                self.encode(record.as_ref())
            }
            Body::Quote { bid, bid_size, ask, ask_size } => {
                let record = self.quote(place, (*bid, *bid_size), (*ask, *ask_size));
                self.encode(record.as_ref())
            }
            Body::Bar(bar) => {
                if let Some((_, kind)) = schema_of(bar.span_micros) {
                    let record = self.bar(place, kind, bar);
                    self.encode(record.as_ref())
                } else {
                    self.losses.bars += 1;
                    Ok(())
                }
            }
            Body::Correction(_) | Body::Cancel(_) => {
                self.losses.amendments += 1;
                Ok(())
            }
        }
    }

    fn finish(self: Box<Self>) -> io::Result<Losses> {
        self.output.finish()?;
        Ok(self.losses)
    }
}

fn in_nanos(price: Price) -> i64 {
    price.units() * NANOS_PER_UNIT
}

fn schema_of(span: i64) -> Option<(Schema, u8)> {
    Some(match span / 1_000_000 {
        1 => (Schema::Ohlcv1S, rtype::OHLCV_1S),
        60 => (Schema::Ohlcv1M, rtype::OHLCV_1M),
        3_600 => (Schema::Ohlcv1H, rtype::OHLCV_1H),
        86_400 => (Schema::Ohlcv1D, rtype::OHLCV_1D),
        _ => return None,
    })
}

/// Returns the metadata. The schema is absent if there are several kinds of rows.
fn metadata(contents: &Contents) -> Metadata {
    let schemas = [contents.has_trades.then_some(Schema::Trades), contents.has_quotes.then_some(Schema::Mbp1)];
    let bars = contents.bar_spans.iter().filter_map(|span| schema_of(*span)).map(|(schema, _)| schema);
    let mut schemas: Vec<_> = schemas.into_iter().flatten().chain(bars).collect();
    schemas.dedup();
    let schema = if let [schema] = schemas[..] { Some(schema) } else { None };
    let (first, last) = contents.range.unwrap_or_default();
    let nanos = |ts: Timestamp| u64::try_from(ts.micros()).unwrap_or_default().saturating_mul(1_000);
    let date = |ts: Timestamp| {
        let time = time::OffsetDateTime::from_unix_timestamp(ts.micros().div_euclid(1_000_000));
        time.map_or(time::OffsetDateTime::UNIX_EPOCH.date(), time::OffsetDateTime::date)
    };
    let (start_date, end_date) = (date(first), date(last).next_day().unwrap_or_else(|| date(last)));
    let mapping = |(id, symbol): (u32, &Symbol)| SymbolMapping {
        raw_symbol: symbol.to_string(),
        intervals: vec![MappingInterval { start_date, end_date, symbol: id.to_string() }],
    };
    Metadata::builder()
        .dataset(DATASET)
        .schema(schema)
        .start(nanos(first))
        .end(NonZeroU64::new(nanos(last).saturating_add(1)))
        .stype_in(Some(SType::RawSymbol))
        .stype_out(SType::InstrumentId)
        .symbols(contents.symbols.iter().map(ToString::to_string).collect())
        .mappings((1..).zip(&contents.symbols).map(mapping).collect())
        .build()
}
