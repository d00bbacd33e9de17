//! The stock stream of Alpaca: subscriptions and events.

use std::collections::HashMap;

use serde_json::{Value, from_slice, json};
use tokio_tungstenite::tungstenite::Message;

use crate::alpaca_client::{AlpacaClient, CODECS, MESSAGE_PACK, acknowledgement, error, packed, unpacked};
use crate::client::Client;
use crate::raw::{BINARY, RawClient, TEXT, handshake};
use crate::spawn::{spawn_app, spawn_app_at_rest};

/// The names of each channel that has some.
type Held = [(&'static str, &'static [&'static str])];

/// Returns the native event for a trade or a quote of the stream, as far as both have the same fields.
fn as_native(event: &Value) -> Value {
    let field = |name: &str| &event[name];
    match event["T"].as_str().unwrap() {
        "t" => json!({
            "type": "trade", "symbol": field("S"), "seq": field("i"), "price": field("p").as_f64(), "size": field("s"),
            "ts": field("t"),
        }),
        "q" => json!({
            "type": "quote", "symbol": field("S"), "bid": field("bp").as_f64(), "bid_size": field("bs"),
            "ask": field("ap").as_f64(), "ask_size": field("as"), "ts": field("t"),
        }),
        other => panic!("no such event here: {other}"),
    }
}

/// Returns the events of a native client in the same form.
fn native(messages: &[Value]) -> Vec<Value> {
    let mut events = Vec::new();
    for message in messages.iter().filter(|message| message["type"] == "trade" || message["type"] == "quote") {
        let mut event = message.clone();
        let fields = event.as_object_mut().unwrap();
        fields.remove("offset");
        if message["type"] == "quote" {
            fields.remove("seq");
        }
        let mut text = Vec::new();
        let ts = tickcast::domain::Timestamp::from_micros(message["ts"].as_i64().unwrap());
        tickcast::protocol::write_rfc3339(ts, &mut text);
        event["ts"] = String::from_utf8(text).unwrap().into();
        events.push(event);
    }
    events
}

#[actix_web::test]
async fn both_codecs_and_the_native_protocol_tell_the_same_events_in_the_same_order() {
    let (server, clock) = spawn_app_at_rest(|settings| settings.feed.events_per_second = 2_000.0);
    let mut clients = Vec::new();
    for (path, headers, trades) in [
        ("/v2/iex", CODECS[0], &["*"][..]),
        ("/v2/sip", CODECS[1], &["*"]),
        // An event of a symbol that is named as well comes once.
        ("/v2/delayed_sip", CODECS[0], &["*", "AAPL", "KO"]),
        ("/v2/iex", CODECS[1], &["*", "AAPL"]),
    ] {
        let mut client = AlpacaClient::connect(server.address, path, headers).await;
        let subscribe = json!({"action": "subscribe", "trades": trades, "quotes": ["AAPL", "MSFT"]});
        let expected = acknowledgement(&[("trades", trades), ("quotes", &["AAPL", "MSFT"])]);
        assert_eq!(client.ask(&subscribe).await, expected);
        clients.push(client);
    }
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["*"], &["trades"]).await;
    witness.subscribe(&["AAPL", "MSFT"], &["quotes"]).await;
    // In each step fewer events than fill an outbox.
    let (mut witnessed, mut trades) = (Vec::new(), 0);
    while trades < 1_000 {
        clock.advance_micros(200_000);
        let step = native(&witness.events(100).await);
        trades += step.iter().filter(|event| event["type"] == "trade").count();
        witnessed.extend(step);
    }
    for client in &mut clients {
        assert_eq!(seen_by(client, witnessed.len()).await, witnessed);
        let unsubscribe = json!({"action": "unsubscribe", "trades": ["AAPL", "KO"]});
        let expected = acknowledgement(&[("trades", &["*"]), ("quotes", &["AAPL", "MSFT"])]);
        assert_eq!(client.ask(&unsubscribe).await, expected);
    }
    // The wildcard goes on, also for these symbols.
    clock.advance_micros(200_000);
    let rest = native(&witness.events(100).await);
    for client in &mut clients {
        assert_eq!(seen_by(client, rest.len()).await, rest);
    }
}

/// Returns so many trades and quotes in the form of [`native`].
async fn seen_by(client: &mut AlpacaClient, count: usize) -> Vec<Value> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let event = client.next_event().await;
        if event["T"] == "t" || event["T"] == "q" {
            seen.push(as_native(&event));
        }
    }
    seen
}

