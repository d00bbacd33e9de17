//! Faults on the streams of vendors: each kind, in the dialect and the codec of the session, and counted.

use chrono::DateTime;
use serde_json::{Value, json};
use tickcast::metrics::FAULT_KINDS;
use tickcast::protocol::CloseReason;
use tokio_tungstenite::tungstenite::Message;

use crate::alpaca_client::{CODECS, auth, unpacked};
use crate::json_client::{Closed, JsonClient, authenticated};
use crate::patience::wait_until;
use crate::spawn::{TestServer, spawn_app};

/// Trades that are compared.
const TRADES: usize = 60;
/// How far [`Kind::check`] of `time_skew` expects times to be moved, in milliseconds.
const SKEW_MS: i64 = 90_000;

/// Price, size, and time in milliseconds.
type Trade = (f64, u64, i64);

/// A vendor's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Massive,
    Finnhub,
    Alpaca,
    /// Alpaca in MessagePack.
    Packed,
}

impl Stream {
    const ALL: [Self; 4] = [Self::Massive, Self::Finnhub, Self::Alpaca, Self::Packed];

    fn dialect(self) -> &'static str {
        match self {
            Self::Massive => "massive",
            Self::Finnhub => "finnhub",
            Self::Alpaca | Self::Packed => "alpaca",
        }
    }

    fn path(self, client: &str) -> String {
        match self {
            Self::Massive => format!("/stocks?client={client}"),
            Self::Finnhub => format!("/?token=tickcast&client={client}"),
            Self::Alpaca | Self::Packed => format!("/v2/iex?client={client}"),
        }
    }

    /// Connects under this name, and subscribes to the trades of a symbol.
    async fn subscribed(self, server: &TestServer, client: &str) -> JsonClient {
        let headers = CODECS[usize::from(self == Self::Packed)];
        let mut socket = JsonClient::open_with(server.address, &self.path(client), headers).await;
        match self {
            Self::Massive => {
                socket = authenticated(socket).await;
                socket.send(&json!({"action": "subscribe", "params": "T.AAPL"})).await;
            }
            Self::Finnhub => socket.send(&json!({"type": "subscribe", "symbol": "AAPL"})).await,
            Self::Alpaca | Self::Packed => {
                socket.send(&auth("tickcast", "tickcast")).await;
                socket.send(&json!({"action": "subscribe", "trades": ["AAPL"]})).await;
            }
        }
        socket
    }

    /// Returns a request, and what the frame with its answer contains.
    fn question(self) -> (Value, &'static str) {
        match self {
            Self::Massive => (json!({"action": "subscribe", "params": "AM.KO"}), "subscribed to: AM.KO"),
            Self::Finnhub => (json!([]), "Invalid message"),
            Self::Alpaca | Self::Packed => (json!({"action": "subscribe", "bars": ["KO"]}), r#""bars":["KO"]"#),
        }
    }

    /// Returns the trades of a frame.
    fn trades(self, frame: &Value) -> Vec<Trade> {
        let (events, size) = match self {
            Self::Finnhub => (frame["data"].as_array(), "v"),
            Self::Massive | Self::Alpaca | Self::Packed => (frame.as_array(), "s"),
        };
        let trades = events.into_iter().flatten().filter(|event| !event["p"].is_null());
        trades
            .map(|event| (event["p"].as_f64().unwrap(), event[size].as_u64().unwrap(), milliseconds(&event["t"])))
            .collect()
    }

    /// Adds a rule for this client.
    async fn strike(self, server: &TestServer, rule: &Value, client: &str) -> u64 {
        let mut rule = rule.clone();
        rule["client"] = json!(client);
        rule["dialect"] = json!(self.dialect());
        server.add_fault(&rule).await
    }
}

/// Returns a time, which is a number of milliseconds or RFC 3339.
fn milliseconds(time: &Value) -> i64 {
    let read = |text| DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis();
    time.as_i64().unwrap_or_else(|| read(time.as_str().unwrap()))
}

/// Reads until `is_over` of the trades so far. Returns them, and the frames that were broken.
async fn read(stream: Stream, socket: &mut JsonClient, is_over: impl Fn(&[Trade]) -> bool) -> (Vec<Trade>, usize) {
    let (mut trades, mut broken) = (Vec::new(), 0);
    while !is_over(&trades) {
        let frame = match socket.next_message().await.expect("the connection lives") {
            Message::Text(text) => serde_json::from_str(&text).ok(),
            // No type of MessagePack begins with this byte.
            Message::Binary(bytes) => Some(bytes).filter(|bytes| bytes[0] != 0xC1).map(|bytes| unpacked(&bytes)),
            _ => continue,
        };
        match frame {
            Some(frame) => trades.extend(stream.trades(&frame)),
            None => broken += 1,
        }
    }
    (trades, broken)
}

