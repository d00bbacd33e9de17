//! The stock stream of Alpaca: keys, their limits, and the time to authenticate.

use std::cell::Cell;

use futures_util::future::join;
use serde_json::json;
use tickcast::access::{KeyConfig, Vendor};
use tickcast::app::Settings;
use tickcast::protocol::{CloseReason, Refusal};

use crate::alpaca_client::{AlpacaClient, CODECS, Ended, MESSAGE_PACK, acknowledgement, auth, error, success};
use crate::patience::wait_until;
use crate::spawn::{spawn_app, spawn_app_at_rest};

/// One key with these limits, and no other.
fn one_key(settings: &mut Settings, change: impl FnOnce(&mut KeyConfig)) {
    settings.keys.any = tickcast::access::AnyKey::Never;
    let mut key = KeyConfig { id: "ID".into(), secret: "SECRET".into(), ..KeyConfig::default() };
    change(&mut key);
    settings.keys.pairs = vec![key];
}

#[actix_web::test]
async fn a_client_is_welcomed_at_once_and_authenticates_by_message() {
    let (server, _clock) = spawn_app_at_rest(|settings| one_key(settings, |_| {}));
    for headers in CODECS {
        let mut client = AlpacaClient::open(server.address, "/v2/iex", headers).await;
        assert_eq!(client.next_frame().await, success("connected"), "unprompted");
        let subscribe = json!({"action": "subscribe", "trades": ["AAPL"]});
        assert_eq!(client.ask(&subscribe).await, error(401));
        assert_eq!(client.ask(&json!({"action": "unsubscribe", "trades": ["AAPL"]})).await, error(401));
        for (key, secret) in [("ID", "wrong"), ("wrong", "SECRET"), ("", ""), ("oauth", "wrong"), ("SECRET", "ID")] {
            assert_eq!(client.ask(&auth(key, secret)).await, error(402), "{key}: and the session lives");
        }
        assert_eq!(client.ask(&auth("ID", "SECRET")).await, success("authenticated"));
        for secret in ["SECRET", "wrong"] {
            assert_eq!(client.ask(&auth("ID", secret)).await, error(403));
        }
        assert_eq!(client.ask(&subscribe).await, acknowledgement(&[("trades", &["AAPL"])]), "the session lives");
    }
    assert_eq!(server.metrics.refusals(Refusal::AuthFailed), 10);
}

#[actix_web::test]
async fn a_client_may_authenticate_in_the_handshake_or_with_a_token() {
    let (server, _clock) = spawn_app_at_rest(|settings| one_key(settings, |_| {}));
    let good: [&[(&str, &str)]; 4] = [
        &[("APCA-API-KEY-ID", "ID"), ("APCA-API-SECRET-KEY", "SECRET")],
        &[("Authorization", "Basic SUQ6U0VDUkVU")],
        &[("Authorization", "Bearer SECRET")],
        &[("APCA-API-KEY-ID", "ID"), ("APCA-API-SECRET-KEY", "SECRET"), MESSAGE_PACK],
    ];
    for headers in good {
        let mut client = AlpacaClient::open(server.address, "/v2/sip", headers).await;
        assert_eq!(client.next_frame().await, success("connected"));
        assert_eq!(client.next_frame().await, success("authenticated"), "in a frame of its own");
        // alpaca-py authenticates again, whatever the headers.
        assert_eq!(client.ask(&auth("ID", "SECRET")).await, error(403));
        let subscribe = json!({"action": "subscribe", "quotes": ["*"]});
        assert_eq!(client.ask(&subscribe).await, acknowledgement(&[("quotes", &["*"])]));
    }
    let bad: [&[(&str, &str)]; 3] =
        [&[("APCA-API-KEY-ID", "ID")], &[("Authorization", "Basic ?")], &[("Authorization", "Bearer ID")]];
    for headers in bad {
        let mut client = AlpacaClient::open(server.address, "/v2/iex", headers).await;
        assert_eq!([client.next_frame().await, client.next_frame().await], [success("connected"), error(402)]);
        assert_eq!(client.ask(&auth("ID", "SECRET")).await, success("authenticated"), "by message instead");
    }
    for name in ["oauth", "access_token"] {
        let mut client = AlpacaClient::open(server.address, "/v2/iex", &[]).await;
        client.next_frame().await;
        assert_eq!(client.ask(&auth(name, "SECRET")).await, success("authenticated"));
    }
}

