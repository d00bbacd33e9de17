//! Responses to bytes that never become a request, written to a connection without the HTTP dispatcher.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::metrics::Metrics;
use crate::transport::Problem;

/// The most bytes that are read and discarded around a response. If a socket is closed with unread bytes, the kernel
/// resets the connection, and the client may lose the response.
pub(super) const DISCARDED_BYTES_MAX: usize = 1 << 18;

/// Writes the response, as far as the socket accepts it at once, and counts it.
pub(super) fn refuse<S>(stream: &mut S, cx: &mut Context<'_>, problem: &Problem, metrics: &Metrics)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    problem.count_in(metrics);
    discard(stream, cx);
    let _ = Pin::new(&mut *stream).poll_write(cx, &problem.to_http());
    let _ = Pin::new(stream).poll_flush(cx);
}

/// Reads and discards bytes that have arrived, at most [`DISCARDED_BYTES_MAX`].
pub(in crate::transport) fn discard<S: AsyncRead + Unpin>(stream: &mut S, cx: &mut Context<'_>) {
    let mut discarded = 0;
    let mut buffer = [0; 4_096];
    while discarded < DISCARDED_BYTES_MAX {
        let mut room = ReadBuf::new(&mut buffer);
        match Pin::new(&mut *stream).poll_read(cx, &mut room) {
            Poll::Ready(Ok(())) if !room.filled().is_empty() => discarded += room.filled().len(),
            _ => break,
        }
    }
}
