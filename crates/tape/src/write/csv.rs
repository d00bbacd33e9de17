//! `CsvWriter`: one table for trades, quotes and bars. Pandas and `DuckDB` read it as it is; a cell that a row does not have is empty.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;

use tickcast_core::domain::Timestamp;
use tickcast_core::protocol::write_rfc3339;

use crate::row::{Body, Row};
use crate::spans;
use crate::write::{Losses, Output, RowWriter};

const HEADER: &str =
    "type,symbol,timestamp,price,size,bid,bid_size,ask,ask_size,interval,open,high,low,close,volume,trades,vwap\n";

/// Writes a CSV file.
pub struct CsvWriter {
    output: Output,
    line: Vec<u8>,
    losses: Losses,
}

impl CsvWriter {
    /// Creates a file, compressed if its name ends with `.gz` or `.zst`.
    ///
    /// # Errors
    ///
    /// Returns the error of the system.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut output = Output::create(path)?;
        output.write_all(HEADER.as_bytes())?;
        Ok(Self { output, line: Vec::new(), losses: Losses::default() })
    }
}

impl RowWriter for CsvWriter {
    fn write(&mut self, row: &Row) -> io::Result<()> {
        let kind = match row.body {
            Body::Trade { .. } => "trade",
            Body::Quote { .. } => "quote",
            Body::Bar(_) => "bar",
            Body::Correction(_) | Body::Cancel(_) => {
                self.losses.amendments += 1;
                return Ok(());
            }
        };
        self.line.clear();
        write!(self.line, "{kind},{},", row.symbol)?;
        write_time(row.ts, &mut self.line);
        match &row.body {
            Body::Trade { price, size, .. } => write!(self.line, ",{price},{size},,,,,,,,,,,,")?,
            Body::Quote { bid, bid_size, ask, ask_size } => {
                write!(self.line, ",,,{bid},{bid_size},{ask},{ask_size},,,,,,,,")?;
            }
            Body::Bar(bar) => {
                let (span, trades, vwap) = (spans::name(bar.span_micros), text(bar.trades), text(bar.vwap));
                let (open, high, low, close, volume) = (bar.open, bar.high, bar.low, bar.close, bar.volume);
                write!(self.line, ",,,,,,,{span},{open},{high},{low},{close},{volume},{trades},{vwap}")?;
            }
            Body::Correction(_) | Body::Cancel(_) => {}
        }
        self.line.push(b'\n');
        self.losses.written += 1;
        self.output.write_all(&self.line)
    }

    fn finish(self: Box<Self>) -> io::Result<Losses> {
        self.output.finish()?;
        Ok(self.losses)
    }
}

/// Appends a time with six decimals: if some times of a column had none, pandas would take all of them for text.
fn write_time(ts: Timestamp, line: &mut Vec<u8>) {
    let start = line.len();
    write_rfc3339(ts, line);
    line.pop();
    let decimals = line[start..].iter().rev().position(|byte| *byte == b'.').unwrap_or_else(|| {
        line.push(b'.');
        0
    });
    line.resize(line.len() + 6 - decimals, b'0');
    line.push(b'Z');
}

fn text(value: Option<impl Display>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
