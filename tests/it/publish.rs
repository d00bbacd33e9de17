//! Published events: they reach subscribers once, in order and with the offsets that were answered, all of a request or none.

use awc::http::Method;
use serde_json::{Value, json};
use tickcast::app::Settings;
use tickcast::feed::FeedKind;

use crate::client::Client;
use crate::http::{Answer, get, send};
use crate::json_client::JsonClient;
use crate::keyring::{KeyRing, entry, header_of};
use crate::patience::{LOOK_INTERVAL, patiently, wait_until};
use crate::spawn::{START, TestServer, spawn_app, spawn_app_at_rest};
use crate::view::is_event;

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;

/// Makes the feed one of publishers, with the symbols AA and BB.
pub(crate) fn publishing(settings: &mut Settings) {
    settings.feed.kind = FeedKind::Publish;
    settings.feed.publish.symbols = vec!["AA".into(), "BB".into()];
    settings.feed.publish.new_symbols = false;
}

/// Publishes with these headers.
pub(crate) async fn publish_with(server: &TestServer, headers: &[(&str, &str)], body: String) -> Answer {
    send(server.address, Method::POST, "/api/v1/publish", headers, body).await
}

/// Publishes these events.
pub(crate) async fn publish(server: &TestServer, events: &[Value]) -> Answer {
    publish_with(server, &[], Value::from(events).to_string()).await
}

pub(crate) fn trade(symbol: &str, ts: i64, price: f64, size: u32) -> Value {
    json!({"type": "trade", "symbol": symbol, "ts": ts, "price": price, "size": size})
}

fn quote(symbol: &str, ts: i64, bid: f64, ask: f64) -> Value {
    json!({"type": "quote", "symbol": symbol, "ts": ts, "bid": bid, "bid_size": 100, "ask": ask, "ask_size": 200})
}

/// Returns an event as it was published.
fn as_published(event: &Value) -> Value {
    let mut event = event.clone();
    for name in ["offset", "seq"] {
        event.as_object_mut().unwrap().remove(name);
    }
    event
}

/// Trades and quotes of both symbols, one each millisecond until `end`.
fn many(count: i64, end: i64) -> Vec<Value> {
    let one = |number: i64| {
        let (ts, symbol) = (end - (count - number) * 1_000, ["AA", "BB"][usize::from(number % 7 == 0)]);
        let cents = f64::from(u32::try_from(10_000 + (number * number) % 173).unwrap());
        match number % 3 {
            0 => quote(symbol, ts, cents / 100.0, (cents + 2.0) / 100.0),
            _ => trade(symbol, ts, cents / 100.0, u32::try_from(number % 400 + 1).unwrap()),
        }
    };
    (0..count).map(one).collect()
}

#[actix_web::test]
async fn a_batch_reaches_a_subscriber_once_and_in_order_with_the_offsets_that_are_answered() {
    let (server, _clock) = spawn_app_at_rest(publishing);
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["*"], &["trades", "quotes"]).await;
    // More than one batch of the stream. The last ones are ahead of the clock, and bars close in between.
    let end = START.micros() + 4 * SECOND;
    let events = many(6_000, end);
    let answer = publish(&server, &events).await.json();
    assert_eq!((&answer["events"], &answer["late_dropped"]), (&json!(6_000), &json!(0)));
    let read = client.events(6_000).await;
    let read: Vec<_> =
        read.into_iter().filter(|message| message["type"] == "trade" || message["type"] == "quote").collect();
    assert_eq!(read.iter().map(as_published).collect::<Vec<_>>(), events);
    assert_eq!((client.view.missing, client.view.lags), (0, 0));
    let offsets: Vec<_> = read.iter().map(|event| event["offset"].as_u64().unwrap()).collect();
    assert_eq!(runs(&answer), offsets);
    assert!(answer["offsets"].as_array().unwrap().len() > 1, "bars have offsets in between: {answer}");
    assert_eq!((&answer["first"], &answer["last"]), (&json!(offsets[0]), &json!(offsets[5_999])));
    assert_eq!(server.metrics.events_received.get(), 6_000);
    // Lines are the same as an array.
    let lines = [trade("AA", end, 1.5, 7), quote("BB", end, 2.0, 1.0)].map(|event| event.to_string());
    let answer = publish_with(&server, &[("Content-Type", "application/x-ndjson")], lines.join("\n")).await.json();
    let read = client.events(2).await;
    assert_eq!(read.iter().map(|event| event["offset"].as_u64().unwrap()).collect::<Vec<_>>(), runs(&answer));
    assert_eq!(read[1]["bid"], 2.0, "a crossed quote passes");
    let status = get(server.address, "/api/v1/feed").await.json();
    assert_eq!((&status["kind"], &status["market_ts"]), (&json!("publish"), &json!(START.micros())));
}

