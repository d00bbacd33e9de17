//! Publishers add symbols to the market: with good requests only, as many as fit, and those that their key includes.

use serde_json::{Value, json};

use crate::client::Client;
use crate::http::get;
use crate::keyring::{KeyRing, entry, header_of};
use crate::publish::{publish, publish_with, publishing, trade};
use crate::spawn::{START, TestServer, spawn_app, spawn_app_at_rest};
use crate::view::is_event;

/// Returns the symbols of the server, in their order.
async fn symbols(server: &TestServer) -> Vec<String> {
    let list = get(server.address, "/api/v1/symbols").await.json();
    list["symbols"].as_array().unwrap().iter().map(|each| each["symbol"].as_str().unwrap().to_owned()).collect()
}

#[actix_web::test]
async fn a_server_without_symbols_gets_them_from_its_publishers_and_a_wildcard_has_every_event() {
    let (server, _clock) = spawn_app_at_rest(|settings| {
        publishing(settings);
        settings.feed.publish.symbols.clear();
        settings.feed.publish.new_symbols = true;
    });
    assert!(symbols(&server).await.is_empty());
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["*"], &["trades"]).await;
    let now = START.micros();
    let events: Vec<Value> =
        ["CC", "AA", "CC", "BTC-USD"].into_iter().zip(1..).map(|(name, size)| trade(name, now, 2.5, size)).collect();
    let answer = publish(&server, &events).await.json();
    assert_eq!((&answer["events"], &answer["late_dropped"]), (&json!(4), &json!(0)), "{answer}");
    let read = client.events(4).await;
    let read: Vec<_> = read
        .iter()
        .filter(|message| is_event(message))
        .map(|event| (event["symbol"].as_str().unwrap(), event["size"].as_u64()))
        .collect();
    assert_eq!(read, [("CC", Some(1)), ("AA", Some(2)), ("CC", Some(3)), ("BTC-USD", Some(4))]);
    assert_eq!(symbols(&server).await, ["CC", "AA", "BTC-USD"]);
    let late = get(server.address, "/api/v1/snapshot?symbols=CC").await.json();
    assert_eq!(late["snapshots"][0]["volume"], 4, "both trades: {late}");
    assert_eq!(server.metrics.symbols_added.get(), 3);
}

#[actix_web::test]
async fn a_request_with_a_mistake_or_with_too_many_symbols_adds_none() {
    let (server, _clock) = spawn_app_at_rest(|settings| {
        publishing(settings);
        settings.feed.publish.new_symbols = true;
        settings.feed.symbols_max = 3;
    });
    let now = START.micros();
    let one = |name: &str, price: f64| trade(name, now, price, 1);
    for (events, index, code) in [
        (vec![one("CC", 1.0), one("AA", 0.0)], 1, "bad_request"),
        (vec![one("CC", 1.0), one("a symbol", 1.0)], 1, "unknown_symbol"),
        (vec![one("CC", 1.0), one("AA", 1.0), one("CC", 1.0), one("DD", 1.0)], 3, "limit_exceeded"),
    ] {
        let answer = publish(&server, &events).await;
        let problem = answer.problem();
        assert!(answer.status >= 400 && problem["index"] == index && problem["code"] == code, "{problem}");
    }
    assert_eq!(symbols(&server).await, ["AA", "BB"]);
    assert_eq!(server.metrics.events_received.get(), 0);
    assert_eq!(publish(&server, &[one("CC", 1.0)]).await.status, 200);
    assert_eq!(symbols(&server).await, ["AA", "BB", "CC"]);
}

#[actix_web::test]
async fn a_key_adds_the_symbols_that_it_includes() {
    let ring = KeyRing::new(&[
        entry("publisher", "symbols = [\"BTC*\"]\npublish = true"),
        entry("reader", "symbols = [\"*\"]"),
    ]);
    let server = spawn_app(|settings| {
        publishing(settings);
        settings.feed.publish.new_symbols = true;
        ring.require(settings);
    });
    let header = header_of("publisher");
    for (name, status) in [("BTC-USD", 200), ("ETH-USD", 400), ("AA", 400)] {
        let event = json!([{"type": "trade", "symbol": name, "price": 1, "size": 1}]).to_string();
        let answer = publish_with(&server, &[("Authorization", &header)], event).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
    }
    assert_eq!(server.metrics.symbols_added.get(), 1);
}
