//! Faults of the connection, from the client's side: each is what it says, is counted, and strikes nobody else.

use std::time::Duration;

use serde_json::json;
use tickcast::protocol::CloseReason;
use tokio::io::AsyncReadExt;

use crate::client::Client;
use crate::faulty_client::FaultyClient;
use crate::patience::wait_until;
use crate::raw::TEXT;
use crate::spawn::spawn_app;

/// Enough events after a fault to show that the server still works.
const EVENTS: usize = 200;

/// Reads events as another client, of which none may be missing.
async fn expect_undisturbed(witness: &mut Client) {
    witness.events(EVENTS).await;
    assert_eq!(witness.view.missing, 0);
}

#[actix_web::test]
async fn drop_resets_the_connection_after_exactly_so_many_messages() {
    let server = spawn_app(|_| {});
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["*"], &["trades", "quotes"]).await;
    server.add_fault(&json!({"kind": "drop", "client": "bot", "after_messages": 50})).await;
    let mut client = FaultyClient::subscribed(server.address, "bot").await;
    client.until("all messages", |client| client.messages.len() >= 50).await;
    let err = client.raw.stream.read(&mut [0; 16]).await.unwrap_err();
    assert_eq!(err.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!((client.messages.len(), client.close), (50, None));
    assert_eq!(server.metrics.faults("drop"), 1);
    wait_until("sessions", 1, || server.sessions()).await;
    expect_undisturbed(&mut witness).await;
}

#[actix_web::test]
async fn drop_resets_a_silent_connection_after_a_time() {
    let server = spawn_app(|_| {});
    let mut client = FaultyClient::open(server.address, "bot").await;
    client.until("welcome", |client| !client.messages.is_empty()).await;
    server.add_fault(&json!({"kind": "drop", "after_ms": 20, "times": 1})).await;
    let err = client.raw.stream.read(&mut [0; 16]).await.unwrap_err();
    assert_eq!(err.kind(), std::io::ErrorKind::ConnectionReset);
    // The rule has struck as often as it may.
    let mut next = FaultyClient::subscribed(server.address, "bot").await;
    next.until("events", |client| client.events().len() > EVENTS).await;
    assert_eq!(server.metrics.faults("drop"), 1);
}

#[actix_web::test]
async fn close_sends_its_code_and_reason_and_waits_for_the_answer_of_the_client() {
    let server = spawn_app(|_| {});
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["*"], &["trades", "quotes"]).await;
    let mut client = FaultyClient::subscribed(server.address, "bot").await;
    client.until("events", |client| client.events().len() > 10).await;
    server.add_fault(&json!({"kind": "close", "client": "bot", "code": 1013, "reason": "come again"})).await;
    client.until("the close frame", |client| client.close.is_some()).await;
    assert_eq!(client.close, Some((1013, "come again".into())));
    client.raw.send_frame(crate::raw::CLOSE, &1013_u16.to_be_bytes()).await;
    assert!(!client.read().await, "nothing follows the close frame");
    wait_until("sessions", 1, || server.sessions()).await;
    assert_eq!(server.metrics.closes(CloseReason::ClientClosed), 1);
    assert_eq!(server.metrics.faults("close"), 1);
    expect_undisturbed(&mut witness).await;
}

#[actix_web::test]
async fn close_ends_the_connection_of_a_client_that_does_not_answer() {
    let server = spawn_app(|settings| settings.session.close_timeout_ms = 50);
    server.add_fault(&json!({"kind": "close", "after_messages": 1})).await;
    let mut client = FaultyClient::open(server.address, "bot").await;
    client.read_rest().await;
    assert_eq!(client.close, Some((1011, String::new())));
    wait_until("sessions", 0, || server.sessions()).await;
}

