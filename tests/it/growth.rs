//! The feed meets new symbols while the server runs: they reach every client that may have them at once, over every transport and
//! dialect, and no other.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tickcast::app::Settings;

use crate::client::Client;
use crate::delayed::get_at;
use crate::event_stream::EventSource;
use crate::exchange::Exchange;
use crate::http::{Answer, get};
use crate::json_client::{JsonClient, status};
use crate::keyring::{KeyRing, entry, get_as, header_of, secret};
use crate::patience::{patiently, wait_until};
use crate::spawn::TestServer;
use crate::view::is_event;

/// The keys: of the whole market, of a pattern, of a name.
const KEYS: [&str; 3] = ["wide", "some", "named"];

/// Returns their entries.
pub(crate) fn entries() -> [String; 3] {
    [entry("wide", "symbols = [\"*\"]"), entry("some", "symbols = [\"A*\"]"), entry("named", "symbols = [\"AAPL\"]")]
}

/// Opens an exchange with AAPL, and makes every client need a key.
fn open(ring: &KeyRing, configure: impl FnOnce(&mut Settings)) -> (TestServer, Exchange) {
    Exchange::open(&["AAPL"], |settings| {
        ring.require(settings);
        settings.push.coalesce_ms = 0;
        configure(settings);
    })
}

/// The new symbols come between two trades of AAPL.
const TRADES: [(&str, i64); 5] = [("AMZN", 101), ("MSFT", 201), ("AMZN", 102), ("MSFT", 202), ("AAPL", 301)];

/// Returns symbol, seq and price of each trade that the key may have of [`TRADES`], with those before it.
fn had_by(id: &str) -> Vec<Value> {
    let has = |symbol: &str| match id {
        "wide" => true,
        "some" => symbol.starts_with('A'),
        _ => symbol == "AAPL",
    };
    let all = [("AMZN", 1, "1.01"), ("MSFT", 1, "2.01"), ("AMZN", 2, "1.02"), ("MSFT", 2, "2.02"), ("AAPL", 2, "3.01")];
    all.iter().filter(|(symbol, ..)| has(symbol)).map(|each| row(each.0, each.1, each.2)).collect()
}

fn row(symbol: &str, seq: u64, price: &str) -> Value {
    json!([symbol, seq, price.parse::<f64>().unwrap()])
}

/// Returns symbol, seq and price of the trades among messages.
pub(crate) fn trades(messages: &[Value]) -> Vec<Value> {
    let trades = messages.iter().filter(|message| message["type"] == "trade");
    trades.map(|trade| json!([trade["symbol"], trade["seq"], trade["price"]])).collect()
}

/// Returns whether the message is the last trade of [`TRADES`].
fn is_last(message: &Value) -> bool {
    message["type"] == "trade" && message["price"] == 3.01
}

/// Reads this address until the answer is good.
async fn get_until(server: &TestServer, path: &str, is_good: impl Fn(&Answer) -> bool) -> Answer {
    patiently(path, async {
        loop {
            let answer = get(server.address, path).await;
            if is_good(&answer) {
                return answer;
            }
        }
    })
    .await
}

fn symbols_of(messages: &Value) -> BTreeSet<&str> {
    messages.as_array().unwrap().iter().filter_map(|message| message["symbol"].as_str()).collect()
}

