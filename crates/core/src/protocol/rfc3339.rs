//! Times as RFC 3339 writes them, in UTC: `2026-03-02T15:04:05.123456Z`. Vendors send them so in JSON.

use bytes::BufMut;

use crate::domain::Timestamp;

/// Appends a time, with as many decimals as it has, none for a whole second.
pub fn write_rfc3339(ts: Timestamp, out: &mut impl BufMut) {
    const SECOND: i64 = 1_000_000;
    const DAY: i64 = 86_400 * SECOND;
    let (day, time) = (ts.micros().div_euclid(DAY), ts.micros().rem_euclid(DAY));
    let (year, month, day) = date(day);
    if let Ok(year @ 0..10_000) = u64::try_from(year) {
        digits(year, 4, out);
    } else {
        out.put_slice(itoa::Buffer::new().format(year).as_bytes());
    }
    let (second, mut fraction) = ((time / SECOND).unsigned_abs(), (time % SECOND).unsigned_abs());
    let parts = [(b'-', month), (b'-', day), (b'T', second / 3_600), (b':', second / 60 % 60), (b':', second % 60)];
    for (before, value) in parts {
        out.put_u8(before);
        digits(value, 2, out);
    }
    if fraction > 0 {
        let mut count = 6;
        while fraction.is_multiple_of(10) {
            (fraction, count) = (fraction / 10, count - 1);
        }
        out.put_u8(b'.');
        digits(fraction, count, out);
    }
    out.put_u8(b'Z');
}

/// Appends the last digits of a number.
fn digits(mut value: u64, count: usize, out: &mut impl BufMut) {
    let mut text = [0; 8];
    for digit in text[..count].iter_mut().rev() {
        *digit = b"0123456789"[(value % 10) as usize];
        value /= 10;
    }
    out.put_slice(&text[..count]);
}

/// Returns year, month and day of the day with this number since 1970-01-01, by the Gregorian calendar: years of 365 days and leap
/// days in eras of 400 years, which begin on the first of March.
const fn date(day: i64) -> (i64, u64, u64) {
    const ERA_DAYS: i64 = 146_097;
    let day = day + 719_468;
    let (era, of_era) = (day.div_euclid(ERA_DAYS), day.rem_euclid(ERA_DAYS));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month.unsigned_abs(), day.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, SecondsFormat};
    use proptest::prelude::*;

    fn text(micros: i64) -> String {
        let mut out = Vec::new();
        write_rfc3339(Timestamp::from_micros(micros), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_time_has_the_decimals_that_it_needs() {
        for (micros, expected) in [
            (1_772_463_845_123_456, "2026-03-02T15:04:05.123456Z"),
            (1_772_463_845_120_000, "2026-03-02T15:04:05.12Z"),
            (1_772_463_845_000_001, "2026-03-02T15:04:05.000001Z"),
            (1_772_463_840_000_000, "2026-03-02T15:04:00Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00Z"),
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(text(micros), expected);
        }
        for extreme in [i64::MIN, i64::MAX] {
            assert!(text(extreme).ends_with('Z'));
        }
    }

    proptest! {
        #[test]
        fn a_time_is_written_as_a_calendar_has_it(micros in -62_135_596_800_000_000..253_402_300_800_000_000_i64) {
            let time = DateTime::from_timestamp_micros(micros).unwrap();
            let read: DateTime<chrono::Utc> = text(micros).parse().unwrap();
            prop_assert_eq!(read, time);
            let whole = time.to_rfc3339_opts(SecondsFormat::Secs, true);
            prop_assert!(text(micros).starts_with(whole.trim_end_matches('Z')));
        }
    }
}
