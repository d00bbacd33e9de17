//! `Ordered`: delivers the rows of one file in the order of time.
//!
//! Rows that are late by at most `reorder_ms` are sorted; later ones are bad records, or get the newest time. A file that is sorted by symbol
//! is read into memory.

use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tickcast_core::domain::{Symbol, Timestamp};

use crate::counts::Counts;
use crate::error::{Fault, Place, ReadError};
use crate::input::Progress;
use crate::options::{BadRecord, Order, ReadOptions};
use crate::reader::{Reader, Recording};
use crate::row::Row;

/// Rows by which is decided whether a file is sorted by symbol.
const SAMPLE_ROWS: usize = 65_536;
/// Most symbols of a file that are remembered in order to notice that it is sorted by them.
const SYMBOLS_MAX: usize = 1_000_000;
/// Most rows that wait for late ones. Beyond it the oldest is delivered.
const WINDOW_ROWS_MAX: usize = 1_000_000;

/// A reader in the order of time.
pub(crate) struct Ordered {
    path: PathBuf,
    inner: Box<dyn Reader>,
    /// Rows by time, and by their order in the file where times are equal.
    waiting: VecDeque<Row>,
    reorder_micros: i64,
    /// Whether a row that is later than that is refused, and not moved.
    is_strict: bool,
    newest: Timestamp,
    delivered: Timestamp,
    counts: Counts,
    /// Whether the file has no further rows.
    is_over: bool,
    failure: Option<ReadError>,
    /// The symbols of a file that may be sorted by symbol, and the last one: to notice that too late rather than never.
    seen: Option<(HashSet<Symbol>, Option<Symbol>)>,
}

impl Ordered {
    /// Returns the rows of the reader in order. Reads ahead if the file may be sorted by symbol.
    pub(crate) fn new(path: &Path, inner: Box<dyn Reader>, options: &ReadOptions) -> Result<Self, ReadError> {
        let order = match options.order {
            Order::Auto if options.by_symbol.contains(path) => Order::Symbol,
            Order::Auto => inner.order(),
            order => order,
        };
        let is_strict = options.bad_record == BadRecord::Stop && !inner.has_late_rows();
        let mut ordered = Self {
            path: path.into(),
            inner,
            waiting: VecDeque::new(),
            reorder_micros: i64::from(options.reorder_ms) * 1_000,
            is_strict,
            newest: Timestamp::from_micros(i64::MIN),
            delivered: Timestamp::from_micros(i64::MIN),
            counts: Counts::default(),
            is_over: false,
            failure: None,
            seen: None,
        };
        match order {
            Order::Time => {}
            Order::Symbol => ordered.read_all(Vec::new(), options)?,
            Order::Auto => ordered.sample(options)?,
        }
        Ok(ordered)
    }

    /// Reads the first rows and decides by them: a symbol that comes again after another one without going back in time shows that the
    /// file is sorted by time.
    fn sample(&mut self, options: &ReadOptions) -> Result<(), ReadError> {
        let (mut rows, mut places) = (Vec::<Row>::new(), Vec::new());
        let (mut seen, mut is_by_time) = (HashSet::new(), false);
        while rows.len() < SAMPLE_ROWS {
            let row = match self.inner.next() {
                Ok(Some(row)) => row,
                Ok(None) => {
                    self.is_over = true;
                    break;
                }
                Err(err) => {
                    self.failure = Some(err);
                    break;
                }
            };
            let last = rows.last();
            let is_other = last.is_none_or(|last| last.symbol != row.symbol);
            let is_back =
                last.is_some_and(|last| last.ts.micros().saturating_sub(row.ts.micros()) > self.reorder_micros);
            let is_again = is_other && !seen.insert(row.symbol);
            rows.push(row);
            places.push(self.inner.place());
            if is_other && is_back {
                return self.read_all(rows, options);
            }
            if is_again {
                is_by_time = true;
                break;
            }
        }
        if !self.is_over && self.failure.is_none() && !is_by_time {
            self.seen = Some((seen, rows.last().map(|row| row.symbol)));
        }
        for (row, place) in rows.into_iter().zip(places) {
            if let Err(fault) = self.insert(row) {
                self.failure = Some(ReadError::new(&self.path, place, fault));
                break;
            }
        }
        Ok(())
    }

