//! LOBSTER's files: day and symbol are in the name of the file, and the best bid and ask in a second file, line by line.

use std::path::{Path, PathBuf};

use chrono::{NaiveDate, NaiveTime};
use chrono_tz::America::New_York;
use tickcast_core::domain::{Price, Symbol, Timestamp};

use crate::csv::header::file_name;
use crate::csv::records::{Advance, Records};
use crate::decimal;
use crate::error::{Bad, Fault, Place, ReadError};
use crate::input::Input;
use crate::limits;
use crate::options::Format;
use crate::row::{Body, Row};
use tickcast_core::domain::Size;

/// Prices with which LOBSTER fills the places of an empty side.
const NO_ASK: i64 = 9_999_999_999;
const NO_BID: i64 = -9_999_999_999;

/// The second file, and the quote of its last line.
pub(super) struct Book {
    path: PathBuf,
    records: Records,
    quote: Option<Body>,
}

/// Returns midnight in New York of the day in a name such as `AAPL_2012-06-21_34200000_57600000_message_1.csv`.
pub(super) fn midnight(path: &Path) -> Option<Timestamp> {
    let date: NaiveDate = file_name(path).split('_').nth(1)?.parse().ok()?;
    let start = date.and_time(NaiveTime::MIN).and_local_timezone(New_York).earliest()?;
    limits::time(start.timestamp_micros())
}

impl Book {
    /// Opens the file of the book beside the file of the messages, if it is there.
    pub(super) fn beside(path: &Path) -> Result<Option<Self>, ReadError> {
        let path = path.with_file_name(file_name(path).replace("_message_", "_orderbook_"));
        if !path.exists() {
            return Ok(None);
        }
        let input = Input::open(&path, Format::Csv)?;
        Ok(Some(Self { path, records: Records::new(input.into_bytes(), b','), quote: None }))
    }

    /// Reads the next line; returns the quote if it has changed and both sides have a price. Without a time there is none yet.
    pub(super) fn advance(&mut self, ts: Option<Timestamp>, symbol: Symbol) -> Result<Option<Row>, ReadError> {
        let advance = self.records.advance();
        let place = Place::Line(self.records.line());
        let fail = |fault| Err(ReadError::new(&self.path, place, fault));
        match advance.map_err(|err| ReadError::io(&self.path, place, err))? {
            Advance::Record => {}
            Advance::End => return fail(Fault::Cut("the day: the file of the messages has more lines")),
            Advance::TooLong => return fail(Fault::Limit("the line is too long".into())),
        }
        let quote = quote(&self.records).map_err(|bad| ReadError::bad(&self.path, place, bad))?;
        let Some(ts) = ts.filter(|_| quote.is_some() && quote != self.quote) else { return Ok(None) };
        self.quote.clone_from(&quote);
        Ok(quote.map(|body| Row { ts, symbol, body }))
    }
}

fn quote(line: &Records) -> Result<Option<Body>, Bad> {
    if line.len() < 4 {
        return Err(Bad::columns(line.len(), 4, "book of LOBSTER"));
    }
    let number = |place: usize, column, decimals| {
        let text = line.cell(place).trim_ascii();
        let number = decimal::parse(text, decimals).ok_or_else(|| Bad::cell(text, "a whole number").at(column));
        number.map(|number| (number.value, text))
    };
    let ((ask, ask_text), (bid, bid_text)) = (number(0, "ask price 1", 0)?, number(2, "bid price 1", 0)?);
    if ask == NO_ASK || bid == NO_BID {
        return Ok(None);
    }
    let price = |units, text, column| limits::price(units, text).map_err(|bad: Bad| bad.at(column));
    let (ask, bid): (Price, Price) = (price(ask, ask_text, "ask price 1")?, price(bid, bid_text, "bid price 1")?);
    let size = |place, column| {
        let (micros, text) = number(place, column, 6)?;
        u64::try_from(micros).map(Size::from_micros).map_err(|_| Bad::cell(text, "a size").at(column))
    };
    let (ask_size, bid_size) = (size(1, "ask size 1")?, size(3, "bid size 1")?);
    Ok(Some(Body::Quote { bid, bid_size, ask, ask_size }))
}
