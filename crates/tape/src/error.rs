//! `ReadError`: why a file cannot be read on, and where: file, line or record, column, and what was expected there.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tickcast_core::domain::Symbol;

/// Longest part of a file that a message quotes, in characters.
const QUOTED_CHARS_MAX: usize = 64;

/// The reason why a file cannot be read, or not any further. Displays as one line, which begins with the file.
#[derive(Debug)]
pub struct ReadError(Box<Details>);

#[derive(Debug)]
struct Details {
    file: PathBuf,
    place: Place,
    column: Option<String>,
    fault: Fault,
}

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The file as a whole.
    File,
    /// A line of a text, from 1.
    Line(u64),
    /// A record of DBN, from 1.
    Record(u64),
}

/// The kind of a [`ReadError`].
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The system cannot read the file, or its compression is damaged.
    #[error("cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    /// The file has no event.
    #[error("is empty")]
    Empty,
    /// The file ends in the middle of a record or of a compressed frame.
    #[error("is cut off: it ends in the middle of {0}")]
    Cut(&'static str),
    /// The format, layout, schema or version is not one that is read.
    #[error("{0}")]
    Format(String),
    /// The file can be read only with an option that was not given.
    #[error("{0}")]
    Option(String),
    /// A row is older than one before it, by more than [`ReadOptions::reorder_ms`](crate::ReadOptions::reorder_ms).
    #[error(
        "the time is {late:?} before that of an earlier line: sort the file by time, or use --order symbol, which sorts it in memory, \
         or --bad-record skip, which moves such lines to the newest time"
    )]
    Unsorted {
        /// By how much it is older than the newest row before it.
        late: Duration,
    },
    /// The file turns out to be sorted by symbol, after rows have been delivered.
    #[error(
        "'{0}' begins before the lines of other symbols: --order symbol reads a file that is sorted by symbol into memory"
    )]
    BySymbol(Symbol),
    /// The files have no row that is read, for this reason.
    #[error("{0}")]
    NoRows(String),
    /// A bound is exceeded.
    #[error("{0}")]
    Limit(String),
    /// A record has too few columns, or too many.
    #[error("{found} columns, expected {expected} ({layout})")]
    Columns {
        /// Columns of the record.
        found: usize,
        /// Columns of the first line.
        expected: usize,
        /// The layout of the file.
        layout: &'static str,
    },
    /// A cell, or a field of a record, has a value that it must not have.
    #[error("'{found}' is not {expected}")]
    Cell {
        /// The text, shortened and without control characters.
        found: String,
        /// The values that are valid.
        expected: Cow<'static, str>,
    },
}

impl ReadError {
    pub(crate) fn new(file: &Path, place: Place, fault: Fault) -> Self {
        Self(Box::new(Details { file: file.into(), place, column: None, fault }))
    }

    /// Returns the error of the system, or that the file is cut off if that is the reason.
    pub(crate) fn io(file: &Path, place: Place, err: io::Error) -> Self {
        let fault = match err.kind() {
            io::ErrorKind::UnexpectedEof => Fault::Cut("its compressed data"),
            _ => Fault::Unreadable(err),
        };
        Self::new(file, place, fault)
    }

    pub(crate) fn bad(file: &Path, place: Place, bad: Bad) -> Self {
        let column = bad.column.map(Cow::into_owned);
        Self(Box::new(Details { file: file.into(), place, column, fault: bad.fault }))
    }

    /// Returns the file.
    pub fn file(&self) -> &Path {
        &self.0.file
    }

    /// Returns the place in the file.
    pub fn place(&self) -> Place {
        self.0.place
    }

    /// Returns the column or field, if the error is of one.
    pub fn column(&self) -> Option<&str> {
        self.0.column.as_deref()
    }

    /// Returns the kind of the error.
    pub fn fault(&self) -> &Fault {
        &self.0.fault
    }

    /// Returns whether only one record is wrong, so that the next one can be read.
    pub(crate) fn is_of_record(&self) -> bool {
        matches!(self.0.fault, Fault::Cell { .. } | Fault::Columns { .. })
    }

    /// Returns whether the file ends in the middle of a record, or has no byte at all.
    pub(crate) fn is_cut_or_empty(&self) -> bool {
        self.is_cut() || matches!(self.0.fault, Fault::Empty)
    }

    pub(crate) fn is_cut(&self) -> bool {
        matches!(self.0.fault, Fault::Cut(_))
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { file, place, column, fault } = &*self.0;
        write!(f, "{}", file.display())?;
        match place {
            Place::File => {}
            Place::Line(line) => write!(f, ":{line}")?,
            Place::Record(record) => write!(f, ": record {record}")?,
        }
        if let Some(column) = column {
            write!(f, ": column '{column}'")?;
        }
        write!(f, ": {fault}")
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.fault {
            Fault::Unreadable(err) => Some(err),
            _ => None,
        }
    }
}

/// A mistake in a record whose file and place the reader adds.
#[derive(Debug)]
pub(crate) struct Bad {
    column: Option<Cow<'static, str>>,
    fault: Fault,
}

impl Bad {
    pub(crate) fn columns(found: usize, expected: usize, layout: &'static str) -> Self {
        Self { column: None, fault: Fault::Columns { found, expected, layout } }
    }

    pub(crate) fn cell(found: &[u8], expected: impl Into<Cow<'static, str>>) -> Self {
        Self { column: None, fault: Fault::Cell { found: quoted(found), expected: expected.into() } }
    }

    /// Names the column, unless it is named.
    pub(crate) fn at(self, column: impl Into<Cow<'static, str>>) -> Self {
        Self { column: self.column.or_else(|| Some(column.into())), ..self }
    }
}

/// Returns the beginning of a text of a file, fit to be shown in one line.
pub(crate) fn quoted(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let (mut short, mut count) = (String::new(), 0);
    for escaped in text.chars().map(char::escape_debug) {
        count += escaped.clone().count();
        if count > QUOTED_CHARS_MAX {
            return short + "…";
        }
        short.extend(escaped);
    }
    short
}
