//! `Pacer`: the times of one hub at which coalescing windows end, and those of the alarms of events that rates hold back.
//!
//! Windows end in steps: a queue of future steps, each with its sessions. Alarms are sorted by time.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

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
    /// Notified when the wait for [`Self::next`] must end sooner.
    timer: Rc<Notify>,
}

impl Pacer {
    /// Returns a pacer with this step, which notifies the timer.
    pub fn new(step: Duration, timer: Rc<Notify>, now: Instant) -> Self {
        let step = step.max(STEP_MIN);
        Self { start: now, step, windows: BTreeMap::new(), alarms: BTreeSet::new(), timer }
    }

    /// Opens a window for the session; it ends with the first step at or after `end`.
    pub fn open_window(&mut self, end: Instant, session: SessionKey) {
        let micros = end.saturating_duration_since(self.start).as_micros();
        let step = micros.div_ceil(self.step.as_micros());
        let end = self.start + Duration::from_micros(u64::try_from(step * self.step.as_micros()).unwrap_or(u64::MAX));
        let first = self.windows.first_key_value().is_none_or(|(first, _)| end < *first);
        self.windows.entry(end).or_default().push(session);
        if first {
            self.timer.notify_one();
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
                self.timer.notify_one();
            }
        }
    }

    /// Removes and returns the sessions whose window has ended, and those whose alarm has fired.
    pub fn take_ended(&mut self, now: Instant) -> (Vec<SessionKey>, Vec<SessionKey>) {
        let windows = self.windows.extract_if(..=now, |_, _| true).flat_map(|(_, sessions)| sessions).collect();
        let later = (now + Duration::from_nanos(1), SessionKey::new(0));
        (windows, self.alarms.extract_if(..later, |_| true).map(|(_, session)| session).collect())
    }

    /// Returns the first end of a window, or alarm.
    pub fn next(&self) -> Option<Instant> {
        let window = self.windows.first_key_value().map(|(end, _)| *end);
        window.into_iter().chain(self.alarms.first().map(|(time, _)| *time)).min()
    }
}
