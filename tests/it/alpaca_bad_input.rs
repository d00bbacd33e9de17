//! The stock stream of Alpaca: whatever a client sends is answered in the vendor's words, and the session lives.

use serde_json::{Value, json};
use tickcast::protocol::CloseReason;
use tokio_tungstenite::tungstenite::Message;

use crate::alpaca_client::{AlpacaClient, CODECS, Ended, acknowledgement, error, packed};
use crate::spawn::spawn_app_at_rest;

#[actix_web::test]
async fn a_message_that_is_no_request_is_invalid_syntax_in_either_codec() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    for headers in CODECS {
        let mut client = AlpacaClient::connect(server.address, "/v2/iex", headers).await;
        let held: &[(&str, &[&str])] = &[("trades", &["AAPL"])];
        client.ask(&json!({"action": "subscribe", "trades": ["AAPL"]})).await;
        for message in [
            Message::Text("".into()),
            Message::Text("not JSON".into()),
            Message::Text("[]".into()),
            Message::Text("{}".into()),
            Message::Text(r#"{"action":"subscribe","trades":"AAPL"}"#.into()),
            Message::Text(r#"{"action":"subscribe","trades":["aapl"]}"#.into()),
            Message::Text(r#"{"action":"subscribe","trades":["AAPL"],"quotes":[7]}"#.into()),
            Message::Text("[".repeat(100_000).into()),
            Message::Binary(Vec::new().into()),
            // A text as the payload of a binary frame, and bytes that MessagePack never uses.
            Message::Binary(b"{\"action\":\"subscribe\"}".to_vec().into()),
            Message::Binary(vec![0xc1; 10].into()),
            Message::Binary(vec![0xdf, 0xff, 0xff, 0xff, 0xff].into()),
            Message::Binary(vec![0x91; 100_000].into()),
            Message::Binary(packed(&json!({"action": "subscribe", "trades": {"AAPL": true}})).into()),
            // A map of integers.
            Message::Binary(vec![0x81, 1, 2].into()),
        ] {
            client.send_message(message.clone()).await;
            assert_eq!(client.next_frame().await, error(400), "{message:.80?}");
        }
        assert_eq!(client.ask(&json!({"action": "unsubscribe"})).await, acknowledgement(held), "as before");
    }
}

#[actix_web::test]
async fn only_a_channel_that_the_stream_does_not_have_and_that_has_symbols_is_refused() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    for headers in CODECS {
        let mut client = AlpacaClient::connect(server.address, "/v2/iex", headers).await;
        for action in ["subscribe", "unsubscribe"] {
            for channel in ["orderbooks", "news", "pricing", "tades"] {
                let request = |names: Value| json!({"action": action, "trades": ["AAPL"], channel: names});
                assert_eq!(client.ask(&request(json!(["AAPL"]))).await, error(410), "{action} {channel}");
                let expected: &[(&str, &[&str])] = if action == "subscribe" { &[("trades", &["AAPL"])] } else { &[] };
                for empty in [json!(null), json!([])] {
                    assert_eq!(client.ask(&request(empty)).await, acknowledgement(expected), "{action} {channel}");
                }
                client.ask(&json!({"action": "unsubscribe", "trades": ["AAPL"]})).await;
            }
        }
    }
}

#[actix_web::test]
async fn a_message_over_the_limit_is_refused_and_closed() {
    let (server, _clock) = spawn_app_at_rest(|settings| settings.session.vendor_message_bytes_max = 2_000);
    for (number, headers) in (1..).zip(CODECS) {
        let mut client = AlpacaClient::connect(server.address, "/v2/iex", headers).await;
        client.send_message(Message::Text(" ".repeat(2_000).into())).await;
        assert_eq!(client.next_frame().await, error(400), "as long as permitted");
        client.send_message(Message::Text(" ".repeat(2_001).into())).await;
        let (last, ended) = client.read_to_end().await;
        assert_eq!((last.unwrap(), ended), (error(400)[0].clone(), Ended(Some(1009))));
        assert_eq!(server.metrics.closes(CloseReason::MessageTooBig), number);
    }
}

#[actix_web::test]
async fn a_text_that_is_not_utf_8_ends_the_session_as_rfc_6455_demands() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let mut client = AlpacaClient::connect(server.address, "/v2/iex", &[]).await;
    client.send_invalid_text().await;
    let (_, ended) = client.read_to_end().await;
    assert_eq!(ended, Ended(Some(1007)));
}
