//! Coalescing: events close to each other are written together.

use serde_json::json;

use crate::client::Client;
use crate::patience::patiently;
use crate::spawn::{spawn_app, spawn_app_at_rest};
use crate::view::is_event;

#[actix_web::test]
async fn events_of_one_window_arrive_joined_in_one_frame() {
    let server = spawn_app(|settings| {
        settings.push.coalesce_ms = 300;
        settings.feed.events_per_second = 1_000.0;
    });
    let mut client = Client::connect(server.address).await;
    client.send_json(&json!({"action": "subscribe", "symbols": ["*"], "channels": ["trades", "quotes"]})).await;
    let mut lengths = Vec::new();
    for _ in 0..6 {
        lengths.push(client.next_frame().await.iter().filter(|message| is_event(message)).count());
    }
    // About 300 events are due in a window.
    assert!(lengths.iter().any(|length| *length >= 100), "{lengths:?}");
}

#[actix_web::test]
async fn without_coalescing_nothing_is_lost_or_reordered() {
    let server = spawn_app(|settings| {
        settings.push.coalesce_ms = 0;
        settings.feed.events_per_second = 3_000.0;
    });
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["*"], &["trades", "quotes"]).await;
    client.events(3_000).await;
    assert_eq!((client.view.missing, client.view.lags), (0, 0));
}

#[actix_web::test]
async fn an_answer_does_not_wait_for_a_window() {
    let (server, clock) = spawn_app_at_rest(|settings| settings.push.coalesce_ms = 10_000);
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["*"], &["trades", "quotes"]).await;
    clock.advance_micros(1_000_000);
    // Twenty windows would take longer than the test's patience.
    let pings = async {
        for id in 0..20 {
            client.send_json(&json!({"action": "ping", "id": id})).await;
            client.until("the pong", |message| message["id"] == id).await;
        }
    };
    patiently("twenty pongs", pings).await;
}

#[actix_web::test]
async fn a_frame_ends_when_it_is_long_enough() {
    let (server, clock) = spawn_app_at_rest(|settings| {
        settings.push.frame_bytes_max = 1_000;
        settings.feed.events_per_second = 10_000.0;
    });
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["*"], &["trades", "quotes"]).await;
    client.sync().await;
    clock.advance_micros(400_000);
    let mut left = 3_000;
    while left > 0 {
        let messages = client.next_frame().await;
        let bytes = serde_json::to_string(&messages).unwrap().len();
        assert!(bytes < 1_500, "one message may stand over the edge: {bytes}");
        left -= messages.len().min(left);
    }
}
