//! The same trades in every dialect at once: native, Alpaca in JSON and in MessagePack, Massive, Finnhub; after a reconnect, and
//! over HTTP.

use std::collections::HashMap;

use chrono::DateTime;
use serde_json::{Value, json};
use tickcast::domain::{ManualClock, Size, Symbol};
use tickcast::protocol::identity::{self, EXCHANGES};

use crate::alpaca_client::{AlpacaClient, CODECS, acknowledgement};
use crate::client::Client;
use crate::http::get;
use crate::json_client::{JsonClient, acknowledged, massive};
use crate::rest_alpaca::{json as alpaca_json, settle};
use crate::spawn::{START, TestServer, spawn_app_at_rest};

const TRADES: usize = 1_000;
/// Trades that are compared after a reconnect.
const LATER_TRADES: usize = 100;
/// Time that passes before each comparison, in microseconds.
const STEP: i64 = 2_000_000;
const ODD_LOT: &str = "I";

/// One trade as a dialect tells it, in the words of Alpaca. `None` is what the dialect does not have.
#[derive(Clone, Debug, PartialEq)]
struct Trade {
    symbol: String,
    price: f64,
    shares: u64,
    /// The time in microseconds.
    ts: i64,
    id: Option<u64>,
    exchange: Option<String>,
    tape: Option<String>,
    /// Without that of a regular trade.
    conditions: Vec<String>,
}

impl Trade {
    fn ms(&self) -> i64 {
        self.ts.div_euclid(1_000)
    }

    /// Returns the trade with a time in milliseconds, as Massive's stream has it.
    fn in_ms(&self) -> Self {
        Self { ts: self.ms() * 1_000, ..self.clone() }
    }

    /// Returns what Finnhub tells of the trade.
    fn of_finnhub(&self) -> Self {
        Self { id: None, exchange: None, tape: None, ..self.in_ms() }
    }
}

fn text(event: &Value, key: &str) -> String {
    event[key].as_str().unwrap_or_else(|| panic!("{key}: {event}")).to_owned()
}

fn list(event: &Value, key: &str) -> Vec<Value> {
    event[key].as_array().unwrap_or_else(|| panic!("{key}: {event}")).clone()
}

/// A trade of the native protocol, with the identity that vendors must give it.
fn native(event: &Value) -> Trade {
    let (symbol, seq): (Symbol, _) = (text(event, "symbol").parse().unwrap(), event["seq"].as_u64().unwrap());
    let shares = event["size"].as_u64().unwrap();
    let conditions = identity::trade_conditions(symbol, seq, Size::new(shares.try_into().unwrap()));
    assert_eq!(conditions.letters().any(|letter| letter == ODD_LOT), shares < 100);
    Trade {
        symbol: symbol.to_string(),
        price: event["price"].as_f64().unwrap(),
        shares,
        ts: event["ts"].as_i64().unwrap(),
        id: Some(seq),
        exchange: Some(identity::exchange(symbol, seq).letter.into()),
        tape: Some(identity::tape(symbol).letter().into()),
        conditions: conditions.letters().skip(1).map(str::to_owned).collect(),
    }
}

/// A trade of Alpaca, over HTTP or on the stream.
fn alpaca(event: &Value, symbol: &str) -> Trade {
    let conditions: Vec<_> = list(event, "c").iter().map(|each| each.as_str().unwrap().to_owned()).collect();
    assert_eq!(conditions[0], "@", "{event}");
    Trade {
        symbol: symbol.into(),
        price: event["p"].as_f64().unwrap(),
        shares: event["s"].as_u64().unwrap(),
        ts: DateTime::parse_from_rfc3339(&text(event, "t")).unwrap().timestamp_micros(),
        id: event["i"].as_u64(),
        exchange: Some(text(event, "x")),
        tape: Some(text(event, "z")),
        conditions: conditions[1..].to_vec(),
    }
}

