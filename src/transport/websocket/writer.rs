//! Messages into WebSocket frames (RFC 6455 section 5.2). Frames of a server are not masked, so events are the same bytes for all
//! sessions.

use bytes::BytesMut;

use crate::domain::Event;
use crate::hub::{Control, Sink};
use crate::protocol::websocket::{
    BINARY, CLOSE, CONTROL_BYTES_MAX, FIN, FrameHeader, HEADER_BYTES_MAX, PING, PONG, TEXT,
};
use crate::protocol::{CloseReason, Dialect, Publication, ServerMessage};
use crate::transport::messages::{Envelope, MessageWriter};

/// Room kept for the header of a frame of messages, enough for 65,535 bytes of payload.
const HEADER_BYTES: usize = 4;

/// A frame of messages.
struct MessageFrame;

impl Envelope for MessageFrame {
    fn begin(buffer: &mut BytesMut) {
        buffer.extend_from_slice(&[0; HEADER_BYTES]);
    }

    fn end(buffer: &mut BytesMut, start: usize, is_text: bool) {
        let payload = buffer.len() - start - HEADER_BYTES;
        let header = FrameHeader::new(FIN | if is_text { TEXT } else { BINARY }, payload as u64, None);
        if header.bytes != HEADER_BYTES {
            buffer.extend_from_slice(&[0; HEADER_BYTES_MAX]);
            let from = start + HEADER_BYTES;
            buffer.copy_within(from..from + payload, start + header.bytes);
            buffer.truncate(start + header.bytes + payload);
        }
        buffer[start..start + header.bytes].copy_from_slice(header.encode(&mut [0; HEADER_BYTES_MAX]));
    }
}

/// Writes frames to the end of a buffer.
pub(super) struct FrameWriter<'a, D> {
    messages: MessageWriter<'a, D, MessageFrame>,
    frame_bytes_max: usize,
}

impl<'a, D: Dialect> FrameWriter<'a, D> {
    /// Returns a writer that is full when it has written about `frame_bytes_max` bytes.
    pub(super) fn new(buffer: &'a mut BytesMut, frame_bytes_max: usize) -> Self {
        Self { messages: MessageWriter::new(buffer), frame_bytes_max }
    }

    /// Completes the last frame. Returns how many of the written bytes are messages; the others are framing.
    pub(super) fn finish(mut self) -> usize {
        self.messages.between_frames();
        self.messages.payload()
    }

    fn control_frame(&mut self, opcode: u8, payload: &[u8]) {
        self.whole_frame(opcode, &payload[..payload.len().min(CONTROL_BYTES_MAX)]);
    }

    fn message_frame(&mut self, opcode: u8, payload: &[u8]) {
        self.whole_frame(opcode, payload);
        self.messages.count_payload(payload.len());
    }

    /// Writes a frame of any length, its header in the shortest form.
    fn whole_frame(&mut self, opcode: u8, payload: &[u8]) {
        let buffer = self.messages.between_frames();
        let header = FrameHeader::new(FIN | opcode, payload.len() as u64, None);
        buffer.extend_from_slice(header.encode(&mut [0; HEADER_BYTES_MAX]));
        buffer.extend_from_slice(payload);
    }

    fn close_frame(&mut self, reason: CloseReason) {
        let mut payload = D::close_code(reason).to_be_bytes().to_vec();
        payload.extend_from_slice(reason.text().as_bytes());
        self.control_frame(CLOSE, &payload);
    }
}

impl<D: Dialect> Sink for FrameWriter<'_, D> {
    fn control(&mut self, control: Control) {
        match control {
            Control::Message(message) => self.message(&message),
            Control::Text(payload) => self.message_frame(TEXT, &payload),
            Control::Binary(payload) => self.message_frame(BINARY, &payload),
            Control::Ping => self.control_frame(PING, b""),
            Control::Pong(payload) => self.control_frame(PONG, &payload),
            Control::Close(reason) => self.close_frame(reason),
            Control::CloseAnswer(None) => self.control_frame(CLOSE, b""),
            Control::CloseAnswer(Some(code)) => self.control_frame(CLOSE, &code.to_be_bytes()),
        }
    }

    fn message(&mut self, message: &ServerMessage) {
        self.messages.message(message);
    }

    fn has(&self, event: &Event) -> bool {
        D::event_group(event).is_some()
    }

    fn event(&mut self, publication: &Publication, skipped: u32) {
        self.messages.event(publication, skipped);
    }

    fn is_full(&self) -> bool {
        self.messages.bytes() >= self.frame_bytes_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_codec::Decoder;
    use actix_http::ws::{Codec, Frame};
    use bytes::Bytes;

    use crate::transport::plain::{Plain, text};

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
            let mut writer = FrameWriter::<Plain<true>>::new(&mut buffer, 1 << 20);
            let half = "x".repeat(len / 2);
            let rest = "y".repeat(len - len / 2);
            writer.message(&text(&half));
            writer.message(&text(&rest));
            assert_eq!(writer.finish(), len);
            let header = match len + 4 {
                ..=125 => 2,
                126..=65_535 => 4,
                _ => 10,
            };
            assert_eq!(buffer.len(), header + len + 4);
            assert_eq!(frames(buffer), [Frame::Text(format!("2[{half},{rest}]").into())], "{len}");
        }
    }

    #[test]
    fn a_text_or_binary_payload_makes_a_frame_of_its_own() {
        for len in [0, 1, 125, 126, 65_535, 65_536, 100_000] {
            let mut buffer = BytesMut::new();
            let mut writer = FrameWriter::<Plain<false>>::new(&mut buffer, 1 << 20);
            let payload = Bytes::from(vec![b'x'; len]);
            writer.message(&text("1"));
            writer.control(Control::Text(payload.clone()));
            writer.control(Control::Binary(payload.clone()));
            writer.finish();
            let header = match len {
                ..=125 => 2,
                126..=65_535 => 4,
                _ => 10,
            };
            assert_eq!(buffer.len(), 6 + 2 * (header + len));
            let expected = [Frame::Binary("1[1]".into()), Frame::Text(payload.clone()), Frame::Binary(payload)];
            assert_eq!(frames(buffer), expected, "{len}");
        }
    }

    #[test]
    fn control_frames_stand_between_text_frames() {
        let mut buffer = BytesMut::new();
        let mut writer = FrameWriter::<Plain<true>>::new(&mut buffer, 1 << 20);
        writer.control(Control::Message(text("1")));
        writer.control(Control::Pong("abc".into()));
        writer.message(&text("2"));
        writer.control(Control::Close(CloseReason::Flood));
        assert_eq!(writer.finish(), 2, "control frames are no messages");
        let frames = frames(buffer);
        assert_eq!(frames[..3], [Frame::Text("1[1]".into()), Frame::Pong("abc".into()), Frame::Text("1[2]".into())]);
        let Frame::Close(Some(close)) = &frames[3] else { panic!() };
        assert_eq!(u16::from(close.code), 4000);
        assert_eq!(close.description.as_deref(), Some("too many requests a second"));
    }
}
