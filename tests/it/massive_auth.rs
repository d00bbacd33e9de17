//! The stock stream of Massive: keys, their limits, the time to authenticate, and what comes before the end of a connection.

use serde_json::{Value, json};
use tickcast::access::{AnyKey, AtExcess, KeyConfig, Vendor};
use tickcast::app::Settings;
use tickcast::protocol::{CloseReason, Refusal};
use tokio_tungstenite::tungstenite::Message;

use crate::json_client::{Closed, JsonClient, acknowledged, authenticated, massive, status};
use crate::patience::wait_until;
use crate::slow_client::narrow;
use crate::spawn::{spawn_app, spawn_app_at_rest};

/// One key with these limits, and no other.
fn one_key(settings: &mut Settings, change: impl FnOnce(&mut KeyConfig)) {
    settings.keys.any = AnyKey::Never;
    let mut key = KeyConfig { id: "tickcast".into(), secret: "tickcast".into(), ..KeyConfig::default() };
    change(&mut key);
    settings.keys.pairs = vec![key];
}

fn connected() -> Vec<Value> {
    status("connected", "Connected Successfully")
}

fn max_connections() -> Value {
    Value::Array(status("max_connections", "Maximum number of connections exceeded."))
}

#[actix_web::test]
async fn a_client_is_welcomed_at_once_and_must_authenticate_before_it_subscribes() {
    let (server, _clock) = spawn_app_at_rest(|settings| one_key(settings, |_| {}));
    let mut client = JsonClient::open(server.address, "/stocks").await;
    assert_eq!(client.array().await, connected(), "unprompted");
    for action in ["subscribe", "unsubscribe"] {
        let required = status("auth_required", "authentication required");
        assert_eq!(client.ask(action, "T.AAPL").await, required, "and the session lives");
    }
    for _ in 0..2 {
        assert_eq!(client.ask("auth", "tickcast").await, status("auth_success", "authenticated"), "also a second time");
    }
    assert_eq!(client.ask("subscribe", "T.AAPL").await, acknowledged("subscribed to", &["T.AAPL"]));
    assert_eq!(client.ask("auth", "wrong").await, status("auth_success", "authenticated"), "only the first one counts");
    assert_eq!(server.metrics.refusals(Refusal::NotAuthenticated), 2);
}

#[actix_web::test]
async fn a_client_that_does_not_wait_is_answered_in_order() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let mut client = JsonClient::open(server.address, "/stocks").await;
    client.send(&json!({"action": "auth", "params": "any"})).await;
    client.send_message(Message::Binary(json!({"action": "subscribe", "params": "T.AAPL"}).to_string().into())).await;
    let frames = [client.array().await, client.array().await, client.array().await];
    let expected = [connected(), status("auth_success", "authenticated"), acknowledged("subscribed to", &["T.AAPL"])];
    assert_eq!(frames, expected, "also in a binary message");
}

#[actix_web::test]
async fn a_wrong_key_is_refused_and_the_connection_ends_without_a_close_frame() {
    let (server, _clock) = spawn_app_at_rest(|settings| one_key(settings, |_| {}));
    for (number, key) in (1..).zip(["wrong", "", "TICKCAST"]) {
        let mut client = JsonClient::open(server.address, "/stocks").await;
        assert_eq!(client.array().await, connected());
        assert_eq!(client.ask("auth", key).await, status("auth_failed", "authentication failed"));
        assert_eq!(client.next().await, Err(Closed(None)));
        assert_eq!(server.metrics.closes(CloseReason::AuthFailed), number);
    }
    wait_until("sessions", 0, || server.sessions()).await;
    assert_eq!(server.metrics.refusals(Refusal::AuthFailed), 3);
}

#[actix_web::test]
async fn a_key_of_another_vendor_has_no_access() {
    let only = |key: &mut KeyConfig| key.dialects = vec![Vendor::Alpaca, Vendor::Finnhub];
    let (server, _clock) = spawn_app_at_rest(|settings| one_key(settings, only));
    let mut client = JsonClient::open(server.address, "/stocks").await;
    client.array().await;
    let failed = status("auth_failed", "Your plan doesn't include websocket access.");
    assert_eq!(client.ask("auth", "tickcast").await, failed);
    assert_eq!(client.next().await, Err(Closed(None)));
}

#[actix_web::test]
async fn a_client_that_does_not_authenticate_in_time_is_told_and_closed() {
    let (server, _clock) = spawn_app_at_rest(|settings| settings.session.auth_timeout_ms = 300);
    let mut late = JsonClient::open(server.address, "/stocks").await;
    late.send(&json!({"action": "subscribe", "params": "T.AAPL"})).await;
    let (last, closed) = late.read_to_end().await;
    let expected = Value::Array(status("auth_timeout", "authentication timed out"));
    assert_eq!((last, closed), (Some(expected), Closed(Some(4408))));
    let mut client = massive(server.address).await;
    JsonClient::open(server.address, "/stocks").await.read_to_end().await;
    assert_eq!(client.ask("subscribe", "T.KO").await, acknowledged("subscribed to", &["T.KO"]), "no deadline any more");
}

