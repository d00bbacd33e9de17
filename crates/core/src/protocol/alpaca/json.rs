//! `Json`: messages as JSON text.

use std::io::Write;

use bytes::{BufMut, BytesMut};
use serde::Serialize;

use crate::domain::{Price, Timestamp};
use crate::protocol::Refusal;
use crate::protocol::alpaca::Request;
use crate::protocol::alpaca::codec::Codec;
use crate::protocol::write_rfc3339;

/// JSON, for a handshake without `Content-Type: application/msgpack`.
#[derive(Clone, Copy, Debug)]
pub struct Json;

impl Codec for Json {
    const IS_TEXT: bool = true;
    const JOINT: &'static [u8] = b",";

    fn begin_object(_: u8, out: &mut Vec<u8>) {
        out.push(b'{');
    }

    fn end_object(out: &mut Vec<u8>) {
        out.push(b'}');
    }

    #[inline]
    fn key(key: &'static str, out: &mut Vec<u8>) {
        out.extend_from_slice(if out.last() == Some(&b'{') { b"\"" } else { b",\"" });
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b"\":");
    }

    #[inline]
    fn text(value: &str, out: &mut Vec<u8>) {
        out.push(b'"');
        out.extend_from_slice(value.as_bytes());
        out.push(b'"');
    }

    fn texts<'a>(values: impl Iterator<Item = &'a str>, out: &mut Vec<u8>) {
        let mut before = b'[';
        for value in values {
            out.push(before);
            before = b',';
            Self::text(value, out);
        }
        if before == b'[' {
            out.push(b'[');
        }
        out.push(b']');
    }

    fn integer(value: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    /// Appends the shortest form: `201.3`, `201`.
    fn price(value: Price, out: &mut Vec<u8>) {
        if value.units() < 0 {
            out.push(b'-');
        }
        let units = value.units().unsigned_abs();
        out.extend_from_slice(itoa::Buffer::new().format(units / 10_000).as_bytes());
        let fraction = units % 10_000;
        if fraction == 0 {
            return;
        }
        out.push(b'.');
        let mut left = fraction;
        for power in [1_000, 100, 10, 1] {
            out.push(b"0123456789"[(left / power % 10) as usize]);
            left %= power;
            if left == 0 {
                break;
            }
        }
    }

    fn time(value: Timestamp, out: &mut Vec<u8>) {
        out.push(b'"');
        write_rfc3339(value, out);
        out.push(b'"');
    }

    fn write(message: &impl Serialize, out: impl Write) {
        // Strings and numbers always serialise, and a buffer in memory does not fail.
        let _ = serde_json::to_writer(out, message);
    }

    fn read(bytes: &[u8]) -> Result<Request, Refusal> {
        serde_json::from_slice(bytes).map_err(|_| Refusal::InvalidSyntax)
    }

    fn begin_frame(out: &mut BytesMut) {
        out.put_u8(b'[');
    }

    fn end_frame(_: usize, _: usize, out: &mut BytesMut) {
        out.put_u8(b']');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(units: i64) -> String {
        let mut out = Vec::new();
        Json::price(Price::from_units(units), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_price_has_no_zeros_at_its_end() {
        let prices = [2_013_700, 2_013_000, 2_010_000, 2_013_725, 2_010_001, 5, 0, -12_500].map(text);
        assert_eq!(prices, ["201.37", "201.3", "201", "201.3725", "201.0001", "0.0005", "0", "-1.25"]);
    }

    #[test]
    fn a_list_may_be_empty() {
        for (list, expected) in [(&[][..], "[]"), (&["@"], r#"["@"]"#), (&["@", "I"], r#"["@","I"]"#)] {
            let mut out = Vec::new();
            Json::texts(list.iter().copied(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    proptest! {
        #[test]
        fn a_price_is_exact(units: i64) {
            let long = Price::from_units(units).to_string();
            prop_assert_eq!(text(units), long.trim_end_matches('0').trim_end_matches('.'));
        }
    }
}
