//! Pages of other origins: refused before the upgrade unless they are listed, and kept from reading over HTTP by CORS.

use awc::http::Method;

use crate::command::spawn_binary;
use crate::http::{Answer, request};
use crate::raw::{RawClient, handshake};
use crate::spawn::{TestServer, spawn_app};
use tickcast::transport::AllowedOrigins;

fn spawn_allowing(origins: &[&str]) -> TestServer {
    spawn_app(|settings| settings.server.allowed_origins = AllowedOrigins::parse(origins).unwrap())
}

async fn open(server: &TestServer, origin: Option<&str>) -> crate::raw::Answer {
    let host = server.address.to_string();
    let request = handshake(&[("Host", Some(&host)), ("Origin", origin)]);
    RawClient::connect(server.address).await.request(&request).await
}

async fn api(server: &TestServer, origin: &str) -> Answer {
    request(server.address, Method::GET, "/api/v1/snapshot?symbols=AAPL", &[("Origin", origin)]).await
}

#[actix_web::test]
async fn a_page_of_another_origin_is_refused_before_the_upgrade() {
    let server = spawn_allowing(&[]);
    for origin in ["http://evil.example", "https://evil.example", "http://127.0.0.1", "http://localhost:1", "null", "x"]
    {
        let answer = open(&server, Some(origin)).await;
        assert_eq!(answer.status, 403, "{origin}: {answer:?}");
        assert!(answer.head.contains("\r\ncontent-type: application/problem+json\r\n"), "{answer:?}");
        assert!(answer.body.contains(r#""code":"forbidden_origin""#), "{answer:?}");
        assert!(answer.body.contains("server.allowed_origins"), "{answer:?}");
    }
    assert_eq!(server.sessions(), 0);
    assert!(server.metrics.origins_refused.get() >= 5);
}

#[actix_web::test]
async fn a_refused_origin_is_logged_once_a_minute() {
    let mut process = spawn_binary(&[], &[]).await;
    for origin in ["https://a.example", "https://a.example", "https://a.example", "https://b.example"] {
        let request = handshake(&[("Origin", Some(origin))]);
        assert_eq!(RawClient::connect(process.address).await.request(&request).await.status, 403);
    }
    let mut lines = Vec::new();
    while lines.len() < 2 {
        let line = process.next_line().await;
        // Not those of the audit log, which has others.
        lines.extend((!line.starts_with('{')).then_some(line));
    }
    assert!(lines[0].contains("https://a.example") && lines[1].contains("https://b.example"), "{lines:?}");
    assert!(lines[0].contains("WARN") && lines[0].contains("server.allowed_origins"), "{lines:?}");
}

#[actix_web::test]
async fn applications_and_extensions_may_connect_when_they_are_listed() {
    let origins = ["capacitor://localhost", "tauri://localhost", "chrome-extension://abcdefghijklmnopabcdefghijklmnop"];
    let server = spawn_allowing(&origins);
    for origin in origins {
        assert_eq!(open(&server, Some(origin)).await.status, 101, "{origin}");
        let answer = api(&server, origin).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, origin));
    }
    assert_eq!(open(&server, Some("capacitor://elsewhere")).await.status, 403);
}

#[actix_web::test]
async fn a_page_of_the_server_itself_and_a_client_without_origin_may_connect() {
    let server = spawn_allowing(&[]);
    let own = format!("http://{}", server.address);
    for origin in [Some(own.as_str()), None] {
        assert_eq!(open(&server, origin).await.status, 101, "{origin:?}");
    }
}

#[actix_web::test]
async fn a_page_of_a_listed_origin_may_connect_and_no_other() {
    let server = spawn_allowing(&["https://charts.example", "http://localhost:3000"]);
    for origin in ["https://charts.example", "http://localhost:3000"] {
        assert_eq!(open(&server, Some(origin)).await.status, 101, "{origin}");
    }
    for origin in ["http://charts.example", "https://charts.example:444", "http://localhost:3001"] {
        assert_eq!(open(&server, Some(origin)).await.status, 403, "{origin}");
    }
    let server = spawn_allowing(&["*"]);
    for origin in ["https://charts.example", "null"] {
        assert_eq!(open(&server, Some(origin)).await.status, 101, "{origin}");
    }
}

#[actix_web::test]
async fn over_http_a_listed_page_may_read_and_another_may_not() {
    let server = spawn_allowing(&["https://charts.example"]);
    let answer = api(&server, "https://charts.example").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, "https://charts.example"));
    assert!(answer.header("vary").to_lowercase().contains("origin"), "{answer:?}");
    // The browser keeps a page from reading the answer, because the server does not permit it.
    let answer = api(&server, "https://evil.example").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, ""));
    assert!(answer.header("vary").to_lowercase().contains("origin"), "{answer:?}");
    let mistake =
        request(server.address, Method::GET, "/api/v1/snapshot?symbols=XYZ", &[("Origin", "https://charts.example")]);
    let mistake = mistake.await;
    assert_eq!((mistake.status, mistake.header("access-control-allow-origin")), (404, "https://charts.example"));
    assert_eq!(api(&spawn_allowing(&["*"]), "https://any.example").await.header("access-control-allow-origin"), "*");
}

#[actix_web::test]
async fn a_preflight_is_answered_for_listed_pages() {
    let server = spawn_allowing(&["https://charts.example"]);
    let headers = [
        ("Origin", "https://charts.example"),
        ("Access-Control-Request-Method", "GET"),
        ("Access-Control-Request-Headers", "last-event-id"),
    ];
    let answer = request(server.address, Method::OPTIONS, "/api/v1/poll", &headers).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, "https://charts.example"));
    assert_eq!(answer.header("access-control-allow-headers").to_lowercase(), "last-event-id");
    assert!(answer.header("access-control-allow-methods").contains("GET"));
    let foreign = [("Origin", "https://evil.example"), headers[1], headers[2]];
    let answer = request(server.address, Method::OPTIONS, "/api/v1/poll", &foreign).await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
}

#[actix_web::test]
async fn without_an_origin_http_is_unchanged() {
    let server = spawn_allowing(&[]);
    let answer = request(server.address, Method::GET, "/api/v1/symbols", &[]).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, ""));
}
