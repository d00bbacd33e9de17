//! Entrance of the fuzz target `frames`.

use actix_http::ws::Frame;

use crate::protocol::CloseReason;
use crate::protocol::websocket::{BINARY, CLOSE, PING, PONG, TEXT};
use crate::transport::websocket::reader::{Assembler, FrameDecoder};

/// A message or a control frame that a client has sent: its opcode and its payload.
pub type Received = (u8, Vec<u8>);

/// Reads the frames of a client whose bytes arrive in these pieces, and joins fragments, as a session does that takes binary messages.
/// Returns the messages before the first error or close frame, and the error.
pub fn read_frames(pieces: &[&[u8]], message_bytes_max: usize) -> (Vec<Received>, Option<CloseReason>) {
    let (mut decoder, mut assembler) = (FrameDecoder::new(message_bytes_max), Assembler::default());
    let mut received = Vec::new();
    for piece in pieces {
        decoder.buffer.extend_from_slice(piece);
        loop {
            match next(&mut decoder, &mut assembler, message_bytes_max) {
                Ok(Next::Message(message)) => {
                    received.push(message);
                    if received.last().is_some_and(|(opcode, _)| *opcode == CLOSE) {
                        return (received, None);
                    }
                }
                Ok(Next::Fragment) => {}
                Ok(Next::Nothing) => break,
                Err(reason) => return (received, Some(reason)),
            }
        }
    }
    (received, None)
}

enum Next {
    Message(Received),
    Fragment,
    Nothing,
}

fn next(decoder: &mut FrameDecoder, assembler: &mut Assembler, bytes_max: usize) -> Result<Next, CloseReason> {
    let message = match decoder.decode(|_, _| Ok(()))? {
        None => return Ok(Next::Nothing),
        Some(Frame::Continuation(item)) => assembler.push(item, bytes_max, true)?,
        Some(frame) => Some(frame),
    };
    Ok(match message {
        // The assembler returns whole messages.
        None | Some(Frame::Continuation(_)) => Next::Fragment,
        Some(Frame::Text(payload)) => {
            std::str::from_utf8(&payload).map_err(|_| CloseReason::InvalidText)?;
            Next::Message((TEXT, payload.to_vec()))
        }
        Some(Frame::Binary(payload)) => Next::Message((BINARY, payload.to_vec())),
        Some(Frame::Ping(payload)) => Next::Message((PING, payload.to_vec())),
        Some(Frame::Pong(payload)) => Next::Message((PONG, payload.to_vec())),
        Some(Frame::Close(close)) => {
            let parts = close.map(|close| (u16::from(close.code), close.description.unwrap_or_default()));
            let payload = parts.map(|(code, text)| [&code.to_be_bytes(), text.as_bytes()].concat());
            Next::Message((CLOSE, payload.unwrap_or_default()))
        }
    })
}
