//! Where the server is: a `ws://` URL on this machine. Any other host is refused, before a name is looked up: this tool
//! makes load, and must never make it on somebody else's server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

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
    /// Reads a URL.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with it, in words.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let fail = |reason: &str| Err(format!("bad url '{url}': {reason}"));
        if url.len() > URL_BYTES_MAX {
            return Err(format!("bad url: longer than {URL_BYTES_MAX} bytes"));
        }
        if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return fail("it may hold visible ASCII characters only");
        }
        let Some(rest) = url.strip_prefix("ws://") else {
            return fail("it must begin with ws:// (TLS is not spoken)");
        };
        if rest.contains('#') {
            return fail("a WebSocket URL has no fragment");
        }
        let split = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(split);
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => match port.parse::<u16>() {
                Ok(port @ 1..) => (host, port),
                _ => return fail("the port must be a number from 1 to 65535"),
            },
            _ => (authority, 80),
        };
        let Some(host) = loopback(host) else {
            return fail("the host must be localhost, 127.0.0.1 or [::1]: load is made on this machine only");
        };
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self { address: SocketAddr::new(host, port), authority: authority.into(), path: format!("{slash}{path}") })
    }
}

fn loopback(host: &str) -> Option<IpAddr> {
    if host == "localhost" {
        return Some(Ipv4Addr::LOCALHOST.into());
    }
    let address = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(host) => IpAddr::V6(host.parse::<Ipv6Addr>().ok()?),
        None => IpAddr::V4(host.parse::<Ipv4Addr>().ok()?),
    };
    address.is_loopback().then_some(address)
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
            let target = Target::parse(url).unwrap();
            assert_eq!((target.address, target.path.as_str()), (address.parse().unwrap(), path), "{url}");
        }
        assert_eq!(Target::parse("ws://localhost:8080/ws").unwrap().authority, "localhost:8080");
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
            assert!(Target::parse(url).unwrap_err().starts_with("bad url"), "{url}");
        }
        assert!(Target::parse(&"x".repeat(5_000)).unwrap_err().len() < 100);
    }
}
