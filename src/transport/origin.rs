//! Decides which pages may open a session in a browser: those of the same origin, and those in `server.allowed_origins`. The pages
//! that may show `/embed` in a frame, `server.embed_origins`, are listed in the same form.
//!
//! A browser sends the page's origin (RFC 6454), and the page cannot change it; other clients send none and are allowed. Over
//! WebSocket the server must refuse a foreign page, because the browser would let it read; over HTTP the browser prevents that
//! unless the response allows it (CORS).

use actix_cors::Cors;
use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderName, HeaderValue, ORIGIN};
use serde::{Deserialize, Deserializer};
use url::{Origin, Url};

use crate::access::{list, web_origin};
use crate::transport::forwarded::{Site, site};

/// How long a browser may cache the response to a preflight request. Seconds.
const PREFLIGHT_AGE_S_MAX: usize = 3_600;

/// The other origins that may open sessions: `server.allowed_origins`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedOrigins {
    any: bool,
    origins: Vec<PageOrigin>,
}

/// The origin of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
enum PageOrigin {
    /// A website.
    Web(Origin),
    /// An application or an extension: `capacitor://localhost`, `chrome-extension://…`, in lower case.
    App(String),
}

impl AllowedOrigins {
    /// Parses the texts: each is `*`, or an origin such as `https://example.com`, `http://localhost:3000` or
    /// `capacitor://localhost`. Returns `None` if one is neither.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Option<Self> {
        let mut allowed = Self::default();
        for text in texts {
            match text.as_ref() {
                "*" => allowed.any = true,
                text => allowed.origins.push(PageOrigin::parse(text)?),
            }
        }
        Some(allowed)
    }

    /// Returns the origins as a source list of a Content Security Policy: `*`, `'none'`, or all of them.
    pub(super) fn sources(&self) -> String {
        if self.any {
            return "*".into();
        }
        let sources = self.origins.iter().map(|origin| match origin {
            PageOrigin::Web(origin) => origin.ascii_serialization(),
            PageOrigin::App(text) => text.clone(),
        });
        let sources: Vec<_> = sources.collect();
        if sources.is_empty() { "'none'".into() } else { sources.join(" ") }
    }

    /// Returns whether this origin is listed. The origin `null`, of pages without one, is allowed only by `*`.
    fn lists(&self, origin: &HeaderValue) -> bool {
        let origin = origin.to_str().ok().and_then(PageOrigin::parse);
        self.any || origin.is_some_and(|origin| self.origins.contains(&origin))
    }

    /// Checks that the request comes from a page that may open a session, or from no page.
    ///
    /// # Errors
    ///
    /// Returns the origin of the page, truncated to 128 characters.
    pub(super) fn check(&self, request: &HttpRequest) -> Result<(), String> {
        let Some(origin) = request.headers().get(ORIGIN) else { return Ok(()) };
        if self.lists(origin) || is_same_origin(&site(request), origin) { Ok(()) } else { Err(shown(origin)) }
    }

    /// Returns the value of `Access-Control-Allow-Origin` for a response to this origin, if its pages may read it.
    pub(super) fn readers(&self, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        let origin = origin.filter(|origin| self.lists(origin))?;
        Some(if self.any { HeaderValue::from_static("*") } else { origin.clone() })
    }

    /// Returns the CORS headers: which pages may read responses over HTTP. `with_keys`: pages may send `Authorization`.
    pub(super) fn cors(&self, with_keys: bool) -> Cors {
        let cors = Cors::default()
            .allowed_methods(["GET", "HEAD"].into_iter().chain(with_keys.then_some("POST")))
            .allowed_headers(
                [HeaderName::from_static("last-event-id")].into_iter().chain(with_keys.then_some(AUTHORIZATION)),
            )
            .block_on_origin_mismatch(false)
            .max_age(PREFLIGHT_AGE_S_MAX);
        if self.any {
            return cors.allow_any_origin().send_wildcard();
        }
        let allowed = self.clone();
        cors.allowed_origin_fn(move |origin, _| allowed.lists(origin))
    }
}

impl<'de> Deserialize<'de> for AllowedOrigins {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = list::texts(deserializer)?;
        Self::parse(&texts).ok_or_else(|| {
            serde::de::Error::custom("allowed_origins and embed_origins must be origins like https://example.com, or *")
        })
    }
}

/// Checks that the request comes from a page of this server, or from no page.
///
/// # Errors
///
/// Returns the origin of the page, truncated to 128 characters.
pub(super) fn check_own(request: &HttpRequest) -> Result<(), String> {
    let Some(origin) = request.headers().get(ORIGIN) else { return Ok(()) };
    if is_same_origin(&site(request), origin) { Ok(()) } else { Err(shown(origin)) }
}

fn shown(origin: &HeaderValue) -> String {
    String::from_utf8_lossy(origin.as_bytes()).chars().take(128).collect()
}

impl PageOrigin {
    fn parse(text: &str) -> Option<Self> {
        web_origin(text).map(Self::Web).or_else(|| parse_app(text).map(Self::App))
    }
}

