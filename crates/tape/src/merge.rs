//! `Merge`: the rows of several files in the order of time, then of the files, then of the lines.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::PathBuf;

use tickcast_core::domain::Timestamp;

use crate::counts::Counts;
use crate::error::{Fault, Place, ReadError};
use crate::input::Progress;
use crate::open::open;
use crate::options::ReadOptions;
use crate::order::Ordered;
use crate::reader::{Reader, Recording};
use crate::row::Row;

/// Most files that are read at once: each has buffers of its own.
const FILES_MAX: usize = 10_000;

/// Several files as one.
pub struct Merge {
    files: Vec<Ordered>,
    /// The next row of each file.
    rows: Vec<Option<Row>>,
    /// Time of the next row, and index of the file; the earliest first.
    next: BinaryHeap<Reverse<(Timestamp, usize)>>,
    /// An error of a file whose rows before it have all been delivered when it was met.
    failure: Option<ReadError>,
}

impl Merge {
    /// Opens the files.
    ///
    /// # Errors
    ///
    /// Returns why a file cannot be read, also if only its first row is wrong.
    pub fn open(paths: &[PathBuf], options: &ReadOptions) -> Result<Self, ReadError> {
        if let Some(path) = paths.get(FILES_MAX) {
            let complaint = format!("is one file too many: at most {FILES_MAX} are read at once");
            let fault = Fault::Limit(complaint);
            return Err(ReadError::new(path, Place::File, fault));
        }
        let ordered = |path: &PathBuf| Ordered::new(path, open(path, options)?, options);
        let files: Vec<_> = paths.iter().map(ordered).collect::<Result<_, _>>()?;
        let rows = files.iter().map(|_| None).collect();
        let mut merge = Self { files, rows, next: BinaryHeap::new(), failure: None };
        for index in 0..merge.files.len() {
            merge.advance(index)?;
        }
        Ok(merge)
    }

    fn advance(&mut self, index: usize) -> Result<(), ReadError> {
        self.rows[index] = self.files[index].next()?;
        if let Some(row) = &self.rows[index] {
            self.next.push(Reverse((row.ts, index)));
        }
        Ok(())
    }

    /// Returns whether the newest recording has its last line, so that nothing came after it that nobody knows; also without any recording.
    pub(crate) fn is_complete(&self) -> bool {
        let newest = self.files.iter().filter_map(Reader::recording).max_by_key(|recording| recording.started);
        newest.is_none_or(|recording| recording.has_end)
    }

    /// Counts the recordings whose writer was killed and after which another epoch begins: nobody knows what came between.
    fn unfinished(&self) -> u64 {
        let all: Vec<&Recording> = self.files.iter().filter_map(Reader::recording).collect();
        let is_followed = |one: &&&Recording| {
            let announces =
                |other: &&Recording| other.announced.as_ref() == Some(&one.epoch) && !std::ptr::eq(*other, **one);
            if all.iter().any(announces) {
                return false;
            }
            let later = all.iter().filter(|other| other.started > one.started);
            later.min_by_key(|other| other.started).is_some_and(|next| next.epoch != one.epoch)
        };
        all.iter().filter(|one| one.is_unfinished).filter(is_followed).count() as u64
    }
}

impl Reader for Merge {
    fn next(&mut self) -> Result<Option<Row>, ReadError> {
        if let Some(err) = self.failure.take() {
            self.next.clear();
            return Err(err);
        }
        let Some(Reverse((_, index))) = self.next.pop() else { return Ok(None) };
        let row = self.rows[index].take();
        if let Err(err) = self.advance(index) {
            self.failure = Some(err);
        }
        Ok(row)
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.files.iter().for_each(|file| counts.add(&file.counts()));
        counts.unfinished = self.unfinished();
        counts
    }

    fn progress(&self) -> Vec<Progress> {
        self.files.iter().flat_map(Reader::progress).collect()
    }

    fn warnings(&self) -> Vec<String> {
        self.files.iter().flat_map(Reader::warnings).collect()
    }
}
