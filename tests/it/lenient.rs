//! Harmless mistakes with an obvious meaning are accepted: lower case, blanks, slashes, `null`.

use serde_json::{Value, json};

use crate::client::Client;
use crate::http::get;
use crate::raw::{RawClient, handshake};
use crate::spawn::spawn_app;

#[actix_web::test]
async fn symbols_are_found_in_lower_case_and_with_blanks_after_the_comma() {
    let server = spawn_app(|_| {});
    for query in ["symbols=aapl,%20msft", "symbols=Aapl,+MSFT", "symbols=%20aapl%20,msft,AAPL"] {
        let snapshots = get(server.address, &format!("/api/v1/snapshot?{query}")).await.json();
        let symbols: Vec<_> = snapshots["snapshots"].as_array().unwrap().iter().map(|each| &each["symbol"]).collect();
        assert_eq!(symbols, ["AAPL", "MSFT"], "{query}");
        let poll = get(server.address, &format!("/api/v1/poll?{query}&channels=trades,%20quotes&wait_ms=0")).await;
        assert_eq!(poll.json()["messages"].as_array().unwrap().len(), 2, "{query}");
    }
    assert_eq!(get(server.address, "/api/v1/bars?symbol=brk.b").await.json()["symbol"], "BRK.B");

    let mut client = Client::connect(server.address).await;
    let subscribed = client.ask(json!({"action": "subscribe", "symbols": ["aapl", " AAPL", "AAPL", "msft"]})).await;
    let subscriptions = subscribed.last().unwrap()["subscriptions"].as_array().unwrap().clone();
    let symbols: Vec<_> = subscriptions.iter().map(|each| &each["symbol"]).collect();
    assert_eq!(symbols, ["AAPL", "MSFT"], "each once");
    let left = client.ask(json!({"action": "unsubscribe", "symbols": ["aapl"]})).await;
    assert_eq!(left.last().unwrap()["subscriptions"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn a_byte_order_mark_and_null_keys_are_accepted() {
    let server = spawn_app(|_| {});
    let mut client = Client::connect(server.address).await;
    let epoch = client.welcome["epoch"].clone();
    for request in [
        "\u{feff}{\"action\":\"subscribe\",\"id\":1,\"symbols\":[\"AAPL\"]}".to_owned(),
        json!({"action": "subscribe", "id": 1, "symbols": ["AAPL"], "channels": null, "after": null, "mode": null,
               "max_hz": null, "on_lag": null})
        .to_string(),
        json!({"action": "subscribe", "id": 1, "symbols": ["AAPL"], "after": {"epoch": epoch, "offset": 0.0}})
            .to_string(),
        r#"{"action":"list","id":1.0}"#.to_owned(),
        r#"{"action":"list","id":10e-1}"#.to_owned(),
    ] {
        client.send_text(request.clone()).await;
        let answer = loop {
            let message = client.next_message().await;
            if message.get("id") == Some(&Value::from(1)) {
                break message;
            }
        };
        assert_eq!(answer["type"], "subscribed", "{request}: {answer}");
    }
}

#[actix_web::test]
async fn redundant_slashes_are_ignored() {
    let server = spawn_app(|_| {});
    for path in ["/ws/", "//ws"] {
        let request = handshake(&[]).replace("GET /ws ", &format!("GET {path} "));
        let answer = RawClient::connect(server.address).await.request(&request).await;
        assert_eq!(answer.status, 101, "{path}");
    }
    for (path, target) in [("/compare/", "../compare"), ("/handshake/", "../handshake")] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let answer = RawClient::connect(server.address).await.request(&request).await;
        let location = format!("location: {target}\r\n");
        assert_eq!((answer.status, answer.head.contains(&location)), (307, true), "{path}: {}", answer.head);
    }
}
