//! `MessagePack`: messages in the binary form of <https://github.com/msgpack/msgpack/blob/master/spec.md>, each value as short as it
//! can be.

use std::io::Write;

use bytes::{BufMut, BytesMut};
use serde::{Deserialize, Serialize};

use crate::domain::{Price, Size, Timestamp};
use crate::protocol::Refusal;
use crate::protocol::alpaca::Request;
use crate::protocol::alpaca::codec::Codec;

/// How deep a client's message may be nested.
const DEPTH_MAX: usize = 16;
/// The bytes before the messages of a frame, until their number is known: an array of up to 65,535.
const ROOM: usize = 3;

const FIX_MAP: u8 = 0x80;
const FIX_ARRAY: u8 = 0x90;
const FIX_TEXT: u8 = 0xa0;
const EXT_8: u8 = 0xc7;
const FLOAT_64: u8 = 0xcb;
const UINT_8: u8 = 0xcc;
const UINT_16: u8 = 0xcd;
const UINT_32: u8 = 0xce;
const UINT_64: u8 = 0xcf;
const FIX_EXT_8: u8 = 0xd7;
const ARRAY_16: u8 = 0xdc;
const ARRAY_32: u8 = 0xdd;
/// The type of the extension "timestamp", −1.
const TIMESTAMP: u8 = 0xff;

/// MessagePack, for a handshake with `Content-Type: application/msgpack`.
#[derive(Clone, Copy, Debug)]
pub struct MessagePack;

impl Codec for MessagePack {
    const IS_TEXT: bool = false;
    const JOINT: &'static [u8] = b"";

    #[inline]
    fn begin_object(fields: u8, out: &mut Vec<u8>) {
        out.push(FIX_MAP | fields);
    }

    #[inline]
    fn end_object(_: &mut Vec<u8>) {}

    #[inline]
    fn key(key: &'static str, out: &mut Vec<u8>) {
        Self::text(key, out);
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "at most 31 bytes by contract")]
    fn text(value: &str, out: &mut Vec<u8>) {
        out.push(FIX_TEXT | value.len() as u8);
        out.extend_from_slice(value.as_bytes());
    }

    fn texts<'a>(values: impl Iterator<Item = &'a str>, out: &mut Vec<u8>) {
        let count = out.len();
        out.push(FIX_ARRAY);
        for value in values {
            out[count] += 1;
            Self::text(value, out);
        }
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the ranges are those of the types")]
    fn integer(value: u64, out: &mut Vec<u8>) {
        match value {
            0..0x80 => out.push(value as u8),
            0x80..0x100 => out.extend_from_slice(&[UINT_8, value as u8]),
            0x100..0x1_0000 => {
                out.push(UINT_16);
                out.extend_from_slice(&(value as u16).to_be_bytes());
            }
            0x1_0000..0x1_0000_0000 => {
                out.push(UINT_32);
                out.extend_from_slice(&(value as u32).to_be_bytes());
            }
            _ => {
                out.push(UINT_64);
                out.extend_from_slice(&value.to_be_bytes());
            }
        }
    }

    /// Appends the nearest 64-bit float: the one that a reader of the decimal number in JSON gets.
    #[inline]
    #[expect(clippy::cast_precision_loss, reason = "prices are below 2^53 units, and the quotient is rounded once")]
    fn price(value: Price, out: &mut Vec<u8>) {
        let dollars = value.units() as f64 / Price::UNITS_PER_DOLLAR as f64;
        out.push(FLOAT_64);
        out.extend_from_slice(&dollars.to_be_bytes());
    }

    /// Appends an integer, or for a fraction the nearest 64-bit float.
    #[inline]
    fn size(value: Size, out: &mut Vec<u8>) {
        if let Some(shares) = value.whole() {
            Self::integer(shares, out);
        } else {
            out.push(FLOAT_64);
            out.extend_from_slice(&value.to_f64().to_be_bytes());
        }
    }

    /// Appends the extension "timestamp 64": nanoseconds in 30 bits, seconds since 1970 in 34; for other times "timestamp 96".
    #[inline]
    fn time(value: Timestamp, out: &mut Vec<u8>) {
        const SECOND: i64 = 1_000_000;
        let (seconds, micros) = (value.micros().div_euclid(SECOND), value.micros().rem_euclid(SECOND));
        let nanos = micros.unsigned_abs() * 1_000;
        if let Ok(seconds @ 0..0x4_0000_0000) = u64::try_from(seconds) {
            out.extend_from_slice(&[FIX_EXT_8, TIMESTAMP]);
            out.extend_from_slice(&(nanos << 34 | seconds).to_be_bytes());
        } else {
            out.extend_from_slice(&[EXT_8, 12, TIMESTAMP]);
            out.extend_from_slice(&nanos.to_be_bytes()[4..]);
            out.extend_from_slice(&seconds.to_be_bytes());
        }
    }

    fn write(message: &impl Serialize, mut out: impl Write) {
        // Strings and numbers always serialise, and a buffer in memory does not fail.
        let _ = rmp_serde::encode::write_named(&mut out, message);
    }

    fn read(mut bytes: &[u8]) -> Result<Request, Refusal> {
        let mut reader = rmp_serde::Deserializer::new(&mut bytes);
        reader.set_max_depth(DEPTH_MAX);
        let request = Request::deserialize(&mut reader).map_err(|_| Refusal::InvalidSyntax)?;
        if bytes.is_empty() { Ok(request) } else { Err(Refusal::InvalidSyntax) }
    }

    fn begin_frame(out: &mut BytesMut) {
        out.put_bytes(0, ROOM);
    }

    #[expect(clippy::cast_possible_truncation, reason = "a frame has fewer messages than 2^32")]
    fn end_frame(messages: usize, start: usize, out: &mut BytesMut) {
        let len = out.len();
        match messages {
            0..0x10 => {
                out.copy_within(start + ROOM..len, start + 1);
                out.truncate(len - (ROOM - 1));
                out[start] = FIX_ARRAY | messages as u8;
            }
            0x10..0x1_0000 => {
                out[start] = ARRAY_16;
                out[start + 1..start + ROOM].copy_from_slice(&(messages as u16).to_be_bytes());
            }
            _ => {
                out.put_bytes(0, 2);
                out.copy_within(start + ROOM..len, start + ROOM + 2);
                out[start] = ARRAY_32;
                out[start + 1..start + ROOM + 2].copy_from_slice(&(messages as u32).to_be_bytes());
            }
        }
    }
}

