//! The interface between the session actor, which reads frames, and the code that handles messages. The server has one handler,
//! [`Session`]; a program that embeds the server may add others.

use std::time::{Duration, Instant};

use crate::protocol::native::Native;
use crate::protocol::{CloseReason, Dialect};
use crate::session::Session;

/// Handles the messages of one WebSocket client. Answers go to the outbox of its session.
pub trait MessageHandler: Sized + Unpin + 'static {
    /// The wire format of the messages to its clients.
    type Dialect: Dialect;

    /// Whether binary messages are served. Where not, the first frame of one closes the session with 1003 (RFC 6455 section
    /// 7.4.1).
    const BINARY: bool;

    /// Returns the handler of a client that has just connected. `name` is the name of the session.
    fn open(session: Session, name: &str, now: Instant) -> Self;

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

    /// Sends a heartbeat.
    ///
    /// # Errors
    ///
    /// Returns why the session must be closed instead.
    fn heartbeat(&self, now: Instant) -> Result<(), CloseReason>;

    /// Returns for how long the client's next message must wait. A handler that wraps a [`Session`] returns
    /// [`Session::pause`]: without it neither `session.work_per_second_max` nor `push.turn_work_max` limits its requests, and
    /// one client can delay all others.
    fn pause(&mut self, now: Instant) -> Duration;
}

/// The native protocol.
impl MessageHandler for Session {
    type Dialect = Native;

    const BINARY: bool = false;

    fn open(session: Session, name: &str, now: Instant) -> Self {
        // An empty outbox accepts the first answer.
        let _ = session.welcome(name, now);
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

    fn pause(&mut self, now: Instant) -> Duration {
        Session::pause(self, now)
    }
}
