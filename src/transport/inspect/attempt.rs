//! Handshakes that a browser's script cannot send: a fixed list of requests, which the server sends to itself, and its
//! responses, byte for byte.
//!
//! A client chooses a case and nothing else: neither the address nor a header. Its own credentials go with the request, because the
//! server asks itself for them, too.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use crate::access::Networks;

/// The longest response that is read, in bytes. This server's are shorter than 1,024.
const ANSWER_BYTES_MAX: usize = 8_192;
/// The example of RFC 6455 section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// An origin that is never this server's: the domain is reserved (RFC 2606).
const FOREIGN_ORIGIN: &str = "https://elsewhere.example";

/// One of the handshakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    /// A valid handshake.
    Accepted,
    /// The header `Upgrade` is missing.
    NoUpgrade,
    /// The version is 12.
    WrongVersion,
    /// The key is not 16 bytes in Base64.
    BadKey,
    /// The origin is another site.
    ForeignOrigin,
}

impl Case {
    /// Every case by its name.
    pub(super) const ALL: [(&str, Self); 5] = [
        ("accepted", Self::Accepted),
        ("no_upgrade", Self::NoUpgrade),
        ("wrong_version", Self::WrongVersion),
        ("bad_key", Self::BadKey),
        ("foreign_origin", Self::ForeignOrigin),
    ];

    /// Returns the request to the server named `host` whose addresses begin with `base_path`, with this value of `Authorization`.
    pub(super) fn request(self, host: &str, base_path: &str, authorization: Option<&str>) -> String {
        let mut lines = vec![format!("GET {base_path}/ws HTTP/1.1"), format!("Host: {host}")];
        lines.extend(authorization.map(|value| format!("Authorization: {value}")));
        if self != Self::NoUpgrade {
            lines.push("Upgrade: websocket".into());
        }
        lines.push("Connection: Upgrade".into());
        let key = if self == Self::BadKey { "not-a-key" } else { KEY };
        lines.push(format!("Sec-WebSocket-Key: {key}"));
        let version = if self == Self::WrongVersion { 12 } else { 13 };
        lines.push(format!("Sec-WebSocket-Version: {version}"));
        if self == Self::ForeignOrigin {
            lines.push(format!("Origin: {FOREIGN_ORIGIN}"));
        }
        lines.push("\r\n".into());
        lines.join("\r\n")
    }
}

/// Returns a value of `Authorization` without its secret: with its scheme, if it has one.
pub(super) fn hidden(authorization: &str) -> String {
    authorization.split_once(' ').map_or_else(|| "***".into(), |(scheme, _)| format!("{scheme} ***"))
}

/// The header of a connection that a proxy opens for itself: signature, version and command, no addresses.
const PROXY_LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

/// How this server is reached from its own machine.
pub(super) struct Itself {
    address: SocketAddr,
    /// The TLS client; `None` if the listener speaks plain HTTP.
    tls: Option<TlsConnector>,
    /// Whether the listener takes this machine for a proxy, whose connections begin with a header of the PROXY protocol.
    is_proxy: bool,
}

impl Itself {
    /// Returns how to reach a listener on `address`, over TLS if there is a connector.
    /// `proxies` are those whose connections begin with a header of the PROXY protocol.
    pub(super) fn new(address: SocketAddr, tls: Option<TlsConnector>, proxies: &Networks) -> Self {
        let address = reachable(address);
        Self { address, tls, is_proxy: proxies.contains(address.ip()) }
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) const fn is_over_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Sends a request over a new connection and returns the response: its head, and a body of `content-length` bytes.
    pub(super) async fn exchange(&self, request: &str) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(self.address).await?;
        if self.is_proxy {
            stream.write_all(PROXY_LOCAL).await?;
        }
        match &self.tls {
            None => exchange(stream, request).await,
            Some(tls) => exchange(tls.connect(self.address.ip().into(), stream).await?, request).await,
        }
    }
}

/// Returns the address at which this machine reaches a listener on `address`.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> io::Result<Vec<u8>> {
    stream.write_all(request.as_bytes()).await?;
    // TLS may have buffered the request.
    stream.flush().await?;
    let mut answer = Vec::new();
    loop {
        if let Some(length) = answer_length(&answer)
            && answer.len() >= length
        {
            answer.truncate(length);
            return Ok(answer);
        }
        if answer.len() > ANSWER_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Returns the length of the response that begins here, once its head is complete.
fn answer_length(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let length = text.split("\r\n").find_map(|line| line.strip_prefix("content-length:"));
    Some(head + length.and_then(|length| length.trim().parse::<usize>().ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_has_the_length_that_its_head_announces() {
        assert_eq!(answer_length(b"HTTP/1.1 426 Upgrade Required\r\ncontent-le"), None);
        assert_eq!(answer_length(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"), Some(40));
        assert_eq!(answer_length(b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x00"), Some(36));
    }

    #[test]
    fn a_value_of_authorization_is_shown_without_its_secret_whatever_its_form() {
        let values = ["Basic YTpz", "Bearer a b", "word", "Bearer\tword", ""];
        assert_eq!(values.map(hidden), ["Basic ***", "Bearer ***", "***", "***", "***"]);
    }

    #[test]
    fn a_listener_on_all_addresses_is_reached_on_the_loopback() {
        for (listened, reached) in
            [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("192.0.2.1:80", "192.0.2.1:80")]
        {
            assert_eq!(reachable(listened.parse().unwrap()), reached.parse().unwrap());
        }
    }

    #[test]
    fn each_case_differs_from_a_good_handshake_in_one_header() {
        let request = |case: Case| case.request("localhost:80", "/prices", None);
        let lines = |case: Case| request(case).lines().map(str::to_owned).collect::<Vec<_>>();
        let good = lines(Case::Accepted);
        assert!(request(Case::Accepted).starts_with("GET /prices/ws HTTP/1.1\r\nHost: localhost:80\r\n"));
        assert!(request(Case::Accepted).ends_with("Sec-WebSocket-Version: 13\r\n\r\n"));
        for (name, case) in &Case::ALL[1..] {
            let bad = lines(*case);
            let missing = good.iter().filter(|line| !bad.contains(line)).count();
            let new = bad.iter().filter(|line| !good.contains(line)).count();
            assert!(missing <= 1 && new <= 1 && missing + new >= 1, "{name}: {bad:?}");
        }
    }
}
