//! The messages of one write, joined into frames as their dialect says. What stands around a frame is its transport's: the
//! header of a WebSocket frame, the field `data` of a server-sent event.

use std::marker::PhantomData;

use bytes::BytesMut;

use crate::protocol::{Dialect, Group, Publication, ServerMessage};

/// The bytes of a transport around a frame.
pub(super) trait Envelope {
    /// Appends what stands before the frame.
    fn begin(buffer: &mut BytesMut);
    /// Completes the frame, text or binary, whose envelope begins at `start`.
    fn end(buffer: &mut BytesMut, start: usize, is_text: bool);
}

/// Writes messages of the dialect `D` to the end of a buffer, in envelopes of the kind `E`.
pub(super) struct MessageWriter<'a, D, E> {
    buffer: &'a mut BytesMut,
    open: Option<OpenFrame>,
    /// Bytes of messages; what else there is frames them.
    payload: usize,
    types: PhantomData<(D, E)>,
}

/// A frame that takes more messages.
#[derive(Clone, Copy)]
struct OpenFrame {
    group: Group,
    /// Where the envelope begins.
    envelope: usize,
    /// Where the frame begins.
    start: usize,
    messages: usize,
}

impl<'a, D: Dialect, E: Envelope> MessageWriter<'a, D, E> {
    /// Returns a writer of no messages.
    pub(super) fn new(buffer: &'a mut BytesMut) -> Self {
        Self { buffer, open: None, payload: 0, types: PhantomData }
    }

    /// Appends a message, if the dialect has it.
    pub(super) fn message(&mut self, message: &ServerMessage) {
        if let Some(group) = D::message_group(message) {
            self.append(group, |buffer| D::encode_message(message, buffer));
        }
    }

    /// Appends an event, if the dialect has it, and how many it has made obsolete in mode `latest`.
    pub(super) fn event(&mut self, publication: &Publication, skipped: u32) {
        if let Some(group) = D::event_group(&publication.event) {
            self.append(group, |buffer| publication.write::<D>(skipped, buffer));
        }
    }

    fn append(&mut self, group: Group, write: impl FnOnce(&mut BytesMut)) {
        if let Some(open) = self.open.as_mut().filter(|open| open.group.admits(group)) {
            open.messages += 1;
            self.buffer.extend_from_slice(D::JOINT);
        } else {
            self.begin(group);
        }
        let before = self.buffer.len();
        write(self.buffer);
        self.payload += self.buffer.len() - before;
    }

    fn begin(&mut self, group: Group) {
        self.end();
        let envelope = self.buffer.len();
        E::begin(self.buffer);
        self.open = Some(OpenFrame { group, envelope, start: self.buffer.len(), messages: 1 });
        D::begin_frame(group, self.buffer);
    }

    fn end(&mut self) {
        if let Some(OpenFrame { group, envelope, start, messages }) = self.open.take() {
            D::end_frame(group, messages, start, self.buffer);
            E::end(self.buffer, envelope, D::IS_TEXT);
        }
    }

    /// Completes the last frame, and returns the buffer for what is no message of the dialect.
    pub(super) fn between_frames(&mut self) -> &mut BytesMut {
        self.end();
        self.buffer
    }

    /// Counts bytes that were written between frames as messages.
    pub(super) fn count_payload(&mut self, bytes: usize) {
        self.payload += bytes;
    }

    /// Returns how many bytes of messages have been written; the others frame them.
    pub(super) fn payload(&self) -> usize {
        self.payload
    }

    /// Returns how many bytes are in the buffer.
    pub(super) fn bytes(&self) -> usize {
        self.buffer.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Event, EventBody, Price, Size, SymbolId, Timestamp, Trade};
    use crate::transport::plain::{Plain, text};

    /// Parentheses.
    struct Parentheses;

    impl Envelope for Parentheses {
        fn begin(buffer: &mut BytesMut) {
            buffer.extend_from_slice(b"(");
        }

        fn end(buffer: &mut BytesMut, start: usize, is_text: bool) {
            assert!(buffer[start] == b'(' && is_text);
            buffer.extend_from_slice(b")");
        }
    }

    fn publication(seq: u64) -> Publication {
        let trade = Trade { ts: Timestamp::default(), price: Price::from_cents(100), size: Size::new(1) };
        let symbol = "S".parse().unwrap();
        Publication::new(Event { offset: seq, seq, id: SymbolId(0), symbol, body: EventBody::Trade(trade) })
    }

    #[test]
    fn messages_share_a_frame_with_neighbours_of_their_group_only() {
        let lag = ServerMessage::Lag { skipped: 1, since_offset: 1 };
        let goodbye = ServerMessage::Goodbye { reason: "full", retry_after_ms: 0 };
        let mut buffer = BytesMut::from("before ");
        let mut writer = MessageWriter::<Plain<true>, Parentheses>::new(&mut buffer);
        writer.message(&text("a"));
        writer.event(&publication(1), 0);
        writer.message(&lag);
        writer.message(&lag);
        writer.message(&goodbye);
        writer.message(&goodbye);
        writer.event(&publication(3), 7);
        writer.between_frames();
        assert_eq!(writer.payload(), 1 + 1 + 3 + 3 + 3 + 3 + 3);
        assert_eq!(&buffer[..], b"before (2[a,1])(1[lag])(1[lag])(2[bye,bye])(1[3+7])");
    }

    #[test]
    fn what_the_dialect_does_not_have_leaves_no_trace() {
        let heartbeat = ServerMessage::Heartbeat { ts: Timestamp::default(), offset: 0 };
        let mut buffer = BytesMut::new();
        let mut writer = MessageWriter::<Plain<true>, Parentheses>::new(&mut buffer);
        writer.message(&heartbeat);
        writer.event(&publication(2), 0);
        writer.between_frames();
        assert_eq!((writer.payload(), writer.bytes()), (0, 0));
        writer.event(&publication(1), 0);
        writer.message(&heartbeat);
        writer.event(&publication(2), 1);
        writer.event(&publication(3), 0);
        writer.between_frames();
        assert_eq!(&buffer[..], b"(2[1,3])");
    }
}
