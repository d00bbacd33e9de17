//! The pages and their assets over HTTP: types, caching, and security headers.

use std::io::Read;

use awc::http::Method;

use crate::http::{get, request};
use crate::keyring::{KeyRing, WIDE, header_of, two_keys};
use crate::raw::{RawClient, handshake};
use crate::secure::Pair;
use crate::spawn::spawn_app;
use tickcast::transport::AllowedOrigins;

const LIBRARY: &str = "/static/js/app.libraries.js";

#[actix_web::test]
async fn assets_have_their_content_types() {
    let server = spawn_app(|_| {});
    for (path, content_type) in [
        ("/", "text/html"),
        ("/compare", "text/html"),
        ("/handshake", "text/html"),
        ("/embed", "text/html"),
        ("/static/js/app.js", "text/javascript"),
        ("/static/css/page.css", "text/css"),
        ("/static/favicon.svg", "image/svg+xml"),
        ("/static/manifest.webmanifest", "application/manifest+json"),
        ("/static/icons/icon-192.png", "image/png"),
        (LIBRARY, "text/javascript"),
    ] {
        let answer = get(server.address, path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.header("content-type").starts_with(content_type), "{path}: {}", answer.header("content-type"));
        assert!(!answer.body.is_empty(), "{path}");
    }
}

#[actix_web::test]
async fn every_asset_named_by_a_page_is_served() {
    let server = spawn_app(|_| {});
    for page in ["/", "/compare", "/handshake", "/embed"] {
        let page = get(server.address, page).await;
        let mut named = 0;
        for attribute in ["src=\"", "href=\""] {
            for rest in page.text().split(attribute).skip(1) {
                let path = rest.split('"').next().unwrap();
                assert!(!path.starts_with('/'), "relative, as a proxy may serve it below a path of its own: {path}");
                if path.starts_with("static/") {
                    assert_eq!(get(server.address, &format!("/{path}")).await.status, 200, "{path}");
                    named += 1;
                }
                assert!(!path.starts_with("http"), "nothing from elsewhere: {path}");
            }
        }
        assert!(named >= 2, "at least a script and a style sheet");
    }
}