#[actix_web::test]
async fn a_client_that_does_not_authenticate_in_time_is_told_and_closed() {
    let (server, _clock) = spawn_app_at_rest(|settings| settings.session.auth_timeout_ms = 300);
    server.add_fault(&json!({"kind": "auth_error", "code": 406, "key": "held"})).await;
    for (number, headers) in (1..).zip(CODECS) {
        let mut held = AlpacaClient::open(server.address, "/v2/iex", headers).await;
        held.next_frame().await;
        let mut late = AlpacaClient::open(server.address, "/v2/iex", headers).await;
        // A wrong key does not prolong the time.
        late.next_frame().await;
        late.send(&json!({"action": "auth", "key": "", "secret": ""})).await;
        let is_over = Cell::new(false);
        let end = async {
            let (last, ended) = late.read_to_end().await;
            is_over.set(true);
            assert_eq!((last.unwrap(), ended), (error(404)[0].clone(), Ended(Some(4408))));
        };
        // A right one does whose place is taken: an older connection that tries on outlives this one.
        let tries = async {
            while !is_over.get() {
                assert_eq!(held.ask(&auth("held", "S")).await, error(406));
            }
            assert_eq!(held.ask(&auth("held", "S")).await, error(406));
        };
        join(end, tries).await;
        assert_eq!(server.metrics.closes(CloseReason::AuthTimeout), number);
        drop(held);
        wait_until("sessions", 0, || server.sessions()).await;
    }
    let mut client = AlpacaClient::connect(server.address, "/v2/iex", &[]).await;
    let mut late = AlpacaClient::open(server.address, "/v2/iex", &[]).await;
    late.read_to_end().await;
    assert_eq!(client.ask(&json!({"action": "subscribe"})).await, acknowledgement(&[]), "no deadline any more");
}

#[actix_web::test]
async fn a_key_that_is_not_listed_has_a_limit_of_connections_and_no_listed_id() {
    let (server, _clock) = spawn_app_at_rest(|settings| settings.keys.any_connections_max = 1);
    let client = || AlpacaClient::open(server.address, "/v2/iex", &[]);
    let mut clients = Vec::new();
    for (key, secret, expected) in [
        ("any", "one", success("authenticated")),
        ("any", "two", error(406)),
        ("other", "one", success("authenticated")),
        ("tickcast", "wrong", error(402)),
        ("tickcast", "tickcast", success("authenticated")),
        ("tickcast", "tickcast", success("authenticated")),
    ] {
        let mut client = client().await;
        client.next_frame().await;
        assert_eq!(client.ask(&auth(key, secret)).await, expected, "{key} {secret}");
        clients.push(client);
    }
    assert_eq!(server.metrics.refusals(Refusal::ConnectionLimit), 1);
}

#[actix_web::test]
async fn the_newest_connection_over_the_limit_is_refused_and_may_try_again() {
    let (server, _clock) = spawn_app_at_rest(|settings| one_key(settings, |key| key.connections_max = 1));
    for headers in CODECS {
        let mut first = AlpacaClient::open(server.address, "/v2/iex", headers).await;
        first.next_frame().await;
        assert_eq!(first.ask(&auth("ID", "SECRET")).await, success("authenticated"));
        let mut second = AlpacaClient::open(server.address, "/v2/iex", headers).await;
        second.next_frame().await;
        for _ in 0..2 {
            assert_eq!(second.ask(&auth("ID", "SECRET")).await, error(406), "and the connection stays open");
        }
        let mut other = AlpacaClient::open(server.address, "/v2/sip", headers).await;
        other.next_frame().await;
        assert_eq!(other.ask(&auth("ID", "SECRET")).await, success("authenticated"), "another endpoint");
        assert_eq!(
            first.ask(&json!({"action": "subscribe"})).await,
            acknowledgement(&[]),
            "the first one is left alone"
        );
        let sessions = server.sessions();
        drop((first, other));
        wait_until("sessions", sessions - 2, || server.sessions()).await;
        assert_eq!(second.ask(&auth("ID", "SECRET")).await, success("authenticated"));
        drop(second);
        wait_until("sessions", 0, || server.sessions()).await;
    }
}

