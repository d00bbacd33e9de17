//! `Pacer`: the timer of one hub, for the ends of coalescing windows and for the alarms of events that rates hold back.
//!
//! Windows end in steps: a queue of future steps, each with its sessions. Alarms are sorted by time. One timer serves
//! every session.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use tokio::time::{Sleep, sleep_until};

use crate::hub::SessionKey;

/// Shortest step: the resolution of the runtime's timer.
const STEP_MIN: Duration = Duration::from_millis(1);

/// Future ends of windows, and alarms.
#[derive(Debug)]
pub struct Pacer {
    start: Instant,
    step: Duration,
    /// One entry per session with an open window, in a few steps.
    windows: BTreeMap<Instant, Vec<SessionKey>>,
    /// At most one per session.
    alarms: BTreeSet<(Instant, SessionKey)>,
    /// Whether the wait must end at once.
    hurries: bool,
    waker: Option<Waker>,
}

impl Pacer {
    /// Returns a pacer with this step.
    pub fn new(step: Duration) -> Self {
        let step = step.max(STEP_MIN);
        Self {
            start: Instant::now(),
            step,
            windows: BTreeMap::new(),
            alarms: BTreeSet::new(),
            hurries: false,
            waker: None,
        }
    }

    /// Opens a window for the session; it ends with the first step at or after `end`.
    pub fn open_window(&mut self, end: Instant, session: SessionKey) {
        let micros = end.saturating_duration_since(self.start).as_micros();
        let step = micros.div_ceil(self.step.as_micros());
        let end = self.start + Duration::from_micros(u64::try_from(step * self.step.as_micros()).unwrap_or(u64::MAX));
        let first = self.windows.first_key_value().is_none_or(|(first, _)| end < *first);
        self.windows.entry(end).or_default().push(session);
        if first {
            self.wake();
        }
    }

    /// Replaces the session's alarm `old` by `new`.
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

    /// Ends the wait at once, because a session must be closed.
    pub fn hurry(&mut self) {
        self.hurries = true;
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Moves sessions whose window has ended into `windows`, and those whose alarm has fired into `alarms`.
    pub fn take_ended(&mut self, now: Instant, windows: &mut Vec<SessionKey>, alarms: &mut Vec<SessionKey>) {
        self.hurries = false;
        while let Some(entry) = self.windows.first_entry().filter(|entry| *entry.key() <= now) {
            windows.append(&mut entry.remove());
        }
        while let Some((_, session)) = self.alarms.first().copied().filter(|(time, _)| *time <= now) {
            self.alarms.pop_first();
            alarms.push(session);
        }
    }

    /// Waits for the first window or alarm. Stores the waker if there is none, or in case an earlier one is added.
    pub fn poll_ended(&mut self, timer: &mut Pin<Box<Sleep>>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.hurries {
                return Poll::Ready(());
            }
            let window = self.windows.first_key_value().map(|(end, _)| *end);
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
