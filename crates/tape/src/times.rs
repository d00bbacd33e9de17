//! `Times`: reads the times of a column. All of them must be of one style: with an offset from UTC, without, days, or numbers.

use chrono::{DateTime, LocalResult, NaiveDate, Offset, TimeZone};
use chrono_tz::Tz;
use tickcast_core::domain::{Interval, Timestamp, day_start};

use crate::error::Bad;
use crate::limits;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// Years that are read.
const YEARS: std::ops::RangeInclusive<i32> = 1_800..=2_261;
/// Local time within which an offset from UTC is looked up once, in seconds. Clocks change at multiples of it.
const OFFSET_SLOT_S: i64 = 900;

/// The unit of times that are whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Nanos,
    Micros,
    /// Seconds, milliseconds, microseconds or nanoseconds: whichever lies in this era.
    Magnitude,
    /// Seconds since this midnight, with a fraction.
    OfDay(Timestamp),
}

/// A time that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time {
    pub(crate) ts: Timestamp,
    /// Whether digits below a microsecond were left out.
    pub(crate) is_rounded: bool,
    /// Whether it is the beginning of a day: of its own zone, or of UTC or New York for a number.
    pub(crate) is_midnight: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Number,
    Zoned,
    Naive,
    Date,
}

impl Style {
    const fn name(self) -> &'static str {
        match self {
            Self::Number => "a number like the first time of the file",
            Self::Zoned => "a time with an offset from UTC like the first one of the file",
            Self::Naive => "a time without an offset from UTC like the first one of the file",
            Self::Date => "a date without a time of day like the first one of the file",
        }
    }
}

/// Reads the times of one file.
#[derive(Debug)]
pub(crate) struct Times {
    tz: Option<Tz>,
    unit: Unit,
    style: Option<Style>,
    /// The slot of local time whose offset is known, and the offset in seconds.
    offset: Option<(i64, i64)>,
    last: i64,
}

/// A date and a time of day as written.
#[derive(Clone, Copy, Debug)]
struct Civil {
    day: i64,
    clock: Option<Clock>,
    offset_s: Option<i64>,
}

#[derive(Clone, Copy, Debug)]
struct Clock {
    micros: i64,
    is_rounded: bool,
}

impl Times {
    pub(crate) fn new(tz: Option<Tz>, unit: Unit) -> Self {
        Self { tz, unit, style: None, offset: None, last: i64::MIN }
    }

    /// Reads numbers of seconds after a midnight.
    pub(crate) fn since(midnight: Timestamp) -> Self {
        Self::new(None, Unit::OfDay(midnight))
    }

    /// Returns the time that was read last.
    pub(crate) fn last(&self) -> Option<Timestamp> {
        (self.last > i64::MIN).then(|| Timestamp::from_micros(self.last))
    }

    /// Returns whether the first time was one without offset and the zone is not known.
    pub(crate) fn lacks_zone(&self) -> bool {
        self.style == Some(Style::Naive) && self.tz.is_none()
    }

    /// Reads a time. One without offset is of UTC if the zone is not known: ask [`Self::lacks_zone`].
    pub(crate) fn read(&mut self, text: &[u8]) -> Result<Time, Bad> {
        let text = text.trim_ascii();
        if let Unit::OfDay(midnight) = self.unit {
            let (ts, is_rounded) = since_midnight(midnight, text)?;
            self.last = ts.micros();
            return Ok(Time { ts, is_rounded, is_midnight: false });
        }
        let expected = "a time such as 2020-12-15T09:30:00-05:00, or since 1970, of the years 1800 to 2261";
        let (style, time) = if let Some(time) = self.number(text) {
            (Style::Number, time)
        } else {
            let civil = civil(text).ok_or_else(|| Bad::cell(text, expected))?;
            self.resolve(civil, text)?
        };
        match self.style {
            None => self.style = Some(style),
            Some(first) if first == style => {}
            Some(first) => return Err(Bad::cell(text, first.name())),
        }
        limits::time(time.ts.micros()).ok_or_else(|| Bad::cell(text, expected))?;
        self.last = time.ts.micros();
        Ok(time)
    }

