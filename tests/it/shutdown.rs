//! Shutdown: every client gets `goodbye`, every connection ends, and the process exits with 0.

use std::time::Instant;

use serde_json::{Value, json};
use tickcast::protocol::CloseReason;

use crate::client::{ALL_CHANNELS, Client};
use crate::command::{Process, spawn_binary};
use crate::http::get;
use crate::patience::{patiently, wait_until};
use crate::raw::{RawClient, TEXT, handshake};
use crate::spawn::spawn_app;

/// Expects `goodbye` and the close frame of a server that shuts down.
async fn hears_the_end(client: &mut Client) {
    let (messages, close) = client.read_to_end().await;
    assert_eq!(close, Some((1001, "server shutting down".into())));
    let goodbye = messages.last().expect("a last message");
    assert_eq!((&goodbye["type"], &goodbye["reason"]), (&json!("goodbye"), &json!("shutdown")));
    assert!((1..=60_000).contains(&goodbye["retry_after_ms"].as_u64().unwrap()), "{goodbye}");
}

/// Begins polls that wait until the shutdown; returns once they wait.
async fn waiting_polls(process: &Process, count: usize) -> Vec<tokio::task::JoinHandle<Value>> {
    let address = process.address;
    let polls = (0..count).map(|_| {
        actix_web::rt::spawn(async move {
            let snapshot = get(address, "/api/v1/poll?symbols=AAPL&channels=bars.1d").await.json();
            let after = snapshot["cursor"].as_str().unwrap();
            get(address, &format!("/api/v1/poll?symbols=AAPL&channels=bars.1d&wait_ms=60000&after={after}"))
                .await
                .json()
        })
    });
    let polls = polls.collect();
    let expected = format!("tickcast_polls_waiting {count}\n");
    let waiting = async { while !get(address, "/metrics").await.text().contains(&expected) {} };
    patiently("polls to wait", waiting).await;
    polls
}

async fn ends_in_order_on(signal: &str) {
    let process = spawn_binary(&[], &[("TICKCAST__SERVER__WORKERS", "2")]).await;
    let mut clients = Vec::new();
    for symbols in [vec!["*"], vec!["AAPL"], vec!["*"]] {
        let mut client = Client::connect(process.address).await;
        client.subscribe(&symbols, &ALL_CHANNELS).await;
        client.events(5).await;
        clients.push(client);
    }
    clients.push(Client::connect(process.address).await);
    let polls = waiting_polls(&process, 4).await;
    process.signal(signal).await;
    for client in &mut clients {
        hears_the_end(client).await;
    }
    for poll in polls {
        let answer = poll.await.unwrap();
        assert_eq!((&answer["recovered"], &answer["messages"]), (&json!(true), &json!([])), "answered, not cut off");
    }
    let ended = process.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(!ended.stderr.contains("grace is over"), "{}", ended.stderr);
}

#[actix_web::test]
async fn on_sigterm_every_client_gets_goodbye_and_the_process_exits_with_0() {
    ends_in_order_on("TERM").await;
}

#[actix_web::test]
async fn on_sigint_every_client_gets_goodbye_and_the_process_exits_with_0() {
    ends_in_order_on("INT").await;
}

#[actix_web::test]
async fn a_jammed_client_and_a_silent_one_do_not_delay_the_exit() {
    let variables = [
        ("TICKCAST__FEED__EVENTS_PER_SECOND", "20000"),
        ("TICKCAST__PUSH__OUTBOX_EVENTS_MAX", "65536"),
        ("TICKCAST__SERVER__SHUTDOWN_GRACE_MS", "3000"),
    ];
    let process = spawn_binary(&[], &variables).await;
    let mut jammed = RawClient::open_narrow(process.address).await;
    let request = json!({"action": "subscribe", "symbols": ["*"], "channels": ["trades", "quotes"]}).to_string();
    jammed.send_frame(TEXT, request.as_bytes()).await;
    let mut mute = RawClient::open(process.address).await;
    let mut client = Client::connect(process.address).await;
    client.subscribe(&["*"], &["trades", "quotes"]).await;
    client.events(20_000).await;
    process.signal("TERM").await;
    hears_the_end(&mut client).await;
    assert_eq!(mute.close_frame().await, Some((1001, "server shutting down".into())));
    let ended = process.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    drop(jammed);
}

#[actix_web::test]
async fn a_second_signal_ends_the_process_at_once() {
    let variables = [
        ("TICKCAST__SERVER__SHUTDOWN_GRACE_MS", "600000"),
        ("TICKCAST__SERVER__DRAIN_MS", "300000"),
        ("TICKCAST__SERVER__WORKERS", "1"),
    ];
    for (first, second, code) in [("INT", "INT", 130), ("TERM", "TERM", 143), ("INT", "TERM", 143)] {
        let mut process = spawn_binary(&[], &variables).await;
        let mut clients = [Client::connect(process.address).await, Client::connect(process.address).await];
        process.signal(first).await;
        while !process.next_line().await.contains("shutting down") {}
        // One session is ended at once, the other one would be ended after two and a half minutes.
        assert_eq!(clients[0].read_to_end().await.1.map(|(code, _)| code), Some(1001));
        process.signal(second).await;
        assert_eq!(process.ended().await.status.code(), Some(code), "{first} {second}");
    }
}

