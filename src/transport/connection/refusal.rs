//! Answers that are written to a connection without its dispatcher: to what never becomes a request.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::metrics::Metrics;
use crate::transport::Problem;

/// The most bytes that are read and thrown away before the answer, or before the end of one: unread bytes at the end would make the kernel reset the
/// connection, and the client might not see the answer.
pub(super) const DISCARDED_BYTES_MAX: usize = 1 << 18;

/// Writes the answer, as far as the socket takes it at once, and counts it.
pub(super) fn refuse<S>(stream: &mut S, cx: &mut Context<'_>, problem: &Problem, metrics: &Metrics)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    problem.count_in(metrics);
    let mut discarded = 0;
    let mut buffer = [0; 4_096];
    while discarded < DISCARDED_BYTES_MAX {
        let mut room = ReadBuf::new(&mut buffer);
        match Pin::new(&mut *stream).poll_read(cx, &mut room) {
            Poll::Ready(Ok(())) if !room.filled().is_empty() => discarded += room.filled().len(),
            _ => break,
        }
    }
    let _ = Pin::new(&mut *stream).poll_write(cx, &problem.to_http());
    let _ = Pin::new(stream).poll_flush(cx);
}
