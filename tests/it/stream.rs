//! The stream: complete, in order, joined exactly with its snapshots, and the same for every client.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::client::{ALL_CHANNELS, Client};
use crate::http::get;
use crate::raw::{RawClient, TEXT};
use crate::spawn::{TestServer, spawn_app, spawn_app_at_rest};
use crate::view::{is_event, said};

/// Reads until the client has reached this offset; the market must stand still. Only a client that gets every event
/// can.
async fn catch_up(client: &mut Client, offset: u64) {
    while client.view.offset < offset {
        client.next_message().await;
    }
}

/// Returns the snapshots of all symbols over HTTP, and their offset.
async fn snapshots(server: &TestServer) -> (Vec<Value>, u64) {
    let answer = get(server.address, "/api/v1/snapshot").await.json();
    (answer["snapshots"].as_array().unwrap().clone(), answer["offset"].as_u64().unwrap())
}

#[actix_web::test]
async fn no_event_is_missing_at_a_high_rate_whatever_is_subscribed_to() {
    let server = spawn_app(|settings| {
        settings.feed.events_per_second = 20_000.0;
    });
    let wishes: [&[&str]; 6] =
        [&["*"], &["AAPL", "MSFT", "NVDA"], &["*"], &["AAPL"], &["TSLA", "AAPL", "*"], &["AMZN", "META", "GOOGL"]];
    let clients = wishes.map(async |symbols| {
        let mut client = Client::connect(server.address).await;
        client.subscribe(symbols, &["trades", "quotes"]).await;
        client.events(3_000).await;
        client.view
    });
    for view in join_all(clients).await {
        assert_eq!((view.missing, view.lags), (0, 0), "from the snapshot on, for each symbol and channel");
    }
}

#[actix_web::test]
async fn every_client_gets_the_same_events() {
    let server = spawn_app(|settings| settings.feed.events_per_second = 5_000.0);
    let mut clients = [Client::connect(server.address).await, Client::connect(server.address).await];
    let mut streams = Vec::new();
    for client in &mut clients {
        client.subscribe(&["*"], &["trades", "quotes"]).await;
    }
    // Side by side, because a client that does not read meanwhile would lag.
    let [one, other] = &mut clients;
    let (one, other) = tokio::join!(one.events(10_000), other.events(10_000));
    for mut events in [one, other] {
        events.retain(is_event);
        streams.push(events);
    }
    let offset = |event: &Value| event["offset"].as_u64().unwrap();
    let first = offset(&streams[0][0]).max(offset(&streams[1][0]));
    let last = offset(streams[0].last().unwrap()).min(offset(streams[1].last().unwrap()));
    for stream in &mut streams {
        stream.retain(|event| (first..=last).contains(&offset(event)));
    }
    assert!(streams[0].len() > 1_000, "they overlap");
    assert_eq!(streams[0], streams[1], "message for message");
}

#[actix_web::test]
async fn a_snapshot_equals_the_state_of_a_client_that_was_there_before() {
    let (server, clock) = spawn_app_at_rest(|settings| {
        settings.feed.events_per_second = 10_000.0;
        // The view of this client does not read corrections.
        settings.feed.amendments_per_million_trades = 0;
    });
    let mut early = Client::connect(server.address).await;
    early.subscribe(&["*"], &ALL_CHANNELS).await;
    for _ in 0..5 {
        clock.advance_micros(313_131);
        early.events(2_000).await;
        let mut late = Client::connect(server.address).await;
        late.subscribe(&["*"], &ALL_CHANNELS).await;
        let messages = late.sync().await;
        let snapshots: Vec<_> = messages.iter().filter(|message| message["type"] == "snapshot").collect();
        let offset = snapshots[0]["offset"].as_u64().unwrap();
        catch_up(&mut early, offset).await;
        // Their hubs may be at different offsets, and a frame may go past the offset that a client waits for.
        while late.view.offset != early.view.offset {
            catch_up(&mut late, early.view.offset).await;
            catch_up(&mut early, late.view.offset).await;
        }
        for symbol in early.view.symbols() {
            assert_eq!(late.view.snapshot(symbol), early.view.snapshot(symbol));
        }
        assert_eq!((late.view.missing, early.view.missing), (0, 0));
    }
}

