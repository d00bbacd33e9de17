//! A correct WebSocket client of the native protocol.

use std::collections::VecDeque;
use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::keyring::header_of;
use crate::patience::{PATIENCE, patiently};
use crate::view::View;

/// Every channel, those that a client must ask for by name included.
pub(crate) const EVERY_CHANNEL: [&str; 12] = [
    "trades",
    "quotes",
    "bars.1s",
    "bars.1m",
    "bars.5m",
    "bars.15m",
    "bars.1h",
    "bars.1d",
    "corrections",
    "cancels",
    "bars.1m.updated",
    "bars.1d.ny",
];
/// The channels of the first version of the protocol.
pub(crate) const ALL_CHANNELS: [&str; 8] =
    ["trades", "quotes", "bars.1s", "bars.1m", "bars.5m", "bars.15m", "bars.1h", "bars.1d"];
/// How many of the last messages a failing test prints.
const PRINTED_MAX: usize = 10;

/// One client. Answers pings while it reads, and applies every message to its view.
pub(crate) struct Client {
    socket: WebSocketStream<TcpStream>,
    waiting: VecDeque<Value>,
    requests: u64,
    /// The first message.
    pub(crate) welcome: Value,
    /// The subprotocol chosen by the server.
    pub(crate) protocol: Option<String>,
    /// The state of the market according to the messages read so far.
    pub(crate) view: View,
}

impl Client {
    /// Connects, offering `tickcast.v1.json`, and reads `welcome`.
    pub(crate) async fn connect(server: SocketAddr) -> Self {
        Self::connect_offering(server, Some("tickcast.v1.json")).await
    }

    /// Connects, offering these subprotocols, and reads `welcome`.
    pub(crate) async fn connect_offering(server: SocketAddr, protocols: Option<&str>) -> Self {
        let headers = protocols.map(|protocols| ("Sec-WebSocket-Protocol", protocols));
        Self::connect_with(server, headers.as_slice()).await
    }

    /// Connects with the key with this id.
    pub(crate) async fn connect_as(server: SocketAddr, id: &str) -> Self {
        Self::connect_with(server, &[("Authorization", &header_of(id))]).await
    }

    /// Connects without a key to a server that asks for it in the first message.
    pub(crate) async fn connect_nameless(server: SocketAddr) -> Self {
        Self::open(server, "/ws", &[]).await
    }

    /// Connects to another address, and reads `welcome`.
    pub(crate) async fn connect_at(server: SocketAddr, path: &str) -> Self {
        Self::open(server, path, &[]).await.welcomed().await
    }

    /// The same with the key with this id.
    pub(crate) async fn connect_at_as(server: SocketAddr, path: &str, id: &str) -> Self {
        Self::open(server, path, &[("Authorization", &header_of(id))]).await.welcomed().await
    }

