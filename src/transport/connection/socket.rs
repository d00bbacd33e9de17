//! The accepted TCP socket: its options, the bytes that it reads and writes, and the reset of a peer that reads next to
//! nothing. Its end is delayed by the `Turnstile`, so that mass disconnects do not block the thread.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use actix_web::rt::net::TcpStream;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep_until};

use crate::metrics::SharedMetrics;
use crate::transport::second_look::SecondLook;
use crate::transport::traffic::Meter;
use crate::transport::turnstile::Turnstile;

/// The time between two keepalive probes.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Options of accepted sockets.
#[derive(Clone, Copy, Debug)]
pub struct SocketConfig {
    /// The connection ends if its peer acknowledges nothing for so long (`TCP_USER_TIMEOUT`, RFC 5482), or accepts fewer bytes
    /// than `take_bytes_min` while more are unsent.
    pub take_timeout: Duration,
    /// The fewest bytes that a peer must accept in that time.
    pub take_bytes_min: u64,
    /// After so long a silence the kernel sends keepalive probes (`SO_KEEPALIVE`, RFC 9293 section 3.8.4), and ends the
    /// connection if none is acknowledged.
    pub keepalive: Duration,
    /// The most unsent bytes in the kernel. A socket with more is not writable (`TCP_NOTSENT_LOWAT`), so that data waits in the
    /// outbox, where events can be conflated, and not in the kernel.
    pub unsent_bytes_max: u32,
}

impl SocketConfig {
    /// Sets the options of a socket that was just accepted, as far as the platform has them.
    pub(super) fn apply(self, stream: &TcpStream) {
        let socket = SockRef::from(stream);
        let keepalive = TcpKeepalive::new().with_time(self.keepalive).with_interval(KEEPALIVE_INTERVAL);
        let mut results = vec![socket.set_tcp_nodelay(true), socket.set_tcp_keepalive(&keepalive)];
        #[cfg(target_os = "linux")]
        results.extend([
            socket.set_tcp_user_timeout(Some(self.take_timeout)),
            socket.set_tcp_notsent_lowat(self.unsent_bytes_max),
        ]);
        for err in results.into_iter().filter_map(Result::err) {
            // The peer may have disconnected already.
            log::debug!("socket option refused err={err}");
        }
    }

    /// Sets or clears `TCP_USER_TIMEOUT`. While the socket is jammed, [`WriteProgress`](super::progress::WriteProgress) judges
    /// the peer instead: Linux starts that timer when the window is smaller than the first unsent segment, and stops it only
    /// when the window fits the segment, although the peer reads meanwhile.
    fn set_user_timeout(self, stream: &TcpStream, by_kernel: bool) {
        #[cfg(target_os = "linux")]
        if let Err(err) = SockRef::from(stream).set_tcp_user_timeout(by_kernel.then_some(self.take_timeout)) {
            log::debug!("socket option refused err={err}");
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (stream, by_kernel);
    }
}

/// The state that the sockets of one listener share.
pub(super) struct SocketShared {
    /// Options.
    pub(super) config: SocketConfig,
    /// Whether the bytes are HTTP. The bytes of HTTP within TLS are counted by `tls.rs`.
    pub(super) is_plain: bool,
    /// Limits how many connections begin or end in one turn.
    pub(super) turnstile: Rc<Turnstile>,
    /// The counters of the server.
    pub(super) metrics: SharedMetrics,
}

/// The socket of one connection.
pub(in crate::transport) struct Socket {
    tcp: TcpStream,
    meter: Rc<Meter>,
    shared: Rc<SocketShared>,
    /// Set from the first write that found the socket jammed until the kernel's timeout is set again.
    jam: Option<Box<Jam>>,
    /// The end of the stream, which waits for the turnstile. Without it, 5,000 sessions that end at once block the thread for
    /// 0.1 s.
    end: Option<Pin<Box<dyn Future<Output = io::Result<()>>>>>,
}

/// A socket that did not accept all bytes of a write.
struct Jam {
    /// When a write last found it jammed.
    last: Instant,
    /// Fires when it must be checked again.
    look: Pin<Box<Sleep>>,
    second_look: SecondLook,
}

impl Socket {
    pub(super) fn new(tcp: TcpStream, meter: Rc<Meter>, shared: Rc<SocketShared>) -> Self {
        Self { tcp, meter, shared, jam: None, end: None }
    }

    pub(super) fn meter(&self) -> &Rc<Meter> {
        &self.meter
    }

    /// Waits for the first byte without consuming it; returns whether it is a letter, as in every HTTP request and no TLS
    /// handshake.
    pub(super) async fn begins_with_a_letter(&self) -> io::Result<bool> {
        let mut first = [0];
        Ok(self.tcp.peek(&mut first).await? > 0 && first[0].is_ascii_alphabetic())
    }

    /// Writes like [`AsyncWrite::poll_write`], but asks the runtime only if the socket accepts nothing: its record of what is
    /// ready is memory of its own, which a write of a few events waits for.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match SockRef::from(&self.tcp).send(bytes) {
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => Pin::new(self).poll_write(cx, bytes),
            result => self.written(Poll::Ready(result), bytes.len(), cx),
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(end) = &mut self.end else { return Poll::Ready(Ok(())) };
        let result = ready!(end.as_mut().poll(cx));
        self.end = None;
        Poll::Ready(result)
    }