fn busy() -> TestServer {
    spawn_app(|settings| {
        settings.feed.events_per_second = 3_000.0;
        settings.feed.quotes_per_trade = 0.0;
        settings.feed.amendments_per_million_trades = 0;
    })
}

/// Returns how often a kind has struck.
fn strikes(server: &TestServer, rule: &Value) -> u64 {
    server.metrics.faults(FAULT_KINDS.into_iter().find(|kind| rule["kind"] == *kind).unwrap())
}

/// Returns the place of each trade in `all`; trades of it that look alike are rare, and follow each other.
fn places(trades: &[Trade], all: &[Trade]) -> Vec<usize> {
    trades.iter().map(|trade| all.iter().position(|other| other == trade).expect("a trade of the market")).collect()
}

/// Returns whether `trades` are a part of `all`, without a hole.
fn is_part(trades: &[Trade], all: &[Trade]) -> bool {
    all.windows(trades.len()).any(|part| part == trades)
}

/// Judges the trades of a client with a fault by those of one without.
type Check = fn(&[Trade], &[Trade], usize) -> bool;

/// The faults of the data, each with what it does to trades.
fn faults_of_data() -> [(Value, Check); 7] {
    [
        (json!({"kind": "gap", "chance": 0.5}), |got, sent, broken| {
            let places = places(got, sent);
            broken == 0 && places.is_sorted() && places[got.len() - 1] - places[0] > got.len()
        }),
        (json!({"kind": "duplicate"}), |got, sent, _| {
            let twice: Vec<_> = sent.iter().flat_map(|trade| [*trade, *trade]).collect();
            is_part(got, &twice)
        }),
        (json!({"kind": "reorder", "chance": 0.5}), |got, sent, _| {
            let mut places = places(got, sent);
            let was_sorted = places.is_sorted();
            places.sort_unstable();
            // The last one may still wait for its successor.
            let whole = &places[..places.len() - 1];
            !was_sorted && whole.windows(2).all(|pair| pair[0] + 1 >= pair[1])
        }),
        (json!({"kind": "garbage", "chance": 0.5}), |got, sent, broken| broken > 0 && places(got, sent).is_sorted()),
        (json!({"kind": "bad_price", "price": "zero"}), |got, sent, _| {
            is_part(got, &sent.iter().map(|(_, size, ms)| (0.0, *size, *ms)).collect::<Vec<_>>())
        }),
        (json!({"kind": "bad_price", "price": "spike"}), |got, sent, _| {
            let tenth: Vec<_> =
                got.iter().map(|(price, size, ms)| ((price * 10.0).round() / 100.0, *size, *ms)).collect();
            let cents: Vec<_> =
                sent.iter().map(|(price, size, ms)| ((price * 100.0).round() / 100.0, *size, *ms)).collect();
            is_part(&tenth, &cents)
        }),
        (json!({"kind": "time_skew", "ms": -SKEW_MS}), |got, sent, _| {
            is_part(got, &sent.iter().map(|(price, size, ms)| (*price, *size, ms - SKEW_MS)).collect::<Vec<_>>())
        }),
    ]
}

#[actix_web::test]
async fn each_fault_of_the_data_does_to_the_trades_of_a_vendor_what_it_says() {
    for stream in Stream::ALL {
        let server = busy();
        let mut witness = stream.subscribed(&server, "witness").await;
        let (mut sent, _) = read(stream, &mut witness, |trades| !trades.is_empty()).await;
        for (rule, check) in faults_of_data() {
            let before = strikes(&server, &rule);
            let id = stream.strike(&server, &rule, "bot").await;
            let mut bot = stream.subscribed(&server, "bot").await;
            let (got, broken) = read(stream, &mut bot, |trades| trades.len() > TRADES).await;
            let skew = if rule["kind"] == "time_skew" { SKEW_MS } else { 0 };
            let end = got.iter().map(|trade| trade.2).max().unwrap() + skew;
            sent.extend(read(stream, &mut witness, |trades| trades.last().is_some_and(|last| last.2 > end)).await.0);
            assert!(check(&got, &sent, broken), "{stream:?} {rule}: {got:?}\n of {sent:?}");
            assert!(strikes(&server, &rule) > before, "{stream:?} {rule}");
            server.remove_fault(id).await;
        }
    }
}

