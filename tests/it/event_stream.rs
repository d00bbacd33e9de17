//! A correct client of server-sent events (WHATWG HTML, section 9.2): it stores the last id and reconnects with it.

use std::collections::VecDeque;
use std::net::SocketAddr;

use awc::error::PayloadError;
use awc::http::header::HeaderMap;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use serde_json::Value;

use crate::patience::{PATIENCE, patiently};
use crate::view::View;

/// How many of the last messages a failing test prints.
const PRINTED_MAX: usize = 10;

/// The fields of one event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SentEvent {
    pub(crate) data: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) retry: Option<u64>,
    pub(crate) comments: Vec<String>,
}

/// One stream.
pub(crate) struct EventSource {
    body: Box<dyn Stream<Item = Result<Bytes, PayloadError>> + Unpin>,
    received: String,
    waiting: VecDeque<Value>,
    pub(crate) headers: HeaderMap,
    /// The cursor with which the client would reconnect.
    pub(crate) last_id: Option<String>,
    /// The client's delay before it reconnects, in milliseconds.
    pub(crate) retry: Option<u64>,
    /// The state of the market according to the messages read so far.
    pub(crate) view: View,
}

impl EventSource {
    /// Opens a stream.
    pub(crate) async fn open(server: SocketAddr, query: &str) -> Self {
        Self::reopen(server, query, None).await
    }

    /// Opens a stream with the id of a previous one.
    pub(crate) async fn reopen(server: SocketAddr, query: &str, last_id: Option<&str>) -> Self {
        Self::open_with(server, query, last_id, None).await
    }

    /// Opens a stream with this value of `Authorization`.
    pub(crate) async fn open_as(server: SocketAddr, query: &str, authorization: &str) -> Self {
        Self::open_with(server, query, None, Some(authorization)).await
    }

    async fn open_with(server: SocketAddr, query: &str, last_id: Option<&str>, authorization: Option<&str>) -> Self {
        let client = awc::Client::builder().timeout(PATIENCE).finish();
        let mut request = client.get(format!("http://{server}/api/v1/stream?{query}"));
        for (name, value) in [("Last-Event-ID", last_id), ("Authorization", authorization)] {
            if let Some(value) = value {
                request = request.insert_header((name, value));
            }
        }
        let response = patiently("the head of a stream", request.send()).await.unwrap();
        assert_eq!(response.status(), 200, "{query}");
        assert_eq!(response.headers().get("content-type").unwrap(), "text/event-stream");
        let headers = response.headers().clone();
        let body = Box::new(response.timeout(PATIENCE * 10));
        Self {
            body,
            received: String::new(),
            waiting: VecDeque::new(),
            headers,
            last_id: last_id.map(Into::into),
            retry: None,
            view: View::default(),
        }
    }

    /// Returns the next event or comment; `None` at the end of the stream.
    pub(crate) async fn next_event(&mut self) -> Option<SentEvent> {
        let end = loop {
            if let Some(end) = self.received.find("\n\n") {
                break end;
            }
            match patiently("an event", self.body.next()).await {
                Some(Ok(bytes)) => self.received.push_str(std::str::from_utf8(&bytes).unwrap()),
                Some(Err(_)) | None => return None,
            }
        };
        let text: String = self.received.drain(..end + 2).collect();
        let mut event = SentEvent::default();
        for line in text.trim_end().split('\n') {
            match line.split_once(':').unwrap_or_else(|| panic!("not a field: {line:.200}")) {
                ("", comment) => event.comments.push(comment.trim().into()),
                ("data", data) => assert!(event.data.replace(data[1..].into()).is_none(), "one line of data"),
                ("id", id) => event.id = Some(id.trim().into()),
                ("retry", retry) => event.retry = Some(retry.trim().parse().unwrap()),
                (other, _) => panic!("unexpected field {other}"),
            }
        }
        // An empty id resets the last one.
        self.last_id = event.id.clone().or(self.last_id.take()).filter(|id| !id.is_empty());
        self.retry = event.retry.or(self.retry);
        Some(event)
    }

    /// Returns the messages of the next event that has some, without the view; `None` at the end of the stream.
    pub(crate) async fn next_messages(&mut self) -> Option<Vec<Value>> {
        let data = loop {
            if let Some(data) = self.next_event().await?.data {
                break data;
            }
        };
        let messages: Vec<Value> = serde_json::from_str(&data).expect("every event is an array");
        assert!(!messages.is_empty(), "of one or more messages");
        Some(messages)
    }

    /// Returns the next message; `None` at the end of the stream.
    pub(crate) async fn next_message(&mut self) -> Option<Value> {
        while self.waiting.is_empty() {
            let messages = self.next_messages().await?;
            self.waiting.extend(messages);
        }
        let message = self.waiting.pop_front()?;
        self.view.apply(&message);
        Some(message)
    }

    /// Reads until `is_last`; returns all messages read, the last one included.
    pub(crate) async fn until(&mut self, what: &str, mut is_last: impl FnMut(&Value) -> bool) -> Vec<Value> {
        let mut read = Vec::new();
        while !read.last().is_some_and(&mut is_last) {
            let Some(message) = self.next_message().await else {
                let last = &read[read.len().saturating_sub(PRINTED_MAX)..];
                panic!("the stream ended before {what}; the last of {} messages: {last:#?}", read.len());
            };
            read.push(message);
        }
        read
    }

    /// Reads until this many more events have arrived, and the rest of the last write; returns all messages read.
    pub(crate) async fn events(&mut self, count: usize) -> Vec<Value> {
        let mut left = count;
        let mut read = self
            .until(&format!("{count} events"), |message| {
                left -= usize::from(crate::view::is_event(message));
                left == 0
            })
            .await;
        while let Some(message) = self.waiting.pop_front() {
            self.view.apply(&message);
            read.push(message);
        }
        read
    }
}
