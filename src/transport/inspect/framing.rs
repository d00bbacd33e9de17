//! Where the frames of one direction begin and end (RFC 6455 section 5.2), so that whole ones can be left out of a capture.
//!
//! Owns: nothing but that. Whether a frame is a good one is the session's business.

use std::borrow::Cow;

/// Frames up to this many bytes, header and all, come in one piece: every control frame has at most 139. In bytes.
const WHOLE_BYTES_MAX: u64 = 1_024;
/// The shortest header, in bytes.
const HEADER_BYTES_MIN: usize = 2;
const OPCODE_CLOSE: u8 = 8;

/// A run of bytes that belong to one frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    /// Whether a frame begins with it.
    pub(super) begins: bool,
    /// Whether it is a close frame.
    pub(super) closes: bool,
}

/// Follows one direction of a connection.
#[derive(Default)]
pub(super) struct Framing {
    /// The beginning of a frame: its header as far as it has come, or what has come of a frame that is kept whole.
    held: Vec<u8>,
    /// How many bytes of the frame are still to come whose beginning has been given out.
    left: u64,
}

impl Framing {
    /// Takes the next piece of these bytes; `None` when they are all taken. What is not given out yet is held.
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

    /// Takes what is held of a frame that will never be complete.
    pub(super) fn rest(&mut self) -> Option<Piece<'static>> {
        (!self.held.is_empty()).then(|| self.begin())
    }

    fn begin(&mut self) -> Piece<'static> {
        let held = std::mem::take(&mut self.held);
        self.left = frame_len(&held).map_or(0, |(_, total)| total.saturating_sub(held.len() as u64));
        Piece { begins: true, closes: held[0] & 0x0F == OPCODE_CLOSE, bytes: held.into() }
    }
}

/// Returns how many bytes are held of a frame that begins so, before it is given out.
fn wanted(begun: &[u8]) -> usize {
    match frame_len(begun) {
        Some((_, total @ ..=WHOLE_BYTES_MAX)) => usize::try_from(total).expect("it is short"),
        Some((header, _)) => header,
        // Without its second byte nothing is known about the length of a header; with it, this is.
        None => begun.get(1).map_or(HEADER_BYTES_MIN, |second| header_len(*second)),
    }
}

/// Returns how long the header of a frame is that begins so, and the whole frame; `None` when the header is not complete.
fn frame_len(begun: &[u8]) -> Option<(usize, u64)> {
    let second = *begun.get(1)?;
    let header = header_len(second);
    if begun.len() < header {
        return None;
    }
    let big_endian = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
    let payload = match second & 0x7F {
        126 => big_endian(&begun[2..4]),
        127 => big_endian(&begun[2..10]),
        short => u64::from(short),
    };
    Some((header, payload.saturating_add(header as u64)))
}

/// Returns how long the header is with this second byte: the length may take 2 or 8 more, the masking key 4.
fn header_len(second: u8) -> usize {
    let length = match second & 0x7F {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    HEADER_BYTES_MIN + length + if second & 0x80 == 0 { 0 } else { 4 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns a frame with this first byte, mask or not, and a payload of zeros.
    fn frame(first: u8, masked: bool, payload: usize) -> Vec<u8> {
        let bit = if masked { 0x80 } else { 0 };
        let mut frame = match payload {
            0..126 => vec![first, bit | u8::try_from(payload).unwrap()],
            126..65_536 => [&[first, bit + 126][..], &u16::try_from(payload).unwrap().to_be_bytes()].concat(),
            _ => [&[first, bit + 127][..], &(payload as u64).to_be_bytes()].concat(),
        };
        frame.resize(frame.len() + payload + if masked { 4 } else { 0 }, 0);
        frame
    }

    fn pieces<'a>(framing: &mut Framing, mut bytes: &'a [u8]) -> Vec<Piece<'a>> {
        std::iter::from_fn(|| framing.next(&mut bytes)).collect()
    }

    proptest! {
        #[test]
        fn frames_begin_where_they_begin_however_they_are_cut(
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
    fn what_will_never_be_complete_is_given_out_at_the_end() {
        let mut framing = Framing::default();
        assert_eq!(pieces(&mut framing, &[0x81, 0x85, 1]), []);
        assert_eq!(*framing.rest().unwrap().bytes, [0x81, 0x85, 1]);
        // A frame may claim any length.
        let claim = [&[0x82, 127][..], &[0xFF; 8]].concat();
        assert!(pieces(&mut framing, &claim)[0].begins);
        assert!(!pieces(&mut framing, &[0x88; 4])[0].closes, "it belongs to the one that has begun");
    }
}
