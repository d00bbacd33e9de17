//! Messages of the dialect as the elements of one JSON array.

use bytes::BytesMut;

use crate::protocol::{Dialect, Publication};

/// Writes elements to the end of a buffer, with commas between them; the brackets are the caller's.
pub(super) struct MessageArray<'a> {
    buffer: &'a mut BytesMut,
    dialect: Dialect,
    messages: usize,
    payload: usize,
}

impl<'a> MessageArray<'a> {
    /// Returns an array without elements.
    pub(super) fn new(buffer: &'a mut BytesMut, dialect: Dialect) -> Self {
        Self { buffer, dialect, messages: 0, payload: 0 }
    }

    /// Appends a message.
    pub(super) fn message(&mut self, bytes: &[u8]) {
        if self.messages > 0 {
            self.buffer.extend_from_slice(b",");
        }
        self.messages += 1;
        self.append(bytes);
    }

    fn append(&mut self, bytes: &[u8]) {
        self.payload += bytes.len();
        self.buffer.extend_from_slice(bytes);
    }

    /// Appends an event, and how many it has made obsolete in mode `latest`.
    pub(super) fn event(&mut self, publication: &Publication, skipped: u32) {
        let bytes = publication.encoded(self.dialect);
        if skipped == 0 {
            return self.message(bytes);
        }
        // The bytes are everybody's; what this session has not been sent is said before the closing brace.
        self.message(&bytes[..bytes.len() - 1]);
        self.append(format!(",\"skipped\":{skipped}}}").as_bytes());
    }

    /// Returns how many elements there are.
    pub(super) fn len(&self) -> usize {
        self.messages
    }

    /// Returns how many bytes the elements have, without what is between them.
    pub(super) fn payload(&self) -> usize {
        self.payload
    }

    /// Returns the buffer.
    pub(super) fn into_buffer(self) -> &'a mut BytesMut {
        self.buffer
    }

    /// Returns the length of the buffer in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.buffer.len()
    }
}
