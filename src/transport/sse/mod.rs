//! Server-sent events: `/api/v1/stream`. The request subscribes, and the response body is the outbox of the session;
//! an actor beside it checks the client's liveness.
//!
//! The form of the events belongs to `writer.rs`, subscriptions to `session`.

mod entry;
mod faulty;
mod lines;
mod replay;
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
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use bytes::{Bytes, BytesMut};
use futures_core::Stream;

use crate::access::{Lodging, Seat};
use crate::hub::{Control, End, Outbox, SharedOutbox, Sink};
use crate::metrics::SharedMetrics;
use crate::protocol::native::Native;
use crate::protocol::{CloseReason, Cursor, Dialect, ServerMessage};
use crate::session::Session;
use crate::transport::audited::Audited;
use crate::transport::liveness::Liveness;
use crate::transport::query::Parameters;
use crate::transport::traffic::{self, Account, Transport};
use crate::transport::{Problem, Worker};

use entry::{Asked, Form, open};
use faulty::StreamFaults;
use lines::LinesWriter;
pub(super) use replay::replay;
use writer::{LastId, SseWriter};

/// The range of random delays after which disconnected clients reconnect. Milliseconds.
const RETRY_MS: Range<u64> = 500..1_500;
/// The header with the last cursor of a client that reconnects.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Answers `GET /api/v1/stream?symbols=&channels=&mode=&max_hz=&on_lag=&after=`: see `docs/PROTOCOL.md`.
///
/// # Errors
///
/// Returns a problem document if a parameter is invalid, a symbol unknown, or no session may begin.
pub(super) async fn stream(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let worker = Worker::of(&request);
    let mut parameters = Parameters::of(&request)?;
    let account = traffic::charge(&request, &mut parameters, Transport::Sse)?;
    let mut wanted = parameters.take_subscribe(true)?;
    parameters.finish_with_ticket()?;
    if let Some(cursor) = last_event_id(&request) {
        // A browser that reconnects repeats its first query, with an old cursor or none.
        wanted.after = Some(cursor);
    }
    if let Some(refused) = worker.faults.refuse(&request, Native::NAME, "stream") {
        return Ok(refused);
    }
    if let Err(problem) = worker.admit(&request) {
        return Ok(refuse(worker, wanted.after.as_ref(), &problem));
    }
    open(&request, Asked { wanted, account, form: Form::Events, played: None })
}

/// Begins a response with server-sent events.
pub(super) fn head() -> HttpResponseBuilder {
    head_of(Form::Events)
}

/// Begins a response with a stream of this form.
fn head_of(form: Form) -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response
        .content_type(form.media_type())
        .insert_header((CACHE_CONTROL, "no-store, no-transform"))
        // Otherwise nginx would buffer the events.
        .insert_header(("X-Accel-Buffering", "no"))
        .force_close();
    response
}

/// Responds to a client that cannot have a stream now: an `EventSource` does not reconnect after an error status (WHATWG HTML,
/// section 9.2.2), but after the end of a stream, with the delay in its last event.
fn refuse(worker: &Worker, after: Option<&Cursor>, problem: &Problem) -> HttpResponse {
    let (reason, retry_ms) = refusal(worker);
    let retry_ms = retry_ms.max(problem.lasts_ms());
    let mut event = BytesMut::new();
    let mut writer = SseWriter::new(&mut event, usize::MAX);
    writer.message(&ServerMessage::Goodbye { reason, retry_after_ms: retry_ms });
    // The client's cursor stays good.
    writer.finish(&after.map_or(LastId::Unchanged, |after| LastId::Cursor(after.clone())), Some(retry_ms));
    head().body(event.freeze())
}

/// Returns why a stream cannot begin now, and after how many milliseconds its client may reconnect.
pub(super) fn refusal(worker: &Worker) -> (&'static str, u64) {
    let router = worker.router.borrow();
    let reason = if router.is_draining() { CloseReason::Shutdown.name() } else { "full" };
    (reason, router.drain_left_ms(Instant::now()) + rand::random_range(RETRY_MS))
}

fn last_event_id(request: &HttpRequest) -> Option<Cursor> {
    let value = request.headers().get(LAST_EVENT_ID).filter(|value| !value.is_empty())?;
    Some(value.to_str().ok().and_then(Cursor::parse).unwrap_or_else(Cursor::void))
}

/// The outbox of one session as the body of its response. The dispatcher polls it only while the socket is writable.
struct Body {
    outbox: SharedOutbox,
    actor: Addr<SseSession>,
    metrics: SharedMetrics,
    form: Form,
    epoch: Arc<str>,
    /// The offset at which the stream begins; no cursor is less.
    begun: u64,
    /// Whether the client has no valid cursor: it was given snapshots and has not received all of them.
    is_void: bool,
    /// Sent with the first event, and again when the stream ends.
    retry_ms: Rc<Cell<Option<u64>>>,
    account: Option<Arc<Account>>,
    is_chunked: bool,
    bytes_max: usize,
    /// Faults on request; `None` for nearly all streams.
    faults: Option<Box<StreamFaults>>,
}