/// Returns the time, in microseconds since 1970, that an extension of this type stands for: in its three lengths. Finer times are rounded
/// down. `None` for anything else.
pub(in crate::protocol) fn timestamp(kind: i8, bytes: &[u8]) -> Option<i64> {
    const NANOS: u64 = 1_000_000_000;
    if kind.to_be_bytes() != [TIMESTAMP] {
        return None;
    }
    let (nanos, seconds) = match bytes.len() {
        4 => (0, i64::from(u32::from_be_bytes(bytes.try_into().ok()?))),
        8 => {
            let value = u64::from_be_bytes(bytes.try_into().ok()?);
            (value >> 34, i64::try_from(value & 0x3_ffff_ffff).ok()?)
        }
        12 => {
            let (nanos, seconds) = bytes.split_at(4);
            (u32::from_be_bytes(nanos.try_into().ok()?).into(), i64::from_be_bytes(seconds.try_into().ok()?))
        }
        _ => return None,
    };
    let micros = i64::try_from(nanos / 1_000).ok().filter(|_| nanos < NANOS)?;
    seconds.checked_mul(1_000_000)?.checked_add(micros)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packed(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn a_time_is_the_extension_of_the_specification() {
        let time = |micros| packed(|out| MessagePack::time(Timestamp::from_micros(micros), out));
        let seconds: u64 = 1_772_463_845;
        let nanos_and_seconds = (123_456_000 << 34) | seconds;
        assert_eq!(time(1_772_463_845_123_456), [&[0xd7, 0xff][..], &nanos_and_seconds.to_be_bytes()].concat());
        let before = [&[0xc7, 12, 0xff][..], &999_999_000_u32.to_be_bytes(), &(-1_i64).to_be_bytes()].concat();
        assert_eq!(time(-1), before);
    }

    #[test]
    fn the_number_of_messages_goes_first_however_many_there_are() {
        for (count, head) in [
            (1, vec![0x91]),
            (15, vec![0x9f]),
            (16, vec![0xdc, 0, 16]),
            (65_535, vec![0xdc, 0xff, 0xff]),
            (65_536, vec![0xdd, 0, 1, 0, 0]),
        ] {
            let messages: Vec<u8> = (0..0x80).cycle().take(count).collect();
            let mut out = BytesMut::from(&b"before"[..]);
            MessagePack::begin_frame(&mut out);
            out.extend_from_slice(&messages);
            MessagePack::end_frame(count, 6, &mut out);
            assert!(out[..] == [b"before", &head[..], &messages].concat(), "{count}");
            let read: Vec<u8> = rmp_serde::from_slice(&out[6..]).unwrap();
            assert!(read == messages, "{count}");
        }
    }

    proptest! {
        #[test]
        fn sizes_are_read_as_they_were_written(micros in prop_oneof![0..1_u64 << 53, (0..u64::from(u32::MAX)).prop_map(|shares| shares * 1_000_000)]) {
            let size = Size::from_micros(micros);
            let written = packed(|out| MessagePack::size(size, out));
            if let Some(shares) = size.whole() {
                prop_assert_eq!(rmp_serde::from_slice::<u64>(&written).unwrap(), shares);
            } else {
                let read: f64 = rmp_serde::from_slice(&written).unwrap();
                prop_assert_eq!(read.to_bits(), size.to_string().parse::<f64>().unwrap().to_bits());
            }
        }

        #[test]
        fn integers_and_prices_are_read_as_they_were_written(
            integer in prop_oneof![0..300_u64, any::<u16>().prop_map(u64::from), any::<u32>().prop_map(u64::from), any::<u64>()],
            units in -1_i64 << 53..1_i64 << 53,
        ) {
            let written = packed(|out| MessagePack::integer(integer, out));
            prop_assert_eq!(rmp_serde::from_slice::<u64>(&written).unwrap(), integer);
            prop_assert_eq!(written, rmp_serde::to_vec(&integer).unwrap(), "in the shortest form");
            let price = Price::from_units(units);
            let written = packed(|out| MessagePack::price(price, out));
            let read: f64 = rmp_serde::from_slice(&written).unwrap();
            prop_assert_eq!(read.to_bits(), price.to_string().parse::<f64>().unwrap().to_bits());
        }
    }
}
