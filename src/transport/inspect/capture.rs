//! What one WebSocket connection has exchanged, as it happens: the heads of its handshake, then its bytes in both
//! directions, written as server-sent events for the one who observes it.
//!
//! Owns the form of those events and the bound on what is kept of them. Who may observe, and where the bytes are taken
//! from, is `mod.rs`'s and `tee.rs`'s business.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use actix_web::http::header::{
    ACCEPT, CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, UPGRADE, USER_AGENT,
};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde_json::json;

use crate::domain::Clock;
use crate::metrics::{Metrics, SharedMetrics};
use crate::transport::{Problem, random_name};

use super::framing::{Framing, Piece};

/// The most headers of a request that are shown; browsers send about twenty.
const HEADERS_MAX: usize = 64;
/// The most characters of a header's value that are shown.
const VALUE_CHARS_MAX: usize = 1_024;
/// Headers of requests whose values are shown, beside those that begin with one of [`SHOWN_PREFIXES`]. Any other may hold what
/// belongs to the user alone, such as a token that a proxy has added.
const SHOWN: [HeaderName; 6] = [ACCEPT, CONNECTION, HOST, ORIGIN, UPGRADE, USER_AGENT];
const SHOWN_PREFIXES: [&str; 2] = ["accept-", "sec-websocket-"];

/// Who has sent a frame.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Sender {
    Client,
    Server,
}

/// The record of one connection, shared by the socket that it is taken from and by its observer.
pub(super) struct Capture {
    /// What the browser that asked for this capture keeps as a cookie.
    secret: String,
    state: Mutex<State>,
    clock: Arc<dyn Clock>,
    metrics: SharedMetrics,
}

struct State {
    /// Events that the observer has not been given.
    pending: BytesMut,
    /// How many bytes of frames may wait in it. The few other events, and the first close frame of each side, always may.
    pending_bytes_max: usize,
    observer: Option<Waker>,
    /// Client and server.
    directions: [Direction; 2],
    has_ended: bool,
}

/// What one side sends.
#[derive(Default)]
struct Direction {
    framing: Framing,
    /// Whether the rest of the present frame is left out, because a part of it was.
    is_skipping: bool,
    /// Whether its close frame has been kept.
    has_closed: bool,
    /// What was left out since the observer was told last.
    skipped: Skipped,
}

/// Frames of which something was left out, and how many bytes that was.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Skipped {
    frames: u64,
    bytes: u64,
}

/// A header, and `None` for a value that is not shown.
type Header = (String, Option<String>);

impl Capture {
    /// Returns a capture in which so many bytes of events may wait for the observer.
    pub(super) fn new(pending_bytes_max: usize, clock: Arc<dyn Clock>, metrics: SharedMetrics) -> Self {
        let (pending, directions) = (BytesMut::new(), Default::default());
        let state = State { pending, pending_bytes_max, observer: None, directions, has_ended: false };
        Self { secret: random_name(), state: Mutex::new(state), clock, metrics }
    }

    /// Returns the cookie that marks the browser which asked for the capture of this name: `NAME=VALUE`.
    pub(super) fn cookie(&self, name: &str) -> String {
        format!("capture-{name}={}", self.secret)
    }

    /// Tells the observer the name to open the socket with.
    pub(super) fn begin(&self, name: &str) {
        self.write("capture", &json!({ "capture": name }));
    }

    /// Takes the head of the request as the server has parsed it: names in lower case, in no order.
    pub(super) fn request(&self, request: &HttpRequest) {
        let line = format!("{} {} {:?}", request.method(), request.uri(), request.version());
        let headers: Vec<_> = headers(request.headers(), is_shown).collect();
        self.write("request", &json!({ "line": line, "headers": headers }));
    }

    /// Takes the head of the response that switches protocols.
    pub(super) fn response(&self, response: &HttpResponse) {
        let status = response.status();
        let reason = status.canonical_reason().unwrap_or_default();
        let line = format!("{:?} {} {reason}", response.head().version, status.as_u16());
        // The encoder writes this one from the kind of the connection, which is not among the headers.
        let mut all: Vec<Header> = vec![(CONNECTION.to_string(), Some("upgrade".into()))];
        all.extend(headers(response.headers(), |_| true).filter(|(name, _)| name != CONNECTION.as_str()));
        self.write("response", &json!({ "line": line, "headers": all }));
    }

    /// Says that the handshake was refused, and why. Nothing of the request is shown but its origin: it may be the browser of
    /// somebody else that was made to send it.
    pub(super) fn refused(&self, problem: &Problem, request: &HttpRequest) {
        let origin = request.headers().get(ORIGIN).map(shown);
        let status = problem.status_code().as_u16();
        self.write("refused", &json!({ "status": status, "detail": problem.to_string(), "origin": origin }));
    }

    /// Takes bytes that one side has sent. Frames that find no room because the observer is slow are left out, which it is
    /// told, but never the one that closes.
    pub(super) fn bytes(&self, sender: Sender, mut bytes: &[u8]) {
        let ts = self.clock.now().micros();
        let mut state = self.state();
        while let Some(piece) = state.directions[sender as usize].framing.next(&mut bytes) {
            state.take(sender, &piece, ts, &self.metrics);
        }
    }

    /// Says that the connection has ended.
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

    /// Ends it because its place is wanted by another.
    pub(super) fn dismiss(&self) {
        self.metrics.captures_dismissed.inc();
        self.end();
    }

    /// Takes what the observer has not been given; `None` when nothing will follow. Wakes this waker when there is more.
    pub(super) fn poll_take(&self, waker: &Waker) -> Poll<Option<Bytes>> {
        let mut state = self.state();
        // Behind what was kept, and before what is kept from now on.
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
    /// Appends a piece of a frame if there is room.
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

    /// Tells the observer what was left out of one direction, if anything was.
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

/// Returns one event. JSON has no line feeds, so it is one line of data.
fn event(name: &str, data: &serde_json::Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

/// Returns the headers, with the values of those that `is_shown` picks.
fn headers(map: &HeaderMap, is_shown: fn(&HeaderName) -> bool) -> impl Iterator<Item = Header> {
    map.iter().map(move |(name, value)| (name.to_string(), is_shown(name).then(|| shown(value)))).take(HEADERS_MAX)
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
    fn what_finds_no_room_is_left_out_by_whole_frames_and_said_but_the_closing_frames_are_kept() {
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
    fn after_frames_that_were_left_out_the_next_one_is_shown_from_its_beginning() {
        let capture = capture(300);
        // Its header finds room, its payload does not.
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
