//! `CsvReader`: reads tables of text in the layouts of vendors, or any table whose columns have the usual names.

mod distances;
mod header;
mod layout;
mod lobster;
mod records;
mod rows;
mod yfinance;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use tickcast_core::domain::Symbol;

use crate::counts::{Counts, Skip};
use crate::csv::distances::Distances;
use crate::csv::header::Header;
use crate::csv::layout::{Kind, Role};
use crate::csv::lobster::Book;
use crate::csv::records::{Advance, Records};
use crate::csv::rows::{Made, Rows};
use crate::error::{Fault, Place, ReadError};
use crate::input::{Input, Progress};
use crate::names::Names;
use crate::options::{BadRecord, Order, ReadOptions};
use crate::reader::Reader;
use crate::row::{Body, Row};
use crate::spans::{self, DAY};
use crate::times::Times;

/// Lines by whose times the length of bars is found.
const SAMPLE_LINES: usize = 1_000;

/// Symbol and columns of a ticker; no symbol for one that is not asked for.
type OfTicker = (Option<Symbol>, Header);

/// Reads a CSV file.
pub(crate) struct CsvReader {
    path: PathBuf,
    records: Records,
    rows: Rows,
    book: Option<Book>,
    bad_record: BadRecord,
    progress: Progress,
    /// The symbols and columns of the other tickers of a table of yfinance, and how many of them the present line still has.
    others: VecDeque<OfTicker>,
    left: usize,
    /// Whether the present line of the file was read to recognise the layout and is data.
    is_data: bool,
    is_over: bool,
    /// Rows that were read before they were asked for, and their lines; then perhaps an error.
    ahead: VecDeque<(Row, u64)>,
    /// The line of the row that was returned last.
    line: u64,
    failure: Option<ReadError>,
}

impl CsvReader {
    pub(crate) fn new(input: Input, options: &ReadOptions) -> Result<Self, ReadError> {
        let (path, progress) = (input.path.clone(), input.progress.clone());
        let delimiter = records::delimiter(&input.head);
        let mut records = Records::new(input.into_bytes(), delimiter);
        if !read_line(&mut records, &path)? {
            return Err(ReadError::new(&path, Place::File, Fault::Empty));
        }
        let mut others = VecDeque::new();
        let (header, symbol) = match Header::recognise(&cells_of(&records), &path, &options.columns) {
            Ok(header) => {
                let symbol = symbol_of(&header, &path, options)?;
                (header, symbol)
            }
            Err(_) if options.columns.is_empty() && yfinance::may_be(&cells_of(&records)) => {
                let ((symbol, header), rest) = read_tickers(&mut records, &path, options)?;
                others = rest;
                (header, symbol)
            }
            Err(complaint) => {
                return Err(ReadError::new(&path, Place::Line(records.line()), Fault::Format(complaint)));
            }
        };
        let is_data = header.is_data;
        let is_lobster = header.layout.kind == Kind::Lobster;
        let mut times = Times::new(options.tz, header.layout.unit);
        if is_lobster {
            let midnight = lobster::midnight(&path).ok_or_else(|| {
                let advice =
                    "names no day: LOBSTER's files are named like AAPL_2012-06-21_34200000_57600000_message_1.csv";
                ReadError::new(&path, Place::File, Fault::Option(advice.into()))
            })?;
            times = Times::since(midnight);
        }
        let book = if is_lobster { Book::beside(&path)? } else { None };
        let rows = Rows::new(header, times, Names::new(options), symbol);
        let (ahead, bad_record) = (VecDeque::new(), options.bad_record);
        let mut reader = Self {
            path,
            records,
            rows,
            book,
            bad_record,
            progress,
            others,
            left: 0,
            is_data,
            is_over: false,
            ahead,
            line: 0,
            failure: None,
        };
        reader.find_span(options)?;
        Ok(reader)
    }

