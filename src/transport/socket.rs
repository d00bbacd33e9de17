//! Options of each accepted TCP connection: no delay, early congestion, an end for peers that take nothing.

use std::any::Any;
use std::time::Duration;

use actix_web::dev::Extensions;
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

/// Sets the options on a connection that `HttpServer::on_connect` hands over. What a platform does not know is left out.
pub fn on_connect(config: SocketConfig) -> impl Fn(&dyn Any, &mut Extensions) + Clone + Send + 'static {
    move |connection, _| {
        let Some(stream) = connection.downcast_ref::<TcpStream>() else { return };
        if let Err(err) = set_options(&SockRef::from(stream), config) {
            // The peer may be gone already.
            log::debug!("socket options refused err={err}");
        }
    }
}

fn set_options(socket: &SockRef<'_>, config: SocketConfig) -> std::io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    #[cfg(target_os = "linux")]
    {
        socket.set_tcp_user_timeout(Some(config.user_timeout))?;
        socket.set_tcp_notsent_lowat(config.unsent_bytes_max)?;
    }
    Ok(())
}