#[actix_web::test]
async fn each_page_marks_its_own_link_and_preloads_every_script_that_it_runs() {
    let server = spawn_app(|_| {});
    for (page, link) in [("/", "./"), ("/compare", "compare"), ("/handshake", "handshake")] {
        let answer = get(server.address, page).await;
        let text = answer.text();
        assert!(!text.contains("<!--"), "{page}: no comment, and no part that is left out");
        assert_eq!(text.matches("aria-current=\"page\"").count(), 1, "{page}");
        assert!(text.contains(&format!("<a href=\"{link}\" aria-current=\"page\"")), "{page}");
        let preloaded: Vec<&str> =
            text.split("rel=\"modulepreload\" href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert_eq!(preloaded.len(), 2, "{page}: one script for its modules, one for its library: {preloaded:?}");
        for module in &preloaded {
            let source = get(server.address, &format!("/{module}")).await;
            let source = source.text();
            assert!(!source.contains("@typedef"), "{module} is minified");
            for imported in
                source.split("from\"").chain(source.split("from \"")).skip(1).filter(|rest| rest.starts_with('.'))
            {
                let name = imported.split('"').next().unwrap().rsplit('/').next().unwrap();
                assert!(preloaded.iter().any(|path| path.ends_with(&format!("/{name}"))), "{page}: {name} of {module}");
            }
        }
        assert_eq!(text.matches("rel=\"stylesheet\"").count(), 1, "{page}");
    }
}

/// Files, and the bars of the first chart. The rest of the page, which comes after it, needs a script, the symbols, and a connection.
const REQUESTS_MAX: usize = 9;
const BYTES_MAX: usize = 90_000;

#[actix_web::test]
async fn the_first_chart_needs_few_requests_and_bytes() {
    let server = spawn_app(|_| {});
    let page = get(server.address, "/").await;
    let text = page.text().to_owned();
    let mut paths = std::collections::BTreeSet::from(["/".to_owned()]);
    for attribute in ["src=\"static/", "href=\"static/"] {
        let rests = text.split(attribute).skip(1);
        paths.extend(rests.map(|rest| format!("/static/{}", rest.split('"').next().unwrap())));
    }
    let bars = "/api/v1/bars?symbol=AAPL&interval=1m&limit=240";
    assert!(paths.len() < REQUESTS_MAX, "{paths:?}");
    let mut sizes = Vec::new();
    // Only the installed page loads its picture.
    for path in paths.iter().filter(|path| !path.contains("/icons/")) {
        let answer = request(server.address, Method::GET, path, &[("accept-encoding", "br")]).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-encoding"), "br", "{path}");
        assert_eq!(answer.header("cache-control").contains("immutable"), path != "/", "{path}");
        sizes.push((path.as_str(), answer.body.len()));
    }
    let answer = request(server.address, Method::GET, bars, &[("accept-encoding", "gzip")]).await;
    assert_eq!((answer.status, answer.header("content-encoding")), (200, "gzip"));
    sizes.push((bars, answer.body.len()));
    let sum: usize = sizes.iter().map(|(_, size)| size).sum();
    assert!(sum <= BYTES_MAX, "{sum} bytes: {sizes:?}");
}

#[actix_web::test]
async fn an_asset_that_the_browser_has_cached_is_not_sent_again() {
    let server = spawn_app(|_| {});
    for path in ["/", "/static/js/app.js", LIBRARY] {
        let first = get(server.address, path).await;
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 10, "{path}: {tag}");
        assert_eq!(first.header("cache-control"), "no-cache", "always asked for again, seldom sent again");
        let again = request(server.address, Method::GET, path, &[("If-None-Match", &tag)]).await;
        assert_eq!((again.status, again.header("etag"), again.body.len()), (304, tag.as_str(), 0), "{path}");
        for list in [format!("W/{tag}"), format!("\"other\", W/{tag}"), format!("\"a\",{tag} , \"b\""), "*".into()] {
            let again = request(server.address, Method::GET, path, &[("If-None-Match", &list)]).await;
            assert_eq!((again.status, again.body.len()), (304, 0), "{path}: {list}");
        }
        for unknown in ["\"other\"", "W/\"other\", \"another\"", "nonsense"] {
            let other = request(server.address, Method::GET, path, &[("If-None-Match", unknown)]).await;
            assert_eq!((other.status, &other.body), (200, &first.body), "{path}: {unknown}");
        }
    }
}

#[actix_web::test]
async fn assets_are_compressed_for_clients_that_accept_it() {
    let server = spawn_app(|_| {});
    for path in ["/", "/static/js/app.js", "/static/css/page.css", LIBRARY] {
        let plain = get(server.address, path).await;
        assert_eq!((plain.header("content-encoding"), plain.header("vary")), ("", "Accept-Encoding"), "{path}");
        for (accept, encoding) in [
            ("gzip, deflate, br, zstd", "br"),
            ("br;q=0.5, gzip", "br"),
            ("gzip, deflate", "gzip"),
            ("br;q=0, gzip", "gzip"),
            ("deflate", ""),
            ("identity", ""),
            ("", ""),
        ] {
            let answer = request(server.address, Method::GET, path, &[("Accept-Encoding", accept)]).await;
            assert_eq!((answer.status, answer.header("content-encoding")), (200, encoding), "{path}: {accept}");
            let mut body = Vec::new();
            match encoding {
                "br" => drop(brotli::Decompressor::new(&answer.body[..], 4_096).read_to_end(&mut body).unwrap()),
                "gzip" => drop(flate2::read::GzDecoder::new(&answer.body[..]).read_to_end(&mut body).unwrap()),
                _ => body.extend_from_slice(&answer.body),
            }
            assert_eq!(body, plain.body, "{path}: {accept}");
            let is_smaller = answer.body.len() * 10 < plain.body.len() * 6;
            assert_eq!(is_smaller, !encoding.is_empty(), "{path}: {accept}");
            assert_eq!(
                answer.header("etag") == plain.header("etag"),
                encoding.is_empty(),
                "a form has a tag of its own"
            );
        }
    }
}