#[actix_web::test]
async fn a_new_symbol_reaches_the_wildcards_of_those_who_may_have_it_over_every_transport() {
    let ring = KeyRing::new(&entries());
    let (server, exchange) = open(&ring, |_| {});
    exchange.trade(&[("AAPL", 300)]);
    wait_until("the first trade", true, || server.metrics.feed_offset() > 0).await;
    let (mut clients, mut streams, mut cursors) = (Vec::new(), Vec::new(), Vec::new());
    for id in KEYS {
        // Each worker has clients.
        for _ in 0..2 {
            let mut client = Client::connect_as(server.address, id).await;
            client.subscribe(&["*"], &["trades", "quotes"]).await;
            client.sync().await;
            assert_eq!(client.view.symbols().collect::<Vec<_>>(), ["AAPL"]);
            let unknown = client.ask(json!({"action": "subscribe", "symbols": ["AMZN"]})).await.pop().unwrap();
            assert_eq!((&unknown["code"], &unknown["symbols"]), (&json!("unknown_symbol"), &json!(["AMZN"])));
            clients.push((id, client));
        }
        let stream = EventSource::open_as(server.address, "symbols=*&channels=trades", &header_of(id)).await;
        streams.push((id, stream));
        let poll = get_as(server.address, id, "/api/v1/poll?symbols=*&channels=trades&wait_ms=0").await.json();
        cursors.push((id, poll["cursor"].as_str().unwrap().to_owned()));
    }
    exchange.trade(&TRADES);
    for (id, client) in &mut clients {
        let read = client.until("the last trade", is_last).await;
        assert_eq!(trades(&read), had_by(id), "{id}");
        let rest = client.sync().await;
        assert!(!rest.iter().any(|message| is_event(message) || message["type"] == "snapshot"), "{rest:?}");
        assert_eq!(client.view.missing, 0);
    }
    for (id, stream) in &mut streams {
        assert_eq!(trades(&stream.until("the last trade", is_last).await), had_by(id), "{id}");
    }
    for (id, cursor) in &cursors {
        let path = format!("/api/v1/poll?symbols=*&channels=trades&wait_ms=0&after={cursor}");
        let poll = get_as(server.address, id, &path).await.json();
        assert_eq!((&poll["recovered"], trades(poll["messages"].as_array().unwrap())), (&json!(true), had_by(id)));
        let query = format!("symbols=*&channels=trades&after={cursor}");
        let mut stream = EventSource::open_as(server.address, &query, &header_of(id)).await;
        assert_eq!(trades(&stream.until("the last trade", is_last).await), had_by(id), "{id}");
        let (epoch, offset) = cursor.split_once(':').unwrap();
        let after = json!({"epoch": epoch, "offset": offset.parse::<u64>().unwrap()});
        let mut client = Client::connect_as(server.address, id).await;
        let request = json!({"action": "subscribe", "symbols": ["*"], "channels": ["trades"], "after": after});
        assert_eq!(client.ask(request).await.pop().unwrap()["recovered"], true);
        assert_eq!(trades(&client.until("the last trade", is_last).await), had_by(id), "{id}");
    }
    assert_eq!((server.metrics.symbols_added.get(), server.metrics.symbols_refused.get()), (2, 0));
}

#[actix_web::test]
async fn a_new_symbol_is_found_by_its_name_as_soon_as_it_is_there_by_those_who_may_have_it() {
    let ring = KeyRing::new(&entries());
    let (server, exchange) = open(&ring, |_| {});
    for id in KEYS {
        let listed = get_as(server.address, id, "/api/v1/symbols").await.json();
        assert_eq!(symbols_of(&listed["symbols"]), BTreeSet::from(["AAPL"]));
    }
    exchange.trade(&[("AMZN", 101), ("MSFT", 201)]);
    for (id, names) in KEYS.into_iter().zip([&["AAPL", "AMZN", "MSFT"][..], &["AAPL", "AMZN"], &["AAPL"]]) {
        let names: BTreeSet<_> = names.iter().copied().collect();
        let listed = get_as(server.address, id, "/api/v1/symbols").await.json();
        assert_eq!(symbols_of(&listed["symbols"]), names, "{id}");
        // The first symbol is known already.
        let added = get_as(server.address, id, "/api/v1/symbols?from=1").await.json();
        assert_eq!(added["grows"], true);
        assert_eq!(symbols_of(&added["symbols"]), &names - &BTreeSet::from(["AAPL"]), "{id}");
        let snapshots = get_as(server.address, id, "/api/v1/snapshot").await.json();
        assert_eq!(symbols_of(&snapshots["snapshots"]), names, "{id}");
        let mut client = Client::connect_as(server.address, id).await;
        for name in ["AMZN", "MSFT"] {
            let may = names.contains(name);
            let answer = client.subscribe(&[name], &["trades"]).await;
            if may {
                let snapshot =
                    client.until("the snapshot", |message| message["type"] == "snapshot").await.pop().unwrap();
                assert_eq!(snapshot["symbol"], name);
            } else {
                assert_eq!((&answer["code"], &answer["symbols"]), (&json!("unknown_symbol"), &json!([name])));
            }
            for path in ["snapshot?symbols=", "bars?symbol=", "poll?wait_ms=0&symbols="] {
                let answer = get_as(server.address, id, &format!("/api/v1/{path}{name}")).await;
                assert_eq!(answer.status, if may { 200 } else { 404 }, "{id} {path}{name}");
            }
        }
    }
    let mut client = Client::connect_as(server.address, "some").await;
    client.subscribe(&["AMZN"], &["trades"]).await;
    exchange.trade(&[("AMZN", 102), ("AMZN", 103)]);
    let read = client.until("the last trade", |message| message["price"] == 1.03 && is_event(message)).await;
    assert_eq!(*trades(&read).last().unwrap(), row("AMZN", 3, "1.03"));
}

