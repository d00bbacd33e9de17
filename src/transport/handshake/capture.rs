//! What one WebSocket connection has exchanged, as it happens: the heads of its handshake, then its bytes in both
//! directions, written as server-sent events for the one who observes it.
//!
//! Owns the form of those events and the bound on what is kept of them. Who may observe, and where the bytes are taken
//! from, is `mod.rs`'s and `tee.rs`'s business.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use actix_web::http::header::{
    AUTHORIZATION, CONNECTION, COOKIE, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION,
};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde_json::json;

use crate::domain::Clock;
use crate::metrics::SharedMetrics;
use crate::transport::Problem;

/// What a chunk costs beside its bytes, so that many small ones are bounded too. In bytes.
const CHUNK_COST: usize = 64;
/// The most headers of a request that are shown; browsers send about twenty.
const HEADERS_MAX: usize = 64;
/// The most characters of a header's value that are shown.
const VALUE_CHARS_MAX: usize = 1_024;
/// Headers whose values belong to the user alone.
const SECRET: [HeaderName; 3] = [COOKIE, AUTHORIZATION, PROXY_AUTHORIZATION];

/// Who has sent a chunk.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Sender {
    Client,
    Server,
}

/// The record of one connection, shared by the socket that it is taken from and by its observer.
pub(super) struct Capture {
    state: Mutex<State>,
    clock: Arc<dyn Clock>,
    metrics: SharedMetrics,
}

struct State {
    /// Events that the observer has not been given.
    pending: BytesMut,
    observer: Option<Waker>,
    /// What each direction may still cost, in bytes; `None` when it has said that it is full.
    room: [Option<usize>; 2],
    has_ended: bool,
}

/// A header, and `None` for a value that is not shown.
type Header = (String, Option<String>);

impl Capture {
    /// Returns a capture that keeps at most so many bytes of each direction.
    pub(super) fn new(bytes_max: usize, clock: Arc<dyn Clock>, metrics: SharedMetrics) -> Self {
        let room = [Some(bytes_max); 2];
        let state = State { pending: BytesMut::new(), observer: None, room, has_ended: false };
        Self { state: Mutex::new(state), clock, metrics }
    }

    /// Tells the observer the name to open the socket with.
    pub(super) fn begin(&self, name: &str, bytes_max: usize) {
        self.write("capture", &json!({ "capture": name, "bytes_max": bytes_max }));
    }

    /// Takes the head of the request as the server has parsed it: names in lower case, in no order.
    pub(super) fn request(&self, request: &HttpRequest) {
        let line = format!("{} {} {:?}", request.method(), request.uri(), request.version());
        self.write("request", &json!({ "line": line, "headers": headers(request.headers()) }));
    }

    /// Takes the head of the response that switches protocols.
    pub(super) fn response(&self, response: &HttpResponse) {
        let status = response.status();
        let reason = status.canonical_reason().unwrap_or_default();
        let line = format!("{:?} {} {reason}", response.head().version, status.as_u16());
        // The encoder writes this one from the kind of the connection, which is not among the headers.
        let mut all: Vec<Header> = vec![(CONNECTION.to_string(), Some("upgrade".into()))];
        all.extend(headers(response.headers()).into_iter().filter(|(name, _)| name != CONNECTION.as_str()));
        self.write("response", &json!({ "line": line, "headers": all }));
    }

    /// Says that the handshake was refused, and why.
    pub(super) fn refused(&self, problem: &Problem) {
        self.write("refused", &json!({ "status": problem.status_code().as_u16(), "detail": problem.to_string() }));
    }

    /// Takes bytes that one side has sent, if there is room.
    pub(super) fn bytes(&self, sender: Sender, bytes: &[u8]) {
        let mut state = self.state();
        let room = &mut state.room[sender as usize];
        let Some(left) = *room else { return };
        let shown = &bytes[..bytes.len().min(left.saturating_sub(CHUNK_COST))];
        *room = (shown.len() == bytes.len()).then(|| left - CHUNK_COST - shown.len());
        let is_full = room.is_none();
        let mut hex = String::with_capacity(shown.len() * 2);
        for byte in shown {
            write!(hex, "{byte:02x}").expect("writing to a string does not fail");
        }
        if !shown.is_empty() {
            let ts = self.clock.now().micros();
            state.write("bytes", &json!({ "sender": sender, "ts": ts, "hex": hex }));
        }
        if is_full {
            self.metrics.captures_full.inc();
            state.write("full", &json!({ "sender": sender }));
        }
    }

