//! A dialect for the tests of writers: messages are short texts, and there is every kind of group.

use bytes::{BufMut, BytesMut};

use crate::domain::Event;
use crate::protocol::{ClientMessage, DecodeError, Dialect, ErrorCode, Group, Mistake, ServerMessage};

/// A frame is the number of its messages, `[`, the messages with commas between them, `]`.
pub(super) struct Plain<const IS_TEXT: bool>;

/// Returns a message that is written as it is, together with others of its kind.
pub(super) fn text(text: impl Into<String>) -> ServerMessage {
    ServerMessage::Error { id: None, mistake: Mistake::new(ErrorCode::BadRequest, text).into() }
}

impl<const IS_TEXT: bool> Dialect for Plain<IS_TEXT> {
    type Request = ClientMessage;
    type Mistake = DecodeError;
    const IS_TEXT: bool = IS_TEXT;

    fn decode(_: &[u8]) -> Result<ClientMessage, DecodeError> {
        Err(DecodeError { id: None, mistake: Mistake::new(ErrorCode::BadRequest, "this dialect is written only") })
    }

    fn encode_event(event: &Event, out: &mut Vec<u8>) {
        out.put_slice(event.seq.to_string().as_bytes());
    }

    fn encode_skipped(event: &[u8], skipped: u32, out: &mut impl BufMut) {
        out.put_slice(event);
        out.put_slice(format!("+{skipped}").as_bytes());
    }

    fn encode_message(message: &ServerMessage, out: &mut impl BufMut) {
        match message {
            ServerMessage::Error { mistake, .. } => out.put_slice(mistake.message.as_bytes()),
            other => out.put_slice(if matches!(other, ServerMessage::Lag { .. }) { b"lag" } else { b"bye" }),
        }
    }

    /// Every second event is one that the dialect does not have.
    fn event_group(event: &Event) -> Option<Group> {
        (event.seq % 2 == 1).then_some(Group::Shared(0))
    }

    fn message_group(message: &ServerMessage) -> Option<Group> {
        match message {
            ServerMessage::Error { .. } => Some(Group::Shared(0)),
            ServerMessage::Goodbye { .. } => Some(Group::Shared(1)),
            ServerMessage::Lag { .. } => Some(Group::Alone),
            _ => None,
        }
    }

    fn begin_frame(_: Group, out: &mut BytesMut) {
        out.put_slice(b"?[");
    }

    fn end_frame(_: Group, messages: usize, start: usize, out: &mut BytesMut) {
        out[start] = messages.to_string().as_bytes()[0];
        out.put_u8(b']');
    }
}