#[actix_web::test]
async fn assets_are_cached_forever_because_their_address_has_the_version() {
    let server = spawn_app(|_| {});
    let page = get(server.address, "/").await;
    assert_eq!(page.header("cache-control"), "no-cache");
    let script = page.text().split("src=\"").find_map(|rest| rest.split_once("/js/app.js\"")).unwrap().0.to_owned();
    let version = script.rsplit('/').next().unwrap();
    assert_eq!(version.len(), 16, "{script}");
    let asset = get(server.address, &format!("/static/{version}/js/app.js")).await;
    assert_eq!((asset.status, asset.header("cache-control")), (200, "public, max-age=31536000, immutable"));
    assert_eq!(asset.body, get(server.address, "/static/js/app.js").await.body);
    assert_eq!(get(server.address, "/static/0123456789abcdef/js/app.js").await.status, 404, "of another build");
}

#[actix_web::test]
async fn browsers_are_told_to_load_nothing_from_other_origins() {
    let server = spawn_app(|_| {});
    for page in ["/", "/compare", "/handshake", "/embed"] {
        let answer = get(server.address, page).await;
        let tag = answer.header("etag");
        // A cached page takes the headers of the 304.
        for answer in [&answer, &request(server.address, Method::GET, page, &[("If-None-Match", tag)]).await] {
            let policy = answer.header("content-security-policy");
            for part in [
                "default-src 'none'; script-src 'self'; style-src 'self' 'sha256-",
                "; img-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
                 frame-ancestors 'none'",
            ] {
                assert!(policy.contains(part) && !policy.contains("unsafe"), "{page}: {part}: {policy}");
            }
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
            assert_eq!(answer.header("referrer-policy"), "no-referrer");
            assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin");
        }
    }
}

#[actix_web::test]
async fn every_answer_restricts_what_other_origins_and_caches_do_with_it() {
    let keys = KeyRing::new(&two_keys());
    let server = spawn_app(|settings| {
        keys.require(settings);
        settings.server.allowed_origins = AllowedOrigins::parse(&["https://example.com"]).unwrap();
    });
    for (path, status) in [
        ("/", 200),
        ("/static/js/app.js", 200),
        ("/healthz", 200),
        ("/api/v1/symbols", 200),
        ("/api/v1/snapshot?symbols=AAPL", 200),
        ("/api/v1/snapshot?symbols=NONE", 404),
        ("/api/v1/poll?symbols=AAPL&wait_ms=0", 200),
        ("/v2/stocks/AAPL/snapshot", 200),
        ("/nowhere", 404),
        ("/compare/", 307),
    ] {
        for (authorization, status) in [(header_of(WIDE), status), (header_of("nobody"), 401)] {
            let headers = [("Authorization", authorization.as_str()), ("Origin", "https://example.com")];
            let lines = headers.map(|(name, value)| format!("{name}: {value}\r\n")).concat();
            let mut client = RawClient::connect(server.address).await;
            let answer = client.request(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n")).await;
            let is_open = ["/", "/static/js/app.js", "/healthz", "/compare/"].contains(&path);
            assert!(answer.status == status || is_open || answer.status == 403, "{path}: {answer:?}");
            let has = |line: &str| answer.head.contains(&format!("\r\n{line}\r\n"));
            assert!(has("x-content-type-options: nosniff"), "{path}: {answer:?}");
            assert!(has("cross-origin-resource-policy: same-origin"), "{path}: {answer:?}");
            assert!(!answer.head.contains("strict-transport-security"), "without TLS: {answer:?}");
            // Whatever an answer with credentials is, a cache must not give it to somebody else.
            let is_asset = is_open && path != "/healthz";
            assert_eq!(has("cache-control: no-store"), !is_asset, "{path}: {answer:?}");
            let readable = has("access-control-allow-origin: https://example.com");
            assert!(readable || !path.starts_with("/api/v1/"), "{path}: {answer:?}");
        }
    }
    // Bytes that never become a request.
    let mut client = RawClient::connect(server.address).await;
    client.send(format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(20_000)).as_bytes()).await;
    let answer = client.answer().await;
    assert!(answer.status == 431 && answer.head.contains("\r\nx-content-type-options: nosniff\r\n"), "{answer:?}");
}

