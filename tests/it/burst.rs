//! Bursts: events that arrive at once, after a stall of the process or because many bars close together, reach every
//! client that reads.

use futures_util::future::join;
use serde_json::{Value, json};

use crate::client::{ALL_CHANNELS, Client};
use crate::command::spawn_binary;
use crate::event_stream::EventSource;
use crate::patience::wait_until;
use crate::raw::{RawClient, TEXT};
use crate::spawn::{START, spawn_app_at_rest};
use crate::view::View;

fn subscribe(symbols: &[&str], channels: &[&str], on_lag: &str) -> Value {
    json!({"action": "subscribe", "symbols": symbols, "channels": channels, "on_lag": on_lag})
}

/// Reads a frame of messages.
async fn read(client: &mut RawClient, view: &mut View) -> Vec<Value> {
    let messages: Vec<Value> = serde_json::from_slice(&client.next_of(TEXT).await).unwrap();
    for message in &messages {
        view.apply(message);
    }
    messages
}

/// Suspends the real server for each of these times, in seconds, while clients read all events at this rate.
async fn suspended(events_per_second: u32, stalls: &[f64]) {
    let rate = events_per_second.to_string();
    let variables = [("TICKCAST__FEED__EVENTS_PER_SECOND", rate.as_str()), ("TICKCAST__SERVER__WORKERS", "1")];
    let process = spawn_binary(&[], &variables).await;
    let mut client = Client::connect(process.address).await;
    client.ask(subscribe(&["*"], &ALL_CHANNELS, "close")).await;
    let query = format!("symbols=*&channels={}&on_lag=close", ALL_CHANNELS.join(","));
    let mut source = EventSource::open(process.address, &query).await;
    for seconds in stalls {
        join(client.events(500), source.events(500)).await;
        process.suspend(*seconds).await;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some thousand")]
        let missed = (f64::from(events_per_second) * seconds) as usize;
        join(client.events(missed), source.events(missed)).await;
    }
    join(client.events(1_000), source.events(1_000)).await;
    for view in [client.view, source.view] {
        assert_eq!((view.missing, view.lags), (0, 0));
    }
}

#[actix_web::test]
async fn a_stall_of_a_second_at_a_high_rate_loses_no_event() {
    suspended(5_000, &[1.0, 0.3, 1.0]).await;
}

#[actix_web::test]
async fn a_stall_of_eight_seconds_at_a_low_rate_loses_no_event() {
    suspended(200, &[8.0]).await;
}

/// Advances the market past a full minute while a client reads the bars of all symbols.
async fn pass_a_minute(extra_symbols: u32) {
    let (server, clock) = spawn_app_at_rest(|settings| {
        settings.feed.amendments_per_million_trades = 0;
        settings.feed.extra_symbols = extra_symbols;
        settings.feed.events_per_second = 5_000.0;
    });
    let mut client = Client::connect(server.address).await;
    client.ask(subscribe(&["*"], &["bars.1s", "bars.1m"], "close")).await;
    let symbols = 30 + extra_symbols as usize;
    let is_minute = |message: &&Value| message["interval"] == "1m";
    let mut minutes = 0;
    // The minute ends after 55 seconds.
    for _ in 0..57 {
        let published = server.metrics.events_published.get();
        clock.advance_micros(1_000_000);
        wait_until("the step", true, || server.metrics.events_published.get() > published).await;
        minutes += client.sync().await.iter().filter(is_minute).count();
    }
    while minutes < symbols {
        let message = client.next_message().await;
        minutes += usize::from(is_minute(&&message));
    }
    assert_eq!((client.view.missing, client.view.lags, minutes), (0, 0, symbols));
}

#[actix_web::test]
async fn bars_of_530_symbols_that_close_together_are_all_delivered() {
    pass_a_minute(500).await;
}

#[actix_web::test]
async fn bars_of_1530_symbols_that_close_together_are_all_delivered() {
    pass_a_minute(1_500).await;
}

