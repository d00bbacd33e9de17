//! The backend of the page `/handshake`: it captures the handshake and the bytes of a WebSocket and streams them to an
//! observer, and it sends handshakes to this server that a browser's script cannot send. The handshake itself is
//! `websocket/upgrade.rs`.
//!
//! `capture.rs` writes the observer's events, `pool.rs` bounds the captures, `framing.rs` finds the frames in the bytes, `tee.rs`
//! copies the bytes, `attempt.rs` sends handshakes to this server. The session on a captured socket is that of `/ws`, opened by
//! the same code.

mod attempt;
mod capture;
mod config;
mod framing;
mod pool;
mod tee;

use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime};

use actix_http::header::{HttpDate, TryIntoHeaderValue};
use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, COOKIE, DATE, SET_COOKIE};
use actix_web::rt::time::{Interval, interval};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_core::Stream;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

use crate::access::{Networks, Seat};
use crate::rate::network_of;
use crate::session::{Session, SessionConfig};
use crate::transport::connection::state::ConnectionState;
use crate::transport::gate::Place;
use crate::transport::query::Parameters;
use crate::transport::{Problem, Worker, forwarded, gate, random_name, rest, sse, websocket};

use attempt::{Case, Itself};
use capture::Capture;
use pool::{Owner, Pool};
use tee::Tap;

pub use config::InspectorConfig;

/// How often an observer checks whether the server shuts down.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The captures and attempts of the whole process.
pub struct Inspector {
    config: InspectorConfig,
    itself: Itself,
    captures: Pool,
    attempts: Arc<Semaphore>,
}

impl Inspector {
    /// Returns the backend of a server that listens on `address`: for HTTPS if there is a TLS client that accepts its
    /// certificate, or else for plain HTTP. Connections of `proxies` begin with a header of the PROXY protocol.
    pub fn new(config: InspectorConfig, address: SocketAddr, tls: Option<TlsConnector>, proxies: &Networks) -> Self {
        Self {
            itself: Itself::new(address, tls, proxies),
            captures: Pool::new(config.captures_max),
            attempts: Arc::new(Semaphore::new(config.attempts_max)),
            config,
        }
    }
}

/// Responds to `GET /handshake/capture`: server-sent events with the name of a capture, and then with the record of the socket
/// that is opened with this name. If no capture is free, the stream tells the client when to come back, and ends.
///
/// A capture belongs to the client that asks for it, and ends with its key. It takes no place among the connections of the key: it shows a
/// session that has one, and a key with one connection could not be shown otherwise.
///
/// # Errors
///
/// Returns a problem document when a parameter is given, or if the client's key has ended meanwhile.
pub(super) async fn observe(request: HttpRequest) -> Result<HttpResponse, Problem> {
    Parameters::of(&request)?.finish_with_ticket()?;
    let worker = Worker::of(&request).clone();
    if worker.ready().is_err() {
        return Ok(refuse(&worker));
    }
    if request.method() == Method::HEAD {
        // A response to HEAD has no body to observe.
        return Ok(sse::head().finish());
    }
    let inspector = &worker.inspector;
    let name = random_name();
    let pending_bytes_max = inspector.config.capture_pending_bytes_max;
    let capture = Arc::new(Capture::new(pending_bytes_max, worker.clock.clone(), worker.metrics()));
    capture.begin(&name);
    let (identity, began) = (gate::identity(&request), Instant::now());
    let ended = capture.clone();
    let seat = gate::end_with_key(&request, &identity, move || ended.end())?;
    let owner = Owner { name: identity.name().into(), address: forwarded::address(&request).map(network_of) };
    if !inspector.captures.insert(&name, &capture, owner, began) {
        worker.metrics().captures_refused.inc();
        return Ok(refuse(&worker));
    }
    let max_age_s = inspector.config.capture_wait().as_secs().max(1);
    let cookie = format!("{}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Strict", capture.cookie(&name));
    let look = interval(LOOK_INTERVAL);
    let connection = ConnectionState::of(&request);
    let observer = Observer { name, capture, worker, connection, look, began, spoke: began, _seat: seat };
    Ok(sse::head().insert_header((SET_COOKIE, cookie)).streaming(observer))
}

/// Responds to an observer if no capture is free, like [`sse`]: an `EventSource` reconnects after the end of a stream, but not
/// after an error status.
fn refuse(worker: &Worker) -> HttpResponse {
    let (reason, retry_after_ms) = sse::refusal(worker);
    let data = json!({ "reason": reason, "retry_after_ms": retry_after_ms });
    sse::head().body(format!("event: goodbye\ndata: {data}\nretry: {retry_after_ms}\n\n"))
}

/// The events of one capture as a response body. Dropping it ends the capture.
struct Observer {
    name: String,
    capture: Arc<Capture>,
    worker: Worker,
    connection: Option<Rc<ConnectionState>>,
    look: Interval,
    began: Instant,
    /// The time of the last write.
    spoke: Instant,
    /// Ends the capture with the client's key.
    _seat: Option<Seat>,
}