#[actix_web::test]
async fn a_server_without_clients_ends_at_once() {
    let process = spawn_binary(&[], &[("TICKCAST__SERVER__SHUTDOWN_GRACE_MS", "600000")]).await;
    get(process.address, "/").await;
    process.signal("TERM").await;
    assert_eq!(process.ended().await.status.code(), Some(0));
}

#[actix_web::test]
async fn sessions_ended_by_the_shutdown_are_counted_as_such() {
    let mut server = spawn_app(|_| {});
    let mut clients = [Client::connect(server.address).await, Client::connect(server.address).await];
    server.shut_down();
    for client in &mut clients {
        hears_the_end(client).await;
    }
    assert_eq!(server.metrics.closes(CloseReason::Shutdown), 2);
    wait_until("sessions", 0, || server.sessions()).await;
}

#[actix_web::test]
async fn sessions_are_closed_one_after_another_while_new_clients_are_refused() {
    let mut server = spawn_app(|settings| {
        settings.server.drain_ms = 5_000;
        settings.server.shutdown_grace_ms = 30_000;
    });
    let mut clients = Vec::new();
    for _ in 0..12 {
        clients.push(Client::connect(server.address).await);
    }
    assert_eq!(get(server.address, "/readyz").await.status, 200);
    server.shut_down();
    wait_until("the first ones have gone", true, || server.sessions() < 12).await;
    assert!(server.sessions() > 0, "not all at once");
    let ready = get(server.address, "/readyz").await;
    let retry_after_s: u64 = ready.header("retry-after").parse().unwrap();
    // The rest of the drain, and a second more.
    assert_eq!((ready.status, (1..=6).contains(&retry_after_s)), (503, true), "{retry_after_s}");
    let mut retries = std::collections::BTreeSet::new();
    for mut client in clients {
        let (messages, close) = client.read_to_end().await;
        assert_eq!(close, Some((1001, "server shutting down".into())));
        retries.insert(messages.last().unwrap()["retry_after_ms"].as_u64().unwrap());
    }
    assert!(retries.len() > 1, "retry delays differ: {retries:?}");
    assert_eq!(server.metrics.closes(CloseReason::Shutdown), 12);
}

#[actix_web::test]
async fn sessions_refused_because_of_the_shutdown_are_counted_as_such() {
    let mut server = spawn_app(|settings| {
        // One session of a worker is ended at once, the next one after half of the drain.
        settings.server.workers = 1;
        settings.server.drain_ms = 60_000;
        settings.server.shutdown_grace_ms = 120_000;
    });
    let clients = [RawClient::open(server.address).await, RawClient::open(server.address).await];
    server.shut_down();
    let draining = async { while get(server.address, "/readyz").await.status == 200 {} };
    patiently("the server to go down", draining).await;
    let counted = || (server.metrics.connections_refused_draining.get(), server.metrics.connections_refused.get());
    assert_eq!(counted(), (0, 0), "no session was requested");
    assert_eq!(RawClient::connect(server.address).await.request(&handshake(&[])).await.status, 503);
    for (path, status) in [("/api/v1/stream?symbols=AAPL", 200), ("/api/v1/poll?symbols=AAPL", 503)] {
        assert_eq!(get(server.address, path).await.status, status, "{path}");
    }
    assert_eq!(counted(), (3, 0));
    drop(clients);
}

#[actix_web::test]
async fn retry_delays_end_after_the_drain() {
    const DRAIN_MS: u64 = 60_000;
    let mut server = spawn_app(|settings| {
        // One session is ended at once, the next one after half of the drain.
        settings.server.workers = 1;
        settings.server.drain_ms = DRAIN_MS;
        settings.server.shutdown_grace_ms = 2 * DRAIN_MS;
    });
    let mut clients = [Client::connect(server.address).await, Client::connect(server.address).await];
    let began = Instant::now();
    // The time until the answer plus its delay is more than the drain.
    let lies_behind = |what: &str, retry_after_ms: u64| {
        let since = began.elapsed().as_secs() + 1;
        assert!(since * 1_000 + retry_after_ms >= DRAIN_MS, "{what}: {retry_after_ms} ms, {since} s after the signal");
    };
    server.shut_down();
    let (messages, close) = clients[0].read_to_end().await;
    assert_eq!(close, Some((1001, "server shutting down".into())));
    lies_behind("goodbye", messages.last().unwrap()["retry_after_ms"].as_u64().unwrap());
    let refused = RawClient::connect(server.address).await.request(&handshake(&[])).await;
    let seconds = refused.head.split("\r\nretry-after: ").nth(1).unwrap().split("\r\n").next().unwrap();
    lies_behind("handshake", seconds.parse::<u64>().unwrap() * 1_000);
    for path in ["/api/v1/poll?symbols=AAPL", "/readyz"] {
        lies_behind(path, get(server.address, path).await.header("retry-after").parse::<u64>().unwrap() * 1_000);
    }
    let stream = get(server.address, "/api/v1/stream?symbols=AAPL").await;
    let retry_ms = stream.text().lines().find_map(|line| line.strip_prefix("retry: ")).unwrap();
    lies_behind("stream", retry_ms.parse().unwrap());
    drop(clients);
}
