//! `Object`: writes a JSON object field by field.

use std::io::Write;

use crate::domain::{Price, Size};

/// An object that is being written to the end of a buffer. [`Self::end`] completes it.
pub(super) struct Object<'a>(&'a mut Vec<u8>);

impl<'a> Object<'a> {
    /// Begins an object.
    pub(super) fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self(out)
    }

    /// Appends a key, and returns the buffer for its value.
    pub(super) fn key(&mut self, key: &str) -> &mut Vec<u8> {
        self.0.extend_from_slice(if self.0.last() == Some(&b'{') { b"\"" } else { b",\"" });
        self.0.extend_from_slice(key.as_bytes());
        self.0.extend_from_slice(b"\":");
        self.0
    }

    /// Appends a price.
    pub(super) fn price(&mut self, key: &str, price: Price) -> &mut Self {
        // Writing to a buffer in memory cannot fail, here and below.
        let _ = write!(self.key(key), "{price}");
        self
    }

    /// Appends an integer.
    pub(super) fn integer(&mut self, key: &str, value: impl itoa::Integer) -> &mut Self {
        self.key(key).extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        self
    }

    /// Appends a number of whole shares, and if it has a fraction the exact decimal number as a text under `decimal`.
    pub(super) fn shares(&mut self, key: &str, decimal: &str, size: Size) -> &mut Self {
        self.integer(key, size.shares());
        if size.whole().is_none() {
            let _ = write!(self.key(decimal), "\"{size}\"");
        }
        self
    }

    /// Appends a number with at most four decimals.
    pub(super) fn decimal(&mut self, key: &str, value: f64) -> &mut Self {
        let _ = serde_json::to_writer(self.key(key), &((value * 1e4).round() / 1e4));
        self
    }

    /// Appends a text.
    pub(super) fn text(&mut self, key: &str, text: &str) -> &mut Self {
        let _ = serde_json::to_writer(self.key(key), text);
        self
    }

    /// Appends a list of integers.
    pub(super) fn integers<I: itoa::Integer>(&mut self, key: &str, values: impl Iterator<Item = I>) -> &mut Self {
        let out = self.key(key);
        out.push(b'[');
        for value in values {
            if out.last() != Some(&b'[') {
                out.push(b',');
            }
            out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        }
        out.push(b']');
        self
    }

    /// Completes the object within this one that was begun after [`Self::key`].
    pub(super) fn close(&mut self) {
        self.0.push(b'}');
    }

    /// Completes the object.
    pub(super) fn end(self) {
        self.0.push(b'}');
    }
}
