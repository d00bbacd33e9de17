//! Rights hold for everything that leaves the server: over each transport and dialect a client gets nothing of a symbol, a channel or a
//! rate that its key does not include.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::client::{ALL_CHANNELS, Client};
use crate::event_stream::EventSource;
use crate::json_client::{JsonClient, status};
use crate::keyring::{KeyRing, NARROW, WIDE, entry, get_as, header_of, secret, two_keys};
use crate::spawn::spawn_app;

/// Returns the codes of the errors among messages.
fn codes(messages: &[Value]) -> Vec<&str> {
    messages.iter().filter(|message| message["type"] == "error").map(|error| error["code"].as_str().unwrap()).collect()
}

fn symbols_of(messages: &[Value]) -> BTreeSet<&str> {
    messages.iter().filter_map(|message| message["symbol"].as_str()).collect()
}

#[actix_web::test]
async fn a_symbol_that_a_key_does_not_include_is_answered_like_one_that_does_not_exist() {
    let ring = KeyRing::new(&two_keys());
    let server = spawn_app(|settings| ring.require(settings));
    let mut client = Client::connect_as(server.address, NARROW).await;
    let mut errors = Vec::new();
    for name in ["NVDA", "NOPE"] {
        let request = json!({"action": "subscribe", "symbols": ["AAPL", name]});
        let mut answer = client.ask(request).await;
        if codes(&answer).is_empty() {
            answer.extend(client.until("an error", |message| message["type"] == "error").await);
        }
        let error = answer.iter().find(|message| message["type"] == "error").unwrap();
        assert_eq!(error["symbols"], json!([name]));
        errors.push(error["message"].to_string().replace(name, "X") + error["code"].as_str().unwrap());
        client.ask(json!({"action": "unsubscribe", "symbols": [name]})).await;
        client.sync().await;
    }
    assert_eq!(errors[0], errors[1]);
    let mut bodies = Vec::new();
    for name in ["NVDA", "NOPE"] {
        for path in [
            format!("/api/v1/snapshot?symbols={name}"),
            format!("/api/v1/bars?symbol={name}"),
            format!("/api/v1/poll?symbols={name}&wait_ms=0"),
            format!("/api/v1/stream?symbols={name}"),
        ] {
            let answer = get_as(server.address, NARROW, &path).await;
            assert_eq!(answer.status, 404, "{path}");
            bodies.push(answer.text().replace(name, "X"));
        }
    }
    assert_eq!(bodies[..4], bodies[4..]);
}

#[actix_web::test]
async fn the_wildcard_of_a_key_means_its_symbols_over_every_transport() {
    let ring = KeyRing::new(&two_keys());
    let server = spawn_app(|settings| {
        ring.require(settings);
        settings.feed.events_per_second = 3_000.0;
    });
    let mine = BTreeSet::from(["AAPL", "MSFT"]);
    let wide = get_as(server.address, WIDE, "/api/v1/poll?symbols=*&channels=quotes&wait_ms=0").await.json();
    let cursor = wide["cursor"].as_str().unwrap().to_owned();
    let mut client = Client::connect_as(server.address, NARROW).await;
    let answer = client.subscribe(&["*"], &ALL_CHANNELS).await;
    assert_eq!(answer["subscriptions"][0]["symbol"], "*");
    assert_eq!(symbols_of(&client.events(300).await), mine);
    assert_eq!(client.view.missing, 0);

    // With the cursor of a client that may see more.
    let after = json!({"epoch": wide["epoch"], "offset": wide["offset"]});
    let mut late = Client::connect_as(server.address, NARROW).await;
    let request = json!({"action": "subscribe", "symbols": ["*"], "channels": ["trades", "quotes"], "after": after});
    let answer = late.ask(request).await;
    assert_eq!(answer.last().unwrap()["recovered"], true);
    let recovered = late.events(200).await;
    assert_eq!(symbols_of(&recovered), mine);
    let first = recovered.iter().filter_map(|event| event["offset"].as_u64()).min().unwrap();
    assert!(first > wide["offset"].as_u64().unwrap());
    let poll = format!("/api/v1/poll?symbols=*&channels=trades,quotes&wait_ms=0&after={cursor}");
    let poll = get_as(server.address, NARROW, &poll).await.json();
    assert_eq!(poll["recovered"], true);
    assert_eq!(symbols_of(poll["messages"].as_array().unwrap()), mine);
    let query = format!("symbols=*&channels=trades,quotes&after={cursor}");
    let mut stream = EventSource::open_as(server.address, &query, &header_of(NARROW)).await;
    let mut seen = Vec::new();
    while seen.len() < 200 {
        seen.extend(stream.next_messages().await.unwrap());
    }
    assert_eq!(symbols_of(&seen), mine);
    let snapshots = get_as(server.address, NARROW, "/api/v1/snapshot").await.json();
    assert_eq!(symbols_of(snapshots["snapshots"].as_array().unwrap()), mine);
    let listed = get_as(server.address, NARROW, "/api/v1/symbols").await.json();
    assert_eq!(symbols_of(listed["symbols"].as_array().unwrap()), mine);
}

