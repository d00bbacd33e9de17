//! The WebSocket transport: the session actor, which reads the client's frames, and the response body, through which the outbox
//! of the session is written.
//!
//! The only file that names `actix_web_actors`. The actor is a plain one and no `WebsocketContext`, which would stop with its
//! timers while the socket is jammed. Subscriptions belong to `session`.

mod budget;
mod handler;
mod reader;
pub(super) mod upgrade;
mod utf8;
mod writer;

use std::cell::RefCell;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::{Duration, Instant};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, StreamHandler};
use actix_http::ws::{Frame, Item};
use actix_web::http::header::SEC_WEBSOCKET_PROTOCOL;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use actix_web_actors::ws;
use bytes::{Bytes, BytesMut};
use futures_core::Stream;

use crate::hub::{Control, End, SharedOutbox};
use crate::metrics::SharedMetrics;
use crate::protocol::{CloseReason, Dialect, ServerMessage};
use crate::rate::RateLimiter;
use crate::session::SessionConfig;
use crate::transport::liveness::Liveness;
use crate::transport::problem::Problem;
use crate::transport::query::Parameters;
use crate::transport::traffic::{self, Account, Transport};
use crate::transport::{Worker, random_name};

use budget::FrameBudget;
pub use handler::MessageHandler;
use reader::{Assembler, FrameReader, ReadPause};
use upgrade::{accept, check, lists};
use writer::FrameWriter;

/// The most frames that are read while a closing session waits for its client's close frame: a few milliseconds' work.
const IGNORED_FRAMES_MAX: usize = 16_384;

/// Opens a WebSocket and gives its messages to an `H`.
///
/// # Errors
///
/// Returns a problem document if the request does not open a WebSocket, or no session may begin.
pub(super) async fn open<H: MessageHandler>(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let account = traffic::charge(&request, &mut Parameters::of(&request)?, Transport::WebSocket)?;
    open_on::<H>(Worker::of(&request), &request, payload, account)
}

/// Opens a session with the limits of this worker, and charges its bytes to `account`.
///
/// # Errors
///
/// As [`open`].
pub(super) fn open_on<H: MessageHandler>(
    worker: &Worker,
    request: &HttpRequest,
    payload: Payload,
    account: Option<Arc<Account>>,
) -> Result<HttpResponse, Problem> {
    check(worker, request)?;
    worker.admit(request)?;
    let mut response = accept(request);
    if let Some(name) = H::Dialect::SUBPROTOCOL
        && lists(request, SEC_WEBSOCKET_PROTOCOL, |offered| offered == name)
    {
        response.insert_header((SEC_WEBSOCKET_PROTOCOL, name));
    }
    traffic::upgrade(request);
    let now = Instant::now();
    let name = random_name();
    let mut outbox = None;
    WebSocketSession::create(|ctx| {
        let ender = ctx.address().recipient();
        let session = worker.join::<H::Dialect>(Some(ender), now);
        let shared = outbox.insert(session.outbox().clone()).clone();
        let SessionConfig { message_bytes_max, control_frames_per_second_max, .. } = *worker.session;
        let pauses = worker.router.borrow().config().pauses.clone();
        let budget = FrameBudget(RateLimiter::per_second(control_frames_per_second_max, now).with_pauses(pauses));
        let frames = FrameReader::new(payload, message_bytes_max, budget, account.clone());
        let gate = frames.gate();
        ctx.add_stream(frames);
        WebSocketSession {
            session: Some(H::open(session, &name, now)),
            liveness: Liveness::new(request, shared.clone(), worker.session.clone()).with_pings(now),
            outbox: shared,
            config: worker.session.clone(),
            metrics: worker.metrics(),
            account: account.clone(),
            assembler: Assembler::default(),
            ignored: 0,
            gate,
        }
    });
    let outbox = outbox.expect("create has run its closure");
    let frame_bytes_max = worker.router.borrow().config().push.frame_bytes_max;
    let body = Body::<H::Dialect> { outbox, metrics: worker.metrics(), frame_bytes_max, account, dialect: PhantomData };
    log::debug!("session opened name={name}");
    Ok(response.streaming(body))
}