    fn read_all(&mut self, mut rows: Vec<Row>, options: &ReadOptions) -> Result<(), ReadError> {
        while let Some(row) = self.inner.next()? {
            if rows.len() == options.events_max {
                let complaint = format!(
                    "the file is sorted in memory, because it is sorted by symbol or for --order symbol, and has more than {} rows \
                     (`events_max`): sort it by time, or read fewer symbols",
                    options.events_max
                );
                return Err(ReadError::new(&self.path, self.inner.place(), Fault::Limit(complaint)));
            }
            rows.push(row);
        }
        self.is_over = true;
        // Stable: rows of the same time stay in the order of the file.
        rows.sort_by_key(|row| row.ts);
        self.newest = rows.last().map_or(self.newest, |row| row.ts);
        self.waiting = rows.into();
        Ok(())
    }

    /// Puts a row in its place among those that wait. Refuses one that is too late, or moves it to the newest time.
    fn insert(&mut self, mut row: Row) -> Result<(), Fault> {
        if row.ts >= self.newest {
            self.newest = row.ts;
            self.waiting.push_back(row);
            return Ok(());
        }
        let late_micros = self.newest.micros().saturating_sub(row.ts.micros());
        let is_late = late_micros > self.reorder_micros;
        if is_late && self.is_strict {
            return Err(Fault::Unsorted { late: Duration::from_micros(late_micros.unsigned_abs()) });
        }
        if is_late || row.ts < self.delivered {
            self.counts.moved += 1;
            row.ts = self.newest;
            self.waiting.push_back(row);
            return Ok(());
        }
        self.counts.sorted += 1;
        let place = self.waiting.partition_point(|each| each.ts <= row.ts);
        self.waiting.insert(place, row);
        Ok(())
    }

    /// Returns whether the oldest row cannot be preceded by one that is not read yet.
    fn is_due(&self) -> bool {
        let is_old = |row: &Row| self.newest.micros().saturating_sub(row.ts.micros()) > self.reorder_micros;
        self.is_over || self.waiting.len() >= WINDOW_ROWS_MAX || self.waiting.front().is_some_and(is_old)
    }

    /// Refuses a file that turns out to be sorted by symbol: a new symbol begins at an earlier time.
    fn check(&mut self, row: &Row) -> Result<(), Fault> {
        let Some((seen, last)) = &mut self.seen else { return Ok(()) };
        if *last == Some(row.symbol) {
            return Ok(());
        }
        *last = Some(row.symbol);
        if seen.len() == SYMBOLS_MAX || !seen.insert(row.symbol) {
            // A symbol that comes again shows that the file is sorted by time.
            self.seen = None;
            return Ok(());
        }
        let is_back = self.newest.micros().saturating_sub(row.ts.micros()) > self.reorder_micros.max(1_000_000);
        if is_back { Err(Fault::BySymbol(row.symbol)) } else { Ok(()) }
    }
}

impl Reader for Ordered {
    fn next(&mut self) -> Result<Option<Row>, ReadError> {
        while !self.is_due() {
            if let Some(err) = self.failure.take() {
                self.is_over = true;
                // The rows before the mistake come first.
                if self.waiting.is_empty() {
                    return Err(err);
                }
                self.failure = Some(err);
                break;
            }
            match self.inner.next() {
                Ok(Some(row)) => {
                    if let Err(fault) = self.check(&row).and_then(|()| self.insert(row)) {
                        self.failure = Some(ReadError::new(&self.path, self.inner.place(), fault));
                    }
                }
                Ok(None) => self.is_over = true,
                Err(err) => self.failure = Some(err),
            }
        }
        let Some(row) = self.waiting.pop_front() else { return self.failure.take().map_or(Ok(None), Err) };
        self.delivered = row.ts;
        Ok(Some(row))
    }

    fn counts(&self) -> Counts {
        let mut counts = self.inner.counts();
        counts.add(&self.counts);
        counts
    }

    fn progress(&self) -> Vec<Progress> {
        self.inner.progress()
    }

    fn place(&self) -> Place {
        self.inner.place()
    }

    fn recording(&self) -> Option<&Recording> {
        self.inner.recording()
    }

    fn warnings(&self) -> Vec<String> {
        self.inner.warnings()
    }
}

#[cfg(test)]
#[path = "order_test.rs"]
mod tests;
