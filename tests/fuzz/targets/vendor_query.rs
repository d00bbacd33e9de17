//! Query strings of vendors' addresses: times are in order and in range, a bar contains its time, the address of a next page fits into
//! JSON and keeps no key, a token of a page is written as it was read.

use tickcast::domain::Timestamp;
use tickcast::transport::fuzz::{alpaca, finnhub, massive, page_token, time_span};

use super::parts::{check_refusal, json};

/// A time at the market.
const NOW: Timestamp = Timestamp::from_micros(1_772_463_845_123_456);
/// The years that are accepted, 0 to 9999, and a day on each side for the time in New York.
const MICROS: std::ops::Range<i64> = -62_167_400_000_000_000..253_402_500_000_000_000;

pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (query, rest) = text.split_once('\n').unwrap_or((text, ""));
    match alpaca(query, NOW) {
        Ok((symbols, [from, to], spans)) => {
            assert!(!symbols.is_empty() && from <= to);
            for (at, (begin, end)) in [from, to].into_iter().zip(spans) {
                check_span(begin, at, end);
            }
        }
        Err(refusal) => check_refusal(&refusal),
    }
    match massive(query, rest, NOW) {
        Ok(((from, to), url)) => {
            assert!(from <= to && MICROS.contains(&from.micros()) && MICROS.contains(&to.micros()), "{from} {to}");
            assert_eq!(json(format!("\"{url}\"").as_bytes()), url.as_str());
            let (_, shown) = url.split_once('?').expect("it has a query");
            assert!(!shown.split('&').any(|pair| pair.starts_with("apiKey=")), "{url}");
        }
        Err(refusal) => check_refusal(&refusal),
    }
    let mut words = rest.split(' ');
    let mut word = || words.next().unwrap_or_default();
    if let Some((begin, at, end)) = time_span(word(), word(), word()) {
        check_span(begin, at, end);
    }
    if let Some((first, last)) = finnhub(rest) {
        assert!(first <= last && MICROS.contains(&first.micros()));
    }
    if let Some(token) = page_token(query) {
        assert_eq!(page_token(&token), Some(token.clone()));
    }
}

/// Checks that a bar contains a time. New York has had its time zone since 1883, and what is before is no day of a market.
fn check_span(begin: Timestamp, at: Timestamp, end: Timestamp) {
    assert!(begin < end, "{begin} {at} {end}");
    if at.micros() >= 0 {
        assert!(begin <= at && at < end, "{begin} {at} {end}");
    }
}