/// The outbox of one session as the body of its response: polled by the dispatcher only while the socket has room.
struct Body<D> {
    outbox: SharedOutbox,
    metrics: SharedMetrics,
    frame_bytes_max: usize,
    account: Option<Arc<Account>>,
    dialect: PhantomData<fn() -> D>,
}

thread_local! {
    /// The dispatcher copies a chunk at once and drops it, so all sessions of a thread share one buffer.
    static SCRATCH: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

impl<D: Dialect> Stream for Body<D> {
    type Item = Result<Bytes, actix_web::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let now = Instant::now();
        let mut outbox = self.outbox.borrow_mut();
        SCRATCH.with_borrow_mut(|scratch| {
            let mut writer = FrameWriter::<D>::new(scratch, self.frame_bytes_max);
            let Some(events) = ready!(outbox.poll_drain(cx, now, &mut writer)) else {
                return Poll::Ready(None);
            };
            let payload = writer.finish();
            let chunk = scratch.split().freeze();
            if let Some(account) = &self.account {
                account.sent(events, payload, chunk.len() - payload);
            }
            self.metrics.events_delivered.inc_by(events);
            Poll::Ready(Some(Ok(chunk)))
        })
    }
}

impl<D> Drop for Body<D> {
    fn drop(&mut self) {
        self.outbox.borrow_mut().abandon(Instant::now());
    }
}

/// Reads the frames of one client, and owns its [`Session`](crate::session::Session) through the handler of its messages.
struct WebSocketSession<H> {
    /// `None` while the session closes: the hub sends it no further events.
    session: Option<H>,
    outbox: SharedOutbox,
    config: Rc<SessionConfig>,
    metrics: SharedMetrics,
    account: Option<Arc<Account>>,
    liveness: Liveness,
    assembler: Assembler,
    /// Frames that arrived after the session began to close.
    ignored: usize,
    gate: ReadPause,
}

impl<H: MessageHandler> WebSocketSession<H> {
    fn receive(&mut self, frame: Frame, ctx: &mut Context<Self>) {
        let account = self.account.clone();
        let _working = account.as_ref().map(|account| account.working());
        let now = Instant::now();
        self.liveness.heard(now);
        let result = match frame {
            Frame::Continuation(item) => self.receive_fragment(item, now),
            // Copied, because the payload is a part of the connection's read buffer and would keep all of it alive.
            Frame::Ping(payload) => {
                self.outbox.borrow_mut().push_control(Control::Pong(Bytes::copy_from_slice(&payload)), now)
            }
            Frame::Pong(_) => Ok(()),
            Frame::Close(close) => return self.answer_close(close, ctx),
            message => self.receive_message(&message, now),
        };
        match result {
            Ok(()) => self.pause(now),
            Err(reason) => self.close(reason, ctx),
        }
    }

    /// Delays the client's next frame if its requests have cost too much.
    fn pause(&mut self, now: Instant) {
        let pause = self.session.as_mut().map_or(Duration::ZERO, |session| session.pause(now));
        if !pause.is_zero() {
            self.gate.set(Some(now + pause));
            // The client is not silent: the server does not read.
            self.liveness.heard(now + pause);
        }
    }

    fn receive_fragment(&mut self, item: Item, now: Instant) -> Result<(), CloseReason> {
        let message = self.assembler.push(item, self.config.message_bytes_max, H::BINARY)?;
        self.liveness.set_unfinished(self.assembler.is_open(), now);
        match message {
            Some(message) => self.receive_message(&message, now),
            None => Ok(()),
        }
    }

    /// Passes a complete message to the handler.
    fn receive_message(&mut self, message: &Frame, now: Instant) -> Result<(), CloseReason> {
        let Some(session) = &mut self.session else { return Ok(()) };
        match message {
            Frame::Text(payload) => {
                session.text(std::str::from_utf8(payload).map_err(|_| CloseReason::InvalidText)?, now)
            }
            Frame::Binary(payload) if H::BINARY => session.binary(payload, now),
            _ => Err(CloseReason::UnsupportedData),
        }
    }