#[actix_web::test]
async fn subscriptions_are_sets_and_every_answer_lists_all_of_them() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    for headers in CODECS {
        let mut client = AlpacaClient::connect(server.address, "/v2/iex", headers).await;
        let steps: [(Value, &Held); 9] = [
            (json!({"action": "subscribe", "trades": ["MSFT", "AAPL"]}), &[("trades", &["AAPL", "MSFT"])]),
            // Every channel is there: halts, bands and auctions, which the market does not have, are silent.
            (
                json!({"action": "subscribe", "statuses": ["*"], "lulds": ["AAPL"], "imbalances": ["AAPL"], "dailyBars": ["KO"]}),
                &[
                    ("trades", &["AAPL", "MSFT"]),
                    ("dailyBars", &["KO"]),
                    ("statuses", &["*"]),
                    ("lulds", &["AAPL"]),
                    ("imbalances", &["AAPL"]),
                ],
            ),
            (
                json!({"action": "unsubscribe", "statuses": ["*"], "lulds": ["AAPL", "MSFT"], "imbalances": ["AAPL"], "trades": ["AAPL"]}),
                &[("trades", &["MSFT"]), ("dailyBars", &["KO"])],
            ),
            // Unknown symbols are kept and silent.
            (
                json!({"action": "subscribe", "quotes": ["NOBODY", "KO"], "trades": null, "bars": []}),
                &[("trades", &["MSFT"]), ("quotes", &["KO", "NOBODY"]), ("dailyBars", &["KO"])],
            ),
            // The wildcard is one more entry.
            (
                json!({"action": "subscribe", "trades": ["*"], "updatedBars": ["AAPL"]}),
                &[
                    ("trades", &["*", "MSFT"]),
                    ("quotes", &["KO", "NOBODY"]),
                    ("updatedBars", &["AAPL"]),
                    ("dailyBars", &["KO"]),
                ],
            ),
            (
                json!({"action": "unsubscribe", "trades": ["AAPL", "PG"], "quotes": ["*"], "updatedBars": ["AAPL"]}),
                &[("trades", &["*", "MSFT"]), ("quotes", &["KO", "NOBODY"]), ("dailyBars", &["KO"])],
            ),
            (
                json!({"action": "unsubscribe", "trades": ["*"], "dailyBars": ["KO"]}),
                &[("trades", &["MSFT"]), ("quotes", &["KO", "NOBODY"])],
            ),
            (json!({"action": "unsubscribe", "trades": ["MSFT"], "quotes": ["NOBODY", "KO"]}), &[]),
            (json!({"action": "subscribe"}), &[]),
        ];
        for (request, lists) in steps {
            assert_eq!(client.ask(&request).await, acknowledgement(lists), "{request}");
        }
    }
}

#[actix_web::test]
async fn events_begin_after_the_answer_and_end_with_the_answer_to_unsubscribe() {
    let server = spawn_app(|settings| settings.feed.events_per_second = 20_000.0);
    for headers in CODECS {
        let mut client = AlpacaClient::connect(server.address, "/v2/iex", headers).await;
        for _ in 0..20 {
            client.send(&json!({"action": "subscribe", "quotes": ["*"]})).await;
            assert_eq!(client.next_frame().await, acknowledgement(&[("quotes", &["*"])]), "before any event");
            client.events(5).await;
            client.ask(&json!({"action": "unsubscribe", "quotes": ["*"]})).await;
            while client.events_waiting() > 0 {
                assert_eq!(client.next_event().await["T"], "q");
            }
            // Nothing but answers from here on.
            for _ in 0..3 {
                client.send(&json!({"action": "subscribe"})).await;
                assert_eq!(client.next_frame().await, acknowledgement(&[]));
            }
        }
    }
}

