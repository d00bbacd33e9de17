//! Messages into server-sent events (WHATWG HTML, section 9.2): the messages of one write are one event, its `data` the JSON
//! array that a WebSocket frame would be, its `id` the cursor after it.

use bytes::BytesMut;

use crate::hub::{Control, Sink};
use crate::protocol::{Cursor, Dialect, Publication};
use crate::transport::array::MessageArray;

/// Writes one event to the end of a buffer.
pub(super) struct SseWriter<'a> {
    messages: MessageArray<'a>,
    bytes_max: usize,
    is_alive: bool,
}

/// What a client is to keep, and to come back with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LastId {
    /// This.
    Cursor(Cursor),
    /// Nothing: what it has kept is no good any more.
    Void,
    /// What it has.
    Unchanged,
}

/// What each event begins with.
const DATA: &[u8] = b"data: [";

impl<'a> SseWriter<'a> {
    /// Returns a writer that is full when it has written about `bytes_max` bytes. The buffer must be empty.
    pub(super) fn new(buffer: &'a mut BytesMut, dialect: Dialect, bytes_max: usize) -> Self {
        buffer.extend_from_slice(DATA);
        Self { messages: MessageArray::new(buffer, dialect), bytes_max, is_alive: false }
    }

    /// Completes the event: with what the client is to keep, and with the time after which one that has lost its connection
    /// may come back, when that is to be said. Returns how many of the bytes written are messages; the others frame them.
    pub(super) fn finish(self, id: &LastId, retry_ms: Option<u64>) -> usize {
        let is_empty = self.messages.len() == 0;
        let (is_alive, payload) = (self.is_alive, self.messages.payload());
        let buffer = self.messages.into_buffer();
        if is_empty {
            buffer.clear();
        } else {
            // JSON has no line breaks of its own: those in strings are escaped.
            buffer.extend_from_slice(b"]\n");
        }
        if is_alive {
            buffer.extend_from_slice(b": heartbeat\n");
        }
        match id {
            LastId::Cursor(cursor) => buffer.extend_from_slice(format!("id: {cursor}\n").as_bytes()),
            LastId::Void => buffer.extend_from_slice(b"id:\n"),
            LastId::Unchanged => {}
        }
        if let Some(retry_ms) = retry_ms {
            buffer.extend_from_slice(format!("retry: {retry_ms}\n").as_bytes());
        }
        buffer.extend_from_slice(b"\n");
        payload
    }
}

impl Sink for SseWriter<'_> {
    fn control(&mut self, control: Control) {
        match control {
            Control::Message(bytes) => self.message(&bytes),
            Control::Ping => self.is_alive = true,
            // There is nothing like these here: a stream has messages of the dialect, and just ends.
            Control::Text(_) | Control::Binary(_) | Control::Pong(_) | Control::Close(_) | Control::CloseAnswer(_) => {}
        }
    }

    fn message(&mut self, bytes: &[u8]) {
        self.messages.message(bytes);
    }

    fn event(&mut self, publication: &Publication, skipped: u32) {
        self.messages.event(publication, skipped);
    }

    fn is_full(&self) -> bool {
        self.messages.bytes() >= self.bytes_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(controls: &[Control], messages: &[&str], id: &LastId, retry_ms: Option<u64>) -> String {
        let mut buffer = BytesMut::new();
        let mut writer = SseWriter::new(&mut buffer, Dialect::Native, 100);
        for control in controls {
            writer.control(control.clone());
        }
        for message in messages {
            writer.message(message.as_bytes());
        }
        writer.finish(id, retry_ms);
        String::from_utf8(buffer.to_vec()).unwrap()
    }

    fn id() -> LastId {
        LastId::Cursor(Cursor::parse("9c1f:5").unwrap())
    }

    #[test]
    fn the_messages_of_a_write_are_one_event_with_a_cursor() {
        let controls = [Control::Message(b"1".to_vec())];
        assert_eq!(written(&controls, &["2", "3"], &id(), None), "data: [1,2,3]\nid: 9c1f:5\n\n");
        assert_eq!(written(&[], &["1"], &LastId::Unchanged, Some(700)), "data: [1]\nretry: 700\n\n");
        assert_eq!(written(&[], &["1"], &LastId::Void, None), "data: [1]\nid:\n\n");
    }

    #[test]
    fn a_heartbeat_is_a_comment_that_brings_the_cursor_along() {
        assert_eq!(written(&[Control::Ping], &[], &id(), None), ": heartbeat\nid: 9c1f:5\n\n");
        assert_eq!(written(&[Control::Ping], &["1"], &LastId::Unchanged, None), "data: [1]\n: heartbeat\n\n");
    }
}