#[actix_web::test]
async fn a_crossed_quote_of_massive_has_the_bid_above_the_ask() {
    let server = spawn_app(|_| {});
    Stream::Massive.strike(&server, &json!({"kind": "bad_price", "price": "crossed"}), "bot").await;
    let mut bot = authenticated(JsonClient::open(server.address, &Stream::Massive.path("bot")).await).await;
    bot.ask("subscribe", "Q.*").await;
    for quote in bot.array().await {
        assert!(quote["bp"].as_f64() > quote["ap"].as_f64(), "{quote}");
    }
}

/// Reads what was sent before the fault, up to the pong to a ping that is sent now.
async fn read_pong(socket: &mut JsonClient) {
    socket.send_message(Message::Ping("now".into())).await;
    while !matches!(socket.next_message().await.expect("the connection lives"), Message::Pong(_)) {}
}

#[actix_web::test]
async fn each_fault_that_ends_a_connection_of_a_vendor_ends_it_as_it_says() {
    for stream in Stream::ALL {
        let server = busy();
        let refuse = stream.strike(&server, &json!({"kind": "refuse", "status": 429}), "bot").await;
        let refused = JsonClient::try_open(server.address, &stream.path("bot")).await;
        assert_eq!(refused.err(), Some(429), "{stream:?}");
        server.remove_fault(refuse).await;
        let ended = [
            (402, "auth_failed", None, None),
            (406, "max_connections", Some(4502), Some(4502)),
            (409, "auth_failed", None, None),
        ];
        // A session of Alpaca goes on: `faults_alpaca.rs`.
        for (code, status, massive, finnhub) in ended.into_iter().filter(|_| stream.dialect() != "alpaca") {
            let id = stream.strike(&server, &json!({"kind": "auth_error", "code": code}), "bot").await;
            let mut bot = JsonClient::open(server.address, &stream.path("bot")).await;
            let expected = if stream == Stream::Massive {
                bot.send(&json!({"action": "auth", "params": "tickcast"})).await;
                (Some(status), Closed(massive))
            } else {
                (None, Closed(finnhub))
            };
            let (last, closed) = bot.read_to_end().await;
            let status = last.as_ref().and_then(|frame| frame[0]["status"].as_str());
            assert_eq!((status, closed), expected, "{stream:?} {code}");
            server.remove_fault(id).await;
        }
        for (rule, code) in [
            (json!({"kind": "drop", "after_messages": 20}), None),
            (json!({"kind": "close", "code": 4321, "after_messages": 20}), Some(4321)),
        ] {
            let id = stream.strike(&server, &rule, "bot").await;
            let mut bot = stream.subscribed(&server, "bot").await;
            let (last, closed) = bot.read_to_end().await;
            assert!(!stream.trades(&last.unwrap()).is_empty(), "data came before");
            assert_eq!((closed, strikes(&server, &rule)), (Closed(code), 1), "{stream:?} {rule}");
            server.remove_fault(id).await;
        }
    }
}

#[actix_web::test]
async fn each_fault_of_a_vendors_connection_that_lasts_is_what_it_says() {
    for stream in Stream::ALL {
        let server = busy();
        let mut bot = stream.subscribed(&server, "bot").await;
        read(stream, &mut bot, |trades| !trades.is_empty()).await;

        let rule = json!({"kind": "mute"});
        let id = stream.strike(&server, &rule, "bot").await;
        wait_until("strikes", 1, || strikes(&server, &rule)).await;
        read_pong(&mut bot).await;
        let mut witness = stream.subscribed(&server, "witness").await;
        read(stream, &mut witness, |trades| trades.len() > TRADES).await;
        bot.send_message(Message::Ping("again".into())).await;
        let next = bot.next_message().await.unwrap();
        assert!(matches!(next, Message::Pong(_)), "{stream:?}: nothing but the pong: {next:?}");
        server.remove_fault(id).await;
        read(stream, &mut bot, |trades| !trades.is_empty()).await;

        let rule = json!({"kind": "stall"});
        let id = stream.strike(&server, &rule, "bot").await;
        wait_until("strikes", 1, || strikes(&server, &rule)).await;
        let (question, answer) = stream.question();
        bot.send(&question).await;
        for _ in 0..10 {
            let frame = bot.next().await.unwrap();
            assert!(!stream.trades(&frame).is_empty(), "{stream:?}: data goes on, and no answer: {frame}");
        }
        server.remove_fault(id).await;
        while !bot.next().await.unwrap().to_string().contains(answer) {}

        for rule in [
            json!({"kind": "delay", "ms": 60_000}),
            json!({"kind": "burst", "ms": 60_000}),
            json!({"kind": "jitter", "ms": 20, "seed": 9}),
            json!({"kind": "slow", "bytes_per_second": 1_000_000}),
        ] {
            let id = stream.strike(&server, &rule, "bot").await;
            wait_until("strikes", 1, || strikes(&server, &rule)).await;
            let mut witness = stream.subscribed(&server, "witness").await;
            let (sent, _) = read(stream, &mut witness, |trades| trades.len() > TRADES).await;
            server.remove_fault(id).await;
            let end = sent[sent.len() - 1].2;
            let is_over = |trades: &[Trade]| trades.last().is_some_and(|last| last.2 > end);
            let (got, _) = read(stream, &mut bot, is_over).await;
            assert!(is_part(&sent, &got), "{stream:?} {rule}: {sent:?}\n in {got:?}");
        }

        drop(witness);
        wait_until("sessions", 1, || server.sessions()).await;
        let mut witness = stream.subscribed(&server, "witness").await;
        let rule = json!({"kind": "half_open"});
        stream.strike(&server, &rule, "bot").await;
        wait_until("strikes", 1, || strikes(&server, &rule)).await;
        bot.send_message(Message::Ping("are you there".into())).await;
        bot.send(&stream.question().0).await;
        read(stream, &mut witness, |trades| trades.len() > TRADES).await;
        assert_eq!(server.sessions(), 2, "{stream:?}: it stays");
        bot.finish_sending().await;
        while let Ok(message) = bot.next_message().await {
            let text = match &message {
                Message::Binary(bytes) => unpacked(bytes).to_string(),
                other => other.to_string(),
            };
            let is_answer = matches!(message, Message::Pong(_)) && text.contains("are you");
            assert!(!is_answer && !text.contains(answer), "{stream:?}: {text}");
        }
    }
}