#[actix_web::test]
async fn a_symbol_that_is_listed_before_its_first_event_can_be_named_and_comes_once() {
    let ring = KeyRing::new(&entries());
    let (server, exchange) = open(&ring, |settings| settings.server.workers = 1);
    let mut early = Client::connect_as(server.address, "some").await;
    early.subscribe(&["*"], &["trades", "quotes"]).await;
    let mut gone = Client::connect_as(server.address, "some").await;
    gone.subscribe(&["*"], &["trades"]).await;
    assert!(exchange.list("AMD"));
    // One has the wildcard and then the name, one the other way round, one only part of it any more, one nothing.
    early.subscribe(&["AMD"], &["trades"]).await;
    let mut late = Client::connect_as(server.address, "some").await;
    late.subscribe(&["AMD"], &["trades"]).await;
    late.subscribe(&["*"], &["trades"]).await;
    let mut part = Client::connect_as(server.address, "some").await;
    part.subscribe(&["*"], &["trades", "quotes"]).await;
    part.ask(json!({"action": "unsubscribe", "symbols": ["*"], "channels": ["trades"]})).await;
    gone.ask(json!({"action": "unsubscribe", "symbols": ["*"]})).await;
    let empty = late.view.snapshot("AMD");
    assert_eq!((empty.get("price"), &empty["seq"]["trades"]), (None, &json!(0)));
    exchange.trade(&[("AMD", 101), ("ADBE", 201), ("AMD", 102), ("AAPL", 301)]);
    let all = [row("AMD", 1, "1.01"), row("ADBE", 1, "2.01"), row("AMD", 2, "1.02"), row("AAPL", 1, "3.01")];
    for client in [&mut early, &mut late] {
        assert_eq!(trades(&client.until("the last trade", is_last).await), all);
    }
    for client in [&mut part, &mut gone] {
        assert_eq!(trades(&client.sync().await), [Value::Null; 0]);
    }
}

#[actix_web::test]
async fn the_mode_of_a_wildcard_is_that_of_the_symbols_that_it_gains() {
    let ring = KeyRing::new(&entries());
    let (server, exchange) = open(&ring, |settings| settings.server.workers = 1);
    let mut offset = 0;
    for id in ["wide", "some"] {
        let mut client = Client::connect_as(server.address, id).await;
        let request =
            json!({"action": "subscribe", "symbols": ["*"], "channels": ["trades"], "mode": "latest", "max_hz": 0.001});
        client.ask(request.clone()).await;
        client.sync().await;
        let symbol = format!("A{}", id.to_uppercase());
        exchange.trade(&[(&symbol, 101)]);
        let is_new = |message: &Value| message["type"] == "trade" && message["symbol"] == symbol.as_str();
        assert_eq!(trades(&client.until("the first trade", is_new).await), [row(&symbol, 1, "1.01")]);
        exchange.trade(&[(&symbol, 102), (&symbol, 103)]);
        offset += 3;
        get_at(&server, "wide", "/api/v1/snapshot", offset).await;
        // The rate holds them back until an answer about their symbol follows.
        let held = client.ask(request).await;
        assert_eq!((trades(&held), &held[0]["skipped"]), (vec![row(&symbol, 3, "1.03")], &json!(1)), "{id}");
    }
}