    /// Finds the length of the bars, if no column has it: by the options, the name of the file, or the first lines.
    fn find_span(&mut self, options: &ReadOptions) -> Result<(), ReadError> {
        let kind = self.rows.header.layout.kind;
        let has_column = [Role::Interval, Role::RecordType].iter().any(|role| self.rows.header.place(*role).is_some());
        if !matches!(kind, Kind::Bars | Kind::Named) || has_column {
            return Ok(());
        }
        self.rows.span = options.interval_micros.or_else(|| distances::of_path(&self.path));
        if self.rows.span.is_some() || kind == Kind::Named {
            return Ok(());
        }
        let mut distances = Distances::default();
        while self.ahead.len() < SAMPLE_LINES {
            match self.read() {
                Ok(Some((row, is_midnight))) => {
                    distances.add(row.symbol, row.ts, is_midnight);
                    self.ahead.push_back((row, self.records.line()));
                }
                Ok(None) => break,
                Err(err) => {
                    self.failure = Some(err);
                    break;
                }
            }
        }
        if let Some(err) = self.failure.take_if(|_| self.ahead.is_empty()) {
            return Err(err);
        }
        let span = distances.span().or_else(|| distances.is_of_days().then_some(DAY));
        let Some(span) = span.or_else(|| self.ahead.is_empty().then_some(DAY)) else {
            let advice = "does not show the length of its bars (1s to 1d): `interval` can say it";
            return Err(ReadError::new(&self.path, Place::File, Fault::Option(advice.into())));
        };
        self.rows.span = Some(span);
        for (row, _) in &mut self.ahead {
            if let Body::Bar(bar) = &mut row.body {
                bar.span_micros = span;
            }
        }
        Ok(())
    }

    /// Reads the next row of the file, and whether its time is the beginning of a day.
    fn read(&mut self) -> Result<Option<(Row, bool)>, ReadError> {
        loop {
            if self.is_over || (!std::mem::take(&mut self.is_data) && !self.turn() && !self.advance()?) {
                self.is_over = true;
                return Ok(None);
            }
            let made = self.rows.make(&self.records);
            let line = self.records.line();
            let place = Place::Line(line);
            if self.rows.times.lacks_zone() {
                let advice = "the times have no offset from UTC: `tz` can name their time zone";
                return Err(ReadError::new(&self.path, place, Fault::Option(advice.into())));
            }
            let (made, is_midnight) = match made {
                Ok(made) => made,
                Err(bad) => {
                    let err = ReadError::bad(&self.path, place, bad);
                    if self.bad_record == BadRecord::Stop || !err.is_of_record() {
                        return Err(err);
                    }
                    (Made::None(Skip::Bad), false)
                }
            };
            let quote = self.quote_of_book()?;
            match (made, quote) {
                (Made::One(row), quote) => {
                    self.ahead.extend(quote.map(|quote| (quote, line)));
                    return Ok(Some((row, is_midnight)));
                }
                (Made::Two(row, second), _) => {
                    self.ahead.push_back((second, line));
                    return Ok(Some((row, is_midnight)));
                }
                (Made::None(skip), quote) => {
                    self.rows.counts.skip(skip);
                    if let Some(quote) = quote {
                        return Ok(Some((quote, false)));
                    }
                }
            }
        }
    }

    /// Turns to the columns of the next ticker; returns whether they are of the present line.
    fn turn(&mut self) -> bool {
        let Some((symbol, header)) = self.others.pop_front() else { return false };
        let last = (std::mem::replace(&mut self.rows.symbol, symbol), std::mem::replace(&mut self.rows.header, header));
        self.others.push_back(last);
        let is_of_line = self.left > 0;
        self.left = if is_of_line { self.left - 1 } else { self.others.len() };
        is_of_line
    }

    /// Returns the new quote after the present message of LOBSTER.
    fn quote_of_book(&mut self) -> Result<Option<Row>, ReadError> {
        let (Some(book), Some(symbol)) = (&mut self.book, self.rows.symbol) else { return Ok(None) };
        book.advance(self.rows.times.last(), symbol)
    }

    fn advance(&mut self) -> Result<bool, ReadError> {
        match read_line(&mut self.records, &self.path) {
            Err(err) if err.is_cut() && self.bad_record == BadRecord::Skip => {
                self.rows.counts.cut += 1;
                Ok(false)
            }
            result => result,
        }
    }
}

impl Reader for CsvReader {
    fn next(&mut self) -> Result<Option<Row>, ReadError> {
        let row = if let Some((row, line)) = self.ahead.pop_front() {
            self.line = line;
            Some(row)
        } else if let Some(err) = self.failure.take() {
            self.is_over = true;
            return Err(err);
        } else {
            let row = self.read().inspect_err(|_| self.is_over = true)?;
            self.line = self.records.line();
            row.map(|(row, _)| row)
        };
        self.rows.counts.rows += u64::from(row.is_some());
        Ok(row)
    }

