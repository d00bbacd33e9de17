//! `AllowedHosts`: the names under which the server may be addressed, `server.hosts`.
//!
//! A page whose owner has pointed its own name at this server (DNS rebinding) is of the same origin for a browser, which sends no
//! `Origin` with its requests then: the host of the request is the only witness.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use actix_web::HttpRequest;
use actix_web::http::header::HOST;
use serde::{Deserialize, Deserializer};

use crate::access::list;

/// Stands for every host.
const EVERY: &str = "*";

/// The names and addresses of hosts, in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedHosts {
    listed: Vec<String>,
    /// Whether `localhost` and IP addresses are allowed as well.
    are_numbers_allowed: bool,
}

impl AllowedHosts {
    /// Parses the texts: each is a name or an IP address, without a port, or `*` for every host. Returns `None` if one is neither.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Option<Self> {
        let host = |text: &T| {
            let text = text.as_ref();
            let address = text.parse::<IpAddr>().map(|address| match address {
                IpAddr::V4(address) => address.to_string(),
                IpAddr::V6(address) => format!("[{address}]"),
            });
            if text == EVERY {
                return Some(text.to_owned());
            }
            let is_name =
                !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
            address.ok().or_else(|| is_name.then(|| text.trim_end_matches('.').to_ascii_lowercase()))
        };
        let listed = texts.iter().map(host).collect::<Option<_>>()?;
        Some(Self { listed, are_numbers_allowed: false })
    }

    /// Returns these hosts; if there is none, `localhost`, every IP address, and the host that the server listens on: nobody can point
    /// those at another machine.
    #[must_use]
    pub fn or_own(&self, host: &str) -> Self {
        if !self.listed.is_empty() {
            return self.clone();
        }
        Self { are_numbers_allowed: true, ..Self::parse(&[host]).unwrap_or_default() }
    }

    /// Adds other hosts.
    pub(super) fn extend(&mut self, others: Self) {
        self.listed.extend(others.listed);
    }

    /// Returns a name under which the server may be addressed at this address, with the port.
    pub(super) fn name_of(&self, address: SocketAddr) -> String {
        let name = self.listed.first().filter(|name| !self.are_numbers_allowed && *name != EVERY);
        name.map_or_else(|| address.to_string(), |name| format!("{name}:{}", address.port()))
    }

    /// Checks that the request is addressed to one of these hosts.
    ///
    /// # Errors
    ///
    /// Returns an error if it is not.
    pub(super) fn check(&self, request: &HttpRequest) -> Result<(), UnknownHost> {
        if self.listed.iter().any(|name| name == EVERY) {
            return Ok(());
        }
        if !self.are_numbers_allowed {
            return Self::check_each(request, |host| self.lists(host));
        }
        // A browser always names a host, a client of HTTP/1.0 need not.
        let names_none = request.uri().authority().is_none() && !request.headers().contains_key(HOST);
        if names_none { Ok(()) } else { self.check_numbers_too(request) }
    }

    /// Checks that the request is addressed to one of these hosts, to `localhost`, or to an IP address: nobody can point those at another
    /// machine.
    ///
    /// # Errors
    ///
    /// Returns an error if it is not.
    pub(super) fn check_numbers_too(&self, request: &HttpRequest) -> Result<(), UnknownHost> {
        Self::check_each(request, |host| self.lists(host) || is_number_or_localhost(host))
    }

    /// Checks the hosts of a request: its one header `Host` and, if it names one, its target (RFC 9112 section 3.2.2).
    fn check_each(request: &HttpRequest, is_good: impl Fn(&str) -> bool) -> Result<(), UnknownHost> {
        let mut headers = request.headers().get_all(HOST);
        let (Some(header), None) = (headers.next(), headers.next()) else { return Err(UnknownHost) };
        let named = request.uri().authority().map(|authority| authority.as_str().to_owned());
        let header = header.to_str().map_err(|_| UnknownHost)?;
        let is_known = is_good(header) && named.is_none_or(|named| is_good(&named));
        is_known.then_some(()).ok_or(UnknownHost)
    }

    /// Returns whether a host is listed, with any port or none.
    fn lists(&self, host: &str) -> bool {
        let Some(name) = without_port(host) else { return false };
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        // An address of IPv6 may be written in several ways.
        let inner = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let name = inner.and_then(|inner| inner.parse::<IpAddr>().ok()).map_or(name.clone(), |ip| format!("[{ip}]"));
        self.listed.contains(&name)
    }
}

/// Returns a host without its port; `None` if the port is no number.
fn without_port(host: &str) -> Option<&str> {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => port.bytes().all(|byte| byte.is_ascii_digit()).then_some(name),
        _ => Some(host),
    }
}

fn is_number_or_localhost(host: &str) -> bool {
    let Some(name) = without_port(host) else { return false };
    let inner = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_number = inner.map_or_else(|| name.parse::<Ipv4Addr>().is_ok(), |inner| inner.parse::<Ipv6Addr>().is_ok());
    let name = name.to_ascii_lowercase();
    // Names below it are this machine, too, for every browser (RFC 6761 section 6.3).
    is_number || name == "localhost" || name.ends_with(".localhost")
}

/// The request is addressed to a host that is not listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UnknownHost;

impl<'de> Deserialize<'de> for AllowedHosts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = list::texts(deserializer)?;
        let complaint = || serde::de::Error::custom("hosts must be names or IP addresses, without ports, or *");
        Self::parse(&texts).ok_or_else(complaint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_calls_itself_by_a_listed_name() {
        let address = "127.0.0.1:80".parse().unwrap();
        assert_eq!(AllowedHosts::default().or_own("localhost").name_of(address), "127.0.0.1:80");
        for (texts, name) in [
            (&[][..], "127.0.0.1:80"),
            (&["*"], "127.0.0.1:80"),
            (&["Example.com", "192.0.2.1"], "example.com:80"),
            (&["2001:db8::1"], "[2001:db8::1]:80"),
        ] {
            assert_eq!(AllowedHosts::parse(texts).unwrap().name_of(address), name);
        }
    }

    #[test]
    fn a_host_is_listed_with_any_port_in_any_case_and_with_a_dot_at_its_end() {
        let hosts = AllowedHosts::parse(&["Example.com", "192.0.2.1", "2001:db8::1"]).unwrap();
        for host in
            ["example.com", "EXAMPLE.COM:8080", "example.com.", "example.com.:80", "192.0.2.1:1", "[2001:DB8:0::1]:443"]
        {
            assert!(hosts.lists(host), "{host}");
        }
        for host in [
            "",
            ":80",
            "evil.example",
            "example.com.evil.example",
            "xexample.com",
            "example.com:80:80",
            "example.com:x",
            "192.0.2.2",
            "[2001:db8::2]",
            "2001:db8::1",
            "example.com..",
            "user@example.com",
            "example.com/",
        ] {
            assert!(!hosts.lists(host), "{host}");
        }
        for text in ["", "*.example.com", "example.com:80", "https://example.com", "a b"] {
            assert_eq!(AllowedHosts::parse(&[text]), None, "{text}");
        }
    }
    #[test]
    fn an_address_in_numbers_and_localhost_belong_to_no_other_name() {
        for host in
            ["127.0.0.1", "192.0.2.7:9", "[::1]", "[2001:db8::1]:9", "localhost", "LocalHost:80", "page.localhost:1"]
        {
            assert!(is_number_or_localhost(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "::1",
            "127.1",
            "[::1",
            "127.0.0.1:x",
        ] {
            assert!(!is_number_or_localhost(host), "{host}");
        }
    }
}
