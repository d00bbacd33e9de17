//! Frames of WebSocket clients: read like by a second, simpler reader, and the same wherever the bytes are split.

use std::convert::Infallible;

use tickcast::protocol::CloseReason;
use tickcast::protocol::websocket::{
    BINARY, CLOSE, CONTINUATION, CONTROL_BYTES_MAX, FrameHeader, HEADER_BYTES_MAX, PING, PONG, TEXT,
};
use tickcast::transport::fuzz::{Received, read_frames};

use super::parts::{cut, flip, take, take_distances};

/// Longest message of the client, in bytes.
const MESSAGE_BYTES_MAX: usize = 300;
const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

pub(super) fn run(mut data: &[u8]) {
    let is_raw = flip(&mut data);
    let distances = take_distances(&mut data);
    let bytes = if is_raw { data.to_vec() } else { built(data) };
    check_headers(&bytes);
    let (whole, error) = read_frames(&[&bytes], MESSAGE_BYTES_MAX);
    let (split, split_error) = read_frames(&cut(&bytes, distances), MESSAGE_BYTES_MAX);
    assert_eq!(whole, split, "split {distances:?}");
    assert_eq!(error.is_some(), split_error.is_some(), "split {distances:?}: {error:?}, {split_error:?}");
    let total: usize = whole.iter().map(|(_, payload)| payload.len()).sum();
    assert!(total <= bytes.len());
    for (opcode, payload) in &whole {
        let most = if opcode & 0x08 == 0 { MESSAGE_BYTES_MAX } else { CONTROL_BYTES_MAX };
        assert!(payload.len() <= most && (*opcode != TEXT || std::str::from_utf8(payload).is_ok()));
    }
    let (expected, is_wrong) = simple(&bytes);
    assert_eq!(whole, expected);
    assert_eq!(error.is_some(), is_wrong, "{error:?}");
    if let Some(error) = error {
        use CloseReason::{InvalidText, MessageTooBig, ProtocolViolation};
        assert!(matches!(error, InvalidText | MessageTooBig | ProtocolViolation), "{error:?}");
    }
}

/// Builds frames: of each a byte with FIN and the opcode, a length, and the payload; all masked.
fn built(mut data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !data.is_empty() {
        let first_byte = take(&mut data);
        let (payload, rest) = data.split_at(usize::from(take(&mut data)).min(data.len()));
        data = rest;
        let header = FrameHeader::new(first_byte, payload.len() as u64, Some(MASK));
        bytes.extend_from_slice(header.encode(&mut [0; HEADER_BYTES_MAX]));
        bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    }
    bytes
}

/// Checks that a header is written as it was read, and is incomplete without its last byte.
fn check_headers(bytes: &[u8]) {
    match FrameHeader::parse(bytes) {
        Ok(header) => {
            assert_eq!(header.encode(&mut [0; HEADER_BYTES_MAX]), &bytes[..header.bytes]);
            assert!(FrameHeader::parse(&bytes[..header.bytes - 1]).is_err_and(|least| least <= header.bytes));
        }
        Err(least) => assert!(bytes.len() < least && least <= HEADER_BYTES_MAX),
    }
}

/// Reads frames by the rules of RFC 6455 sections 5 and 7.4, slowly. Returns the messages, and whether an invalid byte follows.
fn simple(mut bytes: &[u8]) -> (Vec<Received>, bool) {
    let (mut received, mut open): (Vec<Received>, Option<Received>) = (Vec::new(), None);
    loop {
        if is_bad_begin(bytes) {
            return (received, true);
        }
        let Ok(header) = FrameHeader::parse(bytes) else { return (received, false) };
        let (opcode, is_control) = (header.opcode(), header.is_control());
        if is_control && (!header.is_last() || header.payload_bytes > CONTROL_BYTES_MAX as u64) {
            return (received, true);
        }
        let before = open.as_ref().map_or(0, |(_, before)| before.len());
        if !is_control && header.payload_bytes > MESSAGE_BYTES_MAX as u64 {
            return (received, true);
        }
        let is_whole = bytes.len() as u64 >= header.frame_bytes();
        let mut payload = Vec::new();
        let Ok(()) = header.unmask::<Infallible>(bytes, 0, |piece| {
            payload.extend_from_slice(piece);
            Ok(())
        });
        let is_text_so_far = match (&open, opcode) {
            (Some((TEXT, begun)), CONTINUATION) => may_be_text(&[begun.as_slice(), &payload].concat()),
            (None | Some((BINARY, _)), TEXT) => may_be_text(&payload),
            _ => true,
        };
        if !is_whole {
            // A wrong order of fragments is found when the frame is complete.
            return (received, !is_text_so_far);
        }
        bytes = &bytes[usize::try_from(header.frame_bytes()).expect("it is in memory")..];
        match (opcode, &mut open) {
            (PING | PONG, _) => received.push((opcode, payload)),
            (CLOSE, _) => {
                let is_good = is_close(&payload);
                received.extend(is_good.then_some((CLOSE, payload)));
                return (received, !is_good);
            }
            (CONTINUATION, Some(_)) if !is_text_so_far || before + payload.len() > MESSAGE_BYTES_MAX => {
                return (received, true);
            }
            (CONTINUATION, Some((_, begun))) => begun.extend_from_slice(&payload),
            (TEXT | BINARY, None) if is_text_so_far => open = Some((opcode, payload)),
            _ => return (received, true),
        }
        if !is_control && header.is_last() {
            let message = open.take().expect("a message has begun");
            if message.0 == TEXT && std::str::from_utf8(&message.1).is_err() {
                return (received, true);
            }
            received.push(message);
        }
    }
}

/// Returns whether a frame that begins so is invalid whatever follows: reserved bits, an unknown opcode, no mask, a length of more than
/// 63 bits.
fn is_bad_begin(bytes: &[u8]) -> bool {
    let [first, second, ..] = *bytes else { return false };
    let is_known = matches!(first & 0x0F, CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG);
    let is_too_long = second & 0x7F == 127 && bytes.len() >= 10 && bytes[2] & 0x80 != 0;
    first & 0x70 != 0 || !is_known || second & 0x80 == 0 || is_too_long
}

/// Returns whether the bytes may be the beginning of a text.
fn may_be_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).err().is_none_or(|err| err.error_len().is_none())
}

/// Returns whether this is a payload of a close frame.
fn is_close(payload: &[u8]) -> bool {
    let Some((code, text)) = payload.split_first_chunk() else { return payload.is_empty() };
    let is_code = matches!(u16::from_be_bytes(*code), 1000..=1003 | 1007..=1014 | 3000..=4999);
    is_code && std::str::from_utf8(text).is_ok()
}
