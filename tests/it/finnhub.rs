//! The stream of Finnhub: the token in the handshake, trades in objects, pings and errors, and no acknowledgement.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tickcast::access::{AnyKey, AtExcess, KeyConfig, Vendor};
use tickcast::app::Settings;
use tickcast::protocol::{CloseReason, Refusal};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::http::get;
use crate::json_client::{Closed, JsonClient, answers_to_mutations, replay};
use crate::patience::wait_until;
use crate::raw::{RawClient, handshake};
use crate::spawn::{spawn_app, spawn_app_at_rest};

const PATH: &str = "/?token=tickcast";

/// One key with these limits, and no other.
fn one_key(settings: &mut Settings, change: impl FnOnce(&mut KeyConfig)) {
    settings.keys.any = AnyKey::Never;
    let mut key = KeyConfig::default();
    change(&mut key);
    settings.keys.pairs = vec![key];
}

fn subscribe(symbol: &str) -> Value {
    json!({"type": "subscribe", "symbol": symbol})
}

fn error(msg: &str) -> Value {
    json!({"type": "error", "msg": msg})
}

/// Sends a request without an answer, then one that is no request, whose answer must be the next error: nothing came between, and the
/// session lives.
async fn is_silent(client: &mut JsonClient, request: &Value) {
    client.send(request).await;
    client.send(&json!([])).await;
    assert_eq!(client.next().await, Ok(error("Invalid message")), "{request}");
}

/// Returns the trades of the next frame.
async fn trades(client: &mut JsonClient) -> Vec<Value> {
    loop {
        let mut frame = client.next().await.unwrap();
        assert!(frame.is_object(), "one object: {frame}");
        if frame["type"] == "ping" {
            continue;
        }
        assert_eq!((&frame["type"], frame.as_object().unwrap().len()), (&json!("trade"), 2), "{frame}");
        let Value::Array(trades) = frame["data"].take() else { panic!("no list: {frame}") };
        assert!(!trades.is_empty());
        return trades;
    }
}

#[actix_web::test]
async fn a_wrong_token_is_answered_with_401_before_the_upgrade() {
    let (server, _clock) = spawn_app_at_rest(|settings| one_key(settings, |_| {}));
    for path in ["/?token=", "/?token=wrong", "/?token=wrong&token=tickcast"] {
        assert_eq!(JsonClient::try_open(server.address, path).await.err(), Some(401), "{path}");
    }
    assert_eq!(server.metrics.refusals(Refusal::AuthFailed), 3);
    assert_eq!(server.sessions(), 0);
    is_silent(&mut JsonClient::open(server.address, PATH).await, &subscribe("AAPL")).await;
    let (server, _clock) =
        spawn_app_at_rest(|settings| one_key(settings, |key| key.dialects = vec![Vendor::Alpaca, Vendor::Massive]));
    assert_eq!(JsonClient::try_open(server.address, PATH).await.err(), Some(403), "the key of another vendor");
    assert_eq!(server.metrics.refusals(Refusal::NotEntitled), 1);
}

#[actix_web::test]
async fn a_client_that_has_forgotten_its_path_is_told_which_paths_there_are() {
    for base in ["", "/ticks"] {
        let (server, _clock) = spawn_app_at_rest(|settings| settings.server.base_path = base.into());
        for path in ["/", "/?Token=tickcast", "/?key=tickcast", "/v2", "/v2/otc", "/iex", "/stocks/", "/stream"] {
            let request = handshake(&[]).replacen("/ws ", &format!("{base}{path} "), 1);
            let answer = RawClient::connect(server.address).await.request(&request).await;
            assert_eq!(answer.status, 404, "{path}");
            for known in ["/ws,", "/v2/iex,", "/v2/test,", "/stocks,", "/?token=KEY"] {
                assert!(answer.body.contains(&format!(" {base}{known}")), "{path}: {}", answer.body);
            }
        }
    }
}

#[actix_web::test]
async fn the_root_is_the_page_for_requests_that_open_no_websocket() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    for path in ["/", PATH] {
        let page = get(server.address, path).await;
        assert_eq!(page.status, 200);
        assert!(page.text().contains("<html"), "{path}");
    }
}

