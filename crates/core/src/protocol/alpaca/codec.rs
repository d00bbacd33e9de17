//! `Codec`: the parts of which messages are made, in JSON or in MessagePack.

use std::io::Write;

use bytes::BytesMut;
use serde::Serialize;

use crate::domain::{Price, Size, Timestamp};
use crate::protocol::Refusal;
use crate::protocol::alpaca::Request;

/// JSON or MessagePack. Texts are of ASCII without characters that JSON escapes, except in [`Self::write`].
pub trait Codec: 'static {
    /// Whether frames are text.
    const IS_TEXT: bool;
    /// The separator between two messages of a frame.
    const JOINT: &'static [u8];

    /// Begins an object with so many fields, at most 15.
    fn begin_object(fields: u8, out: &mut Vec<u8>);
    /// Completes an object.
    fn end_object(out: &mut Vec<u8>);
    /// Begins a field of an object.
    fn key(key: &'static str, out: &mut Vec<u8>);
    /// Appends a text of at most 31 bytes.
    fn text(value: &str, out: &mut Vec<u8>);
    /// Appends a list of at most 15 texts.
    fn texts<'a>(values: impl Iterator<Item = &'a str>, out: &mut Vec<u8>);
    /// Appends an integer.
    fn integer(value: u64, out: &mut Vec<u8>);
    /// Appends a price in US dollars.
    fn price(value: Price, out: &mut Vec<u8>);
    /// Appends a number of shares: an integer if it is one.
    fn size(value: Size, out: &mut Vec<u8>);
    /// Appends a time.
    fn time(value: Timestamp, out: &mut Vec<u8>);

    /// Appends a message that serde writes.
    fn write(message: &impl Serialize, out: impl Write);
    /// Reads one message of a client.
    ///
    /// # Errors
    ///
    /// Returns [`Refusal::InvalidSyntax`] for anything else than one request.
    fn read(bytes: &[u8]) -> Result<Request, Refusal>;

    /// Appends the beginning of an array of messages.
    fn begin_frame(out: &mut BytesMut);
    /// Completes the array of so many messages that begins at `start`.
    fn end_frame(messages: usize, start: usize, out: &mut BytesMut);
}
