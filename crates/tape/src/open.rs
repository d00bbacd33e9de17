//! `open`: finds the reader of a file by its content.

use std::path::Path;

use crate::csv::CsvReader;
use crate::databento::DbnReader;
use crate::error::ReadError;
use crate::input::Input;
use crate::lines::LinesReader;
use crate::options::{Format, ReadOptions};
use crate::reader::Reader;

/// Opens a file, whose format its content shows. Rows come in the order of the file, bars as bars.
///
/// # Errors
///
/// Returns why the file cannot be read.
pub fn open(path: &Path, options: &ReadOptions) -> Result<Box<dyn Reader>, ReadError> {
    let input = Input::open(path, options.format)?;
    Ok(match input.format {
        Format::Dbn => Box::new(DbnReader::new(input, options)?),
        Format::Lines => Box::new(LinesReader::new(input, options)?),
        Format::Csv | Format::Auto => Box::new(CsvReader::new(input, options)?),
    })
}