    /// Reads a whole number, or a number of seconds with a fraction.
    fn number(&self, text: &[u8]) -> Option<Time> {
        let whole = text.iter().position(|byte| !byte.is_ascii_digit());
        let digits = &text[..whole.unwrap_or(text.len())];
        // Eight digits are a date, fourteen a date with a time of day.
        let is_date =
            self.unit == Unit::Magnitude && matches!(digits.len(), 8 | 14) && matches!(digits[0], b'1' | b'2');
        if digits.is_empty() || digits.len() > 19 || is_date {
            return None;
        }
        let (micros, is_rounded) = if whole.is_some() {
            let fixed =
                crate::decimal::parse(text, 6).filter(|_| self.unit == Unit::Magnitude && digits.len() <= 11)?;
            (fixed.value, fixed.is_rounded)
        } else {
            let value = std::str::from_utf8(digits).ok()?.parse::<i64>().ok()?;
            match (self.unit, digits.len()) {
                (Unit::Micros, _) | (Unit::Magnitude, 15..=17) => (value, false),
                (Unit::Nanos, _) | (Unit::Magnitude, 18..) => (value / 1_000, value % 1_000 != 0),
                (Unit::Magnitude, 12..=14) => (value.checked_mul(1_000)?, false),
                (Unit::Magnitude | Unit::OfDay(_), _) => (value.checked_mul(SECOND)?, false),
            }
        };
        // Calendars end somewhere.
        let ts = limits::time(micros)?;
        let is_midnight = Interval::D1.start_of(ts) == ts || day_start(ts) == ts;
        Some(Time { ts, is_rounded, is_midnight })
    }

    fn resolve(&mut self, civil: Civil, text: &[u8]) -> Result<(Style, Time), Bad> {
        let clock = civil.clock.unwrap_or(Clock { micros: 0, is_rounded: false });
        let local = civil.day * DAY + clock.micros;
        let (style, micros) = match (civil.clock, civil.offset_s, self.tz) {
            (None, ..) => (Style::Date, local),
            (_, Some(offset), _) => (Style::Zoned, local - offset * SECOND),
            (_, None, None) => (Style::Naive, local),
            (_, None, Some(tz)) => (Style::Naive, self.local(local, tz, text)?),
        };
        let (ts, is_midnight) = (Timestamp::from_micros(micros), clock.micros == 0);
        Ok((style, Time { ts, is_rounded: clock.is_rounded, is_midnight }))
    }

    /// Returns the moment at which clocks in the zone show a time. Of the two moments when the clocks are set back, the first one that is
    /// not before the last time of the file.
    fn local(&mut self, local: i64, tz: Tz, text: &[u8]) -> Result<i64, Bad> {
        let seconds = local.div_euclid(SECOND);
        let slot = seconds.div_euclid(OFFSET_SLOT_S);
        if let Some((known, offset)) = self.offset
            && known == slot
        {
            return Ok(local - offset * SECOND);
        }
        let naive = DateTime::from_timestamp(seconds, 0).map(|time| time.naive_utc());
        let offsets = naive.map_or(LocalResult::None, |naive| tz.offset_from_local_datetime(&naive));
        let at = |offset: &<Tz as TimeZone>::Offset| i64::from(offset.fix().local_minus_utc());
        match offsets {
            LocalResult::Single(offset) => {
                self.offset = Some((slot, at(&offset)));
                Ok(local - at(&offset) * SECOND)
            }
            LocalResult::Ambiguous(first, second) => {
                let (first, second) = (local - at(&first) * SECOND, local - at(&second) * SECOND);
                Ok(if first < self.last { second } else { first })
            }
            LocalResult::None => Err(Bad::cell(text, format!("a time in {tz}: the clocks were set forward"))),
        }
    }
}

/// Returns the time of so many seconds after midnight, and whether digits below a microsecond were left out.
fn since_midnight(midnight: Timestamp, text: &[u8]) -> Result<(Timestamp, bool), Bad> {
    let bad = || Bad::cell(text, "a number of seconds after midnight");
    let nanos = crate::decimal::parse(text, 9).ok_or_else(bad)?;
    if !(0..DAY * 1_000).contains(&nanos.value) {
        return Err(bad());
    }
    Ok((midnight.plus_micros(nanos.value / 1_000), nanos.is_rounded || nanos.value % 1_000 != 0))
}

