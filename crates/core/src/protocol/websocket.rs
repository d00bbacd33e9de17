//! Headers of WebSocket frames (RFC 6455 section 5.2), read and written for the server, its inspection page and the load tool.
//!
//! A header says nothing about whether its frame is valid: each reader checks that by its own rules.

/// The bit of the first byte that marks the last frame of a message.
pub const FIN: u8 = 0x80;
/// The bits of the first byte that are reserved for extensions.
const RESERVED: u8 = 0x70;
/// The opcode of a fragment after the first one.
pub const CONTINUATION: u8 = 0x0;
/// The opcode of a text message.
pub const TEXT: u8 = 0x1;
/// The opcode of a binary message.
pub const BINARY: u8 = 0x2;
/// The opcode of a close frame.
pub const CLOSE: u8 = 0x8;
/// The opcode of a ping.
pub const PING: u8 = 0x9;
/// The opcode of a pong.
pub const PONG: u8 = 0xA;
/// The longest payload of a control frame, in bytes (RFC 6455 section 5.5).
pub const CONTROL_BYTES_MAX: usize = 125;
/// The longest header, in bytes.
pub const HEADER_BYTES_MAX: usize = 14;

/// The bit of the second byte that marks a masked frame.
const MASKED: u8 = 0x80;
/// The length in the second byte that stands for one in the next 2 bytes.
const LENGTH_16: u8 = 126;
/// The length in the second byte that stands for one in the next 8 bytes.
const LENGTH_64: u8 = 127;
/// The length of the masking key, in bytes.
const MASK_BYTES: usize = 4;
/// Payload is unmasked in steps of so many bytes, a multiple of the masking key's length.
const STEP_BYTES: usize = 4_096;

/// The header of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// FIN, the reserved bits and the opcode.
    pub first_byte: u8,
    /// How long the payload claims to be, in bytes.
    pub payload_bytes: u64,
    /// How long the header is, in bytes. A peer may use a longer form than it has to.
    pub bytes: usize,
    /// The masking key; `None` when the frame is not masked.
    pub mask: Option<[u8; MASK_BYTES]>,
}

impl FrameHeader {
    /// Returns the header in its shortest form.
    pub fn new(first_byte: u8, payload_bytes: u64, mask: Option<[u8; MASK_BYTES]>) -> Self {
        let length_bytes = match payload_bytes {
            ..126 => 0,
            126..=0xFFFF => 2,
            _ => 8,
        };
        Self { first_byte, payload_bytes, bytes: 2 + length_bytes + mask.map_or(0, |mask| mask.len()), mask }
    }