#[actix_web::test]
async fn the_stream_is_below_the_base_path_as_well() {
    let (server, _clock) = spawn_app_at_rest(|settings| settings.server.base_path = "/ticks".into());
    for path in ["/ticks/?token=any", "/ticks?token=any"] {
        is_silent(&mut JsonClient::open(server.address, path).await, &subscribe("AAPL")).await;
    }
    assert!(JsonClient::try_open(server.address, PATH).await.is_err(), "not at the root");
    assert_eq!(get(server.address, "/ticks/").await.status, 200);
}

#[actix_web::test]
async fn trades_come_in_lists_with_the_fields_of_the_vendor_and_nothing_is_acknowledged() {
    let server = spawn_app(|settings| settings.feed.events_per_second = 3_000.0);
    let mut client = JsonClient::open(server.address, PATH).await;
    for symbol in ["AAPL", "MSFT", "AAPL"] {
        client.send(&subscribe(symbol)).await;
    }
    let (mut seen, mut joined) = (BTreeMap::<String, u64>::new(), 0);
    while joined < 5 || seen.len() < 2 {
        let trades = trades(&mut client).await;
        joined += u32::from(trades.len() > 1);
        for trade in &trades {
            let symbol = trade["s"].as_str().unwrap();
            assert!(["AAPL", "MSFT"].contains(&symbol), "{trade}");
            assert!(trade["p"].as_f64().unwrap() > 0.0 && trade["v"].as_u64().unwrap() > 0, "{trade}");
            assert!(trade["c"].as_array().unwrap().iter().all(Value::is_string), "a list of texts: {trade}");
            let t = trade["t"].as_u64().unwrap();
            assert!(t > 1_700_000_000_000, "milliseconds");
            let before = seen.insert(symbol.to_owned(), t);
            assert!(before.is_none_or(|before| before <= t), "in order: {trade}");
        }
    }
    client.send(&json!({"type": "unsubscribe", "symbol": "AAPL"})).await;
    client.send(&json!([])).await;
    while client.next().await.unwrap()["type"] != "error" {}
    for _ in 0..5 {
        assert!(trades(&mut client).await.iter().all(|trade| trade["s"] == "MSFT"), "no longer AAPL");
    }
}

#[actix_web::test]
async fn news_press_releases_and_needless_requests_are_accepted_and_silent() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let mut client = JsonClient::open(server.address, PATH).await;
    for kind in ["subscribe-news", "subscribe-pr", "unsubscribe-news", "unsubscribe-pr", "pong"] {
        is_silent(&mut client, &json!({"type": kind, "symbol": "AAPL"})).await;
    }
    for symbol in ["KO", "NOBODY", ""] {
        is_silent(&mut client, &json!({"type": "unsubscribe", "symbol": symbol})).await;
    }
}

#[actix_web::test]
async fn a_symbol_that_does_not_exist_and_a_message_that_is_none_are_answered_with_an_error() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let mut client = JsonClient::open(server.address, PATH).await;
    let wrong =
        [json!("NOBODY"), json!("aapl"), json!("*"), json!("BINANCE:BTCUSDT"), json!(""), json!(null), json!(["AAPL"])];
    for symbol in wrong {
        client.send(&json!({"type": "subscribe", "symbol": symbol})).await;
        assert_eq!(client.next().await, Ok(error("Invalid symbol")), "{symbol}");
    }
    client.send(&json!({"type": "subscribe"})).await;
    assert_eq!(client.next().await, Ok(error("Invalid symbol")));
    for text in [
        "",
        "{",
        "null",
        "[]",
        "{}",
        r#"{"type":1}"#,
        r#"{"type":"listen","symbol":"AAPL"}"#,
        r#"{"action":"subscribe"}"#,
    ] {
        client.send_message(Message::Text(text.into())).await;
        assert_eq!(client.next().await, Ok(error("Invalid message")), "{text}");
    }
    for bytes in [&b"\xff\x00"[..], b"\x81\xa4type\x01"] {
        client.send_message(Message::Binary(bytes.to_vec().into())).await;
        assert_eq!(client.next().await, Ok(error("Invalid message")), "{bytes:?}");
    }
    is_silent(&mut client, &subscribe("AAPL")).await;
    client.send_message(Message::Frame(Frame::message(vec![b'{', 0xff], OpCode::Data(Data::Text), true))).await;
    assert_eq!(client.next().await, Err(Closed(Some(1007))));
}

