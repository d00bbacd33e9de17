//! One contract on four transports: the same messages, the same cursor, and clients that move between transports.

use std::collections::BTreeMap;

use futures_util::future::{LocalBoxFuture, join_all};
use serde_json::{Value, json};

use crate::client::Client;
use crate::event_stream::EventSource;
use crate::http::get;
use crate::poll::{messages, poll};
use crate::spawn::{TestServer, spawn_app, spawn_app_at_rest};
use crate::view::{View, is_event, key_of};

const SYMBOLS: [&str; 3] = ["AAPL", "MSFT", "NVDA"];
const CHANNELS: [&str; 3] = ["trades", "quotes", "bars.1s"];

fn query() -> String {
    format!("symbols={}&channels={}", SYMBOLS.join(","), CHANNELS.join(","))
}

fn offset(message: &Value) -> u64 {
    message["offset"].as_u64().unwrap()
}

/// Subscribes with a cursor; returns the answer `subscribed`.
async fn subscribe_after(client: &mut Client, symbols: &[&str], channels: &[&str], cursor: &str) -> Value {
    let (epoch, offset) = cursor.split_once(':').unwrap();
    let after = json!({"epoch": epoch, "offset": offset.parse::<u64>().unwrap()});
    let request = json!({"action": "subscribe", "symbols": symbols, "channels": channels, "after": after});
    client.ask(request).await.pop().unwrap()
}

/// Polls until this many events have arrived; returns them, and the last cursor.
async fn poll_events(server: &TestServer, wait_ms: u32, mut cursor: String, count: usize) -> (Vec<Value>, String) {
    let mut events = Vec::new();
    while events.len() < count {
        let answer = poll(server, &format!("{}&wait_ms={wait_ms}&after={cursor}", query())).await;
        assert_eq!(answer["recovered"], true);
        events.extend(messages(&answer).iter().cloned());
        answer["cursor"].as_str().unwrap().clone_into(&mut cursor);
    }
    (events, cursor)
}

#[actix_web::test]
async fn four_clients_on_four_transports_get_the_same_messages() {
    let server = spawn_app(|settings| settings.feed.events_per_second = 5_000.0);
    let start = poll(&server, &query()).await["cursor"].as_str().unwrap().to_owned();
    // About three seconds of the market.
    let count = 1_500;
    let by_websocket = async {
        let mut client = Client::connect(server.address).await;
        assert_eq!(subscribe_after(&mut client, &SYMBOLS, &CHANNELS, &start).await["recovered"], true);
        client.events(count).await
    };
    let by_stream = async {
        let mut source = EventSource::open(server.address, &format!("{}&after={start}", query())).await;
        source.events(count).await
    };
    let by_long_poll = async { poll_events(&server, 25_000, start.clone(), count).await.0 };
    let by_short_poll = async { poll_events(&server, 0, start.clone(), count).await.0 };
    let all: Vec<LocalBoxFuture<'_, Vec<Value>>> =
        vec![Box::pin(by_websocket), Box::pin(by_stream), Box::pin(by_long_poll), Box::pin(by_short_poll)];
    let mut streams = join_all(all).await;
    for stream in &mut streams {
        stream.retain(is_event);
        stream.truncate(count);
    }
    for stream in &streams[1..] {
        assert!(stream == &streams[0], "the same messages from the same cursor on, none missing, none twice");
    }
    let mut view = View::default();
    for event in &streams[0] {
        view.apply(event);
    }
    assert_eq!(view.missing, 0);
}

