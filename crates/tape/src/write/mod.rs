//! Writers of rows, and what each format cannot hold.

mod csv;
mod dbn;
mod lines;
mod recording;

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use tickcast_core::domain::{Symbol, Timestamp};

use crate::counts::Counts;
use crate::error::{Fault, Place, ReadError};
use crate::row::Row;
use tickcast_core::domain::Size;

pub use csv::CsvWriter;
pub use dbn::DbnWriter;
pub use lines::{LinesWriter, RecordingHeader};
pub use recording::RecordingFile;

/// Bytes that are written to a file at once.
const BUFFER_BYTES: usize = 256 * 1024;
/// Level of the compression: 1 writes twice as fast as 3 and files of about the same size.
const ZSTD_LEVEL: i32 = 1;

/// A receiver of rows.
pub trait RowWriter {
    /// Writes a row, as far as the format has it.
    ///
    /// # Errors
    ///
    /// Returns the error of the system.
    fn write(&mut self, row: &Row) -> io::Result<()>;

    /// Notes that nothing is missing after the last row, as far as the format can say it.
    ///
    /// # Errors
    ///
    /// Returns the error of the system.
    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Writes the end of the file, and makes sure that all of it is on the disk.
    ///
    /// # Errors
    ///
    /// Returns the error of the system.
    fn finish(self: Box<Self>) -> io::Result<Losses>;
}

/// The values that a format could not hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Rows written.
    pub written: u64,
    /// Corrections and cancellations that were left out.
    pub amendments: u64,
    /// Bars that were left out, because the format has none of their length.
    pub bars: u64,
    /// Bars without their number of trades and average price.
    pub bar_figures: u64,
    /// Sizes that were rounded to whole shares, half to even.
    pub rounded_sizes: u64,
    /// Rows that were left out, because a time is before 1970, or a size is 0 after rounding or does not fit.
    pub out_of_range: u64,
}

/// The contents of a file that have to be known before its first row is written.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// The symbols, in the order of their first rows.
    pub symbols: Vec<Symbol>,
    /// Times of the first and the last row.
    pub range: Option<(Timestamp, Timestamp)>,
    /// Whether there are trades.
    pub has_trades: bool,
    /// Whether there are quotes.
    pub has_quotes: bool,
    /// The lengths of the bars, in microseconds.
    pub bar_spans: Vec<i64>,
    /// The files that are sorted by symbol, for [`ReadOptions::by_symbol`](crate::ReadOptions::by_symbol).
    pub by_symbol: HashSet<PathBuf>,
    /// The counters of the reader.
    pub counts: Counts,
    /// Warnings about the files, which can be read nevertheless; one line for each.
    pub warnings: Vec<String>,
}

impl Contents {
    /// Returns the complaint about files without a row, if these are.
    pub fn complaint(&self, files: &[PathBuf]) -> Option<ReadError> {
        let file = files.first().filter(|_| self.range.is_none())?;
        let rows = "trade, quote or bar";
        let mut complaint = match files.len() - 1 {
            0 => format!("has no {rows}"),
            others => format!("has no {rows}, and neither have the {others} other files"),
        };
        let left_out: Vec<_> = self.counts.left_out().map(|(count, what)| format!("{count} {what}")).collect();
        if !left_out.is_empty() {
            write!(complaint, ": left out were {}", left_out.join(", ")).ok()?;
        }
        Some(ReadError::new(file, Place::File, Fault::NoRows(complaint)))
    }
}

/// A file that gets its name when it is complete.
pub(crate) struct Output {
    file: BufWriter<Compressed>,
    /// Whether nothing was written since the last frame ended.
    is_fresh: bool,
    part: PathBuf,
    path: PathBuf,
}

enum Compressed {
    Plain(File),
    /// Absent after an error only.
    Zstd(Option<zstd::stream::write::Encoder<'static, File>>),
    Gzip(flate2::write::GzEncoder<File>),
}

impl Output {
    /// Creates `PATH.part`, compressed as the end of the path says.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Self::of(path, File::create(part_of(path))?)
    }

