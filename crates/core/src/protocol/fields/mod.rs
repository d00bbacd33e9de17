//! `Fields`: one message of a vendor's server, an object of JSON or MessagePack, whose numbers are read exactly.

mod read;

use std::borrow::Cow;
use std::fmt;

use chrono::DateTime;

use crate::domain::{Bar, Price, Quote, Size, Timestamp, decimal};
use crate::protocol::Unreadable;

pub(super) use read::{read_json, read_packed};

/// Highest price, in units of 1e-4: a billion, as in files of market data.
const PRICE_UNITS_MAX: i64 = 1_000_000_000 * Price::UNITS_PER_DOLLAR;
/// Times of the years 1800 to 2261, in microseconds since 1970, as in files of market data.
const MICROS: std::ops::Range<i64> = -5_364_662_400_000_000..9_214_646_400_000_000;

/// A field that has a value that it must not have.
#[derive(Debug)]
pub(super) struct Mistake {
    field: &'static str,
    found: String,
    expected: &'static str,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, found, expected } = self;
        write!(f, "field '{field}': '{found}' is not {expected}")
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    fields: Vec<(Cow<'a, str>, Field<'a>)>,
    /// The message in JSON.
    raw: Option<&'a str>,
}

/// The value of a field.
#[derive(Debug)]
enum Field<'a> {
    Null,
    Text(Cow<'a, str>),
    /// A number in decimals: as it is written in JSON, or the shortest that stands for the number of MessagePack.
    Number(Cow<'a, str>),
    /// A time of MessagePack, in microseconds since 1970.
    Time(i64),
    /// The fields of a message.
    Message(Vec<(Cow<'a, str>, Field<'a>)>),
    /// A list, or anything that no field is read from.
    Other,
}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Number(number) => f.write_str(number),
            Self::Time(micros) => write!(f, "{micros} µs"),
            Self::Message(_) | Self::Other => f.write_str("…"),
        }
    }
}