    fn counts(&self) -> Counts {
        self.rows.counts
    }

    fn progress(&self) -> Vec<Progress> {
        vec![self.progress.clone()]
    }

    fn place(&self) -> Place {
        Place::Line(self.line)
    }

    fn warnings(&self) -> Vec<String> {
        let warning = |line| {
            format!(
                "{}:{line}: no line end follows the last line: if the file is cut off there, a number is wrong",
                self.path.display()
            )
        };
        self.records.unended().map(warning).into_iter().collect()
    }

    fn order(&self) -> Order {
        let header = &self.rows.header;
        if header.layout.is_by_symbol {
            Order::Symbol
        } else if header.place(Role::Symbol).is_some() {
            Order::Auto
        } else {
            Order::Time
        }
    }
}

/// Reads the next line; returns `false` after the last one.
fn read_line(records: &mut Records, path: &Path) -> Result<bool, ReadError> {
    let advance = records.advance();
    let place = Place::Line(records.line());
    match advance.map_err(|err| ReadError::io(path, place, err))? {
        Advance::Record => Ok(true),
        Advance::End => Ok(false),
        Advance::TooLong => {
            let fault = Fault::Limit("the line is too long, perhaps for a quote that is not closed".into());
            Err(ReadError::new(path, place, fault))
        }
    }
}

/// Returns the symbol in the name of a file of Binance: `BTCUSDT-trades-2025-01-01`, `BTCUSDT-1m-2025-01`.
fn of_binance(stem: &str) -> Option<&str> {
    let (symbol, rest) = stem.split_once('-')?;
    let kind = rest.split('-').next()?;
    (matches!(kind, "trades" | "aggTrades") || spans::parse(kind).is_some()).then_some(symbol)
}

fn cells_of(records: &Records) -> Vec<String> {
    records.cells().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect()
}

/// Reads the second and third line of a table of yfinance; returns symbol and columns of one ticker, and those of the others, which come
/// before it in each line.
fn read_tickers(
    records: &mut Records,
    path: &Path,
    options: &ReadOptions,
) -> Result<(OfTicker, VecDeque<OfTicker>), ReadError> {
    let mut lines = vec![cells_of(records)];
    for _ in 0..2 {
        lines.push(if read_line(records, path)? { cells_of(records) } else { Vec::new() });
    }
    let fail = |fault| ReadError::new(path, Place::Line(1), fault);
    let tickers =
        yfinance::tickers(&lines[0], &lines[1], &lines[2]).map_err(|complaint| fail(Fault::Format(complaint)))?;
    let (mut names, is_one) = (Names::new(options), tickers.len() == 1);
    let mut all = VecDeque::new();
    for ticker in tickers {
        let symbol = match options.symbol.filter(|_| is_one) {
            Some(symbol) => Some(symbol),
            None => names.resolve(ticker.name.as_bytes()).map_err(|bad| ReadError::bad(path, Place::Line(2), bad))?,
        };
        all.push_back((symbol, ticker.header));
    }
    let last = all.pop_back().ok_or_else(|| fail(Fault::Empty))?;
    Ok((last, all))
}

/// Returns the symbol of a file without a column for it: by the options, or the name of the file.
fn symbol_of(header: &Header, path: &Path, options: &ReadOptions) -> Result<Option<Symbol>, ReadError> {
    if header.place(Role::Symbol).is_some() {
        return Ok(None);
    }
    let stem = header::file_name(path).split('.').next().unwrap_or_default();
    let word = match header.layout.kind {
        Kind::Lobster => stem.split('_').next().unwrap_or_default(),
        _ if header.is_data && options.columns.is_empty() => stem.split('-').next().unwrap_or_default(),
        _ => of_binance(stem).unwrap_or(stem),
    };
    let named = || options.symbols.get(word).copied().or_else(|| word.parse().ok());
    options.symbol.or_else(named).map(Some).ok_or_else(|| {
        let advice = "has no column for the symbol and is not named after one (SPY.csv): `symbol` can say it";
        ReadError::new(path, Place::File, Fault::Option(advice.into()))
    })
}
