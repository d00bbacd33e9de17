//! The dialect of Alpaca's real-time stock stream, `/v2/{feed}`: an array of objects in each frame, as JSON or as MessagePack.
//!
//! Written from the vendor's pages "WebSocket Stream" (<https://docs.alpaca.markets/docs/streaming-market-data>) and "Real-time Stock
//! Data" (<https://docs.alpaca.markets/docs/real-time-stock-pricing-data>), and from what its clients accept. `docs/DIALECTS.md` lists
//! the differences.

mod client;
#[cfg(test)]
mod client_test;
mod codec;
mod decode;
#[cfg(test)]
mod decode_test;
mod encode;
#[cfg(test)]
mod encode_test;
mod frame;
mod json;
mod kind;
mod message;
mod message_pack;

use std::marker::PhantomData;

use bytes::{BufMut, BytesMut};

use crate::domain::{Event, SymbolId};
use crate::protocol::{Dialect, Group, Refusal, ServerMessage};

pub use client::listen;
pub use codec::Codec;
pub use decode::{Lists, Request, Stream};
pub use encode::{Update, write_bar, write_corrected, write_quote, write_trade};
pub use json::Json;
pub use message_pack::MessagePack;
pub(in crate::protocol) use message_pack::timestamp;

/// The symbol of the stream `/v2/test`.
pub const TEST_SYMBOL: &str = "FAKEPACA";
/// The symbol of the table whose events the stream `/v2/test` has.
pub const TEST_SOURCE: SymbolId = SymbolId(0);

/// The dialect with messages in the codec `C`. The test stream has the events of one symbol, under the name [`TEST_SYMBOL`].
pub struct Alpaca<C, const IS_TEST: bool>(PhantomData<C>);

impl<C: Codec, const IS_TEST: bool> Dialect for Alpaca<C, IS_TEST> {
    type Request = Request;
    type Mistake = Refusal;

    const NAME: &'static str = "alpaca";

    const IS_TEXT: bool = C::IS_TEXT;
    const JOINT: &'static [u8] = C::JOINT;

    fn decode(bytes: &[u8]) -> Result<Request, Refusal> {
        C::read(bytes)
    }

    fn encode_event(event: &Event, out: &mut Vec<u8>) {
        let name = if IS_TEST { TEST_SYMBOL } else { event.symbol.as_str() };
        encode::encode_event::<C>(event, name, out);
    }

    fn encode_message(message: &ServerMessage, out: &mut impl BufMut) {
        message::encode_message::<C>(message, out);
    }

    fn event_group(event: &Event) -> Option<Group> {
        if IS_TEST && event.id != TEST_SOURCE { None } else { frame::event_group(event) }
    }

    fn message_group(message: &ServerMessage) -> Option<Group> {
        message::has(message).then_some(Group::Alone)
    }

    fn begin_frame(_: Group, out: &mut BytesMut) {
        C::begin_frame(out);
    }

    fn end_frame(_: Group, messages: usize, start: usize, out: &mut BytesMut) {
        C::end_frame(messages, start, out);
    }
}
