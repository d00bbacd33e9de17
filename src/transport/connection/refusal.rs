//! Responses to bytes that never become a request, written to a connection without the HTTP dispatcher.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::metrics::Metrics;
use crate::transport::Problem;

/// The most bytes that are read and discarded around a response. If a socket is closed with unread bytes, the kernel
/// resets the connection, and the client may lose the response.
pub(in crate::transport) const DISCARDED_BYTES_MAX: usize = 1 << 18;

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
pub(super) fn discard<S: AsyncRead + Unpin>(stream: &mut S, cx: &mut Context<'_>) {
    let _ = poll_discard(stream, cx, &mut { DISCARDED_BYTES_MAX });
}

/// Reads and discards all bytes up to the end of the stream, at most `bytes_left`, which decreases.
pub(in crate::transport) fn poll_discard<S: AsyncRead + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    bytes_left: &mut usize,
) -> Poll<()> {
    let mut buffer = [0; 4_096];
    while *bytes_left > 0 {
        let mut room = ReadBuf::new(&mut buffer);
        match ready!(Pin::new(&mut *stream).poll_read(cx, &mut room)) {
            Ok(()) if !room.filled().is_empty() => *bytes_left = bytes_left.saturating_sub(room.filled().len()),
            _ => break,
        }
    }
    Poll::Ready(())
}
