//! `Reader`, the trait of everything that delivers rows.

use crate::counts::Counts;
use crate::error::{Place, ReadError};
use crate::input::Progress;
use crate::options::Order;
use crate::row::Row;

/// A source of rows.
pub trait Reader: Send {
    /// Returns the next row, or `None` after the last one.
    ///
    /// # Errors
    ///
    /// Returns the mistake in the file. With [`BadRecord::Skip`](crate::BadRecord::Skip) a record with a mistake is no error.
    fn next(&mut self) -> Result<Option<Row>, ReadError>;

    /// Returns the counters so far.
    fn counts(&self) -> Counts;

    /// Returns how far each file has been read.
    fn progress(&self) -> Vec<Progress>;

    /// Returns the order of the rows, as far as the format shows it.
    fn order(&self) -> Order {
        Order::Time
    }

    /// Returns the place of the row that was returned last.
    fn place(&self) -> Place {
        Place::File
    }

    /// Returns the header and the end of a recording; `None` for other files.
    fn recording(&self) -> Option<&Recording> {
        None
    }

    /// Returns warnings about the files, which can be read nevertheless; one line for each.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Returns whether rows may be late on purpose: a recording has the late trades of its market.
    fn has_late_rows(&self) -> bool {
        false
    }
}

/// The header and the end of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Names the stream that was recorded.
    pub epoch: String,
    /// When the recording began, in microseconds since 1970.
    pub started: i64,
    /// Whether the line `end` has come.
    pub has_end: bool,
    /// Whether all of it has been read, and there was no line `end`: its writer was killed.
    pub is_unfinished: bool,
    /// The stream of which it says that nobody knows what followed, if it does.
    pub announced: Option<String>,
}

impl<R: Reader + ?Sized> Reader for Box<R> {
    fn next(&mut self) -> Result<Option<Row>, ReadError> {
        (**self).next()
    }

    fn counts(&self) -> Counts {
        (**self).counts()
    }

    fn progress(&self) -> Vec<Progress> {
        (**self).progress()
    }

    fn order(&self) -> Order {
        (**self).order()
    }

    fn place(&self) -> Place {
        (**self).place()
    }

    fn recording(&self) -> Option<&Recording> {
        (**self).recording()
    }

    fn warnings(&self) -> Vec<String> {
        (**self).warnings()
    }

    fn has_late_rows(&self) -> bool {
        (**self).has_late_rows()
    }
}