thread_local! {
    /// The dispatcher copies a chunk at once and drops it, so all streams of a thread share one buffer.
    static SCRATCH: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

impl Stream for Body {
    type Item = Result<Bytes, actix_web::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let now = Instant::now();
        if let Some(mut faults) = self.faults.take() {
            let polled = self.poll_faulty(&mut faults, cx, now);
            self.faults = Some(faults);
            return polled.map(|chunk| chunk.map(Ok));
        }
        let outbox = self.outbox.clone();
        let mut outbox = outbox.borrow_mut();
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.clear();
            if self.form == Form::Lines {
                let mut writer = LinesWriter::new(scratch, self.bytes_max);
                let Some(events) = ready!(outbox.poll_drain(cx, now, &mut writer)) else {
                    return Poll::Ready(None);
                };
                return Poll::Ready(Some(Ok(self.chunk(&mut outbox, scratch, events, None))));
            }
            let mut writer = SseWriter::new(scratch, self.bytes_max);
            let Some(events) = ready!(outbox.poll_drain(cx, now, &mut writer)) else {
                return Poll::Ready(None);
            };
            if let Some(epoch) = writer.take_epoch() {
                self.epoch = epoch;
            }
            let id = self.last_id(outbox.cursor());
            let payload = writer.finish(&id, self.retry_ms.take());
            Poll::Ready(Some(Ok(self.chunk(&mut outbox, scratch, events, Some(payload)))))
        })
    }
}

/// Returns the overhead of the chunked coding for a chunk of so many bytes (RFC 9112 section 7.1): their number in hexadecimal
/// and two line ends.
pub(super) fn chunk_header_bytes(bytes: usize) -> usize {
    format!("{bytes:x}\r\n\r\n").len()
}

impl Body {
    /// Takes what has been written, of which so many bytes are messages; all of them if that is not said.
    fn chunk(&self, outbox: &mut Outbox, written: &mut BytesMut, events: u64, payload: Option<usize>) -> Bytes {
        outbox.count_bytes(written.len());
        let chunk = written.split().freeze();
        self.count(events, payload.unwrap_or(chunk.len()), chunk.len());
        chunk
    }

    /// Counts a chunk of so many bytes, of which `payload` are messages.
    fn count(&self, events: u64, payload: usize, bytes: usize) {
        if let Some(account) = &self.account {
            let coding = if self.is_chunked { chunk_header_bytes(bytes) } else { 0 };
            account.sent(events, payload, bytes - payload + coding);
        }
        self.metrics.events_delivered.inc_by(events);
    }

    /// Returns the `id` for the client after everything up to this offset has been drained.
    fn last_id(&mut self, drained: Option<u64>) -> LastId {
        match drained {
            Some(offset) => {
                self.is_void = false;
                LastId::Cursor(Cursor { epoch: self.epoch.to_string(), offset: offset.max(self.begun) })
            }
            None if self.is_void => LastId::Void,
            None => LastId::Unchanged,
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.outbox.borrow_mut().abandon(Instant::now());
        // If the mailbox is full or closed, the session is ending already.
        let _ = self.actor.try_send(Gone);
    }
}

/// Reports that the client has disconnected.
#[derive(Message)]
#[rtype(result = "()")]
struct Gone;

/// Owns the [`Session`] of one client and checks its liveness.
struct SseSession {
    /// `None` while the session ends: the hub sends it no further events.
    session: Option<Session>,
    outbox: SharedOutbox,
    form: Form,
    retry_ms: Rc<Cell<Option<u64>>>,
    liveness: Liveness,
    metrics: SharedMetrics,
    /// `None` for a session that was refused.
    audited: Option<Audited>,
    /// The places of the session among those of its key and of its address, until it ends.
    places: (Option<Seat>, Option<Box<Lodging>>),
}

impl SseSession {
    /// Says goodbye, and why: there is no other word for the end of a stream.
    fn close(&mut self, reason: CloseReason, retry_after_ms: Option<u64>, ctx: &mut Context<Self>) {
        // It leaves the hub at the end, when its close is counted.
        if let Some(_session) = self.session.take() {
            self.count_end(reason);
            self.liveness.reset_if_jammed(reason);
            let retry_after_ms = retry_after_ms.unwrap_or_else(|| rand::random_range(RETRY_MS));
            let goodbye = ServerMessage::Goodbye { reason: reason.name(), retry_after_ms };
            self.retry_ms.set(Some(retry_after_ms));
            let now = Instant::now();
            // The outbox refuses the message of a client with too many unread answers.
            let _ = self.outbox.borrow_mut().push_control(Control::Message(goodbye), now);
            self.outbox.borrow_mut().finish(now);
        }
        ctx.stop();
    }

    fn count_end(&mut self, reason: CloseReason) {
        self.places = (None, None);
        if let Some(audited) = &self.audited {
            audited.end(reason);
        }
        self.metrics.count_close(reason);
        log::debug!("stream closed reason={}", reason.name());
    }

    fn check(&mut self, ctx: &mut Context<Self>) {
        let Some(session) = &mut self.session else { return };
        let now = Instant::now();
        let told = session.tell_expiry(now);
        let form = self.form;
        let heartbeat = || match form {
            Form::Events => session.keep_alive(now),
            Form::Lines => session.heartbeat(now),
        };
        match told.and_then(|()| self.liveness.check(now, None, heartbeat)) {
            Ok(next) => _ = ctx.run_later(next, Self::check),
            Err(CloseReason::Stalled) => self.give_up(now, ctx),
            Err(reason) => self.close(reason, None, ctx),
        }
    }

    /// Ends a stream without `goodbye`, because the stalled socket would not send it.
    fn give_up(&mut self, now: Instant, ctx: &mut Context<Self>) {
        self.count_end(CloseReason::Stalled);
        self.outbox.borrow_mut().abandon(now);
        self.session = None;
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
