//! Messages of the dialect as the elements of one JSON array.

use bytes::{BufMut, BytesMut};

use crate::protocol::{Dialect, Publication};

/// Appends an event, and how many it has made obsolete in mode `latest`.
pub(super) fn put_event(buffer: &mut impl BufMut, publication: &Publication, dialect: Dialect, skipped: u32) {
    let bytes = publication.encoded(dialect);
    if skipped == 0 {
        return buffer.put_slice(bytes);
    }
    // The bytes are everybody's; what this session has not been sent is said before the closing brace.
    buffer.put_slice(&bytes[..bytes.len() - 1]);
    buffer.put_slice(format!(",\"skipped\":{skipped}}}").as_bytes());
}

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
        self.append(|buffer| buffer.put_slice(bytes));
    }

    /// Appends an event, and how many it has made obsolete in mode `latest`.
    pub(super) fn event(&mut self, publication: &Publication, skipped: u32) {
        let dialect = self.dialect;
        self.append(|buffer| put_event(buffer, publication, dialect, skipped));
    }

    fn append(&mut self, put: impl FnOnce(&mut BytesMut)) {
        if self.messages > 0 {
            self.buffer.put_slice(b",");
        }
        self.messages += 1;
        let before = self.buffer.len();
        put(self.buffer);
        self.payload += self.buffer.len() - before;
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
