//! The ways in: which addresses need a key, how a key is sent, and what is answered without one.

use std::path::Path;

use awc::http::Method;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::admin_entrance::OPERATOR_ROUTES;
use crate::client::Client;
use crate::event_stream::EventSource;
use crate::http::{get, request};
use crate::keyring::{KeyRing, NARROW, WIDE, basic, get_as, header_of, offer, raw_get, secret, two_keys};
use crate::spawn::{TestServer, spawn_app};

/// The clients that may come to an address.
#[derive(Clone, Copy, Debug, PartialEq)]
enum To {
    /// Everybody.
    Open,
    /// A client with a key, by the server's own ways.
    Key,
    /// A client with a key that may publish.
    Publisher,
    /// Nobody here: it is on the listener of the operators.
    Admin,
    /// A client of a vendor, by the vendor's ways.
    Vendor,
    /// As above, with a first message after the handshake.
    Stream,
}

/// Every route, as a path that reaches it, and its pattern where that differs.
const ROUTES: [(To, &str, &str); 81] = [
    (To::Open, "/healthz", ""),
    (To::Open, "/readyz", ""),
    (To::Open, "/", ""),
    (To::Open, "/compare", ""),
    (To::Open, "/handshake", ""),
    (To::Open, "/embed", ""),
    (To::Open, "/compare/", ""),
    (To::Open, "/handshake/", ""),
    (To::Open, "/static/style.css", "/static/{path:.*}"),
    (To::Admin, "/metrics", ""),
    (To::Admin, "/faults", ""),
    (To::Admin, "/faults/1", "/faults/{id}"),
    (To::Key, "/ws", ""),
    (To::Key, "/ws/", ""),
    (To::Key, "//ws", ""),
    (To::Key, "/api/v1/poll?symbols=AAPL&wait_ms=0", "/api/v1/poll"),
    (To::Key, "/api/v1/stream?symbols=AAPL", "/api/v1/stream"),
    (To::Key, "/api/v1/replay?file=a", "/api/v1/replay"),
    (To::Key, "/api/v1/symbols", ""),
    (To::Key, "/api/v1/snapshot", ""),
    (To::Key, "/api/v1/bars?symbol=AAPL", "/api/v1/bars"),
    (To::Key, "/api/v1/traffic?client=a", "/api/v1/traffic"),
    (To::Key, "/api/v1/ticket", ""),
    (To::Key, "/api/v1/feed", ""),
    (To::Key, "/api/v1/feed/pause", "/api/v1/feed/{order}"),
    (To::Publisher, "/api/v1/publish", ""),
    (To::Key, "/handshake/capture", ""),
    (To::Key, "/handshake/ws?capture=a", "/handshake/ws"),
    (To::Key, "/handshake/attempt?case=accepted", "/handshake/attempt"),
    (To::Key, "/no/such/address", ""),
    (To::Stream, "/v2/iex", "/v2/{feed:iex|sip|delayed_sip|test}"),
    (To::Stream, "/v2/sip", ""),
    (To::Stream, "/v2/delayed_sip", ""),
    (To::Stream, "/v2/test", ""),
    (To::Stream, "/v2/replay", ""),
    (To::Stream, "/stocks", ""),
    (To::Vendor, "/v2/stocks/meta/exchanges", ""),
    (To::Vendor, "/v2/stocks/meta/conditions/trade?tape=A", "/v2/stocks/meta/conditions/{kind}"),
    (To::Vendor, "/v2/stocks/snapshots?symbols=AAPL", "/v2/stocks/snapshots"),
    (To::Vendor, "/v2/stocks/AAPL/snapshot", "/v2/stocks/{symbol}/snapshot"),
    (To::Vendor, "/v2/stocks/trades/latest?symbols=AAPL", "/v2/stocks/trades/latest"),
    (To::Vendor, "/v2/stocks/quotes/latest?symbols=AAPL", "/v2/stocks/quotes/latest"),
    (To::Vendor, "/v2/stocks/bars/latest?symbols=AAPL", "/v2/stocks/bars/latest"),
    (To::Vendor, "/v2/stocks/AAPL/trades/latest", "/v2/stocks/{symbol}/trades/latest"),
    (To::Vendor, "/v2/stocks/AAPL/quotes/latest", "/v2/stocks/{symbol}/quotes/latest"),
    (To::Vendor, "/v2/stocks/AAPL/bars/latest", "/v2/stocks/{symbol}/bars/latest"),
    (To::Vendor, "/v2/stocks/trades?symbols=AAPL", "/v2/stocks/trades"),
    (To::Vendor, "/v2/stocks/quotes?symbols=AAPL", "/v2/stocks/quotes"),
    (To::Vendor, "/v2/stocks/bars?symbols=AAPL&timeframe=1Min", "/v2/stocks/bars"),
    (To::Vendor, "/v2/stocks/AAPL/trades", "/v2/stocks/{symbol}/trades"),
    (To::Vendor, "/v2/stocks/AAPL/quotes", "/v2/stocks/{symbol}/quotes"),
    (To::Vendor, "/v2/stocks/AAPL/bars?timeframe=1Min", "/v2/stocks/{symbol}/bars"),
    (
        To::Vendor,
        "/v2/aggs/grouped/locale/us/market/stocks/2026-03-02",
        "/v2/aggs/grouped/locale/us/market/stocks/{date}",
    ),
    (
        To::Vendor,
        "/v2/aggs/ticker/AAPL/range/1/minute/2026-03-02/2026-03-02",
        "/v2/aggs/ticker/{ticker}/range/{count}/{unit}/{from}/{to}",
    ),
    (To::Vendor, "/v2/aggs/ticker/AAPL/prev", "/v2/aggs/ticker/{ticker}/prev"),
    (To::Vendor, "/v2/last/trade/AAPL", "/v2/last/trade/{ticker}"),
    (To::Vendor, "/v2/last/nbbo/AAPL", "/v2/last/nbbo/{ticker}"),
    (To::Vendor, "/v2/snapshot/locale/us/markets/stocks/tickers", ""),
    (To::Vendor, "/v2/snapshot/locale/us/markets/stocks/tickers/AAPL", "{snapshots}/{{ticker}}"),
    (
        To::Vendor,
        "/v2/snapshot/locale/us/markets/stocks/gainers",
        "/v2/snapshot/locale/us/markets/stocks/{direction:gainers|losers}",
    ),
    (To::Vendor, "/v3/trades/AAPL", "/v3/trades/{ticker}"),
    (To::Vendor, "/v3/quotes/AAPL", "/v3/quotes/{ticker}"),
    (To::Vendor, "/v3/snapshot", ""),
    (To::Vendor, "/v3/reference/tickers", ""),
    (To::Vendor, "/v3/reference/tickers/AAPL", "/v3/reference/tickers/{ticker}"),
    (To::Vendor, "/finnhub/api/v1/quote?symbol=AAPL", "/finnhub/api/v1/quote"),
    (To::Vendor, "/finnhub/api/v1/stock/candle?symbol=AAPL", "/finnhub/api/v1/stock/candle"),
    (To::Vendor, "/finnhub/api/v1/stock/symbol?exchange=US", "/finnhub/api/v1/stock/symbol"),
    (To::Vendor, "/finnhub/api/v1/search?q=AAPL", "/finnhub/api/v1/search"),
    (To::Vendor, "/finnhub/api/v1//quote?symbol=AAPL", ""),
    (To::Vendor, "/api/v1/quote?symbol=AAPL&token=x", ""),
    (To::Vendor, "/api/v1/symbols?token=x", ""),
    (To::Vendor, "/api/v1/snapshot?a=b&token=", ""),
    (To::Vendor, "/v2/stocks/", ""),
    // Other spellings of the same.
    (To::Key, "/%77s", ""),
    (To::Admin, "/%6detrics", ""),
    (To::Admin, "/%66aults", ""),
    (To::Key, "/api/v1/%73ymbols", ""),
    (To::Key, "/api/v1/snapshot?%74oken=x", ""),
    (To::Key, "/compare/../api/v1/symbols", ""),
    (To::Key, "/v2/stocks", ""),
];