#[actix_web::test]
async fn a_client_that_moves_between_transports_misses_nothing_and_gets_nothing_twice() {
    let server = spawn_app(|settings| settings.feed.events_per_second = 5_000.0);
    let first = poll(&server, &query()).await;
    let mut view = View::default();
    for message in messages(&first) {
        view.apply(message);
    }
    let mut cursor = first["cursor"].as_str().unwrap().to_owned();
    for _ in 0..5 {
        // Each connection reaches the next worker, whose hub may be behind the one that issued the cursor.
        let mut client = Client::connect(server.address).await;
        let epoch = client.welcome["epoch"].clone();
        assert_eq!(subscribe_after(&mut client, &SYMBOLS, &CHANNELS, &cursor).await["recovered"], true);
        let read = client.events(100).await;
        for message in &read {
            view.apply(message);
        }
        let newest = offset(read.iter().rfind(|message| is_event(message)).unwrap());
        cursor = format!("{}:{newest}", epoch.as_str().unwrap());

        let mut source = EventSource::open(server.address, &format!("{}&after={cursor}", query())).await;
        let read = source.events(100).await;
        assert_eq!(read.iter().find(|message| message["type"] == "subscribed").unwrap()["recovered"], true);
        for message in read.iter().filter(|message| is_event(message)) {
            view.apply(message);
        }
        cursor = source.last_id.unwrap();

        for wait_ms in [0, 25_000] {
            let (events, next) = poll_events(&server, wait_ms, cursor, 50).await;
            for message in &events {
                view.apply(message);
            }
            cursor = next;
        }
    }
    assert!(view.events >= 1_500);
    assert_eq!((view.missing, view.lags), (0, 0));
}

#[actix_web::test]
async fn after_a_restart_the_old_cursor_brings_snapshots_on_every_transport() {
    let old = {
        let server = spawn_app(|_| {});
        poll(&server, &query()).await["cursor"].as_str().unwrap().to_owned()
    };
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let mut client = Client::connect(server.address).await;
    assert_ne!(
        client.welcome["epoch"].as_str().unwrap(),
        old.split(':').next().unwrap(),
        "another run has another epoch"
    );
    assert_eq!(subscribe_after(&mut client, &SYMBOLS, &CHANNELS, &old).await["recovered"], false);
    let mut source = EventSource::open(server.address, &format!("{}&after={old}", query())).await;
    let begin = source.until("the answer", |message| message["type"] == "subscribed").await;
    assert_eq!(begin.last().unwrap()["recovered"], false);
    let answer = poll(&server, &format!("{}&after={old}", query())).await;
    assert_eq!(answer["recovered"], false);
    for expected in messages(&answer) {
        assert_eq!(expected["type"], "snapshot");
        assert_eq!(&client.next_message().await, expected);
        assert_eq!(source.next_message().await.as_ref(), Some(expected));
    }
}

#[actix_web::test]
async fn a_poll_in_mode_latest_brings_the_newest_value_and_counts_the_others() {
    let (server, clock) = spawn_app_at_rest(|_| {});
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["AAPL"], &["trades"]).await;
    let start = poll(&server, "symbols=AAPL").await["cursor"].as_str().unwrap().to_owned();
    clock.advance_micros(20_000_000);
    witness.events(3).await;
    // The worker of the poll may be behind that of the witness.
    let answer = loop {
        let answer = poll(&server, &format!("symbols=AAPL&mode=latest&after={start}")).await;
        if answer["offset"].as_u64() == Some(server.metrics.events_published.get()) {
            break answer;
        }
    };
    let [newest] = messages(&answer) else { panic!("one value: {answer}") };
    assert_eq!(newest["skipped"].as_u64().unwrap() + 1, newest["seq"].as_u64().unwrap(), "nothing came before");
    assert!(newest["seq"].as_u64() >= Some(3));
    for refused in ["max_hz=4", "on_lag=close"] {
        let answer = get(server.address, &format!("/api/v1/poll?symbols=AAPL&mode=latest&{refused}")).await;
        assert_eq!((answer.status, &answer.problem()["code"]), (400, &json!("bad_request")), "a poll has no rate");
    }
}

