//! Clients that do not read: they get the newest values, skipped events are counted and announced, and other sessions
//! go on.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tickcast::app::Settings;
use tickcast::domain::ManualClock;
use tickcast::protocol::CloseReason;

use crate::client::{ALL_CHANNELS, Client};
use crate::patience::{patiently, wait_until};
use crate::raw::{RawClient, TEXT};
use crate::spawn::{TestServer, spawn_app, spawn_app_at_rest};
use crate::view::{View, is_event, key_of};

/// Enough steps to fill the buffers of the kernel and the server and the outbox many times.
const STEPS: u64 = 800;
/// About thirty events happen in one step: few enough for every client.
const STEP_MICROS: i64 = 3_000;

/// Small buffers everywhere, so that a client jams soon.
pub(crate) fn narrow(settings: &mut Settings) {
    settings.feed.events_per_second = 10_000.0;
    // The witness gets every event of the market.
    settings.feed.amendments_per_million_trades = 0;
    settings.push.outbox_events_max = 300;
    settings.push.coalesce_ms = 0;
    settings.server.write_buffer_bytes = 4_096;
    settings.server.unsent_bytes_max = 4_096;
}

/// Opens a session that subscribes to everything and reads only the beginning of the answer.
async fn jam(server: &TestServer) -> RawClient {
    let mut client = RawClient::open_narrow(server.address).await;
    let request = json!({"action": "subscribe", "symbols": ["*"], "channels": ALL_CHANNELS}).to_string();
    client.send_frame(TEXT, request.as_bytes()).await;
    let welcome = client.next_of(TEXT).await;
    assert!(welcome.starts_with(br#"[{"type":"welcome""#));
    client
}

/// Advances the market no faster than the witness reads: it gets every event of every channel.
async fn flood(server: &TestServer, clock: &ManualClock, witness: &mut Client, steps: u64) {
    for _ in 0..steps {
        clock.advance_micros(STEP_MICROS);
        witness.until("the step", is_event).await;
        while witness.view.offset < server.metrics.events_published.get() {
            witness.next_message().await;
        }
    }
}

/// Reads frames into a view until it has reached the offset of the witness.
async fn read_up_to(client: &mut RawClient, view: &mut View, witness: &Client) {
    while view.offset < witness.view.offset {
        let messages: Vec<Value> = serde_json::from_slice(&client.next_of(TEXT).await).unwrap();
        for message in &messages {
            view.apply(message);
        }
        let Some(lag) = messages.iter().position(|message| message["type"] == "lag") else { continue };
        // The write that begins with the `lag` contains only the newest value of each topic.
        let events: Vec<_> = messages[lag..].iter().filter_map(key_of).collect();
        let keys: BTreeSet<_> = events.iter().collect();
        assert_eq!(keys.len(), events.len(), "one value of each symbol and channel");
    }
}

#[actix_web::test]
async fn a_jammed_client_gets_lag_and_the_newest_values() {
    let (server, clock) = spawn_app_at_rest(narrow);
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["*"], &ALL_CHANNELS).await;
    let mut jammed = jam(&server).await;
    wait_until("sessions", 2, || server.sessions()).await;
    flood(&server, &clock, &mut witness, STEPS).await;
    let mut view = View::default();
    read_up_to(&mut jammed, &mut view, &witness).await;

    assert!(view.lags >= 1, "it has fallen behind");
    assert_eq!(view.missing, view.skipped, "the holes equal the announced events");
    assert!(view.events < witness.view.events / 4, "little waited for it: {}", view.events);
    for symbol in witness.view.symbols() {
        for name in ["ts", "price", "size", "bid", "bid_size", "ask", "ask_size"] {
            assert_eq!(view.snapshot(symbol)[name], witness.view.snapshot(symbol)[name], "{symbol} {name}");
        }
    }
    assert_eq!((witness.view.missing, witness.view.lags), (0, 0), "the witness has lost nothing");

    // From here on the session is live again.
    flood(&server, &clock, &mut witness, 1).await;
    read_up_to(&mut jammed, &mut view, &witness).await;
    assert_eq!(view.missing, view.skipped);
    jammed.hang_up().await;
    wait_until("sessions", 1, || server.sessions()).await;
    assert_eq!(server.metrics.events_skipped.get(), view.skipped);
    assert_eq!(server.metrics.lags.get(), view.lags);
}

#[actix_web::test]
async fn a_jammed_client_gets_its_pongs_before_events() {
    let (server, clock) = spawn_app_at_rest(narrow);
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["*"], &ALL_CHANNELS).await;
    let mut jammed = jam(&server).await;
    wait_until("sessions", 2, || server.sessions()).await;
    flood(&server, &clock, &mut witness, STEPS).await;
    for id in 0..10 {
        jammed.send_frame(TEXT, json!({"action": "ping", "id": id}).to_string().as_bytes()).await;
    }
    wait_until("requests", 12, || server.metrics.requests.get()).await;
    let (mut pongs, mut lagged) = (0, false);
    while !lagged {
        let messages: Vec<Value> = serde_json::from_slice(&jammed.next_of(TEXT).await).unwrap();
        for message in messages {
            lagged |= message["type"] == "lag";
            pongs += usize::from(message["type"] == "pong" && !lagged);
        }
    }
    assert_eq!(pongs, 10);
}

#[actix_web::test]
async fn a_stalled_session_is_ended_and_other_sessions_go_on() {
    let server = spawn_app(|settings| {
        narrow(settings);
        settings.session.stall_timeout_ms = 500;
    });
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["*"], &ALL_CHANNELS).await;
    let jammed = jam(&server).await;
    wait_until("sessions", 2, || server.sessions()).await;
    let ended = async {
        while server.sessions() > 1 {
            witness.next_message().await;
        }
    };
    patiently("the stalled session to be ended", ended).await;
    assert_eq!(server.metrics.closes(CloseReason::Stalled), 1);
    witness.events(1_000).await;
    assert_eq!((witness.view.missing, witness.view.lags), (0, 0));
    drop(jammed);
}

#[actix_web::test]
async fn many_jammed_clients_do_not_delay_the_others() {
    let (server, clock) = spawn_app_at_rest(narrow);
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["*"], &ALL_CHANNELS).await;
    let mut jammed = Vec::new();
    for _ in 0..20 {
        jammed.push(jam(&server).await);
    }
    flood(&server, &clock, &mut witness, STEPS).await;
    assert_eq!((witness.view.missing, witness.view.lags), (0, 0));
    assert_eq!(server.sessions(), 21);
    for client in &mut jammed {
        let mut view = View::default();
        read_up_to(client, &mut view, &witness).await;
        assert_eq!(view.missing, view.skipped);
    }
}
