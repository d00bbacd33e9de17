//! `Timeframe`: the length of the bars that vendors serve, from seconds to years. Their days are those of New York, and they are
//! merged from the bars of an `Interval` when they are read.

use chrono::{Datelike, Days, NaiveDate, TimeZone, Utc};
use chrono_tz::America::New_York;

use crate::domain::{Bar, BarBuilder, Interval, Timestamp};

const SECOND_MICROS: i64 = 1_000_000;
const MINUTE_MICROS: i64 = 60 * SECOND_MICROS;
const HOUR_MICROS: i64 = 60 * MINUTE_MICROS;

/// A length of bars, as a multiple, at least 1, of a unit. Seconds, minutes and hours count from midnight in New York; the last bar
/// of a day may be shorter than the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timeframe {
    /// Seconds; at most a day of them.
    Second(u32),
    /// Minutes; at most a day of them.
    Minute(u32),
    /// Hours; at most a day of them.
    Hour(u32),
    /// Days, which count from 1970-01-01.
    Day(u32),
    /// Weeks from Monday.
    Week(u32),
    /// Weeks from Sunday.
    SundayWeek(u32),
    /// Months, which count from a January.
    Month(u32),
}

/// The bars from which those of a timeframe are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// Bars of an interval.
    Interval(Interval),
    /// Days of New York.
    Days,
}

impl Timeframe {
    /// Returns the longest bars from which those of this timeframe can be merged.
    pub(super) fn base(self) -> Base {
        let longest = |micros: i64| {
            let fits = |interval: &Interval| *interval <= Interval::H1 && micros % interval.micros() == 0;
            Base::Interval(Interval::ALL.into_iter().rev().find(fits).unwrap_or(Interval::S1))
        };
        self.micros().map_or(Base::Days, longest)
    }

    /// Returns whether the bars are longer than a minute: then the open one is served as well, as at the vendors, which merge
    /// them from the minutes so far.
    pub(super) fn is_merged(self) -> bool {
        self.micros().is_none_or(|micros| micros > MINUTE_MICROS)
    }

    /// Returns the length in microseconds of a timeframe shorter than a day.
    fn micros(self) -> Option<i64> {
        match self {
            Self::Second(count) => Some(i64::from(count) * SECOND_MICROS),
            Self::Minute(count) => Some(i64::from(count) * MINUTE_MICROS),
            Self::Hour(count) => Some(i64::from(count) * HOUR_MICROS),
            Self::Day(_) | Self::Week(_) | Self::SundayWeek(_) | Self::Month(_) => None,
        }
    }

    /// Returns the start of the bar that contains `ts`, and its end.
    pub fn span(self, ts: Timestamp) -> (Timestamp, Timestamp) {
        let day = day_of(ts);
        if let Some(micros) = self.micros() {
            let (midnight, next) = (midnight(day), midnight(day + Days::new(1)));
            let start = midnight.plus_micros((ts.micros() - midnight.micros()) / micros * micros);
            return (start, start.plus_micros(micros).min(next));
        }
        let (first, next) = match self {
            Self::Month(count) => months(day, count),
            Self::Week(count) => days(day, 7 * count, MONDAY),
            Self::SundayWeek(count) => days(day, 7 * count, SUNDAY),
            Self::Day(count) | Self::Second(count) | Self::Minute(count) | Self::Hour(count) => days(day, count, 0),
        };
        (midnight(first), midnight(next))
    }
}

/// A Monday and a Sunday, in days since 1970-01-01, which was a Thursday.
const MONDAY: i64 = 4;
const SUNDAY: i64 = 3;

/// Returns the first day of the `count` days that contain `day`, and the day after them; `origin` is such a first day.
fn days(day: NaiveDate, count: u32, origin: i64) -> (NaiveDate, NaiveDate) {
    let passed = (day - NaiveDate::default()).num_days().saturating_sub(origin).rem_euclid(i64::from(count));
    let first = day - Days::new(passed.unsigned_abs());
    (first, first + Days::new(u64::from(count)))
}

/// Returns the first day of the `count` months that contain `day`, and the day after them.
fn months(day: NaiveDate, count: u32) -> (NaiveDate, NaiveDate) {
    let count = i32::try_from(count).unwrap_or(i32::MAX);
    let month = day.year() * 12 + day.month0().cast_signed();
    let first = month - month.rem_euclid(count);
    let date = |month: i32| {
        NaiveDate::from_ymd_opt(month.div_euclid(12), month.rem_euclid(12).cast_unsigned() + 1, 1).unwrap_or(day)
    };
    (date(first), date(first.saturating_add(count)))
}

/// Returns the day in New York that contains `ts`.
pub fn day_of(ts: Timestamp) -> NaiveDate {
    let moment = chrono::DateTime::from_timestamp_micros(ts.micros()).unwrap_or_default();
    moment.with_timezone(&New_York).date_naive()
}

/// Returns midnight in New York, at which this day begins.
pub fn midnight(day: NaiveDate) -> Timestamp {
    let local = day.and_time(chrono::NaiveTime::MIN);
    // New York has never changed its clocks at midnight since 1970.
    let moment = New_York.from_local_datetime(&local).earliest().map(|moment| moment.with_timezone(&Utc));
    Timestamp::from_micros(moment.unwrap_or_else(|| local.and_utc()).timestamp_micros())
}

