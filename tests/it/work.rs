//! Cost of requests: a client with expensive requests is slowed down, and every client is served.

use std::time::{Duration, Instant};

use serde_json::json;
use tickcast::app::Settings;

use crate::client::Client;
use crate::patience::{patiently, wait_until};
use crate::poll::{messages, poll};
use crate::spawn::{TestServer, spawn_app_at_rest};

/// Longest pause before the next request of a client over its budget is read.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Sends this many subscriptions to everything at once, and returns the numbers of those answered, in their order.
async fn subscribe_to_all(client: &mut Client, times: u64) -> Vec<u64> {
    for id in 0..times {
        client.send_json(&json!({"action": "subscribe", "symbols": ["*"], "id": id})).await;
    }
    client.send_json(&json!({"action": "list", "id": times})).await;
    let read = client.until("the last answer", |message| message["id"] == times).await;
    assert!(read.iter().all(|message| message["type"] != "error"), "nothing is refused");
    read.iter().filter_map(|message| message["id"].as_u64()).filter(|id| *id < times).collect()
}

fn server(configure: impl FnOnce(&mut Settings)) -> TestServer {
    spawn_app_at_rest(|settings| {
        settings.server.workers = 1;
        configure(settings);
    })
    .0
}

#[actix_web::test]
async fn a_client_over_its_budget_is_served_later_and_not_closed() {
    let server = server(|settings| {
        // Subscribing to everything costs about 300.
        settings.session.work_per_second_max = 2_000;
        settings.push.shared_work_per_second_max = 200;
    });
    let mut client = Client::connect(server.address).await;
    assert_eq!(subscribe_to_all(&mut client, 8).await, (0..8).collect::<Vec<_>>());
    let slowed = server.metrics.requests_slowed.get();
    assert!(slowed >= 4, "{slowed}: the shared budget is enough for three");
    assert!(server.metrics.work.get() >= 8 * 250);
}

#[actix_web::test]
async fn the_next_request_of_a_client_over_its_budget_is_not_read_yet() {
    let server = server(|settings| {
        // Paying the debt would take minutes, so the pause is the longest possible.
        settings.session.work_per_second_max = 1;
        settings.push.shared_work_per_second_max = 1;
    });
    let are_others_first = async || {
        let mut client = Client::connect(server.address).await;
        client.send_json(&json!({"action": "subscribe", "symbols": ["*"], "id": 1})).await;
        let began = Instant::now();
        client.send_json(&json!({"action": "list", "id": 2})).await;
        client.until("the first answer", |message| message["id"] == 1).await;
        let before = server.metrics.requests.get();
        for _ in 0..3 {
            poll(&server, "symbols=AAPL").await;
        }
        let served = server.metrics.requests.get() - before;
        // If this has taken as long as the pause, the result proves nothing.
        (began.elapsed() < PAUSE_MAX).then_some(served == 3)
    };
    let told = async {
        loop {
            if let Some(told) = are_others_first().await {
                return told;
            }
        }
    };
    assert!(patiently("polls within a pause", told).await, "the requests of others are read, and not this one");
}

#[actix_web::test]
async fn a_reconnect_brings_no_new_burst() {
    let server = server(|settings| {
        settings.session.work_per_second_max = 2_000;
        settings.push.shared_work_per_second_max = 1;
    });
    for connection in 1..=5 {
        let mut client = Client::connect(server.address).await;
        subscribe_to_all(&mut client, 1).await;
        assert!(server.metrics.requests_slowed.get() >= connection, "each from its first request on");
    }
}

#[actix_web::test]
async fn ordinary_requests_are_not_slowed() {
    let server = server(|_| {});
    let mut client = Client::connect(server.address).await;
    subscribe_to_all(&mut client, 60).await;
    for _ in 0..100 {
        client.subscribe(&["AAPL", "MSFT", "NVDA"], &crate::client::ALL_CHANNELS).await;
        client.sync().await;
    }
    assert_eq!(server.metrics.requests_slowed.get(), 0);
}

#[actix_web::test]
async fn however_small_a_turn_is_every_client_is_served_in_the_end() {
    let (server, clock) = spawn_app_at_rest(|settings| {
        settings.server.workers = 1;
        settings.feed.events_per_second = 1_000.0;
        settings.push.turn_work_max = 16;
    });
    let cursor = poll(&server, "symbols=*").await["cursor"].as_str().unwrap().to_owned();
    let (epoch, offset) = cursor.split_once(':').unwrap();
    let after = json!({"epoch": epoch, "offset": offset.parse::<u64>().unwrap()});
    clock.advance_micros(1_000_000);
    wait_until("events", true, || server.metrics.events_published.get() > 700).await;
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = Client::connect(server.address).await;
        let request =
            json!({"action": "subscribe", "symbols": ["*"], "channels": ["trades", "quotes"], "after": after});
        client.send_json(&request).await;
        clients.push(client);
    }
    let query = format!("symbols=*&channels=trades,quotes&wait_ms=60000&after={cursor}");
    let polls = futures_util::future::join_all((0..4).map(|_| poll(&server, &query))).await;
    for answer in &polls {
        assert!(messages(answer).len() > 500, "{}", messages(answer).len());
        assert_eq!(messages(answer)[0]["offset"].as_u64().unwrap(), after["offset"].as_u64().unwrap() + 1);
    }
    for client in &mut clients {
        client.events(500).await;
        assert_eq!(client.view.missing, 0);
    }
    // And a burst of requests, each of which costs more than a turn.
    subscribe_to_all(&mut clients[0], 5).await;
}
