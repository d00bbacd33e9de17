//! What a WebSocket client sends: bytes into frames, frames into messages, with bounds on size.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_codec::Decoder;
use actix_http::ws::{Codec, Frame, Item, ProtocolError};
use actix_web::web::Payload;
use bytes::{Bytes, BytesMut};
use futures_core::Stream;

use crate::protocol::CloseReason;

/// The longest header of a client's frame, in bytes (RFC 6455 section 5.2).
const FRAME_HEADER_BYTES_MAX: usize = 14;

/// The frames of one connection. Ends after the first broken one.
pub(super) struct Frames {
    payload: Payload,
    codec: Codec,
    buffer: BytesMut,
    message_bytes_max: usize,
    ended: bool,
}

impl Frames {
    /// Returns the frames in this request body; one longer than `message_bytes_max` is an error, and no
    /// more than that is ever kept.
    pub(super) fn new(payload: Payload, message_bytes_max: usize) -> Self {
        let codec = Codec::new().max_size(message_bytes_max);
        Self { payload, codec, buffer: BytesMut::new(), message_bytes_max, ended: false }
    }

    fn decode(&mut self) -> Result<Option<Frame>, CloseReason> {
        if let Some(frame) = self.codec.decode(&mut self.buffer).map_err(|err| close_reason(&err))? {
            return Ok(Some(frame));
        }
        // The codec waits for the whole of a frame, however long it claims to be.
        if self.buffer.len() > self.message_bytes_max + FRAME_HEADER_BYTES_MAX {
            return Err(CloseReason::MessageTooBig);
        }
        Ok(None)
    }
}

impl Stream for Frames {
    type Item = Result<Frame, CloseReason>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let frames = &mut *self;
        loop {
            if frames.ended {
                return Poll::Ready(None);
            }
            match frames.decode() {
                Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(None) => {}
                Err(reason) => {
                    frames.ended = true;
                    return Poll::Ready(Some(Err(reason)));
                }
            }
            match ready!(Pin::new(&mut frames.payload).poll_next(cx)) {
                Some(Ok(bytes)) if frames.buffer.is_empty() => frames.buffer = BytesMut::from(bytes),
                Some(Ok(bytes)) => frames.buffer.extend_from_slice(&bytes),
                // The connection is gone.
                Some(Err(_)) | None => frames.ended = true,
            }
        }
    }
}

fn close_reason(err: &ProtocolError) -> CloseReason {
    match err {
        ProtocolError::Overflow => CloseReason::MessageTooBig,
        _ => CloseReason::ProtocolViolation,
    }
}

/// Puts fragments together (RFC 6455 section 5.4).
#[derive(Debug, Default)]
pub(super) struct Assembler {
    parts: BytesMut,
    open: bool,
}

impl Assembler {
    /// Takes a fragment; returns the message that it completes.
    ///
    /// # Errors
    ///
    /// Returns why the session must be closed: the message is too big, or binary.
    pub(super) fn push(&mut self, item: Item, message_bytes_max: usize) -> Result<Option<Bytes>, CloseReason> {
        let (part, last) = match item {
            Item::FirstText(part) => {
                self.open = true;
                (part, false)
            }
            Item::FirstBinary(_) => return Err(CloseReason::UnsupportedData),
            Item::Continue(part) => (part, false),
            Item::Last(part) => (part, true),
        };
        if self.parts.len() + part.len() > message_bytes_max {
            return Err(CloseReason::MessageTooBig);
        }
        self.parts.extend_from_slice(&part);
        if last {
            self.open = false;
        }
        Ok(last.then(|| std::mem::take(&mut self.parts).freeze()))
    }

    /// Returns whether a message has begun and not ended.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }
}