#[actix_web::test]
async fn the_test_stream_has_one_symbol() {
    let (server, clock) = spawn_app_at_rest(|settings| settings.feed.events_per_second = 2_000.0);
    let mut spy = AlpacaClient::connect(server.address, "/v2/test", &[]).await;
    let silent: &[(&str, &[&str])] = &[("trades", &["AAPL", "SPY"]), ("quotes", &["SPY"])];
    let request = json!({"action": "subscribe", "trades": ["SPY", "AAPL"], "quotes": ["SPY"]});
    assert_eq!(spy.ask(&request).await, acknowledgement(silent));
    let mut real = AlpacaClient::connect(server.address, "/v2/iex", &[]).await;
    real.ask(&json!({"action": "subscribe", "trades": ["FAKEPACA"], "quotes": ["FAKEPACA"]})).await;
    let mut source = AlpacaClient::connect(server.address, "/v2/iex", &[MESSAGE_PACK]).await;
    source.ask(&json!({"action": "subscribe", "trades": ["*"], "quotes": ["*"]})).await;
    for (headers, name) in [(CODECS[0], "FAKEPACA"), (CODECS[1], "*"), (CODECS[1], "FAKEPACA")] {
        let mut client = AlpacaClient::connect(server.address, "/v2/test", headers).await;
        client.ask(&json!({"action": "subscribe", "trades": [name], "quotes": [name]})).await;
        // The name and the wildcard are one topic, and each of them holds it.
        client.ask(&json!({"action": "subscribe", "trades": ["FAKEPACA", "*"]})).await;
        client.ask(&json!({"action": "unsubscribe", "trades": [if name == "*" { "FAKEPACA" } else { "*" }]})).await;
        clock.advance_micros(3_000_000);
        let mut events = client.events(20).await;
        let mut of_source = Vec::new();
        while of_source.len() < events.len() {
            let event = source.next_event().await;
            if event["S"] == "AAPL" && event["t"].as_str() >= events[0]["t"].as_str() {
                of_source.push(event);
            }
        }
        for event in &mut events {
            assert_eq!(event["S"], "FAKEPACA");
            event["S"] = of_source[0]["S"].clone();
        }
        assert_eq!(events, of_source, "the events of the first symbol");
    }
    for quiet in [&mut spy, &mut real] {
        quiet.send(&json!({"action": "subscribe"})).await;
        assert_eq!(quiet.next_frame().await[0]["T"], "subscription", "no event came before");
    }
}

#[actix_web::test]
async fn requests_come_as_text_as_binary_and_in_fragments_whatever_the_codec() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    for headers in CODECS {
        let mut client = AlpacaClient::connect(server.address, "/v2/iex", headers).await;
        let request = json!({"action": "subscribe", "quotes": ["AAPL"]});
        let expected = acknowledgement(&[("quotes", &["AAPL"])]);
        client.send_message(Message::Text(request.to_string().into())).await;
        assert_eq!(client.next_frame().await, expected);
        client.send_message(Message::Binary(packed(&request).into())).await;
        assert_eq!(client.next_frame().await, expected);
        client.send_in_fragments(&request).await;
        assert_eq!(client.next_frame().await, expected, "as alpaca-py sends every subscribe");
        let many: Vec<_> = (0..12_000).map(|number| format!("S{number}")).collect();
        client.send_in_fragments(&json!({"action": "subscribe", "trades": many})).await;
        assert_eq!(client.next_frame().await, error(405), "read as a whole, and too many");
    }
}

#[actix_web::test]
async fn the_handshake_names_the_codec_by_its_media_type_whatever_the_case_and_the_parameters() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let connected = r#"[{"T":"success","msg":"connected"}]"#;
    for (content_type, kind) in [
        (None, TEXT),
        (Some(""), TEXT),
        (Some("application/json"), TEXT),
        (Some("application/json; charset=utf-8"), TEXT),
        (Some("text/plain"), TEXT),
        (Some("application/msgpacked"), TEXT),
        (Some("text/plain; like=application/msgpack"), TEXT),
        (Some("application/msgpack"), BINARY),
        (Some("application/msgpack; charset=utf-8"), BINARY),
        (Some("application/msgpack ;charset=utf-8"), BINARY),
        (Some("APPLICATION/MSGPACK"), BINARY),
        (Some("Application/x-MsgPack"), BINARY),
    ] {
        let mut client = RawClient::connect(server.address).await;
        let request = handshake(&[("Content-Type", content_type)]).replacen("/ws ", "/v2/sip ", 1);
        assert_eq!(client.request(&request).await.status, 101, "{content_type:?}");
        let first = client.next_frame().await.unwrap();
        assert_eq!(first.first_byte, kind, "{content_type:?}");
        let message = if kind == BINARY { unpacked(&first.payload) } else { from_slice(&first.payload).unwrap() };
        assert_eq!(message, serde_json::from_str::<Value>(connected).unwrap(), "{content_type:?}");
        client.hang_up().await;
    }
}