#[actix_web::test]
async fn more_events_than_an_outbox_holds_are_recovered_on_every_transport() {
    let (server, clock) = spawn_app_at_rest(|settings| {
        settings.feed.amendments_per_million_trades = 0;
        settings.feed.events_per_second = 10_000.0;
        settings.push.outbox_events_max = 50;
        settings.push.frame_bytes_max = 1_000;
        settings.server.write_buffer_bytes = 4_096;
        settings.server.unsent_bytes_max = 4_096;
    });
    let epoch = Client::connect(server.address).await.welcome["epoch"].as_str().unwrap().to_owned();
    clock.advance_micros(2_000_000);
    crate::patience::wait_until("the market", true, || server.metrics.events_published.get() > 19_000).await;
    // Until both hubs have reached the offset.
    for _ in 0..2 {
        while get(server.address, "/api/v1/snapshot?symbols=AAPL").await.json()["offset"].as_u64()
            < Some(server.metrics.events_published.get())
        {}
    }
    let published = usize::try_from(server.metrics.events_published.get()).unwrap();
    let (symbols, channels, cursor) = (["*"], crate::client::ALL_CHANNELS, format!("{epoch}:0"));
    let mut client = Client::connect(server.address).await;
    assert_eq!(subscribe_after(&mut client, &symbols, &channels, &cursor).await["recovered"], true);
    let pushed = client.events(published).await;
    let query = format!("symbols=*&channels={}&after={cursor}", channels.join(","));
    let mut source = EventSource::open(server.address, &query).await;
    let mut streamed = source.events(published).await;
    streamed.retain(is_event);
    assert!(pushed == streamed, "the same events");
    for (index, event) in pushed.iter().enumerate() {
        assert_eq!(offset(event), index as u64 + 1, "every event of the market, in order");
    }
    assert_eq!((server.metrics.lags.get(), server.metrics.events_skipped.get()), (0, 0));
}

#[actix_web::test]
async fn a_recovery_beside_other_subscriptions_misses_and_repeats_nothing() {
    let server = spawn_app(|settings| settings.feed.events_per_second = 5_000.0);
    let first = poll(&server, "symbols=*").await;
    let mut seqs = BTreeMap::new();
    for snapshot in messages(&first) {
        for channel in ["trades", "quotes"] {
            let key = (snapshot["symbol"].as_str().unwrap().to_owned(), channel.to_owned());
            seqs.insert(key, snapshot["seq"][channel].as_u64().unwrap());
        }
    }
    let (epoch, offset) = (first["epoch"].clone(), first["offset"].clone());
    let mut client = Client::connect(server.address).await;
    for (symbols, events) in [(json!(["AAPL", "MSFT"]), 300), (json!(["AAPL", "NVDA", "*"]), 3_000)] {
        let after = json!({"epoch": epoch, "offset": offset});
        let channels = json!(["trades", "quotes"]);
        let request = json!({"action": "subscribe", "symbols": symbols, "channels": channels, "after": after});
        client.send_json(&request).await;
        let (mut left, mut recovered) = (events, Value::Null);
        while left > 0 {
            // Frame by frame, because offsets increase per topic, not over all topics.
            for message in client.next_frame().await {
                if message["type"] == "subscribed" {
                    recovered = message["recovered"].clone();
                }
                let Some(key) = key_of(&message) else { continue };
                let (seq, last) = (message["seq"].as_u64().unwrap(), seqs.get_mut(&key).unwrap());
                assert_eq!(seq, *last + 1, "{message}");
                *last = seq;
                left = usize::saturating_sub(left, 1);
            }
        }
        assert_eq!(recovered, true);
    }
}

#[actix_web::test]
async fn a_subscription_that_began_after_the_cursor_is_not_recovered() {
    let (server, clock) = spawn_app_at_rest(|_| {});
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["MSFT"], &["trades"]).await;
    client.sync().await;
    let start = format!("{}:0", client.welcome["epoch"].as_str().unwrap());
    clock.advance_micros(10_000_000);
    client.events(3).await;
    client.subscribe(&["AAPL"], &["trades"]).await;
    client.sync().await;
    // MSFT has been subscribed since the cursor, AAPL has not: a session gets no event twice, and none late.
    assert_eq!(subscribe_after(&mut client, &["MSFT"], &["trades"], &start).await["recovered"], true);
    for symbols in [["AAPL", "MSFT"], ["*", "MSFT"]] {
        assert_eq!(subscribe_after(&mut client, &symbols, &["trades"], &start).await["recovered"], false);
        assert_eq!(client.next_message().await["type"], "snapshot");
        client.sync().await;
    }
}
