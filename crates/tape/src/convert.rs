//! `convert`: reads files, writes one file in another format, and says what is lost.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use tickcast_core::domain::Symbol;

use crate::counts::{Counts, OpenGap};
use crate::error::{Fault, ReadError};
use crate::merge::Merge;
use crate::options::{Order, ReadOptions};
use crate::reader::Reader;
use crate::row::{Body, Row};
use crate::write::{Contents, CsvWriter, DbnWriter, LinesWriter, Losses, RecordingHeader, RowWriter};

/// The reason why files were not converted.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file cannot be written.
    #[error("{file}: cannot be written: {source}", file = .file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The end of its name names no format that is written.
    #[error("{}: expected a name that ends with .jsonl, .csv or .dbn, or .jsonl.zst, .csv.zst, .csv.gz or .dbn.zst", .0.display())]
    Format(PathBuf),
    /// The output is one of the inputs.
    #[error("{}: would be overwritten while it is read", .0.display())]
    SameFile(PathBuf),
}

/// The numbers of a conversion: rows read, written and lost. Displays as a line of numbers, and one for everything that is lost, or that the
/// user should know.
#[derive(Clone, Debug)]
pub struct Report {
    /// The counters of the reader.
    pub read: Counts,
    /// The losses of the writer.
    pub losses: Losses,
    /// Warnings about the files, one line for each.
    pub warnings: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    Lines,
    Csv,
    Dbn,
}

/// Converts files into one, merged in the order of time. The ends of the name of `output` choose format and compression. The input is read
/// twice, because the formats name symbols or channels before the first row.
///
/// # Errors
///
/// Returns the mistake in the input, also if it has no row although none was left out on request, or why the output cannot be written. There is no output then, but perhaps a file that ends with `.part`.
pub fn convert(inputs: &[PathBuf], output: &Path, options: &ReadOptions) -> Result<Report, ConvertError> {
    let target = target(output).ok_or_else(|| ConvertError::Format(output.into()))?;
    let is_output = |input: &&PathBuf| {
        input.as_path() == output || matches!((input.canonicalize(), output.canonicalize()), (Ok(a), Ok(b)) if a == b)
    };
    if let Some(same) = inputs.iter().find(is_output) {
        return Err(ConvertError::SameFile(same.clone()));
    }
    let contents = survey(inputs, options)?;
    if let Some(complaint) = contents.complaint(inputs).filter(|_| !contents.counts.is_filtered()) {
        return Err(complaint.into());
    }
    let fail = |source| ConvertError::Write { file: output.into(), source };
    let mut writer: Box<dyn RowWriter> = match target {
        Target::Lines => Box::new(LinesWriter::create(output, &RecordingHeader::of(&contents)).map_err(fail)?),
        Target::Csv => Box::new(CsvWriter::create(output).map_err(fail)?),
        Target::Dbn => Box::new(DbnWriter::create(output, &contents).map_err(fail)?),
    };
    let options = ReadOptions { by_symbol: contents.by_symbol, ..options.clone() };
    let mut reader = Merge::open(inputs, &options)?;
    while let Some(row) = reader.next()? {
        writer.write(&row).map_err(fail)?;
    }
    if reader.is_complete() {
        writer.end().map_err(fail)?;
    }
    let losses = writer.finish().map_err(fail)?;
    Ok(Report { read: reader.counts(), losses, warnings: reader.warnings() })
}

fn target(path: &Path) -> Option<Target> {
    let name = path.file_name()?.to_str()?;
    let compressed = [".zst", ".gz"].into_iter().find_map(|end| Some((name.strip_suffix(end)?, end)));
    let (name, end) = compressed.unwrap_or((name, ""));
    match name.rsplit_once('.')? {
        (_, "jsonl") => Some(Target::Lines),
        (_, "csv") => Some(Target::Csv),
        (_, "dbn") if end != ".gz" => Some(Target::Dbn),
        _ => None,
    }
}

/// Reads the files once for their contents, and again where one turns out to be sorted by symbol.
///
/// # Errors
///
/// Returns the mistake in the files.
pub fn survey(inputs: &[PathBuf], options: &ReadOptions) -> Result<Contents, ReadError> {
    let mut options = options.clone();
    loop {
        match contents(inputs, &options) {
            Err(err)
                if options.order == Order::Auto
                    && matches!(err.fault(), Fault::BySymbol(_))
                    && options.by_symbol.insert(err.file().into()) => {}
            result => return result.map(|contents| Contents { by_symbol: options.by_symbol, ..contents }),
        }
    }
}

fn contents(inputs: &[PathBuf], options: &ReadOptions) -> Result<Contents, ReadError> {
    let mut reader = Merge::open(inputs, options)?;
    let mut contents = Contents::default();
    let mut seen = std::collections::HashSet::<Symbol>::new();
    while let Some(Row { ts, symbol, body }) = reader.next()? {
        if seen.insert(symbol) {
            contents.symbols.push(symbol);
        }
        contents.range = Some((contents.range.map_or(ts, |(first, _)| first), ts));
        match body {
            Body::Trade { .. } => contents.has_trades = true,
            Body::Quote { .. } => contents.has_quotes = true,
            Body::Bar(bar) if !contents.bar_spans.contains(&bar.span_micros) => {
                contents.bar_spans.push(bar.span_micros);
            }
            Body::Bar(_) | Body::Correction(_) | Body::Cancel(_) => {}
        }
    }
    contents.bar_spans.sort_unstable();
    (contents.counts, contents.warnings) = (reader.counts(), reader.warnings());
    Ok(contents)
}

impl Report {
    /// Returns a number and its name for everything that is not in the output as it was in the input.
    pub fn lost(&self) -> impl Iterator<Item = (u64, &'static str)> {
        let (read, losses) = (&self.read, &self.losses);
        let gaps = |reason: OpenGap| read.open_gaps[reason as usize];
        let others = [
            (read.rounded_prices, "prices rounded to four decimals"),
            (read.rounded_sizes, "sizes rounded to six decimals"),
            (read.rounded_times, "times rounded down to a microsecond"),
            (read.moved, "rows out of order, moved to the time of the row before"),
            (read.lost, "events that the recording says were lost before"),
            (
                gaps(OpenGap::Restarted),
                "gaps of unknown length: the recorded server was restarted, and nobody knows how many events are missing",
            ),
            (
                gaps(OpenGap::Reconnected),
                "gaps of unknown length: the recorder had lost its connection, and nobody knows how many events are missing",
            ),
            (
                gaps(OpenGap::SlowClient),
                "gaps of unknown length: the recorder was too slow for the server, and nobody knows how many events are missing",
            ),
            (gaps(OpenGap::Other), "gaps of unknown length: nobody knows how many events are missing"),
            (read.unfinished, "recordings without an end before the next epoch: what came after their last event"),
            (read.cut, "files that are cut off"),
            (losses.amendments, "corrections and cancellations"),
            (losses.bars, "bars of a length that the format does not have"),
            (losses.bar_figures, "bars without number of trades and average price"),
            (losses.rounded_sizes, "sizes rounded to whole shares"),
            (losses.out_of_range, "rows before 1970, of no whole share, or of too many shares"),
        ];
        read.left_out().chain(others.into_iter().filter(|(count, _)| *count > 0))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows read, {} written", self.read.rows, self.losses.written)?;
        for (count, what) in self.lost() {
            write!(f, "\nlost: {count} {what}")?;
        }
        for warning in &self.warnings {
            write!(f, "\nwarning: {warning}")?;
        }
        Ok(())
    }
}
