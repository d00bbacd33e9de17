//! The messages of the server to a publisher: JSON objects, one in each frame.

use bytes::{BufMut, BytesMut};

use crate::domain::Event;
use crate::protocol::native::Native;
use crate::protocol::{Dialect, Group, ServerMessage};

/// The dialect of publishers. Its answers are texts that the handler writes.
pub(super) struct Publishing;

impl Dialect for Publishing {
    type Request = ();
    type Mistake = ();

    const NAME: &'static str = "publish";
    const IS_TEXT: bool = true;
    const SUBPROTOCOL: Option<&'static str> = Some("tickcast.publish.v1.json");

    fn decode(_: &[u8]) -> Result<(), ()> {
        Ok(())
    }

    fn encode_event(_: &Event, _: &mut Vec<u8>) {}

    fn encode_message(message: &ServerMessage, out: &mut impl BufMut) {
        Native::encode_message(message, out);
    }

    fn event_group(_: &Event) -> Option<Group> {
        None
    }

    fn message_group(message: &ServerMessage) -> Option<Group> {
        matches!(message, ServerMessage::Goodbye { .. }).then_some(Group::Alone)
    }

    fn begin_frame(_: Group, _: &mut BytesMut) {}

    fn end_frame(_: Group, _: usize, _: usize, _: &mut BytesMut) {}
}