#[actix_web::test]
async fn half_open_never_answers_again_and_stays_although_the_client_is_silent() {
    let server = spawn_app(|settings| {
        settings.session.heartbeat_ms = 20;
        settings.session.idle_timeout_ms = 60;
        settings.session.stall_timeout_ms = 60;
    });
    let mut client = FaultyClient::subscribed(server.address, "bot").await;
    client.until("events", |client| client.events().len() > 10).await;
    let rule = server.add_fault(&json!({"kind": "half_open", "client": "bot"})).await;
    wait_until("strikes", 1, || server.metrics.faults("half_open")).await;
    // Many times the timeouts of the server, by the clock of another session.
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["*"], &["trades", "quotes"]).await;
    for _ in 0..5 {
        client.ping(b"are you there").await;
        client.raw.send_frame(TEXT, br#"{"action":"ping"}"#).await;
        client.raw.send_frame(crate::raw::CLOSE, &1000_u16.to_be_bytes()).await;
        expect_undisturbed(&mut witness).await;
    }
    // Not even the removal of the rule brings the connection back to life.
    server.remove_fault(rule).await;
    expect_undisturbed(&mut witness).await;
    assert_eq!(server.sessions(), 2);
    assert_eq!(server.metrics.closes(CloseReason::Idle) + server.metrics.closes(CloseReason::Stalled), 0);
    client.raw.finish_sending().await;
    client.read_rest().await;
    assert_eq!((client.pongs.len(), client.close), (0, None));
    wait_until("sessions", 1, || server.sessions()).await;
}

#[actix_web::test]
async fn stall_reads_nothing_while_data_goes_on_and_reads_it_all_afterwards() {
    let server = spawn_app(|settings| {
        settings.session.heartbeat_ms = 20;
        settings.session.idle_timeout_ms = 60;
    });
    let mut client = FaultyClient::subscribed(server.address, "bot").await;
    client.until("events", |client| client.events().len() > 10).await;
    let rule = server.add_fault(&json!({"kind": "stall", "client": "bot"})).await;
    wait_until("strikes", 1, || server.metrics.faults("stall")).await;
    let requests = server.metrics.requests.get();
    client.raw.send_frame(TEXT, br#"{"action":"ping","id":"first"}"#).await;
    client.raw.send_frame(TEXT, br#"{"action":"ping","id":"second"}"#).await;
    let before = client.events().len();
    client.until("more events", |client| client.events().len() > before + 50).await;
    assert_eq!(server.metrics.requests.get(), requests);
    server.remove_fault(rule).await;
    client.until("the answer", |client| client.messages.iter().any(|message| message["id"] == "second")).await;
    assert_eq!(server.metrics.closes(CloseReason::Idle), 0, "the server has not judged a client that it did not read");
}

#[actix_web::test]
async fn stall_ends_after_its_time() {
    let server = spawn_app(|_| {});
    server.add_fault(&json!({"kind": "stall", "client": "bot", "after_messages": 1, "for_ms": 100})).await;
    let mut client = FaultyClient::open(server.address, "bot").await;
    client.until("welcome", |client| !client.messages.is_empty()).await;
    wait_until("strikes", 1, || server.metrics.faults("stall")).await;
    client.ping(b"").await;
    client.until("a pong", |client| !client.pongs.is_empty()).await;
}

#[actix_web::test]
async fn mute_sends_no_data_for_a_while_but_answers_pings() {
    let server = spawn_app(|_| {});
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["*"], &["trades", "quotes"]).await;
    let mut client = FaultyClient::subscribed(server.address, "bot").await;
    client.until("events", |client| client.events().len() > 10).await;
    let rule = server.add_fault(&json!({"kind": "mute", "client": "bot"})).await;
    wait_until("strikes", 1, || server.metrics.faults("mute")).await;
    client.ping(b"1").await;
    client.until("a pong", |client| client.pongs.len() == 1).await;
    let before = client.messages.len();
    expect_undisturbed(&mut witness).await;
    client.ping(b"2").await;
    client.until("a pong", |client| client.pongs.len() == 2).await;
    assert_eq!(client.messages.len(), before, "nothing but the pong");
    server.remove_fault(rule).await;
    client.until("events again", |client| client.messages.len() > before + 10).await;
    let events = client.events();
    let holes =
        events.windows(2).filter(|pair| pair[1]["offset"].as_u64() > pair[0]["offset"].as_u64().map(|at| at + 1));
    assert!(holes.count() >= 1, "the events meanwhile are lost");
    assert_eq!(server.metrics.faults("mute"), 1);
}

#[actix_web::test]
async fn mute_comes_again_and_again() {
    let server = spawn_app(|_| {});
    server.add_fault(&json!({"kind": "mute", "for_ms": 20, "every_ms": 60, "times": 3})).await;
    let mut client = FaultyClient::subscribed(server.address, "bot").await;
    client
        .until("events after the last time", |client| server.metrics.faults("mute") == 3 && client.events().len() > 100)
        .await;
    let before = client.events().len();
    client.until("events", |client| client.events().len() > before + EVENTS).await;
    assert_eq!(server.metrics.faults("mute"), 3);
}

#[actix_web::test]
async fn a_session_is_chosen_by_its_random_name() {
    let server = spawn_app(|_| {});
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = FaultyClient::open(server.address, "bot").await;
        client.until("welcome", |client| !client.messages.is_empty()).await;
        clients.push(client);
    }
    let name = clients[1].messages[0]["session"].clone();
    server.add_fault(&json!({"kind": "close", "session": name, "dialect": "native", "transport": "websocket"})).await;
    clients[1].until("the close frame", |client| client.close.is_some()).await;
    for at in [0, 2] {
        clients[at].ping(b"").await;
        clients[at].until("a pong", |client| client.pongs.len() == 1).await;
        assert_eq!(clients[at].close, None);
    }
    assert_eq!(server.metrics.faults("close"), 1);
}

