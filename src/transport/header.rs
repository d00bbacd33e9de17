//! The header of a client's frame (RFC 6455 section 5.2), read while its payload is still on the way: what can be said
//! about a frame before the codec has all of it.

/// The first byte of a whole close frame.
pub(super) const CLOSE: u8 = 0x88;
/// The opcode of a fragment after the first one.
pub(super) const CONTINUATION: u8 = 0x0;
/// The opcode of text.
pub(super) const TEXT: u8 = 0x1;
/// The longest payload of a control frame, in bytes (RFC 6455 section 5.5).
pub(super) const CONTROL_BYTES_MAX: u64 = 125;

/// Payload is unmasked in steps of so many bytes, a multiple of the mask's length.
const STEP_BYTES: usize = 4_096;

/// The header of a masked frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    /// FIN, the reserved bits and the opcode.
    pub(super) first_byte: u8,
    /// How long the payload claims to be, in bytes.
    pub(super) payload_bytes: u64,
    /// How long the header is, in bytes.
    pub(super) bytes: usize,
    mask: [u8; 4],
}

impl FrameHeader {
    /// Returns the header of the frame that begins here, `None` while it is incomplete or when it is not masked.
    pub(super) fn peek(bytes: &[u8]) -> Option<Self> {
        let [first_byte, second, ..] = *bytes else { return None };
        let (payload_bytes, at) = match second & 0x7F {
            126 => (u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?).into(), 4),
            127 => (u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?), 10),
            length => (length.into(), 2),
        };
        let mask = *bytes.get(at..)?.first_chunk()?;
        let masked = second & 0x80 != 0;
        masked.then_some(Self { first_byte, payload_bytes, bytes: at + 4, mask })
    }

    /// Returns what kind of frame it is.
    pub(super) fn opcode(&self) -> u8 {
        self.first_byte & 0x0F
    }

    /// Returns whether it is a ping, a pong or a close.
    pub(super) fn is_control(&self) -> bool {
        self.opcode() & 0x08 != 0
    }

    /// Returns whether it is the last frame of its message.
    pub(super) fn is_last(&self) -> bool {
        self.first_byte & 0x80 != 0
    }

    /// Hands the payload from its byte `from` on to `take`, unmasked, as far as it is in `frame`, which begins with this
    /// header.
    ///
    /// # Errors
    ///
    /// Returns the first error of `take`.
    pub(super) fn unmask<E>(
        &self,
        frame: &[u8],
        from: usize,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let payload_bytes = usize::try_from(self.payload_bytes).unwrap_or(usize::MAX);
        let here = self.bytes.saturating_add(payload_bytes).min(frame.len());
        let masked = frame.get(self.bytes + from..here).unwrap_or_default();
        let mut mask = self.mask;
        mask.rotate_left(from % 4);
        let mut step = [0; STEP_BYTES];
        for masked in masked.chunks(STEP_BYTES) {
            for (index, byte) in masked.iter().enumerate() {
                step[index] = byte ^ mask[index % 4];
            }
            take(&step[..masked.len()])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

    fn unmasked(header: FrameHeader, frame: &[u8], from: usize) -> Vec<u8> {
        let mut payload = Vec::new();
        let Ok(()) = header.unmask::<Infallible>(frame, from, |bytes| {
            payload.extend_from_slice(bytes);
            Ok(())
        });
        payload
    }

    #[test]
    fn the_example_of_the_rfc_is_read() {
        // RFC 6455 section 5.7: a single-frame masked text message that contains "Hello".
        let frame = [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58];
        let header = FrameHeader::peek(&frame).unwrap();
        assert_eq!(header, FrameHeader { first_byte: 0x81, payload_bytes: 5, bytes: 6, mask: MASK });
        assert_eq!((header.opcode(), header.is_control(), header.is_last()), (TEXT, false, true));
        for from in 0..=5 {
            assert_eq!(unmasked(header, &frame, from), b"Hello"[from..], "from {from}");
            assert_eq!(unmasked(header, &frame[..6 + from], 0), b"Hello"[..from], "until {from}");
        }
        assert_eq!(unmasked(header, &[frame.as_slice(), b"next"].concat(), 0), b"Hello", "no further than the frame");
    }

    #[test]
    fn a_header_is_known_when_all_of_it_is_there() {
        let short = [&[0x89, 0x80 | 0x7D], MASK.as_slice()].concat();
        let middle = [&[0x01, 0x80 | 0x7E, 0x01, 0x00], MASK.as_slice()].concat();
        let long = [&[0x00, 0x80 | 0x7F, 0, 0, 1, 0, 0, 0, 0, 0], MASK.as_slice()].concat();
        for (header, payload_bytes) in [(short, 125), (middle, 256), (long, 1 << 40)] {
            for until in 0..header.len() {
                assert_eq!(FrameHeader::peek(&header[..until]), None);
            }
            let read = FrameHeader::peek(&header).unwrap();
            assert_eq!((read.payload_bytes, read.bytes, read.mask), (payload_bytes, header.len(), MASK));
        }
    }

    #[test]
    fn a_frame_without_a_mask_has_no_header_here() {
        assert_eq!(FrameHeader::peek(b"\x81\x05Hello"), None);
    }

    #[test]
    fn a_payload_of_many_steps_is_unmasked() {
        let payload: Vec<u8> = (0..=255).cycle().take(3 * STEP_BYTES + 5).collect();
        let masked = payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask);
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        let frame: Vec<u8> = [0x82, 0x80 | 0x7E].into_iter().chain(length).chain(MASK).chain(masked).collect();
        let header = FrameHeader::peek(&frame).unwrap();
        for from in [0, 1, 2, 3, 4_095, 4_096, payload.len()] {
            assert!(unmasked(header, &frame, from) == payload[from..], "from {from}");
        }
    }
}
