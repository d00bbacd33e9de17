//! The lengths of bars: `1m`, `5min`, `1d`, from a second to a day.

const SECOND: i64 = 1_000_000;
/// A day of 24 hours in microseconds.
pub(crate) const DAY: i64 = 86_400 * SECOND;

/// Returns the length of bars that a word names (`1m`, `5min`, `1h`, `1d`, from a second to a day), in microseconds.
pub fn bar_micros(word: &str) -> Option<i64> {
    parse(word)
}

/// Returns the length that a word names, in microseconds.
pub(crate) fn parse(word: &str) -> Option<i64> {
    let unit = word.find(|c: char| !c.is_ascii_digit())?;
    let (count, unit) = word.split_at(unit);
    let unit = match unit {
        "s" | "sec" => SECOND,
        "m" | "min" | "minute" => 60 * SECOND,
        "h" | "hour" => 3_600 * SECOND,
        "d" | "day" => DAY,
        _ => return None,
    };
    let span = count.parse::<i64>().ok()?.checked_mul(unit)?;
    (SECOND..=DAY).contains(&span).then_some(span)
}

/// Returns the name of a length, such as `1m` or `90s`.
pub(crate) fn name(span: i64) -> String {
    let units = [(DAY, 'd'), (3_600 * SECOND, 'h'), (60 * SECOND, 'm')];
    let unit = units.into_iter().find(|(unit, _)| span % unit == 0).unwrap_or((SECOND, 's'));
    format!("{}{}", span / unit.0, unit.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_has_a_name() {
        for (word, seconds) in
            [("1s", 1), ("1m", 60), ("5min", 300), ("1h", 3_600), ("24h", 86_400), ("1d", 86_400), ("90s", 90)]
        {
            assert_eq!(parse(word), Some(seconds * SECOND), "{word}");
            assert_eq!(parse(&name(seconds * SECOND)), Some(seconds * SECOND));
        }
        for word in ["", "m", "0s", "25h", "2d", "1w", "-1m", "99999999999999999999s", "1.5h"] {
            assert_eq!(parse(word), None, "{word}");
        }
    }
}
