//! The interface between the session actor, which reads frames, and the code that handles messages. The native protocol has the
//! handler [`Session`]; the dialects of vendors have others, and a program that embeds the server may add its own.

use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::HttpRequest;

use crate::hub::Ender;
use crate::protocol::native::Native;
use crate::protocol::{CloseReason, Dialect};
use crate::session::{Session, SessionConfig};
use crate::transport::Worker;
use crate::transport::websocket::Reading;

/// The handshake of a client, for its handler.
pub struct Opening<'a> {
    /// The random name of the session.
    pub name: &'a str,
    /// The request: its headers, query string and path parameters.
    pub request: &'a HttpRequest,
    /// The worker that serves the session.
    pub worker: &'a Worker,
    /// Ends the session, from any thread: send it an [`End`](crate::hub::End) with `try_send`. An error means that the session is
    /// ending already.
    pub ender: Ender,
    /// Stops the reading of the client's frames for a while.
    pub reading: Rc<dyn Reading>,
}

/// Handles the messages of one WebSocket client. Answers go to the outbox of its session.
pub trait MessageHandler: Sized + Unpin + 'static {
    /// The wire format of the messages to its clients.
    type Dialect: Dialect;

    /// Whether binary messages are served. Where not, the first frame of one closes the session with 1003 (RFC 6455 section
    /// 7.4.1).
    const BINARY: bool;

    /// Whether clients may say by message who they are, or renew that, by the request `auth` of a [`Session`].
    const SIGNS_IN: bool = false;

    /// Returns the longest message of a client, in bytes; a longer one closes the session with 1009.
    fn message_bytes_max(config: &SessionConfig) -> usize {
        config.message_bytes_max
    }

    /// Returns the id of the key that the request for the session names, by which rules of faults refuse sessions; `None` if it names
    /// no valid one, and in a dialect whose clients authenticate by message.
    fn presented_key(_request: &HttpRequest, _worker: &Worker) -> Option<String> {
        None
    }

    /// Returns the handler of a client that has just connected.
    fn open(session: Session, opening: Opening<'_>, now: Instant) -> Self;

    /// Handles a text message.
    ///
    /// # Errors
    ///
    /// Returns why the session must be closed.
    fn text(&mut self, text: &str, now: Instant) -> Result<(), CloseReason>;

    /// Handles a binary message; called only if [`Self::BINARY`].
    ///
    /// # Errors
    ///
    /// Returns why the session must be closed.
    fn binary(&mut self, payload: &[u8], now: Instant) -> Result<(), CloseReason>;

    /// Sends a heartbeat: the client was sent nothing for `session.heartbeat_ms`. A protocol without heartbeats sends a ping
    /// ([`Session::keep_alive`]).
    ///
    /// # Errors
    ///
    /// Returns why the session must be closed instead.
    fn heartbeat(&self, now: Instant) -> Result<(), CloseReason>;

    /// Tells the client what it must know by now. Called at least four times in `session.stall_timeout_ms`.
    ///
    /// # Errors
    ///
    /// Returns why the session must be closed instead.
    fn watch(&mut self, _now: Instant) -> Result<(), CloseReason> {
        Ok(())
    }

    /// Returns for how long the client's next message must wait. A handler that wraps a [`Session`] returns
    /// [`Session::pause`]: without it neither `session.work_per_second_max` nor `push.turn_work_max` limits its requests, and
    /// one client can delay all others.
    fn pause(&mut self, now: Instant) -> Duration;

    /// Returns whether the handler has stopped the reading of frames, see [`Reading`]. Its client does not count as silent then.
    fn is_holding(&self) -> bool {
        false
    }

    /// Returns the time at which the session is closed for this reason unless the deadline has been lifted. A deadline that
    /// [`Self::open`] sets is observed at once, a later one within a quarter of `session.stall_timeout_ms`.
    fn deadline(&self) -> Option<(Instant, CloseReason)> {
        None
    }

    /// Queues the last message of a session that the server is about to close for this reason, with [`Session::say_farewell`]. It
    /// goes out before the close frame, and everything else that waits is dropped. Not called if the client closes the session, or
    /// if no close frame would reach it.
    fn farewell(&self, _reason: CloseReason, _now: Instant) {}

    /// Returns the id of the key with which the client has authenticated, by which rules of faults choose sessions; `None` before
    /// that, and in a dialect without keys.
    fn key(&self) -> Option<&str> {
        None
    }
}

/// The native protocol.
impl MessageHandler for Session {
    type Dialect = Native;

    const BINARY: bool = false;
    const SIGNS_IN: bool = true;

    fn open(session: Session, opening: Opening<'_>, now: Instant) -> Self {
        if !session.is_awaited() {
            // An empty outbox accepts the first answer.
            let _ = session.welcome(opening.name, now);
        }
        session
    }

    fn text(&mut self, text: &str, now: Instant) -> Result<(), CloseReason> {
        self.receive::<Native>(text.as_bytes(), now)
    }

    fn binary(&mut self, _: &[u8], _: Instant) -> Result<(), CloseReason> {
        Err(CloseReason::UnsupportedData)
    }

    fn heartbeat(&self, now: Instant) -> Result<(), CloseReason> {
        Session::heartbeat(self, now)
    }

    fn watch(&mut self, now: Instant) -> Result<(), CloseReason> {
        self.tell_expiry(now)
    }

    fn pause(&mut self, now: Instant) -> Duration {
        Session::pause(self, now)
    }

    fn key(&self) -> Option<&str> {
        self.name_by_message()
    }

    fn deadline(&self) -> Option<(Instant, CloseReason)> {
        self.awaited_until().map(|until| (until, CloseReason::AuthTimeout))
    }
}