/// The files of `src/transport` that add routes.
const FILES: [&str; 10] = [
    "mod.rs",
    "faults/rest.rs",
    "admin/mod.rs",
    "vendor/mod.rs",
    "vendor/alpaca/mod.rs",
    "vendor/alpaca/rest.rs",
    "vendor/massive/mod.rs",
    "vendor/massive/rest.rs",
    "vendor/finnhub/mod.rs",
    "vendor/finnhub/rest.rs",
];

#[test]
fn no_other_file_of_the_source_adds_a_route() {
    let adds = [".service(", "web::resource(", "web::scope(", "web::redirect(", "reading(\"", "serving("];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let listed: Vec<_> = FILES.iter().map(|file| root.join("transport").join(file)).collect();
    let (mut folders, mut found, mut others) = (vec![root], 0, Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if adds.iter().any(|add| std::fs::read_to_string(&path).unwrap().contains(add)) {
                found += 1;
                others.extend((!listed.contains(&path)).then_some(path));
            }
        }
    }
    assert!(found > 8 && others.is_empty(), "the list of this test lacks files: {others:?}");
}

/// Returns the text literals in the source that look like routes.
fn routes_of_the_source() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/transport");
    let mut found = Vec::new();
    for file in FILES {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let literals = code.flat_map(|line| line.split('"').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>());
        let is_route =
            |text: &String| (text.starts_with('/') || text.starts_with('{')) && !text.contains([' ', '"', ':', '.']);
        let is_pattern = |text: &String| text.starts_with('/') && text.contains('{') && !text.contains(' ');
        found.extend(literals.filter(|text| is_route(text) || is_pattern(text)));
    }
    // A vendor's client puts two slashes before the name; `base` is the prefix of all addresses.
    found.retain(|text| text.len() > 1 && !["//", "{{", "{base}/"].contains(&text.as_str()));
    found
}

