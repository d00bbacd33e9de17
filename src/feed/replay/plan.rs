//! `Plan`: what a replay plays: the files, the symbols in them, and the time from which to which.

use std::collections::HashMap;
use std::sync::Arc;

use tickcast_tape::ReadError;

use crate::domain::{Symbol, SymbolId, SymbolTable, Timestamp};
use crate::feed::opening::Opening;
use crate::feed::replay::config::{Parsed, ReplayTime};
use crate::feed::replay::folder::Place;
use crate::feed::replay::past::Before;
use crate::feed::replay::survey::Survey;
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
    /// The place of a replay for one client, which every thread keeps that reads the files.
    place: Option<Arc<Place>>,
}

/// The files and the settings of a [`Plan`].
pub(super) struct PlanParts {
    pub(super) parsed: Parsed,
    pub(super) is_loop: bool,
    pub(super) time: ReplayTime,
    pub(super) bars_max: usize,
    pub(super) place: Option<Arc<Place>>,
}

impl Plan {
    /// Returns the plan of files with these symbols and times.
    pub(super) fn of(parts: PlanParts, survey: &Survey) -> Result<Self, ReplayError> {
        let PlanParts { mut parsed, is_loop, time, bars_max, place } = parts;
        let Survey { table, ids, first, last, by_symbol } = survey;
        let from = parsed.start.unwrap_or(*first).max(*first);
        let to = parsed.end.map_or(*last, |end| end.plus_micros(-1).min(*last));
        if from > to {
            return Err(ReplayError::Empty);
        }
        parsed.options.by_symbol.clone_from(by_symbol);
        let (parsed, table, ids) = (Arc::new(parsed), table.clone(), ids.clone());
        Ok(Self { parsed, table, ids, from, to, is_loop, time, bars_max, place })
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

    /// Returns whether the files are played for one client, who is not told where they lie.
    pub(super) fn is_private(&self) -> bool {
        self.place.is_some()
    }

    /// Returns the names of the files, without directories.
    pub(super) fn names(&self) -> Vec<String> {
        let name = |path: &std::path::PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned());
        self.parsed.files.iter().filter_map(name).collect()
    }
}
