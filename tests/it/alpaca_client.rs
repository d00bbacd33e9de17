//! A client of the stock stream of Alpaca, in both codecs.

use std::collections::VecDeque;
use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use rmpv::Value as Packed;
use serde_json::{Value, json};
use tickcast::domain::Timestamp;
use tickcast::protocol::write_rfc3339;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::patience::patiently;

/// The header that asks for MessagePack.
pub(crate) const MESSAGE_PACK: (&str, &str) = ("Content-Type", "application/msgpack");

/// The headers of each codec.
pub(crate) const CODECS: [&[(&str, &str)]; 2] = [&[], &[MESSAGE_PACK]];

/// One client. It sends in the codec of its session, unless told otherwise.
pub(crate) struct AlpacaClient {
    socket: WebSocketStream<TcpStream>,
    packs: bool,
    waiting: VecDeque<Value>,
}

/// The end of a connection: the code of the close frame, if there was one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended(pub(crate) Option<u16>);

impl AlpacaClient {
    /// Connects with these headers, without reading.
    pub(crate) async fn open(server: SocketAddr, path: &str, headers: &[(&'static str, &str)]) -> Self {
        let stream = TcpStream::connect(server).await.unwrap();
        Self::open_on(stream, server, path, headers).await
    }

    async fn open_on(stream: TcpStream, server: SocketAddr, path: &str, headers: &[(&'static str, &str)]) -> Self {
        let mut request = format!("ws://{server}{path}").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let opened = patiently("the handshake", client_async(request, stream)).await;
        let packs = headers.contains(&MESSAGE_PACK);
        Self { socket: opened.unwrap().0, packs, waiting: VecDeque::new() }
    }

    /// Connects, reads `connected` and authenticates.
    pub(crate) async fn connect(server: SocketAddr, path: &str, headers: &[(&'static str, &str)]) -> Self {
        Self::open(server, path, headers).await.authenticated().await
    }

    /// The same with a small buffer of the socket.
    pub(crate) async fn connect_narrow(server: SocketAddr, path: &str, headers: &[(&'static str, &str)]) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(2_048).unwrap();
        let stream = socket.connect(server).await.unwrap();
        Self::open_on(stream, server, path, headers).await.authenticated().await
    }

    async fn authenticated(mut self) -> Self {
        assert_eq!(self.next_frame().await, success("connected"));
        assert_eq!(self.ask(&auth("tickcast", "tickcast")).await, success("authenticated"));
        self
    }

    /// Sends a request and returns the next control message, alone in its frame as all of them are. Events before it are kept.
    pub(crate) async fn ask(&mut self, request: &Value) -> Vec<Value> {
        self.send(request).await;
        self.next_control().await
    }

    /// Sends a request in the codec of the session.
    pub(crate) async fn send(&mut self, request: &Value) {
        if self.packs {
            self.send_message(Message::Binary(packed(request).into())).await;
        } else {
            self.send_message(Message::Text(request.to_string().into())).await;
        }
    }

    /// Sends a message of any kind.
    pub(crate) async fn send_message(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// Sends a request in fragments of 32,768 bytes at most and an empty one, as alpaca-py does.
    pub(crate) async fn send_in_fragments(&mut self, request: &Value) {
        let bytes = packed(request);
        let kinds = std::iter::once(Data::Binary).chain(std::iter::repeat(Data::Continue));
        for (piece, kind) in bytes.chunks(32_768).chain([&[][..]]).zip(kinds) {
            let frame = Frame::message(piece.to_vec(), OpCode::Data(kind), piece.is_empty());
            self.send_message(Message::Frame(frame)).await;
        }
    }

    /// Sends a text message that is not UTF-8.
    pub(crate) async fn send_invalid_text(&mut self) {
        let frame = Frame::message(vec![b'{', 0xff], OpCode::Data(Data::Text), true);
        self.send_message(Message::Frame(frame)).await;
    }

    /// Returns how many events have been read and not returned.
    pub(crate) fn events_waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Returns the next control message; events before it are kept.
    pub(crate) async fn next_control(&mut self) -> Vec<Value> {
        loop {
            let frame = self.next_frame().await;
            if is_control(&frame[0]) {
                assert_eq!(frame.len(), 1, "a control message is alone: {frame:?}");
                return frame;
            }
            self.waiting.extend(frame);
        }
    }

    /// Returns the messages of the next frame.
    pub(crate) async fn next_frame(&mut self) -> Vec<Value> {
        self.try_next_frame().await.unwrap()
    }

    /// Returns the messages of the next frame, or how the connection has ended.
    pub(crate) async fn try_next_frame(&mut self) -> Result<Vec<Value>, Ended> {
        loop {
            let messages: Value = match patiently("a frame", self.socket.next()).await {
                Some(Ok(Message::Text(text))) if !self.packs => serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Binary(bytes))) if self.packs => unpacked(&bytes),
                Some(Ok(Message::Close(close))) => return Err(Ended(close.map(|close| close.code.into()))),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(other)) => panic!("in the wrong codec: {other:?}"),
                Some(Err(_)) | None => return Err(Ended(None)),
            };
            let Value::Array(messages) = messages else { panic!("no array: {messages}") };
            assert!(!messages.is_empty());
            return Ok(messages);
        }
    }

    /// Returns the next event.
    pub(crate) async fn next_event(&mut self) -> Value {
        while self.waiting.is_empty() {
            let frame = self.next_frame().await;
            let has_control = frame.iter().any(is_control);
            assert!(!has_control, "an unasked control message: {frame:?}");
            let is_change = |message: &Value| message["T"] == "c" || message["T"] == "x";
            assert!(frame.iter().all(is_change) || !frame.iter().any(is_change), "changes are apart: {frame:?}");
            self.waiting.extend(frame);
        }
        self.waiting.pop_front().unwrap()
    }

    /// Returns the text of the next event of this kind, of a session in JSON: with its fields in their order.
    pub(crate) async fn next_text_of(&mut self, kind: &str) -> String {
        let begin = format!("\"T\":\"{kind}\",");
        loop {
            let frame = match patiently("an event", self.socket.next()).await {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Ping(_))) => continue,
                other => panic!("no text: {other:?}"),
            };
            let messages = frame.strip_prefix("[{").and_then(|rest| rest.strip_suffix("}]")).unwrap();
            if let Some(message) = messages.split("},{").find(|message| message.starts_with(&begin)) {
                return format!("{{{message}}}");
            }
        }
    }

    /// Returns the next frame of a session in MessagePack as it is.
    pub(crate) async fn next_bytes(&mut self) -> Vec<u8> {
        loop {
            match patiently("a frame", self.socket.next()).await {
                Some(Ok(Message::Binary(bytes))) => return bytes.to_vec(),
                Some(Ok(Message::Ping(_))) => {}
                other => panic!("no binary frame: {other:?}"),
            }
        }
    }

    /// Returns so many events.
    pub(crate) async fn events(&mut self, count: usize) -> Vec<Value> {
        let mut events = Vec::new();
        while events.len() < count {
            events.push(self.next_event().await);
        }
        events
    }

    /// Reads to the end of the connection; returns the last control message and the close code.
    pub(crate) async fn read_to_end(&mut self) -> (Option<Value>, Ended) {
        let mut last = None;
        loop {
            match self.try_next_frame().await {
                Ok(frame) if is_control(&frame[0]) => last = Some(frame[0].clone()),
                Ok(_) => {}
                Err(ended) => return (last, ended),
            }
        }
    }
}

/// Returns the request to authenticate.
pub(crate) fn auth(key: &str, secret: &str) -> Value {
    json!({"action": "auth", "key": key, "secret": secret})
}

/// Returns the frame of a success.
pub(crate) fn success(msg: &str) -> Vec<Value> {
    vec![json!({"T": "success", "msg": msg})]
}

/// Returns the frame of an error.
pub(crate) fn error(code: u16) -> Vec<Value> {
    let msg = match code {
        400 => "invalid syntax",
        401 => "not authenticated",
        402 => "auth failed",
        403 => "already authenticated",
        404 => "auth timeout",
        405 => "symbol limit exceeded",
        406 => "connection limit exceeded",
        407 => "slow client",
        409 => "insufficient subscription",
        410 => "invalid subscribe action for this feed",
        other => panic!("no such code: {other}"),
    };
    vec![json!({"T": "error", "code": code, "msg": msg})]
}

/// Returns the acknowledgement of these subscriptions: every other channel is empty.
pub(crate) fn acknowledgement(lists: &[(&str, &[&str])]) -> Vec<Value> {
    let mut expected = json!({
        "T": "subscription", "trades": [], "quotes": [], "bars": [], "updatedBars": [], "dailyBars": [], "statuses": [], "lulds": [],
        "imbalances": [], "corrections": [], "cancelErrors": [],
    });
    for (channel, names) in lists {
        expected[*channel] = json!(names);
        if *channel == "trades" {
            expected["corrections"] = json!(names);
            expected["cancelErrors"] = json!(names);
        }
    }
    vec![expected]
}

/// Returns a request in MessagePack.
pub(crate) fn packed(request: &Value) -> Vec<u8> {
    rmp_serde::to_vec_named(request).unwrap()
}

/// Reads one value of MessagePack as the JSON that stands for it: a timestamp as RFC 3339. The key `T` must be the first one, and
/// numbers that JSON has without decimals are integers.
pub(crate) fn unpacked(bytes: &[u8]) -> Value {
    let mut rest = bytes;
    let value = rmpv::decode::read_value(&mut rest).unwrap();
    assert!(rest.is_empty(), "one value in a frame");
    as_json(value)
}

fn as_json(value: Packed) -> Value {
    match value {
        Packed::Array(values) => values.into_iter().map(as_json).collect(),
        Packed::Map(entries) => {
            assert_eq!(entries[0].0.as_str(), Some("T"), "the first key");
            entries.into_iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), as_json(value))).collect()
        }
        Packed::Ext(-1, bytes) => {
            let word = u64::from_be_bytes(bytes.try_into().unwrap());
            let micros = (word & 0x3_ffff_ffff) * 1_000_000 + (word >> 34) / 1_000;
            let mut text = Vec::new();
            write_rfc3339(Timestamp::from_micros(micros.try_into().unwrap()), &mut text);
            String::from_utf8(text).unwrap().into()
        }
        Packed::Integer(number) => json!(number.as_u64().unwrap()),
        Packed::F64(number) => json!(number),
        Packed::String(text) => json!(text.as_str().unwrap()),
        other => panic!("no message has this: {other}"),
    }
}

fn is_control(message: &Value) -> bool {
    ["success", "error", "subscription"].iter().any(|kind| message["T"] == *kind)
}