    /// Records the result of a write of `offered` bytes.
    fn written(
        &mut self,
        result: Poll<io::Result<usize>>,
        offered: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(len)) = result {
            self.shared.metrics.writes.inc();
            self.shared.metrics.bytes_written.inc_by(len as u64);
            self.meter.write(len, if self.shared.is_plain { len } else { 0 });
            if len == offered && self.jam.is_none() && !self.meter.pace().is_waiting() {
                // Nothing is to be judged, and the clock costs as much as the rest of this.
                return result;
            }
        }
        let now = Instant::now();
        match result {
            Poll::Ready(Ok(len)) => {
                self.meter.pace().took(len, offered, self.shared.config.take_bytes_min, now);
                if self.jam.as_ref().is_some_and(|jam| now - jam.last >= self.shared.config.take_timeout) {
                    self.jam = None;
                    self.shared.config.set_user_timeout(&self.tcp, true);
                }
                result
            }
            Poll::Ready(Err(_)) => result,
            Poll::Pending => self.poll_pace(now, cx).map(Err),
        }
    }

    /// Waits until the jammed socket is writable. Fails when it makes no progress.
    fn poll_pace(&mut self, now: Instant, cx: &mut Context<'_>) -> Poll<io::Error> {
        if self.jam.is_none() {
            self.shared.config.set_user_timeout(&self.tcp, false);
        }
        let deadline = self.meter.pace().waits(now) + self.shared.config.take_timeout;
        let jam = self.jam.get_or_insert_with(|| {
            let look = Box::pin(sleep_until(deadline.into()));
            Box::new(Jam { last: now, look, second_look: SecondLook::default() })
        });
        jam.last = now;
        let Some(next) = jam.second_look.next(deadline, now) else {
            // Resets the connection: the peer does not read what the kernel still holds.
            let _ = self.tcp.set_zero_linger();
            return Poll::Ready(io::ErrorKind::TimedOut.into());
        };
        if jam.look.deadline() != next.into() {
            jam.look.as_mut().reset(next.into());
        }
        if jam.look.as_mut().poll(cx).is_ready() {
            // The deadline has passed between the two calls.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.meter.pace().is_given_up() {
            let _ = self.tcp.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.end.is_some() {
            return self.poll_end(cx);
        }
        let before = buf.filled().len();
        let result = ready!(Pin::new(&mut self.tcp).poll_read(cx, buf));
        let len = buf.filled().len() - before;
        self.meter.read(len, if self.shared.is_plain { len } else { 0 });
        if len > 0 || (result.is_ok() && buf.remaining() == 0) {
            return Poll::Ready(result);
        }
        let turn = self.shared.turnstile.clone().pass();
        self.end = Some(Box::pin(async move {
            turn.await;
            result
        }));
        self.poll_end(cx)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.tcp).poll_write(cx, bytes);
        self.written(result, bytes.len(), cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.tcp).poll_write_vectored(cx, slices);
        self.written(result, slices.iter().map(|slice| slice.len()).sum(), cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;

    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream as Client};

    use super::*;
    use crate::transport::turnstile::Order;

    const SOCKET: SocketConfig = SocketConfig {
        take_timeout: Duration::from_mins(1),
        take_bytes_min: 1,
        keepalive: Duration::from_mins(1),
        unsent_bytes_max: 16_384,
    };

    /// Reads to the end or to an error.
    async fn end(mut socket: Socket) -> io::Result<usize> {
        socket.read(&mut [0; 16]).await
    }

    #[actix_web::test]
    async fn connections_that_end_at_once_are_ended_a_few_per_turn() {
        let metrics = SharedMetrics::default();
        let turnstile = Turnstile::new(2, Order::NewestFirst, metrics.connections_delayed.clone(), Arc::default());
        let (turnstile, metrics) = (turnstile.clone(), metrics.clone());
        let shared = Rc::new(SocketShared { config: SOCKET, is_plain: true, turnstile, metrics: metrics.clone() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut ends = Vec::new();
        for index in 0..10 {
            let client = Client::connect(listener.local_addr().unwrap()).await.unwrap();
            let stream = listener.accept().await.unwrap().0;
            let socket = Socket::new(stream, Rc::default(), shared.clone());
            if index % 2 == 0 {
                // This connection ends by a reset instead of a close.
                client.set_zero_linger().unwrap();
            }
            drop(client);
            socket.tcp.readable().await.unwrap();
            ends.push(socket);
        }
        let ended = Rc::new(Cell::new(0));
        let ends: Vec<_> = ends
            .into_iter()
            .map(|socket| {
                let ended = ended.clone();
                actix_web::rt::spawn(async move {
                    let _ = end(socket).await;
                    ended.set(ended.get() + 1);
                })
            })
            .collect();
        let mut before = 0;
        while ended.get() < 10 {
            tokio::task::yield_now().await;
            assert!(ended.get() - before <= 2, "{} after {before} in one turn", ended.get());
            before = ended.get();
        }
        for end in ends {
            end.await.unwrap();
        }
        assert_eq!(metrics.connections_delayed.get(), 8);
    }
}
