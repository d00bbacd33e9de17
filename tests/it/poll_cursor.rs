//! Polling with the cursor of the last answer: every event exactly once, in order, or `recovered` false and snapshots.

use serde_json::Value;

use crate::client::Client;
use crate::patience::wait_until;
use crate::poll::{messages, poll};
use crate::spawn::{TestServer, spawn_app, spawn_app_at_rest};
use crate::view::{View, is_event};

const QUERY: &str = "symbols=*&channels=trades,quotes&wait_ms=0";

async fn first_cursor(server: &TestServer) -> String {
    poll(server, QUERY).await["cursor"].as_str().unwrap().to_owned()
}

async fn poll_after(server: &TestServer, cursor: &str) -> Value {
    poll(server, &format!("{QUERY}&after={cursor}")).await
}

/// Polls a worker whose hub may not have reached the cursor yet.
async fn poll_waiting(server: &TestServer, cursor: &str) -> Value {
    poll(server, &format!("symbols=*&channels=trades,quotes&wait_ms=60000&after={cursor}")).await
}

#[actix_web::test]
async fn polling_by_cursor_returns_the_events_of_a_websocket_in_pages() {
    let (server, clock) = spawn_app_at_rest(|settings| {
        settings.feed.amendments_per_million_trades = 0;
        settings.feed.events_per_second = 10_000.0;
    });
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["*"], &["trades", "quotes"]).await;
    let mut cursor = first_cursor(&server).await;
    let mut pushed = Vec::new();
    let mut polled: Vec<Value> = Vec::new();
    let mut full_pages = 0;
    for events in [3_000, 10, 1, 4_000] {
        clock.advance_micros(i64::from(events) * 100 + 10_000);
        pushed.extend(witness.events(usize::try_from(events).unwrap() / 2 + 1).await.into_iter().filter(is_event));
        loop {
            let answer = poll_after(&server, &cursor).await;
            assert_eq!(answer["recovered"], true);
            answer["cursor"].as_str().unwrap().clone_into(&mut cursor);
            let page = messages(&answer);
            assert!(page.len() <= 1_024);
            full_pages += usize::from(page.len() == 1_024);
            polled.extend_from_slice(page);
            if page.is_empty() && polled.len() >= pushed.len() {
                break;
            }
        }
    }
    while pushed.len() < polled.len() {
        pushed.extend(witness.events(1).await.into_iter().filter(is_event));
    }
    assert!(full_pages >= 2, "{full_pages}");
    polled.truncate(pushed.len());
    assert_eq!(polled, pushed);
}

#[actix_web::test]
async fn a_cursor_is_valid_on_every_worker_while_the_market_runs() {
    let server = spawn_app(|settings| {
        settings.server.workers = 4;
        settings.feed.events_per_second = 2_000.0;
    });
    let mut view = View::default();
    let first = poll(&server, QUERY).await;
    for message in messages(&first) {
        view.apply(message);
    }
    let mut cursor = first["cursor"].as_str().unwrap().to_owned();
    let mut offset = first["offset"].as_u64().unwrap();
    for _ in 0..60 {
        // Every connection reaches the next worker, whose hub may be behind the one that issued the cursor.
        let answer = poll(&server, &format!("symbols=*&channels=trades,quotes&wait_ms=1000&after={cursor}")).await;
        assert_eq!(answer["recovered"], true);
        assert!(answer["offset"].as_u64().unwrap() >= offset, "the cursor never goes back");
        offset = answer["offset"].as_u64().unwrap();
        for message in messages(&answer) {
            view.apply(message);
        }
        answer["cursor"].as_str().unwrap().clone_into(&mut cursor);
    }
    assert!(view.events > 60);
    assert_eq!(view.missing, 0);
}

