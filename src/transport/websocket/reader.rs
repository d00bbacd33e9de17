//! Reads the frames of a WebSocket client, joins fragments into messages, and bounds the size of both.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use actix_codec::Decoder;
use actix_http::ws::{Codec, Frame, Item, ProtocolError};
use bytes::BytesMut;
use futures_core::Stream;
use tokio::time::{Sleep, sleep_until};

use crate::protocol::websocket::{CLOSE, CONTINUATION, CONTROL_BYTES_MAX, FIN, FrameHeader, TEXT};
use crate::protocol::{CloseReason, Dialect};
use crate::transport::websocket::budget::FrameBudget;
use crate::transport::websocket::socket::SessionSocket;
use crate::transport::websocket::utf8::Utf8Check;

/// The time between two reads that discard bytes, so that they use little CPU while the session closes. They find out whether the
/// client is gone.
const DISCARD_INTERVAL: Duration = Duration::from_millis(20);

/// The frames of one client, up to the first invalid one. Ends when the client has disconnected.
pub(super) struct FrameReader<D> {
    socket: Rc<SessionSocket<D>>,
    decoder: FrameDecoder,
    /// Whether the decoder's buffer may own more memory than its bytes need: it is a part of the thread's read buffer, or frames have
    /// been taken from it.
    is_spacious: bool,
    budget: FrameBudget,
    ended: bool,
    /// A frame was invalid or exceeded a limit: further bytes are discarded.
    has_failed: bool,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<D: Dialect> FrameReader<D> {
    /// Returns the frames of the client of this socket. A frame longer than `message_bytes_max` is an error once its header has
    /// arrived, a frame over `budget` once it is complete. The account of the client is charged for the bytes.
    pub(super) fn new(socket: Rc<SessionSocket<D>>, message_bytes_max: usize, budget: FrameBudget) -> Self {
        let decoder = FrameDecoder::new(message_bytes_max);
        Self { socket, decoder, is_spacious: false, budget, ended: false, has_failed: false, timer: None }
    }

    fn decode(&mut self) -> Result<Option<Frame>, CloseReason> {
        let Self { decoder, budget, socket, is_spacious, .. } = self;
        decoder.decode(|frame, bytes| {
            *is_spacious = true;
            budget.charge(frame)?;
            if let Some(account) = socket.account() {
                let payload = message_bytes(frame);
                account.received(payload, bytes - payload);
            }
            Ok(())
        })
    }

    /// Copies the rest of a larger buffer. Without this, the first byte of a frame would keep a whole read buffer alive until
    /// the last byte arrives.
    fn shrink(&mut self) {
        if std::mem::take(&mut self.is_spacious) {
            self.decoder.buffer = BytesMut::from(self.decoder.buffer.as_ref());
        }
    }
}

/// The bytes of one client, from which its frames are decoded.
pub(in crate::transport) struct FrameDecoder {
    codec: Codec,
    /// Bytes that have been read and not decoded.
    pub(in crate::transport) buffer: BytesMut,
    text: TextCheck,
    message_bytes_max: usize,
}

impl FrameDecoder {
    /// Returns a decoder without bytes, for which a frame longer than `message_bytes_max` is an error once its header has arrived.
    pub(in crate::transport) fn new(message_bytes_max: usize) -> Self {
        let codec = Codec::new().max_size(message_bytes_max);
        Self { codec, buffer: BytesMut::new(), text: TextCheck::default(), message_bytes_max }
    }

    /// Takes the next frame from the buffer, if all of it is there, and calls `charge` with it and the number of its bytes.
    ///
    /// # Errors
    ///
    /// Returns why the frame is invalid, as soon as the bytes that are there show it, or the error of `charge`.
    pub(in crate::transport) fn decode(
        &mut self,
        charge: impl FnOnce(&Frame, usize) -> Result<(), CloseReason>,
    ) -> Result<Option<Frame>, CloseReason> {
        let before = self.buffer.len();
        if self.buffer.first() == Some(&(FIN | CLOSE)) {
            self.check_close()?;
        }
        let frame = self.codec.decode(&mut self.buffer).map_err(|err| close_reason(&err))?;
        match &frame {
            Some(frame) => {
                charge(frame, before - self.buffer.len())?;
                self.text.end_frame(frame)?;
            }
            None => self.check_begun()?,
        }
        Ok(frame)
    }

    /// Checks an incomplete frame; the codec would wait for all of it, whatever length it claims.
    fn check_begun(&mut self) -> Result<(), CloseReason> {
        let Ok(header) = FrameHeader::parse(&self.buffer) else { return Ok(()) };
        if header.is_control() && (header.payload_bytes > CONTROL_BYTES_MAX as u64 || !header.is_last()) {
            return Err(CloseReason::ProtocolViolation);
        }
        if header.payload_bytes > self.message_bytes_max as u64 {
            return Err(CloseReason::MessageTooBig);
        }
        self.text.begin_frame(header, &self.buffer)
    }

