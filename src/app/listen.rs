//! The sockets that the server listens on: HTTP, HTTPS, or both side by side.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use crate::app::{ServerConfig, StartError};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4096;

/// A socket that listens.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) socket: TcpListener,
    pub(super) address: SocketAddr,
}

impl Listener {
    /// Listens on this port of `server.host`.
    ///
    /// # Errors
    ///
    /// Returns why none of its addresses can be listened on.
    pub(super) fn bind(server: &ServerConfig, port: u16) -> Result<Self, StartError> {
        let bind = || {
            let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
            for address in (server.host.as_str(), port).to_socket_addrs()? {
                match bind_one(address) {
                    Ok(listener) => return Ok(listener),
                    Err(err) => last = err,
                }
            }
            Err(last)
        };
        bind().map_err(|source| StartError::Listen { host: server.host.clone(), port, source })
    }
}

fn bind_one(address: SocketAddr) -> io::Result<Listener> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(BACKLOG).unwrap_or(i32::MAX))?;
    let socket = TcpListener::from(socket);
    Ok(Listener { address: socket.local_addr()?, socket })
}
