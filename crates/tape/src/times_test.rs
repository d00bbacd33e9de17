//! Tests of the reader of times.

use chrono_tz::America::New_York;
use chrono_tz::Tz;
use proptest::prelude::*;

use super::{Times, Unit};

fn read(text: &str, tz: Option<Tz>) -> Option<i64> {
    Times::new(tz, Unit::Magnitude).read(text.as_bytes()).ok().map(|time| time.ts.micros())
}

#[test]
fn every_style_of_a_moment_is_the_same_moment() {
    for text in [
        "2020-12-15T14:30:00Z",
        "2020-12-15 14:30:00+00:00",
        "2020-12-15 14:30:00 UTC",
        "2020-12-15T09:30:00-05:00",
        "2020-12-15 09:30-0500",
        "2020/12/15 14:30:00.000000000Z",
        "2020.12.15 09:30:00-05",
        "20201215 143000Z",
        "1608042600",
        "1608042600.0",
        "1608042600000",
        "1608042600000000",
        "1608042600000000000",
    ] {
        assert_eq!(read(text, None), Some(1_608_042_600_000_000), "{text}");
    }
    for text in ["2020-12-15 09:30:00", "2020-12-15T09:30", "20201215093000", "20201215 0930"] {
        assert_eq!(read(text, Some(New_York)), Some(1_608_042_600_000_000), "{text}");
    }
    for text in ["2020-12-15", "20201215", "2020/12/15"] {
        assert_eq!(read(text, Some(New_York)), Some(1_607_990_400_000_000), "a UTC day: {text}");
    }
    let mut times = Times::new(None, Unit::Magnitude);
    let time = times.read(b"2020-12-15T14:30:00.123456789Z").unwrap();
    assert_eq!((time.ts.micros() % 1_000_000, time.is_rounded), (123_456, true));
}

#[test]
fn other_texts_are_refused() {
    for text in [
        "",
        "yesterday",
        "12/15/2020",
        "15.12.2020",
        "2020-13-01",
        "2020-02-30",
        "2020-12-15T24:00:00Z",
        "2020-12-15T09:60",
        "2020-12-15T09:30:00+25:00",
        "2020-12-15T09:30:00.",
        "2020-12-15X",
        "1700-01-01",
        "99999999999999999999",
        "-5",
        "2020-12-15T9:30",
    ] {
        assert_eq!(read(text, None), None, "{text}");
    }
}

#[test]
fn a_file_has_times_of_one_style() {
    for (first, second) in [
        ("2020-12-15T14:30:00Z", "2020-12-15T14:31:00"),
        ("2020-12-15T14:30:00", "2020-12-15T14:31:00Z"),
        ("2020-12-15", "2020-12-15T14:31:00Z"),
        ("1608042600", "2020-12-15T14:31:00Z"),
    ] {
        let mut times = Times::new(Some(New_York), Unit::Magnitude);
        times.read(first.as_bytes()).unwrap();
        assert!(times.read(second.as_bytes()).is_err(), "{first}, then {second}");
    }
    let mut times = Times::new(None, Unit::Magnitude);
    times.read(b"2020-12-15T14:30:00-05:00").unwrap();
    times.read(b"2020-07-15T14:30:00-04:00").unwrap();
    assert!(!times.lacks_zone());
}

#[test]
fn clocks_that_are_set_forward_skip_an_hour_and_set_back_repeat_one() {
    assert_eq!(read("2020-03-08 02:30", Some(New_York)), None);
    let mut times = Times::new(Some(New_York), Unit::Magnitude);
    let mut at = |text: &str| times.read(text.as_bytes()).unwrap().ts.micros() / 60_000_000;
    let first = at("2020-11-01 01:30");
    assert_eq!(at("2020-11-01 01:45") - first, 15);
    assert_eq!(at("2020-11-01 01:30") - first, 60, "an hour later, when the clocks show it again");
    assert_eq!(at("2020-11-01 02:00") - first, 90);
}

proptest! {
    #[test]
    fn a_local_time_is_the_one_of_the_calendar(minute in 0_i64..40_000_000) {
        use chrono::TimeZone;
        let naive = chrono::DateTime::from_timestamp(minute * 60, 0).unwrap().naive_utc();
        let expected = New_York.from_local_datetime(&naive).earliest().map(|time| time.timestamp_micros());
        prop_assert_eq!(read(&naive.format("%Y-%m-%d %H:%M:%S").to_string(), Some(New_York)), expected);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,40}", digits in "[0-9:TZ. +-]{0,30}") {
        for unit in [Unit::Nanos, Unit::Micros, Unit::Magnitude] {
            let _ = Times::new(Some(New_York), unit).read(text.as_bytes());
            let _ = Times::new(None, unit).read(digits.as_bytes());
        }
    }
}
