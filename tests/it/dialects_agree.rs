//! The same trades in every dialect at once: native, Alpaca in JSON and in MessagePack, Massive, Finnhub.

use chrono::DateTime;
use serde_json::{Value, json};

use crate::alpaca_client::{AlpacaClient, CODECS, acknowledgement};
use crate::client::Client;
use crate::http::get;
use crate::json_client::{JsonClient, acknowledged, massive};
use crate::spawn::spawn_app_at_rest;

const TRADES: usize = 1_000;

/// One trade as every dialect has it: symbol, price, size, and time in milliseconds.
type Trade = (String, f64, u64, i64);

fn trade(event: &Value, [symbol, price, size]: [&str; 3], ms: i64) -> Trade {
    (event[symbol].as_str().unwrap().into(), event[price].as_f64().unwrap(), event[size].as_u64().unwrap(), ms)
}

/// Returns the microseconds of a time as Alpaca writes it.
fn micros(event: &Value) -> i64 {
    DateTime::parse_from_rfc3339(event["t"].as_str().unwrap()).unwrap().timestamp_micros()
}

#[actix_web::test]
async fn the_same_trades_agree_in_price_size_time_and_order_in_every_dialect() {
    let (server, clock) = spawn_app_at_rest(|settings| settings.feed.events_per_second = 3_000.0);
    let mut native = Client::connect(server.address).await;
    native.subscribe(&["*"], &["trades"]).await;
    let mut alpaca = Vec::new();
    for headers in CODECS {
        let mut client = AlpacaClient::connect(server.address, "/v2/sip", headers).await;
        let subscribe = json!({"action": "subscribe", "trades": ["*"]});
        assert_eq!(client.ask(&subscribe).await, acknowledgement(&[("trades", &["*"])]));
        alpaca.push(client);
    }
    let mut polygon = massive(server.address).await;
    assert_eq!(polygon.ask("subscribe", "T.*").await, acknowledged("subscribed to", &["T.*"]));
    let mut finnhub = JsonClient::open(server.address, "/?token=tickcast").await;
    for symbol in get(server.address, "/api/v1/symbols").await.json()["symbols"].as_array().unwrap() {
        finnhub.send(&json!({"type": "subscribe", "symbol": symbol["symbol"]})).await;
    }
    // It has no acknowledgement: the answer to something else comes after all of them are subscribed.
    finnhub.send(&json!([])).await;
    assert_eq!(finnhub.next().await.unwrap()["msg"], "Invalid message");

    clock.advance_micros(2_000_000);
    let mut expected = Vec::new();
    while expected.len() < TRADES {
        let message = native.next_message().await;
        if message["type"] == "trade" {
            expected.push(message);
        }
    }
    let seqs: Vec<_> = expected.iter().map(|message| message["seq"].as_u64().unwrap()).collect();
    let exact: Vec<_> = expected.iter().map(|message| message["ts"].as_i64().unwrap()).collect();
    let expected: Vec<_> = expected
        .iter()
        .zip(&exact)
        .map(|(message, ts)| trade(message, ["symbol", "price", "size"], ts.div_euclid(1_000)))
        .collect();

    for client in &mut alpaca {
        let mut seen = Vec::new();
        while seen.len() < TRADES {
            seen.extend(Some(client.next_event().await).filter(|event| event["T"] == "t"));
        }
        let times: Vec<_> = seen.iter().map(micros).collect();
        assert_eq!(times, exact, "in microseconds");
        assert_eq!(seen.iter().map(|event| event["i"].as_u64().unwrap()).collect::<Vec<_>>(), seqs);
        let pairs = seen.iter().zip(times);
        let seen: Vec<_> = pairs.map(|(event, ts)| trade(event, ["S", "p", "s"], ts.div_euclid(1_000))).collect();
        assert_eq!(seen, expected, "Alpaca");
    }
    let ms = |event: &Value| event["t"].as_i64().unwrap();
    let mut seen = Vec::new();
    while seen.len() < TRADES {
        seen.extend(polygon.array().await);
    }
    seen.truncate(TRADES);
    let ids: Vec<u64> = seen.iter().map(|event| event["i"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(ids, seqs, "the ids of Alpaca");
    let seen: Vec<_> = seen.iter().map(|event| trade(event, ["sym", "p", "s"], ms(event))).collect();
    assert_eq!(seen, expected, "Massive");
    let mut seen = Vec::new();
    while seen.len() < TRADES {
        let frame = finnhub.next().await.unwrap();
        if frame["type"] == "trade" {
            seen.extend(frame["data"].as_array().unwrap().iter().map(|event| trade(event, ["s", "p", "v"], ms(event))));
        }
    }
    seen.truncate(TRADES);
    assert_eq!(seen, expected, "Finnhub");
}
