//! The calendar of New York, by which vendors of market data count days: a day begins at 00:00 there, daylight saving time
//! included.

use chrono::{DateTime, NaiveDate, NaiveTime};
use chrono_tz::America::New_York;

use crate::domain::{Interval, Timestamp};

/// Returns the start of the New York day that contains `ts`: 04:00 or 05:00 UTC. Outside the calendar (262,000 years) a
/// day begins at midnight UTC.
pub fn day_start(ts: Timestamp) -> Timestamp {
    date_of(ts).and_then(midnight).unwrap_or_else(|| Interval::D1.start_of(ts))
}

/// Returns the start of the New York day after the one that contains `ts`: 23, 24 or 25 hours after its start.
pub fn next_day_start(ts: Timestamp) -> Timestamp {
    let next = date_of(ts).and_then(|date| midnight(date.succ_opt()?));
    next.unwrap_or_else(|| Interval::D1.start_of(ts).plus_micros(Interval::D1.micros()))
}

fn date_of(ts: Timestamp) -> Option<NaiveDate> {
    Some(DateTime::from_timestamp_micros(ts.micros())?.with_timezone(&New_York).date_naive())
}

/// Returns the moment at which the date begins. The clocks change at 02:00, so every date has one midnight.
fn midnight(date: NaiveDate) -> Option<Timestamp> {
    let start = date.and_time(NaiveTime::MIN).and_local_timezone(New_York).earliest()?;
    Some(Timestamp::from_micros(start.timestamp_micros()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: i64 = Interval::H1.micros();

    fn at(text: &str) -> Timestamp {
        Timestamp::from_micros(text.parse::<DateTime<chrono::Utc>>().unwrap().timestamp_micros())
    }

    #[test]
    fn days_begin_at_midnight_of_new_york_in_winter_in_summer_and_around_the_changes() {
        for (ts, start, hours) in [
            ("2026-01-15T12:00:00Z", "2026-01-15T05:00:00Z", 24),
            ("2026-01-15T04:59:59.999999Z", "2026-01-14T05:00:00Z", 24),
            ("2026-07-01T04:00:00Z", "2026-07-01T04:00:00Z", 24),
            ("2026-07-01T03:59:59Z", "2026-06-30T04:00:00Z", 24),
            ("2026-03-08T12:00:00Z", "2026-03-08T05:00:00Z", 23),
            ("2026-11-01T12:00:00Z", "2026-11-01T04:00:00Z", 25),
            ("2026-11-02T04:30:00Z", "2026-11-01T04:00:00Z", 25),
            ("2026-11-02T05:00:00Z", "2026-11-02T05:00:00Z", 24),
        ] {
            let (ts, start) = (at(ts), at(start));
            assert_eq!((day_start(ts), next_day_start(ts)), (start, start.plus_micros(hours * HOUR)), "{ts}");
        }
    }

    #[test]
    fn the_end_of_the_calendar_is_no_panic() {
        for micros in [i64::MIN, i64::MAX, i64::MIN + 1, i64::MAX - 1] {
            let ts = Timestamp::from_micros(micros);
            let _ = (day_start(ts), next_day_start(ts));
        }
    }

    proptest! {
        #[test]
        fn days_follow_each_other_without_a_hole_and_contain_their_moments(
            day in -5_000_i64..40_000,
            micros in prop_oneof![0..24 * HOUR, (0..30_i64).prop_map(|hours| hours * HOUR - 1)],
        ) {
            let ts = Timestamp::from_micros(day * 24 * HOUR + micros);
            let (start, next) = (day_start(ts), next_day_start(ts));
            prop_assert!(start <= ts && ts < next);
            prop_assert_eq!((day_start(start), day_start(next)), (start, next), "a start is the start of its own day");
            let before = start.plus_micros(-1);
            prop_assert_eq!(next_day_start(before), start);
            prop_assert!((23..=25).contains(&((next.micros() - start.micros()) / HOUR)));
            prop_assert_eq!(start.micros() % HOUR, 0, "at a full hour of UTC");
            prop_assert!([4, 5].contains(&(start.micros().rem_euclid(24 * HOUR) / HOUR)));
        }
    }
}
