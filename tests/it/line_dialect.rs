//! A second dialect beside the native one, defined here and served by the real server: lines of text. What a dialect needs is all
//! in this file, as it would be in a folder below `protocol/`.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::web::ServiceConfig;
use bytes::{BufMut, BytesMut};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tickcast::domain::{Channel, Event, EventBody};
use tickcast::hub::{End, Ender};
use tickcast::protocol::{
    ClientMessage, CloseReason, DecodeError, Dialect, ErrorCode, Group, Mistake, Mode, Refusal, Request, Selector,
    ServerMessage, Subscribe,
};
use tickcast::session::Session;
use tickcast::transport::{MessageHandler, Opening, websocket};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::client::Client;
use crate::patience::patiently;
use crate::spawn::spawn_app_with;

/// How often each event was encoded in [`Lines`], by its offset, of the one server whose clients are counted.
static ENCODED: Mutex<BTreeMap<u64, usize>> = Mutex::new(BTreeMap::new());

/// Ends the newest session that has a deadline.
static ENDER: Mutex<Option<Ender>> = Mutex::new(None);

/// Trades as `symbol seq price size`, everything else that it has as a word and what belongs to it. There are no quotes
/// and snapshots.
struct Lines<const COUNTED: bool>;

impl<const COUNTED: bool> Dialect for Lines<COUNTED> {
    type Request = ClientMessage;
    type Mistake = DecodeError;
    const IS_TEXT: bool = true;
    const SUBPROTOCOL: Option<&'static str> = Some("lines");
    const JOINT: &'static [u8] = b"\n";

    /// `+AAPL` subscribes to trades and quotes, `~AAPL` to the newest of them, `=AAPL` to quotes, which have no form here.
    fn decode(bytes: &[u8]) -> Result<ClientMessage, DecodeError> {
        let mode = match bytes.first() {
            Some(b'+' | b'=') => Mode::All,
            Some(b'~') => Mode::Latest(None),
            _ => {
                let mistake = Mistake::new(ErrorCode::UnknownAction, "what?");
                return Err(DecodeError { id: None, mistake });
            }
        };
        let symbol = String::from_utf8_lossy(&bytes[1..]).into_owned();
        let symbols = vec![if symbol == "*" { Selector::All } else { Selector::Symbol(symbol) }];
        let channels = [Channel::Trades, Channel::Quotes];
        let channels = channels.into_iter().skip(usize::from(bytes[0] == b'=')).collect();
        let subscribe = Subscribe { symbols, channels, mode, on_lag: None, after: None };
        Ok(ClientMessage { id: None, request: Request::Subscribe(subscribe) })
    }

    fn encode_event(event: &Event, out: &mut Vec<u8>) {
        if COUNTED {
            *ENCODED.lock().unwrap_or_else(PoisonError::into_inner).entry(event.offset).or_default() += 1;
        }
        let EventBody::Trade(trade) = &event.body else { panic!("there are only trades: {event:?}") };
        let line = format!("{} {} {} {}", event.symbol, event.seq, trade.price, trade.size.shares());
        out.extend_from_slice(line.as_bytes());
    }

    fn encode_skipped(event: &[u8], skipped: u32, out: &mut impl BufMut) {
        out.put_slice(event);
        out.put_slice(format!(" +{skipped}").as_bytes());
    }

    fn encode_message(message: &ServerMessage, out: &mut impl BufMut) {
        let line = match message {
            ServerMessage::Welcome(welcome) => format!("welcome {}", welcome.offset),
            ServerMessage::Subscribed(subscribed) => format!("subscribed {}", subscribed.items.len()),
            ServerMessage::Error { mistake, .. } => format!("error {}", mistake.code),
            ServerMessage::Heartbeat { .. } => "heartbeat".into(),
            ServerMessage::Lag { skipped, .. } => format!("lag {skipped}"),
            ServerMessage::Goodbye { reason, .. } => format!("goodbye {reason}"),
            other => format!("{other:?}"),
        };
        out.put_slice(line.as_bytes());
    }

    fn event_group(event: &Event) -> Option<Group> {
        matches!(event.body, EventBody::Trade(_)).then_some(Group::Shared(0))
    }

    fn message_group(message: &ServerMessage) -> Option<Group> {
        match message {
            ServerMessage::Snapshot { .. } => None,
            _ => Some(Group::Alone),
        }
    }

    fn begin_frame(_: Group, _: &mut BytesMut) {}

    fn end_frame(group: Group, messages: usize, _: usize, out: &mut BytesMut) {
        if group != Group::Alone {
            out.put_slice(format!("\nin all {messages}").as_bytes());
        }
    }
}

/// Serves one client that speaks in lines, until a deadline if its address has one: `?deadline_ms=`. `!` lifts the deadline.
struct LineHandler<const COUNTED: bool> {
    session: Session,
    deadline: Option<Instant>,
}

impl<const COUNTED: bool> MessageHandler for LineHandler<COUNTED> {
    type Dialect = Lines<COUNTED>;

    const BINARY: bool = true;

