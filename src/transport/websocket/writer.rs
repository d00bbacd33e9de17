//! Messages into WebSocket frames (RFC 6455 section 5.2): joins the messages of one write into text frames. Server frames
//! are not masked, so what is written is the same for everybody.

use bytes::BytesMut;

use crate::hub::{Control, Sink};
use crate::protocol::websocket::{
    BINARY, CLOSE, CONTROL_BYTES_MAX, FIN, FrameHeader, HEADER_BYTES_MAX, PING, PONG, TEXT,
};
use crate::protocol::{CloseReason, Dialect, Publication};

/// Bytes reserved for the header of a text frame, enough for 65,535 bytes of payload.
const HEADER_BYTES: usize = 4;

/// Writes frames to the end of a buffer.
pub(super) struct FrameWriter<'a> {
    buffer: &'a mut BytesMut,
    dialect: Dialect,
    frame_bytes_max: usize,
    /// Where the open text frame begins.
    open: Option<usize>,
    /// Bytes of messages; what else there is frames them.
    payload: usize,
}

impl<'a> FrameWriter<'a> {
    /// Returns a writer that is full when it has written about `frame_bytes_max` bytes.
    pub(super) fn new(buffer: &'a mut BytesMut, dialect: Dialect, frame_bytes_max: usize) -> Self {
        Self { buffer, dialect, frame_bytes_max, open: None, payload: 0 }
    }

    /// Completes the last frame. Returns how many of the bytes written are messages; the others frame them.
    pub(super) fn finish(mut self) -> usize {
        self.end_text();
        self.payload
    }

    fn end_text(&mut self) {
        let Some(start) = self.open.take() else { return };
        self.buffer.extend_from_slice(b"]");
        let payload = self.buffer.len() - start - HEADER_BYTES;
        let header = FrameHeader::new(FIN | TEXT, payload as u64, None);
        if header.bytes != HEADER_BYTES {
            self.buffer.extend_from_slice(&[0; HEADER_BYTES_MAX]);
            let from = start + HEADER_BYTES;
            self.buffer.copy_within(from..from + payload, start + header.bytes);
            self.buffer.truncate(start + header.bytes + payload);
        }
        self.buffer[start..start + header.bytes].copy_from_slice(header.encode(&mut [0; HEADER_BYTES_MAX]));
    }

    fn control_frame(&mut self, opcode: u8, payload: &[u8]) {
        self.whole_frame(opcode, &payload[..payload.len().min(CONTROL_BYTES_MAX)]);
    }

    fn message_frame(&mut self, opcode: u8, payload: &[u8]) {
        self.whole_frame(opcode, payload);
        self.payload += payload.len();
    }

    /// Writes a frame of any length, its header in the shortest form.
    fn whole_frame(&mut self, opcode: u8, payload: &[u8]) {
        self.end_text();
        let header = FrameHeader::new(FIN | opcode, payload.len() as u64, None);
        self.buffer.extend_from_slice(header.encode(&mut [0; HEADER_BYTES_MAX]));
        self.buffer.extend_from_slice(payload);
    }

    fn close_frame(&mut self, reason: CloseReason) {
        let mut payload = reason.code().to_be_bytes().to_vec();
        payload.extend_from_slice(reason.text().as_bytes());
        self.control_frame(CLOSE, &payload);
    }
}