#[test]
fn every_route_of_the_source_is_in_the_list_of_this_test() {
    let sources = routes_of_the_source();
    assert!(sources.len() > 60, "{sources:?}");
    let without = |text: &str| text.split('?').next().unwrap().to_owned();
    let listed = ROUTES.iter().map(|(_, path, pattern)| (*path, *pattern));
    let listed = listed.chain(OPERATOR_ROUTES.iter().map(|(_, _, path, pattern)| (*path, *pattern)));
    let patterns: Vec<_> =
        listed.map(|(path, pattern)| without(if pattern.is_empty() { path } else { pattern })).collect();
    let covers = |pattern: &String, source: &str| pattern.ends_with(source) || pattern.starts_with(source);
    let source = |text: &String| text.replace("{slashes}", "/");
    let forgotten: Vec<_> =
        sources.iter().map(source).filter(|text| !patterns.iter().any(|pattern| covers(pattern, text))).collect();
    assert!(forgotten.is_empty(), "routes that the list lacks: {forgotten:?}");
}

fn guarded(keys: &KeyRing) -> TestServer {
    spawn_app(|settings| {
        keys.require(settings);
        // Wrong credentials are what these tests send.
        settings.limits.address_failures_per_minute = 0;
    })
}

/// Returns whether a body has data of the market, or metrics.
pub(crate) fn has_data(body: &str) -> bool {
    ["\"price\"", "\"AAPL\"", "\"open\"", "MSFT", "snapshot\",\"symbol", "tickcast_"]
        .iter()
        .any(|part| body.contains(part))
}

#[actix_web::test]
async fn no_route_has_data_for_a_client_without_a_key() {
    let keys = KeyRing::new(&two_keys());
    let server = guarded(&keys);
    for (to, path, _) in ROUTES {
        let strange = ["", "Authorization: Basic dGlja2Nhc3Q6dGlja2Nhc3Q=\r\n", "Authorization: Bearer tickcast\r\n"];
        for (header, opens) in strange.into_iter().flat_map(|header| [(header, false), (header, true)]) {
            let answer = raw_get(server.address, path, header, opens && to != To::Stream).await;
            // With an upgrade the address of the page is Finnhub's.
            let is_public_page = to == To::Open && !(path == "/" && opens);
            match to {
                To::Open if path == "/" && opens => {}
                To::Open => assert!(matches!(answer.status, 200 | 301..=308 | 404), "{path}: {answer:?}"),
                To::Admin => {
                    assert_eq!(answer.status, 404, "{path} {header}: {answer:?}");
                    assert!(answer.body.contains("admin.port"), "{path}: it says where: {answer:?}");
                }
                To::Key | To::Publisher => {
                    assert_eq!(answer.status, 401, "{path} {header}: {answer:?}");
                    assert!(answer.head.contains("www-authenticate: bearer"), "{path}: {answer:?}");
                    assert!(answer.body.contains("\"unauthorized\""), "{path}: {answer:?}");
                }
                To::Vendor => assert!(matches!(answer.status, 401 | 403), "{path} {header}: {answer:?}"),
                To::Stream => assert_eq!(answer.status, 426, "{path}: {answer:?}"),
            }
            assert!(is_public_page || !has_data(&answer.body), "{path}: {answer:?}");
        }
    }
    assert_eq!(server.sessions(), 0);
    assert!(server.metrics.auth("missing") > 20 && server.metrics.auth("unknown") > 20);
}

