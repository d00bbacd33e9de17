//! The client of a request behind trusted proxies (`server.trusted_proxies`): its address, and the host and scheme that it has asked for.
//!
//! Everybody can write the headers of proxies, so they count only if the peer of the connection is trusted, and then only what trusted
//! proxies have added: from the end of the list to the first address that is not trusted. actix-web's own `realip_remote_addr` and
//! `connection_info` believe everybody; nothing here uses them.

#[cfg(any(test, fuzzing))]
pub(super) mod fuzz;
mod parse;

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Once;

use actix_web::HttpRequest;
use actix_web::http::header::{FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

use crate::access::Networks;
use crate::transport::connection::OverTls;
use crate::transport::{Problem, Worker};

use parse::Malformed;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The most proxies in a row; with more, the address is that of the last one.
const HOPS_MAX: usize = 32;

/// The headers in which trusted proxies report the client: `server.proxy_headers`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyHeaders {
    /// `X-Forwarded-For`, `X-Forwarded-Host`, `X-Forwarded-Proto`.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// The proxies that are believed.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// Their addresses.
    pub trusted: Networks,
    /// Their headers. The other ones are ignored: a proxy that does not set them passes on what a client has put there.
    pub headers: ProxyHeaders,
}

/// The client as trusted proxies report it.
#[derive(Debug, PartialEq, Eq)]
struct Client {
    address: Option<IpAddr>,
    host: Option<String>,
    scheme: Option<String>,
}

/// The part of the web for which a client has asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Site {
    /// Host, with its port if it is not the one of the scheme.
    pub(super) host: String,
    /// Whether the client speaks TLS, as far as is known: a proxy need not report it.
    pub(super) is_secure: bool,
}

