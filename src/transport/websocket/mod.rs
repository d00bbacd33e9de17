//! The WebSocket transport: the session actor, which reads the client's frames, and the socket, to which the outbox of the session
//! is written (`socket.rs`).
//!
//! The only file that names `actix_web_actors`. The actor is a plain one and no `WebsocketContext`, which would stop with its
//! timers while the socket is jammed. Subscriptions belong to `session`.

mod awaited;
mod budget;
mod entry;
mod faulty;
mod handler;
mod identity;
mod measured;
pub(super) mod reader;
mod reading;
mod recorder;
mod serving;
mod socket;
pub(super) mod upgrade;
mod utf8;
mod watch;
mod writer;

use std::rc::Rc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, StreamHandler};
use actix_http::ws::{Frame, Item};
use actix_web_actors::ws;
use bytes::Bytes;

use crate::access::{Lodging, Seat, Stranger};
use crate::hub::{Control, End};
use crate::metrics::SharedMetrics;
use crate::protocol::{CloseReason, ServerMessage};
use crate::session::SessionConfig;
use crate::transport::audited::Audited;
use crate::transport::liveness::Liveness;

use awaited::awaits_key;
pub(super) use entry::{open, open_admitted, open_replay};
pub use handler::{MessageHandler, Opening};
use reader::Assembler;
pub use reading::Reading;
pub(super) use recorder::Recorder;
use socket::SessionSocket;

/// The most frames that are read while a closing session waits for its client's close frame: a few milliseconds' work.
const IGNORED_FRAMES_MAX: usize = 16_384;

/// Reads the frames of one client, and owns its [`Session`](crate::session::Session) through the handler of its messages.
struct WebSocketSession<H: MessageHandler> {
    /// `None` while the session closes: the hub sends it no further events.
    session: Option<H>,
    socket: Rc<SessionSocket<H::Dialect>>,
    config: Rc<SessionConfig>,
    metrics: SharedMetrics,
    liveness: Liveness,
    assembler: Assembler,
    /// Frames that arrived after the session began to close.
    ignored: usize,
    /// Whether a fault has kept the session from its end.
    was_spared: bool,
    /// The session as an operator sees it.
    audited: Audited,
    /// The place of the session among those of its key, until it closes; `None` if the handler has it.
    seat: Option<Seat>,
    /// The place of the session among those of its address, until it closes.
    lodging: Option<Box<Lodging>>,
    /// The place among the sessions without a key, until the client has shown one.
    stranger: Option<Box<Stranger>>,
}

impl<H: MessageHandler> WebSocketSession<H> {
    fn receive(&mut self, frame: Frame, ctx: &mut Context<Self>) {
        let socket = self.socket.clone();
        let _working = socket.account().map(|account| account.working());
        let now = Instant::now();
        self.liveness.heard(now);
        let result = match frame {
            Frame::Continuation(item) => self.receive_fragment(item, now),
            // Copied, because the payload is a part of the thread's read buffer and would keep all of it alive.
            Frame::Ping(payload) => {
                self.socket.outbox().borrow_mut().push_control(Control::Pong(Bytes::copy_from_slice(&payload)), now)
            }
            Frame::Pong(payload) => {
                self.measure_round_trip(&payload, now);
                Ok(())
            }
            Frame::Close(close) => return self.answer_close(close, ctx),
            message => self.receive_message(&message, now),
        };
        self.tell_key();
        match result {
            Ok(()) => self.pause(now),
            Err(reason) => self.close(reason, ctx),
        }
    }

    /// Tells the rules of faults which key the client has, once it has authenticated. It is no stranger then.
    fn tell_key(&mut self) {
        if let Some(key) = self.session.as_ref().and_then(H::key)
            && !self.socket.has_key()
        {
            self.socket.set_key(key);
            self.audited.set_key(key);
        }
        if self.stranger.is_some() && !self.session.as_ref().is_some_and(awaits_key) {
            self.stranger = None;
        }
    }

    /// Measures the time since the ping that this frame answers. Others than those of the server have a payload, or no ping before them.
    fn measure_round_trip(&mut self, payload: &Bytes, now: Instant) {
        if payload.is_empty()
            && let Some(time) = self.liveness.answered(now)
        {
            self.metrics.round_trip.observe(time);
            self.audited.facts().set_round_trip(time);
        }
    }

    /// Delays the client's next frame if its requests have cost too much.
    fn pause(&mut self, now: Instant) {
        let pause = self.session.as_mut().map_or(Duration::ZERO, |session| session.pause(now));
        if !pause.is_zero() {
            self.socket.pause().set(Some(now + pause));
            // The client is not silent: the server does not read.
            self.liveness.heard(now + pause);
        }
    }

    fn receive_fragment(&mut self, item: Item, now: Instant) -> Result<(), CloseReason> {
        let message = self.assembler.push(item, H::message_bytes_max(&self.config), H::BINARY)?;
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
        if reason == CloseReason::AuthFailed {
            return self.hang_up(reason, ctx);
        }
        if !self.begin_close(reason, Control::Close(reason)) {
            return self.end(ctx);
        }
        self.liveness.reset_if_jammed(reason);
        ctx.run_later(self.config.close_timeout(), Self::end);
    }

    /// Ends a session after its handler's last message, without a close frame.
    fn hang_up(&mut self, reason: CloseReason, ctx: &mut Context<Self>) {
        let Some(session) = self.session.take() else { return };
        self.count_end(reason);
        session.farewell(reason, Instant::now());
        self.end(ctx);
    }

    fn count_end(&mut self, reason: CloseReason) {
        (self.seat, self.lodging, self.stranger) = (None, None, None);
        self.audited.end(reason);
        self.metrics.count_close(reason);
        log::debug!("session closed reason={}", reason.name());
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
        let Some(session) = self.session.take() else { return false };
        self.count_end(reason);
        if reason == CloseReason::UnreadReplies {
            self.socket.outbox().borrow_mut().forget_front();
        }
        let now = Instant::now();
        if matches!(close, Control::Close(_)) {
            session.farewell(reason, now);
        }
        // The outbox accepts every close.
        let _ = self.socket.outbox().borrow_mut().push_control(close, now);
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
        self.socket.outbox().borrow_mut().finish(Instant::now());
        ctx.stop();
    }

    /// Ends a session without a close frame, because none would reach its client.
    fn give_up(&mut self, reason: CloseReason, ctx: &mut Context<Self>) {
        if let Some(_session) = self.session.take() {
            self.count_end(reason);
            self.socket.outbox().borrow_mut().abandon(Instant::now());
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

    /// The client has disconnected.
    fn finished(&mut self, ctx: &mut Self::Context) {
        if self.session.is_none() {
            // Nobody is left who could answer the close frame.
            return self.end(ctx);
        }
        self.give_up(CloseReason::Disconnected, ctx);
    }
}

impl<H: MessageHandler> Handler<End> for WebSocketSession<H> {
    type Result = ();

    fn handle(&mut self, end: End, ctx: &mut Self::Context) {
        // Another thread may have chosen this stranger, who has said meanwhile who it is.
        let is_late = end.reason == CloseReason::AuthTimeout && self.stranger.is_none();
        if self.session.is_none() || is_late {
            return;
        }
        if let Some(retry_after_ms) = end.retry_after_ms {
            let goodbye = ServerMessage::Goodbye { reason: end.reason.name(), retry_after_ms };
            // A client that has left so many answers unread will not read this one either.
            let _ = self.socket.outbox().borrow_mut().push_control(Control::Message(goodbye), Instant::now());
        }
        self.close(end.reason, ctx);
    }
}