#[actix_web::test]
async fn with_a_key_every_route_is_served() {
    let keys = KeyRing::new(&two_keys());
    // The days in the addresses are those of this clock.
    let (server, _clock) = crate::spawn::spawn_app_at_rest(|settings| keys.require(settings));
    for (to, path, _) in ROUTES {
        if path.contains("stream") || path.contains("capture") || path.contains("attempt") {
            continue;
        }
        let header = format!("Authorization: {}\r\n", header_of(WIDE));
        let answer = raw_get(server.address, path, &header, false).await;
        assert!(to == To::Vendor || matches!(answer.status, 401 | 403) == (to == To::Publisher), "{path}: {answer:?}");
        if to == To::Admin {
            assert_eq!(answer.status, 404, "{path}: {answer:?}");
            assert!(answer.body.contains("admin.port") && !has_data(&answer.body), "{answer:?}");
        }
    }
}

#[actix_web::test]
async fn a_key_comes_in_a_header_or_a_subprotocol_and_only_the_real_subprotocol_is_echoed() {
    let keys = KeyRing::new(&two_keys());
    let server = guarded(&keys);
    let offered = offer(NARROW, &secret(NARROW));
    let token = URL_SAFE_NO_PAD.encode(secret(NARROW));
    for (offers, chosen) in [
        (format!("tickcast.v1.json, {offered}"), Some("tickcast.v1.json")),
        (format!("{offered}, tickcast.v1.json"), Some("tickcast.v1.json")),
        (format!("tickcast.v1.json, tickcast.bearer.{token}"), Some("tickcast.v1.json")),
    ] {
        let client = Client::connect_offering(server.address, Some(&offers)).await;
        assert_eq!(client.protocol.as_deref(), chosen, "{offers}");
        assert_eq!(client.welcome["auth"], json!({"name": NARROW}));
    }
    let alone = raw_get(server.address, "/ws", &format!("Sec-WebSocket-Protocol: {offered}\r\n"), true).await;
    assert!(alone.status == 101 && !alone.head.contains("sec-websocket-protocol"), "{alone:?}");
    for header in [header_of(NARROW), format!("Bearer {}", secret(NARROW)), format!("bearer {}", secret(NARROW))] {
        let answer = request(server.address, Method::GET, "/api/v1/symbols", &[("Authorization", &header)]).await;
        assert_eq!(answer.json()["symbols"].as_array().unwrap().len(), 2, "{header}");
    }
    let mut stream = EventSource::open_as(server.address, "symbols=AAPL", &header_of(NARROW)).await;
    assert_eq!(stream.next_message().await.unwrap()["auth"], json!({"name": NARROW}));
}

#[actix_web::test]
async fn wrong_credentials_are_answered_alike_whichever_half_is_wrong() {
    let keys = KeyRing::new(&two_keys());
    let server = guarded(&keys);
    let good = secret(WIDE);
    let mut details = Vec::new();
    for (id, word) in [
        (WIDE, "wrong"),
        ("nobody", &*good),
        ("nobody", "wrong"),
        (WIDE, ""),
        ("", ""),
        (WIDE, &good[..good.len() - 1]),
    ] {
        let header = basic(id, word);
        let answer = request(server.address, Method::GET, "/api/v1/symbols", &[("Authorization", &header)]).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.header("www-authenticate"), "Bearer error=\"invalid_token\"");
        details.push(answer.problem());
        let headers = format!("Sec-WebSocket-Protocol: tickcast.v1.json, {}\r\n", offer(id, word));
        let refused = raw_get(server.address, "/ws", &headers, true).await;
        assert_eq!(refused.status, 401, "{refused:?}");
        assert!(!refused.head.contains("sec-websocket-protocol"), "{refused:?}");
    }
    assert!(details.iter().all(|detail| *detail == details[0]), "{details:?}");
    let twice = [offer(WIDE, &good), offer(WIDE, &good)].join(", ");
    let refused = raw_get(server.address, "/ws", &format!("Sec-WebSocket-Protocol: {twice}\r\n"), true).await;
    assert_eq!(refused.status, 401, "{refused:?}");
    let padded = format!("Sec-WebSocket-Protocol: tickcast.v1.json, {}=\r\n", offer(WIDE, &good));
    assert_eq!(raw_get(server.address, "/ws", &padded, true).await.status, 401);
    assert_eq!(server.sessions(), 0);
}