impl Proxies {
    fn client(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Result<Client, Malformed> {
        let Some(proxy) = peer.filter(|peer| self.trusted.contains(*peer)) else {
            return Ok(Client { address: peer, host: None, scheme: None });
        };
        match self.headers {
            ProxyHeaders::XForwarded => {
                let values = all(headers, &X_FORWARDED_FOR);
                let hops = parse::last_first(&values).filter(|hop| *hop != Some("")).map(|hop| parse::address(hop?));
                let (address, _) = self.follow(proxy, hops);
                // The nearest proxy has set or added the last one.
                let last = |name| {
                    let values = all(headers, name);
                    parse::last_first(&values).next().flatten().filter(|text| !text.is_empty()).map(str::to_owned)
                };
                Ok(Client { address: Some(address), host: last(&X_FORWARDED_HOST), scheme: last(&X_FORWARDED_PROTO) })
            }
            ProxyHeaders::Forwarded => {
                let mut elements = parse::elements(headers.get_all(FORWARDED))?;
                let hops = elements.iter().rev().map(|element| element.client.as_deref().and_then(parse::address));
                let (address, used) = self.follow(proxy, hops);
                // That of the farthest trusted proxy, which is next to the client.
                elements.truncate(elements.len() + 1 - used.max(1).min(elements.len()));
                let element = elements.pop().unwrap_or_default();
                Ok(Client { address: Some(address), host: element.host, scheme: element.scheme })
            }
        }
    }

    /// Follows the hops, the nearest one first, up to the first address that is not trusted, or to a hop without a known address. Returns
    /// the address, and the number of hops that were looked at.
    fn follow(&self, proxy: IpAddr, hops: impl Iterator<Item = Option<IpAddr>>) -> (IpAddr, usize) {
        let (mut client, mut used) = (proxy, 0);
        for hop in hops.take(HOPS_MAX) {
            if !self.trusted.contains(client) {
                break;
            }
            used += 1;
            let Some(hop) = hop else { break };
            client = hop;
        }
        (client, used)
    }
}

fn all<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a HeaderValue> {
    headers.get_all(name).collect()
}

/// Returns the client of a request; with a malformed header, which [`check`] refuses, nothing but the peer.
fn client(request: &HttpRequest) -> Client {
    let peer = request.peer_addr().map(|peer| peer.ip());
    let nobody = || Client { address: peer, host: None, scheme: None };
    let Some(worker) = request.app_data::<Rc<Worker>>() else { return nobody() };
    worker.proxies.client(peer, request.headers()).unwrap_or_else(|Malformed| nobody())
}

/// Checks the header of a trusted proxy.
///
/// # Errors
///
/// Returns 400 if it is malformed, so that nobody knows whose request it is.
pub(super) fn check(request: &HttpRequest) -> Result<(), Problem> {
    let peer = request.peer_addr().map(|peer| peer.ip());
    let checked = Worker::of(request).proxies.client(peer, request.headers());
    warn_of_unknown_proxy(request, peer);
    checked.map(drop).map_err(|Malformed| Problem::bad_request("the header Forwarded is malformed"))
}

/// Says once per process that somebody reports clients who is not trusted to: if it is a proxy, all its clients count as one.
fn warn_of_unknown_proxy(request: &HttpRequest, peer: Option<IpAddr>) {
    static SAID: Once = Once::new();
    if SAID.is_completed() {
        return;
    }
    let reports = [X_FORWARDED_FOR, FORWARDED].into_iter().find(|name| request.headers().contains_key(name));
    let trusted = &Worker::of(request).proxies.trusted;
    let (Some(header), Some(peer)) = (reports, peer.filter(|peer| !trusted.contains(*peer))) else { return };
    SAID.call_once(|| {
        log::warn!(
            "{peer} sends {header} and is not in server.trusted_proxies: if it is a proxy, all its clients have one address, and \
             share its limits"
        );
    });
}

/// Returns the address of the client of a request.
pub(super) fn address(request: &HttpRequest) -> Option<IpAddr> {
    client(request).address
}

/// Returns the site that the client of a request has asked for.
pub(super) fn site(request: &HttpRequest) -> Site {
    let Client { host, scheme, .. } = client(request);
    let header = || Some(request.headers().get(HOST)?.to_str().ok()?.to_owned());
    let target = || request.uri().authority().map(|authority| authority.as_str().to_owned());
    // Some proxies report the scheme of an upgrade as ws or wss.
    let is_told = scheme.is_some_and(|told| ["https", "wss"].iter().any(|secure| told.eq_ignore_ascii_case(secure)));
    let is_secure = is_told || request.conn_data::<OverTls>().is_some();
    Site { host: host.or_else(header).or_else(target).unwrap_or_default(), is_secure }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn proxies(headers: ProxyHeaders) -> Proxies {
        Proxies { trusted: Networks::parse(&["10.0.0.0/8", "2001:db8:1::/48"]).unwrap(), headers }
    }

    fn map(headers: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        map
    }

    /// Returns address, host and scheme of a request of this peer.
    fn seen(
        kind: ProxyHeaders,
        peer: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(String, Option<String>, Option<String>), Malformed> {
        let client = proxies(kind).client(peer.parse().ok(), &map(headers))?;
        Ok((client.address.unwrap().to_string(), client.host, client.scheme))
    }

    fn address_of(kind: ProxyHeaders, peer: &str, headers: &[(&'static str, &str)]) -> String {
        seen(kind, peer, headers).unwrap().0
    }

    #[test]
    fn headers_of_a_peer_that_is_not_trusted_say_nothing() {
        let forged = [
            ("x-forwarded-for", "203.0.113.7"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=203.0.113.7;host=evil.example;proto=https"),
        ];
        for kind in [ProxyHeaders::XForwarded, ProxyHeaders::Forwarded] {
            assert_eq!(seen(kind, "198.51.100.1", &forged), Ok(("198.51.100.1".into(), None, None)));
            assert_eq!(seen(kind, "198.51.100.1", &[("forwarded", "\"")]), Ok(("198.51.100.1".into(), None, None)));
        }
    }

    #[test]
    fn the_first_address_from_the_end_that_is_not_trusted_is_the_client() {
        let x = |list: &str| address_of(ProxyHeaders::XForwarded, "10.0.0.1", &[("x-forwarded-for", list)]);
        assert_eq!(x("203.0.113.7"), "203.0.113.7");
        assert_eq!(x("192.0.2.66, 203.0.113.7"), "203.0.113.7", "the client has written the first one");
        assert_eq!(x("192.0.2.66, 203.0.113.7:4711, 10.0.0.2,, 10.0.0.3"), "203.0.113.7");
        assert_eq!(x("[2001:db8::7]:80, 2001:db8:1::2"), "2001:db8::7");
        assert_eq!(x("::ffff:203.0.113.7"), "203.0.113.7");
        assert_eq!(x("10.0.0.9, 10.0.0.8"), "10.0.0.9", "a client within the trusted network");
        for garbage in
            ["", ",", "unknown", "203.0.113.7, x", "203.0.113.7 10.0.0.2", "\u{e9}", "203.0.113.7, 10.0.0.256"]
        {
            assert_eq!(x(garbage), "10.0.0.1", "{garbage}: the proxy itself");
        }
        assert_eq!(x("203.0.113.7, unknown, 10.0.0.2"), "10.0.0.2", "what is before an unknown one is not believed");
        assert_eq!(x(&vec!["192.0.2.66"; 1_000].join(", ")), "192.0.2.66");
        assert_eq!(x(&vec!["10.0.0.4"; 1_000].join(", ")), "10.0.0.4");
        let hidden = [("x-forwarded-for", "192.0.2.66, \u{e9}, 203.0.113.7, 10.0.0.2")];
        assert_eq!(
            address_of(ProxyHeaders::XForwarded, "10.0.0.1", &hidden),
            "203.0.113.7",
            "of a proxy on the same line"
        );
        let lines = [("x-forwarded-for", "192.0.2.66"), ("x-forwarded-for", "203.0.113.7, 10.0.0.2")];
        assert_eq!(address_of(ProxyHeaders::XForwarded, "10.0.0.1", &lines), "203.0.113.7");
        let forwarded = |list: &str| address_of(ProxyHeaders::Forwarded, "10.0.0.1", &[("forwarded", list)]);
        assert_eq!(forwarded("for=192.0.2.66, for=\"203.0.113.7:4711\";proto=https, for=10.0.0.2"), "203.0.113.7");
        assert_eq!(forwarded("for=203.0.113.7, for=_hidden"), "10.0.0.1");
        assert_eq!(forwarded("for=203.0.113.7, proto=https"), "10.0.0.1");
        assert_eq!(forwarded(""), "10.0.0.1");
        assert_eq!(seen(ProxyHeaders::Forwarded, "10.0.0.1", &[("forwarded", "for=\"a")]), Err(Malformed));
    }

    #[test]
    fn headers_that_the_proxies_do_not_set_are_ignored() {
        let forged = ("forwarded", "for=192.0.2.66;host=evil.example;proto=https");
        let real = ("x-forwarded-for", "203.0.113.7");
        assert_eq!(seen(ProxyHeaders::XForwarded, "10.0.0.1", &[forged, real]), Ok(("203.0.113.7".into(), None, None)));
        let forged =
            [("x-forwarded-for", "192.0.2.66"), ("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "https")];
        assert_eq!(seen(ProxyHeaders::Forwarded, "10.0.0.1", &forged), Ok(("10.0.0.1".into(), None, None)));
    }

    #[test]
    fn host_and_scheme_are_those_that_a_trusted_proxy_has_added() {
        let some = |text: &str| Some(text.to_owned());
        let headers = [
            ("x-forwarded-host", "evil.example, example.com"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-proto", "wss"),
        ];
        let expected = Ok(("10.0.0.1".into(), some("example.com"), some("wss")));
        assert_eq!(seen(ProxyHeaders::XForwarded, "10.0.0.1", &headers), expected);
        let list = "for=192.0.2.66;host=evil.example, for=203.0.113.7;host=example.com;proto=https, for=10.0.0.2;host=inner;proto=http";
        let expected = Ok(("203.0.113.7".into(), some("example.com"), some("https")));
        assert_eq!(seen(ProxyHeaders::Forwarded, "10.0.0.1", &[("forwarded", list)]), expected);
        let expected = Ok(("10.0.0.1".into(), some("example.com"), some("https")));
        assert_eq!(
            seen(ProxyHeaders::Forwarded, "10.0.0.1", &[("forwarded", "host=example.com;proto=https")]),
            expected
        );
    }

    proptest! {
        /// For any header of a client, the address that the trusted proxy adds is the client's.
        #[test]
        fn a_client_cannot_choose_its_address(forged in "[ -~]{0,300}", trusted in prop::collection::vec(0_u8..=255, 0..8)) {
            let added: Vec<_> = ["203.0.113.7".to_owned()].into_iter().chain(trusted.iter().map(|number| format!("10.0.0.{number}"))).collect();
            let list = format!("{forged}, {}", added.join(", "));
            prop_assert_eq!(address_of(ProxyHeaders::XForwarded, "10.0.0.1", &[("x-forwarded-for", &list)]), "203.0.113.7");
            let added: Vec<_> = added.iter().map(|address| format!("for={address}")).collect();
            let headers = [("forwarded", forged.as_str()), ("forwarded", &added.join(", "))];
            if let Ok((address, ..)) = seen(ProxyHeaders::Forwarded, "10.0.0.1", &headers) {
                prop_assert_eq!(address, "203.0.113.7");
            }
        }
    }
}
