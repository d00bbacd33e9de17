//! Options of each accepted TCP connection: no delay, early congestion, an end for peers that take nothing.

use std::time::Duration;

use actix_web::rt::net::TcpStream;
use socket2::SockRef;

/// How connections are set up.
#[derive(Clone, Copy, Debug)]
pub struct SocketConfig {
    /// The kernel ends a connection whose peer acknowledges nothing for so long (`TCP_USER_TIMEOUT`, RFC 5482).
    pub user_timeout: Duration,
    /// Unsent bytes in the kernel beyond which a socket counts as not writable (`TCP_NOTSENT_LOWAT`), so that congestion
    /// shows early, where it can be conflated.
    pub unsent_bytes_max: u32,
}

impl SocketConfig {
    /// Sets the options on a connection that was just accepted. What a platform does not know is left out.
    pub(super) fn apply(self, stream: &TcpStream) {
        if let Err(err) = self.set_options(&SockRef::from(stream)) {
            // The peer may be gone already.
            log::debug!("socket options refused err={err}");
        }
    }

    fn set_options(self, socket: &SockRef<'_>) -> std::io::Result<()> {
        socket.set_tcp_nodelay(true)?;
        #[cfg(target_os = "linux")]
        {
            socket.set_tcp_user_timeout(Some(self.user_timeout))?;
            socket.set_tcp_notsent_lowat(self.unsent_bytes_max)?;
        }
        Ok(())
    }
}
