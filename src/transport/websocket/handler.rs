//! What is done with the messages of a WebSocket client: the seam between the session actor, which knows frames, and what
//! they mean. The service has one handler, [`Session`]; a program that embeds the server can bring another.

use std::time::{Duration, Instant};

use crate::protocol::native::Native;
use crate::protocol::{CloseReason, Dialect};
use crate::session::Session;

/// Takes the messages of one WebSocket client. Answers go to the outbox of the session that it is given.
pub trait MessageHandler: Sized + Unpin + 'static {
    /// What its sessions are sent in.
    type Dialect: Dialect;

    /// Whether binary messages are served. Where not, the first frame of one closes the session with 1003 (RFC 6455 section
    /// 7.4.1).
    const BINARY: bool;

    /// Returns the handler of a client that has just connected, for as long as it stays. `name` is the session's own.
    fn open(session: Session, name: &str, now: Instant) -> Self;

    /// Takes a text message.
    ///
    /// # Errors
    ///
    /// Returns why the session must be closed.
    fn text(&mut self, text: &str, now: Instant) -> Result<(), CloseReason>;

    /// Takes a binary message, where these are served.
    ///
    /// # Errors
    ///
    /// Returns why the session must be closed.
    fn binary(&mut self, payload: &[u8], now: Instant) -> Result<(), CloseReason>;

    /// Says that the session is alive although there is nothing to say.
    ///
    /// # Errors
    ///
    /// Returns why the session must be closed instead.
    fn heartbeat(&self, now: Instant) -> Result<(), CloseReason>;

    /// Returns for how long the client's next message is to wait; none unless the handler says so.
    fn pause(&mut self, _: Instant) -> Duration {
        Duration::ZERO
    }
}

/// The native protocol.
impl MessageHandler for Session {
    type Dialect = Native;

    const BINARY: bool = false;

    fn open(session: Session, name: &str, now: Instant) -> Self {
        // An empty outbox takes the first answer.
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
