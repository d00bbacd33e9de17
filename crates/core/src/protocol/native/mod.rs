//! The native dialect, `tickcast.v1`: JSON text, described in `docs/PROTOCOL.md`.

mod decode;
#[cfg(test)]
mod decode_test;
mod encode;
mod frame;
mod message;

use bytes::{BufMut, BytesMut};

use crate::domain::Event;
use crate::protocol::{ClientMessage, DecodeError, Dialect, Group, ServerMessage};

pub use decode::{parse_mode, parse_on_lag};
pub use encode::encode_bar_object;

/// The name of the protocol, in `welcome`.
pub const PROTOCOL: &str = "tickcast.v1";

/// The native dialect.
#[derive(Clone, Copy, Debug)]
pub struct Native;

impl Dialect for Native {
    type Request = ClientMessage;
    type Mistake = DecodeError;

    const NAME: &'static str = "native";

    const IS_TEXT: bool = true;
    const SUBPROTOCOL: Option<&'static str> = Some("tickcast.v1.json");

    fn decode(bytes: &[u8]) -> Result<ClientMessage, DecodeError> {
        decode::decode(bytes)
    }

    fn encode_event(event: &Event, out: &mut Vec<u8>) {
        encode::encode_event(event, out);
    }

    fn encode_skipped(event: &[u8], skipped: u32, out: &mut impl BufMut) {
        encode::encode_skipped(event, skipped, out);
    }

    fn encode_message(message: &ServerMessage, out: &mut impl BufMut) {
        message::encode_message(message, out);
    }

    fn event_group(_: &Event) -> Option<Group> {
        Some(frame::GROUP)
    }

    fn message_group(message: &ServerMessage) -> Option<Group> {
        message::has(message).then_some(frame::GROUP)
    }

    fn begin_frame(_: Group, out: &mut BytesMut) {
        frame::begin(out);
    }

    fn end_frame(_: Group, _: usize, _: usize, out: &mut BytesMut) {
        frame::end(out);
    }
}