impl Fields<'_> {
    /// Returns the message with its mistake.
    pub(super) fn unreadable(&self, mistake: &Mistake) -> Unreadable {
        Unreadable::new(mistake, &self.shown())
    }

    /// Returns the message as a text.
    pub(super) fn shown(&self) -> String {
        let composed = || {
            let fields: Vec<_> = self.fields.iter().map(|(key, field)| format!("{key:?}:{field}")).collect();
            format!("{{{}}}", fields.join(","))
        };
        self.raw.map_or_else(composed, str::to_owned)
    }

    fn get(&self, key: &str) -> Option<&Field<'_>> {
        let field = self.fields.iter().find(|(name, _)| name == key).map(|(_, field)| field);
        field.filter(|field| !matches!(field, Field::Null))
    }

    /// Returns whether there is such a field, not null.
    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    fn mistake(&self, field: &'static str, expected: &'static str) -> Mistake {
        let found = self.get(field).map_or_else(String::new, |field| match field {
            Field::Text(text) => text.clone().into_owned(),
            field => field.to_string(),
        });
        Mistake { field, found, expected }
    }

    /// Returns a text, or `None` if there is none.
    pub(super) fn optional_text(&self, key: &str) -> Option<&str> {
        if let Some(Field::Text(text)) = self.get(key) { Some(text) } else { None }
    }

    pub(super) fn text(&self, key: &'static str) -> Result<&str, Mistake> {
        self.optional_text(key).ok_or_else(|| self.mistake(key, "a text"))
    }

    fn number(&self, key: &str) -> Option<&str> {
        if let Some(Field::Number(number)) = self.get(key) { Some(number) } else { None }
    }

    pub(super) fn integer(&self, key: &'static str) -> Result<u64, Mistake> {
        self.optional_integer(key).ok_or_else(|| self.mistake(key, "a whole number"))
    }

    pub(super) fn optional_integer(&self, key: &str) -> Option<u64> {
        self.number(key)?.parse().ok()
    }

    /// Returns a price in units of 1e-4, 0 or above, and notes whether it is rounded.
    fn units(&self, key: &'static str, is_rounded: &mut bool) -> Result<i64, Mistake> {
        let fixed = self.number(key).and_then(|number| decimal::parse(number.as_bytes(), 4));
        let fixed = fixed.filter(|fixed| (0..=PRICE_UNITS_MAX).contains(&fixed.value));
        let fixed = fixed.ok_or_else(|| self.mistake(key, "a price: a number above 0 and at most 1,000,000,000"))?;
        *is_rounded |= fixed.is_rounded;
        Ok(fixed.value)
    }

    pub(super) fn price(&self, key: &'static str, is_rounded: &mut bool) -> Result<Price, Mistake> {
        let units = self.units(key, is_rounded)?;
        let bad = || self.mistake(key, "a price: a number above 0 and at most 1,000,000,000");
        if units > 0 { Ok(Price::from_units(units)) } else { Err(bad()) }
    }

    pub(super) fn size(&self, key: &'static str, is_rounded: &mut bool) -> Result<Size, Mistake> {
        let text = match self.get(key) {
            Some(Field::Number(number) | Field::Text(number)) => number.as_bytes(),
            _ => b"",
        };
        let fixed =
            decimal::parse(text, 6).and_then(|fixed| Some((u64::try_from(fixed.value).ok()?, fixed.is_rounded)));
        let (micros, rounded) =
            fixed.ok_or_else(|| self.mistake(key, "a size: a number from 0 to 9,000,000,000,000"))?;
        *is_rounded |= rounded;
        Ok(Size::from_micros(micros))
    }

    /// Returns a time: RFC 3339 in JSON, the extension of MessagePack. Finer ones than a microsecond are rounded down.
    pub(super) fn time(&self, key: &'static str) -> Result<Timestamp, Mistake> {
        let micros = match self.get(key) {
            Some(Field::Text(text)) => DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_micros()),
            Some(Field::Time(micros)) => Some(*micros),
            _ => None,
        };
        self.checked_time(micros, key, "a time of the years 1800 to 2261, like 2026-03-02T15:04:05.123456Z")
    }

    /// Returns a time in milliseconds since 1970.
    pub(super) fn millis(&self, key: &'static str) -> Result<Timestamp, Mistake> {
        let millis = self.number(key).and_then(|number| number.parse::<i64>().ok());
        let micros = millis.and_then(|millis| millis.checked_mul(1_000));
        self.checked_time(micros, key, "a time in milliseconds since 1970, of the years 1800 to 2261")
    }

    fn checked_time(
        &self,
        micros: Option<i64>,
        key: &'static str,
        expected: &'static str,
    ) -> Result<Timestamp, Mistake> {
        let micros = micros.filter(|micros| MICROS.contains(micros));
        micros.map(Timestamp::from_micros).ok_or_else(|| self.mistake(key, expected))
    }

    /// Returns a quote, or `None` if a side has the price 0.
    pub(super) fn quote(&self, ts: Timestamp, is_rounded: &mut bool) -> Result<Option<Quote>, Mistake> {
        let [bid, ask] = [self.units("bp", is_rounded)?, self.units("ap", is_rounded)?].map(Price::from_units);
        let (bid_size, ask_size) = (self.size("bs", is_rounded)?, self.size("as", is_rounded)?);
        let is_whole = bid > Price::default() && ask > Price::default();
        Ok(is_whole.then_some(Quote { ts, bid, bid_size, ask, ask_size }))
    }

    /// Returns a bar of this volume.
    pub(super) fn bar(&self, ts: Timestamp, volume: Size, trades: u64, is_rounded: &mut bool) -> Result<Bar, Mistake> {
        let mut price = |key| self.price(key, is_rounded);
        let (open, high, low, close) = (price("o")?, price("h")?, price("l")?, price("c")?);
        let vwap = price("vw")?;
        if high < open.max(close) {
            return Err(self.mistake("h", "the highest price of the bar"));
        }
        if low > open.min(close) {
            return Err(self.mistake("l", "the lowest price of the bar"));
        }
        Ok(Bar { ts, open, high, low, close, volume, trades, vwap })
    }
}
