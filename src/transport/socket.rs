//! Options of each accepted TCP connection: no delay, early congestion, an end for peers that take nothing.

use std::time::Duration;

use actix_web::rt::net::TcpStream;
use socket2::{SockRef, TcpKeepalive};

/// How long the kernel waits for a sign of life before it asks again.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// How connections are set up.
#[derive(Clone, Copy, Debug)]
pub struct SocketConfig {
    /// A connection ends whose peer acknowledges nothing for so long (`TCP_USER_TIMEOUT`, RFC 5482), or takes fewer bytes than
    /// `take_bytes_min` while more wait.
    pub take_timeout: Duration,
    /// What a peer must take in that time. Bytes.
    pub take_bytes_min: u64,
    /// Without a sign of life from the peer for so long, the kernel asks for one (`SO_KEEPALIVE`, RFC 9293 section 3.8.4), and
    /// ends the connection when none comes.
    pub keepalive: Duration,
    /// Unsent bytes in the kernel beyond which a socket counts as not writable (`TCP_NOTSENT_LOWAT`), so that congestion
    /// shows early, where it can be conflated.
    pub unsent_bytes_max: u32,
}

impl SocketConfig {
    /// Sets the options on a connection that was just accepted. What a platform does not know is left out.
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
            // The peer may be gone already.
            log::debug!("socket option refused err={err}");
        }
    }

    /// Leaves a peer that takes little to [`Pace`](super::pace::Pace), or to the kernel again. Linux begins to count with the
    /// first window that is too small for the segment at the head of the queue and goes on until one has room for all of it,
    /// whatever the peer has taken meanwhile.
    pub(super) fn set_user_timeout(self, stream: &TcpStream, by_kernel: bool) {
        #[cfg(target_os = "linux")]
        if let Err(err) = SockRef::from(stream).set_tcp_user_timeout(by_kernel.then_some(self.take_timeout)) {
            log::debug!("socket option refused err={err}");
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (stream, by_kernel);
    }
}