#[actix_web::test]
async fn requests_are_served_in_their_order_without_waiting_for_answers() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let mut client = AlpacaClient::open(server.address, "/v2/iex", &[]).await;
    for request in [
        json!({"action": "subscribe", "trades": ["AAPL"]}),
        json!({"action": "auth", "key": "tickcast", "secret": "tickcast"}),
        json!({"action": "subscribe", "trades": ["AAPL"]}),
        json!({"action": "dance"}),
        json!({"action": "unsubscribe", "trades": ["AAPL"]}),
    ] {
        client.send(&request).await;
    }
    let mut codes = Vec::new();
    for _ in 0..6 {
        let frame = client.next_frame().await;
        codes.push(frame[0]["code"].as_u64().map_or_else(|| frame[0]["T"].to_string(), |code| code.to_string()));
    }
    assert_eq!(codes, ["\"success\"", "401", "\"success\"", "\"subscription\"", "400", "\"subscription\""]);
}

#[actix_web::test]
async fn bars_come_after_their_minute_for_every_codec() {
    let server = spawn_app(|settings| {
        settings.feed.events_per_second = 40.0;
        settings.feed.speed = 120.0;
    });
    for headers in CODECS {
        let mut client = AlpacaClient::connect(server.address, "/v2/iex", headers).await;
        client.ask(&json!({"action": "subscribe", "bars": ["AAPL", "MSFT"]})).await;
        for bar in client.events(6).await {
            assert_eq!(bar["T"], "b");
            assert!(bar["t"].as_str().unwrap().ends_with(":00Z"), "the start of the minute: {bar}");
            let price = |name: &str| bar[name].as_f64().unwrap();
            assert!(price("l") <= price("o").min(price("c")) && price("h") >= price("o").max(price("c")), "{bar}");
            assert!(price("l") <= price("vw") && price("vw") <= price("h"), "{bar}");
            assert!(bar["v"].is_u64() && bar["n"].is_u64(), "{bar}");
        }
    }
}

#[actix_web::test]
async fn corrections_cancellations_and_changed_and_daily_bars_come_for_every_codec() {
    let server = spawn_app(|settings| {
        settings.feed.events_per_second = 40.0;
        settings.feed.speed = 60.0;
        settings.feed.amendments_per_million_trades = 50_000;
    });
    for headers in CODECS {
        let mut client = AlpacaClient::connect(server.address, "/v2/iex", headers).await;
        client.ask(&json!({"action": "subscribe", "trades": ["*"], "updatedBars": ["*"], "dailyBars": ["AAPL"]})).await;
        let (mut trades, mut kinds) = (HashMap::new(), HashMap::<String, usize>::new());
        while ["c", "x", "u", "d"].iter().any(|kind| kinds.get(*kind).is_none_or(|count| *count < 2)) {
            let event = client.next_event().await;
            let kind = event["T"].as_str().unwrap();
            let trade = |id: &str| trades.get(&(event["S"].to_string(), event[id].as_u64().unwrap()));
            let time = event["t"].as_str().unwrap();
            match kind {
                "t" => _ = trades.insert((event["S"].to_string(), event["i"].as_u64().unwrap()), event.clone()),
                "c" => {
                    if let Some(trade) = trade("oi") {
                        let told = ["op", "os", "oc", "x", "z"].map(|name| &event[name]);
                        assert_eq!(told, ["p", "s", "c", "x", "z"].map(|name| &trade[name]), "{event}");
                    }
                    assert_ne!(event["oi"], event["ci"]);
                }
                "x" => {
                    if let Some(trade) = trade("i") {
                        assert_eq!(["p", "s", "x"].map(|name| &event[name]), ["p", "s", "x"].map(|name| &trade[name]));
                    }
                    assert!(event["a"] == "C" || event["a"] == "E", "{event}");
                }
                "u" => assert!(time.ends_with(":00Z"), "the start of its minute: {event}"),
                "d" => {
                    assert!(
                        time.ends_with("T04:00:00Z") || time.ends_with("T05:00:00Z"),
                        "midnight in New York: {event}"
                    );
                }
                other => panic!("not subscribed: {other}"),
            }
            *kinds.entry(kind.to_owned()).or_default() += 1;
        }
    }
}