    /// Connects with these headers, and reads `welcome`.
    pub(crate) async fn connect_with(server: SocketAddr, headers: &[(&'static str, &str)]) -> Self {
        Self::open(server, "/ws", headers).await.welcomed().await
    }

    async fn welcomed(mut self) -> Self {
        self.welcome = self.next_message().await;
        assert_eq!(self.welcome["type"], "welcome");
        self
    }

    /// Connects with these headers.
    async fn open(server: SocketAddr, path: &str, headers: &[(&'static str, &str)]) -> Self {
        let mut request = format!("ws://{server}{path}").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(server).await.unwrap();
        let opened = patiently("the handshake", client_async(request, stream)).await;
        let (socket, response) = opened.expect("the server opens the WebSocket");
        let protocol = response.headers().get("Sec-WebSocket-Protocol");
        let protocol = protocol.map(|protocol| protocol.to_str().unwrap().into());
        let (waiting, view) = (VecDeque::new(), View::default());
        Self { socket, waiting, requests: 0, welcome: Value::Null, protocol, view }
    }

    /// Sends a message.
    pub(crate) async fn send(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// Sends a text.
    pub(crate) async fn send_text(&mut self, text: impl Into<Utf8Bytes>) {
        self.send(Message::Text(text.into())).await;
    }

    /// Sends a request.
    pub(crate) async fn send_json(&mut self, request: &Value) {
        self.send_text(request.to_string()).await;
    }

    /// Sends a request with an `id` of its own; returns all messages up to and including its answer.
    pub(crate) async fn ask(&mut self, mut request: Value) -> Vec<Value> {
        self.requests += 1;
        let id = json!(format!("request {}", self.requests));
        request["id"] = id.clone();
        self.send_json(&request).await;
        self.until(&format!("the answer to {request:.200}"), |message| message["id"] == id).await
    }

    /// Subscribes and returns the answer.
    pub(crate) async fn subscribe(&mut self, symbols: &[&str], channels: &[&str]) -> Value {
        let request = json!({"action": "subscribe", "symbols": symbols, "channels": channels});
        self.ask(request).await.pop().unwrap()
    }

    /// Sends `list`, and returns all messages before the answer, which keeps its place among the events.
    pub(crate) async fn sync(&mut self) -> Vec<Value> {
        let mut messages = self.ask(json!({"action": "list"})).await;
        assert_eq!(messages.pop().unwrap()["type"], "subscribed");
        messages
    }

    /// Returns the messages of the next text frame.
    ///
    /// # Panics
    ///
    /// Panics if the connection ends instead.
    pub(crate) async fn next_frame(&mut self) -> Vec<Value> {
        match self.next_text().await {
            Ok(text) => {
                let messages: Vec<Value> = serde_json::from_str(&text).expect("every frame is an array");
                assert!(!messages.is_empty(), "of one or more messages");
                messages
            }
            Err(end) => panic!("the connection has ended: {end:?}"),
        }
    }

    async fn next_text(&mut self) -> Result<Utf8Bytes, Option<CloseFrame>> {
        loop {
            match patiently("a message", self.socket.next()).await {
                Some(Ok(Message::Text(text))) => return Ok(text),
                Some(Ok(Message::Close(close))) => return Err(close),
                Some(Ok(Message::Binary(_))) => panic!("the server never sends binary messages"),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// Returns the next message.
    pub(crate) async fn next_message(&mut self) -> Value {
        while self.waiting.is_empty() {
            let messages = self.next_frame().await;
            self.waiting.extend(messages);
        }
        let message = self.waiting.pop_front().unwrap();
        self.view.apply(&message);
        message
    }

    /// Reads until `is_last`; returns all messages read, the last one included.
    ///
    /// # Panics
    ///
    /// Panics with the last messages if no such message arrives.
    pub(crate) async fn until(&mut self, what: &str, mut is_last: impl FnMut(&Value) -> bool) -> Vec<Value> {
        let mut read = Vec::new();
        let reading = async {
            while !read.last().is_some_and(&mut is_last) {
                read.push(self.next_message().await);
            }
        };
        if tokio::time::timeout(PATIENCE, reading).await.is_err() {
            let last = &read[read.len().saturating_sub(PRINTED_MAX)..];
            panic!("timed out waiting for {what}; got {} messages, the last ones {last:#?}", read.len());
        }
        read
    }

    /// Reads until this many more events have arrived; returns all messages read.
    pub(crate) async fn events(&mut self, count: usize) -> Vec<Value> {
        let mut left = count;
        self.until(&format!("{count} events"), |message| {
            left -= usize::from(crate::view::is_event(message));
            left == 0
        })
        .await
    }

    /// Reads to the end of the connection; returns the messages before it, and the code and reason of the server's
    /// close frame.
    pub(crate) async fn read_to_end(&mut self) -> (Vec<Value>, Option<(u16, String)>) {
        let mut messages: Vec<Value> = self.waiting.drain(..).collect();
        // A server that does not end it may send events for ever.
        let end = patiently("the end of the connection", async {
            loop {
                match self.next_text().await {
                    Ok(text) => messages.extend(serde_json::from_str::<Vec<Value>>(&text).unwrap()),
                    Err(close) => break close,
                }
            }
        });
        let end = end.await;
        (messages, end.map(|close| (close.code.into(), close.reason.to_string())))
    }
}