#[actix_web::test]
async fn polls_for_one_symbol_miss_nothing_of_it() {
    let server = spawn_app(|settings| settings.feed.events_per_second = 3_000.0);
    let mut view = View::default();
    let mut after = String::new();
    while view.events < 500 {
        let answer = poll(&server, &format!("symbols=NVDA&channels=trades,quotes&wait_ms=5000{after}")).await;
        for message in messages(&answer) {
            view.apply(message);
        }
        after = format!("&after={}", answer["cursor"].as_str().unwrap());
    }
    assert_eq!(view.missing, 0);
}

#[actix_web::test]
async fn a_cursor_that_is_too_old_is_not_recovered() {
    let (server, clock) = spawn_app_at_rest(|settings| {
        settings.feed.amendments_per_million_trades = 0;
        settings.history.events_max = 100;
        settings.feed.events_per_second = 10_000.0;
    });
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["*"], &crate::client::ALL_CHANNELS).await;
    let old = first_cursor(&server).await;
    for _ in 0..5 {
        // The ring keeps whole batches.
        clock.advance_micros(20_000);
        witness.events(50).await;
    }
    wait_until("the witness to know everything", true, || server.metrics.events_published.get() > 250).await;
    while witness.view.offset < server.metrics.events_published.get() {
        witness.next_message().await;
    }
    // A hub fills its ring only when it has routed the events.
    let stale = loop {
        let answer = poll_after(&server, &old).await;
        if answer["recovered"] == false {
            break answer;
        }
    };
    assert_eq!(messages(&stale).len(), 30);
    assert!(messages(&stale).iter().all(|message| message["type"] == "snapshot"));
    let mut view = View::default();
    for message in messages(&stale) {
        view.apply(message);
    }
    clock.advance_micros(5_000);
    let answer = poll_waiting(&server, stale["cursor"].as_str().unwrap()).await;
    assert_eq!(answer["recovered"], true, "the new cursor is good");
    for message in messages(&answer) {
        view.apply(message);
    }
    assert_eq!(view.missing, 0);
}

#[actix_web::test]
async fn the_cursor_of_another_process_is_not_recovered() {
    let (server, clock) = spawn_app_at_rest(|_| {});
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["*"], &["trades", "quotes"]).await;
    clock.advance_micros(1_000_000);
    witness.events(100).await;
    let good = first_cursor(&server).await;
    let (epoch, offset) = good.split_once(':').unwrap();
    for cursor in [
        format!("0123456789abcdef:{offset}"),
        "x:0".to_owned(),
        // Of this process, but with an offset that it has not reached.
        format!("{epoch}:999999999"),
        format!("{epoch}:{}", u64::MAX),
    ] {
        let answer = poll_after(&server, &cursor).await;
        assert_eq!((answer["recovered"].as_bool(), messages(&answer).len()), (Some(false), 30), "{cursor}");
        assert_eq!(answer["epoch"], epoch);
    }
    let beginning = poll_waiting(&server, &format!("{epoch}:0")).await;
    assert_eq!(beginning["recovered"], true, "everything is still kept");
    assert_eq!(messages(&beginning)[0]["offset"], 1);
}

#[actix_web::test]
async fn a_cursor_from_the_websocket_is_valid_for_polls() {
    let (server, clock) = spawn_app_at_rest(|_| {});
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["*"], &["trades", "quotes"]).await;
    clock.advance_micros(1_000_000);
    let seen: Vec<_> = client.events(200).await.into_iter().filter(is_event).collect();
    let cursor = format!("{}:{}", client.welcome["epoch"].as_str().unwrap(), seen[99]["offset"]);
    // The hub that answers may be another one.
    let last = seen[199]["offset"].as_u64().unwrap();
    let routed = || server.metrics.hub_offsets().into_iter().min() >= Some(last);
    wait_until("the last event to be routed", true, routed).await;
    let answer = poll_waiting(&server, &cursor).await;
    assert_eq!(answer["recovered"], true);
    assert_eq!(messages(&answer)[..100], seen[100..]);
}