    /// Checks the text of a close frame. The codec has one error for invalid UTF-8 and for an invalid code, which need
    /// different close codes.
    fn check_close(&self) -> Result<(), CloseReason> {
        let Ok(header) = FrameHeader::parse(&self.buffer) else { return Ok(()) };
        let is_complete = self.buffer.len() as u64 >= header.frame_bytes();
        if !is_complete || header.mask.is_none() || header.payload_bytes > CONTROL_BYTES_MAX as u64 {
            return Ok(());
        }
        let mut text = Utf8Check::default();
        // The first two bytes are the close code.
        header.unmask(&self.buffer, 2, |piece| text.push(piece))?;
        text.finish()
    }
}

impl<D: Dialect> Stream for FrameReader<D> {
    type Item = Result<Frame, CloseReason>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let frames = &mut *self;
        loop {
            if let Some(until) = frames.socket.pause().get() {
                // The rest must not keep the thread's read buffer meanwhile.
                frames.shrink();
                // Who ends the pause early wakes this task; it has read no further since the last frame, perhaps.
                frames.socket.keep_reader(cx);
                let timer = frames.timer.get_or_insert_with(|| Box::pin(sleep_until(until.into())));
                if timer.deadline() != until.into() {
                    timer.as_mut().reset(until.into());
                }
                ready!(timer.as_mut().poll(cx));
                frames.socket.pause().set(None);
            }
            frames.timer = None;
            if frames.ended {
                return Poll::Ready(None);
            }
            if !frames.has_failed {
                match frames.decode() {
                    Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                    Ok(None) => frames.shrink(),
                    Err(reason) => {
                        frames.has_failed = true;
                        frames.decoder.buffer = BytesMut::new();
                        return Poll::Ready(Some(Err(reason)));
                    }
                }
            }
            match ready!(frames.socket.poll_read(cx)) {
                Some(_) if frames.has_failed => {
                    frames.socket.pause().set(Some(Instant::now() + DISCARD_INTERVAL));
                }
                Some(bytes) if frames.decoder.buffer.is_empty() => {
                    frames.decoder.buffer = bytes;
                    frames.is_spacious = true;
                }
                Some(bytes) => frames.decoder.buffer.extend_from_slice(&bytes),
                // The client has disconnected.
                None => frames.ended = true,
            }
        }
    }
}

/// Returns the number of message bytes in this frame.
fn message_bytes(frame: &Frame) -> usize {
    match frame {
        Frame::Text(part)
        | Frame::Binary(part)
        | Frame::Continuation(
            Item::FirstText(part) | Item::FirstBinary(part) | Item::Continue(part) | Item::Last(part),
        ) => part.len(),
        Frame::Ping(_) | Frame::Pong(_) | Frame::Close(_) => 0,
    }
}

fn close_reason(err: &ProtocolError) -> CloseReason {
    match err {
        ProtocolError::Overflow => CloseReason::MessageTooBig,
        _ => CloseReason::ProtocolViolation,
    }
}

/// Validates text while its frames, and the bytes of each, arrive. Text in one frame that arrives at once is validated by the
/// message handler.
#[derive(Debug, Default)]
struct TextCheck {
    utf8: Utf8Check,
    /// Validated bytes of the incomplete frame.
    checked: usize,
    /// Whether a text message in fragments has begun and not ended.
    open: bool,
}

impl TextCheck {
    /// Validates the payload bytes of an incomplete frame; `frame` begins with its header.
    fn begin_frame(&mut self, header: FrameHeader, frame: &[u8]) -> Result<(), CloseReason> {
        if header.opcode() == if self.open { CONTINUATION } else { TEXT } {
            let Self { utf8, checked, .. } = self;
            header.unmask(frame, *checked, |piece| {
                *checked += piece.len();
                utf8.push(piece)
            })?;
        }
        Ok(())
    }

    /// Validates the rest of a complete frame.
    fn end_frame(&mut self, frame: &Frame) -> Result<(), CloseReason> {
        let Frame::Continuation(item) = frame else {
            // A control frame may stand between two frames of a message, but not inside one.
            if let Frame::Text(_) = frame {
                *self = Self::default();
            }
            return Ok(());
        };
        let (part, last) = match item {
            Item::FirstText(part) => {
                self.open = true;
                (part, false)
            }
            Item::FirstBinary(_) => return Ok(()),
            Item::Continue(part) => (part, false),
            Item::Last(part) => (part, true),
        };
        if !self.open {
            return Ok(());
        }
        let checked = std::mem::take(&mut self.checked);
        self.utf8.push(&part[checked..])?;
        if last {
            self.open = false;
            self.utf8.finish()?;
        }
        Ok(())
    }
}

/// Joins fragments into messages (RFC 6455 section 5.4).
#[derive(Debug, Default)]
pub(in crate::transport) struct Assembler {
    parts: BytesMut,
    /// Whether the incomplete message is binary; `None` between messages.
    open: Option<bool>,
}

impl Assembler {
    /// Takes a fragment; returns the message that it completes, like one that arrived in one frame.
    ///
    /// # Errors
    ///
    /// Returns why the session must be closed: the message is too long, or binary although `binary` is false.
    pub(in crate::transport) fn push(
        &mut self,
        item: Item,
        message_bytes_max: usize,
        binary: bool,
    ) -> Result<Option<Frame>, CloseReason> {
        let (part, last) = match item {
            Item::FirstBinary(_) if !binary => return Err(CloseReason::UnsupportedData),
            Item::FirstBinary(part) => {
                self.open = Some(true);
                (part, false)
            }
            Item::FirstText(part) => {
                self.open = Some(false);
                (part, false)
            }
            Item::Continue(part) => (part, false),
            Item::Last(part) => (part, true),
        };
        if self.parts.len() + part.len() > message_bytes_max {
            return Err(CloseReason::MessageTooBig);
        }
        self.parts.extend_from_slice(&part);
        if !last {
            return Ok(None);
        }
        let payload = std::mem::take(&mut self.parts).freeze();
        let is_binary = self.open.take() == Some(true);
        Ok(Some(if is_binary { Frame::Binary(payload) } else { Frame::Text(payload) }))
    }

    /// Returns whether a message has begun and not ended.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }
}
