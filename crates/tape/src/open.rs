//! `open`: finds the reader of a file by its content.

use std::path::Path;

use crate::counts::Counts;
use crate::csv::CsvReader;
use crate::databento::DbnReader;
use crate::error::ReadError;
use crate::input::{Input, Progress};
use crate::lines::LinesReader;
use crate::options::{BadRecord, Format, ReadOptions};
use crate::reader::Reader;
use crate::row::Row;

/// Opens a file, whose format its content shows. Rows come in the order of the file, bars as bars.
///
/// # Errors
///
/// Returns why the file cannot be read.
pub fn open(path: &Path, options: &ReadOptions) -> Result<Box<dyn Reader>, ReadError> {
    let input = match Input::open(path, options.format) {
        Err(err) if options.bad_record == BadRecord::Skip && err.is_cut_or_empty() => return Ok(Box::new(Nothing)),
        input => input?,
    };
    Ok(match input.format {
        Format::Dbn => Box::new(DbnReader::new(input, options)?),
        Format::Lines => Box::new(LinesReader::new(input, options)?),
        Format::Csv | Format::Auto => Box::new(CsvReader::new(input, options)?),
    })
}

/// The reader of a file that was cut off before its first complete byte of text: of a recorder that was killed at once.
struct Nothing;

impl Reader for Nothing {
    fn next(&mut self) -> Result<Option<Row>, ReadError> {
        Ok(None)
    }

    fn counts(&self) -> Counts {
        Counts { cut: 1, ..Counts::default() }
    }

    fn progress(&self) -> Vec<Progress> {
        Vec::new()
    }
}