#[actix_web::test]
async fn a_new_symbol_has_bars_and_the_dialects_of_vendors_have_it() {
    let ring = KeyRing::new(&entries());
    let (server, exchange) = open(&ring, |_| {});
    let word = secret("some").replace(' ', "%20");
    let mut bars = Client::connect_as(server.address, "some").await;
    bars.subscribe(&["*"], &["bars.1m"]).await;
    let mut massive = JsonClient::open(server.address, "/stocks").await;
    massive.array().await;
    assert_eq!(massive.ask("auth", &secret("some")).await, status("auth_success", "authenticated"));
    massive.ask("subscribe", "T.*").await;
    let mut alpaca = JsonClient::open(server.address, "/v2/sip").await;
    alpaca.array().await;
    alpaca.send(&json!({"action": "auth", "key": "some", "secret": secret("some")})).await;
    alpaca.array().await;
    alpaca.send(&json!({"action": "subscribe", "trades": ["*"]})).await;
    alpaca.array().await;
    exchange.trade(&[("MSFT", 201), ("AMZN", 101)]);
    let first = &massive.array().await[0];
    assert_eq!((&first["ev"], &first["sym"], &first["p"]), (&json!("T"), &json!("AMZN"), &json!(1.01)));
    let first = &alpaca.array().await[0];
    assert_eq!((&first["T"], &first["S"], &first["p"]), (&json!("t"), &json!("AMZN"), &json!(1.01)));
    let name = |path: &str| format!("{path}={word}");
    for path in [
        name("/v3/reference/tickers?apiKey"),
        name("/v3/reference/tickers?search=amzn&apiKey"),
        name("/finnhub/api/v1/stock/symbol?exchange=US&token"),
        name("/finnhub/api/v1/search?q=amzn&token"),
        name("/v2/last/trade/AMZN?apiKey"),
    ] {
        // The history may get the trade after the hub.
        let answer = get_until(&server, &path, |answer| answer.text().contains("\"AMZN")).await;
        assert!(!answer.text().contains("MSFT"), "{path}: {}", answer.text());
    }
    assert_eq!(get(server.address, &name("/v2/last/trade/MSFT?apiKey")).await.status, 404);

    exchange.clock().advance_micros(60_000_000);
    let is_bar = |message: &Value| message["type"] == "bar";
    let bar = bars.until("a bar", is_bar).await.pop().unwrap();
    assert_eq!(
        (&bar["symbol"], &bar["seq"], &bar["close"], &bar["volume"]),
        (&json!("AMZN"), &json!(1), &json!(1.01), &json!(100))
    );
    let read = loop {
        let read = get_as(server.address, "some", "/api/v1/bars?symbol=AMZN&interval=1m").await.json()["bars"].take();
        if read[0]["final"] == true {
            break read;
        }
    };
    assert_eq!((read.as_array().unwrap().len(), &read[0]["ts"]), (1, &bar["ts"]));
    let none = get_as(server.address, "some", "/api/v1/bars?symbol=AAPL&interval=1m").await.json();
    assert_eq!(none["bars"], json!([]));
}

#[actix_web::test]
async fn events_of_one_symbol_too_many_are_dropped_and_counted() {
    let ring = KeyRing::new(&entries());
    let (server, exchange) = open(&ring, |settings| settings.feed.symbols_max = 2);
    let mut client = Client::connect_as(server.address, "wide").await;
    client.subscribe(&["*"], &["trades"]).await;
    exchange.trade(&[("AMZN", 101), ("MSFT", 201), ("MSFT", 202), ("AAPL", 301)]);
    let read = client.until("the last trade", is_last).await;
    assert_eq!(trades(&read), [row("AMZN", 1, "1.01"), row("AAPL", 1, "3.01")]);
    assert!(!exchange.list("MSFT"));
    assert_eq!((server.metrics.symbols_added.get(), server.metrics.symbols_refused.get()), (1, 3));
    let listed = get_as(server.address, "wide", "/api/v1/symbols").await.json();
    assert_eq!(symbols_of(&listed["symbols"]), BTreeSet::from(["AAPL", "AMZN"]));
}