#[actix_web::test]
async fn a_key_of_another_vendor_has_no_subscription() {
    let (server, _clock) =
        spawn_app_at_rest(|settings| one_key(settings, |key| key.dialects = vec![Vendor::Massive, Vendor::Finnhub]));
    let mut client = AlpacaClient::open(server.address, "/v2/iex", &[]).await;
    client.next_frame().await;
    assert_eq!(client.ask(&auth("ID", "SECRET")).await, error(409));
}

#[actix_web::test]
async fn a_request_over_the_symbol_limit_is_refused_whole() {
    let server = spawn_app(|settings| {
        one_key(settings, |key| key.symbols_max = 3);
        settings.session.symbols_max = 5;
    });
    for headers in CODECS {
        let mut client = AlpacaClient::open(server.address, "/v2/iex", headers).await;
        client.next_frame().await;
        client.ask(&auth("ID", "SECRET")).await;
        let subscribe = |channel: &str, names: &[&str]| json!({"action": "subscribe", channel: names});
        let held: &[(&str, &[&str])] = &[("trades", &["AAPL", "MSFT"])];
        assert_eq!(client.ask(&subscribe("trades", &["AAPL", "MSFT"])).await, acknowledgement(held));
        assert_eq!(client.ask(&subscribe("quotes", &["KO", "PG"])).await, error(405));
        assert_eq!(client.ask(&json!({"action": "subscribe"})).await, acknowledgement(held), "as before");
        let held: &[(&str, &[&str])] = &[("trades", &["AAPL", "MSFT"]), ("quotes", &["AAPL", "KO"])];
        assert_eq!(client.ask(&subscribe("quotes", &["AAPL", "KO", "AAPL"])).await, acknowledgement(held));
        assert_eq!(client.ask(&subscribe("bars", &["BA", "BAC", "CAT"])).await, error(405), "session.symbols_max");
        let held: &[(&str, &[&str])] =
            &[("trades", &["AAPL", "MSFT"]), ("quotes", &["AAPL", "KO"]), ("bars", &["BA", "BAC"])];
        assert_eq!(client.ask(&subscribe("bars", &["BA", "BAC"])).await, acknowledgement(held), "bars are free");
        let many: Vec<_> = (0..10_000).map(|number| format!("S{number}")).collect();
        let many = json!({"action": "subscribe", "trades": many, "quotes": many, "bars": many});
        assert_eq!(client.ask(&many).await, error(405));
        let all = json!({"action": "unsubscribe", "quotes": ["AAPL", "KO"], "bars": ["BA"]});
        let held: &[(&str, &[&str])] = &[("trades", &["AAPL", "MSFT"]), ("bars", &["BAC"])];
        assert_eq!(client.ask(&all).await, acknowledgement(held), "the session lives");
    }
}

#[actix_web::test]
async fn a_rule_of_faults_refuses_a_correct_key() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    for (code, refusal) in [(402, 402), (406, 406), (409, 409)] {
        let rule = json!({"kind": "auth_error", "code": code, "dialect": "alpaca", "key": "struck", "times": 2});
        server.add_fault(&rule).await;
        let mut client = AlpacaClient::open(server.address, "/v2/iex", &[MESSAGE_PACK]).await;
        client.next_frame().await;
        for _ in 0..2 {
            assert_eq!(client.ask(&auth("struck", "S")).await, error(refusal));
        }
        assert_eq!(client.ask(&auth("struck", "S")).await, success("authenticated"), "twice only");
        let mut other = AlpacaClient::connect(server.address, "/v2/iex", &[]).await;
        assert_eq!(other.ask(&json!({"action": "subscribe"})).await, acknowledgement(&[]), "another key");
    }
}