    /// Creates `PATH.part`, unless it or `PATH` exists.
    pub(crate) fn create_new(path: &Path) -> io::Result<Self> {
        if path.exists() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Self::of(path, File::create_new(part_of(path))?)
    }

    fn of(path: &Path, file: File) -> io::Result<Self> {
        let part = part_of(path);
        let end = path.extension().and_then(|end| end.to_str());
        let file = match end {
            Some("zst") => Compressed::Zstd(Some(zstd::stream::write::Encoder::new(file, ZSTD_LEVEL)?)),
            Some("gz") => Compressed::Gzip(flate2::write::GzEncoder::new(file, flate2::Compression::default())),
            _ => Compressed::Plain(file),
        };
        Ok(Self { file: BufWriter::with_capacity(BUFFER_BYTES, file), is_fresh: false, part, path: path.into() })
    }

    /// Passes everything to the system in a compressed frame that is complete: it can be read, whatever becomes of the rest of the file.
    pub(crate) fn end_frame(&mut self) -> io::Result<()> {
        self.file.flush()?;
        if let Compressed::Zstd(place) = self.file.get_mut() {
            let file = place.take().ok_or_else(broken)?.finish()?;
            *place = Some(zstd::stream::write::Encoder::new(file, ZSTD_LEVEL)?);
        }
        self.is_fresh = true;
        Ok(())
    }

    /// Returns the bytes of the file on the disk.
    pub(crate) fn written(&mut self) -> io::Result<u64> {
        match self.file.get_mut() {
            Compressed::Plain(file) => file.stream_position(),
            Compressed::Zstd(encoder) => encoder.as_mut().ok_or_else(broken)?.get_mut().stream_position(),
            Compressed::Gzip(encoder) => encoder.get_mut().stream_position(),
        }
    }

    /// Cuts the file after this many bytes, which end a frame, and gives it its name. For a disk that takes no more.
    pub(crate) fn cut(self, bytes: u64) -> io::Result<()> {
        let Self { file, part, path, .. } = self;
        // The rest of the buffer must not be written.
        drop(file.into_parts());
        File::options().write(true).open(&part)?.set_len(bytes)?;
        std::fs::rename(part, path)
    }

    /// Completes the file and gives it its name.
    pub(crate) fn finish(self) -> io::Result<()> {
        let Self { file, is_fresh, part, path } = self;
        let file = match file.into_inner().map_err(io::IntoInnerError::into_error)? {
            Compressed::Plain(file) => file,
            // An empty frame would be added.
            Compressed::Zstd(Some(encoder)) if is_fresh => encoder.get_ref().try_clone()?,
            Compressed::Zstd(encoder) => encoder.ok_or_else(broken)?.finish()?,
            Compressed::Gzip(encoder) => encoder.finish()?,
        };
        file.sync_all()?;
        std::fs::rename(part, path)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.is_fresh = false;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Write for Compressed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Zstd(encoder) => encoder.as_mut().ok_or_else(broken)?.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Zstd(encoder) => encoder.as_mut().ok_or_else(broken)?.flush(),
            Self::Gzip(encoder) => encoder.flush(),
        }
    }
}

/// Returns the name of a file until it is complete.
fn part_of(path: &Path) -> PathBuf {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    part.into()
}

fn broken() -> io::Error {
    io::Error::other("an earlier write has failed")
}

/// Returns whole shares, rounded half to even, and whether that changed the size.
fn whole_shares(size: Size) -> (u64, bool) {
    let (shares, rest) = (size.micros() / Size::MICROS_PER_SHARE, size.micros() % Size::MICROS_PER_SHARE);
    let half = Size::MICROS_PER_SHARE / 2;
    let is_up = rest > half || (rest == half && shares % 2 == 1);
    (shares + u64::from(is_up), rest > 0)
}
