//! The length of the bars of a CSV file: by its name, or by the distances of its first times.

use std::collections::HashMap;
use std::path::Path;

use tickcast_core::domain::{Symbol, Timestamp};

use crate::spans::{self, DAY};

const SECOND: i64 = 1_000_000;
/// The shortest day is one on which clocks are set forward.
const SHORTEST_DAY: i64 = 23 * 3_600 * SECOND;

/// Returns the length that the path of a file names: `minute_aggs_v1/…`, `BTCUSDT-1m-2021-01.csv`, `AAPL_1min.csv`.
pub(super) fn of_path(path: &Path) -> Option<i64> {
    let text = path.to_str()?;
    for (part, span) in [("minute_aggs", 60 * SECOND), ("day_aggs", DAY)] {
        if text.contains(part) {
            return Some(span);
        }
    }
    super::header::file_name(path).split(['-', '_', '.', ' ']).find_map(spans::parse)
}

/// Collects the times of the first bars of a file.
#[derive(Debug, Default)]
pub(super) struct Distances {
    last: HashMap<Symbol, Timestamp>,
    greatest_common: i64,
    shortest: Option<i64>,
    is_timed: bool,
}

impl Distances {
    pub(super) fn add(&mut self, symbol: Symbol, ts: Timestamp, is_midnight: bool) {
        self.is_timed |= !is_midnight;
        let Some(last) = self.last.insert(symbol, ts) else { return };
        let distance = (ts.micros() - last.micros()).abs();
        if distance > 0 {
            self.greatest_common = divisor(self.greatest_common, distance);
            self.shortest = Some(self.shortest.map_or(distance, |shortest| shortest.min(distance)));
        }
    }

    /// Returns whether there are times, and all of them are midnights.
    pub(super) fn is_of_days(&self) -> bool {
        !self.is_timed && !self.last.is_empty() && self.shortest.is_none()
    }

    /// Returns the length of the bars: a day if all times are midnights, else the greatest length that divides every distance, if it is of
    /// whole seconds.
    pub(super) fn span(&self) -> Option<i64> {
        let shortest = self.shortest.filter(|shortest| *shortest < 6 * DAY)?;
        if !self.is_timed && shortest >= SHORTEST_DAY {
            return Some(DAY);
        }
        Some(self.greatest_common).filter(|span| (SECOND..=DAY).contains(span) && span % SECOND == 0)
    }
}

fn divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_found_in_a_name() {
        for (path, seconds) in [
            ("us_stocks_sip/minute_aggs_v1/2025/11/2025-11-05.csv.gz", 60),
            ("us_stocks_sip/day_aggs_v1/2025/11/2025-11-05.csv.gz", 86_400),
            ("BTCUSDT-1m-2021-01.csv", 60),
            ("AAPL_5min_sample.csv", 300),
            ("ES.1h.csv", 3_600),
        ] {
            assert_eq!(of_path(Path::new(path)), Some(seconds * SECOND), "{path}");
        }
        for path in ["SPY.csv", "3m.csv.gz", "0s.csv", "2d.csv", "1w.csv", "A_99999999999999999999s.csv"] {
            let expected = (path == "3m.csv.gz").then_some(180 * SECOND);
            assert_eq!(of_path(Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn a_length_is_found_in_the_distances_of_each_symbol() {
        let span = |times: &[(i64, bool)]| {
            let mut distances = Distances::default();
            for (place, (minutes, is_midnight)) in times.iter().enumerate() {
                let symbol = ["A", "B"][place % 2].parse().unwrap();
                distances.add(symbol, Timestamp::from_micros(minutes * 60 * SECOND), *is_midnight);
            }
            distances.span().map(|span| span / SECOND)
        };
        assert_eq!(span(&[(0, false), (0, false), (10, false), (5, false), (1_000, false)]), Some(300));
        let day = 1_440;
        assert_eq!(
            span(&[(0, true), (0, true), (day, true), (day - 60, true), (3 * day, true)]),
            Some(86_400),
            "with DST"
        );
        assert_eq!(span(&[(0, true), (0, true)]), None, "one bar of each");
        let mut distances = Distances::default();
        for micros in [0, 1_500_000, 3_000_000] {
            distances.add("A".parse().unwrap(), Timestamp::from_micros(micros), false);
        }
        assert_eq!(distances.span(), None, "a second and a half");
        assert_eq!(span(&[(0, true), (0, true), (7 * day, true)]), None, "weeks");
    }
}
