//! The record of one WebSocket connection: the heads of its handshake, then its bytes in both directions, written as
//! server-sent events for an observer.
//!
//! Owns the form of those events and the bound of unread ones. Who may observe is decided by `mod.rs`; the bytes come from
//! `tee.rs`.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use actix_web::http::header::{
    ACCEPT, CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, SEC_WEBSOCKET_PROTOCOL, UPGRADE, USER_AGENT,
};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde_json::json;

use crate::domain::Clock;
use crate::metrics::{Metrics, SharedMetrics};
use crate::transport::gate::{shown_offers, shown_target};
use crate::transport::{Problem, random_name};

use super::framing::{Framing, Piece};

/// The most headers of a request that are shown. Browsers send about twenty.
const HEADERS_MAX: usize = 64;
/// The most characters of a header's value that are shown.
const VALUE_CHARS_MAX: usize = 1_024;
/// Request headers whose values are shown, besides those with one of the [`SHOWN_PREFIXES`]. Other headers may hold secrets of
/// the user, such as a token that a proxy has added.
const SHOWN: [HeaderName; 6] = [ACCEPT, CONNECTION, HOST, ORIGIN, UPGRADE, USER_AGENT];
const SHOWN_PREFIXES: [&str; 2] = ["accept-", "sec-websocket-"];

/// The sender of a frame.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Sender {
    Client,
    Server,
}

/// The record of one connection, shared by the captured socket and its observer.
pub(super) struct Capture {
    /// The value of the cookie that the observer's browser keeps.
    secret: String,
    state: Mutex<State>,
    clock: Arc<dyn Clock>,
    metrics: SharedMetrics,
}

struct State {
    /// Events that the observer has not read.
    pending: BytesMut,
    /// The most bytes of frames in it. The other events are few, and the first close frame of each side always fits.
    pending_bytes_max: usize,
    observer: Option<Waker>,
    /// The client's and the server's.
    directions: [Direction; 2],
    has_ended: bool,
}

/// The bytes that one side sends.
#[derive(Default)]
struct Direction {
    framing: Framing,
    /// Whether the rest of the current frame is skipped, because a part of it was.
    is_skipping: bool,
    /// Whether its close frame has been recorded.
    has_closed: bool,
    /// The frames skipped since the observer was last told.
    skipped: Skipped,
}

/// The number of frames of which something was skipped, and the number of bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Skipped {
    frames: u64,
    bytes: u64,
}

/// A header; `None` stands for a hidden value.
type Header = (String, Option<String>);

impl Capture {
    /// Returns a capture that buffers at most `pending_bytes_max` bytes of events for the observer.
    pub(super) fn new(pending_bytes_max: usize, clock: Arc<dyn Clock>, metrics: SharedMetrics) -> Self {
        let (pending, directions) = (BytesMut::new(), Default::default());
        let state = State { pending, pending_bytes_max, observer: None, directions, has_ended: false };
        Self { secret: random_name(), state: Mutex::new(state), clock, metrics }
    }

    /// Returns the cookie of the browser that asked for the capture with this name: `NAME=VALUE`.
    pub(super) fn cookie(&self, name: &str) -> String {
        format!("capture-{name}={}", self.secret)
    }

    /// Sends the observer the name with which to open the socket.
    pub(super) fn begin(&self, name: &str) {
        self.write("capture", &json!({ "capture": name }));
    }

    /// Records the head of the request as the server has parsed it: names in lower case, in no order.
    pub(super) fn request(&self, request: &HttpRequest) {
        let line = format!("{} {} {:?}", request.method(), shown_target(request), request.version());
        let headers: Vec<_> = headers(request.headers(), is_shown).collect();
        self.write("request", &json!({ "line": line, "headers": headers }));
    }

    /// Records the head of the response that switches protocols.
    pub(super) fn response(&self, response: &HttpResponse) {
        let status = response.status();
        let reason = status.canonical_reason().unwrap_or_default();
        let line = format!("{:?} {} {reason}", response.head().version, status.as_u16());
        // The encoder writes this header itself; it is not among the response's headers.
        let mut all: Vec<Header> = vec![(CONNECTION.to_string(), Some("upgrade".into()))];
        all.extend(headers(response.headers(), |_| true).filter(|(name, _)| name != CONNECTION.as_str()));
        self.write("response", &json!({ "line": line, "headers": all }));
    }

