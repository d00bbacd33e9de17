//! The task of a session's connection: it writes what the hub has not written, and ends the connection after the last byte.
//!
//! If a socket is closed before the client has ended its side, the kernel answers further bytes with a reset, and the client may
//! lose the last bytes of the server. RFC 9112 section 9.6 describes that for HTTP; RFC 6455 section 7.1.1 has the same order.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use actix_http::error::DispatchError;
use tokio::task::coop::poll_proceed;
use tokio::time::{Sleep, sleep};

use crate::protocol::Dialect;
use crate::transport::connection::{Channel, DISCARDED_BYTES_MAX, poll_discard};
use crate::transport::websocket::socket::{Link, SessionSocket, Written};

/// Serves the connection of a session until its end. Dropping it ends the session.
pub(super) struct Serving<D: Dialect> {
    socket: Rc<SessionSocket<D>>,
    close_timeout: Duration,
    /// Set after the last byte has been written.
    linger: Option<Linger>,
}

impl<D: Dialect> Serving<D> {
    /// Returns the task. After the last byte the client has `close_timeout` to end its side.
    pub(super) fn new(socket: Rc<SessionSocket<D>>, close_timeout: Duration) -> Self {
        Self { socket, close_timeout, linger: None }
    }

    pub(super) fn socket(&self) -> &Rc<SessionSocket<D>> {
        &self.socket
    }
}

impl<D: Dialect> Future for Serving<D> {
    type Output = Result<(), DispatchError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Link::Open(open) = &mut *self.socket.link.borrow_mut() {
            open.task.get_or_insert_with(|| cx.waker().clone()).clone_from(cx.waker());
            if let Some(failed) = open.failed.take() {
                return Poll::Ready(Err(DispatchError::Io(*failed)));
            }
        }
        while self.linger.is_none() {
            // Other tasks run in between, however much this client reads.
            ready!(poll_proceed(cx)).made_progress();
            match ready!(self.socket.poll_write(cx, Instant::now())).map_err(DispatchError::Io)? {
                Written::Some => {}
                Written::Everything => self.linger = Some(Linger::new(self.close_timeout)),
                Written::Cut => return Poll::Ready(Ok(())),
            }
        }
        let Self { socket, linger, .. } = &mut *self;
        match (&mut *socket.link.borrow_mut(), linger) {
            (Link::Open(open), Some(linger)) if !open.is_given_up() => linger.poll(&mut open.channel, cx).map(Ok),
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl<D: Dialect> Drop for Serving<D> {
    fn drop(&mut self) {
        self.socket.link.replace(Link::Ended);
        self.socket.outbox().borrow_mut().abandon(Instant::now());
        self.socket.wake_reader();
    }
}

/// The time between the server's last byte and the end of the connection.
struct Linger {
    timeout: Pin<Box<Sleep>>,
    bytes_left: usize,
}

impl Linger {
    /// Begins to wait for the client to end its side, for this time at most.
    fn new(timeout: Duration) -> Self {
        Self { timeout: Box::pin(sleep(timeout)), bytes_left: DISCARDED_BYTES_MAX }
    }

    /// Discards what the client sends. Ready when it has ended its side, has sent too much, or the time is over.
    fn poll(&mut self, channel: &mut Channel, cx: &mut Context<'_>) -> Poll<()> {
        match poll_discard(channel, cx, &mut self.bytes_left) {
            Poll::Pending => self.timeout.as_mut().poll(cx),
            Poll::Ready(()) => Poll::Ready(()),
        }
    }
}