impl Sink for FrameWriter<'_> {
    fn control(&mut self, control: Control) {
        match control {
            Control::Message(bytes) => self.message(&bytes),
            Control::Text(payload) => self.message_frame(TEXT, &payload),
            Control::Binary(payload) => self.message_frame(BINARY, &payload),
            Control::Ping => self.control_frame(PING, b""),
            Control::Pong(payload) => self.control_frame(PONG, &payload),
            Control::Close(reason) => self.close_frame(reason),
            Control::CloseAnswer(None) => self.control_frame(CLOSE, b""),
            Control::CloseAnswer(Some(code)) => self.control_frame(CLOSE, &code.to_be_bytes()),
        }
    }

    fn message(&mut self, bytes: &[u8]) {
        if self.open.is_some() {
            self.buffer.extend_from_slice(b",");
        } else {
            self.open = Some(self.buffer.len());
            self.buffer.extend_from_slice(&[0; HEADER_BYTES]);
            self.buffer.extend_from_slice(b"[");
        }
        self.buffer.extend_from_slice(bytes);
        self.payload += bytes.len();
    }

    fn event(&mut self, publication: &Publication, skipped: u32) {
        let bytes = publication.encoded(self.dialect);
        if skipped == 0 {
            return self.message(bytes);
        }
        // The bytes are everybody's; what this session has not been sent is said before the closing brace.
        self.message(&bytes[..bytes.len() - 1]);
        let rest = format!(",\"skipped\":{skipped}}}");
        self.buffer.extend_from_slice(rest.as_bytes());
        self.payload += rest.len();
    }

    fn is_full(&self) -> bool {
        self.buffer.len() >= self.frame_bytes_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_codec::Decoder;
    use actix_http::ws::{Codec, Frame};
    use bytes::Bytes;

    fn frames(mut bytes: BytesMut) -> Vec<Frame> {
        let mut codec = Codec::new().client_mode().max_size(1 << 20);
        let mut frames = Vec::new();
        while let Some(frame) = codec.decode(&mut bytes).unwrap() {
            frames.push(frame);
        }
        assert!(bytes.is_empty(), "nothing but whole frames");
        frames
    }

    #[test]
    fn messages_of_every_length_make_one_frame_in_the_shortest_form() {
        for len in [0, 1, 122, 123, 124, 125, 126, 1_000, 65_532, 65_533, 65_534, 65_535, 100_000] {
            let mut buffer = BytesMut::from(&b""[..]);
            let mut writer = FrameWriter::new(&mut buffer, Dialect::Native, 1 << 20);
            let half = vec![b'x'; len / 2];
            let rest = vec![b'y'; len - len / 2];
            writer.message(&half);
            writer.message(&rest);
            assert_eq!(writer.finish(), len);
            let header = match len + 3 {
                ..=125 => 2,
                126..=65_535 => 4,
                _ => 10,
            };
            assert_eq!(buffer.len(), header + len + 3);
            let expected = [b"[".as_slice(), &half, b",", &rest, b"]"].concat();
            assert_eq!(frames(buffer), [Frame::Text(expected.into())], "{len}");
        }
    }

    #[test]
    fn a_message_as_it_is_makes_a_frame_of_its_own() {
        for len in [0, 1, 125, 126, 65_535, 65_536, 100_000] {
            let mut buffer = BytesMut::new();
            let mut writer = FrameWriter::new(&mut buffer, Dialect::Native, 1 << 20);
            let payload = Bytes::from(vec![b'x'; len]);
            writer.message(b"1");
            writer.control(Control::Text(payload.clone()));
            writer.control(Control::Binary(payload.clone()));
            writer.finish();
            let header = match len {
                ..=125 => 2,
                126..=65_535 => 4,
                _ => 10,
            };
            assert_eq!(buffer.len(), 5 + 2 * (header + len));
            let expected = [Frame::Text("[1]".into()), Frame::Text(payload.clone()), Frame::Binary(payload)];
            assert_eq!(frames(buffer), expected, "{len}");
        }
    }

    #[test]
    fn control_frames_stand_between_text_frames() {
        let mut buffer = BytesMut::new();
        let mut writer = FrameWriter::new(&mut buffer, Dialect::Native, 1 << 20);
        writer.control(Control::Message(b"1".to_vec()));
        writer.control(Control::Pong("abc".into()));
        writer.message(b"2");
        writer.control(Control::Close(CloseReason::Flood));
        assert_eq!(writer.finish(), 2, "control frames are no messages");
        let frames = frames(buffer);
        assert_eq!(frames[..3], [Frame::Text("[1]".into()), Frame::Pong("abc".into()), Frame::Text("[2]".into())]);
        let Frame::Close(Some(close)) = &frames[3] else { panic!() };
        assert_eq!(u16::from(close.code), 4000);
        assert_eq!(close.description.as_deref(), Some("too many requests a second"));
    }
}