/// Returns the offsets that an answer lists as runs.
fn runs(answer: &Value) -> Vec<u64> {
    let number = |value: &Value| value.as_u64().unwrap();
    let runs = answer["offsets"].as_array().unwrap().iter();
    runs.flat_map(|run| number(&run[0])..=number(&run[1])).collect()
}

#[actix_web::test]
async fn an_event_without_a_time_gets_that_of_the_market() {
    let (server, clock) = spawn_app_at_rest(publishing);
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["AA"], &["trades", "quotes"]).await;
    clock.advance_micros(5);
    let without = |mut event: Value| {
        event.as_object_mut().unwrap().remove("ts");
        event
    };
    let ahead = START.micros() + 1_000;
    publish(
        &server,
        &[quote("AA", ahead, 1.0, 2.0), without(quote("AA", 0, 1.0, 2.0)), without(trade("AA", 0, 1.0, 1))],
    )
    .await;
    let read = client.events(3).await;
    let times: Vec<_> =
        read.iter().filter(|message| is_event(message)).map(|event| event["ts"].as_i64().unwrap()).collect();
    assert_eq!(times, [ahead, ahead, START.micros() + 5], "quotes ascend");
}

#[actix_web::test]
async fn a_request_that_is_repeated_with_its_key_publishes_nothing_twice() {
    let (server, clock) = spawn_app_at_rest(publishing);
    let body = Value::from(many(10, START.micros())).to_string();
    let first = publish_with(&server, &[("Idempotency-Key", "a1")], body.clone()).await;
    assert_eq!(first.header("idempotency-replayed"), "");
    let published = server.metrics.feed_offset();
    let again = publish_with(&server, &[("Idempotency-Key", "a1")], body.clone()).await;
    assert_eq!((again.header("idempotency-replayed"), again.json()), ("true", first.json()));
    let other = publish_with(&server, &[("Idempotency-Key", "a1")], format!("{body} ")).await;
    assert_eq!((other.status, &other.problem()["code"]), (422, &json!("other_request")));
    assert_eq!(server.metrics.feed_offset(), published);
    assert_eq!(server.metrics.publishes_repeated.get(), 1);
    for (headers, number) in [(vec![("Idempotency-Key", "a2")], 2), (vec![], 3), (vec![], 4)] {
        assert_eq!(publish_with(&server, &headers, body.clone()).await.status, 200);
        // Of those that come again, quotes are older than the newest one.
        let late = server.metrics.late_dropped.get();
        assert_eq!(server.metrics.events_received.get() + late, number * 10);
    }
    let long = "x".repeat(256);
    for headers in [vec![("Idempotency-Key", "")], vec![("Idempotency-Key", "a b")], vec![("Idempotency-Key", &*long)]]
    {
        assert_eq!(publish_with(&server, &headers, body.clone()).await.status, 400, "{headers:?}");
    }
    // After a day it is another request; its events are too old by then.
    clock.advance_micros(86_400_000_001);
    let fresh = Value::from(many(10, START.micros() + 86_400_000_001)).to_string();
    let later = publish_with(&server, &[("Idempotency-Key", "a1")], fresh).await;
    assert_eq!((later.status, &later.json()["events"]), (200, &json!(10)));
}

#[actix_web::test]
async fn a_repeated_request_is_answered_although_its_events_are_too_old_by_now() {
    let (server, clock) = spawn_app_at_rest(|settings| {
        publishing(settings);
        settings.feed.publish.ts_off_max_ms = 1_000;
    });
    let (headers, body) = ([("Idempotency-Key", "a1")], Value::from(many(10, START.micros())).to_string());
    let first = publish_with(&server, &headers, body.clone()).await;
    let message = json!({"id": 1, "key": "a2", "events": many(10, START.micros() + 1_000)});
    let mut publisher = JsonClient::open(server.address, "/api/v1/publish").await;
    publisher.send(&message).await;
    let published = publisher.next().await.unwrap();
    clock.advance_micros(1_500_000);
    let again = publish_with(&server, &headers, body.clone()).await;
    assert_eq!((again.header("idempotency-replayed"), again.json()), ("true", first.json()));
    assert_eq!(publish_with(&server, &headers, format!("{body} ")).await.problem()["code"], "bad_request");
    assert_eq!(publish_with(&server, &[], body).await.status, 400);
    publisher.send(&message).await;
    let repeated = publisher.next().await.unwrap();
    assert_eq!((&repeated["repeated"], &repeated["offsets"]), (&json!(true), &published["offsets"]), "{repeated}");
    assert_eq!(server.metrics.publishes_repeated.get(), 2);
}

