//! Limits the frames of one client that carry little or nothing: they cost the server work, and no other limit counts them.

use std::time::Instant;

use actix_http::ws::{Frame, Item};
use bytes::Bytes;

use crate::protocol::CloseReason;
use crate::rate::RateLimiter;

/// A fragment of at least so many bytes is not charged: the longest message bounds their number.
const FRAGMENT_BYTES_MIN: usize = 32;

/// A limit of control frames and of fragments of less than 32 bytes. Complete messages are requests, which have their own
/// limit.
#[derive(Debug)]
pub(super) struct FrameBudget(pub(super) RateLimiter);

impl FrameBudget {
    /// Charges a frame.
    ///
    /// # Errors
    ///
    /// Returns [`CloseReason::FrameFlood`] if the limit is exceeded.
    pub(super) fn charge(&mut self, frame: &Frame) -> Result<(), CloseReason> {
        if !is_charged(frame) || self.0.allow(1, Instant::now()) { Ok(()) } else { Err(CloseReason::FrameFlood) }
    }
}

fn is_charged(frame: &Frame) -> bool {
    let is_small = |part: &Bytes| part.len() < FRAGMENT_BYTES_MIN;
    match frame {
        Frame::Ping(_) | Frame::Pong(_) => true,
        Frame::Continuation(Item::FirstText(part) | Item::FirstBinary(part) | Item::Continue(part)) => is_small(part),
        // The last fragment completes a request, and nothing follows a close frame.
        Frame::Continuation(Item::Last(_)) | Frame::Text(_) | Frame::Binary(_) | Frame::Close(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_frames_and_small_fragments_are_charged() {
        let small = Bytes::from_static(&[b' '; FRAGMENT_BYTES_MIN - 1]);
        let large = Bytes::from_static(&[b' '; FRAGMENT_BYTES_MIN]);
        let fragments = |part: &Bytes| {
            [Item::FirstText(part.clone()), Item::FirstBinary(part.clone()), Item::Continue(part.clone())]
        };
        for frame in fragments(&small).into_iter().map(Frame::Continuation).chain([
            Frame::Ping(large.clone()),
            Frame::Pong(large.clone()),
            Frame::Continuation(Item::Continue(Bytes::new())),
        ]) {
            assert!(is_charged(&frame), "{frame:?}");
        }
        for frame in fragments(&large).into_iter().map(Frame::Continuation).chain([
            Frame::Continuation(Item::Last(small.clone())),
            Frame::Text(Bytes::new()),
            Frame::Close(None),
        ]) {
            assert!(!is_charged(&frame), "{frame:?}");
        }
    }
}
