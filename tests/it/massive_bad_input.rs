//! The stock stream of Massive: messages that are no requests are answered, and the session lives.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::json_client::{Closed, JsonClient, acknowledged, answers_to_mutations, massive, status};
use crate::spawn::spawn_app_at_rest;

#[actix_web::test]
async fn what_is_no_request_is_answered_with_an_error_before_and_after_authentication() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let mut new = JsonClient::open(server.address, "/stocks").await;
    new.array().await;
    for mut client in [new, massive(server.address).await] {
        for text in [
            "",
            "hello",
            "{",
            "[]",
            "null",
            r#"[{"action":"subscribe","params":"T.AAPL"}]"#,
            r#"{"action":"subscribe"}"#,
            r#"{"action":"subscribe","params":null}"#,
            r#"{"action":"subscribe","params":["T.AAPL"]}"#,
            r#"{"action":null,"params":""}"#,
            r#"{"action":"listen","params":"T.AAPL"}"#,
            r#"{"action":"auth"}"#,
        ] {
            client.send_message(Message::Text(text.into())).await;
            assert_eq!(client.array().await, status("error", "invalid message"), "{text}");
        }
        for bytes in [&b"\x00\xff"[..], b"\x81\xa6action\xa9subscribe", b""] {
            client.send_message(Message::Binary(bytes.to_vec().into())).await;
            assert_eq!(client.array().await, status("error", "invalid message"), "{bytes:?}");
        }
    }
}

#[actix_web::test]
async fn a_request_in_fragments_is_read() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let mut client = massive(server.address).await;
    let request = json!({"action": "subscribe", "params": "T.AAPL"}).to_string();
    let (first, rest) = request.as_bytes().split_at(10);
    let pieces = [(first, Data::Text, false), (rest, Data::Continue, false), (b"", Data::Continue, true)];
    for (payload, data, is_last) in pieces {
        let frame = Frame::message(payload.to_vec(), OpCode::Data(data), is_last);
        client.send_message(Message::Frame(frame)).await;
    }
    assert_eq!(client.array().await, acknowledged("subscribed to", &["T.AAPL"]));
}

#[actix_web::test]
async fn text_that_is_not_utf_8_and_a_message_that_is_too_long_close_the_session() {
    let (server, _clock) = spawn_app_at_rest(|settings| settings.session.vendor_message_bytes_max = 1_000);
    let mut client = massive(server.address).await;
    client.send_message(Message::Frame(Frame::message(vec![b'{', 0xff], OpCode::Data(Data::Text), true))).await;
    assert_eq!(client.next().await, Err(Closed(Some(1007))));
    let mut client = massive(server.address).await;
    client.send_message(Message::Text("x".repeat(1_001).into())).await;
    assert_eq!(client.array().await, status("error", "invalid message"));
    assert_eq!(client.next().await, Err(Closed(Some(1009))));
}

#[actix_web::test]
async fn thousands_of_items_are_acknowledged_in_one_array() {
    let (server, _clock) = spawn_app_at_rest(|settings| settings.session.symbols_max = 10_000);
    let mut client = massive(server.address).await;
    let items: Vec<_> = (0..10_000).map(|number| format!("T.S{number}")).collect();
    let items: Vec<_> = items.iter().map(String::as_str).collect();
    assert_eq!(client.ask("subscribe", &items.join(",")).await, acknowledged("subscribed to", &items));
}

#[actix_web::test]
async fn any_change_of_a_byte_of_a_request_is_answered_in_the_shape_of_the_vendor() {
    let (server, _clock) = spawn_app_at_rest(|settings| {
        settings.session.vendor_message_bytes_max = 1_000;
        settings.session.requests_per_second_max = 1_000_000;
        settings.session.work_per_second_max = 1_000_000_000;
    });
    let mut client = massive(server.address).await;
    let requests = [
        r#"{"action":"subscribe","params":"T.AAPL,Q.*"}"#,
        r#"{"action":"unsubscribe","params":"T.AAPL"}"#,
        r#"{"action":"auth","params":"tickcast"}"#,
    ];
    let (frames, closed) = answers_to_mutations(&mut client, &requests, 1_000).await;
    assert_eq!(closed, Closed(Some(1009)));
    assert!(frames.len() > 300, "{}", frames.len());
    for frame in frames {
        for message in frame.as_array().unwrap() {
            assert_eq!(message["ev"], "status", "{message}");
            assert!(
                ["success", "auth_success", "error"].iter().any(|status| message["status"] == *status),
                "{message}"
            );
            assert_eq!(message.as_object().unwrap().len(), 3, "{message}");
        }
    }
}
