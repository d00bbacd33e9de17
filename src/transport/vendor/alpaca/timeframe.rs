//! The timeframes of Alpaca: `[1-59]Min`, `[1-23]Hour`, `1Day`, `1Week`, `[1,2,3,4,6,12]Month`, or with the first letter of the unit.

use crate::history::Timeframe;

/// Returns the timeframe with this name.
pub(super) fn parse(text: &str) -> Option<Timeframe> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at(digits);
    if count.starts_with('0') {
        return None;
    }
    let count: u32 = count.parse().ok()?;
    match unit {
        "Min" | "T" if count <= 59 => Some(Timeframe::Minute(count)),
        "Hour" | "H" if count <= 23 => Some(Timeframe::Hour(count)),
        "Day" | "D" if count == 1 => Some(Timeframe::Day(1)),
        "Week" | "W" if count == 1 => Some(Timeframe::Week(1)),
        "Month" | "M" if [1, 2, 3, 4, 6, 12].contains(&count) => Some(Timeframe::Month(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendors_names_are_known_and_no_others() {
        for (text, timeframe) in [
            ("1Min", Timeframe::Minute(1)),
            ("59T", Timeframe::Minute(59)),
            ("1Hour", Timeframe::Hour(1)),
            ("23H", Timeframe::Hour(23)),
            ("1Day", Timeframe::Day(1)),
            ("1D", Timeframe::Day(1)),
            ("1Week", Timeframe::Week(1)),
            ("12Month", Timeframe::Month(12)),
            ("6M", Timeframe::Month(6)),
        ] {
            assert_eq!(parse(text), Some(timeframe), "{text}");
        }
        for text in [
            "",
            "Min",
            "0Min",
            "01Min",
            "60Min",
            "24Hour",
            "2Day",
            "2Week",
            "5Month",
            "0Month",
            "1",
            "-1Min",
            "1min",
            "1Sec",
            "1 Min",
            "4294967297Min",
            "1Minute",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
