//! Publishers add symbols to the market: with good requests only, as many as fit, and those that their key includes.

use serde_json::{Value, json};

use crate::client::Client;
use crate::http::get;
use crate::keyring::{KeyRing, entry, header_of};
use crate::patience::wait_until;
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

#[actix_web::test]
async fn a_symbol_of_one_day_has_no_previous_close_in_any_dialect() {
    let (server, _clock) = spawn_app_at_rest(publishing);
    assert_eq!(publish(&server, &[trade("AA", START.micros(), 10.5, 100)]).await.status, 200);
    let routed = || server.metrics.hub_offsets().into_iter().min() == Some(server.metrics.feed_offset());
    wait_until("the trade to be routed", true, routed).await;
    let read = async |path: &str| get(server.address, path).await.json();
    let own = &read("/api/v1/snapshot?symbols=AA").await["snapshots"][0];
    assert_eq!((&own["price"], own.get("prev_close")), (&json!(10.5), None));
    let quote = read("/api/v1/quote?symbol=AA&token=tickcast").await;
    assert_eq!((&quote["c"], &quote["o"]), (&json!(10.5), &json!(10.5)));
    assert!(["d", "dp", "pc"].into_iter().all(|key| quote.get(key).is_none()), "{quote}");
    let massive = read("/v2/snapshot/locale/us/markets/stocks/tickers/AA?apiKey=tickcast").await["ticker"].clone();
    assert_eq!((&massive["lastTrade"]["p"], &massive["prevDay"]), (&json!(10.5), &json!({})));
    assert!(["todaysChange", "todaysChangePerc"].into_iter().all(|key| massive.get(key).is_none()), "{massive}");
    let universal = read("/v3/snapshot?ticker=AA&apiKey=tickcast").await["results"][0]["session"].clone();
    assert_eq!((&universal["price"], universal.get("previous_close")), (&json!(10.5), None));
}
