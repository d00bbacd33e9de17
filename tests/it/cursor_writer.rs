//! Writes of the sessions of `cursor_world`, which have no sockets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use serde_json::{Value, json};
use tickcast::hub::{Control, Sink};
use tickcast::protocol::native::Native;
use tickcast::protocol::{Dialect, Publication, ServerMessage};
use tickcast::session::Session;

/// Collects the messages of one write, events with their `skipped`.
struct Written {
    messages: Vec<Value>,
    limit: usize,
}

impl Sink for Written {
    fn control(&mut self, control: Control) {
        match control {
            Control::Message(message) => self.message(&message),
            Control::Close(_) => self.messages.push(json!({"type": "close"})),
            _ => {}
        }
    }

    fn message(&mut self, message: &ServerMessage) {
        let mut bytes = Vec::new();
        Native::encode_message(message, &mut bytes);
        self.messages.push(serde_json::from_slice(&bytes).unwrap());
    }

    fn event(&mut self, publication: &Publication, skipped: u32) {
        let mut message: Value = serde_json::from_slice(publication.encoded::<Native>()).unwrap();
        message["skipped"] = skipped.into();
        self.messages.push(message);
    }

    fn is_full(&self) -> bool {
        self.messages.len() >= self.limit
    }
}

/// Result of draining an outbox.
pub(crate) enum Drained {
    /// The messages of one write.
    Messages(Vec<Value>),
    /// Nothing is due.
    Nothing,
    /// The server has ended the session.
    Ended,
}

/// The task that writes to one socket.
#[derive(Default)]
pub(crate) struct Writer {
    woken: Arc<Woken>,
    is_waiting: bool,
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Writer {
    /// Drains one write of about `limit` messages. Asserts that a task that waits is woken when they are due.
    pub(crate) fn drain(&mut self, session: &Session, limit: usize, now: Instant) -> Drained {
        let mut written = Written { messages: Vec::new(), limit };
        let waker = Waker::from(self.woken.clone());
        let drained = session.outbox().borrow_mut().poll_drain(&Context::from_waker(&waker), now, &mut written);
        let is_awake = self.woken.0.swap(false, Ordering::Relaxed) || !self.is_waiting;
        self.is_waiting = drained.is_pending();
        assert!(is_awake || self.is_waiting, "nobody woke the task that writes {:?}", written.messages);
        match drained {
            Poll::Ready(Some(_)) => Drained::Messages(written.messages),
            Poll::Ready(None) => Drained::Ended,
            Poll::Pending => Drained::Nothing,
        }
    }
}