/// Returns which of so many clients, one after another, are struck.
async fn struck(seed: u64, clients: usize) -> Vec<bool> {
    let rule = json!({"kind": "close", "share": 0.5, "seed": seed, "after_messages": 1});
    let server = spawn_app(|settings| settings.faults = vec![serde_json::from_value(rule).unwrap()]);
    let mut struck = Vec::new();
    for _ in 0..clients {
        let mut client = FaultyClient::open(server.address, "bot").await;
        client.ping(b"").await;
        client.until("one or the other", |client| client.close.is_some() || !client.pongs.is_empty()).await;
        struck.push(client.close.is_some());
    }
    let count = struck.iter().filter(|struck| **struck).count();
    assert_eq!(server.metrics.faults("close"), u64::try_from(count).unwrap());
    struck
}

#[actix_web::test]
async fn the_same_seed_strikes_the_same_connections_of_those_that_come() {
    let first = struck(1, 20).await;
    assert_eq!(first, struck(1, 20).await);
    assert_ne!(first, struck(2, 20).await);
    assert!(first.contains(&true) && first.contains(&false), "{first:?}");
}

#[actix_web::test]
async fn the_server_shuts_down_although_sessions_have_faults() {
    let mut server = spawn_app(|_| {});
    for rule in [
        json!({"kind": "half_open", "client": "one"}),
        json!({"kind": "delay", "ms": 60_000, "client": "two"}),
        json!({"kind": "stall", "client": "three"}),
    ] {
        server.add_fault(&rule).await;
    }
    let mut clients = Vec::new();
    for name in ["one", "two", "three"] {
        clients.push(FaultyClient::subscribed(server.address, name).await);
    }
    wait_until("strikes", 3, || ["half_open", "delay", "stall"].map(|kind| server.metrics.faults(kind)).iter().sum())
        .await;
    server.shut_down();
    // The end of the test waits for that of the server, which is bounded by `server.shutdown_grace_ms`.
    for client in &mut clients {
        let _ = tokio::time::timeout(Duration::from_secs(20), client.read_rest()).await;
    }
}