    /// Reads the header that begins here.
    ///
    /// # Errors
    ///
    /// Returns how many bytes the header has, as far as is known, when not all of them are here.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Self, usize> {
        let [first_byte, second, ref rest @ ..] = *bytes else { return Err(2) };
        let length_bytes = match second & !MASKED {
            LENGTH_16 => 2,
            LENGTH_64 => 8,
            _ => 0,
        };
        let is_masked = second & MASKED != 0;
        let header_bytes = 2 + length_bytes + if is_masked { MASK_BYTES } else { 0 };
        let Some((length, rest)) = rest.split_at_checked(length_bytes) else { return Err(header_bytes) };
        let payload_bytes = match length {
            [] => u64::from(second & !MASKED),
            length => length.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)),
        };
        let mask = rest.first_chunk().copied().filter(|_| is_masked);
        if is_masked && mask.is_none() {
            return Err(header_bytes);
        }
        Ok(Self { first_byte, payload_bytes, bytes: header_bytes, mask })
    }

    /// Writes the header into `room`, and returns it.
    pub fn encode<'a>(&self, room: &'a mut [u8; HEADER_BYTES_MAX]) -> &'a [u8] {
        let (length, masked) = (self.payload_bytes.to_be_bytes(), if self.mask.is_some() { MASKED } else { 0 });
        let mask_bytes = self.mask.map_or(0, |mask| mask.len());
        let (second, length) = match self.bytes - mask_bytes {
            2 => (length[7], &[][..]),
            4 => (LENGTH_16, &length[6..]),
            _ => (LENGTH_64, &length[..]),
        };
        room[..2].copy_from_slice(&[self.first_byte, masked | second]);
        room[2..2 + length.len()].copy_from_slice(length);
        room[self.bytes - mask_bytes..self.bytes].copy_from_slice(&self.mask.unwrap_or_default()[..mask_bytes]);
        &room[..self.bytes]
    }

    /// Returns the kind of the frame.
    pub const fn opcode(&self) -> u8 {
        self.first_byte & 0x0F
    }

    /// Returns whether the frame is a ping, a pong or a close.
    pub const fn is_control(&self) -> bool {
        self.opcode() & 0x08 != 0
    }

    /// Returns whether the frame is the last one of its message.
    pub const fn is_last(&self) -> bool {
        self.first_byte & FIN != 0
    }

    /// Returns whether a bit is set that only an extension may set.
    pub const fn is_extended(&self) -> bool {
        self.first_byte & RESERVED != 0
    }

    /// Returns how long the whole frame claims to be, in bytes.
    pub const fn frame_bytes(&self) -> u64 {
        self.payload_bytes.saturating_add(self.bytes as u64)
    }

    /// Calls `take` with the unmasked payload from its byte `from` on, in pieces, as far as it is in `frame`, which begins with
    /// this header.
    ///
    /// # Errors
    ///
    /// Returns the first error of `take`.
    pub fn unmask<E>(&self, frame: &[u8], from: usize, mut take: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let here = usize::try_from(self.frame_bytes()).unwrap_or(usize::MAX).min(frame.len());
        let masked = frame.get(self.bytes + from..here).unwrap_or_default();
        let mut mask = self.mask.unwrap_or_default();
        mask.rotate_left(from % MASK_BYTES);
        let mut step = [0; STEP_BYTES];
        for masked in masked.chunks(STEP_BYTES) {
            for (index, byte) in masked.iter().enumerate() {
                step[index] = byte ^ mask[index % MASK_BYTES];
            }
            take(&step[..masked.len()])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
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
    fn the_examples_of_the_rfc_are_read() {
        // RFC 6455 section 5.7: single-frame text messages that contain "Hello", masked and unmasked, then the header of
        // binary messages of 256 bytes and of 64 KiB.
        let frame = [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58];
        let header = FrameHeader::parse(&frame).unwrap();
        assert_eq!(header, FrameHeader { first_byte: 0x81, payload_bytes: 5, bytes: 6, mask: Some(MASK) });
        assert_eq!((header.opcode(), header.is_control(), header.is_last()), (TEXT, false, true));
        for from in 0..=5 {
            assert_eq!(unmasked(header, &frame, from), b"Hello"[from..], "from {from}");
            assert_eq!(unmasked(header, &frame[..6 + from], 0), b"Hello"[..from], "until {from}");
        }
        assert_eq!(unmasked(header, &[frame.as_slice(), b"next"].concat(), 0), b"Hello", "no further than the frame");
        let plain = b"\x81\x05Hello";
        assert_eq!(unmasked(FrameHeader::parse(plain).unwrap(), plain, 1), b"ello");
        for (bytes, payload_bytes) in [(&[0x82, 0x7E, 1, 0][..], 256), (&[0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0], 65_536)]
        {
            let header = FrameHeader { first_byte: 0x82, payload_bytes, bytes: bytes.len(), mask: None };
            assert_eq!(FrameHeader::parse(bytes), Ok(header));
        }
    }

    #[test]
    fn a_longer_form_than_necessary_is_read() {
        let long = [0x88, 0xFF, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 3, 4];
        let header = FrameHeader { first_byte: 0x88, payload_bytes: 2, bytes: 14, mask: Some([1, 2, 3, 4]) };
        assert_eq!(FrameHeader::parse(&long), Ok(header));
        assert_eq!(header.encode(&mut [0; HEADER_BYTES_MAX]), long);
    }

    proptest! {
        #[test]
        fn a_header_is_read_as_it_was_written_and_tells_its_length_before(
            first_byte in any::<u8>(),
            payload_bytes in prop_oneof![0..130_u64, 65_530..65_540_u64, any::<u64>()],
            mask in prop::option::of(any::<[u8; 4]>()),
            after in prop::collection::vec(any::<u8>(), 0..5),
        ) {
            let header = FrameHeader::new(first_byte, payload_bytes, mask);
            let mut room = [0; HEADER_BYTES_MAX];
            let bytes = header.encode(&mut room);
            prop_assert_eq!(FrameHeader::parse(&[bytes, &after].concat()), Ok(header));
            for until in 0..bytes.len() {
                prop_assert_eq!(FrameHeader::parse(&bytes[..until]), Err(if until < 2 { 2 } else { header.bytes }));
            }
        }
    }

    #[test]
    fn a_payload_of_many_steps_is_unmasked() {
        let payload: Vec<u8> = (0..=255).cycle().take(3 * STEP_BYTES + 5).collect();
        let masked = payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask);
        let header = FrameHeader::new(FIN | BINARY, payload.len() as u64, Some(MASK));
        let frame: Vec<u8> = header.encode(&mut [0; HEADER_BYTES_MAX]).iter().copied().chain(masked).collect();
        for from in [0, 1, 2, 3, 4_095, 4_096, payload.len()] {
            assert!(unmasked(header, &frame, from) == payload[from..], "from {from}");
        }
    }
}