#[actix_web::test]
async fn of_a_request_with_a_bad_event_nothing_is_published() {
    let (server, _clock) = spawn_app_at_rest(publishing);
    let now = START.micros();
    let year = 365 * 86_400 * SECOND;
    let good = trade("AA", now, 201.37, 100).to_string();
    let with = |from: &str, to: &str| good.replace(from, to);
    for (bad, code, reason) in [
        (with("\"size\"", "\"colour\":1,\"size\""), "bad_request", "unknown field `colour`"),
        (with("201.37", "NaN"), "bad_request", "expected value"),
        (with("201.37", "0"), "bad_request", "price must be above 0"),
        (with("201.37", "-1"), "bad_request", "price must be above 0"),
        (with("201.37", "201.37001"), "bad_request", "four decimals"),
        (with("100", "0"), "bad_request", "size must be above 0"),
        (with(&now.to_string(), &(now - year).to_string()), "bad_request", "too long ago"),
        (with(&now.to_string(), &(now + year).to_string()), "bad_request", "in the future"),
        (with("\"AA\"", "\"CC\""), "unknown_symbol", "no such symbol: CC"),
        (with("\"trade\"", "\"bar\""), "bad_request", "type must be trade or quote"),
    ] {
        for body in [format!("[{good},{good},{bad},{good}]"), [&*good, &good, &bad, &good].join("\n")] {
            let answer = publish_with(&server, &[], body.clone()).await;
            let problem = answer.problem();
            assert_eq!(
                (answer.status, &problem["index"], &problem["code"]),
                (400, &json!(2), &json!(code)),
                "{problem}"
            );
            assert!(problem["detail"].as_str().unwrap().contains(reason), "{body}: {problem}");
        }
    }
    assert_eq!((server.metrics.feed_offset(), server.metrics.publishes_refused("bad_event")), (0, 20));
    let too_many = publish(&server, &vec![trade("AA", now, 1.0, 1); 10_001]).await;
    assert_eq!((too_many.status, &too_many.problem()["code"]), (413, &json!("too_large")));
    let too_long = publish_with(&server, &[], " ".repeat(4_194_305)).await;
    assert_eq!((too_long.status, &too_long.problem()["code"]), (413, &json!("too_large")));
    for body in ["[]", "\n", "{", "[1]", "7", "[{\"type\":"] {
        let answer = publish_with(&server, &[], body.into()).await;
        assert_eq!((answer.status, &answer.problem()["status"]), (400, &json!(400)), "{body}");
    }
    assert_eq!(server.metrics.feed_offset(), 0);
    let most = publish(&server, &vec![trade("AA", now, 1.0, 1); 10_000]).await.json();
    assert_eq!((&most["first"], &most["last"]), (&json!(1), &json!(10_000)));
}

#[actix_web::test]
async fn only_a_key_that_may_publish_does() {
    let ring = KeyRing::new(&[
        entry("publisher", "symbols = [\"AA\"]\npublish = true"),
        entry("reader", "symbols = [\"*\"]\nadmin = true"),
    ]);
    let (server, _clock) = spawn_app_at_rest(|settings| {
        publishing(settings);
        ring.require(settings);
    });
    let of = |symbol: &str| Value::from([trade(symbol, START.micros(), 1.0, 1)].as_slice()).to_string();
    assert_eq!(publish_with(&server, &[], of("AA")).await.status, 401);
    let [reader, publisher] = ["reader", "publisher"].map(header_of);
    let refused = publish_with(&server, &[("Authorization", &reader)], of("AA")).await;
    assert_eq!((refused.status, &refused.problem()["code"]), (403, &json!("forbidden")));
    let foreign =
        publish_with(&server, &[("Authorization", &publisher), ("Origin", "https://evil.example")], of("AA")).await;
    assert_eq!(foreign.status, 403);
    let other = publish_with(&server, &[("Authorization", &publisher)], of("BB")).await;
    assert_eq!((other.status, &other.problem()["code"]), (400, &json!("unknown_symbol")), "a symbol of others");
    assert_eq!(server.metrics.feed_offset(), 0);
    assert_eq!(publish_with(&server, &[("Authorization", &publisher)], of("AA")).await.json()["first"], 1);
    let read = send(server.address, Method::PUT, "/api/v1/publish", &[("Authorization", &publisher)], of("AA")).await;
    assert_eq!(read.status, 405);
}

