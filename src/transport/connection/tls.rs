//! TLS on an accepted socket: the handshake, and the channel that carries HTTP: plain TCP or TLS.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::metrics::Metrics;
use crate::transport::Problem;
use crate::transport::connection::refusal::refuse;
use crate::transport::connection::socket::Socket;
use crate::transport::second_look::{TimeIsOver, within};
use crate::transport::traffic::Meter;

/// TLS of one listener.
#[derive(Clone)]
pub struct TlsSetup {
    /// The TLS versions, the certificate and the protocols of ALPN.
    pub acceptor: TlsAcceptor,
    /// How long the handshake may take.
    pub handshake_timeout: Duration,
    /// The most bytes that TLS buffers for one socket.
    pub buffer_bytes: usize,
}

/// Why a TLS handshake has failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    /// The client does not speak TLS, rejects the offered parameters, or has disconnected.
    #[error("{0}")]
    Failed(#[from] io::Error),
    /// The client speaks HTTP without TLS. It was sent an error.
    #[error("plain HTTP")]
    PlainHttp,
    /// The handshake exceeded `server.tls.handshake_timeout_ms`.
    #[error("timed out (server.tls.handshake_timeout_ms)")]
    TimedOut,
}

impl TlsSetup {
    /// Performs the handshake.
    pub(super) async fn accept(self, mut socket: Socket, metrics: &Metrics) -> Result<Channel, HandshakeError> {
        let limit = Some(self.buffer_bytes);
        let handshake = async {
            if socket.begins_with_a_letter().await? {
                let problem = Problem::tls_required();
                poll_fn(|cx| {
                    refuse(&mut socket, cx, &problem, metrics);
                    Poll::Ready(())
                })
                .await;
                return Err(HandshakeError::PlainHttp);
            }
            Ok(self.acceptor.accept_with(socket, |connection| connection.set_buffer_limit(limit)).await?)
        };
        match within(self.handshake_timeout, handshake).await {
            Ok(stream) => Ok(Channel::Tls(Box::new(stream?))),
            Err(TimeIsOver) => Err(HandshakeError::TimedOut),
        }
    }
}

/// Connection data that marks a connection with TLS. actix-web cannot be told otherwise.
#[derive(Clone, Copy, Debug)]
pub(in crate::transport) struct OverTls;

/// The socket itself, or TLS over it.
pub(in crate::transport) enum Channel {
    Plain(Socket),
    /// Boxed, so that connections without TLS do not pay for its size.
    Tls(Box<TlsStream<Socket>>),
}

impl Channel {
    pub(in crate::transport) const fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    pub(in crate::transport) fn meter(&self) -> &Rc<Meter> {
        match self {
            Self::Plain(socket) => socket.meter(),
            Self::Tls(stream) => stream.get_ref().0.meter(),
        }
    }

    /// Writes like [`AsyncWrite::poll_write`], but a plain socket first without the runtime, see [`Socket::poll_send`]. The
    /// caller lets other tasks run.
    pub(in crate::transport) fn poll_send(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => socket.poll_send(cx, bytes),
            Self::Tls(_) => Pin::new(self).poll_write(cx, bytes),
        }
    }
}

impl AsyncRead for Channel {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
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
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
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
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
