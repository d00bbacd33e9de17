//! The parts of JSON objects, as the vendors write them: keys, numbers without needless zeros, times in milliseconds.
//!
//! The native dialect has a form of its own for prices (`native/encode.rs`).

use serde::Deserialize;

use bytes::BufMut;

use crate::domain::{Price, Size, Timestamp};

/// Begins a field of an object.
#[inline]
pub(super) fn key(key: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(if out.last() == Some(&b'{') { b"\"" } else { b",\"" });
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Appends a text of ASCII without characters that JSON escapes.
#[inline]
pub(super) fn text(value: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(value.as_bytes());
    out.push(b'"');
}

/// Appends an integer.
pub(super) fn integer(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a price in its shortest form: `201.3`, `201`.
pub(super) fn price(value: Price, out: &mut Vec<u8>) {
    if value.units() < 0 {
        out.push(b'-');
    }
    let units = value.units().unsigned_abs();
    integer(units / 10_000, out);
    decimals(units % 10_000, 1_000, out);
}

/// Appends a size in its shortest form: `40`, `10.5`.
#[inline]
pub(super) fn size(value: Size, out: &mut impl BufMut) {
    out.put_slice(itoa::Buffer::new().format(value.shares()).as_bytes());
    decimals(value.micros() % Size::MICROS_PER_SHARE, Size::MICROS_PER_SHARE / 10, out);
}

/// Appends the decimals of a number, nothing for 0; `power` is the value of the first one.
#[inline]
fn decimals(mut left: u64, mut power: u64, out: &mut impl BufMut) {
    if left == 0 {
        return;
    }
    out.put_u8(b'.');
    while left > 0 {
        out.put_u8(b"0123456789"[(left / power % 10) as usize]);
        (left, power) = (left % power, power / 10);
    }
}

/// Appends a list.
pub(super) fn list<T>(values: impl Iterator<Item = T>, out: &mut Vec<u8>, write: impl Fn(T, &mut Vec<u8>)) {
    out.push(b'[');
    for (place, value) in values.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write(value, out);
    }
    out.push(b']');
}

/// Appends a time in whole milliseconds since 1970.
pub(super) fn millis(value: Timestamp, out: &mut Vec<u8>) {
    integer(value.micros().div_euclid(1_000), out);
}

/// Reads a struct from a JSON object; `None` if it is not one. Serde would read it from an array of its members too.
pub(super) fn from_object<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    let is_object = bytes.trim_ascii_start().starts_with(b"{");
    serde_json::from_slice(bytes).ok().filter(|_| is_object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written<T>(value: T, write: impl Fn(T, &mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_price_has_no_zeros_at_its_end() {
        let prices = [2_013_700, 2_013_000, 2_010_000, 2_013_725, 2_010_001, 5, 0, -12_500];
        let prices = prices.map(|units| written(Price::from_units(units), price));
        assert_eq!(prices, ["201.37", "201.3", "201", "201.3725", "201.0001", "0.0005", "0", "-1.25"]);
    }

    #[test]
    fn a_list_may_be_empty_and_a_time_before_1970_is_rounded_down() {
        let list = |values: &[u8]| written(values.iter(), |values, out| list(values.copied(), out, integer));
        assert_eq!([list(&[]), list(&[12]), list(&[12, 37])], ["[]", "[12]", "[12,37]"]);
        let times = [1_772_463_845_123_999, 0, -1].map(|micros| written(Timestamp::from_micros(micros), millis));
        assert_eq!(times, ["1772463845123", "0", "-1"]);
    }

    proptest! {
        #[test]
        fn a_price_is_exact(units: i64) {
            let long = Price::from_units(units).to_string();
            prop_assert_eq!(written(Price::from_units(units), price), long.trim_end_matches('0').trim_end_matches('.'));
        }
    }
}
