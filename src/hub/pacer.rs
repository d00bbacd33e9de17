//! The times of one hub: when the coalescing windows of its sessions end, and when events that a rate has held back may go.
//!
//! All windows are equally long, so a queue in the order of writing is also in the order of ending; alarms are sorted. One
//! timer serves every session.

use std::collections::{BTreeSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use tokio::time::{Sleep, sleep_until};

use crate::hub::SessionKey;

/// The times that lie ahead.
#[derive(Debug, Default)]
pub struct Pacer {
    windows: VecDeque<(Instant, SessionKey)>,
    /// At most one for each session.
    alarms: BTreeSet<(Instant, SessionKey)>,
    waker: Option<Waker>,
}

impl Pacer {
    /// Opens a window for the session; ends are never earlier than those of windows opened before.
    pub fn open_window(&mut self, end: Instant, session: SessionKey) {
        self.windows.push_back((end, session));
        if self.windows.len() == 1 {
            self.wake();
        }
    }

    /// Sets the session's alarm, or takes it away, instead of the one that it had.
    pub fn set_alarm(&mut self, old: Option<Instant>, new: Option<Instant>, session: SessionKey) {
        if let Some(old) = old {
            self.alarms.remove(&(old, session));
        }
        if let Some(new) = new {
            self.alarms.insert((new, session));
            if self.alarms.first() == Some(&(new, session)) {
                self.wake();
            }
        }
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Moves the sessions whose window has ended into `windows` and those whose alarm has come into `alarms`.
    pub fn take_ended(&mut self, now: Instant, windows: &mut Vec<SessionKey>, alarms: &mut Vec<SessionKey>) {
        while let Some((_, session)) = self.windows.pop_front_if(|(end, _)| *end <= now) {
            windows.push(session);
        }
        while let Some((_, session)) = self.alarms.first().copied().filter(|(time, _)| *time <= now) {
            self.alarms.pop_first();
            alarms.push(session);
        }
    }

    /// Waits until the first time has come. Keeps the waker when there is none, or an earlier one may come.
    pub fn poll_ended(&mut self, timer: &mut Pin<Box<Sleep>>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let window = self.windows.front().map(|(end, _)| *end);
            let alarm = self.alarms.first().map(|(time, _)| *time);
            self.waker = Some(cx.waker().clone());
            let Some(first) = window.into_iter().chain(alarm).min() else { return Poll::Pending };
            let first = tokio::time::Instant::from_std(first);
            if first <= tokio::time::Instant::now() {
                return Poll::Ready(());
            }
            if timer.deadline() != first {
                timer.as_mut().reset(first);
            }
            ready!(timer.as_mut().poll(cx));
        }
    }

    /// Returns a timer for [`Self::poll_ended`].
    pub fn timer() -> Pin<Box<Sleep>> {
        Box::pin(sleep_until(tokio::time::Instant::now() + Duration::from_hours(1)))
    }
}
