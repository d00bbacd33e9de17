//! The coalescing windows of one hub: which sessions have written lately and when each of them may write again.
//!
//! All windows are equally long, so a queue in the order of writing is also in the order of ending, and one timer serves
//! every session.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::time::{Sleep, sleep_until};

use crate::hub::SessionKey;

/// The open windows, the first to end in front.
#[derive(Debug, Default)]
pub struct Pacer {
    windows: VecDeque<(Instant, SessionKey)>,
    waker: Option<Waker>,
}

impl Pacer {
    /// Opens a window for the session; ends are never earlier than those of windows opened before.
    pub fn open(&mut self, end: Instant, session: SessionKey) {
        if self.windows.is_empty()
            && let Some(waker) = self.waker.take()
        {
            waker.wake();
        }
        self.windows.push_back((end, session));
    }

    /// Returns a session whose window has ended, each once.
    pub fn next_ended(&mut self, now: Instant) -> Option<SessionKey> {
        let (end, session) = *self.windows.front()?;
        (end <= now).then(|| {
            self.windows.pop_front();
            session
        })
    }

    /// Waits until the first window ends: ready when it has. Keeps the waker when no window is open.
    pub fn poll_ended(&mut self, timer: &mut Pin<Box<Sleep>>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some((end, _)) = self.windows.front() else {
                self.waker = Some(cx.waker().clone());
                return Poll::Pending;
            };
            let end = tokio::time::Instant::from_std(*end);
            if end <= tokio::time::Instant::now() {
                return Poll::Ready(());
            }
            if timer.deadline() != end {
                timer.as_mut().reset(end);
            }
            std::task::ready!(timer.as_mut().poll(cx));
        }
    }

    /// Returns a timer for [`Self::poll_ended`].
    pub fn timer() -> Pin<Box<Sleep>> {
        Box::pin(sleep_until(tokio::time::Instant::now() + Duration::from_hours(1)))
    }
}
