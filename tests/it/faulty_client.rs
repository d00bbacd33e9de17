//! A client that expects faults: it reads frames as they come, and knows which are no valid messages.

use std::net::SocketAddr;

use awc::http::Method;
use serde_json::{Value, json};

use crate::http::send;
use crate::raw::{CLOSE, PING, PONG, RawClient, TEXT, handshake};
use crate::spawn::TestServer;
use crate::view::is_event;

/// A WebSocket client with a name of its own.
pub(crate) struct FaultyClient {
    pub(crate) raw: RawClient,
    /// Messages read so far, in order.
    pub(crate) messages: Vec<Value>,
    /// Frames that were no array of messages.
    pub(crate) broken: Vec<String>,
    /// Code and reason of the server's close frame.
    pub(crate) close: Option<(u16, String)>,
    /// Payloads of pongs.
    pub(crate) pongs: Vec<Vec<u8>>,
}

impl FaultyClient {
    /// Opens a WebSocket under this name.
    pub(crate) async fn open(server: SocketAddr, name: &str) -> Self {
        let mut raw = RawClient::connect(server).await;
        let answer = raw.request(&named_handshake(name)).await;
        assert_eq!(answer.status, 101, "{answer:?}");
        Self { raw, messages: Vec::new(), broken: Vec::new(), close: None, pongs: Vec::new() }
    }

    /// Opens a WebSocket and subscribes to everything; does not wait for the answer.
    pub(crate) async fn subscribed(server: SocketAddr, name: &str) -> Self {
        let mut client = Self::open(server, name).await;
        client.send(&json!({"action": "subscribe", "symbols": ["*"], "channels": ["trades", "quotes"]})).await;
        client
    }

    pub(crate) async fn send(&mut self, request: &Value) {
        self.raw.send_frame(TEXT, request.to_string().as_bytes()).await;
    }

    pub(crate) async fn ping(&mut self, payload: &[u8]) {
        self.raw.send_frame(PING, payload).await;
    }

    /// Reads the next frame. Returns false at the end of the connection.
    pub(crate) async fn read(&mut self) -> bool {
        let Some(frame) = self.raw.next_frame().await else { return false };
        match frame.first_byte {
            TEXT => match serde_json::from_slice::<Vec<Value>>(&frame.payload) {
                Ok(messages) => self.messages.extend(messages),
                Err(_) => self.broken.push(String::from_utf8(frame.payload).unwrap()),
            },
            PING => self.raw.send_frame(PONG, &frame.payload).await,
            PONG => self.pongs.push(frame.payload),
            CLOSE => {
                let (code, reason) = frame.payload.split_first_chunk().unwrap();
                let reason = String::from_utf8(reason.to_vec()).unwrap();
                self.close = Some((u16::from_be_bytes(*code), reason));
            }
            other => panic!("no frame of a server: {other:x}"),
        }
        true
    }

    /// Reads until the condition holds.
    pub(crate) async fn until(&mut self, what: &str, mut is_over: impl FnMut(&Self) -> bool) {
        while !is_over(self) {
            assert!(self.read().await, "the connection ended before {what}: {} messages", self.messages.len());
        }
    }

    /// Reads to the end of the connection.
    pub(crate) async fn read_rest(&mut self) {
        while self.read().await {}
    }

    /// Returns the events read so far.
    pub(crate) fn events(&self) -> Vec<&Value> {
        self.messages.iter().filter(|message| is_event(message)).collect()
    }

    /// Returns the largest offset of an event read so far.
    pub(crate) fn offset(&self) -> u64 {
        self.events().iter().filter_map(|event| event["offset"].as_u64()).max().unwrap_or(0)
    }
}

/// Returns the request of a handshake with this name of the client.
pub(crate) fn named_handshake(name: &str) -> String {
    handshake(&[]).replacen("/ws ", &format!("/ws?client={name} "), 1)
}

impl TestServer {
    /// Adds a rule; returns its id.
    pub(crate) async fn add_fault(&self, rule: &Value) -> u64 {
        let answer = send(self.address, Method::POST, "/faults", &[], rule.to_string()).await;
        assert_eq!(answer.status, 201, "{rule}: {}", answer.text());
        serde_json::from_slice::<Value>(&answer.body).unwrap()["id"].as_u64().unwrap()
    }

    /// Removes a rule.
    pub(crate) async fn remove_fault(&self, id: u64) {
        let answer = send(self.address, Method::DELETE, &format!("/faults/{id}"), &[], String::new()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}