    /// Records why the handshake was refused. Of the request only the origin is shown, because another user's browser may have
    /// been made to send it.
    pub(super) fn refused(&self, problem: &Problem, request: &HttpRequest) {
        let origin = request.headers().get(ORIGIN).map(shown);
        let status = problem.status_code().as_u16();
        self.write("refused", &json!({ "status": status, "detail": problem.to_string(), "origin": origin }));
    }

    /// Records bytes of one side. If the observer is slow and the buffer full, whole frames are skipped and counted, but never
    /// the close frame.
    pub(super) fn bytes(&self, sender: Sender, mut bytes: &[u8]) {
        let ts = self.clock.now().micros();
        let mut state = self.state();
        while let Some(piece) = state.directions[sender as usize].framing.next(&mut bytes) {
            state.take(sender, &piece, ts, &self.metrics);
        }
    }

    /// Records the end of the connection.
    pub(super) fn end(&self) {
        let ts = self.clock.now().micros();
        let mut state = self.state();
        for sender in [Sender::Client, Sender::Server] {
            if let Some(piece) = state.directions[sender as usize].framing.rest() {
                state.take(sender, &piece, ts, &self.metrics);
            }
            state.tell_skipped(sender);
        }
        state.write("end", &json!({ "ts": ts }));
        state.has_ended = true;
    }

    /// Ends the capture to make room for another.
    pub(super) fn dismiss(&self) {
        self.metrics.captures_dismissed.inc();
        self.end();
    }

    /// Takes the events that the observer has not read; `None` if none will follow. Wakes `waker` when there are more.
    pub(super) fn poll_take(&self, waker: &Waker) -> Poll<Option<Bytes>> {
        let mut state = self.state();
        // The count goes behind the recorded frames, and before later ones.
        state.tell_skipped(Sender::Client);
        state.tell_skipped(Sender::Server);
        if !state.pending.is_empty() {
            return Poll::Ready(Some(state.pending.split().freeze()));
        }
        if state.has_ended {
            return Poll::Ready(None);
        }
        state.observer = Some(waker.clone());
        Poll::Pending
    }

    /// Discards everything: the observer has disconnected.
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
    /// Records a piece of a frame if it fits.
    fn take(&mut self, sender: Sender, piece: &Piece<'_>, ts: i64, metrics: &Metrics) {
        if self.has_ended {
            return;
        }
        let mut hex = String::with_capacity(piece.bytes.len() * 2);
        for byte in piece.bytes.iter() {
            write!(hex, "{byte:02x}").expect("writing to a string does not fail");
        }
        let event = event("bytes", &json!({ "sender": sender, "ts": ts, "hex": hex }));
        let has_room = self.pending.len() + event.len() <= self.pending_bytes_max;
        let direction = &mut self.directions[sender as usize];
        let is_last_word = piece.closes && !direction.has_closed;
        direction.has_closed |= piece.closes;
        let continues_skipped = direction.is_skipping && !piece.begins;
        direction.is_skipping = continues_skipped || !(has_room || is_last_word);
        if direction.is_skipping {
            direction.skipped.bytes += piece.bytes.len() as u64;
            if !continues_skipped {
                direction.skipped.frames += 1;
                metrics.capture_frames_skipped.inc();
            }
            return self.wake();
        }
        self.tell_skipped(sender);
        self.append(&event);
    }

    /// Writes the count of skipped frames of one direction, if there are any.
    fn tell_skipped(&mut self, sender: Sender) {
        let skipped = std::mem::take(&mut self.directions[sender as usize].skipped);
        if skipped != Skipped::default() {
            self.write("skipped", &json!({ "sender": sender, "frames": skipped.frames, "bytes": skipped.bytes }));
        }
    }

    fn write(&mut self, name: &str, data: &serde_json::Value) {
        self.append(&event(name, data));
    }

    fn append(&mut self, event: &str) {
        if !self.has_ended {
            self.pending.extend_from_slice(event.as_bytes());
            self.wake();
        }
    }