    /// Says that the connection has ended.
    pub(super) fn end(&self) {
        let mut state = self.state();
        if !state.has_ended {
            state.write("end", &json!({ "ts": self.clock.now().micros() }));
            state.has_ended = true;
        }
    }

    /// Takes what the observer has not been given; `None` when nothing will follow. Wakes this waker when there is more.
    pub(super) fn poll_take(&self, waker: &Waker) -> Poll<Option<Bytes>> {
        let mut state = self.state();
        if !state.pending.is_empty() {
            return Poll::Ready(Some(state.pending.split().freeze()));
        }
        if state.has_ended {
            return Poll::Ready(None);
        }
        state.observer = Some(waker.clone());
        Poll::Pending
    }

    /// Keeps nothing from now on: the observer has left.
    pub(super) fn forget(&self) {
        let mut state = self.state();
        state.has_ended = true;
        state.pending = BytesMut::new();
    }

    fn write(&self, event: &str, data: &serde_json::Value) {
        self.state().write(event, data);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Appends one event. JSON has no line feeds, so it is one line of data.
    fn write(&mut self, event: &str, data: &serde_json::Value) {
        if self.has_ended {
            return;
        }
        self.pending.extend_from_slice(format!("event: {event}\ndata: {data}\n\n").as_bytes());
        if let Some(observer) = self.observer.take() {
            observer.wake();
        }
    }
}

fn headers(map: &HeaderMap) -> Vec<Header> {
    let show = |(name, value): (&HeaderName, &HeaderValue)| {
        let text = String::from_utf8_lossy(value.as_bytes());
        let shown = || text.chars().take(VALUE_CHARS_MAX).collect();
        (name.to_string(), (!SECRET.contains(name)).then(shown))
    };
    map.iter().map(show).take(HEADERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ManualClock, Timestamp};
    use crate::metrics::Metrics;

    fn capture(bytes_max: usize) -> Capture {
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(7)));
        Capture::new(bytes_max, clock, Arc::new(Metrics::default()))
    }

    fn taken(capture: &Capture) -> String {
        match capture.poll_take(Waker::noop()) {
            Poll::Ready(Some(bytes)) => String::from_utf8(bytes.to_vec()).unwrap(),
            Poll::Ready(None) => "nothing follows".into(),
            Poll::Pending => String::new(),
        }
    }

    #[test]
    fn bytes_are_shown_until_the_room_of_their_direction_is_full() {
        let capture = capture(2 * CHUNK_COST + 3);
        capture.bytes(Sender::Client, &[0x81, 0x80]);
        assert_eq!(taken(&capture), "event: bytes\ndata: {\"hex\":\"8180\",\"sender\":\"client\",\"ts\":7}\n\n");
        capture.bytes(Sender::Client, &[0xAB, 0xCD]);
        let rest = "event: bytes\ndata: {\"hex\":\"ab\",\"sender\":\"client\",\"ts\":7}\n\n\
                    event: full\ndata: {\"sender\":\"client\"}\n\n";
        assert_eq!(taken(&capture), rest);
        capture.bytes(Sender::Client, &[0xEF]);
        assert_eq!(taken(&capture), "", "said once");
        capture.bytes(Sender::Server, &[0x89, 0x00]);
        assert!(taken(&capture).contains("8900"), "the other direction has room of its own");
        assert_eq!(capture.metrics.captures_full.get(), 1);
    }

    #[test]
    fn many_small_chunks_are_bounded_too() {
        let capture = capture(32_768);
        for _ in 0..100_000 {
            capture.bytes(Sender::Client, &[0]);
        }
        assert!(taken(&capture).len() < 65_536);
    }

    #[test]
    fn nothing_follows_the_end() {
        let capture = capture(1_024);
        assert_eq!(taken(&capture), "");
        capture.end();
        capture.end();
        capture.bytes(Sender::Server, &[0x88]);
        assert_eq!(taken(&capture), "event: end\ndata: {\"ts\":7}\n\n");
        assert_eq!(taken(&capture), "nothing follows");
    }
}
