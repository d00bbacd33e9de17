//! Old cursors: a recovery does not scan all events since the cursor.

use serde_json::json;
use tickcast::domain::ManualClock;

use crate::client::Client;
use crate::patience::wait_until;
use crate::poll::{messages, poll};
use crate::spawn::{TestServer, spawn_app_at_rest};

/// Events published since the cursor.
const EVENTS: u64 = 200_000;

/// Starts a server, and returns it with a cursor that is 200,000 events and one full minute old, and with a witness on
/// its only hub that has received the first bar of a minute since.
async fn server_with_a_past() -> (TestServer, std::sync::Arc<ManualClock>, String) {
    let (server, clock) = spawn_app_at_rest(|settings| {
        settings.server.workers = 1;
        settings.feed.events_per_second = 4_000.0;
    });
    let cursor = poll(&server, "symbols=AAPL").await["cursor"].as_str().unwrap().to_owned();
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["AAPL"], &["bars.1m"]).await;
    for _ in 0..60 {
        clock.advance_micros(1_000_000);
        let due = server.metrics.events_published.get() + 3_000;
        wait_until("events", true, || server.metrics.events_published.get() > due).await;
    }
    witness.events(1).await;
    let published = server.metrics.events_published.get();
    assert!(published > EVENTS, "{published}");
    // The hub has reached the feed.
    let mut offset = 0;
    while offset < published {
        offset = poll(&server, "symbols=AAPL").await["offset"].as_u64().unwrap();
    }
    (server, clock, cursor)
}

#[actix_web::test]
async fn a_recovery_of_rare_events_reads_only_those_on_every_transport() {
    let (server, _clock, cursor) = server_with_a_past().await;
    let scanned = || server.metrics.replay_events_scanned.get();
    for (symbols, channels, expected) in [("AAPL", "bars.1m", 1), ("*", "bars.1d", 0), ("*", "bars.1m", 30)] {
        let before = scanned();
        let query = format!("symbols={symbols}&channels={channels}&wait_ms=0&after={cursor}");
        let answer = poll(&server, &query).await;
        assert_eq!((answer["recovered"].as_bool(), messages(&answer).len()), (Some(true), expected), "{query}");
        assert!(scanned() - before <= 100, "{query} looked at {} events", scanned() - before);
    }

    let before = scanned();
    let (epoch, offset) = cursor.split_once(':').unwrap();
    let after = json!({"epoch": epoch, "offset": offset.parse::<u64>().unwrap()});
    let mut client = Client::connect(server.address).await;
    for symbol in ["AAPL", "MSFT", "NVDA"] {
        let request =
            json!({"action": "subscribe", "symbols": [symbol], "channels": ["bars.1m", "bars.1d"], "after": after});
        assert_eq!(client.ask(request).await.pop().unwrap()["recovered"], true);
        assert_eq!(client.events(1).await.pop().unwrap()["symbol"], symbol);
    }
    assert!(scanned() - before <= 100, "looked at {} events", scanned() - before);
}

#[actix_web::test]
async fn a_recovery_of_frequent_events_reads_each_once() {
    let (server, _clock, cursor) = server_with_a_past().await;
    let before = server.metrics.replay_events_scanned.get();
    let (mut cursor, mut events) = (cursor, 0);
    loop {
        let answer = poll(&server, &format!("symbols=AAPL&channels=quotes&wait_ms=0&after={cursor}")).await;
        answer["cursor"].as_str().unwrap().clone_into(&mut cursor);
        events += messages(&answer).len() as u64;
        if messages(&answer).is_empty() {
            break;
        }
    }
    let scanned = server.metrics.replay_events_scanned.get() - before;
    assert!(events > 1_024 && scanned <= events * 2, "{scanned} for {events}");
}
