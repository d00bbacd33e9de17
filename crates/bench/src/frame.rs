//! WebSocket frames (RFC 6455 section 5): reads what a server sends, in place in the read buffer; writes what a client
//! sends. Knows neither sockets nor what messages mean.

use std::io::Cursor;

use tungstenite::protocol::frame::FrameHeader;
pub use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// The longest message of a server, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// The longest payload of a control frame (section 5.5).
const CONTROL_BYTES_MAX: u64 = 125;
/// The key of client frames; it needs to be no secret on loopback.
const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// What a server has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A whole message, put together when it came in fragments.
    Message(&'a [u8]),
    /// To be answered with the same payload.
    Ping(&'a [u8]),
    /// An answer to nothing we asked.
    Pong,
    /// The end, with its code; 1005 when it names none (RFC 6455 section 7.1.5).
    Close(u16),
}

/// Why what a server sends cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Reserved bits, a reserved opcode, a mask, a bad control frame, fragments out of order.
    Protocol,
    /// Longer than [`MESSAGE_BYTES_MAX`].
    TooBig,
}

/// Cuts one connection's bytes into messages. Between two reads it holds nothing but the fragments of an unfinished message.
#[derive(Debug, Default)]
pub struct FrameReader {
    fragments: Vec<u8>,
    fragmented: bool,
    /// How many frames have been read.
    pub frames: u64,
}