impl Stream for Observer {
    type Item = Result<Bytes, actix_web::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Poll::Ready(events) = self.capture.poll_take(cx.waker()) {
                self.spoke = Instant::now();
                return Poll::Ready(events.map(Ok));
            }
            ready!(self.look.poll_tick(cx));
            let inspector = &self.worker.inspector;
            let is_waiting = inspector.captures.is_waiting(&self.name) == Some(true);
            // The server will close an open socket, which ends the capture.
            let is_over =
                || self.worker.router.borrow().is_draining() || self.began.elapsed() >= inspector.config.capture_wait();
            if is_waiting && is_over() {
                return Poll::Ready(None);
            }
            // If the observer has shut down its sending side, only a write tells whether it is gone.
            let is_in_doubt = self.connection.as_ref().is_some_and(|connection| connection.is_half_closed());
            if is_in_doubt || self.spoke.elapsed() >= self.worker.session.heartbeat() {
                self.spoke = Instant::now();
                return Poll::Ready(Some(Ok(Bytes::from_static(b":\n\n"))));
            }
        }
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.worker.inspector.captures.remove(&self.name);
        self.capture.forget();
    }
}

/// Responds to `GET /handshake/ws?capture=`: a WebSocket like that of `/ws`, recorded in this capture.
///
/// # Errors
///
/// Returns a problem document if the client has no such capture, it has a socket already, or the handshake is refused.
pub(super) async fn open(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let worker = Worker::of(&request);
    let mut parameters = Parameters::of(&request)?;
    let name = parameters.take("capture")?.unwrap_or_default();
    parameters.finish_with_ticket()?;
    // Whether a capture of somebody else has this name is not told.
    let capture = worker.inspector.captures.open(&name, Some(gate::identity(&request).name()));
    let capture = capture.ok_or_else(Problem::no_such_capture)?;
    // A page that is allowed to open sessions could make a visitor's browser open somebody else's capture. The cookie proves
    // that the same browser asked for the capture, also where a proxy has changed the host.
    let checked = websocket::upgrade::check(&request).and_then(|()| {
        if has_cookie(&request, &capture.cookie(&name)) { Ok(()) } else { worker.check_own_origin(&request) }
    });
    let admitted = checked.and_then(|()| {
        worker.admit(&request)?;
        Place::take(&request)
    });
    let place = admitted.inspect_err(|problem| {
        capture.refused(problem, &request);
        capture.end();
    })?;
    capture.request(&request);
    let tap = Tap(capture.clone());
    let heartbeat_ms = worker.session.heartbeat_ms.min(worker.inspector.config.heartbeat_ms);
    let session = Rc::new(SessionConfig { heartbeat_ms, ..(*worker.session).clone() });
    let worker_with_limits = Worker { session, ..worker.clone() };
    let mut response =
        websocket::open_admitted::<Session>(&worker_with_limits, &request, None, Some(Box::new(tap)), place);
    // Without this header the encoder would add one that the capture does not see.
    let since_1970 = Duration::from_micros(u64::try_from(worker.clock.now().micros()).unwrap_or(0));
    let date = HttpDate::from(SystemTime::UNIX_EPOCH + since_1970);
    response.headers_mut().insert(DATE, date.try_into_value().expect("a date is a good header"));
    capture.response(&response);
    Ok(response)
}

/// Reports to the observer of a capture that its socket was refused before [`open`] was called, and before anybody asked whose request it
/// is. No page of another origin may use the
/// capture again.
pub(super) fn report_refusal(request: &HttpRequest, problem: &Problem) {
    if !request.match_info().as_str().ends_with("/handshake/ws") {
        return;
    }
    let name = Parameters::of(request).and_then(|mut parameters| parameters.take("capture"));
    if let Ok(Some(name)) = name
        && let Some(capture) = Worker::of(request).inspector.captures.open(&name, None)
    {
        capture.refused(problem, request);
        capture.end();
    }
}

/// Returns whether the request has this cookie, `NAME=VALUE`.
fn has_cookie(request: &HttpRequest, cookie: &str) -> bool {
    let texts = request.headers().get_all(COOKIE).filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(';')).any(|pair| pair.trim() == cookie)
}

/// Responds to `GET /handshake/attempt?case=`: the server sends this handshake to itself over a new connection, and the
/// response has the bytes of both directions, but not the client's secret.
///
/// # Errors
///
/// Returns a problem document if there is no such case, too many attempts are in progress, or the server cannot reach itself.
pub(super) async fn attempt(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let mut parameters = Parameters::of(&request)?;
    let name = parameters.take("case")?.unwrap_or_default();
    parameters.finish()?;
    let Some((name, case)) = Case::ALL.into_iter().find(|(known, _)| *known == name) else {
        let names: Vec<_> = Case::ALL.iter().map(|(name, _)| *name).collect();
        return Err(Problem::bad_request(format!("'case' must be one of {}", names.join(", "))));
    };
    let worker = Worker::of(&request);
    let inspector = &worker.inspector;
    let _place = inspector.attempts.try_acquire().map_err(|_| {
        worker.metrics().attempts_refused.inc();
        Problem::unavailable("too many attempts are in progress (handshake.attempts_max)")
    })?;
    let itself = &inspector.itself;
    let host = worker.hosts.name_of(itself.address());
    let authorization = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let sent = case.request(&host, &worker.base_path, authorization);
    let answer = tokio::time::timeout(inspector.config.attempt_timeout(), itself.exchange(&sent)).await;
    let answer = answer.map_err(|_| Problem::unavailable("the server did not answer itself in time"))?;
    let answer =
        answer.map_err(|err| Problem::unavailable(format!("the server cannot reach itself: {}", err.kind())))?;
    let answer = String::from_utf8_lossy(&answer);
    let shown = case.request(&host, &worker.base_path, authorization.map(attempt::hidden).as_deref());
    let exchange = json!({ "case": name, "request": shown, "response": answer, "tls": itself.is_over_tls() });
    Ok(rest::json(exchange.to_string().into_bytes()))
}
