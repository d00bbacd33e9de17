//! Faults in the dialect of Alpaca: errors at the authentication, and sessions that are chosen by their key.

use awc::http::Method;
use serde_json::{Value, json};

use crate::http::request;
use crate::patience::wait_until;
use crate::raw::{BINARY, PING, PONG, RawClient, TEXT, handshake};
use crate::rest_alpaca::KEYS;
use crate::spawn::spawn_app;

/// A client of Alpaca's stock stream.
struct AlpacaClient(RawClient);

impl AlpacaClient {
    /// Connects, in MessagePack or JSON, and reads `connected`.
    async fn connect(server: std::net::SocketAddr, content_type: Option<&str>) -> Self {
        let mut raw = RawClient::connect(server).await;
        let request = handshake(&[("Content-Type", content_type)]).replacen("/ws ", "/v2/iex ", 1);
        assert_eq!(raw.request(&request).await.status, 101);
        let mut client = Self(raw);
        let first = client.next().await;
        assert!(content_type.is_some() || first.contains("connected"), "{first}");
        client
    }

    /// Returns the next frame of messages, as far as it is text.
    async fn next(&mut self) -> String {
        loop {
            let frame = self.0.next_frame().await.expect("the connection lives");
            match frame.first_byte {
                TEXT | BINARY => return String::from_utf8_lossy(&frame.payload).into_owned(),
                PING => self.0.send_frame(PONG, &frame.payload).await,
                _ => {}
            }
        }
    }

    async fn send(&mut self, request: Value) {
        self.0.send_frame(TEXT, request.to_string().as_bytes()).await;
    }

    /// Authenticates; returns the answer.
    async fn auth(&mut self, key: &str) -> String {
        self.send(json!({"action": "auth", "key": key, "secret": "tickcast"})).await;
        self.next().await
    }
}

#[actix_web::test]
async fn a_correct_authentication_is_answered_with_the_error_so_often_and_then_succeeds() {
    let server = spawn_app(|_| {});
    for (code, message) in
        [(402, "auth failed"), (406, "connection limit exceeded"), (409, "insufficient subscription")]
    {
        server.add_fault(&json!({"kind": "auth_error", "code": code, "dialect": "alpaca", "times": 2})).await;
        let mut client = AlpacaClient::connect(server.address, None).await;
        for _ in 0..2 {
            let answer: Value = serde_json::from_str(&client.auth("tickcast").await).unwrap();
            assert_eq!(answer, json!([{"T": "error", "code": code, "msg": message}]));
        }
        assert!(client.auth("tickcast").await.contains("authenticated"));
        client.0.hang_up().await;
        wait_until("sessions", 0, || server.sessions()).await;
    }
    assert_eq!(server.metrics.faults("auth_error"), 6);
}

#[actix_web::test]
async fn requests_to_the_rest_addresses_are_refused_by_key() {
    let server = spawn_app(|_| {});
    let rule = json!({"kind": "refuse", "status": 429, "retry_after_s": 3, "times": 2, "key": "tickcast", "transport": "rest"});
    server.add_fault(&rule).await;
    let path = "/v2/stocks/trades/latest?symbols=AAPL";
    for _ in 0..2 {
        let answer = request(server.address, Method::GET, path, &KEYS).await;
        assert_eq!((answer.status, answer.header("retry-after")), (429, "3"));
    }
    assert_eq!(request(server.address, Method::GET, path, &KEYS).await.status, 200);
    assert_eq!(server.metrics.faults("refuse"), 2);
}

#[actix_web::test]
async fn a_handshake_that_names_a_key_is_refused_by_it() {
    let server = spawn_app(|_| {});
    server.add_fault(&json!({"kind": "refuse", "status": 429, "key": "tickcast", "transport": "websocket"})).await;
    let pair = |id| [("APCA-API-KEY-ID", Some(id)), ("APCA-API-SECRET-KEY", Some(id))];
    for (path, headers, status) in [
        ("/v2/iex", &pair("tickcast")[..], 429),
        ("/v2/iex", &pair("other"), 101),
        // This client will authenticate by message.
        ("/v2/iex", &[], 101),
        ("/?token=tickcast", &[], 429),
        ("/?token=other", &[], 101),
    ] {
        let request = handshake(headers).replacen("/ws ", &format!("{path} "), 1);
        let answer = RawClient::connect(server.address).await.request(&request).await;
        assert_eq!(answer.status, status, "{path} {headers:?}");
    }
    assert_eq!(server.metrics.faults("refuse"), 2);
}

#[actix_web::test]
async fn a_refused_request_has_the_shape_of_the_vendor() {
    let server = spawn_app(|_| {});
    server.add_fault(&json!({"kind": "refuse", "status": 503, "transport": "rest"})).await;
    for (path, member) in [
        ("/v2/stocks/trades/latest?symbols=AAPL", "message"),
        ("/v2/last/trade/AAPL?apiKey=tickcast", "error"),
        ("/finnhub/api/v1/quote?symbol=AAPL&token=tickcast", "error"),
    ] {
        let answer = request(server.address, Method::GET, path, &KEYS).await;
        assert_eq!(answer.status, 503, "{path}");
        let body: Value = serde_json::from_str(answer.text()).unwrap();
        assert!(body[member].is_string(), "{path}: {body}");
    }
}

#[actix_web::test]
async fn a_session_is_chosen_by_its_key_once_it_has_authenticated() {
    let server = spawn_app(|_| {});
    server.add_fault(&json!({"kind": "close", "code": 4321, "key": "tickcast", "dialect": "alpaca"})).await;
    let mut client = AlpacaClient::connect(server.address, None).await;
    client.0.send_frame(PING, b"1").await;
    assert_eq!(client.0.next_of(PONG).await, b"1", "nobody knows the key yet");
    client.send(json!({"action": "auth", "key": "tickcast", "secret": "tickcast"})).await;
    assert_eq!(client.0.next_of(crate::raw::CLOSE).await, 4321_u16.to_be_bytes());
    assert_eq!(server.metrics.faults("close"), 1);
}

#[actix_web::test]
async fn events_are_edited_and_broken_in_the_codec_of_the_session() {
    let server = spawn_app(|_| {});
    server.add_fault(&json!({"kind": "bad_price", "price": "zero", "dialect": "alpaca"})).await;
    let mut client = AlpacaClient::connect(server.address, None).await;
    client.auth("tickcast").await;
    client.send(json!({"action": "subscribe", "trades": ["*"]})).await;
    assert!(client.next().await.contains("subscription"));
    let trades: Value = serde_json::from_str(&client.next().await).unwrap();
    assert_eq!((&trades[0]["T"], trades[0]["p"].as_f64()), (&json!("t"), Some(0.0)));

    server.add_fault(&json!({"kind": "garbage", "dialect": "alpaca"})).await;
    client.0.hang_up().await;
    wait_until("sessions", 0, || server.sessions()).await;
    let mut client = AlpacaClient::connect(server.address, Some("application/msgpack")).await;
    client.auth("tickcast").await;
    client.send(json!({"action": "subscribe", "trades": ["*"]})).await;
    client.next().await;
    // No type of MessagePack begins with this byte.
    assert_eq!(client.0.next_of(BINARY).await[0], 0xC1);
}
