//! Server-sent events: `/api/v1/stream`. The request is the subscription, and the response body the session's outbox, as it
//! is that of a WebSocket; beside it an actor keeps the heartbeat and ends what has stalled.
//!
//! How events look is `event_stream`'s business, who gets what `session`'s and `hub`'s.

mod writer;

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Instant;

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, Message};
use actix_web::http::header::{CACHE_CONTROL, HeaderName};
use actix_web::http::{Method, Version};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use bytes::{Bytes, BytesMut};
use futures_core::Stream;

use crate::hub::{Control, End, SharedOutbox, Sink};
use crate::metrics::SharedMetrics;
use crate::protocol::native::Native;
use crate::protocol::{CloseReason, Cursor, Mistake, ServerMessage};
use crate::session::{Begun, Session};
use crate::transport::liveness::Liveness;
use crate::transport::query::Parameters;
use crate::transport::traffic::{self, Account, Transport};
use crate::transport::{Problem, Worker, random_name};

use writer::{LastId, SseWriter};

/// When a client that has lost its stream may come back: each at another moment of this range, in milliseconds.
const RETRY_MS: Range<u64> = 500..1_500;
/// Where a client tells what it has seen last, when it comes back.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Answers `GET /api/v1/stream?symbols=&channels=&mode=&max_hz=&on_lag=&after=`: see `docs/PROTOCOL.md`.
///
/// # Errors
///
/// Returns a problem document when a parameter is wrong or a symbol unknown, or no session may begin.
pub(super) async fn stream(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let worker = Worker::of(&request);
    let mut parameters = Parameters::of(&request)?;
    let account = traffic::charge(&request, &mut parameters, Transport::Sse)?;
    let mut wanted = parameters.take_subscribe(true)?;
    parameters.finish()?;
    if let Some(cursor) = last_event_id(&request) {
        // A browser that comes back repeats its first query.
        wanted.after = Some(cursor);
    }
    if worker.admit(&request).is_err() {
        return Ok(refuse(worker, wanted.after.as_ref()));
    }
    let now = Instant::now();
    let name = random_name();
    let mut opened: Option<Result<(Begun, SharedOutbox), Mistake>> = None;
    // The connection may break at any time, while the server goes down as well.
    let drain_ms = u64::try_from(worker.drain.as_millis()).unwrap_or(u64::MAX);
    let retry_ms = Rc::new(Cell::new(Some(drain_ms.saturating_add(rand::random_range(RETRY_MS)))));
    let actor = SseSession::create(|ctx| {
        let mut session = worker.join::<Native>(Some(ctx.address().recipient()), now);
        // An empty outbox takes the first answer.
        let _ = session.welcome(&name, now);
        let outbox = session.outbox().clone();
        let begun = session.stream(&wanted, now);
        let session = begun.is_ok().then_some(session);
        opened = Some(begun.map(|begun| (begun, outbox.clone())));
        SseSession {
            session,
            liveness: Liveness::new(&request, outbox.clone(), worker.session.clone()),
            outbox,
            retry_ms: retry_ms.clone(),
            metrics: worker.metrics(),
        }
    });
    let (begun, outbox) = opened.expect("create has run its closure").map_err(Problem::mistake)?;
    worker.metrics().requests.inc();
    log::debug!("stream opened name={name}");
    // Older clients know no transfer coding (RFC 9112 section 6.1); the stream ends with the connection anyway.
    let is_chunked = request.version() >= Version::HTTP_11;
    let body = Body {
        outbox,
        actor,
        is_chunked,
        metrics: worker.metrics(),
        epoch: worker.router.borrow().epoch().to_string(),
        begun: begun.offset,
        is_void: !begun.recovered,
        retry_ms,
        account,
        bytes_max: worker.router.borrow().shared().push.frame_bytes_max,
    };
    let mut response = head();
    if request.method() == Method::HEAD {
        // Without its body the session has ended again.
        return Ok(response.finish());
    }
    let mut response = response.streaming(body);
    response.head_mut().no_chunking(!is_chunked);
    Ok(response)
}

/// Begins the answer that is a stream of events.
pub(super) fn head() -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store, no-transform"))
        // Keeps nginx from collecting what it should pass on.
        .insert_header(("X-Accel-Buffering", "no"))
        .force_close();
    response
}

/// Answers a client that cannot have a stream now: an `EventSource` does not come back from an error status (WHATWG HTML,
/// section 9.2.2), but it does after the end of a stream, when that has told it to.
fn refuse(worker: &Worker, after: Option<&Cursor>) -> HttpResponse {
    let (reason, retry_ms) = refusal(worker);
    let mut event = BytesMut::new();
    let mut writer = SseWriter::new(&mut event, usize::MAX);
    writer.message(&ServerMessage::Goodbye { reason, retry_after_ms: retry_ms });
    // The client's cursor stays good.
    writer.finish(&after.map_or(LastId::Unchanged, |after| LastId::Cursor(after.clone())), Some(retry_ms));
    head().body(event.freeze())
}

/// Returns what the client has seen last; a cursor that is none is void, as an error would end an `EventSource` for good.
/// Returns why a stream cannot begin now, and after how many milliseconds its client may come back.
pub(super) fn refusal(worker: &Worker) -> (&'static str, u64) {
    let router = worker.router.borrow();
    let reason = if router.is_draining() { CloseReason::Shutdown.name() } else { "full" };
    (reason, router.drain_left_ms(Instant::now()) + rand::random_range(RETRY_MS))
}