#[actix_web::test]
async fn a_second_connection_of_a_key_ends_the_oldest_which_is_told_why() {
    let (server, _clock) = spawn_app_at_rest(|settings| one_key(settings, |key| key.connections_max = 1));
    let mut first = massive(server.address).await;
    for number in 1..4 {
        let second = massive(server.address).await;
        let (last, closed) = first.read_to_end().await;
        assert_eq!((last, closed), (Some(max_connections()), Closed(Some(4501))));
        wait_until("sessions", 1, || server.sessions()).await;
        assert_eq!(server.metrics.closes(CloseReason::Replaced), number);
        first = second;
    }
    assert_eq!(first.ask("subscribe", "T.KO").await, acknowledged("subscribed to", &["T.KO"]), "the newest one lives");
}

#[actix_web::test]
async fn the_newest_connection_is_refused_instead_if_the_configuration_says_so() {
    let (server, _clock) = spawn_app_at_rest(|settings| {
        one_key(settings, |key| key.connections_max = 1);
        settings.keys.at_excess = AtExcess::Refuse;
    });
    let mut first = massive(server.address).await;
    let mut second = JsonClient::open(server.address, "/stocks").await;
    second.send(&json!({"action": "auth", "params": "tickcast"})).await;
    assert_eq!(second.read_to_end().await, (Some(max_connections()), Closed(Some(4502))));
    assert_eq!(first.ask("subscribe", "T.KO").await, acknowledged("subscribed to", &["T.KO"]));
    drop(first);
    wait_until("sessions", 0, || server.sessions()).await;
    massive(server.address).await;
}

#[actix_web::test]
async fn a_request_over_the_symbol_limit_is_refused_whole() {
    let (server, _clock) = spawn_app_at_rest(|settings| one_key(settings, |key| key.symbols_max = 2));
    let mut client = massive(server.address).await;
    let too_many = status("error", "too many tickers");
    assert_eq!(client.ask("subscribe", "T.KO,Q.AAPL,AM.MSFT").await, too_many);
    assert_eq!(client.ask("subscribe", "T.KO,Q.KO,T.*").await, acknowledged("subscribed to", &["T.KO", "Q.KO", "T.*"]));
    assert_eq!(client.ask("subscribe", "T.AAPL").await, too_many);
    assert_eq!(client.ask("subscribe", "T.NOBODY").await, too_many, "it would be acknowledged");
    client.ask("unsubscribe", "T.*").await;
    assert_eq!(client.ask("subscribe", "T.AAPL").await, acknowledged("subscribed to", &["T.AAPL"]));
    let many: Vec<_> = (0..10_000).map(|number| format!("T.S{number}")).collect();
    assert_eq!(client.ask("subscribe", &many.join(",")).await, too_many);
    assert_eq!(
        client.ask("unsubscribe", "Q.KO").await,
        acknowledged("unsubscribed to", &["Q.KO"]),
        "the session lives"
    );
}

#[actix_web::test]
async fn a_server_that_shuts_down_says_so_before_the_close() {
    let mut server = spawn_app(|_| {});
    let mut client = massive(server.address).await;
    client.ask("subscribe", "AM.*").await;
    server.shut_down();
    let (last, closed) = client.read_to_end().await;
    let expected = Value::Array(status("force_disconnect", "The server is shutting down."));
    assert_eq!((last, closed), (Some(expected), Closed(Some(1012))));
}

#[actix_web::test]
async fn a_slow_client_is_told_and_closed_and_others_get_everything() {
    let (server, clock) = spawn_app_at_rest(|settings| {
        narrow(settings);
        // The end of the connection waits for the slow reader.
        settings.session.close_timeout_ms = 60_000;
    });
    let mut witness = massive(server.address).await;
    witness.ask("subscribe", "T.*,Q.*").await;
    let mut slow = authenticated(JsonClient::open_narrow(server.address, "/stocks").await).await;
    slow.ask("subscribe", "T.*,Q.*").await;
    let mut witnessed = 0;
    while server.metrics.closes(CloseReason::Lagging) == 0 {
        clock.advance_micros(3_000);
        witnessed += witness.array().await.len();
    }
    assert!(witnessed > 300);
    let (last, closed) = slow.read_to_end().await;
    let expected = Value::Array(status("slow_consumer", "The client reads too slowly."));
    assert_eq!((last, closed), (Some(expected), Closed(Some(4004))));
}
