//! `Json`: messages as JSON text.

use std::io::Write;

use bytes::{BufMut, BytesMut};
use serde::Serialize;

use crate::domain::{Price, Size, Timestamp};
use crate::protocol::alpaca::Request;
use crate::protocol::alpaca::codec::Codec;
use crate::protocol::{Refusal, json, write_rfc3339};

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
        json::key(key, out);
    }

    #[inline]
    fn text(value: &str, out: &mut Vec<u8>) {
        json::text(value, out);
    }

    fn texts<'a>(values: impl Iterator<Item = &'a str>, out: &mut Vec<u8>) {
        json::list(values, out, json::text);
    }

    fn integer(value: u64, out: &mut Vec<u8>) {
        json::integer(value, out);
    }

    fn price(value: Price, out: &mut Vec<u8>) {
        json::price(value, out);
    }

    fn size(value: Size, out: &mut Vec<u8>) {
        json::size(value, out);
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