#[actix_web::test]
async fn an_address_with_many_wrong_credentials_waits_and_the_order_of_the_checks_is_kept() {
    let keys = KeyRing::new(&two_keys());
    let (server, clock) = crate::spawn::spawn_app_at_rest(|settings| {
        keys.require(settings);
        settings.limits.address_failures_per_minute = 3;
    });
    let try_it = async |word: &str, headers: &str| {
        let headers = format!("Authorization: {}\r\n{headers}", basic(WIDE, word));
        raw_get(server.address, "/ws", &headers, true).await
    };
    // The page's origin comes before the credentials.
    assert_eq!(try_it("wrong", "Origin: https://evil.example\r\n").await.status, 403);
    for _ in 0..3 {
        assert_eq!(try_it("wrong", "").await.status, 401);
    }
    let answer = try_it("wrong", "").await;
    assert_eq!(answer.status, 429, "{answer:?}");
    assert!(answer.head.contains("retry-after: ") && answer.body.contains("rate_limited"), "{answer:?}");
    assert_eq!(try_it(&secret(WIDE), "Origin: https://evil.example\r\n").await.status, 403);
    let vendor = get(server.address, "/v3/snapshot?apiKey=guess").await;
    assert_eq!(vendor.status, 429, "{}", vendor.text());
    assert_eq!(get(server.address, "/healthz").await.status, 200);
    assert_eq!(try_it(&secret(WIDE), "").await.status, 101, "the right one of another client there");
    assert_eq!(get(server.address, "/api/v1/symbols").await.status, 401, "none at all");
    clock.advance_micros(60_000_000);
    assert_eq!(try_it("wrong", "").await.status, 401);
}

#[actix_web::test]
async fn a_key_is_held_to_its_addresses_and_origins() {
    let keys = KeyRing::new(&[
        crate::keyring::entry("far", "symbols = [\"*\"]\naddresses = [\"192.0.2.0/24\"]"),
        crate::keyring::entry("page", "symbols = [\"*\"]\norigins = [\"https://good.example\"]"),
    ]);
    let server = spawn_app(|settings| {
        keys.require(settings);
        settings.server.allowed_origins = tickcast::transport::AllowedOrigins::parse(&["*"]).unwrap();
    });
    let answer = get_as(server.address, "far", "/api/v1/symbols").await;
    assert_eq!((answer.status, &answer.problem()["code"]), (403, &json!("forbidden")));
    for (origin, status, code) in
        [("https://good.example", 200, Value::Null), ("https://evil.example", 403, json!("forbidden_origin"))]
    {
        let headers = [("Authorization", &*header_of("page")), ("Origin", origin)];
        let answer = request(server.address, Method::GET, "/api/v1/symbols", &headers).await;
        assert_eq!(answer.status, status, "{origin}");
        assert_eq!(answer.header("access-control-allow-origin"), "*", "its page reads why");
        if status == 403 {
            assert_eq!(answer.problem()["code"], code);
        }
    }
    let preflight = [
        ("Origin", "https://good.example"),
        ("Access-Control-Request-Method", "GET"),
        ("Access-Control-Request-Headers", "authorization"),
    ];
    let answer = request(server.address, Method::OPTIONS, "/api/v1/symbols", &preflight).await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("access-control-allow-headers").contains("authorization"));
    assert_eq!(request(server.address, Method::OPTIONS, "/api/v1/symbols", &[]).await.status, 401);
    // No preflight asks for an upgrade, and it would pass every limit.
    let upgrade = [("Connection", "Upgrade"), ("Upgrade", "websocket")];
    let answer = request(server.address, Method::OPTIONS, "/ws", &[&preflight[..], &upgrade].concat()).await;
    assert_eq!(answer.status, 401);
    assert_eq!(request(server.address, Method::HEAD, "/api/v1/symbols", &[]).await.status, 401);
}
