//! A market at another speed than the clock: how a client converts times.

use serde_json::{Value, json};

use crate::client::Client;
use crate::event_stream::EventSource;
use crate::patience::wait_until;
use crate::spawn::{START, TestServer, spawn_app_at_rest};

const SECOND: i64 = 1_000_000;

/// Returns the time of an event by the server's clock, as a client computes it.
fn happened(event: &Value, anchor: &Value, speed: f64) -> i64 {
    let [server, market] = ["server_ts", "market_ts"].map(|name| anchor[name].as_i64().unwrap());
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "some seconds")]
    let since = ((event["ts"].as_i64().unwrap() - market) as f64 / speed) as i64;
    server + since
}

/// Waits until the market has reached the clock, according to a pong.
async fn pong_at(client: &mut Client, market_ts: i64) -> Value {
    loop {
        let pong = client.ask(json!({"action": "ping"})).await.pop().unwrap();
        if pong["market_ts"].as_i64().unwrap() >= market_ts {
            return pong;
        }
    }
}

async fn published(server: &TestServer, count: u64) {
    wait_until("events", true, || server.metrics.events_published.get() > count).await;
}

#[actix_web::test]
async fn welcome_and_pong_let_a_client_compute_when_an_event_happened_by_the_servers_clock() {
    for (speed, market_seconds) in [(1.0, 4), (10.0, 40), (0.5, 2)] {
        let (server, clock) = spawn_app_at_rest(|settings| {
            settings.feed.speed = speed;
            settings.feed.events_per_second = 100.0;
        });
        let mut client = Client::connect(server.address).await;
        let welcome = client.welcome.clone();
        assert_eq!((welcome["speed"].as_f64(), welcome["server_ts"].as_i64()), (Some(speed), Some(START.micros())));
        assert_eq!(welcome["market_ts"], START.micros());
        client.subscribe(&["*"], &["trades", "quotes"]).await;
        clock.advance_micros(4 * SECOND);
        published(&server, 100).await;
        let events = client.events(50).await;
        let pong = pong_at(&mut client, START.micros() + market_seconds * SECOND).await;
        assert_eq!(pong["server_ts"], START.micros() + 4 * SECOND);
        assert_eq!(pong["market_ts"], START.micros() + market_seconds * SECOND);
        for event in events.iter().filter(|message| message["type"] == "trade") {
            for anchor in [&welcome, &pong] {
                let at = happened(event, anchor, speed) - START.micros();
                assert!((-2..=4 * SECOND + 2).contains(&at), "{at} at speed {speed}");
            }
        }
        let mut stream = EventSource::open(server.address, "symbols=AAPL").await;
        let welcome = stream.next_message().await.unwrap();
        assert_eq!(welcome["market_ts"], START.micros() + market_seconds * SECOND);
        assert_eq!(welcome["server_ts"], START.micros() + 4 * SECOND);
    }
}