    fn open(session: Session, opening: Opening<'_>, now: Instant) -> Self {
        session.welcome(opening.name, now).unwrap();
        let deadline_ms = opening.request.query_string().strip_prefix("deadline_ms=");
        let deadline = deadline_ms.map(|ms| now + Duration::from_millis(ms.parse().unwrap()));
        if deadline.is_some() {
            *ENDER.lock().unwrap() = Some(opening.ender);
        }
        Self { session, deadline }
    }

    fn text(&mut self, text: &str, now: Instant) -> Result<(), CloseReason> {
        self.binary(text.as_bytes(), now)
    }

    /// A message may contain several requests, with commas between them.
    fn binary(&mut self, payload: &[u8], now: Instant) -> Result<(), CloseReason> {
        if payload == b"!" {
            self.deadline = None;
            return self.session.reply_now(ServerMessage::Authenticated, now);
        }
        let mut requests = payload.split(|byte| *byte == b',');
        requests.try_for_each(|request| self.session.handle(Lines::<COUNTED>::decode(request), request.len(), now))
    }

    fn heartbeat(&self, now: Instant) -> Result<(), CloseReason> {
        self.session.heartbeat(now)
    }

    fn pause(&mut self, now: Instant) -> Duration {
        self.session.pause(now)
    }

    fn deadline(&self) -> Option<(Instant, CloseReason)> {
        self.deadline.map(|deadline| (deadline, CloseReason::AuthTimeout))
    }

    fn farewell(&self, reason: CloseReason, now: Instant) {
        if matches!(reason, CloseReason::AuthTimeout | CloseReason::Replaced) {
            self.session.say_farewell(ServerMessage::Refused(Refusal::AuthTimeout), now);
        }
    }
}

/// The routes of a server that speaks in lines at `/lines`, and counts what it encodes for `/counted`.
fn routes(config: &mut ServiceConfig) {
    config.service(websocket::<LineHandler<false>>("/lines")).service(websocket::<LineHandler<true>>("/counted"));
}

/// A client that speaks in lines.
struct LineClient(WebSocketStream<TcpStream>);

impl LineClient {
    /// Connects and reads the first frame.
    async fn connect(server: SocketAddr, path: &str) -> Self {
        let stream = TcpStream::connect(server).await.unwrap();
        let opened = patiently("the handshake", client_async(format!("ws://{server}{path}"), stream)).await;
        let mut client = Self(opened.unwrap().0);
        let first = client.next_frame().await;
        assert!(first.len() == 1 && first[0].starts_with("welcome "), "{first:?}");
        client
    }

    async fn send(&mut self, request: &'static str) {
        self.0.send(Message::Binary(request.into())).await.unwrap();
    }

    /// Returns the lines of the next frame; the last one of a frame that may have several is checked.
    async fn next_frame(&mut self) -> Vec<String> {
        loop {
            let text = match patiently("a frame", self.0.next()).await.unwrap().unwrap() {
                Message::Text(text) => text,
                Message::Ping(_) => continue,
                other => panic!("neither text nor a ping: {other:?}"),
            };
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            if let Some(count) = lines.last().and_then(|last| last.strip_prefix("in all ")) {
                assert_eq!(count.parse(), Ok(lines.len() - 1), "{text}");
                lines.pop();
            } else {
                assert_eq!(lines.len(), 1, "alone: {text}");
            }
            return lines;
        }
    }

    /// Returns so many trades: symbol and `seq`, price and size.
    async fn trades(&mut self, count: usize) -> HashMap<(String, u64), (f64, u64)> {
        let mut trades = HashMap::new();
        while trades.len() < count {
            // A slow machine makes slow clients.
            for line in self.next_frame().await.iter().filter(|line| !line.starts_with("lag ") && *line != "heartbeat")
            {
                let words: Vec<_> = line.split(' ').collect();
                let [symbol, seq, price, size] = words[..] else { panic!("no trade: {line}") };
                let trade = (price.parse().unwrap(), size.parse().unwrap());
                let before = trades.insert((symbol.to_owned(), seq.parse().unwrap()), trade);
                assert_eq!(before, None, "twice: {line}");
            }
        }
        trades
    }
}

/// Returns the trades among messages of the native dialect.
fn native_trades(messages: &[Value]) -> HashMap<(String, u64), (f64, u64)> {
    let trade = |message: &Value| {
        let name = (message["symbol"].as_str().unwrap().to_owned(), message["seq"].as_u64().unwrap());
        (name, (message["price"].as_f64().unwrap(), message["size"].as_u64().unwrap()))
    };
    messages.iter().filter(|message| message["type"] == "trade").map(trade).collect()
}

