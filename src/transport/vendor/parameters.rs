//! Query strings of vendors' clients: parameters that the server does not know are ignored, as the vendors do.

use actix_web::HttpRequest;
use actix_web::web::Query;
use chrono::NaiveDate;

use crate::domain::Timestamp;
use crate::history::midnight;

/// The latest time that is accepted, in microseconds: the end of the year 9999.
const MICROS_MAX: i64 = 253_402_300_800_000_000;
/// The beginning of the year 0.
const MICROS_MIN: i64 = -62_167_219_200_000_000;

/// The parameters of a request.
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Returns the parameters of the request; none if the query string is malformed.
    pub(super) fn of(request: &HttpRequest) -> Self {
        Self::parse(request.query_string())
    }

    /// Returns the parameters of a query string; none if it is malformed.
    pub(super) fn parse(query: &str) -> Self {
        Self(Query::from_query(query).map(Query::into_inner).unwrap_or_default())
    }

    /// Returns a parameter; `None` if it is missing or empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    }

    /// Returns the parameters without these, encoded.
    pub(super) fn encoded_without(&self, names: &[&str]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (key, value) in self.0.iter().filter(|(key, _)| !names.contains(&key.as_str())) {
            query.append_pair(key, value);
        }
        query.finish()
    }
}

/// A time of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// A time of day.
    Time(Timestamp),
    /// A day of New York.
    Day(NaiveDate),
}

impl Moment {
    /// Parses a time of RFC 3339, or a date.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() == "2026-03-02".len() && text.starts_with(|first: char| first.is_ascii_digit()) {
            return NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(Self::Day);
        }
        crate::transport::bars::from_rfc3339(text).map(|micros| Self::Time(Timestamp::from_micros(micros)))
    }

    /// Returns the time of a number of these units since 1970, each of so many microseconds.
    pub(super) fn from_number(number: i64, unit_micros: i64) -> Option<Self> {
        let micros = number.checked_mul(unit_micros)?;
        (MICROS_MIN..MICROS_MAX).contains(&micros).then(|| Self::Time(Timestamp::from_micros(micros)))
    }

    /// Returns the time, or the beginning of the day.
    pub(super) fn first(self) -> Timestamp {
        match self {
            Self::Time(ts) => ts,
            Self::Day(day) => midnight(day),
        }
    }

    /// Returns the time, or the last microsecond of the day.
    pub(super) fn last(self) -> Timestamp {
        match self {
            Self::Time(ts) => ts,
            Self::Day(day) => midnight(day.succ_opt().unwrap_or(day)).plus_micros(-1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_a_day_in_new_york() {
        let day = Moment::parse("2026-03-02").unwrap();
        let hours = |ts: Timestamp| ts.micros() / 3_600_000_000 % 24;
        assert_eq!((hours(day.first()), hours(day.last().plus_micros(1))), (5, 5));
        assert_eq!(day.last().micros() - day.first().micros(), 86_399_999_999);
        assert_eq!(Moment::parse("2026-03-02T00:00:00-05:00").unwrap().first(), day.first());
        for text in ["", "2026-13-01", "2026-03-02T00:00", "yesterday", "+12026-1-1", "99999-1-01", "2026-3-2  "] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_number_out_of_range_is_no_time() {
        assert_eq!(Moment::from_number(1_772_463_845_123, 1_000).unwrap().first().micros(), 1_772_463_845_123_000);
        for number in [i64::MAX, i64::MIN, 253_402_300_800_000] {
            assert_eq!(Moment::from_number(number, 1_000), None);
        }
    }
}