#[actix_web::test]
async fn channels_and_rates_hold_for_subscriptions_snapshots_and_bars() {
    let ring = KeyRing::new(&[
        entry("bars", "symbols = [\"*\"]\nchannels = [\"bars.1?\", \"trades\"]"),
        entry("slow", "symbols = [\"*\"]\nmax_hz = 2\nsymbols_max = 2"),
    ]);
    let server = spawn_app(|settings| {
        ring.require(settings);
        settings.feed.events_per_second = 3_000.0;
    });
    let mut client = Client::connect_as(server.address, "bars").await;
    assert_eq!(client.welcome["limits"]["channels"], json!(["trades", "bars.1s", "bars.1m", "bars.1h", "bars.1d"]));
    let request = json!({"action": "subscribe", "symbols": ["AAPL"], "channels": ["trades", "quotes"]});
    assert_eq!(codes(&client.ask(request).await), ["forbidden_channel"]);
    client.subscribe(&["AAPL"], &["trades"]).await;
    let snapshot = client.until("the snapshot", |message| message["type"] == "snapshot").await.pop().unwrap();
    let rest = get_as(server.address, "bars", "/api/v1/snapshot?symbols=AAPL").await.json()["snapshots"][0].clone();
    for snapshot in [&snapshot, &rest] {
        assert!(snapshot["price"].is_number() && snapshot["prev_close"].is_number(), "{snapshot}");
        assert!(snapshot.get("bid").is_none() && snapshot.get("ask_size").is_none(), "{snapshot}");
        assert!(snapshot["seq"].get("quotes").is_none() && snapshot["seq"]["trades"].is_number(), "{snapshot}");
    }
    for (path, status) in [
        ("/api/v1/bars?symbol=AAPL&interval=5m", 403),
        ("/api/v1/bars?symbol=AAPL&interval=1m", 200),
        ("/api/v1/poll?symbols=AAPL&channels=quotes&wait_ms=0", 403),
        ("/api/v1/stream?symbols=AAPL&channels=quotes", 403),
    ] {
        let answer = get_as(server.address, "bars", path).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(status == 200 || answer.problem()["code"] == "forbidden_channel", "{path}");
    }
    let mut slow = Client::connect_as(server.address, "slow").await;
    assert_eq!(
        slow.welcome["limits"],
        json!({"symbols": 2, "message_bytes": 65536, "max_hz": 2, "channels":
        ["trades", "quotes", "bars.1s", "bars.1m", "bars.5m", "bars.15m", "bars.1h", "bars.1d", "corrections", "cancels",
         "bars.1m.updated", "bars.1d.ny"]})
    );
    assert_eq!(codes(&slow.ask(json!({"action": "subscribe", "symbols": ["AAPL"]})).await), ["forbidden_mode"]);
    let many = json!({"action": "subscribe", "symbols": ["AAPL", "MSFT", "NVDA"], "mode": "latest"});
    assert_eq!(codes(&slow.ask(many).await), ["limit_exceeded"]);
    for max_hz in [json!(null), json!(1000), json!(1)] {
        let request = json!({"action": "subscribe", "symbols": ["AAPL"], "mode": "latest", "max_hz": max_hz});
        let answer = slow.ask(request).await.pop().unwrap();
        assert_eq!(answer["subscriptions"][0]["max_hz"], if max_hz == 1 { 1 } else { 2 });
    }
    // A dialect of a vendor has neither rates nor parts of channels.
    for id in ["bars", "slow"] {
        let answer =
            crate::http::get(server.address, &format!("/v3/snapshot?apiKey={}", secret(id).replace(' ', "%20"))).await;
        assert_eq!(answer.status, 403, "{}", answer.text());
    }
}