#[actix_web::test]
async fn a_client_that_a_fault_slows_is_told_and_closed_as_a_slow_client_of_the_vendor() {
    let server = spawn_app(|settings| {
        settings.feed.events_per_second = 10_000.0;
        settings.feed.quotes_per_trade = 0.0;
        settings.push.outbox_events_max = 50;
    });
    for (number, stream) in (1..).zip(Stream::ALL) {
        let id = stream.strike(&server, &json!({"kind": "slow", "bytes_per_second": 10_000}), "bot").await;
        let mut bot = stream.subscribed(&server, "bot").await;
        let (last, closed) = bot.read_to_end().await;
        let last = last.unwrap();
        match stream {
            Stream::Massive => assert_eq!(last[0]["status"], "slow_consumer"),
            Stream::Finnhub => assert!(!stream.trades(&last).is_empty(), "no message: {last}"),
            Stream::Alpaca | Stream::Packed => assert_eq!(last[0]["code"], 407),
        }
        assert_eq!(closed, Closed(Some(4004)), "{stream:?}");
        assert_eq!(server.metrics.closes(CloseReason::Lagging), number, "{stream:?}");
        server.remove_fault(id).await;
    }
}

#[actix_web::test]
async fn a_client_that_a_fault_keeps_from_authenticating_has_time_for_it_afterwards() {
    let server = spawn_app(|settings| settings.session.auth_timeout_ms = 300);
    let mut late = 0;
    for stream in [Stream::Massive, Stream::Alpaca] {
        let auth = json!({"action": "auth", "params": "tickcast", "key": "tickcast", "secret": "tickcast"});
        for kind in ["half_open", "stall", "delay"] {
            let mut rule = json!({"kind": kind});
            if kind == "delay" {
                rule["ms"] = json!(60_000);
            }
            let id = stream.strike(&server, &rule, "bot").await;
            let mut bot = JsonClient::open(server.address, &stream.path("bot")).await;
            if kind != "delay" {
                bot.send(&auth).await;
            }
            // The time of the second one begins after that of the bot has ended.
            for _ in 0..2 {
                let mut witness = JsonClient::open(server.address, &stream.path("witness")).await;
                assert_eq!(witness.read_to_end().await.1, Closed(Some(4408)));
                late += 1;
            }
            wait_until("sessions", 1, || server.sessions()).await;
            assert_eq!(server.metrics.closes(CloseReason::AuthTimeout), late, "{stream:?} {kind}: the bot stays");
            server.remove_fault(id).await;
            if kind != "half_open" {
                assert!(bot.next().await.unwrap().to_string().contains("connected"), "{stream:?} {kind}");
                if kind == "delay" {
                    bot.send(&auth).await;
                }
                assert!(bot.next().await.unwrap().to_string().contains("authenticated"), "{stream:?} {kind}");
            }
            drop(bot);
            wait_until("sessions", 0, || server.sessions()).await;
        }
    }
}
