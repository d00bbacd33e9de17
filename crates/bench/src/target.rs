//! The URL of the server under test: `ws://` and a loopback host. Other hosts are refused before any name lookup, because a load
//! generator must not be aimed at somebody else's server.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use url::{Host, Url};

/// The longest URL, in bytes.
const URL_BYTES_MAX: usize = 2_048;

/// The server under test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The address to connect to.
    pub(crate) address: SocketAddr,
    /// The whole URL.
    pub(crate) url: String,
}

impl Target {
    /// Returns the URL of a path on the server at this address.
    pub(crate) fn new(address: SocketAddr, path: &str) -> Self {
        Self { address, url: format!("ws://{address}{path}") }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fail = |reason: &str| Err(format!("bad url: {reason}"));
        if text.len() > URL_BYTES_MAX {
            return fail("it is too long");
        }
        let url = match Url::parse(text) {
            Ok(url) if url.scheme() == "ws" => url,
            Ok(_) => return fail("it must begin with ws:// (TLS is not supported)"),
            Err(err) => return fail(&err.to_string()),
        };
        let host = match url.host() {
            Some(Host::Domain("localhost")) => Ipv4Addr::LOCALHOST.into(),
            Some(Host::Ipv4(host)) => IpAddr::V4(host),
            Some(Host::Ipv6(host)) => IpAddr::V6(host),
            _ => Ipv4Addr::UNSPECIFIED.into(),
        };
        if !host.is_loopback() {
            return fail("the host must be localhost, 127.0.0.1 or [::1]: load is made on this machine only");
        }
        Ok(Self { address: (host, url.port_or_known_default().unwrap_or(80)).into(), url: url.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_must_have_a_loopback_host_and_the_scheme_ws() {
        for (url, address, whole) in [
            ("ws://127.0.0.1:8080/ws", "127.0.0.1:8080", "ws://127.0.0.1:8080/ws"),
            ("ws://localhost", "127.0.0.1:80", "ws://localhost/"),
            ("ws://127.9.9.9:1?a=b", "127.9.9.9:1", "ws://127.9.9.9:1/?a=b"),
            ("ws://[::1]:9000/v2/iex", "[::1]:9000", "ws://[::1]:9000/v2/iex"),
        ] {
            let target: Target = url.parse().unwrap();
            assert_eq!((target.address, target.url.as_str()), (address.parse().unwrap(), whole));
        }
        for url in [
            "",
            "ws://",
            "http://127.0.0.1/",
            "wss://127.0.0.1/",
            "ws://example.org/ws",
            "ws://10.0.0.1/ws",
            "ws://0.0.0.0:8080/",
            "ws://localhost.example.org/",
            "ws://localhost@example.org/",
            "ws://127.0.0.1:99999/",
            "ws://::1/",
        ] {
            assert!(url.parse::<Target>().unwrap_err().starts_with("bad url"), "{url}");
        }
        assert!("x".repeat(5_000).parse::<Target>().unwrap_err().len() < 100);
    }
}