/// A client that has not read any of a burst is slow like any other that does not read: it is sent a `lag`.
#[actix_web::test]
async fn a_burst_does_not_excuse_a_client_that_does_not_read() {
    let (server, clock) = spawn_app_at_rest(|settings| {
        settings.feed.amendments_per_million_trades = 0;
        settings.feed.events_per_second = 10_000.0;
        settings.server.write_buffer_bytes = 4_096;
        settings.server.unsent_bytes_max = 4_096;
    });
    let mut witness = Client::connect(server.address).await;
    witness.ask(subscribe(&["*"], &ALL_CHANNELS, "catch_up")).await;
    let mut jammed = RawClient::open_narrow(server.address).await;
    jammed.send_frame(TEXT, subscribe(&["*"], &ALL_CHANNELS, "catch_up").to_string().as_bytes()).await;
    jammed.next_of(TEXT).await;
    clock.advance_micros(1_000_000);
    while witness.view.offset < 10_000 {
        witness.next_message().await;
    }
    assert!(server.metrics.bursts.get() > 0, "more came than an outbox holds");
    while server.metrics.lags.get() == 0 {
        clock.advance_micros(10_000);
        witness.events(50).await;
        while witness.view.offset < server.metrics.events_published.get() {
            witness.next_message().await;
        }
    }
    let mut view = View::default();
    while view.offset < witness.view.offset {
        read(&mut jammed, &mut view).await;
    }
    assert_eq!((view.missing, view.lags), (view.skipped, 1), "the holes equal the announced events");
    assert!(view.skipped > 5_000, "those of the burst as well: {}", view.skipped);
    assert_eq!((witness.view.missing, witness.view.lags), (0, 0), "the witness has lost nothing");
}

/// Events of a burst that are left in the ring are queued before the ring evicts them, however fast the market is.
#[actix_web::test]
async fn a_burst_that_is_read_slowly_is_not_overtaken_by_the_market() {
    let (server, clock) = spawn_app_at_rest(|settings| {
        settings.feed.amendments_per_million_trades = 0;
        settings.feed.extra_symbols = 1_500;
        settings.feed.events_per_second = 2_000.0;
        settings.history.events_max = 16_384;
        settings.server.write_buffer_bytes = 4_096;
        settings.server.unsent_bytes_max = 4_096;
    });
    let symbols = 1_530;
    let mut witness = Client::connect(server.address).await;
    witness.ask(subscribe(&["*"], &["trades"], "catch_up")).await;
    let mut jammed = RawClient::open_narrow(server.address).await;
    jammed.send_frame(TEXT, subscribe(&["*"], &["bars.1m"], "catch_up").to_string().as_bytes()).await;
    let (mut view, mut snapshots) = (View::default(), 0);
    while snapshots < symbols {
        let messages = read(&mut jammed, &mut view).await;
        snapshots += messages.iter().filter(|message| message["type"] == "snapshot").count();
    }
    // The minute ends after 55.9 seconds, and all its bars close at once; no other event is subscribed to for a minute.
    let mut time = START.micros();
    for _ in 0..56 + 20 {
        clock.advance_micros(1_000_000);
        time += 1_000_000;
        while witness.next_message().await["ts"].as_i64().is_none_or(|ts| ts < time - 100_000) {}
    }
    assert!(server.metrics.bursts.get() > 0, "more came than an outbox holds");
    let mut bars = 0;
    while bars < symbols {
        bars += read(&mut jammed, &mut view).await.iter().filter(|message| message["type"] == "bar").count();
    }
    assert_eq!((view.missing, view.lags), (0, 0), "one of each symbol: nothing is skipped");
}

/// A burst keeps state per subscription, without a request of the client, so it does not count as unread answers.
#[actix_web::test]
async fn a_burst_ends_no_session_however_many_topics_it_has() {
    const CLIENTS: usize = 20;
    let (server, clock) = spawn_app_at_rest(|settings| {
        settings.feed.amendments_per_million_trades = 0;
        settings.feed.events_per_second = 2_000.0;
        settings.server.write_buffer_bytes = 4_096;
        settings.server.unsent_bytes_max = 4_096;
        settings.push.outbox_reply_bytes_max = 65_536;
        settings.push.waiting_bytes_max = 65_536;
    });
    let symbols = crate::http::get(server.address, "/api/v1/symbols").await.json();
    let symbols: Vec<_> = symbols["symbols"].as_array().unwrap().iter().map(|each| each["symbol"].clone()).collect();
    let request =
        json!({"action": "subscribe", "symbols": symbols, "channels": ALL_CHANNELS, "on_lag": "close", "id": 1});
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = RawClient::open_narrow(server.address).await;
        client.send_frame(TEXT, request.to_string().as_bytes()).await;
        let (mut view, mut snapshots) = (View::default(), 0);
        while snapshots < symbols.len() {
            let messages = read(&mut client, &mut view).await;
            snapshots += messages.iter().filter(|message| message["type"] == "snapshot").count();
        }
        clients.push((client, view));
    }
    wait_until("no unread answers", 0, || server.metrics.waiting_bytes.get()).await;
    clock.advance_micros(1_000_000);
    wait_until("a burst for each", true, || server.metrics.bursts.get() >= CLIENTS as u64).await;
    let published = server.metrics.events_published.get();
    for (client, view) in &mut clients {
        while view.offset < published {
            read(client, view).await;
        }
        assert_eq!((view.missing, view.lags), (0, 0));
    }
    assert_eq!(server.metrics.sessions_crowded_out.get(), 0);
}
