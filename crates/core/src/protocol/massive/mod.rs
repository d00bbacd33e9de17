//! The dialect of the stock stream of Massive (formerly Polygon), `/stocks`: JSON text, an array of objects in each frame.
//!
//! Written from the vendor's machine-readable description (<https://github.com/massive-com/client-python>, `.massive/websocket.json`)
//! and its pages (<https://massive.com/docs/websocket/quickstart>), and from what its clients accept. `docs/DIALECTS.md` lists the
//! differences.

mod client;
#[cfg(test)]
mod client_test;
mod decode;
#[cfg(test)]
mod decode_test;
mod encode;
#[cfg(test)]
mod encode_test;
mod frame;
mod message;

use bytes::{BufMut, BytesMut};

use crate::domain::Event;
use crate::protocol::{CloseReason, Dialect, Group, Refusal, ServerMessage};

pub use client::listen;
pub use decode::{Item, Request, Topic};
pub use message::{SUBSCRIBED, UNSUBSCRIBED};

/// The dialect.
pub struct Massive;

impl Dialect for Massive {
    type Request = Request;
    type Mistake = Refusal;

    const NAME: &'static str = "massive";

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
        frame::event_group(event)
    }

    fn message_group(message: &ServerMessage) -> Option<Group> {
        message::has(message).then_some(Group::Alone)
    }

    /// The vendor's client for Python returns without a word after 1001, and reconnects after 1012, a restart.
    fn close_code(reason: CloseReason) -> u16 {
        if reason == CloseReason::Shutdown { 1012 } else { reason.code() }
    }

    fn begin_frame(_: Group, out: &mut BytesMut) {
        out.put_u8(b'[');
    }

    fn end_frame(_: Group, _: usize, _: usize, out: &mut BytesMut) {
        out.put_u8(b']');
    }
}
