//! Frames: one JSON array of messages, whatever they are.

use bytes::{BufMut, BytesMut};

use crate::protocol::Group;

/// The group of every message.
pub(super) const GROUP: Group = Group::Shared(0);

/// Appends the beginning of a frame.
pub(super) fn begin(out: &mut BytesMut) {
    out.put_u8(b'[');
}

/// Appends the end of a frame.
pub(super) fn end(out: &mut BytesMut) {
    out.put_u8(b']');
}
