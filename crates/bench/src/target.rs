//! Where the server is: a `ws://` URL on this machine. Any other host is refused, before a name is looked up: these tools
//! make load, and must never make it on somebody else's server.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use url::{Host, Position, Url};

/// The longest URL, in bytes.
const URL_BYTES_MAX: usize = 2_048;

/// The server under test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The address to connect to.
    pub(crate) address: SocketAddr,
    /// The host and port as the URL has them, for the `Host` header.
    pub(crate) authority: String,
    /// The path with its query.
    pub(crate) path: String,
}

impl Target {
    /// Returns a place on the server at this address.
    pub(crate) fn new(address: SocketAddr, path: &str) -> Self {
        Self { address, authority: address.to_string(), path: path.into() }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ws://{}{}", self.authority, self.path)
    }
}

impl FromStr for Target {
    type Err = String;

    /// Reads a URL.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > URL_BYTES_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!("bad url: it may hold {URL_BYTES_MAX} visible ASCII characters at most"));
        }
        let fail = |reason: &str| Err(format!("bad url: {reason}"));
        let url = match Url::parse(text) {
            Ok(url) if url.scheme() == "ws" => url,
            Ok(_) => return fail("it must begin with ws:// (TLS is not spoken)"),
            Err(err) => return fail(&err.to_string()),
        };
        let authority = &url[Position::BeforeUsername..Position::AfterPort];
        // The parser also accepts user names, empty ports and fragments.
        let is_port_empty = text[5..].split(['/', '?']).next().is_some_and(|authority| authority.ends_with(':'));
        if authority.contains('@') || is_port_empty || url.port() == Some(0) || url.fragment().is_some() {
            return fail("it may hold a host, a port from 1 to 65535, a path and a query only");
        }
        let host = match url.host() {
            Some(Host::Domain("localhost")) => Ipv4Addr::LOCALHOST.into(),
            Some(Host::Ipv4(host)) => IpAddr::V4(host),
            Some(Host::Ipv6(host)) => IpAddr::V6(host),
            _ => Ipv4Addr::UNSPECIFIED.into(),
        };
        if !host.is_loopback() {
            return fail("the host must be localhost, 127.0.0.1 or [::1]: load is made on this machine only");
        }
        Ok(Self {
            address: (host, url.port_or_known_default().unwrap_or(80)).into(),
            authority: authority.into(),
            path: url[Position::BeforePath..Position::AfterQuery].into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_this_machine_are_read() {
        for (url, address, path) in [
            ("ws://127.0.0.1:8080/ws", "127.0.0.1:8080", "/ws"),
            ("ws://localhost", "127.0.0.1:80", "/"),
            ("ws://127.9.9.9:1?a=b", "127.9.9.9:1", "/?a=b"),
            ("ws://[::1]:9000/v2/iex", "[::1]:9000", "/v2/iex"),
            ("ws://[::1]/", "[::1]:80", "/"),
        ] {
            let target: Target = url.parse().unwrap();
            assert_eq!((target.address, target.path.as_str()), (address.parse().unwrap(), path), "{url}");
        }
        assert_eq!("ws://localhost:8080/ws".parse::<Target>().unwrap().authority, "localhost:8080");
    }

    #[test]
    fn everything_else_is_refused() {
        for url in [
            "",
            "ws://",
            "http://127.0.0.1/",
            "wss://127.0.0.1/",
            "ws://example.org/ws",
            "ws://10.0.0.1/ws",
            "ws://0.0.0.0:8080/",
            "ws://localhost.example.org/",
            "ws://user@127.0.0.1/",
            "ws://127.0.0.1:0/",
            "ws://127.0.0.1:99999/",
            "ws://127.0.0.1:/",
            "ws://::1/",
            "ws://127.0.0.1/a b",
            "ws://127.0.0.1/#a",
            "ws://127.0.0.1/\r\nX: y",
        ] {
            assert!(url.parse::<Target>().unwrap_err().starts_with("bad url"), "{url}");
        }
        assert!("x".repeat(5_000).parse::<Target>().unwrap_err().len() < 100);
    }
}