/// A trade of Massive, with the names that these fields have on its stream or over HTTP.
fn polygon(event: &Value, symbol: &str, [price, size, id, exchange, tape, conditions]: [&str; 6], ts: i64) -> Trade {
    let letter = EXCHANGES.iter().find(|each| event[exchange] == each.massive).unwrap().letter;
    let condition = |number: &Value| match number.as_u64() {
        Some(14) => "F".into(),
        Some(12) => "T".into(),
        Some(37) => ODD_LOT.into(),
        _ => panic!("an unknown condition: {event}"),
    };
    Trade {
        symbol: symbol.into(),
        price: event[price].as_f64().unwrap(),
        shares: event[size].as_u64().unwrap(),
        ts,
        id: Some(text(event, id).parse().unwrap()),
        exchange: Some(letter.into()),
        tape: Some(["A", "B", "C"][usize::try_from(event[tape].as_u64().unwrap() - 1).unwrap()].into()),
        conditions: list(event, conditions).iter().map(condition).collect(),
    }
}

fn finnhub(event: &Value) -> Trade {
    let conditions = list(event, "c");
    assert_eq!(conditions[0], "1", "{event}");
    let condition = |number: &Value| match number.as_str() {
        Some("8") => "F".into(),
        Some("24") => "T".into(),
        Some("12") => ODD_LOT.into(),
        _ => panic!("an unknown condition: {event}"),
    };
    Trade {
        symbol: text(event, "s"),
        price: event["p"].as_f64().unwrap(),
        shares: event["v"].as_u64().unwrap(),
        ts: event["t"].as_i64().unwrap() * 1_000,
        id: None,
        exchange: None,
        tape: None,
        conditions: conditions[1..].iter().map(condition).collect(),
    }
}

/// A client of each vendor with the trades of all symbols.
struct Vendors {
    alpaca: Vec<AlpacaClient>,
    massive: JsonClient,
    finnhub: JsonClient,
}

impl Vendors {
    async fn connect(server: &TestServer) -> Self {
        let mut alpaca = Vec::new();
        for headers in CODECS {
            let mut client = AlpacaClient::connect(server.address, "/v2/sip", headers).await;
            let subscribe = json!({"action": "subscribe", "trades": ["*"]});
            assert_eq!(client.ask(&subscribe).await, acknowledgement(&[("trades", &["*"])]));
            alpaca.push(client);
        }
        let mut massive = massive(server.address).await;
        assert_eq!(massive.ask("subscribe", "T.*").await, acknowledged("subscribed to", &["T.*"]));
        let mut finnhub = JsonClient::open(server.address, "/?token=tickcast").await;
        for symbol in get(server.address, "/api/v1/symbols").await.json()["symbols"].as_array().unwrap() {
            finnhub.send(&json!({"type": "subscribe", "symbol": symbol["symbol"]})).await;
        }
        // It has no acknowledgement: the answer to something else comes after all of them are subscribed.
        finnhub.send(&json!([])).await;
        assert_eq!(finnhub.next().await.unwrap()["msg"], "Invalid message");
        Self { alpaca, massive, finnhub }
    }

    /// Expects that everybody gets these trades next, after those up to `after_ms`.
    async fn expect(&mut self, trades: &[Trade], after_ms: i64) {
        let is_later = |trade: &Trade| trade.ms() > after_ms;
        for client in &mut self.alpaca {
            let mut seen = Vec::new();
            while seen.len() < trades.len() {
                let event = client.next_event().await;
                assert_eq!(event["T"], "t");
                seen.extend(Some(alpaca(&event, &text(&event, "S"))).filter(is_later));
            }
            assert_eq!(seen, trades, "Alpaca");
        }
        let mut seen = Vec::new();
        while seen.len() < trades.len() {
            let frame = self.massive.array().await;
            let told = frame.iter().map(|event| {
                let ts = event["t"].as_i64().unwrap() * 1_000;
                polygon(event, &text(event, "sym"), ["p", "s", "i", "x", "z", "c"], ts)
            });
            seen.extend(told.filter(is_later));
        }
        let expected: Vec<_> = trades.iter().map(Trade::in_ms).collect();
        assert_eq!(seen[..trades.len()], expected, "Massive");
        let mut seen = Vec::new();
        while seen.len() < trades.len() {
            let frame = self.finnhub.next().await.unwrap();
            if frame["type"] == "trade" {
                seen.extend(list(&frame, "data").iter().map(finnhub).filter(is_later));
            }
        }
        let expected: Vec<_> = trades.iter().map(Trade::of_finnhub).collect();
        assert_eq!(seen[..trades.len()], expected, "Finnhub");
    }
}

