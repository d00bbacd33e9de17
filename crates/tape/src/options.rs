//! `ReadOptions`: what a user says about files that the files do not say themselves.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use chrono_tz::Tz;
use tickcast_core::domain::Symbol;

/// How files are read. The default suits files that name everything.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// The format.
    pub format: Format,
    /// The columns of CSV files that have no header, in order.
    pub columns: Vec<String>,
    /// The time zone of times of day without an offset. A day without a time of day is a UTC day whatever the zone.
    pub tz: Option<Tz>,
    /// The symbol of files that name none. If absent, the name of the file.
    pub symbol: Option<Symbol>,
    /// The symbols of names that are none: `BTC/USDT`, or the number of an instrument in DBN.
    pub symbols: HashMap<String, Symbol>,
    /// The symbols that are read; every other row is skipped. All if absent.
    pub only: Option<HashSet<Symbol>>,
    /// Length of the bars of CSV files, in microseconds from a second to a day. If absent, the file shows it.
    pub interval_micros: Option<i64>,
    /// The reaction to a record with a mistake.
    pub bad_record: BadRecord,
    /// Rows that are late by at most this many milliseconds are sorted.
    pub reorder_ms: u32,
    /// The order of the rows in a file.
    pub order: Order,
    /// Files that are sorted by symbol although [`Order::Auto`] cannot see it at their beginning: [`survey`](crate::survey) finds them.
    pub by_symbol: HashSet<PathBuf>,
    /// Most rows that are held in memory of a file that is sorted by symbol, and among the trades made from bars.
    pub events_max: usize,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            format: Format::Auto,
            columns: Vec::new(),
            tz: None,
            symbol: None,
            symbols: HashMap::new(),
            only: None,
            interval_micros: None,
            bad_record: BadRecord::Stop,
            reorder_ms: 1_000,
            order: Order::Auto,
            by_symbol: HashSet::new(),
            events_max: 20_000_000,
        }
    }
}

/// A format of files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The content of the file shows it.
    #[default]
    Auto,
    /// A table of text; the layout is recognised by its columns.
    Csv,
    /// Databento Binary Encoding.
    Dbn,
    /// A recording of tickcast: lines of JSON.
    Lines,
}

/// The reaction to a record with a mistake, and to the end of a file that is cut off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BadRecord {
    /// The reader returns the error.
    #[default]
    Stop,
    /// The record is skipped and counted.
    Skip,
}

/// The order of the rows in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The layout and the first rows show it.
    #[default]
    Auto,
    /// By time.
    Time,
    /// By symbol, then by time, or in no order: the file is read into memory.
    Symbol,
}