#[actix_web::test]
async fn browsers_are_told_to_stay_with_tls_over_tls_only_and_if_that_is_configured() {
    let pair = Pair::new("hsts");
    for (hsts_s, line) in [(0, None), (3_600, Some("strict-transport-security: max-age=3600\r\n"))] {
        let server = spawn_app(|settings| {
            pair.configure(settings);
            settings.server.hsts_s = hsts_s;
        });
        let request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let mut secure = RawClient::connect_secure(server.tls_address.unwrap(), &pair).await;
        let answer = secure.request(request).await;
        assert_eq!(answer.head.contains("strict-transport-security"), line.is_some(), "{answer:?}");
        assert!(line.is_none_or(|line| answer.head.contains(line)), "{answer:?}");
        let answer = RawClient::connect(server.address).await.request(request).await;
        assert!(!answer.head.contains("strict-transport-security"), "{answer:?}");
    }
}

#[actix_web::test]
async fn only_the_configured_origins_may_show_the_embedded_ticker_in_a_frame() {
    for (origins, sources) in [
        (&[][..], "frame-ancestors 'none'"),
        (
            &["https://example.com", "http://localhost:3000"],
            "frame-ancestors https://example.com http://localhost:3000",
        ),
        (&["*"], "frame-ancestors *"),
    ] {
        let server = spawn_app(|settings| settings.server.embed_origins = AllowedOrigins::parse(origins).unwrap());
        let embed = get(server.address, "/embed?symbol=AAPL").await;
        assert_eq!(embed.status, 200);
        let policy = embed.header("content-security-policy");
        assert!(policy.ends_with(sources) && policy.contains("default-src 'none'"), "{policy}");
        let page = get(server.address, "/").await;
        assert!(page.header("content-security-policy").ends_with("frame-ancestors 'none'"), "only the ticker");
        let policies = [&embed, &page].map(|answer| answer.header("cross-origin-resource-policy"));
        assert_eq!(policies, ["cross-origin", "same-origin"]);
    }
}

#[actix_web::test]
async fn no_file_outside_of_the_assets_is_served() {
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

#[actix_web::test]
async fn below_a_base_path_everything_is_served_and_the_probes_at_the_root_too() {
    let server = spawn_app(|settings| settings.server.base_path = "/prices/live".into());
    for path in ["/", "/compare", "/static/js/app.js", "/healthz", "/readyz", "/metrics", "/api/v1/symbols"] {
        assert_eq!(get(server.address, &format!("/prices/live{path}")).await.status, 200, "{path}");
    }
    for (path, status) in [("/healthz", 200), ("/readyz", 200), ("/metrics", 200), ("/", 404), ("/api/v1/symbols", 404)]
    {
        assert_eq!(get(server.address, path).await.status, status, "{path}");
    }
    let request = "GET /prices/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = RawClient::connect(server.address).await.request(request).await;
    assert_eq!((answer.status, answer.head.contains("location: /prices/live/\r\n")), (307, true), "{}", answer.head);
    let request = handshake(&[]).replace("GET /ws ", "GET /prices/live/ws ");
    assert_eq!(RawClient::connect(server.address).await.request(&request).await.status, 101);
}