/// Lets time pass, and returns the next trades of the native protocol after those up to `after_ms`.
async fn next_trades(client: &mut Client, clock: &ManualClock, count: usize, after_ms: i64) -> Vec<Trade> {
    clock.advance_micros(STEP);
    let mut trades = Vec::new();
    while trades.len() < count {
        let message = client.next_message().await;
        if message["type"] == "trade" {
            trades.extend(Some(native(&message)).filter(|trade| trade.ms() > after_ms));
        }
    }
    trades
}

/// Expects that these trades are found over HTTP, at Alpaca those of all symbols, at Massive those of two.
async fn expect_over_http(server: &TestServer, trades: &[Trade]) {
    let mut names: Vec<_> = trades.iter().map(|trade| trade.symbol.clone()).collect();
    names.sort_unstable();
    names.dedup();
    let page = alpaca_json(server, &format!("trades?symbols={}&limit=10000&start=2026-01-01", names.join(","))).await;
    assert_eq!(page["next_page_token"], Value::Null);
    let rows = page["trades"].as_object().unwrap().iter();
    let told: HashMap<_, _> = rows
        .flat_map(|(symbol, rows)| rows.as_array().unwrap().iter().map(|row| alpaca(row, symbol)))
        .map(|trade| ((trade.symbol.clone(), trade.id), trade))
        .collect();
    for trade in trades {
        assert_eq!(told.get(&(trade.symbol.clone(), trade.id)), Some(trade), "Alpaca over HTTP");
    }
    for symbol in ["AAPL", "KO"] {
        let path = format!("/v3/trades/{symbol}?order=asc&limit=50000&apiKey=tickcast");
        let page = get(server.address, &path).await.json();
        let told = page["results"].as_array().unwrap().iter().map(|row| {
            let ts = row["sip_timestamp"].as_i64().unwrap().div_euclid(1_000);
            polygon(row, symbol, ["price", "size", "id", "exchange", "tape", "conditions"], ts)
        });
        let told: Vec<_> = told.collect();
        let expected: Vec<_> = trades.iter().filter(|trade| trade.symbol == symbol).collect();
        assert!(!expected.is_empty());
        for trade in expected {
            assert!(told.contains(trade), "Massive over HTTP: {trade:?}");
        }
    }
}

#[actix_web::test]
async fn the_same_trades_agree_in_every_dialect_after_a_reconnect_and_over_http() {
    let (server, clock) = spawn_app_at_rest(|settings| {
        settings.feed.events_per_second = 3_000.0;
        settings.feed.amendments_per_million_trades = 0;
    });
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["*"], &["trades"]).await;
    let mut vendors = Vendors::connect(&server).await;
    let mut trades = next_trades(&mut client, &clock, TRADES, 0).await;
    vendors.expect(&trades, 0).await;

    // A stream that has gone on, and others that begin again.
    settle(&server).await;
    let mut again = Vendors::connect(&server).await;
    let after_ms = (START.micros() + STEP).div_euclid(1_000);
    let later = next_trades(&mut client, &clock, LATER_TRADES, after_ms).await;
    vendors.expect(&later, after_ms).await;
    again.expect(&later, after_ms).await;

    settle(&server).await;
    trades.extend(later);
    expect_over_http(&server, &trades).await;
}
