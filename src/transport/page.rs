//! The pages and their assets, embedded in the binary so that it runs from any directory.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, HeaderValue, IF_NONE_MATCH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpRequest, HttpResponse, web};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::transport::Problem;

/// What `static/` serves. The chart library and the hash function of the handshake come from npm, see
/// `static/package.json`.
#[derive(RustEmbed)]
#[folder = "static/"]
#[include = "*.html"]
#[include = "*.svg"]
#[include = "css/*"]
#[include = "js/*"]
#[include = "node_modules/@noble/hashes/legacy.js"]
#[include = "node_modules/@noble/hashes/_md.js"]
#[include = "node_modules/@noble/hashes/_u64.js"]
#[include = "node_modules/@noble/hashes/utils.js"]
#[include = "node_modules/lightweight-charts/dist/lightweight-charts.standalone.production.mjs"]
struct Assets;

/// Fails to compile, naming the file, when `npm ci` has not been run in `static/`: `make` does.
const _: &[u8] =
    include_bytes!("../../static/node_modules/lightweight-charts/dist/lightweight-charts.standalone.production.mjs");
const _: &[u8] = include_bytes!("../../static/node_modules/@noble/hashes/legacy.js");

/// Scripts and connections only from here. Styles may be inline: the chart library positions its canvas so.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self' ws: wss:; \
                      img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

/// Answers `GET /`: the live chart page.
///
/// # Errors
///
/// Never: the page is embedded.
pub(super) async fn index(request: HttpRequest) -> Result<HttpResponse, Problem> {
    serve(&request, "index.html")
}

/// Answers `GET /compare`: the four transports side by side, measured.
///
/// # Errors
///
/// Never: the page is embedded.
pub(super) async fn compare(request: HttpRequest) -> Result<HttpResponse, Problem> {
    serve(&request, "compare.html")
}

/// Answers `GET /handshake`: the opening handshake explained on a live one.
///
/// # Errors
///
/// Never: the page is embedded.
pub(super) async fn handshake(request: HttpRequest) -> Result<HttpResponse, Problem> {
    serve(&request, "handshake.html")
}

/// Answers `GET /static/…`.
///
/// # Errors
///
/// Returns 404 when there is no such file.
pub(super) async fn asset(request: HttpRequest, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    serve(&request, &path)
}

fn serve(request: &HttpRequest, path: &str) -> Result<HttpResponse, Problem> {
    let file = Assets::get(path).ok_or_else(|| Problem::not_found(request.path()))?;
    let tag = etag(&file);
    if request.headers().get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return Ok(HttpResponse::NotModified().insert_header((ETAG, tag)).finish());
    }
    Ok(HttpResponse::Ok()
        .content_type(file.metadata.mimetype())
        .insert_header((ETAG, tag))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
        .body(file.data.into_owned()))
}

fn etag(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    let start = u128::from_be_bytes(std::array::from_fn(|index| hash[index]));
    format!("\"{start:032x}\"")
}
