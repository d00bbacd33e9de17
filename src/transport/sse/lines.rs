//! Writes messages as lines: JSON texts, each followed by a line feed (`application/x-ndjson`).

use bytes::{BufMut, BytesMut};

use crate::domain::Event;
use crate::hub::{Control, Sink};
use crate::protocol::native::Native;
use crate::protocol::{Dialect, Publication, ServerMessage};

/// Writes lines to the end of a buffer.
pub(super) struct LinesWriter<'a> {
    buffer: &'a mut BytesMut,
    bytes_max: usize,
}

impl<'a> LinesWriter<'a> {
    /// Returns a writer that is full when it has written about `bytes_max` bytes.
    pub(super) fn new(buffer: &'a mut BytesMut, bytes_max: usize) -> Self {
        Self { buffer, bytes_max }
    }
}

impl Sink for LinesWriter<'_> {
    fn control(&mut self, control: Control) {
        // Lines have no frames.
        if let Control::Message(message) = control {
            self.message(&message);
        }
    }

    fn message(&mut self, message: &ServerMessage) {
        if Native::message_group(message).is_some() {
            Native::encode_message(message, self.buffer);
            self.buffer.put_u8(b'\n');
        }
    }

    fn has(&self, event: &Event) -> bool {
        Native::event_group(event).is_some()
    }

    fn event(&mut self, publication: &Publication, skipped: u32) {
        if self.has(&publication.event) {
            publication.write::<Native>(skipped, self.buffer);
            self.buffer.put_u8(b'\n');
        }
    }

    fn is_full(&self) -> bool {
        self.buffer.len() >= self.bytes_max
    }
}
