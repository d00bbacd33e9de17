//! `Plan`: what a replay plays: the files, the symbols in them, and the time from which to which.

use std::collections::HashMap;
use std::sync::Arc;

use tickcast_tape::{ReadError, survey};

use crate::domain::{Instrument, Symbol, SymbolId, SymbolTable, Timestamp};
use crate::feed::FeedConfig;
use crate::feed::opening::Opening;
use crate::feed::replay::config::{Parsed, ReplayTime};
use crate::feed::replay::past::Before;
use crate::feed::replay::tape::{Rows, Tape};

const MINUTE: i64 = 60_000_000;

/// The reason why a replay cannot begin. Displays as one line.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A key of the configuration has a bad value.
    #[error("{0} {1}")]
    Settings(&'static str, &'static str),
    /// A file has a mistake.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// No row of the files is played.
    #[error("no event of the files lies between feed.replay.start and feed.replay.end")]
    Empty,
    /// The operating system cannot start a thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// The files and what is played of them. A clone is cheap.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) parsed: Arc<Parsed>,
    pub(super) table: Arc<SymbolTable>,
    pub(super) ids: Arc<HashMap<Symbol, SymbolId>>,
    /// Time of the files of the first event.
    pub(super) from: Timestamp,
    /// Time of the files of the last event.
    pub(super) to: Timestamp,
    pub(super) is_loop: bool,
    time: ReplayTime,
    /// Most closed bars from before the start, of a symbol and interval.
    bars_max: usize,
}

impl Plan {
    /// Reads the files once, for the symbols and times in them: a mistake is found before anything is played.
    pub(super) fn read(config: &FeedConfig, bars_max: usize) -> Result<Self, ReplayError> {
        let parsed = config.replay.parsed(config.bad_record.into());
        let parsed = parsed.map_err(|(key, rule)| ReplayError::Settings(key, rule))?;
        let contents = survey(&parsed.files, &parsed.options)?;
        let (first, last) = contents.range.ok_or(ReplayError::Empty)?;
        // The trades of a bar come during its interval.
        let last = last.plus_micros(contents.bar_spans.last().map_or(0, |span| span - 1));
        let from = parsed.start.unwrap_or(first).max(first);
        let to = parsed.end.map_or(last, |end| last.min(end.plus_micros(-1)));
        if from > to {
            return Err(ReplayError::Empty);
        }
        let mut symbols = contents.symbols;
        symbols.sort_unstable();
        let instrument =
            |symbol: &Symbol| Instrument { symbol: *symbol, name: symbol.to_string(), sector: String::new() };
        let table = SymbolTable::new(symbols.iter().map(instrument).collect());
        let ids = symbols.iter().filter_map(|symbol| Some((*symbol, table.id(*symbol)?))).collect();
        Ok(Self {
            parsed: Arc::new(parsed),
            table: Arc::new(table),
            ids: Arc::new(ids),
            from,
            to,
            is_loop: config.replay.is_loop,
            time: config.replay.time,
            bars_max,
        })
    }

    /// Returns the state at this time of the files, if the market's time is `now`, and the tape from there on.
    pub(super) fn open(&self, at: Timestamp, now: Timestamp) -> Result<(Opening, Tape), ReplayError> {
        let shift = match self.time {
            ReplayTime::Original => 0,
            // Whole minutes, so that the bars are those of the files.
            ReplayTime::Now => (now.micros() - at.micros()).div_euclid(MINUTE) * MINUTE,
        };
        let mut rows = Rows::open(self)?;
        let mut before = Before::new(self.table.clone(), self.bars_max);
        while let Some(row) = rows.before(at)? {
            if let Some(item) = self.event(&row, shift) {
                before.push(item.ts, item.id, item.body);
            }
        }
        Ok((before.at(at.plus_micros(shift)), rows.play(shift)?))
    }

    /// Returns the length of one round of a loop: whole minutes, so that the bars are those of the files.
    pub(super) fn loop_micros(&self) -> i64 {
        ((self.to.micros() - self.from.micros()) / MINUTE + 1) * MINUTE
    }

    /// Returns the names of the files, without directories.
    pub(super) fn names(&self) -> Vec<String> {
        let name = |path: &std::path::PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned());
        self.parsed.files.iter().filter_map(name).collect()
    }
}
