//! Modes: the newest value at a limited rate, changes of the mode, and the end of a session with `"on_lag":"close"`.

use serde_json::{Value, json};
use tickcast::domain::ManualClock;
use tickcast::protocol::CloseReason;

use crate::client::Client;
use crate::patience::wait_until;
use crate::raw::{CLOSE, RawClient, TEXT};
use crate::spawn::{TestServer, spawn_app_at_rest};

const STEP_MICROS: i64 = 10_000;

/// Advances the market by this many steps, and waits until the hubs have routed the events.
async fn flood(server: &TestServer, clock: &ManualClock, witness: &mut Client, steps: u32) {
    for _ in 0..steps {
        let published = server.metrics.events_published.get();
        clock.advance_micros(STEP_MICROS);
        wait_until("the step", true, || server.metrics.events_published.get() > published).await;
    }
    // The newest event of every channel reaches the witness, bars included.
    while witness.view.offset < server.metrics.events_published.get() {
        witness.next_message().await;
    }
}

fn trades_of<'a>(messages: &'a [Value], symbol: &str) -> Vec<&'a Value> {
    messages.iter().filter(|message| message["type"] == "trade" && message["symbol"] == symbol).collect()
}

async fn subscribe(client: &mut Client, mode: &Value) -> Vec<Value> {
    let mut request = json!({"action": "subscribe", "symbols": ["AAPL"], "channels": ["trades"]});
    request.as_object_mut().unwrap().extend(mode.as_object().unwrap().clone());
    client.ask(request).await
}

#[actix_web::test]
async fn in_mode_latest_the_newest_value_always_arrives_and_the_others_are_counted() {
    let (server, clock) = spawn_app_at_rest(|settings| {
        settings.feed.events_per_second = 3_000.0;
        settings.feed.amendments_per_million_trades = 0;
    });
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["*"], &crate::client::ALL_CHANNELS).await;
    let mut client = Client::connect(server.address).await;
    subscribe(&mut client, &json!({"mode": "latest", "max_hz": 5})).await;
    flood(&server, &clock, &mut witness, 200).await;
    let last = witness.view.seqs()[&("AAPL".into(), "trades".into())];
    let messages =
        client.until("the newest trade", |message| message["seq"] == last && message["type"] == "trade").await;
    let trades = trades_of(&messages, "AAPL");
    let mut seq = 0;
    for trade in &trades {
        let skipped = trade["skipped"].as_u64().unwrap_or_default();
        assert_eq!(trade["seq"].as_u64().unwrap(), seq + skipped + 1, "what is skipped is counted: {trade}");
        seq = trade["seq"].as_u64().unwrap();
    }
    assert_eq!(seq, last);
    assert!((trades.len() as u64) < last, "some of {last} trades were skipped");
}

#[actix_web::test]
async fn subscribing_again_changes_the_mode_in_place() {
    let (server, clock) = spawn_app_at_rest(|settings| {
        settings.feed.events_per_second = 3_000.0;
        settings.feed.amendments_per_million_trades = 0;
    });
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["*"], &crate::client::ALL_CHANNELS).await;
    let mut client = Client::connect(server.address).await;
    let subscriptions = |messages: &[Value]| {
        messages.iter().find(|message| message["type"] == "subscribed").map(|answer| answer["subscriptions"].clone())
    };
    let item = |mode: Value| {
        let mut item = json!({"symbol": "AAPL", "channels": ["trades"]});
        item.as_object_mut().unwrap().extend(mode.as_object().unwrap().clone());
        Some(json!([item]))
    };
    for mode in [json!({"mode": "latest", "max_hz": 0.001}), json!({"mode": "latest"}), json!({"mode": "all"})] {
        let answer = subscribe(&mut client, &mode).await;
        assert_eq!(subscriptions(&answer), item(mode));
        flood(&server, &clock, &mut witness, 50).await;
    }
    client.sync().await;
    let seen = client.view.seqs()[&("AAPL".into(), "trades".into())];
    let mut events = Vec::new();
    flood(&server, &clock, &mut witness, 50).await;
    let last = witness.view.seqs()[&("AAPL".into(), "trades".into())];
    while events.last().is_none_or(|seq| *seq < last) {
        let message = client.next_message().await;
        if message["type"] == "trade" {
            assert_eq!(message.get("skipped"), None);
            events.push(message["seq"].as_u64().unwrap());
        }
    }
    assert_eq!(events, (seen + 1..=last).collect::<Vec<_>>(), "in mode all again, every event comes");
}

#[actix_web::test]
async fn a_client_with_on_lag_close_is_closed_with_4004_when_it_lags() {
    let (server, clock) = spawn_app_at_rest(|settings| {
        settings.feed.amendments_per_million_trades = 0;
        settings.feed.events_per_second = 10_000.0;
        settings.push.outbox_events_max = 300;
        settings.server.write_buffer_bytes = 4_096;
        settings.server.unsent_bytes_max = 4_096;
        settings.session.close_timeout_ms = 600_000;
    });
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["*"], &crate::client::ALL_CHANNELS).await;
    let mut jammed = RawClient::open_narrow(server.address).await;
    let request = json!({"action": "subscribe", "symbols": ["*"], "on_lag": "close", "channels": ["trades", "quotes"]});
    jammed.send_frame(TEXT, request.to_string().as_bytes()).await;
    wait_until("the subscription", true, || server.metrics.requests.get() >= 2).await;
    while server.metrics.closes(CloseReason::Lagging) == 0 {
        flood(&server, &clock, &mut witness, 1).await;
    }
    let payload = jammed.next_of(CLOSE).await;
    assert_eq!(payload, [&4004_u16.to_be_bytes()[..], b"too slow to read the stream"].concat());
    wait_until("only the witness is left", 1, || server.sessions()).await;
}

#[actix_web::test]
async fn a_recovery_in_mode_latest_is_sent_in_frames_of_the_usual_size() {
    const FRAME_BYTES_MAX: usize = 4_096;
    let (server, clock) = spawn_app_at_rest(|settings| {
        settings.feed.amendments_per_million_trades = 0;
        settings.feed.extra_symbols = 1_000;
        settings.feed.events_per_second = 5_000.0;
        settings.push.frame_bytes_max = FRAME_BYTES_MAX;
    });
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["*"], &["bars.1m"]).await;
    clock.advance_micros(5_000_000);
    wait_until("events", true, || server.metrics.events_published.get() > 25_000).await;
    let mut client = RawClient::open(server.address).await;
    let after = json!({"epoch": witness.welcome["epoch"], "offset": 0});
    let request = json!({"action": "subscribe", "symbols": ["*"], "mode": "latest", "after": after});
    client.send_frame(TEXT, request.to_string().as_bytes()).await;
    let mut trades = 0;
    while trades < 900 {
        let frame = client.next_of(TEXT).await;
        assert!(frame.len() < FRAME_BYTES_MAX + 512, "{} bytes in one frame", frame.len());
        let messages: Vec<Value> = serde_json::from_slice(&frame).unwrap();
        trades += messages.iter().filter(|message| message["type"] == "trade").count();
    }
}
