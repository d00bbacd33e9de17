//! A connection as HTTP sees it: the TCP connection itself, or TLS over it.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::transport::traffic::Meter;
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
    /// `server.tls.handshake_timeout_ms` is over.
    #[error("time is over (server.tls.handshake_timeout_ms)")]
    TimedOut,
}

impl TlsSetup {
    /// Shakes hands with the client.
    pub(super) async fn accept(self, wire: Wire) -> Result<Stream, HandshakeError> {
        let limit = Some(self.buffer_bytes);
        let handshake = self.acceptor.accept_with(wire, |connection| connection.set_buffer_limit(limit));
        match tokio::time::timeout(self.handshake_timeout, handshake).await {
            Ok(stream) => Ok(Stream::Tls(Box::new(stream?))),
            Err(_) => Err(HandshakeError::TimedOut),
        }
    }
}

/// What the data of a connection hold when it speaks TLS: actix-web itself cannot be told so.
#[derive(Clone, Copy, Debug)]
pub(super) struct OverTls;

/// What the HTTP dispatcher reads from and writes to.
pub(super) enum Stream {
    Plain(Wire),
    /// Boxed: connections without TLS are not to pay for its size.
    Tls(Box<TlsStream<Wire>>),
}

impl Stream {
    /// Returns whether the connection speaks TLS.
    pub(super) fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Returns the meter of this connection.
    pub(super) fn meter(&self) -> &Rc<Meter> {
        match self {
            Self::Plain(wire) => wire.meter(),
            Self::Tls(stream) => stream.get_ref().0.meter(),
        }
    }
}

impl AsyncRead for Stream {
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

impl AsyncWrite for Stream {
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