/// Reads `2020-12-15`, `20201215`, then perhaps a time of day, then perhaps an offset.
fn civil(text: &[u8]) -> Option<Civil> {
    let (day, rest) = date(text)?;
    let Some((separator, rest)) = rest.split_first() else { return Some(Civil { day, clock: None, offset_s: None }) };
    let rest = match separator {
        b'T' | b't' | b' ' => rest,
        b'0'..=b'9' if text.len() == 14 && text[4].is_ascii_digit() => &text[8..],
        _ => return None,
    };
    let (clock, rest) = clock(rest)?;
    Some(Civil { day, clock: Some(clock), offset_s: offset(rest.trim_ascii_start())? })
}

/// Returns the number of the day since 1970.
fn date(text: &[u8]) -> Option<(i64, &[u8])> {
    let year = digits(text.get(..4)?)?;
    let separator = *text.get(4)?;
    let (month, day, rest) = match separator {
        b'-' | b'/' | b'.' if text.get(7) == Some(&separator) => (&text[5..7], text.get(8..10)?, &text[10..]),
        b'0'..=b'9' => (text.get(4..6)?, text.get(6..8)?, &text[8..]),
        _ => return None,
    };
    let year = i32::try_from(year).ok().filter(|year| YEARS.contains(year))?;
    let date = NaiveDate::from_ymd_opt(year, digits(month)?, digits(day)?)?;
    Some((i64::from(date.to_epoch_days()), rest))
}

/// Reads `09:30`, `09:30:00`, `09:30:00.123456789`, `0930` or `093000`.
fn clock(text: &[u8]) -> Option<(Clock, &[u8])> {
    let length = text.iter().position(|byte| !byte.is_ascii_digit() && *byte != b':').unwrap_or(text.len());
    let (hour, minute, second) = match &text[..length] {
        [h1, h2, b':', m1, m2] | [h1, h2, m1, m2] => ([*h1, *h2], [*m1, *m2], [b'0', b'0']),
        [h1, h2, b':', m1, m2, b':', s1, s2] | [h1, h2, m1, m2, s1, s2] => ([*h1, *h2], [*m1, *m2], [*s1, *s2]),
        _ => return None,
    };
    let (hour, minute, second) = (digits(&hour)?, digits(&minute)?, digits(&second)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut micros = i64::from(hour * 3_600 + minute * 60 + second) * SECOND;
    let (mut rest, mut is_rounded) = (&text[length..], false);
    if let Some(fraction) = rest.strip_prefix(b".") {
        let length = fraction.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(fraction.len());
        let mut unit = SECOND / 10;
        for digit in &fraction[..length] {
            micros += i64::from(digit - b'0') * unit;
            is_rounded |= unit == 0 && *digit != b'0';
            unit /= 10;
        }
        rest = &fraction[length..];
        (length > 0).then_some(())?;
    }
    Some((Clock { micros, is_rounded }, rest))
}

/// Reads nothing, `Z`, `UTC`, `+00:00`, `-0500` or `-05`; returns seconds.
#[expect(clippy::option_option, reason = "no offset, or no valid one")]
fn offset(text: &[u8]) -> Option<Option<i64>> {
    let (sign, digits) = match text {
        b"" => return Some(None),
        b"Z" | b"z" | b"UTC" | b"GMT" => return Some(Some(0)),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits {
        [h1, h2] => ([*h1, *h2], [b'0', b'0']),
        [h1, h2, b':', m1, m2] | [h1, h2, m1, m2] => ([*h1, *h2], [*m1, *m2]),
        _ => return None,
    };
    let (hours, minutes) = (self::digits(&hours)?, self::digits(&minutes)?);
    (hours <= 14 && minutes <= 59).then(|| Some(sign * i64::from(hours * 3_600 + minutes * 60)))
}

/// Reads a few digits.
fn digits(text: &[u8]) -> Option<u32> {
    text.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0')))
}

#[cfg(test)]
#[path = "times_test.rs"]
mod tests;