/// Merges bars, oldest first, into those of the timeframe, oldest first.
pub(super) fn merge(timeframe: Timeframe, bars: impl Iterator<Item = Bar>) -> Vec<Bar> {
    let (mut merged, mut builder) = (Vec::new(), BarBuilder::default());
    let (mut start, mut end) = (Timestamp::default(), Timestamp::default());
    for bar in bars {
        if bar.ts >= end {
            merged.extend(builder.take());
            (start, end) = timeframe.span(bar.ts);
        }
        builder.merge(start, &bar);
    }
    merged.extend(builder.take());
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Price, Size};

    fn ts(text: &str) -> Timestamp {
        Timestamp::from_micros(chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros())
    }

    #[test]
    fn bars_begin_and_end_in_new_york() {
        for (timeframe, at, start, end) in [
            (Timeframe::Minute(1), "2026-03-02T15:04:05Z", "2026-03-02T15:04:00Z", "2026-03-02T15:05:00Z"),
            (Timeframe::Minute(7), "2026-03-02T05:08:00Z", "2026-03-02T05:07:00Z", "2026-03-02T05:14:00Z"),
            (Timeframe::Minute(7), "2026-03-03T04:59:00Z", "2026-03-03T04:55:00Z", "2026-03-03T05:00:00Z"),
            (Timeframe::Hour(4), "2026-03-02T15:04:05Z", "2026-03-02T13:00:00Z", "2026-03-02T17:00:00Z"),
            (Timeframe::Second(10), "2026-03-02T15:04:15Z", "2026-03-02T15:04:10Z", "2026-03-02T15:04:20Z"),
            // In winter the day begins at 05:00 UTC, in summer at 04:00.
            (Timeframe::Day(1), "2026-03-02T04:59:59Z", "2026-03-01T05:00:00Z", "2026-03-02T05:00:00Z"),
            (Timeframe::Day(1), "2026-07-01T04:00:00Z", "2026-07-01T04:00:00Z", "2026-07-02T04:00:00Z"),
            // The days on which the clocks change have 23 and 25 hours.
            (Timeframe::Day(1), "2026-03-08T12:00:00Z", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"),
            (Timeframe::Day(1), "2026-11-01T12:00:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"),
            (Timeframe::Week(1), "2026-03-02T15:00:00Z", "2026-03-02T05:00:00Z", "2026-03-09T04:00:00Z"),
            (Timeframe::Week(1), "2026-03-08T15:00:00Z", "2026-03-02T05:00:00Z", "2026-03-09T04:00:00Z"),
            (Timeframe::SundayWeek(1), "2026-03-08T15:00:00Z", "2026-03-08T05:00:00Z", "2026-03-15T04:00:00Z"),
            (Timeframe::Month(1), "2026-03-02T15:00:00Z", "2026-03-01T05:00:00Z", "2026-04-01T04:00:00Z"),
            (Timeframe::Month(3), "2026-03-02T15:00:00Z", "2026-01-01T05:00:00Z", "2026-04-01T04:00:00Z"),
            (Timeframe::Month(12), "2026-03-02T15:00:00Z", "2026-01-01T05:00:00Z", "2027-01-01T05:00:00Z"),
        ] {
            assert_eq!(timeframe.span(ts(at)), (ts(start), ts(end)), "{timeframe:?} {at}");
        }
    }

    #[test]
    fn each_timeframe_is_merged_from_the_longest_bars_that_divide_it() {
        for (timeframe, base) in [
            (Timeframe::Second(1), Base::Interval(Interval::S1)),
            (Timeframe::Minute(1), Base::Interval(Interval::M1)),
            (Timeframe::Minute(7), Base::Interval(Interval::M1)),
            (Timeframe::Minute(10), Base::Interval(Interval::M5)),
            (Timeframe::Minute(45), Base::Interval(Interval::M15)),
            (Timeframe::Hour(23), Base::Interval(Interval::H1)),
            (Timeframe::Hour(24), Base::Interval(Interval::H1)),
            (Timeframe::Day(1), Base::Days),
            (Timeframe::Month(12), Base::Days),
        ] {
            assert_eq!(timeframe.base(), base, "{timeframe:?}");
        }
    }

    #[test]
    fn merging_sums_volumes_and_keeps_extremes() {
        let bar = |minute: i64, cents: i64| {
            let price = Price::from_cents(cents);
            let ts = Timestamp::from_micros(minute * MINUTE_MICROS);
            Bar {
                ts,
                open: price,
                high: price,
                low: price,
                close: price,
                volume: Size::new(10),
                trades: 2,
                vwap: price,
            }
        };
        let bars = [bar(0, 100), bar(1, 300), bar(3, 200), bar(5, 50)];
        let merged = merge(Timeframe::Minute(5), bars.into_iter());
        let cents = |bar: &Bar| [bar.open, bar.high, bar.low, bar.close, bar.vwap].map(|price| price.units() / 100);
        assert_eq!(merged.iter().map(|bar| bar.ts.micros() / MINUTE_MICROS).collect::<Vec<_>>(), [0, 5]);
        assert_eq!(cents(&merged[0]), [100, 300, 100, 200, 200]);
        assert_eq!((merged[0].volume.shares(), merged[0].trades), (30, 6));
    }
}
