//! Entrances of the fuzz target `forwarded`.

use std::net::IpAddr;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use super::{Proxies, parse};

/// The words of a proxy, or of all: the client, the host, the scheme.
pub type Report = (Option<String>, Option<String>, Option<String>);

/// Returns the client that the headers report which a peer has sent; `None` if the header `Forwarded` is malformed. Headers that HTTP
/// does not permit are left out.
pub fn report(proxies: &Proxies, peer: IpAddr, headers: &[(&str, &[u8])]) -> Option<Report> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
            map.append(name, value);
        }
    }
    let client = proxies.client(Some(peer), &map).ok()?;
    Some((client.address.map(|address| address.to_string()), client.host, client.scheme))
}

/// Returns the elements of headers `Forwarded`; `None` if they break the grammar, or if one of them is none that HTTP permits.
pub fn elements(headers: &[&[u8]]) -> Option<Vec<Report>> {
    let headers: Vec<_> = headers.iter().map(|value| HeaderValue::from_bytes(value)).collect::<Result<_, _>>().ok()?;
    let elements = parse::elements(headers.iter()).ok()?;
    Some(elements.into_iter().map(|one| (one.client, one.host, one.scheme)).collect())
}

/// Returns the address in an entry of `X-Forwarded-For` or `Forwarded`.
pub fn address(text: &str) -> Option<IpAddr> {
    parse::address(text)
}
