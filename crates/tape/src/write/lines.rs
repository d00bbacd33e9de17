//! `LinesWriter`: writes recordings: a header, then the messages of the protocol (docs/PROTOCOL.md), one per line.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;

use tickcast_core::domain::{CancelKind, Symbol, Timestamp};

use crate::lines::VERSION;
use crate::row::{Amended, Body, InputBar, Row};
use crate::spans;
use crate::write::{Contents, Losses, Output, RowWriter};

/// The first line of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingHeader {
    /// Names the run of the server whose stream was recorded; of a converted file, its source.
    pub epoch: String,
    /// The `offset` before the first event.
    pub offset: u64,
    /// When the recording began; of a converted file, the time of its first row.
    pub started: Timestamp,
    /// The channels that were recorded, such as `trades` and `bars.1m`.
    pub channels: Vec<String>,
}

impl RecordingHeader {
    /// Returns the header of a file with these contents.
    pub fn of(contents: &Contents) -> Self {
        let kinds = [(contents.has_trades, "trades"), (contents.has_quotes, "quotes")];
        let kinds = kinds.into_iter().filter(|(has, _)| *has).map(|(_, name)| name.to_owned());
        let bars = contents.bar_spans.iter().map(|span| format!("bars.{}", spans::name(*span)));
        let started = contents.range.map_or(Timestamp::default(), |(first, _)| first);
        Self { epoch: "0".into(), offset: 0, started, channels: kinds.chain(bars).collect() }
    }

    /// Returns the header as a line of JSON.
    pub fn line(&self) -> String {
        let Self { epoch, offset, started, channels } = self;
        let value = serde_json::json!(channels);
        format!(
            "{{\"type\":\"recording\",\"version\":{VERSION},\"protocol\":\"tickcast.v1\",\"epoch\":{},\"offset\":{offset},\
             \"started\":{started},\"channels\":{value}}}\n",
            serde_json::json!(epoch),
        )
    }
}

/// Writes a recording. It numbers the events from `offset` and 1 in each topic.
pub struct LinesWriter {
    output: Output,
    line: Vec<u8>,
    offset: u64,
    /// The newest `seq` of each topic: symbol, channel, and length of its bars.
    seqs: HashMap<(Symbol, &'static str, i64), u64>,
    losses: Losses,
}

impl LinesWriter {
    /// Creates a file, compressed if its name ends with `.gz` or `.zst`.
    ///
    /// # Errors
    ///
    /// Returns the error of the system.
    pub fn create(path: &Path, header: &RecordingHeader) -> io::Result<Self> {
        let mut output = Output::create(path)?;
        output.write_all(header.line().as_bytes())?;
        Ok(Self { output, line: Vec::new(), offset: header.offset, seqs: HashMap::new(), losses: Losses::default() })
    }
}

impl LinesWriter {
    /// Ends the compressed frame: the rows so far can be read from `PATH.part`, even if the process is killed. A file with a frame for each
    /// second is little larger than one without.
    ///
    /// # Errors
    ///
    /// Returns the error of the system.
    pub fn end_frame(&mut self) -> io::Result<()> {
        self.output.end_frame()
    }
}

impl RowWriter for LinesWriter {
    fn write(&mut self, row: &Row) -> io::Result<()> {
        let (kind, span) = match &row.body {
            Body::Trade { .. } => ("trade", 0),
            Body::Quote { .. } => ("quote", 0),
            Body::Bar(bar) => ("bar", bar.span_micros),
            Body::Correction(_) => ("correction", 0),
            Body::Cancel(_) => ("cancel", 0),
        };
        self.offset += 1;
        let seq = self.seqs.entry((row.symbol, kind, span)).or_default();
        *seq += 1;
        let (line, offset) = (&mut self.line, self.offset);
        line.clear();
        write!(line, "{{\"type\":\"{kind}\",\"symbol\":\"{}\"", row.symbol)?;
        if span > 0 {
            write!(line, ",\"interval\":\"{}\"", spans::name(span))?;
        }
        write!(line, ",\"seq\":{seq},\"offset\":{offset},\"ts\":{}", row.ts)?;
        body(line, &row.body)?;
        line.extend_from_slice(b"}\n");
        self.losses.written += 1;
        self.output.write_all(line)
    }

    fn end(&mut self) -> io::Result<()> {
        writeln!(self.output, "{{\"type\":\"end\",\"offset\":{}}}", self.offset)
    }

    fn finish(self: Box<Self>) -> io::Result<Losses> {
        self.output.finish()?;
        Ok(self.losses)
    }
}

fn body(line: &mut Vec<u8>, body: &Body) -> io::Result<()> {
    match body {
        Body::Trade { price, size, .. } => write!(line, ",\"price\":{price},\"size\":{size}"),
        Body::Quote { bid, bid_size, ask, ask_size } => {
            write!(line, ",\"bid\":{bid},\"bid_size\":{bid_size},\"ask\":{ask},\"ask_size\":{ask_size}")
        }
        Body::Bar(bar) => bar_fields(line, bar),
        Body::Correction(correction) => {
            trade_fields(line, &correction.trade)?;
            write!(line, ",\"price\":{},\"size\":{}", correction.price, correction.size)
        }
        Body::Cancel(cancel) => {
            trade_fields(line, &cancel.trade)?;
            let kind = match cancel.kind {
                CancelKind::Cancelled => "cancel",
                CancelKind::Error => "error",
            };
            write!(line, ",\"kind\":\"{kind}\"")
        }
    }
}

fn bar_fields(line: &mut Vec<u8>, bar: &InputBar) -> io::Result<()> {
    let InputBar { open, high, low, close, volume, trades, vwap, .. } = bar;
    write!(line, ",\"open\":{open},\"high\":{high},\"low\":{low},\"close\":{close},\"volume\":{volume}")?;
    if let Some(trades) = trades {
        write!(line, ",\"trades\":{trades}")?;
    }
    if let Some(vwap) = vwap {
        write!(line, ",\"vwap\":{vwap}")?;
    }
    line.write_all(b",\"final\":true")
}

fn trade_fields(line: &mut Vec<u8>, trade: &Amended) -> io::Result<()> {
    let Amended { seq, ts, price, size } = trade;
    write!(line, ",\"trade_seq\":{seq},\"trade_ts\":{ts},\"trade_price\":{price},\"trade_size\":{size}")
}
