//! Writes messages as server-sent events (WHATWG HTML, section 9.2). The messages of one write are one event: its `data` is the
//! same JSON array as in a WebSocket frame, its `id` the cursor after it.

use std::sync::Arc;

use bytes::BytesMut;

use crate::domain::Event;
use crate::hub::{Control, Sink};
use crate::protocol::native::Native;
use crate::protocol::{Cursor, Dialect, Publication, ServerMessage};
use crate::transport::messages::{Envelope, MessageWriter};

/// Writes one event to the end of a buffer.
pub(super) struct SseWriter<'a> {
    messages: MessageWriter<'a, Native, Data>,
    bytes_max: usize,
    is_alive: bool,
    /// The name of the stream, if that has changed.
    epoch: Option<Arc<str>>,
}

/// The cursor that a client is to store, and to send when it reconnects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LastId {
    /// This.
    Cursor(Cursor),
    /// None: the stored cursor is no longer valid.
    Void,
    /// The one it has.
    Unchanged,
}

/// The field `data` of an event, one line.
struct Data;

impl Envelope for Data {
    fn begin(buffer: &mut BytesMut) {
        buffer.extend_from_slice(b"data: ");
    }

    fn end(buffer: &mut BytesMut, _: usize, _: bool) {
        // JSON has no line breaks of its own: those in strings are escaped.
        buffer.extend_from_slice(b"\n");
    }
}

impl<'a> SseWriter<'a> {
    /// Returns a writer that is full when it has written about `bytes_max` bytes.
    pub(super) fn new(buffer: &'a mut BytesMut, bytes_max: usize) -> Self {
        Self { messages: MessageWriter::new(buffer), bytes_max, is_alive: false, epoch: None }
    }

    /// Returns whether nothing has been written, not even a heartbeat.
    pub(super) fn is_empty(&self) -> bool {
        self.messages.bytes() == 0 && !self.is_alive
    }

    /// Returns the name of the stream after what has been written, once, if that is another one than before.
    pub(super) fn take_epoch(&mut self) -> Option<Arc<str>> {
        self.epoch.take()
    }

    /// Completes the event: with what the client is to keep, and with the time after which one that has lost its connection
    /// may come back, when that is to be said. Returns how many of the bytes written are messages; the others frame them.
    pub(super) fn finish(mut self, id: &LastId, retry_ms: Option<u64>) -> usize {
        let buffer = self.messages.between_frames();
        if self.is_alive {
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
        self.messages.payload()
    }
}

impl Sink for SseWriter<'_> {
    fn control(&mut self, control: Control) {
        match control {
            Control::Message(message) => self.message(&message),
            Control::Ping => self.is_alive = true,
            // Server-sent events have no frames like these.
            Control::Text(_) | Control::Binary(_) | Control::Pong(_) | Control::Close(_) | Control::CloseAnswer(_) => {}
        }
    }

    fn message(&mut self, message: &ServerMessage) {
        if let ServerMessage::Epoch { epoch, .. } = message {
            self.epoch = Some(epoch.clone());
        }
        self.messages.message(message);
    }

    fn has(&self, event: &Event) -> bool {
        Native::event_group(event).is_some()
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
    use crate::domain::Timestamp;

    const LAG: &str = r#"{"type":"lag","skipped":3,"since_offset":1}"#;

    fn lag() -> ServerMessage {
        ServerMessage::Lag { skipped: 3, since_offset: 1 }
    }

    fn written(controls: &[Control], lags: usize, id: &LastId, retry_ms: Option<u64>) -> String {
        let mut buffer = BytesMut::new();
        let mut writer = SseWriter::new(&mut buffer, 100);
        for control in controls {
            writer.control(control.clone());
        }
        for _ in 0..lags {
            writer.message(&lag());
        }
        writer.finish(id, retry_ms);
        String::from_utf8(buffer.to_vec()).unwrap()
    }

    fn id() -> LastId {
        LastId::Cursor(Cursor::parse("9c1f:5").unwrap())
    }

    #[test]
    fn the_messages_of_a_write_are_one_event_with_a_cursor() {
        let controls = [Control::Message(ServerMessage::Heartbeat { ts: Timestamp::from_micros(1), offset: 2 })];
        let heartbeat = r#"{"type":"heartbeat","ts":1,"offset":2}"#;
        assert_eq!(written(&controls, 2, &id(), None), format!("data: [{heartbeat},{LAG},{LAG}]\nid: 9c1f:5\n\n"));
        assert_eq!(written(&[], 1, &LastId::Unchanged, Some(700)), format!("data: [{LAG}]\nretry: 700\n\n"));
        assert_eq!(written(&[], 1, &LastId::Void, None), format!("data: [{LAG}]\nid:\n\n"));
    }

    #[test]
    fn a_heartbeat_is_a_comment_that_brings_the_cursor_along() {
        assert_eq!(written(&[Control::Ping], 0, &id(), None), ": heartbeat\nid: 9c1f:5\n\n");
        assert_eq!(written(&[Control::Ping], 1, &LastId::Unchanged, None), format!("data: [{LAG}]\n: heartbeat\n\n"));
    }
}