#[actix_web::test]
async fn the_dialects_of_vendors_have_the_symbols_of_the_key_only() {
    let ring = KeyRing::new(&two_keys());
    let server = spawn_app(|settings| {
        ring.require(settings);
        settings.feed.events_per_second = 3_000.0;
    });
    let word = secret(NARROW).replace(' ', "%20");
    let names = ["NVDA", "TSLA", "GOOG", "AMZN", "META"];
    for path in [
        "/v3/reference/tickers?limit=1000&",
        "/v3/snapshot?limit=250&",
        "/v2/snapshot/locale/us/markets/stocks/tickers?",
        "/v2/snapshot/locale/us/markets/stocks/gainers?",
        "/v2/snapshot/locale/us/markets/stocks/losers?",
        "/v2/aggs/grouped/locale/us/market/stocks/2026-03-02?",
        "/v2/snapshot/locale/us/markets/stocks/tickers?tickers=AAPL,QQQ&",
    ] {
        let answer = crate::http::get(server.address, &format!("{path}apiKey={word}")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert!(!names.iter().any(|name| answer.text().contains(name)), "{path}: {}", answer.text());
    }
    for (path, header) in
        [("/finnhub/api/v1/stock/symbol?exchange=US", "token"), ("/finnhub/api/v1/search?q=a", "token")]
    {
        let answer = crate::http::get(server.address, &format!("{path}&{header}={word}")).await;
        assert!(answer.status == 200 && answer.text().contains("AAPL"), "{path}: {}", answer.text());
        assert!(!names.iter().any(|name| answer.text().contains(name)), "{path}: {}", answer.text());
    }
    for path in ["/v3/trades/NVDA", "/v2/last/trade/NVDA", "/v2/aggs/ticker/NVDA/prev", "/v2/stocks/NVDA/trades/latest"]
    {
        let headers = [("Authorization", &*header_of(NARROW))];
        let path = format!("{path}?apiKey={word}");
        let known = crate::http::request(server.address, awc::http::Method::GET, &path, &headers).await;
        let path = path.replace("NVDA", "NOPE");
        let unknown = crate::http::request(server.address, awc::http::Method::GET, &path, &headers).await;
        let shape = |text: &str| {
            let text = text.replace("NVDA", "X").replace("NOPE", "X");
            text.split("\"request_id\":\"").next().unwrap().to_owned()
        };
        assert_eq!((known.status, shape(known.text())), (unknown.status, shape(unknown.text())), "{path}");
    }
    let mut stream = JsonClient::open(server.address, "/stocks").await;
    stream.array().await;
    assert_eq!(stream.ask("auth", &secret(NARROW)).await, status("auth_success", "authenticated"));
    stream.send(&json!({"action": "subscribe", "params": "T.*,Q.*,A.*"})).await;
    stream.send(&json!({"action": "subscribe", "params": "T.NVDA"})).await;
    let mut seen = BTreeSet::new();
    let mut events = 0;
    while events < 60 {
        for event in stream.array().await {
            events += 1;
            seen.extend(event["sym"].as_str().map(str::to_owned));
        }
    }
    assert_eq!(seen, BTreeSet::from(["AAPL".to_owned(), "MSFT".to_owned()]));
    let mut test = JsonClient::open_with(server.address, "/v2/test", &[("Authorization", &header_of(NARROW))]).await;
    test.send(&json!({"action": "subscribe", "trades": ["*"], "quotes": ["FAKEPACA"]})).await;
    let mut alpaca = JsonClient::open_with(server.address, "/v2/iex", &[("Authorization", &header_of(NARROW))]).await;
    alpaca.send(&json!({"action": "subscribe", "trades": ["*", "NVDA"], "quotes": ["*"]})).await;
    let mut seen = BTreeSet::new();
    for _ in 0..10 {
        let frame = alpaca.next().await.unwrap();
        seen.extend(frame.as_array().unwrap().iter().filter_map(|event| event["S"].as_str().map(str::to_owned)));
    }
    assert_eq!(seen, BTreeSet::from(["AAPL".to_owned(), "MSFT".to_owned()]));
}
