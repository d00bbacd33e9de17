//! The bytes between a connection's channel and the HTTP dispatcher. The dispatcher is given only whole heads of requests, within
//! their bounds, and nothing behind a body; the connection's state is told what was read and written.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::transport::Problem;
use crate::transport::connection::handover::Upgraded;
use crate::transport::connection::head::{HeadError, Heads};
use crate::transport::connection::refusal::{DISCARDED_BYTES_MAX, discard, refuse};
use crate::transport::connection::state::ConnectionState;
use crate::transport::connection::tls::Channel;
use crate::transport::traffic::Meter;

/// The input and output of the HTTP dispatcher.
pub(super) struct HttpIo {
    /// `None` after the handover.
    channel: Option<Channel>,
    meter: Rc<Meter>,
    heads: Heads,
    state: Rc<ConnectionState>,
    /// Discarded bytes after a request body.
    discarded: usize,
    /// Whether the dispatcher has been told that the input has ended.
    is_ended: bool,
    /// Whether the buffer was filled by the last read. The dispatcher then parses it before it reads more; otherwise its buffer
    /// would grow as long as bytes arrive, and keep that size.
    is_filled: bool,
}

impl HttpIo {
    pub(super) fn new(channel: Channel, state: Rc<ConnectionState>, head_bytes_max: usize) -> Self {
        state.open();
        let (meter, heads) = (channel.meter().clone(), Heads::new(head_bytes_max));
        Self { channel: Some(channel), meter, heads, state, discarded: 0, is_ended: false, is_filled: false }
    }

    /// Returns whether the connection speaks TLS.
    pub(super) fn is_tls(&self) -> bool {
        self.channel.as_ref().is_some_and(Channel::is_tls)
    }

    /// Returns the meter of this connection.
    pub(super) fn meter(&self) -> &Rc<Meter> {
        &self.meter
    }

    /// Returns the state of this connection.
    pub(super) fn state(&self) -> &Rc<ConnectionState> {
        &self.state
    }

    /// Ends the input, and responds with the problem unless a response is in progress.
    fn refuse(&mut self, cx: &mut Context<'_>, problem: &Problem) {
        self.is_ended = true;
        if let Some(channel) = self.channel.as_mut().filter(|_| !self.state.is_responding()) {
            refuse(channel, cx, problem, self.state.metrics());
        }
    }

    /// Gives the connection to the session that the response has opened.
    fn hand_over(&mut self) {
        if let Some(handover) = self.state.take_handover()
            && let Some(channel) = self.channel.take()
        {
            let (read, state) = (self.heads.take_frames(), self.state.clone());
            self.state.give(handover.take(Upgraded { channel, read, state }));
        }
    }

    /// Reads bytes that may be passed on, and holds back an incomplete head.
    fn poll_heads(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.heads.give_to(buf) {
                return Poll::Ready(Ok(()));
            }
            let Some(channel) = &mut self.channel else { return Poll::Pending };
            if self.discarded > DISCARDED_BYTES_MAX || self.heads.is_full() {
                // The kernel holds the rest. The connection ends with the response, or belongs to a session then.
                return Poll::Pending;
            }
            let before = buf.filled().len();
            ready!(Pin::new(channel).poll_read(cx, buf))?;
            let fresh = &mut buf.filled_mut()[before..];
            if fresh.is_empty() {
                self.state.half_close();
                return Poll::Ready(Ok(()));
            }
            let was_shut = self.heads.is_shut();
            let passed = self.heads.take(fresh, self.state.is_responding());
            if was_shut {
                self.discarded += fresh.len();
            }
            buf.set_filled(before + passed.unwrap_or(0));
            self.state.received(self.heads.is_partial());
            match passed {
                Ok(0) => {}
                Ok(_) => return Poll::Ready(Ok(())),
                Err(err) => {
                    let metrics = self.state.metrics();
                    let (counter, problem) = match err {
                        HeadError::TooLong => (&metrics.request_heads_too_long, Problem::head_too_long()),
                        HeadError::TooManyHeaders => (&metrics.requests_malformed, Problem::too_many_headers()),
                        HeadError::Malformed => (&metrics.requests_malformed, Problem::bad_request("invalid HTTP/1.1")),
                    };
                    counter.inc();
                    self.refuse(cx, &problem);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl AsyncRead for HttpIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.state.is_dismissed() && !this.is_ended {
            if this.heads.is_partial() {
                this.refuse(cx, &Problem::request_timeout());
            }
            this.is_ended = true;
        }
        if this.is_ended || buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if std::mem::take(&mut this.is_filled) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let result = this.poll_heads(cx, buf);
        this.is_filled = buf.remaining() == 0;
        result
    }
}

impl AsyncWrite for HttpIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Some(channel) = &mut this.channel else { return Poll::Pending };
        let result = Pin::new(channel).poll_write(cx, bytes);
        this.state.written(result.is_pending());
        result
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(channel) = &mut this.channel else { return Poll::Pending };
        ready!(Pin::new(channel).poll_flush(cx))?;
        // The dispatcher flushes only when it has written everything, a response with a handover included.
        this.hand_over();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(channel) = &mut self.get_mut().channel else { return Poll::Pending };
        // Unread bytes would make the kernel reset the connection, and the client may lose the response.
        discard(channel, cx);
        Pin::new(channel).poll_shutdown(cx)
    }
}
