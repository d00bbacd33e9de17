//! WebSocket frames (RFC 6455 section 5): reads what a server sends, in place in the read buffer; writes what a client
//! sends. Knows neither sockets nor what messages mean.

use tickcast_core::protocol::websocket::{BINARY, CONTINUATION, CONTROL_BYTES_MAX, FIN, FrameHeader, HEADER_BYTES_MAX};
pub(crate) use tickcast_core::protocol::websocket::{CLOSE, PING, PONG, TEXT};

/// The longest message of a server, in bytes.
pub(crate) const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// What a server has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Incoming<'a> {
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
pub(crate) enum FrameError {
    /// Reserved bits, a reserved opcode, a mask, a bad control frame, fragments out of order.
    Protocol,
    /// Longer than [`MESSAGE_BYTES_MAX`].
    TooBig,
}

/// Cuts one connection's bytes into messages. Between two reads it holds nothing but the beginning of an unfinished frame
/// and the fragments of an unfinished message.
#[derive(Debug, Default)]
pub(crate) struct FrameReader {
    rest: Vec<u8>,
    fragments: Vec<u8>,
    fragmented: bool,
    /// How many frames have been read.
    frames: u64,
}

impl FrameReader {
    /// Puts the unfinished frame at the start of the buffer, which grows until there is as much room again as `room_min`
    /// behind it, and returns where the next bytes belong.
    pub(crate) fn restore(&self, buffer: &mut Vec<u8>, room_min: usize) -> usize {
        let len = self.rest.len();
        if buffer.len() < len + room_min {
            buffer.resize(len + room_min, 0);
        }
        buffer[..len].copy_from_slice(&self.rest);
        len
    }

    /// Keeps bytes that cannot be read as frames yet, in place of what was kept before.
    pub(crate) fn keep(&mut self, bytes: &[u8]) {
        self.rest.clear();
        self.rest.extend_from_slice(bytes);
    }

    /// Hands everything that is complete to `sink`, and keeps the rest. `bytes` begins with what
    /// [`restore`](Self::restore) has put there.
    ///
    /// # Errors
    ///
    /// Returns why the connection must end, or what `sink` returned. The reader is of no use then.
    pub(crate) fn take<E: From<FrameError>>(
        &mut self,
        bytes: &[u8],
        mut sink: impl FnMut(Incoming<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut at = 0;
        while let Some((header, len)) = parse_header(&bytes[at..])? {
            let Some(payload) = bytes[at..].get(header.bytes..header.bytes + len) else { break };
            at += header.bytes + len;
            self.frames += 1;
            self.take_frame(header, payload, &mut sink)?;
        }
        self.keep(&bytes[at..]);
        if at == bytes.len() && self.rest.capacity() > MESSAGE_BYTES_MAX / 256 {
            self.rest = Vec::new();
        }
        Ok(())
    }

    fn take_frame<E: From<FrameError>>(
        &mut self,
        header: FrameHeader,
        payload: &[u8],
        sink: &mut impl FnMut(Incoming<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        match (header.opcode(), self.fragmented) {
            (TEXT | BINARY, false) if header.is_last() => sink(Incoming::Message(payload)),
            (TEXT | BINARY, false) | (CONTINUATION, true) => {
                if self.fragments.len() + payload.len() > MESSAGE_BYTES_MAX {
                    return Err(FrameError::TooBig.into());
                }
                self.fragments.extend_from_slice(payload);
                self.fragmented = !header.is_last();
                if header.is_last() {
                    let message = std::mem::take(&mut self.fragments);
                    sink(Incoming::Message(&message))?;
                }
                Ok(())
            }
            (PING, _) => sink(Incoming::Ping(payload)),
            (PONG, _) => sink(Incoming::Pong),
            (CLOSE, _) => match payload {
                [] => sink(Incoming::Close(1005)),
                [_] => Err(FrameError::Protocol.into()),
                [high, low, ..] => sink(Incoming::Close(u16::from_be_bytes([*high, *low]))),
            },
            _ => Err(FrameError::Protocol.into()),
        }
    }

    /// Returns how many frames were read since the last call.
    pub(crate) fn take_frame_count(&mut self) -> u64 {
        std::mem::take(&mut self.frames)
    }
}

/// Returns the header of the frame that begins here, and how long its payload is; `None` when the header is not all there.
#[inline]
fn parse_header(bytes: &[u8]) -> Result<Option<(FrameHeader, usize)>, FrameError> {
    let Ok(header) = FrameHeader::parse(bytes) else { return Ok(None) };
    let is_bad_control = header.is_control() && (!header.is_last() || header.payload_bytes > CONTROL_BYTES_MAX as u64);
    if header.is_extended() || header.mask.is_some() || is_bad_control {
        return Err(FrameError::Protocol);
    }
    match usize::try_from(header.payload_bytes) {
        Ok(len) if len <= MESSAGE_BYTES_MAX => Ok(Some((header, len))),
        _ => Err(FrameError::TooBig),
    }
}

/// Appends a whole client frame, masked as section 5.3 demands. The key needs to be no secret on a loopback connection.
pub(crate) fn append_frame(out: &mut Vec<u8>, opcode: u8, payload: &[u8], mask: [u8; 4]) {
    let header = FrameHeader::new(FIN | opcode, payload.len() as u64, Some(mask));
    out.extend_from_slice(header.encode(&mut [0; HEADER_BYTES_MAX]));
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket};

    fn server_frame(fin: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![u8::from(fin) << 7 | opcode];
        match payload.len() {
            len @ ..=125 => bytes.push(u8::try_from(len).unwrap()),
            len @ 126..=65_535 => {
                bytes.push(126);
                bytes.extend(u16::try_from(len).unwrap().to_be_bytes());
            }
            len => {
                bytes.push(127);
                bytes.extend((len as u64).to_be_bytes());
            }
        }
        bytes.extend_from_slice(payload);
        bytes
    }

    /// Reads the stream in pieces of these lengths, and what is left in one; lists what came out.
    fn read(stream: &[u8], pieces: &[usize]) -> Result<Vec<String>, FrameError> {
        let (mut reader, mut buffer, mut out) = (FrameReader::default(), vec![0xEE; 8], Vec::new());
        let mut stream = stream;
        for piece in pieces.iter().copied().chain([usize::MAX]) {
            let (now, later) = stream.split_at(piece.min(stream.len()));
            stream = later;
            let at = reader.restore(&mut buffer, now.len());
            buffer[at..at + now.len()].copy_from_slice(now);
            reader.take(&buffer[..at + now.len()], |incoming| {
                out.push(format!("{incoming:?}"));
                Ok::<(), FrameError>(())
            })?;
        }
        assert!(reader.rest.is_empty(), "the stream ends with a whole frame");
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
            let mut bytes = Vec::new();
            append_frame(&mut bytes, TEXT, &payload, [1, 2, 3, 4]);
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
