//! What clients are told of a replay that all of them get: its state, and silences that were left out.

use awc::http::Method;
use serde_json::{Value, json};

use crate::alpaca_client::AlpacaClient;
use crate::client::Client;
use crate::event_stream::EventSource;
use crate::http::{get, request};
use crate::publish::settle;
use crate::replay::{BEGIN, File, MINUTE, replaying};
use crate::spawn::{TestServer, spawn_app_at_rest};
use crate::view::is_event;

const NIGHT: i64 = 20 * 60 * MINUTE;

/// Trades of AA: three in three seconds, and two more after a night.
fn two_days(name: &str) -> File {
    let trade = |ts: i64| format!("trade,AA,{ts},10,100\n");
    let times = [0, 1_000_000, 2_000_000, NIGHT, NIGHT + 1_000_000];
    let rows: String = times.iter().map(|after| trade(BEGIN + after)).collect();
    File::new(name, &format!("type,symbol,timestamp,price,size\n{rows}"))
}

async fn order(server: &TestServer, order: &str) {
    let answer = request(server.address, Method::POST, &format!("/api/v1/feed/{order}"), &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// Returns what was told, in the order of the offsets: the time of an event, or the state with its figures.
fn told(messages: &[Value]) -> Vec<Value> {
    let shown = |message: &Value| {
        if message["type"] == "status" {
            assert!(message["epoch"].is_string() && message.get("id").is_none(), "{message}");
            return Some(match message["feed"].as_str() {
                Some("gap") => json!(["gap", message["from"], message["to"]]),
                _ => json!([message["feed"], message["speed"]]),
            });
        }
        (is_event(message) && message["type"] == "trade").then(|| message["ts"].clone())
    };
    let offsets: Vec<_> = messages.iter().filter_map(|message| message["offset"].as_u64()).collect();
    assert!(offsets.is_sorted(), "{offsets:?}");
    messages.iter().filter_map(shown).collect()
}

fn is_end(message: &Value) -> bool {
    message["type"] == "status" && message["feed"] == "ended"
}

/// What every client is told of the file, if the pace changes after the second trade.
fn expected() -> Vec<Value> {
    let at = |after: i64| json!(BEGIN + after);
    vec![
        json!(["running", 10.0]),
        at(0),
        at(1_000_000),
        json!(["paused", 10.0]),
        json!(["paused", 100.0]),
        json!(["running", 100.0]),
        at(2_000_000),
        json!(["gap", BEGIN + 2_000_000, BEGIN + NIGHT]),
        at(NIGHT),
        at(NIGHT + 1_000_000),
    ]
}

#[actix_web::test]
async fn every_client_is_told_of_states_and_silences_in_their_place_among_the_events() {
    let file = two_days("two-days");
    let (server, clock) = spawn_app_at_rest(|settings| {
        replaying(settings, &[file.name()]);
        settings.feed.speed = 10.0;
        settings.feed.replay.gap_max_ms = 1_000;
        settings.server.workers = 1;
    });
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["AA"], &["trades", "bars.1m"]).await;
    let mut stream = EventSource::open(server.address, "symbols=AA&channels=trades,bars.1m").await;
    let mut stranger = AlpacaClient::connect(server.address, "/v2/iex", &[]).await;
    stranger.ask(&json!({"action": "subscribe", "trades": ["AA"]})).await;

    order(&server, "resume").await;
    let mut seen = client.until("running", |message| message["feed"] == "running").await;
    let advance = async |millis: i64, client: &mut Client| {
        clock.advance_micros(millis * 1_000);
        settle(&server).await;
        client.sync().await
    };
    while told(&seen).len() < 3 {
        seen.extend(advance(50, &mut client).await);
    }
    order(&server, "pause").await;
    seen.extend(client.until("paused", |message| message["feed"] == "paused").await);
    order(&server, "speed?x=100").await;
    seen.extend(client.until("the speed", |message| message["speed"] == 100.0).await);
    order(&server, "resume").await;
    seen.extend(client.until("running", |message| message["feed"] == "running").await);
    while !seen.iter().any(is_end) {
        seen.extend(advance(50, &mut client).await);
    }
    let mut expected = expected();
    expected.push(json!(["ended", 100.0]));
    assert_eq!(told(&seen), expected);
    let bars: Vec<_> = seen.iter().filter(|message| message["type"] == "bar").collect();
    assert_eq!(bars.len(), 2, "the last bar closes before the end is told");

    let streamed = stream.until("the end", is_end).await;
    assert_eq!(told(&streamed), expected);
    // The dialect has no such message.
    let mut trades = Vec::new();
    while trades.len() < 5 {
        trades.extend(stranger.next_frame().await);
    }
    assert!(trades.iter().all(|message| message["T"] == "t"), "{trades:?}");
    assert_eq!(get(server.address, "/readyz").await.text(), "ready\nthe replay has ended\n");
    let metrics = get(server.address, "/metrics").await.text().to_owned();
    for line in ["replay_events_total 5", "replay_position 1.0", "replay_skipped_total{reason=\"bad\"} 0"] {
        assert!(metrics.contains(&format!("tickcast_{line}\n")), "{line}: {metrics}");
    }
}

#[actix_web::test]
async fn a_night_is_as_long_as_in_the_file_and_no_gap_is_told_if_silences_are_not_shortened() {
    const STEP: i64 = 500_000;
    let file = two_days("whole-night");
    let (server, clock) = spawn_app_at_rest(|settings| {
        replaying(settings, &[file.name()]);
        settings.feed.speed = 1_000.0;
    });
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["AA"], &["trades"]).await;
    order(&server, "resume").await;
    let mut seen = client.until("running", |message| message["feed"] == "running").await;
    let (mut micros, mut night) = (0, None);
    while !seen.iter().any(is_end) && micros < 400 * STEP {
        clock.advance_micros(STEP);
        micros += STEP;
        settle(&server).await;
        seen.extend(client.sync().await);
        if seen.iter().any(|message| message["type"] == "trade" && message["ts"] == BEGIN + NIGHT) {
            night = night.or(Some(micros));
        }
    }
    // By the clock, which is a thousand times slower than the market.
    assert!(night.is_some_and(|micros| micros >= (NIGHT - 2_000_000) / 1_000), "{night:?}");
    let trades = [0, 1_000_000, 2_000_000, NIGHT, NIGHT + 1_000_000].map(|after| json!(BEGIN + after));
    let states = [json!(["running", 1_000.0]), json!(["ended", 1_000.0])];
    assert_eq!(told(&seen), [&states[..1], &trades, &states[1..]].concat());
}
