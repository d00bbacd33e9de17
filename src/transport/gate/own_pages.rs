//! The server's own pages: how their requests are told from those of pages of other sites.
//!
//! Browsers name the origin with every POST, and with every request that a page of another origin sends; over TLS and on this machine they
//! also tell the site with each (Fetch Metadata). A program can send any of this.

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::{HeaderValue, ORIGIN};

use crate::transport::{Problem, Worker, origin};

/// The header with which browsers tell where a request comes from (Fetch Metadata).
const FETCH_SITE: &str = "sec-fetch-site";

/// Returns whether the browser, if one has sent the request, says that a page of this server or its user has caused it.
fn is_of_own_site(request: &HttpRequest) -> bool {
    let site = request.headers().get(FETCH_SITE).map(HeaderValue::as_bytes);
    site.is_none_or(|site| matches!(site, b"same-origin" | b"none"))
}

/// Returns whether a page of this server has sent the POST.
pub(in crate::transport) fn is_of_own_page(request: &HttpRequest) -> bool {
    let names_origin = request.method() == Method::POST && request.headers().contains_key(ORIGIN);
    names_origin && origin::check_own(request).is_ok() && is_of_own_site(request)
}

/// Checks that no page of another origin sends the request, be it one of `server.allowed_origins`.
///
/// # Errors
///
/// Returns 403.
pub(super) fn check(worker: &Worker, request: &HttpRequest) -> Result<(), Problem> {
    worker.check_own_origin(request)?;
    if is_of_own_site(request) {
        return Ok(());
    }
    worker.metrics().origins_refused.inc();
    Err(Problem::forbidden_origin("this is for the server's own pages, not for those of another site"))
}