#[actix_web::test]
async fn two_dialects_tell_the_same_events_and_each_encodes_an_event_once_if_anybody_wants_it() {
    let server = spawn_app_with(routes, |settings| settings.feed.events_per_second = 2_000.0);
    let mut native = Client::connect(server.address).await;
    native.subscribe(&["*"], &["trades", "quotes"]).await;
    let unshared = native_trades(&native.events(500).await);
    assert!(ENCODED.lock().unwrap().is_empty(), "nobody speaks in lines yet");

    // On both worker threads, more likely than not.
    let mut clients = Vec::new();
    for _ in 0..6 {
        let mut client = LineClient::connect(server.address, "/counted").await;
        client.send("+*").await;
        assert_eq!(client.next_frame().await, ["subscribed 1"]);
        clients.push(client);
    }
    let mut told = Vec::new();
    for client in &mut clients {
        told.push(client.trades(500).await);
    }
    let mut shared = native_trades(&native.events(3_000).await);
    let is_in_all = |name: &(String, u64)| told.iter().all(|told| told.contains_key(name));
    shared.retain(|name, _| is_in_all(name));
    assert!(shared.len() > 100, "{} trades were told to everybody", shared.len());
    for told in &told {
        assert!(shared.iter().all(|(name, trade)| told[name] == *trade), "in the same words");
        assert!(unshared.keys().all(|name| !told.contains_key(name)));
    }
    let encoded = ENCODED.lock().unwrap();
    assert!(encoded.len() >= 500 && encoded.values().all(|times| *times == 1), "{encoded:?}");
}

#[actix_web::test]
async fn events_that_the_dialect_does_not_have_are_not_counted_and_do_not_replace_a_heartbeat() {
    let server = spawn_app_with(routes, |settings| {
        settings.feed.events_per_second = 2_000.0;
        settings.session.heartbeat_ms = 200;
    });
    let mut client = LineClient::connect(server.address, "/lines").await;
    client.send("=*").await;
    assert_eq!(client.next_frame().await, ["subscribed 1"]);
    for _ in 0..3 {
        assert_eq!(client.next_frame().await, ["heartbeat"]);
    }
    assert!(server.metrics.events_published.get() > 100, "there were quotes");
    assert_eq!(server.metrics.events_delivered.get(), 0);
}

#[actix_web::test]
async fn a_message_of_a_dialect_may_contain_several_requests() {
    let server = spawn_app_with(routes, |_| {});
    let mut client = LineClient::connect(server.address, "/lines").await;
    client.send("+AAPL,?,~MSFT").await;
    // An error goes before queued answers.
    let mut answers = [client.next_frame().await, client.next_frame().await, client.next_frame().await].concat();
    answers.sort();
    assert_eq!(answers, ["error unknown_action", "subscribed 1", "subscribed 2"]);
}

#[actix_web::test]
async fn a_session_in_another_dialect_has_answers_modes_heartbeats_and_an_end_as_any_other() {
    let mut server = spawn_app_with(routes, |settings| {
        settings.feed.events_per_second = 5_000.0;
        settings.push.coalesce_ms = 100;
    });
    let mut client = LineClient::connect(server.address, "/lines").await;
    client.send("?").await;
    assert_eq!(client.next_frame().await, ["error unknown_action"]);
    client.send("+NOBODY").await;
    assert_eq!(client.next_frame().await, ["error unknown_symbol"], "the session lives");
    client.send("~*").await;
    assert_eq!(client.next_frame().await, ["subscribed 1"]);
    let is_conflated = |line: &String| line.contains(" +");
    patiently("a trade that stands for others", async { while !client.next_frame().await.iter().any(is_conflated) {} })
        .await;
    server.shut_down();
    let goodbye = async { while client.next_frame().await != ["goodbye shutdown"] {} };
    patiently("the last message", goodbye).await;
    let close = patiently("the close frame", client.0.next()).await.unwrap().unwrap();
    assert!(matches!(&close, Message::Close(Some(frame)) if u16::from(frame.code) == 1001), "{close:?}");
}

#[actix_web::test]
async fn a_handler_has_a_deadline_a_last_word_and_an_end_from_another_thread() {
    let server = spawn_app_with(routes, |settings| {
        settings.session.heartbeat_ms = 400;
    });
    for is_lifted in [false, true] {
        let mut client = LineClient::connect(server.address, "/lines?deadline_ms=1000").await;
        let reason = if is_lifted {
            client.send("!").await;
            assert_eq!(client.next_frame().await, ["Authenticated"]);
            for _ in 0..4 {
                assert_eq!(client.next_frame().await, ["heartbeat"], "long after the deadline");
            }
            let ender = ENDER.lock().unwrap().take().unwrap();
            let end = End { reason: CloseReason::Replaced, retry_after_ms: None };
            std::thread::spawn(move || ender.try_send(end).unwrap()).join().unwrap();
            CloseReason::Replaced
        } else {
            CloseReason::AuthTimeout
        };
        patiently("the last word", async { while client.next_frame().await != ["Refused(AuthTimeout)"] {} }).await;
        let close = patiently("the close frame", client.0.next()).await.unwrap().unwrap();
        assert!(matches!(&close, Message::Close(Some(frame)) if u16::from(frame.code) == reason.code()), "{close:?}");
        assert_eq!(server.metrics.closes(reason), 1);
    }
    assert_eq!(server.metrics.refusals(Refusal::AuthTimeout), 2);
}