/// Parses the origin of an application or an extension, which has a scheme of its own: only a scheme and a host.
fn parse_app(text: &str) -> Option<String> {
    let (scheme, host) = text.split_once("://")?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    let is_host =
        !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':'));
    let lower = scheme.to_ascii_lowercase();
    let is_web = matches!(lower.as_str(), "http" | "https" | "ws" | "wss" | "ftp" | "file" | "data" | "blob" | "about");
    (is_scheme && is_host && !is_web).then(|| text.to_ascii_lowercase())
}

/// Compares the page's origin with the address of the request, as a trusted proxy reports it if there is one.
///
/// A proxy that terminates TLS need not report it: a page loaded over TLS may always connect to its own host. A page loaded
/// without TLS may not connect over TLS, because a man in the middle could have written it.
fn is_same_origin(site: &Site, origin: &HeaderValue) -> bool {
    let Some(page) = origin.to_str().ok().and_then(|text| web_origin(text).map(|_| text)) else { return false };
    let Ok(page) = Url::parse(page) else { return false };
    if page.scheme() == "http" && site.is_secure {
        return false;
    }
    // A host without a port has the default port of the scheme.
    web_origin(&format!("{}://{}", page.scheme(), site.host)).is_some_and(|here| here == page.origin())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn passes(allowed: &[&str], headers: &[(&str, &str)]) -> bool {
        let mut request = TestRequest::get();
        for header in headers {
            request = request.append_header(*header);
        }
        AllowedOrigins::parse(allowed).unwrap().check(&request.to_http_request()).is_ok()
    }

    #[test]
    fn a_page_of_the_same_origin_passes_however_the_port_is_written() {
        for (host, origin) in [
            ("example.com", "http://example.com"),
            ("example.com:80", "http://example.com"),
            ("example.com", "http://example.com:80"),
            ("EXAMPLE.com", "http://example.com"),
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("[::1]:8080", "http://[::1]:8080"),
            ("example.com", "https://example.com"),
        ] {
            assert!(passes(&[], &[("Host", host), ("Origin", origin)]), "{host} {origin}");
        }
        for (host, origin) in [
            ("example.com", "http://evil.com"),
            ("example.com", "http://www.example.com"),
            ("example.com", "http://example.com.evil.com"),
            ("example.com:8080", "http://example.com"),
            ("example.com", "http://example.com:8080"),
            ("example.com", "null"),
            ("example.com", ""),
            ("example.com", "example.com"),
            ("example.com", "http://example.com/path"),
            ("example.com", "http://user@example.com"),
            ("example.com", "file://example.com"),
        ] {
            assert!(!passes(&[], &[("Host", host), ("Origin", origin)]), "{host} {origin}");
        }
    }

    #[test]
    fn the_scheme_and_the_host_that_a_trusted_proxy_reports_count_and_those_of_anybody_else_do_not() {
        let same = |host: &str, is_secure: bool, page: &'static str| {
            is_same_origin(&Site { host: host.into(), is_secure }, &HeaderValue::from_static(page))
        };
        assert!(same("example.com", true, "https://example.com"));
        assert!(!same("example.com", true, "http://example.com"));
        assert!(same("example.com", false, "http://example.com"));
        let forged = ("X-Forwarded-Host", "evil.example");
        assert!(!passes(&[], &[("Host", "example.com"), forged, ("Origin", "https://evil.example")]));
        let forged = ("Forwarded", "host=evil.example");
        assert!(!passes(&[], &[("Host", "example.com"), forged, ("Origin", "https://evil.example")]));
    }

    #[test]
    fn listed_origins_pass_and_without_an_origin_everybody_does() {
        let allowed = ["https://example.com", "http://localhost:3000"];
        for origin in ["https://example.com", "https://example.com:443", "http://localhost:3000"] {
            assert!(passes(&allowed, &[("Host", "a"), ("Origin", origin)]), "{origin}");
        }
        for origin in ["http://example.com", "https://example.com:8443", "http://localhost", "null"] {
            assert!(!passes(&allowed, &[("Host", "a"), ("Origin", origin)]), "{origin}");
        }
        assert!(passes(&["*"], &[("Host", "a"), ("Origin", "null")]));
        assert!(passes(&[], &[("Host", "a")]));
    }

    #[test]
    fn applications_and_extensions_can_be_listed() {
        for origin in [
            "capacitor://localhost",
            "tauri://localhost",
            "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
            "app://my.app:1",
        ] {
            assert!(passes(&[origin], &[("Host", "a"), ("Origin", origin)]), "{origin}");
            assert!(!passes(&[], &[("Host", "localhost"), ("Origin", origin)]), "{origin}");
            assert!(!passes(&[origin], &[("Host", "a"), ("Origin", "capacitor://elsewhere")]), "{origin}");
        }
        for text in ["capacitor://", "capacitor://a/b", "tauri://a@b", "1app://a", "chrome-extension://*", "wss://a"] {
            assert_eq!(AllowedOrigins::parse(&[text]), None, "{text}");
        }
    }

    #[test]
    fn only_origins_can_be_listed() {
        for text in
            ["", "example.com", "https://", "https://example.com/", "https://a/b", "https://*.a", "ftp://a", "null"]
        {
            assert_eq!(AllowedOrigins::parse(&[text]), None, "{text}");
        }
    }
}
