//! The dialect of Finnhub's stream of trades: JSON text, one object in each frame.
//!
//! Written from the vendor's page (<https://finnhub.io/docs/api/websocket-trades>), and from what clients of it accept.
//! `docs/DIALECTS.md` lists the differences.

mod decode;
#[cfg(test)]
mod decode_test;
mod encode;
mod message;

use bytes::{BufMut, BytesMut};

use crate::domain::{Event, EventBody};
use crate::protocol::{Dialect, Group, Refusal, ServerMessage};

pub use decode::Request;

/// Trades, which share a frame.
const TRADES: Group = Group::Shared(0);

/// The dialect.
pub struct Finnhub;

impl Dialect for Finnhub {
    type Request = Request;
    type Mistake = Refusal;

    const NAME: &'static str = "finnhub";

    const IS_TEXT: bool = true;

    fn decode(bytes: &[u8]) -> Result<Request, Refusal> {
        decode::decode(bytes)
    }

    fn encode_event(event: &Event, out: &mut Vec<u8>) {
        encode::encode_event(event, out);
    }

    fn encode_message(message: &ServerMessage, out: &mut impl BufMut) {
        message::encode_message(message, out);
    }

    fn event_group(event: &Event) -> Option<Group> {
        matches!(event.body, EventBody::Trade(_)).then_some(TRADES)
    }

    fn message_group(message: &ServerMessage) -> Option<Group> {
        message::has(message).then_some(Group::Alone)
    }

    fn begin_frame(group: Group, out: &mut BytesMut) {
        if group == TRADES {
            out.put_slice(br#"{"type":"trade","data":["#);
        }
    }

    fn end_frame(group: Group, _: usize, _: usize, out: &mut BytesMut) {
        if group == TRADES {
            out.put_slice(b"]}");
        }
    }
}