#[actix_web::test]
async fn a_request_in_fragments_is_read_and_one_that_is_too_long_closes_the_session() {
    let server = spawn_app(|settings| settings.session.message_bytes_max = 1_000);
    let mut client = JsonClient::open(server.address, PATH).await;
    let request = subscribe("AAPL").to_string();
    for (payload, data, is_last) in [(request.as_bytes(), Data::Text, false), (b"", Data::Continue, true)] {
        client.send_message(Message::Frame(Frame::message(payload.to_vec(), OpCode::Data(data), is_last))).await;
    }
    assert_eq!(trades(&mut client).await[0]["s"], "AAPL");
    client.send_message(Message::Text("x".repeat(1_001).into())).await;
    assert_eq!(client.read_to_end().await.1, Closed(Some(1009)));
}

#[actix_web::test]
async fn the_symbols_over_the_limit_are_refused_and_the_others_go_on() {
    let server = spawn_app(|settings| {
        settings.feed.events_per_second = 2_000.0;
        one_key(settings, |key| key.symbols_max = 2);
    });
    let mut client = JsonClient::open(server.address, PATH).await;
    let too_many = error("Subscribing to too many symbols");
    for symbol in ["AAPL", "MSFT", "AAPL", "KO"] {
        client.send(&subscribe(symbol)).await;
    }
    let mut seen = 0;
    loop {
        let frame = client.next().await.unwrap();
        if frame == too_many {
            break;
        }
        assert_eq!(frame["type"], "trade", "{frame}");
    }
    while seen < 100 {
        for trade in trades(&mut client).await {
            assert!(trade["s"] == "AAPL" || trade["s"] == "MSFT", "{trade}");
            seen += 1;
        }
    }
    client.send(&json!({"type": "unsubscribe", "symbol": "AAPL"})).await;
    client.send(&subscribe("KO")).await;
    while !trades(&mut client).await.iter().any(|trade| trade["s"] == "KO") {}
}

#[actix_web::test]
async fn two_thousand_subscriptions_at_once_are_served_and_those_over_the_limit_refused() {
    let (server, clock) = spawn_app_at_rest(|settings| {
        settings.feed.events_per_second = 2_000.0;
        // 1,900 at once; the others are slowed.
        settings.session.requests_per_second_max = 380;
        one_key(settings, |key| key.symbols_max = 20);
    });
    let listed = get(server.address, "/api/v1/symbols").await.json();
    let symbols: Vec<_> = listed["symbols"].as_array().unwrap().iter().map(|row| &row["symbol"]).collect();
    let mut client = JsonClient::open(server.address, PATH).await;
    for symbol in symbols.iter().cycle().take(2_000) {
        client.send(&json!({"type": "subscribe", "symbol": symbol})).await;
    }
    client.send(&json!([])).await;
    // Of each thirty, ten are over the limit.
    for _ in 0..660 {
        assert_eq!(client.next().await, Ok(error("Subscribing to too many symbols")));
    }
    assert_eq!(client.next().await, Ok(error("Invalid message")));
    let (mut seen, held) = (BTreeSet::new(), symbols[..20].iter().map(|symbol| symbol.as_str().unwrap().to_owned()));
    let held: BTreeSet<_> = held.collect();
    while seen.len() < held.len() {
        clock.advance_micros(100_000);
        seen.extend(trades(&mut client).await.iter().map(|trade| trade["s"].as_str().unwrap().to_owned()));
        assert!(seen.is_subset(&held), "{seen:?}");
    }
}