#[actix_web::test]
async fn a_server_without_keys_lets_only_its_own_machine_publish() {
    let (server, _clock) = spawn_app_at_rest(publishing);
    let body = Value::from([trade("AA", START.micros(), 1.0, 1)].as_slice()).to_string();
    for (header, value, status) in [
        ("Origin", "https://evil.example", 403),
        ("Origin", "null", 403),
        ("X-Forwarded-For", "192.0.2.1", 404),
        ("Via", "1.1 proxy", 404),
    ] {
        assert_eq!(publish_with(&server, &[(header, value)], body.clone()).await.status, status, "{header}: {value}");
    }
    assert_eq!(server.metrics.feed_offset(), 0);
    let own = format!("http://{}", server.address);
    assert_eq!(publish_with(&server, &[("Origin", &own)], body.clone()).await.status, 200);
    // The simulator's market is its own.
    let simulated = spawn_app(|_| {});
    let body = Value::from(
        [trade("AAPL", tickcast::domain::Clock::now(&tickcast::domain::SystemClock).micros(), 1.0, 1)].as_slice(),
    );
    let answer = publish_with(&simulated, &[], body.to_string()).await;
    assert_eq!((answer.status, &answer.problem()["code"]), (409, &json!("conflict")), "{}", answer.text());
}

#[actix_web::test]
async fn a_publisher_waits_while_the_server_is_behind() {
    let (server, _clock) = spawn_app_at_rest(publishing);
    let events = [trade("AA", START.micros(), 1.0, 1)];
    server.metrics.record_waiting.set(1 << 20);
    let busy = publish(&server, &events).await;
    assert_eq!((busy.status, &busy.problem()["code"]), (429, &json!("rate_limited")));
    assert!(busy.header("retry-after").parse::<u32>().unwrap() > 0);
    assert_eq!((server.metrics.feed_offset(), server.metrics.publishes_refused("busy")), (0, 1));
    server.metrics.record_waiting.set(0);
    assert_eq!(publish(&server, &events).await.json()["last"], 1);
}

/// Waits until the hubs have routed everything that the feed has published by now.
pub(crate) async fn settle(server: &TestServer) {
    let steps = server.metrics.feed_steps.get();
    wait_until("two steps of the feed", true, || server.metrics.feed_steps.get() > steps + 1).await;
    let routed = || server.metrics.hub_offsets().into_iter().min() == Some(server.metrics.feed_offset());
    wait_until("the last event to be routed", true, routed).await;
}

/// Returns start, open, high, low, close and volume of a bar.
pub(crate) fn figures(bar: &Value) -> (i64, [f64; 5]) {
    (bar["ts"].as_i64().unwrap(), ["open", "high", "low", "close", "volume"].map(|name| bar[name].as_f64().unwrap()))
}

/// Returns the figures of the bars of AA, with everything that the feed has published by now.
pub(crate) async fn read_bars(server: &TestServer, interval: &str) -> Vec<(i64, [f64; 5])> {
    settle(server).await;
    let published = server.metrics.feed_offset();
    let path = format!("/api/v1/bars?symbol=AA&interval={interval}&limit=1000");
    patiently("the history", async {
        loop {
            let answer = get(server.address, &path).await.json();
            if answer["offset"].as_u64().unwrap() >= published {
                return answer["bars"].as_array().unwrap().iter().map(figures).collect();
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    })
    .await
}

#[actix_web::test]
async fn a_minute_whose_first_trade_is_late_is_one_bar() {
    let (server, clock) = spawn_app_at_rest(publishing);
    let minute = START.micros() - START.micros().rem_euclid(MINUTE);
    publish(&server, &[trade("AA", minute - SECOND, 10.0, 4)]).await;
    // Before its bar is published as changed, and after that.
    for _ in 0..3 {
        assert_eq!(read_bars(&server, "1m").await, [(minute - MINUTE, [10.0, 10.0, 10.0, 10.0, 4.0])]);
        clock.advance_micros(MINUTE / 2);
    }
}

#[actix_web::test]
async fn a_snapshot_has_the_newest_trade_and_quote_whatever_the_order() {
    let (server, _clock) = spawn_app_at_rest(publishing);
    let now = START.micros();
    let events = [
        quote("AA", now, 3.0, 4.0),
        quote("AA", now - 1, 1.0, 2.0),
        trade("AA", now - SECOND, 3.5, 10),
        trade("AA", now - 2 * SECOND, 2.5, 20),
        quote("BB", now - 5, 1.0, 2.0),
    ];
    let answer = publish(&server, &events).await.json();
    assert_eq!((&answer["events"], &answer["late_dropped"]), (&json!(4), &json!(1)));
    settle(&server).await;
    let snapshots = get(server.address, "/api/v1/snapshot?symbols=AA").await.json();
    let snapshot = &snapshots["snapshots"][0];
    let expected = json!([now, 3.5, 10, 3.0, 4.0, 30]);
    let found = ["ts", "price", "size", "bid", "ask", "volume"].map(|name| snapshot[name].clone());
    assert_eq!(Value::from(found.to_vec()), expected, "{snapshot}");
}
