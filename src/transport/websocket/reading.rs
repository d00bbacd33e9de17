//! `Reading`: lets a handler stop the reading of its client's frames until a request is answered, so that TCP stops the client's sending.

use std::task::Context;
use std::time::{Duration, Instant};

use crate::protocol::Dialect;
use crate::transport::websocket::socket::SessionSocket;

/// Longest time without a read, in case that nobody ends it.
const HOLD_MAX: Duration = Duration::from_hours(24);

/// The reading of one client's frames.
pub trait Reading {
    /// Reads no frame after the present one.
    fn hold(&self);

    /// Goes on reading.
    fn resume(&self);
}

impl<D: Dialect> Reading for SessionSocket<D> {
    fn hold(&self) {
        self.pause().set(Some(Instant::now() + HOLD_MAX));
    }

    fn resume(&self) {
        self.pause().set(None);
        self.wake_reader();
    }
}

impl<D: Dialect> SessionSocket<D> {
    /// Lets [`Self::wake_reader`] wake this task.
    pub(super) fn keep_reader(&self, cx: &Context<'_>) {
        let mut reader = self.reader.borrow_mut();
        if !reader.as_ref().is_some_and(|reader| reader.will_wake(cx.waker())) {
            *reader = Some(cx.waker().clone());
        }
    }

    /// Wakes the task that reads, if it waits.
    pub(super) fn wake_reader(&self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}
