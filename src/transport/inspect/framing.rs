//! Finds the frames in the bytes of one direction (RFC 6455 section 5.2), so that a capture can skip whole frames.
//!
//! It does not check the frames; the session does.

use std::borrow::Cow;

use crate::protocol::websocket::{CLOSE, FrameHeader};

/// A frame of at most so many bytes, header included, comes in one piece. Every control frame does: it has at most 139.
const WHOLE_BYTES_MAX: usize = 1_024;

/// Bytes of one frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    /// Whether a frame begins here.
    pub(super) begins: bool,
    /// Whether it is a close frame.
    pub(super) closes: bool,
}

/// Follows one direction of a connection.
#[derive(Default)]
pub(super) struct Framing {
    /// The beginning of a frame: an incomplete header, or a short frame that is incomplete.
    held: Vec<u8>,
    /// The bytes of the current frame that have not arrived, if its beginning was returned.
    left: u64,
}

impl Framing {
    /// Takes the next piece of these bytes; `None` if they are used up. An incomplete beginning is held back.
    pub(super) fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Option<Piece<'a>> {
        if self.left > 0 && !bytes.is_empty() {
            let (piece, rest) = bytes.split_at(bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX)));
            *bytes = rest;
            self.left -= piece.len() as u64;
            return Some(Piece { bytes: piece.into(), begins: false, closes: false });
        }
        while !bytes.is_empty() {
            let (more, rest) = bytes.split_at(bytes.len().min(wanted(&self.held) - self.held.len()));
            *bytes = rest;
            self.held.extend_from_slice(more);
            if self.held.len() == wanted(&self.held) {
                return Some(self.begin());
            }
        }
        None
    }

    /// Takes the incomplete frame at the end of the connection.
    pub(super) fn rest(&mut self) -> Option<Piece<'static>> {
        (!self.held.is_empty()).then(|| self.begin())
    }

    fn begin(&mut self) -> Piece<'static> {
        let held = std::mem::take(&mut self.held);
        let header = FrameHeader::parse(&held);
        self.left = header.map_or(0, |header| header.frame_bytes().saturating_sub(held.len() as u64));
        Piece { begins: true, closes: held[0] & 0x0F == CLOSE, bytes: held.into() }
    }
}

/// Returns how many bytes of a frame with this beginning to hold before they are returned.
fn wanted(begun: &[u8]) -> usize {
    match FrameHeader::parse(begun) {
        Ok(header) => {
            let whole = usize::try_from(header.frame_bytes()).ok();
            whole.filter(|bytes| *bytes <= WHOLE_BYTES_MAX).unwrap_or(header.bytes)
        }
        Err(header_bytes) => header_bytes,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::websocket::HEADER_BYTES_MAX;

    /// Returns a frame with this first byte, masked or not, and a payload of zeros.
    fn frame(first: u8, masked: bool, payload: usize) -> Vec<u8> {
        let header = FrameHeader::new(first, payload as u64, masked.then_some([0; 4]));
        let mut frame = header.encode(&mut [0; HEADER_BYTES_MAX]).to_vec();
        frame.resize(frame.len() + payload, 0);
        frame
    }

    fn pieces<'a>(framing: &mut Framing, mut bytes: &'a [u8]) -> Vec<Piece<'a>> {
        std::iter::from_fn(|| framing.next(&mut bytes)).collect()
    }

    proptest! {
        #[test]
        fn frames_are_found_however_they_are_split(
            frames in prop::collection::vec((prop::sample::select(vec![0x81, 0x02, 0x88, 0x8A]), any::<bool>(),
                prop_oneof![0..130_usize, 1_000..1_040_usize, 65_530..65_540_usize]), 1..6),
            cuts in prop::collection::vec(1..3_000_usize, 1..50),
        ) {
            let frames: Vec<_> = frames.into_iter().map(|(first, masked, payload)| frame(first, masked, payload)).collect();
            let all = frames.concat();
            let (mut framing, mut found, mut at) = (Framing::default(), Vec::<Vec<u8>>::new(), 0);
            for cut in cuts.iter().cycle() {
                let end = (at + cut).min(all.len());
                for piece in pieces(&mut framing, &all[at..end]) {
                    prop_assert_eq!(piece.closes, piece.begins && piece.bytes[0] == 0x88);
                    if piece.begins {
                        found.push(Vec::new());
                    }
                    found.last_mut().unwrap().extend_from_slice(&piece.bytes);
                }
                at = end;
                if at == all.len() {
                    break;
                }
            }
            prop_assert_eq!(found, frames);
            prop_assert_eq!(framing.rest(), None);
        }
    }

    #[test]
    fn a_short_frame_comes_in_one_piece_byte_by_byte_too() {
        let (mut framing, close) = (Framing::default(), frame(0x88, true, 125));
        for byte in &close[..close.len() - 1] {
            assert_eq!(pieces(&mut framing, &[*byte]), []);
        }
        let last = pieces(&mut framing, &[0]);
        assert_eq!(last, [Piece { bytes: close.into(), begins: true, closes: true }]);
    }

    #[test]
    fn an_incomplete_frame_is_returned_at_the_end() {
        let mut framing = Framing::default();
        assert_eq!(pieces(&mut framing, &[0x81, 0x85, 1]), []);
        assert_eq!(*framing.rest().unwrap().bytes, [0x81, 0x85, 1]);
        // A frame may claim any length.
        let claim = [&[0x82, 127][..], &[0xFF; 8]].concat();
        assert!(pieces(&mut framing, &claim)[0].begins);
        assert!(!pieces(&mut framing, &[0x88; 4])[0].closes, "it belongs to the one that has begun");
    }
}