    /// Begins the closing handshake (RFC 6455 section 7.1.2).
    fn close(&mut self, reason: CloseReason, ctx: &mut Context<Self>) {
        if !self.begin_close(reason, Control::Close(reason)) {
            return self.end(ctx);
        }
        self.liveness.reset_if_jammed(reason);
        ctx.run_later(self.config.close_timeout(), Self::end);
    }

    /// Ends after the client's close frame. It is answered with its own code (RFC 6455 section 5.5.1), unless it is itself the
    /// answer to a close.
    fn answer_close(&mut self, close: Option<ws::CloseReason>, ctx: &mut Context<Self>) {
        let code = close.map(|close| close.code.into());
        self.begin_close(CloseReason::ClientClosed, Control::CloseAnswer(code));
        self.end(ctx);
    }

    /// Queues the close frame behind the controls. Returns false if the session is closing already.
    fn begin_close(&mut self, reason: CloseReason, close: Control) -> bool {
        // It leaves the hub at the end, when its close is counted.
        let Some(_session) = self.session.take() else { return false };
        self.metrics.count_close(reason);
        log::debug!("session closed reason={}", reason.name());
        if reason == CloseReason::UnreadReplies {
            self.outbox.borrow_mut().forget_front();
        }
        // The outbox accepts every close.
        let _ = self.outbox.borrow_mut().push_control(close, Instant::now());
        true
    }

    /// Ignores a frame that arrived after the session began to close. If there are too many, the connection ends without the
    /// client's close frame.
    fn ignore(&mut self, ctx: &mut Context<Self>) {
        self.ignored += 1;
        if self.ignored == IGNORED_FRAMES_MAX {
            self.end(ctx);
        }
    }

    fn end(&mut self, ctx: &mut Context<Self>) {
        self.outbox.borrow_mut().finish(Instant::now());
        ctx.stop();
    }

    fn check(&mut self, ctx: &mut Context<Self>) {
        let Some(session) = &self.session else { return };
        let now = Instant::now();
        match self.liveness.check(now, || session.heartbeat(now)) {
            Ok(next) => _ = ctx.run_later(next, Self::check),
            Err(CloseReason::Stalled) => self.give_up(CloseReason::Stalled, ctx),
            Err(reason) => self.close(reason, ctx),
        }
    }

    /// Ends a session without a close frame, because none would reach its client.
    fn give_up(&mut self, reason: CloseReason, ctx: &mut Context<Self>) {
        if let Some(_session) = self.session.take() {
            self.metrics.count_close(reason);
            log::debug!("session closed reason={}", reason.name());
            self.outbox.borrow_mut().abandon(Instant::now());
            ctx.stop();
        }
    }
}

impl<H: MessageHandler> Actor for WebSocketSession<H> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(1);
        self.check(ctx);
    }
}

impl<H: MessageHandler> StreamHandler<Result<Frame, CloseReason>> for WebSocketSession<H> {
    fn handle(&mut self, frame: Result<Frame, CloseReason>, ctx: &mut Self::Context) {
        match frame {
            Ok(frame) if self.session.is_some() || matches!(frame, Frame::Close(_)) => self.receive(frame, ctx),
            Ok(_) => self.ignore(ctx),
            Err(reason) => self.close(reason, ctx),
        }
    }

    /// The client has disconnected, or its bytes are invalid.
    fn finished(&mut self, ctx: &mut Self::Context) {
        self.give_up(CloseReason::Disconnected, ctx);
    }
}

impl<H: MessageHandler> Handler<End> for WebSocketSession<H> {
    type Result = ();

    fn handle(&mut self, end: End, ctx: &mut Self::Context) {
        if self.session.is_none() {
            return;
        }
        if let Some(retry_after_ms) = end.retry_after_ms {
            let goodbye = ServerMessage::Goodbye { reason: end.reason.name(), retry_after_ms };
            // A client that has left so many answers unread will not read this one either.
            let _ = self.outbox.borrow_mut().push_control(Control::Message(goodbye), Instant::now());
        }
        self.close(end.reason, ctx);
    }
}