#[actix_web::test]
async fn the_state_of_a_client_equals_the_snapshot_over_http() {
    let (server, clock) = spawn_app_at_rest(|settings| {
        settings.feed.events_per_second = 10_000.0;
        settings.feed.amendments_per_million_trades = 0;
    });
    let mut all = Client::connect(server.address).await;
    all.subscribe(&["*"], &ALL_CHANNELS).await;
    let mut two = Client::connect(server.address).await;
    two.subscribe(&["AAPL", "MSFT"], &ALL_CHANNELS).await;
    for _ in 0..10 {
        clock.advance_micros(200_000);
        all.events(1_000).await;
    }
    // Each snapshot comes from another worker, which may be behind or ahead.
    for _ in 0..2 {
        let (mut over_http, mut offset) = snapshots(&server).await;
        while offset < all.view.offset {
            (over_http, offset) = snapshots(&server).await;
        }
        catch_up(&mut all, offset).await;
        for snapshot in over_http {
            assert_eq!(snapshot["type"], "snapshot");
            assert_eq!(said(&snapshot), all.view.snapshot(snapshot["symbol"].as_str().unwrap()));
        }
    }
    two.sync().await;
    while two.view.seqs().iter().any(|(key, seq)| *seq < all.view.seqs()[key]) {
        two.next_message().await;
    }
    catch_up(&mut all, two.view.offset).await;
    for symbol in ["AAPL", "MSFT"] {
        assert_eq!(two.view.snapshot(symbol), all.view.snapshot(symbol));
    }
    assert_eq!(two.view.symbols().collect::<Vec<_>>(), ["AAPL", "MSFT"]);
}

#[actix_web::test]
async fn events_and_snapshots_have_the_documented_keys_in_order() {
    let server = spawn_app(|settings| settings.feed.events_per_second = 5_000.0);
    let mut client = RawClient::open(server.address).await;
    client.next_of(TEXT).await;
    let request = json!({"action": "subscribe", "symbols": ["AAPL"], "channels": ["trades", "quotes", "bars.1s"]});
    client.send_frame(TEXT, request.to_string().as_bytes()).await;
    let mut open: Vec<(&str, &str)> = vec![
        (
            "snapshot",
            "type symbol offset ts price size bid bid_size ask ask_size open high low prev_close volume seq trades quotes \
             bars.1s bars.1m bars.5m bars.15m bars.1h bars.1d",
        ),
        ("trade", "type symbol seq offset ts price size"),
        ("quote", "type symbol seq offset ts bid bid_size ask ask_size"),
        ("bar", "type symbol interval seq offset ts open high low close volume trades vwap final"),
    ];
    while !open.is_empty() {
        let text = String::from_utf8(client.next_of(TEXT).await).unwrap();
        for message in text.split(r#"{"type":""#) {
            let kind = message.split('"').next().unwrap();
            let Some(place) = open.iter().position(|(name, _)| *name == kind) else { continue };
            // Keys are the strings before a colon; the values of this dialect contain none.
            let keys: Vec<_> = message.split("\":").map(|part| part.rsplit('"').next().unwrap()).collect();
            let keys = format!("type {}", keys[..keys.len() - 1].join(" "));
            assert_eq!(keys, open.swap_remove(place).1, "{message}");
        }
    }
}

#[actix_web::test]
async fn prices_are_exact_decimals_on_the_wire() {
    let server = spawn_app(|settings| settings.feed.events_per_second = 10_000.0);
    let mut client = RawClient::open(server.address).await;
    let request = json!({"action": "subscribe", "symbols": ["*"], "channels": ["trades", "quotes", "bars.1s"]});
    client.send_frame(TEXT, request.to_string().as_bytes()).await;
    let mut prices = 0;
    while prices < 10_000 {
        let text = String::from_utf8(client.next_of(TEXT).await).unwrap();
        for name in ["price", "bid", "ask", "open", "high", "low", "close", "prev_close", "vwap"] {
            for rest in text.split(&format!("\"{name}\":")).skip(1) {
                let price = rest.split([',', '}']).next().unwrap();
                let decimals = price.split_once('.').map_or(0, |(_, decimals)| decimals.len());
                assert!((2..=4).contains(&decimals), "{name}: {price}");
                prices += 1;
            }
        }
    }
}

#[actix_web::test]
async fn a_quote_has_its_bid_below_its_ask() {
    let server = spawn_app(|settings| settings.feed.events_per_second = 5_000.0);
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["*"], &["quotes"]).await;
    for quote in client.events(2_000).await.iter().filter(|message| is_event(message)) {
        assert!(quote["bid"].as_f64() < quote["ask"].as_f64(), "{quote}");
        assert!(quote["bid_size"].as_u64() > Some(0) && quote["ask_size"].as_u64() > Some(0), "{quote}");
    }
}