#[actix_web::test]
async fn an_idle_client_gets_pings_which_need_no_answer() {
    let (server, _clock) = spawn_app_at_rest(|settings| {
        settings.session.heartbeat_ms = 20;
        settings.session.finnhub_ping_ms = 100;
    });
    let mut client = JsonClient::open(server.address, PATH).await;
    for _ in 0..3 {
        assert_eq!(client.next().await, Ok(json!({"type": "ping"})));
    }
    is_silent(&mut client, &subscribe("AAPL")).await;
    assert_eq!(Settings::default().session.finnhub_ping_ms, 60_000);
}

#[actix_web::test]
async fn a_second_connection_of_a_token_ends_the_oldest_or_is_refused() {
    for at_excess in [AtExcess::EndOldest, AtExcess::Refuse] {
        let (server, _clock) = spawn_app_at_rest(|settings| {
            one_key(settings, |key| key.connections_max = 1);
            settings.keys.at_excess = at_excess;
        });
        let mut first = JsonClient::open(server.address, PATH).await;
        let mut second = JsonClient::open(server.address, PATH).await;
        let (ended, lives, reason) = match at_excess {
            AtExcess::EndOldest => (&mut first, &mut second, CloseReason::Replaced),
            AtExcess::Refuse => (&mut second, &mut first, CloseReason::ConnectionLimit),
        };
        assert_eq!(ended.next().await, Err(Closed(Some(reason.code()))));
        is_silent(lives, &subscribe("AAPL")).await;
        wait_until("sessions", 1, || server.sessions()).await;
        assert_eq!(server.metrics.closes(reason), 1);
        drop((first, second));
        wait_until("sessions", 0, || server.sessions()).await;
        is_silent(&mut JsonClient::open(server.address, PATH).await, &subscribe("AAPL")).await;
    }
}

#[actix_web::test]
async fn a_slow_client_is_closed_and_the_end_of_the_server_closes_all() {
    let (mut server, clock) = spawn_app_at_rest(|settings| {
        settings.feed.events_per_second = 10_000.0;
        settings.push.outbox_events_max = 100;
        settings.push.coalesce_ms = 0;
        settings.server.write_buffer_bytes = 4_096;
        settings.server.unsent_bytes_max = 4_096;
        settings.session.close_timeout_ms = 60_000;
    });
    let mut witness = JsonClient::open(server.address, PATH).await;
    let mut slow = JsonClient::open_narrow(server.address, PATH).await;
    for symbol in ["AAPL", "MSFT", "NVDA", "TSLA", "AMZN"] {
        witness.send(&subscribe(symbol)).await;
        slow.send(&subscribe(symbol)).await;
    }
    while server.metrics.closes(CloseReason::Lagging) == 0 {
        clock.advance_micros(10_000);
        trades(&mut witness).await;
    }
    assert_eq!(slow.read_to_end().await.1, Closed(Some(4004)));
    server.shut_down();
    assert_eq!(witness.read_to_end().await.1, Closed(Some(1001)), "without a message of another protocol");
}

#[actix_web::test]
async fn a_whole_session_is_that_of_the_transcript() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let mut client = JsonClient::open(server.address, PATH).await;
    replay(&mut client, include_str!("../fixtures/finnhub/session.txt")).await;
}

#[actix_web::test]
async fn any_change_of_a_byte_of_a_request_is_answered_in_the_shape_of_the_vendor() {
    let (server, _clock) = spawn_app_at_rest(|settings| {
        settings.session.message_bytes_max = 1_000;
        settings.session.requests_per_second_max = 1_000_000;
        settings.session.work_per_second_max = 1_000_000_000;
    });
    let mut client = JsonClient::open(server.address, PATH).await;
    let requests = [r#"{"type":"subscribe","symbol":"AAPL"}"#, r#"{"type":"unsubscribe","symbol":"AAPL"}"#];
    let (frames, closed) = answers_to_mutations(&mut client, &requests, 1_000).await;
    assert_eq!(closed, Closed(Some(1009)));
    assert!(frames.len() > 200, "{}", frames.len());
    for frame in frames {
        assert!(frame == error("Invalid message") || frame == error("Invalid symbol"), "{frame}");
    }
}