impl FrameReader {
    /// Hands every message and control frame that is complete to `sink`; returns how many bytes these were. The rest has to
    /// come again, with more behind it.
    ///
    /// # Errors
    ///
    /// Returns why the connection must end, or what `sink` returned. The reader is of no use then.
    pub fn take<E: From<FrameError>>(
        &mut self,
        bytes: &[u8],
        mut sink: impl FnMut(Incoming<'_>) -> Result<(), E>,
    ) -> Result<usize, E> {
        let mut at = 0;
        while let Some((header, payload_at, len)) = parse_header(&bytes[at..])? {
            let Some(payload) = bytes[at..].get(payload_at..payload_at + len) else { break };
            at += payload_at + len;
            self.frames += 1;
            self.take_frame(&header, payload, &mut sink)?;
        }
        Ok(at)
    }

    fn take_frame<E: From<FrameError>>(
        &mut self,
        header: &FrameHeader,
        payload: &[u8],
        sink: &mut impl FnMut(Incoming<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        match (header.opcode, self.fragmented) {
            (OpCode::Data(Data::Text | Data::Binary), false) if header.is_final => sink(Incoming::Message(payload)),
            (OpCode::Data(Data::Text | Data::Binary), false) | (OpCode::Data(Data::Continue), true) => {
                if self.fragments.len() + payload.len() > MESSAGE_BYTES_MAX {
                    return Err(FrameError::TooBig.into());
                }
                self.fragments.extend_from_slice(payload);
                self.fragmented = !header.is_final;
                if header.is_final {
                    let message = std::mem::take(&mut self.fragments);
                    sink(Incoming::Message(&message))?;
                }
                Ok(())
            }
            (OpCode::Control(Control::Ping), _) => sink(Incoming::Ping(payload)),
            (OpCode::Control(Control::Pong), _) => sink(Incoming::Pong),
            (OpCode::Control(Control::Close), _) => match payload {
                [] => sink(Incoming::Close(1005)),
                [_] => Err(FrameError::Protocol.into()),
                [high, low, ..] => sink(Incoming::Close(u16::from_be_bytes([*high, *low]))),
            },
            _ => Err(FrameError::Protocol.into()),
        }
    }
}

/// Returns the header, where the payload begins and how long it is; `None` when the header is not all there.
#[inline]
fn parse_header(bytes: &[u8]) -> Result<Option<(FrameHeader, usize, usize)>, FrameError> {
    let mut cursor = Cursor::new(bytes);
    let Some((header, len)) = FrameHeader::parse(&mut cursor).map_err(|_| FrameError::Protocol)? else {
        return Ok(None);
    };
    let is_control = matches!(header.opcode, OpCode::Control(_));
    let is_reserved = header.rsv1 || header.rsv2 || header.rsv3;
    if is_reserved || header.mask.is_some() || (is_control && (!header.is_final || len > CONTROL_BYTES_MAX)) {
        return Err(FrameError::Protocol);
    }
    match (usize::try_from(cursor.position()), usize::try_from(len)) {
        (Ok(at), Ok(len)) if len <= MESSAGE_BYTES_MAX => Ok(Some((header, at, len))),
        _ => Err(FrameError::TooBig),
    }
}

/// Returns a whole client frame, masked as section 5.3 demands.
pub fn client_frame(opcode: OpCode, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let header = FrameHeader { opcode, mask: Some(MASK), ..FrameHeader::default() };
    // A vector takes everything.
    let _ = header.format(payload.len() as u64, &mut out);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tungstenite::protocol::frame::Frame;
    use tungstenite::protocol::{Role, WebSocket};

    const TEXT: OpCode = OpCode::Data(Data::Text);
    const BINARY: OpCode = OpCode::Data(Data::Binary);
    const CONTINUATION: OpCode = OpCode::Data(Data::Continue);
    const CLOSE: OpCode = OpCode::Control(Control::Close);
    const PING: OpCode = OpCode::Control(Control::Ping);
    const PONG: OpCode = OpCode::Control(Control::Pong);

    fn server_frame(is_final: bool, opcode: OpCode, payload: &[u8]) -> Vec<u8> {
        let header = FrameHeader { is_final, opcode, ..FrameHeader::default() };
        let mut bytes = Vec::new();
        Frame::from_payload(header, payload.to_vec().into()).format(&mut bytes).unwrap();
        bytes
    }

    /// Reads the stream in pieces of these lengths, and what is left in one; lists what came out.
    fn read(stream: &[u8], pieces: &[usize]) -> Result<Vec<String>, FrameError> {
        let (mut reader, mut out, mut from, mut to) = (FrameReader::default(), Vec::new(), 0, 0);
        for piece in pieces.iter().copied().chain([usize::MAX]) {
            to = stream.len().min(piece.saturating_add(to));
            from += reader.take(&stream[from..to], |incoming| {
                out.push(format!("{incoming:?}"));
                Ok::<(), FrameError>(())
            })?;
        }
        assert_eq!(from, stream.len(), "the stream ends with a whole frame");
        Ok(out)
    }

    #[test]
    fn fragments_are_put_together_around_control_frames() {
        let payload = vec![7; 70_000];
        let stream = [
            server_frame(false, TEXT, b"ab"),
            server_frame(true, PING, b"p"),
            server_frame(false, CONTINUATION, b""),
            server_frame(true, CONTINUATION, b"c"),
            server_frame(true, PONG, b""),
            server_frame(true, BINARY, &payload),
            server_frame(true, CLOSE, &[0x03, 0xE9, b'x']),
            server_frame(true, CLOSE, b""),
        ];
        let expected = [
            Incoming::Ping(b"p"),
            Incoming::Message(b"abc"),
            Incoming::Pong,
            Incoming::Message(&payload),
            Incoming::Close(1001),
            Incoming::Close(1005),
        ]
        .map(|incoming| format!("{incoming:?}"));
        assert_eq!(read(&stream.concat(), &[]).unwrap(), expected);
    }

    #[test]
    fn what_breaks_the_protocol_is_refused() {
        let masked = [0x81, 0x80, 0, 0, 0, 0];
        let reserved_bit = [0xC1, 0];
        let reserved_opcode = [0x83, 0];
        let fragmented_ping = [0x09, 0];
        let long_ping = [0x89, 126, 0, 126];
        let stray_continuation = [0x80, 0];
        let text_within_fragments = [0x01, 0, 0x81, 0];
        let short_close = [0x88, 1, 3];
        for bytes in [&masked[..], &reserved_bit, &reserved_opcode, &fragmented_ping, &long_ping] {
            assert_eq!(read(bytes, &[]), Err(FrameError::Protocol), "{bytes:x?}");
        }
        for bytes in [&stray_continuation[..], &text_within_fragments, &short_close] {
            assert_eq!(read(bytes, &[]), Err(FrameError::Protocol), "{bytes:x?}");
        }
        let mut huge = vec![0x81, 127];
        huge.extend(u64::MAX.to_be_bytes());
        assert_eq!(read(&huge, &[]), Err(FrameError::TooBig));
    }

    #[test]
    fn another_decoder_reads_what_is_written() {
        for len in [0, 1, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; len];
            let bytes = client_frame(TEXT, &payload);
            let end = bytes.len() as u64;
            let mut server = WebSocket::from_raw_socket(std::io::Cursor::new(bytes), Role::Server, None);
            assert_eq!(server.read().unwrap().into_text().unwrap().as_bytes(), payload);
            assert_eq!(server.get_ref().position(), end);
        }
    }

    fn frames() -> impl Strategy<Value = Vec<u8>> {
        let lens = || prop_oneof![0..8_usize, 120..130_usize, 65_530..65_540_usize];
        let payload =
            || (any::<u8>(), lens()).prop_map(|(byte, len)| (byte..=u8::MAX).cycle().take(len).collect::<Vec<_>>());
        let whole = (prop::sample::select(&[TEXT, BINARY][..]), payload())
            .prop_map(|(opcode, payload)| server_frame(true, opcode, &payload));
        let fragmented = (payload(), payload(), payload()).prop_map(|(first, second, third)| {
            let ping = server_frame(true, PING, &second[..second.len().min(125)]);
            let (first, second) = (server_frame(false, TEXT, &first), server_frame(false, CONTINUATION, &second));
            [first, ping, second, server_frame(true, CONTINUATION, &third)].concat()
        });
        prop::collection::vec(prop_oneof![4 => whole, 1 => fragmented], 0..8).prop_map(|frames| frames.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_split_into_reads_gives_the_same(
            stream in frames(),
            pieces in prop::collection::vec(prop_oneof![0..6_usize, 100..140_usize, 60_000..70_000_usize], 0..60),
        ) {
            prop_assert_eq!(read(&stream, &pieces), read(&stream, &[]));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = FrameReader::default().take(&bytes, |_| Ok::<(), FrameError>(()));
        }
    }
}