    fn wake(&mut self) {
        if let Some(observer) = self.observer.take() {
            observer.wake();
        }
    }
}

/// Returns one event. JSON has no line feeds, so one `data` line is enough.
fn event(name: &str, data: &serde_json::Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

/// Returns the headers, and the values of those that `is_shown` selects.
fn headers(map: &HeaderMap, is_shown: fn(&HeaderName) -> bool) -> impl Iterator<Item = Header> {
    let text = |name: &HeaderName, value| {
        let text = shown(value);
        if *name == SEC_WEBSOCKET_PROTOCOL { shown_offers(&text) } else { text }
    };
    map.iter().map(move |(name, value)| (name.to_string(), is_shown(name).then(|| text(name, value)))).take(HEADERS_MAX)
}

fn is_shown(name: &HeaderName) -> bool {
    SHOWN.contains(name) || SHOWN_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix))
}

fn shown(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).chars().take(VALUE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ManualClock, Timestamp};

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

    /// A masked text frame with a payload of this length.
    fn text(len: u8) -> Vec<u8> {
        [&[0x81, 0x80 | len][..], &vec![0; 4 + usize::from(len)]].concat()
    }

    #[test]
    fn an_observer_that_keeps_up_is_shown_every_frame_however_many() {
        let capture = capture(200);
        for _ in 0..10_000 {
            capture.bytes(Sender::Client, &[0x8A, 0x80, 0, 0]);
            assert_eq!(taken(&capture), "", "held until it is complete");
            capture.bytes(Sender::Client, &[0, 0]);
            let pong = "event: bytes\ndata: {\"hex\":\"8a8000000000\",\"sender\":\"client\",\"ts\":7}\n\n";
            assert_eq!(taken(&capture), pong);
        }
        assert_eq!(capture.metrics.capture_frames_skipped.get(), 0);
    }

    #[test]
    fn frames_that_do_not_fit_are_skipped_whole_and_counted_but_never_the_close_frames() {
        let capture = capture(1_000);
        for _ in 0..10_000 {
            capture.bytes(Sender::Server, &[0x89, 0x00]);
            capture.bytes(Sender::Client, &text(100));
        }
        capture.bytes(Sender::Server, &[0x88, 0x02, 0x03, 0xE8]);
        capture.bytes(Sender::Client, &[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8]);
        capture.bytes(Sender::Client, &[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8]);
        capture.end();
        let events = taken(&capture);
        assert!(events.len() < 1_500, "{events}");
        let order =
            ["\"8900\"", "\"880203e8\"", "\"8882000000000", "event: end"].map(|what| events.find(what).unwrap());
        assert!(order.is_sorted(), "{events}");
        assert_eq!(events.matches("\"8882000000000").count(), 1, "one close frame of each side has its room");
        let skipped =
            events.split("\"frames\":").skip(1).map(|rest| rest.split(',').next().unwrap().parse::<u64>().unwrap());
        let (skipped, shown) = (skipped.sum::<u64>(), events.matches("event: bytes").count() as u64);
        assert_eq!((skipped + shown, capture.metrics.capture_frames_skipped.get()), (20_003, skipped));
    }

    #[test]
    fn after_skipped_frames_the_next_one_is_shown_from_its_first_byte() {
        let capture = capture(300);
        // The header of this frame fits, its payload does not.
        let long = [&[0x82, 126, 0x10, 0x00][..], &[7; 0x1000]].concat();
        capture.bytes(Sender::Server, &long[..2_000]);
        let first = taken(&capture);
        assert!(first.contains("\"hex\":\"827e1000\""), "{first}");
        assert!(first.ends_with("{\"bytes\":1996,\"frames\":1,\"sender\":\"server\"}\n\n"), "{first}");
        capture.bytes(Sender::Server, &long[2_000..4_099]);
        capture.bytes(Sender::Server, &[7, 0x89, 0x00]);
        let rest = taken(&capture);
        let (skipped, ping) = ("{\"bytes\":2100,\"frames\":0,\"sender\":\"server\"}", "\"hex\":\"8900\"");
        assert!(rest.find(skipped).unwrap() < rest.find(ping).unwrap(), "{rest}");
        assert_eq!(capture.metrics.capture_frames_skipped.get(), 1);
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