fn last_event_id(request: &HttpRequest) -> Option<Cursor> {
    let value = request.headers().get(LAST_EVENT_ID).filter(|value| !value.is_empty())?;
    Some(value.to_str().ok().and_then(Cursor::parse).unwrap_or_else(Cursor::void))
}

/// The outbox of one session as the body of its response: polled by the dispatcher only while the socket has room.
struct Body {
    outbox: SharedOutbox,
    actor: Addr<SseSession>,
    metrics: SharedMetrics,
    epoch: String,
    /// Where the stream begins: the first cursor is not before it.
    begun: u64,
    /// Whether the client begins anew and has not got all snapshots yet: what it has kept from before is no good, and there
    /// is no new cursor yet.
    is_void: bool,
    /// Said once, with the first event, and again when the stream ends.
    retry_ms: Rc<Cell<Option<u64>>>,
    account: Option<Arc<Account>>,
    is_chunked: bool,
    bytes_max: usize,
}

thread_local! {
    /// The dispatcher copies a chunk at once and drops it, so all streams of a thread can write to one buffer.
    static SCRATCH: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

impl Stream for Body {
    type Item = Result<Bytes, actix_web::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let now = Instant::now();
        let outbox = self.outbox.clone();
        let mut outbox = outbox.borrow_mut();
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.clear();
            let mut writer = SseWriter::new(scratch, self.bytes_max);
            let Some(events) = ready!(outbox.poll_drain(cx, now, &mut writer)) else {
                return Poll::Ready(None);
            };
            let id = self.last_id(outbox.cursor());
            let payload = writer.finish(&id, self.retry_ms.take());
            let chunk = scratch.split().freeze();
            if let Some(account) = &self.account {
                let coding = if self.is_chunked { chunk_header_bytes(chunk.len()) } else { 0 };
                account.sent(events, payload, chunk.len() - payload + coding);
            }
            self.metrics.events_delivered.inc_by(events);
            Poll::Ready(Some(Ok(chunk)))
        })
    }
}

/// Returns what the chunked coding puts around so many bytes (RFC 9112 section 7.1): their number in hexadecimal and two line
/// ends.
pub(super) fn chunk_header_bytes(bytes: usize) -> usize {
    format!("{bytes:x}\r\n\r\n").len()
}

impl Body {
    /// Returns what the client is to keep when everything up to this offset has been drained.
    fn last_id(&mut self, drained: Option<u64>) -> LastId {
        match drained {
            Some(offset) => {
                self.is_void = false;
                LastId::Cursor(Cursor { epoch: self.epoch.clone(), offset: offset.max(self.begun) })
            }
            None if self.is_void => LastId::Void,
            None => LastId::Unchanged,
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.outbox.borrow_mut().abandon(Instant::now());
        // When the mailbox is full or closed the session is ending already.
        let _ = self.actor.try_send(Gone);
    }
}

/// Tells that the connection is gone.
#[derive(Message)]
#[rtype(result = "()")]
struct Gone;

/// Owns one client's [`Session`] and keeps the heartbeat.
struct SseSession {
    /// Gone when the session is ending: the hub sends it nothing more.
    session: Option<Session>,
    outbox: SharedOutbox,
    retry_ms: Rc<Cell<Option<u64>>>,
    liveness: Liveness,
    metrics: SharedMetrics,
}

impl SseSession {
    /// Says goodbye, and why: there is no other word for the end of a stream.
    fn close(&mut self, reason: CloseReason, retry_after_ms: Option<u64>, ctx: &mut Context<Self>) {
        if self.session.take().is_some() {
            self.metrics.count_close(reason);
            log::debug!("stream closed reason={}", reason.name());
            self.liveness.reset_if_jammed(reason);
            let retry_after_ms = retry_after_ms.unwrap_or_else(|| rand::random_range(RETRY_MS));
            let goodbye = ServerMessage::Goodbye { reason: reason.name(), retry_after_ms };
            self.retry_ms.set(Some(retry_after_ms));
            let now = Instant::now();
            // A client that has left so much unread will not read this either.
            let _ = self.outbox.borrow_mut().push_control(Control::Message(goodbye), now);
            self.outbox.borrow_mut().finish(now);
        }
        ctx.stop();
    }

    fn check(&mut self, ctx: &mut Context<Self>) {
        let Some(session) = &self.session else { return };
        let now = Instant::now();
        match self.liveness.check(now, || session.keep_alive(now)) {
            Ok(next) => _ = ctx.run_later(next, Self::check),
            Err(CloseReason::Stalled) => self.give_up(now, ctx),
            Err(reason) => self.close(reason, None, ctx),
        }
    }

    /// Ends a stream whose socket takes nothing: no farewell would reach its client.
    fn give_up(&mut self, now: Instant, ctx: &mut Context<Self>) {
        self.session = None;
        self.metrics.count_close(CloseReason::Stalled);
        log::debug!("stream closed reason={}", CloseReason::Stalled.name());
        self.outbox.borrow_mut().abandon(now);
        ctx.stop();
    }
}

impl Actor for SseSession {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(1);
        if self.session.is_none() {
            return ctx.stop();
        }
        self.check(ctx);
    }
}

impl Handler<End> for SseSession {
    type Result = ();

    fn handle(&mut self, end: End, ctx: &mut Self::Context) {
        self.close(end.reason, end.retry_after_ms, ctx);
    }
}

impl Handler<Gone> for SseSession {
    type Result = ();

    fn handle(&mut self, _: Gone, ctx: &mut Self::Context) {
        self.close(CloseReason::Disconnected, None, ctx);
    }
}
