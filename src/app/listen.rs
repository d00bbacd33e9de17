//! The listening sockets: HTTP, HTTPS, or both; each on every address of its host.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

use crate::app::StartError;

/// Connections in the kernel's queue of a listening socket.
const BACKLOG: u32 = 4096;
/// How many free ports are tried until one is free on every address of the host.
const FREE_PORTS_MAX: usize = 16;

/// The listening sockets of one port.
#[derive(Debug)]
pub(super) struct Listener {
    /// One socket per address.
    pub(super) sockets: Vec<TcpListener>,
    /// The first address.
    pub(super) address: SocketAddr,
    /// All other addresses, such as the second one of `localhost`.
    pub(super) others: Vec<SocketAddr>,
}

impl Listener {
    /// Listens on this port of a host, on each of its addresses that this machine has.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system if no address can be listened on, or if one of them is in use.
    pub(super) fn bind(host: &str, port: u16) -> Result<Self, StartError> {
        bind(host, port).map_err(|source| StartError::Listen { host: host.to_owned(), port, source })
    }

    /// Returns whether only processes of this machine can connect.
    pub(super) fn is_loopback(&self) -> bool {
        self.others.iter().chain([&self.address]).all(|address| address.ip().to_canonical().is_loopback())
    }
}

fn bind(host: &str, port: u16) -> io::Result<Listener> {
    // An IPv6 address in the notation of URLs.
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let addresses: Vec<_> = if host.eq_ignore_ascii_case("localhost") {
        // Both address families, whatever the hosts file contains (RFC 6761 section 6.3): a browser may try either.
        vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]
    } else {
        let mut addresses: Vec<_> = (host, port).to_socket_addrs()?.collect();
        addresses.sort_by_key(SocketAddr::is_ipv6);
        addresses.dedup();
        addresses
    };
    let tries = if port == 0 && addresses.len() > 1 { FREE_PORTS_MAX } else { 1 };
    let mut result = Err(io::ErrorKind::AddrNotAvailable.into());
    for _ in 0..tries {
        result = bind_all(&addresses);
        if !matches!(&result, Err(err) if err.kind() == io::ErrorKind::AddrInUse) {
            break;
        }
    }
    result
}

/// Listens on all of these addresses that the machine has. With port 0, on a port that is free on all of them.
fn bind_all(addresses: &[SocketAddr]) -> io::Result<Listener> {
    let mut listening = Vec::new();
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        let mut address = *address;
        if let Some((_, first)) = listening.first() {
            address.set_port(SocketAddr::port(first));
        }
        match bind_one(address, addresses.len() > 1) {
            Ok(socket) => listening.push(socket),
            Err(err) if err.kind() == io::ErrorKind::AddrInUse => return Err(err),
            Err(err) => last = err,
        }
    }
    let (sockets, mut others): (Vec<_>, Vec<_>) = listening.into_iter().unzip();
    if others.is_empty() {
        return Err(last);
    }
    let address = others.remove(0);
    Ok(Listener { sockets, address, others })
}

fn bind_one(address: SocketAddr, is_one_of_several: bool) -> io::Result<(TcpListener, SocketAddr)> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() && is_one_of_several {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(BACKLOG).unwrap_or(i32::MAX))?;
    let socket = TcpListener::from(socket);
    let address = socket.local_addr()?;
    Ok((socket, address))
}
