//! Many clients that disconnect at once: the ends of their connections pass the turnstile of the worker one after the other,
//! so that they do not block its other sessions.

use tokio::io::{AsyncRead, AsyncWrite};

use crate::command::{Process, spawn_binary};
use crate::http::get;
use crate::patience::patiently;
use crate::raw::{RawClient, TEXT};
use crate::secure::Pair;

const CLIENTS: u64 = 50;

/// Returns a figure of `/metrics`.
async fn figure(server: &Process, name: &str) -> u64 {
    let text = get(server.address, "/metrics").await.text().to_owned();
    let value = text.lines().find_map(|line| line.strip_prefix(&format!("tickcast_{name} ")).map(str::to_owned));
    value.expect("the metric exists").parse().unwrap()
}

/// Opens a session and reads its welcome: the connection is no longer HTTP.
async fn open_session<S: AsyncRead + AsyncWrite + Unpin>(mut client: RawClient<S>) -> RawClient<S> {
    client.upgrade().await;
    assert!(String::from_utf8(client.next_of(TEXT).await).unwrap().contains(r#""type":"welcome""#));
    client
}

/// Disconnects all clients while the process is stopped, so that it finds all ends at once. Checks that all
/// but the first waited.
async fn check_ends<T>(server: &Process, clients: Vec<T>, what: &str) {
    assert_eq!(figure(server, "sessions").await, CLIENTS, "{what}");
    let before = figure(server, "connections_delayed_total").await;
    server.signal("STOP").await;
    drop(clients);
    server.signal("CONT").await;
    patiently("the sessions to end", async { while figure(server, "sessions").await > 0 {} }).await;
    let delayed = figure(server, "connections_delayed_total").await - before;
    // Requests for the metrics have connections too, which may wait.
    assert!(delayed >= CLIENTS - 1, "{what}: {delayed} of {CLIENTS} waited");
}

#[actix_web::test]
async fn the_ends_of_sessions_pass_the_turnstile() {
    let pair = Pair::new("storm");
    let variables = pair.variables();
    let mut variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    variables.extend([("TICKCAST__SERVER__WORKERS", "1"), ("TICKCAST__SERVER__TURN_CONNECTIONS_MAX", "1")]);
    let server = spawn_binary(&[], &variables).await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(open_session(RawClient::connect(server.address).await).await);
    }
    check_ends(&server, clients, "WebSocket").await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(open_session(RawClient::connect_secure(server.tls_address.unwrap(), &pair).await).await);
    }
    check_ends(&server, clients, "WebSocket over TLS").await;
}
