//! `Dialect`: a wire format, as a type. Everything that the server knows about bytes on a session is behind this trait.
//!
//! A dialect has a folder of its own, each alike: `decode.rs` turns a client's bytes into requests, `encode.rs` events and messages
//! into bytes, `frame.rs` says which messages share a frame and what stands around them. A transport is compiled for its
//! dialect, so that a session keeps nothing of it, and another dialect costs nothing to those who do not speak it.

use bytes::{BufMut, BytesMut};

use crate::domain::Event;
use crate::protocol::{CloseReason, ServerMessage};

/// A wire format.
pub trait Dialect: 'static {
    /// A client's request. A session serves a [`ClientMessage`](crate::protocol::ClientMessage); a dialect with other requests has a
    /// handler of its own.
    type Request;

    /// The reason why a message of a client is refused.
    type Mistake;

    /// The name of the dialect, by which rules of faults choose sessions.
    const NAME: &'static str = "other";

    /// Whether its frames are text in UTF-8; otherwise they are binary.
    const IS_TEXT: bool;

    /// The name for `Sec-WebSocket-Protocol` (RFC 6455 section 1.9), if it has one.
    const SUBPROTOCOL: Option<&'static str> = None;

    /// The separator between two messages of a frame.
    const JOINT: &'static [u8] = b",";

    /// Reads one message of a client, text or binary.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with it. That is answered, and the session goes on.
    fn decode(bytes: &[u8]) -> Result<Self::Request, Self::Mistake>;

    /// Appends an event that has a group as one message. Called at most once for each event: all sessions of the dialect share
    /// the bytes.
    fn encode_event(event: &Event, out: &mut Vec<u8>);

    /// Appends the encoded event for a session in mode `latest`, together with the number of older events that it replaces. A
    /// dialect that cannot express the number sends the event as it is.
    fn encode_skipped(event: &[u8], _skipped: u32, out: &mut impl BufMut) {
        out.put_slice(event);
    }

    /// Appends a message that has a group.
    fn encode_message(message: &ServerMessage, out: &mut impl BufMut);

    /// Returns the group of an event, or `None` if the dialect has no such event: it is neither encoded nor sent nor counted as
    /// sent, and a session that is sent nothing else gets heartbeats. But the event takes a place in the queue of a session that
    /// is subscribed to it, and `skipped` and `lag` count it.
    fn event_group(event: &Event) -> Option<Group>;

    /// Returns the group of a message, or `None` if the dialect has no such message: it is not sent. `Lag` should have a group:
    /// otherwise a slow client does not learn that events are missing.
    fn message_group(message: &ServerMessage) -> Option<Group>;

    /// Returns the close code of a WebSocket session that ends for this reason.
    fn close_code(reason: CloseReason) -> u16 {
        reason.code()
    }

    /// Appends what a frame of this group begins with.
    fn begin_frame(group: Group, out: &mut BytesMut);

    /// Completes the frame of this group that begins at `start` and has so many messages, at least one.
    fn end_frame(group: Group, messages: usize, start: usize, out: &mut BytesMut);
}

/// Which messages may share a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// The message has a frame of its own.
    Alone,
    /// The message may share a frame with neighbours of the same number.
    Shared(u8),
}

impl Group {
    /// Returns whether a message of the group `next` may follow in a frame of this group.
    #[inline]
    pub fn admits(self, next: Self) -> bool {
        self != Self::Alone && self == next
    }
}
