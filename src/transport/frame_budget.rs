//! How many frames that bring next to nothing one client may send: they cost the server work and use up no other budget.

use std::time::Instant;

use actix_http::ws::{Frame, Item};
use bytes::Bytes;

use crate::protocol::CloseReason;

/// Seconds of unused budget that a client may spend at once.
const BURST_SECONDS: f64 = 5.0;
/// A fragment with at least so many bytes is not charged: the size of its message bounds how many there are.
const FRAGMENT_BYTES_MIN: usize = 32;

/// A token bucket for control frames and for fragments of less than 32 bytes. Complete messages are requests, which have a
/// budget of their own.
#[derive(Debug)]
pub(super) struct FrameBudget {
    per_second: f64,
    tokens: f64,
    filled: Instant,
}

impl FrameBudget {
    /// Returns a full budget.
    pub(super) fn new(frames_per_second_max: u32, now: Instant) -> Self {
        let per_second = f64::from(frames_per_second_max);
        Self { per_second, tokens: per_second * BURST_SECONDS, filled: now }
    }

    /// Charges a frame.
    ///
    /// # Errors
    ///
    /// Returns [`CloseReason::FrameFlood`] when the budget is used up.
    pub(super) fn charge(&mut self, frame: &Frame) -> Result<(), CloseReason> {
        if is_charged(frame) { self.spend(Instant::now()) } else { Ok(()) }
    }

    fn spend(&mut self, now: Instant) -> Result<(), CloseReason> {
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = now;
        self.tokens = (self.tokens + elapsed * self.per_second).min(self.per_second * BURST_SECONDS);
        if self.tokens < 1.0 {
            return Err(CloseReason::FrameFlood);
        }
        self.tokens -= 1.0;
        Ok(())
    }
}

fn is_charged(frame: &Frame) -> bool {
    let is_small = |part: &Bytes| part.len() < FRAGMENT_BYTES_MIN;
    match frame {
        Frame::Ping(_) | Frame::Pong(_) => true,
        Frame::Continuation(Item::FirstText(part) | Item::FirstBinary(part) | Item::Continue(part)) => is_small(part),
        // The last fragment makes a request; a close is the last frame.
        Frame::Continuation(Item::Last(_)) | Frame::Text(_) | Frame::Binary(_) | Frame::Close(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_is_allowed_and_then_the_rate_holds() {
        let start = Instant::now();
        let mut budget = FrameBudget::new(10, start);
        let allowed = |budget: &mut FrameBudget, now| (0..100).filter(|_| budget.spend(now).is_ok()).count();
        assert_eq!(allowed(&mut budget, start), 50);
        assert_eq!(allowed(&mut budget, start + Duration::from_secs(1)), 10);
    }

    #[test]
    fn frames_that_bring_next_to_nothing_are_charged() {
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
