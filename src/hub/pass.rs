//! `Pass`: the sessions of a hub that have data due. The task `write` of the hub writes to them, one after another: such a write
//! costs no task switch, as a write from a task of the session would.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use tokio::sync::Notify;

use crate::faults::Installed;
use crate::hub::SessionKey;

/// Writes the outbox of one session to its socket.
pub trait SessionWriter {
    /// Writes what is due, at most one write of the socket. Returns whether more is due. What the socket does not accept is
    /// written when it accepts more, without a further call.
    fn write(&self, now: Instant) -> bool;
    /// Reads the memory that a write needs. When the sessions of one turn are read together, the CPU waits for all of it at once;
    /// while it writes, it would wait for one cache line after another.
    fn load(&self) {}
    /// Writes by itself from now on, because the session has left the hub.
    fn detach(&self);
    /// Takes notice that these are the rules of faults now, of which those in `fresh` are new. A writer without faults ignores it.
    fn rules_changed(&self, _rules: &[Arc<Installed>], _fresh: &[Arc<Installed>], _now: Instant) {}
}

/// The sessions with data due, in the order in which they are written. A session is in it at most twice: when an event is due, and
/// when its turn to read from the ring has come.
#[derive(Debug, Default)]
pub struct Pass {
    due: RefCell<VecDeque<SessionKey>>,
    arrived: Notify,
}

impl Pass {
    /// Adds a session.
    pub(super) fn add(&self, session: SessionKey) {
        let mut due = self.due.borrow_mut();
        if due.is_empty() {
            self.arrived.notify_one();
        }
        due.push_back(session);
    }

    /// Waits until there are sessions.
    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Removes and returns the first session.
    pub(super) fn next(&self) -> Option<SessionKey> {
        self.due.borrow_mut().pop_front()
    }

    /// Calls `each` with the next sessions, at most this many.
    pub(super) fn look_ahead(&self, sessions_max: usize, each: impl FnMut(&SessionKey)) {
        self.due.borrow().iter().take(sessions_max).for_each(each);
    }

    /// Returns the number of sessions.
    pub(super) fn len(&self) -> usize {
        self.due.borrow().len()
    }
}

/// Schedules the drain of an outbox.
#[derive(Clone, Debug)]
pub enum Wakeup {
    /// The task that polls it.
    Task(Waker),
    /// The hub, which writes to this session.
    Pass(Rc<Pass>, SessionKey),
}

impl Wakeup {
    /// Wakes the task, or adds the session to the pass.
    pub fn wake(self) {
        match self {
            Self::Task(waker) => waker.wake(),
            Self::Pass(pass, session) => pass.add(session),
        }
    }
}
