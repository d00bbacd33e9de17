//! The page and its assets over HTTP: types, caching, and what a browser is told for safety.

use awc::http::Method;

use crate::http::{get, request};
use crate::spawn::spawn_app;

const LIBRARY: &str = "/static/node_modules/lightweight-charts/dist/lightweight-charts.standalone.production.mjs";

#[actix_web::test]
async fn assets_have_their_types() {
    let server = spawn_app(|_| {});
    for (path, content_type) in [
        ("/", "text/html"),
        ("/compare", "text/html"),
        ("/handshake", "text/html"),
        ("/static/js/app.js", "text/javascript"),
        ("/static/css/page.css", "text/css"),
        ("/static/favicon.svg", "image/svg+xml"),
        (LIBRARY, "application/javascript"),
    ] {
        let answer = get(server.address, path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.header("content-type").starts_with(content_type), "{path}: {}", answer.header("content-type"));
        assert!(!answer.body.is_empty(), "{path}");
    }
}

#[actix_web::test]
async fn everything_that_the_pages_name_is_served() {
    let server = spawn_app(|_| {});
    for page in ["/", "/compare", "/handshake"] {
        let page = get(server.address, page).await;
        let mut named = 0;
        for attribute in ["src=\"", "href=\""] {
            for rest in page.text().split(attribute).skip(1) {
                let path = rest.split('"').next().unwrap();
                if path.starts_with("/static/") {
                    assert_eq!(get(server.address, path).await.status, 200, "{path}");
                    named += 1;
                }
                assert!(!path.starts_with("http"), "nothing from elsewhere: {path}");
            }
        }
        assert!(named >= 2, "at least a script and a style sheet");
    }
}

#[actix_web::test]
async fn an_asset_that_is_known_is_not_sent_again() {
    let server = spawn_app(|_| {});
    for path in ["/", "/static/js/app.js", LIBRARY] {
        let first = get(server.address, path).await;
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 10, "{path}: {tag}");
        assert_eq!(first.header("cache-control"), "no-cache", "always asked for again, seldom sent again");
        let again = request(server.address, Method::GET, path, &[("If-None-Match", &tag)]).await;
        assert_eq!((again.status, again.header("etag"), again.body.len()), (304, tag.as_str(), 0), "{path}");
        let other = request(server.address, Method::GET, path, &[("If-None-Match", "\"other\"")]).await;
        assert_eq!((other.status, other.body), (200, first.body), "{path}");
    }
}

#[actix_web::test]
async fn the_browser_is_told_to_load_nothing_from_elsewhere() {
    let server = spawn_app(|_| {});
    let answer = get(server.address, "/").await;
    let policy = answer.header("content-security-policy");
    for part in ["default-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{part}: {policy}");
    }
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
}

#[actix_web::test]
async fn nothing_outside_of_the_assets_is_served() {
    let server = spawn_app(|_| {});
    for path in [
        "/static/",
        "/static/package.json",
        "/static/node_modules/lightweight-charts/package.json",
        "/static/node_modules/@noble/hashes/package.json",
        "/static/node_modules/@noble/hashes/sha2.js",
        "/static/test/clock.test.js",
        "/static/../Cargo.toml",
        "/static/%2e%2e/Cargo.toml",
        "/static/..%2fCargo.toml",
        "/static//etc/passwd",
        "/static/js/../../config/default.toml",
        "/static/js",
    ] {
        assert_eq!(get(server.address, path).await.status, 404, "{path}");
    }
}
