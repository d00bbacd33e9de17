//! A connection as HTTP sees it: the TCP connection itself, or TLS over it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::transport::Problem;
use crate::transport::activity::Activity;
use crate::transport::head::{Heads, TooLong};
use crate::transport::refusal::{DISCARDED_BYTES_MAX, refuse};
use crate::transport::traffic::Meter;
use crate::transport::watch::{TimeIsOver, within};
use crate::transport::wire::Wire;

/// How TLS is spoken on the connections of a listener.
#[derive(Clone)]
pub struct TlsSetup {
    /// The versions, the certificate, the protocols.
    pub acceptor: TlsAcceptor,
    /// How long the handshake may take.
    pub handshake_timeout: Duration,
    /// Bytes that wait for one socket in TLS before it takes no more.
    pub buffer_bytes: usize,
}

/// Why a connection has not come to speak TLS.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    /// The client speaks something else, or refuses what it is offered, or is gone.
    #[error("{0}")]
    Failed(#[from] io::Error),
    /// The client speaks HTTP without TLS, and was told so.
    #[error("plain HTTP")]
    PlainHttp,
    /// `server.tls.handshake_timeout_ms` is over.
    #[error("time is over (server.tls.handshake_timeout_ms)")]
    TimedOut,
}

impl TlsSetup {
    /// Shakes hands with the client.
    pub(super) async fn accept(
        self,
        mut wire: Wire,
        activity: Rc<Activity>,
        head_bytes_max: usize,
    ) -> Result<Stream, HandshakeError> {
        let limit = Some(self.buffer_bytes);
        let handshake = async {
            if wire.begins_with_a_letter().await? {
                let problem = Problem::tls_required();
                poll_fn(|cx| {
                    refuse(&mut wire, cx, &problem, activity.metrics());
                    Poll::Ready(())
                })
                .await;
                return Err(HandshakeError::PlainHttp);
            }
            Ok(self.acceptor.accept_with(wire, |connection| connection.set_buffer_limit(limit)).await?)
        };
        match within(self.handshake_timeout, handshake).await {
            Ok(stream) => Ok(Stream::new(Channel::Tls(Box::new(stream?)), activity, head_bytes_max)),
            Err(TimeIsOver) => Err(HandshakeError::TimedOut),
        }
    }
}

/// What the data of a connection hold when it speaks TLS: actix-web itself cannot be told so.
#[derive(Clone, Copy, Debug)]
pub(super) struct OverTls;

/// What is spoken on the TCP connection.
enum Channel {
    Plain(Wire),
    /// Boxed: connections without TLS are not to pay for its size.
    Tls(Box<TlsStream<Wire>>),
}

/// What the HTTP dispatcher reads from and writes to. It is given the heads of requests when they are whole, and within
/// their bounds; the connection's [`Activity`] is told what comes and goes.
pub(super) struct Stream {
    channel: Channel,
    heads: Heads,
    activity: Rc<Activity>,
    /// Bytes after the body of a request that have been thrown away.
    discarded: usize,
    /// Whether the dispatcher is told that nothing more comes.
    is_ended: bool,
    /// Whether the dispatcher is to look at what it has before it reads more: it would fill a larger and larger buffer for as
    /// long as something comes, and the connection would keep that.
    is_filled: bool,
}

impl Stream {
    fn new(channel: Channel, activity: Rc<Activity>, head_bytes_max: usize) -> Self {
        activity.open();
        Self { channel, heads: Heads::new(head_bytes_max), activity, discarded: 0, is_ended: false, is_filled: false }
    }

    /// Returns a connection that speaks HTTP as it is.
    pub(super) fn plain(wire: Wire, activity: Rc<Activity>, head_bytes_max: usize) -> Self {
        Self::new(Channel::Plain(wire), activity, head_bytes_max)
    }

    /// Returns whether the connection speaks TLS.
    pub(super) fn is_tls(&self) -> bool {
        matches!(self.channel, Channel::Tls(_))
    }

    /// Returns the meter of this connection.
    pub(super) fn meter(&self) -> &Rc<Meter> {
        self.channel.meter()
    }

    /// Returns what this connection is doing.
    pub(super) fn activity(&self) -> &Rc<Activity> {
        &self.activity
    }

    /// Reads no more, and says why if the client waits for an answer.
    fn refuse(&mut self, cx: &mut Context<'_>, problem: &Problem) {
        self.is_ended = true;
        if !self.activity.is_answering() {
            refuse(&mut self.channel, cx, problem, self.activity.metrics());
        }
    }

    /// Reads what may be passed on. Holds back the beginning of a head.
    fn poll_heads(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.heads.give_to(buf) {
                return Poll::Ready(Ok(()));
            }
            if self.discarded > DISCARDED_BYTES_MAX {
                // The rest is left to the kernel. The answer goes on, and the connection ends with it.
                return Poll::Pending;
            }
            let before = buf.filled().len();
            ready!(Pin::new(&mut self.channel).poll_read(cx, buf))?;
            let fresh = &mut buf.filled_mut()[before..];
            if fresh.is_empty() {
                self.activity.half_close();
                return Poll::Ready(Ok(()));
            }
            let was_shut = self.heads.is_shut();
            let passed = self.heads.take(fresh);
            if was_shut {
                self.discarded += fresh.len();
            }
            buf.set_filled(before + passed.unwrap_or(0));
            self.activity.received(self.heads.is_partial());
            match passed {
                Ok(0) => {}
                Ok(_) => return Poll::Ready(Ok(())),
                Err(TooLong) => {
                    self.activity.metrics().request_heads_too_long.inc();
                    self.refuse(cx, &Problem::head_too_long());
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl Channel {
    fn meter(&self) -> &Rc<Meter> {
        match self {
            Self::Plain(wire) => wire.meter(),
            Self::Tls(stream) => stream.get_ref().0.meter(),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.activity.is_dismissed() && !this.is_ended {
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

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.channel).poll_write(cx, bytes);
        this.activity.written(result.is_pending());
        result
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().channel).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().channel).poll_shutdown(cx)
    }
}

impl AsyncRead for Channel {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(wire) => Pin::new(wire).poll_read(cx, buf),
            Self::Tls(stream) => {
                let before = buf.filled().len();
                let result = Pin::new(&mut *stream).poll_read(cx, buf);
                stream.get_ref().0.meter().read(0, buf.filled().len() - before);
                result
            }
        }
    }
}

impl AsyncWrite for Channel {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(wire) => Pin::new(wire).poll_write(cx, bytes),
            Self::Tls(stream) => {
                let result = Pin::new(&mut *stream).poll_write(cx, bytes);
                if let Poll::Ready(Ok(len)) = result {
                    stream.get_ref().0.meter().write(0, len);
                }
                result
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(wire) => Pin::new(wire).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(wire) => Pin::new(wire).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
