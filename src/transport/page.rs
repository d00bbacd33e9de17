//! The pages and their assets, compressed at build time and embedded in the binary, so that it runs in any directory.
//!
//! An asset whose URL contains the version may be cached forever; pages, and assets without a version, must be revalidated.

use actix_web::http::header::{
    AcceptEncoding, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CROSS_ORIGIN_OPENER_POLICY,
    CROSS_ORIGIN_RESOURCE_POLICY, ETAG, Encoding, EntityTag, Header, HeaderValue, IfNoneMatch, REFERRER_POLICY, VARY,
};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::transport::{Problem, Worker};

/// One file of `static/`, written by `static/build.rs`.
struct Asset {
    /// The path below `static/`.
    name: &'static str,
    /// Changes with the content.
    tag: &'static str,
    identity: &'static [u8],
    brotli: &'static [u8],
    gzip: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// Nothing from elsewhere, and nothing inline but one style sheet: the logo of the chart library brings its own, known by its hash
/// (CSP Level 3 section 6.7.3.3). `'self'` of connections includes a WebSocket to the same host.
const POLICY: &str = "default-src 'none'; script-src 'self'; \
                      style-src 'self' 'sha256-3pRED1tOXas1FXFoPb9TGCjmYe9XQsmO9OV23khV2nY='; \
                      img-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";
/// Never revalidated, not even on reload (RFC 8246).
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// Answers `GET /`: the live chart page.
///
/// # Errors
///
/// Never: the page is embedded.
pub(super) async fn index(request: HttpRequest) -> Result<HttpResponse, Problem> {
    serve(&request, "index.html", "no-cache")
}

/// Answers `GET /compare`: the four transports side by side, measured.
///
/// # Errors
///
/// Never: the page is embedded.
pub(super) async fn compare(request: HttpRequest) -> Result<HttpResponse, Problem> {
    serve(&request, "compare.html", "no-cache")
}

/// Answers `GET /handshake`: the opening handshake explained on a live one.
///
/// # Errors
///
/// Never: the page is embedded.
pub(super) async fn handshake(request: HttpRequest) -> Result<HttpResponse, Problem> {
    serve(&request, "handshake.html", "no-cache")
}

/// Answers `GET /admin`, on the listener of the operators.
///
/// # Errors
///
/// Never: the page is embedded.
pub(super) async fn admin(request: HttpRequest) -> Result<HttpResponse, Problem> {
    serve(&request, "admin.html", "no-cache")
}

/// Answers `GET /embed`: a ticker and a small chart for frames of other sites, those of `server.embed_origins`.
///
/// # Errors
///
/// Never: the page is embedded.
pub(super) async fn embed(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let sources = Worker::of(&request).embed_origins.sources();
    let policy = POLICY.replace("frame-ancestors 'none'", &format!("frame-ancestors {sources}"));
    let mut response = serve(&request, "embed.html", "no-cache")?;
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    // A page that isolates itself (COEP) shows no frame without this.
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    Ok(response)
}

/// Answers `GET /static/…`, with or without the version of this build before the name.
///
/// # Errors
///
/// Returns 404 when there is no such file.
pub(super) async fn asset(request: HttpRequest, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    match path.strip_prefix(VERSION).and_then(|rest| rest.strip_prefix('/')) {
        Some(name) => serve(&request, name, IMMUTABLE),
        None => serve(&request, &path, "no-cache"),
    }
}

fn serve(request: &HttpRequest, name: &str, caching: &'static str) -> Result<HttpResponse, Problem> {
    let asset = ASSETS.iter().find(|asset| asset.name == name).ok_or_else(|| Problem::not_found(request.path()))?;
    let (encoding, content) = asset.encoded(request);
    let suffix = encoding.map_or(String::new(), |encoding| format!("-{encoding}"));
    let tag = EntityTag::new_strong(format!("{}{suffix}", asset.tag));
    let is_known = match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        // RFC 9110 section 13.1.2: a list of tags, compared weakly; proxies that compress weaken them.
        Ok(IfNoneMatch::Items(known)) => known.iter().any(|known| known.weak_eq(&tag)),
        Err(_) => false,
    };
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((ETAG, tag.to_string()))
        .insert_header((CACHE_CONTROL, caching))
        .insert_header((VARY, "Accept-Encoding"))
        // A browser that has cached the file takes these from the 304 (RFC 9111 section 3.2), for example after a change of
        // `server.embed_origins`.
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((REFERRER_POLICY, "no-referrer"));
    if asset.is_page() {
        response.insert_header((CROSS_ORIGIN_OPENER_POLICY, "same-origin"));
    }
    if is_known {
        return Ok(response.finish());
    }
    if let Some(encoding) = encoding {
        response.insert_header((CONTENT_ENCODING, encoding));
    }
    Ok(response.content_type(asset.content_type()).body(content))
}

impl Asset {
    /// Returns the smallest encoding that the client accepts, with its name; unencoded if the client names none.
    fn encoded(&self, request: &HttpRequest) -> (Option<&'static str>, &'static [u8]) {
        let Ok(accepted) = AcceptEncoding::parse(request) else { return (None, self.identity) };
        let forms = [("br", Encoding::brotli(), self.brotli), ("gzip", Encoding::gzip(), self.gzip)];
        let accepts = |encoding: &Encoding| accepted.negotiate([encoding].into_iter()).as_ref() == Some(encoding);
        let smaller = forms.into_iter().filter(|(.., bytes)| bytes.len() < self.identity.len());
        let best = smaller.filter(|(_, encoding, _)| accepts(encoding)).min_by_key(|(.., bytes)| bytes.len());
        best.map_or((None, self.identity), |(name, _, bytes)| (Some(name), bytes))
    }

    fn is_page(&self) -> bool {
        self.content_type().starts_with("text/html")
    }

    fn content_type(&self) -> &'static str {
        match self.name.rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            Some("png") => "image/png",
            Some("webmanifest") => "application/manifest+json",
            // RFC 9239.
            _ => "text/javascript; charset=utf-8",
        }
    }
}
