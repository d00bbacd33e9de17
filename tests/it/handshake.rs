//! The opening handshake: a request that opens no WebSocket is answered with the reason.

use awc::http::Method;

use crate::client::Client;
use crate::http::request;
use crate::raw::{PING, PONG, RawClient, handshake};
use crate::spawn::spawn_app;

#[actix_web::test]
async fn a_request_without_upgrade_is_answered_with_426() {
    let server = spawn_app(|_| {});
    let answer = RawClient::connect(server.address).await.request("GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(answer.status, 426);
    for header in ["upgrade: websocket", "sec-websocket-version: 13", "content-type: application/problem+json"] {
        assert!(answer.head.contains(&format!("\r\n{header}\r\n")), "{header}: {answer:?}");
    }
    assert!(answer.body.contains(r#""code":"upgrade_required""#), "{answer:?}");
    for change in
        [("Upgrade", None), ("Upgrade", Some("h2c")), ("Connection", None), ("Connection", Some("keep-alive"))]
    {
        let answer = RawClient::connect(server.address).await.request(&handshake(&[change])).await;
        assert_eq!(answer.status, 426, "{change:?}: {answer:?}");
    }
}

#[actix_web::test]
async fn another_version_of_websocket_is_answered_with_426_and_the_supported_version() {
    let server = spawn_app(|_| {});
    for version in [None, Some("8"), Some("12"), Some("14"), Some("131"), Some("thirteen"), Some("")] {
        let request = handshake(&[("Sec-WebSocket-Version", version)]);
        let answer = RawClient::connect(server.address).await.request(&request).await;
        assert_eq!(answer.status, 426, "{version:?}: {answer:?}");
        assert!(answer.head.contains("\r\nsec-websocket-version: 13\r\n"), "{answer:?}");
        assert!(answer.head.contains("\r\ncontent-type: application/problem+json\r\n"), "{answer:?}");
    }
}

#[actix_web::test]
async fn a_missing_or_bad_key_is_answered_with_400() {
    let server = spawn_app(|_| {});
    let keys = [
        None,
        Some(""),
        Some("short"),
        Some("dGhlIHNhbXBsZSBub25jZQ"),
        Some("dGhlIHNhbXBsZSBub25jZ!=="),
        Some("dGhlIHNhbXBsZSBub25jZSBhbmQgbW9yZQ=="),
    ];
    for key in keys {
        let request = handshake(&[("Sec-WebSocket-Key", key)]);
        let answer = RawClient::connect(server.address).await.request(&request).await;
        assert_eq!(answer.status, 400, "{key:?}: {answer:?}");
        assert!(answer.body.contains(r#""code":"bad_request""#), "{answer:?}");
    }
}

#[actix_web::test]
async fn another_method_is_answered_with_405() {
    let server = spawn_app(|_| {});
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let answer = request(server.address, method, "/ws", &[]).await;
        assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD"));
        assert_eq!(answer.problem()["code"], "method_not_allowed");
    }
    let upgrade = handshake(&[]).replace("GET", "POST");
    assert_eq!(RawClient::connect(server.address).await.request(&upgrade).await.status, 405);
}

#[actix_web::test]
async fn header_names_and_tokens_are_accepted_in_any_case_and_among_others() {
    let server = spawn_app(|_| {});
    for changes in [
        [("Upgrade", Some("WebSocket")), ("Connection", Some("upgrade"))],
        [("Upgrade", Some("websocket")), ("Connection", Some("keep-alive, Upgrade"))],
    ] {
        let answer = RawClient::connect(server.address).await.request(&handshake(&changes)).await;
        assert_eq!(answer.status, 101, "{changes:?}: {answer:?}");
        let lower_case = handshake(&changes).replace("Sec-WebSocket-Key", "sec-websocket-key");
        let answer = RawClient::connect(server.address).await.request(&lower_case).await;
        assert_eq!(answer.status, 101, "{answer:?}");
    }
}

#[actix_web::test]
async fn a_websocket_offered_among_other_protocols_is_opened() {
    let server = spawn_app(|_| {});
    // A list may be cut into several header lines (RFC 9110 section 5.3) and have empty elements (section 5.6.1).
    let upgrades = [
        "websocket, h2c",
        "h2c,WebSocket",
        "h2c\r\nUpgrade: websocket",
        "websocket\r\nUpgrade: h2c",
        "h2c, IRC/6.9\r\nUpgrade: TLS/1.0 \t, \t WebSocket \t,, RTA/x11",
        ",websocket,",
    ];
    let connections =
        ["Upgrade", "keep-alive\r\nConnection: Upgrade", "UPGRADE\r\nConnection: keep-alive", "Foo ,\tupgrade\t, Bar"];
    for offered in upgrades.into_iter().flat_map(|upgrade| connections.map(|connection| (upgrade, connection))) {
        let mut client = RawClient::connect(server.address).await;
        let changes = [("Upgrade", Some(offered.0)), ("Connection", Some(offered.1))];
        let answer = client.request(&handshake(&changes)).await;
        assert_eq!(answer.status, 101, "{offered:?}: {answer:?}");
        client.send_frame(PING, b"are you there").await;
        assert_eq!(client.next_of(PONG).await, b"are you there", "{offered:?}");
    }
}

#[actix_web::test]
async fn a_request_that_only_resembles_a_handshake_opens_no_websocket() {
    let server = spawn_app(|_| {});
    // The token has no version (RFC 6455 section 11.2).
    for offered in
        ["websocket/13", "websockets", "web socket", "h2c\r\nUpgrade: websocket/13", "web\r\nUpgrade: socket"]
    {
        let answer = RawClient::connect(server.address).await.request(&handshake(&[("Upgrade", Some(offered))])).await;
        assert_eq!(answer.status, 426, "{offered:?}: {answer:?}");
    }
    // These headers may occur once (RFC 6455 sections 11.3.1 and 11.3.5).
    for (header, value) in [("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Sec-WebSocket-Version", "13")] {
        let twice = format!("{value}\r\n{header}: {value}");
        let answer = RawClient::connect(server.address).await.request(&handshake(&[(header, Some(&twice))])).await;
        assert_eq!(answer.status, 400, "{header}: {answer:?}");
    }
    assert_eq!(server.sessions(), 0);
}

#[actix_web::test]
async fn a_handshake_with_a_body_is_answered_with_400() {
    let server = spawn_app(|_| {});
    for header in [("Transfer-Encoding", Some("chunked")), ("Content-Length", Some("5"))] {
        let answer = RawClient::connect(server.address).await.request(&handshake(&[header])).await;
        assert_eq!(answer.status, 400, "{header:?}: {answer:?}");
    }
    let mut client = RawClient::connect(server.address).await;
    assert_eq!(client.request(&handshake(&[("Content-Length", Some("0"))])).await.status, 101);
}

#[actix_web::test]
async fn a_client_that_offers_http_2_keeps_its_connection() {
    let server = spawn_app(|_| {});
    let mut client = RawClient::connect(server.address).await;
    for _ in 0..3 {
        let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\n\
                       Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n";
        let answer = client.request(request).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "alive\n"));
        assert!(!answer.head.contains("\r\nconnection:"), "{answer:?}");
    }
}

#[actix_web::test]
async fn an_unknown_subprotocol_is_not_chosen() {
    let server = spawn_app(|_| {});
    for offered in ["soap", "tickcast.v2.json", "TICKCAST.V1.JSON, wamp"] {
        let request = handshake(&[("Sec-WebSocket-Protocol", Some(offered))]);
        let answer = RawClient::connect(server.address).await.request(&request).await;
        assert_eq!(answer.status, 101, "by RFC 6455 section 4.2.2 the client ends this");
        assert!(!answer.head.contains("sec-websocket-protocol"), "{answer:?}");
    }
}

#[actix_web::test]
async fn a_subprotocol_is_found_in_any_of_several_headers() {
    let server = spawn_app(|_| {});
    for offered in [["soap", "tickcast.v1.json"], ["wamp, tickcast.v1.json", "soap"]] {
        let request = handshake(&[("Sec-WebSocket-Protocol", Some(&offered.join("\r\nSec-WebSocket-Protocol: ")))]);
        let answer = RawClient::connect(server.address).await.request(&request).await;
        assert_eq!(answer.status, 101);
        assert!(answer.head.contains("sec-websocket-protocol: tickcast.v1.json\r\n"), "{answer:?}");
    }
}

#[actix_web::test]
async fn http_1_0_opens_no_websocket() {
    let server = spawn_app(|_| {});
    let request = handshake(&[]).replace("HTTP/1.1", "HTTP/1.0");
    let answer = RawClient::connect(server.address).await.request(&request).await;
    assert_eq!(answer.status, 400, "{answer:?}");
}

#[actix_web::test]
async fn refused_handshakes_leave_no_session_and_the_server_goes_on() {
    let server = spawn_app(|_| {});
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["*"], &["trades", "quotes"]).await;
    for _ in 0..10 {
        RawClient::connect(server.address).await.request(&handshake(&[("Sec-WebSocket-Key", None)])).await;
        RawClient::connect(server.address).await.send(b"GET /ws HTTP/1.1\r\nHost: loc").await;
        RawClient::connect(server.address).await.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await;
    }
    witness.events(50).await;
    assert_eq!((witness.view.missing, server.sessions()), (0, 1));
}
