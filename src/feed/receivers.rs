//! `Receivers`: all who get the stream in this process. The history comes first, then the hubs, then the delayed streams.

use actix::Recipient;
use actix::dev::SendError;

use crate::domain::Timestamp;
use crate::feed::{Attach, AttachDelayed, Batch, DelayLine, Entry, Notice, Restart};
use crate::metrics::SharedMetrics;

/// A hub: its mailboxes are one.
type Attached = (Recipient<Batch>, (Option<Recipient<Restart>>, Option<Recipient<Notice>>));

/// Pass entries of the stream on: see [`Self::deliver`].
pub struct Receivers {
    history: Recipient<Batch>,
    history_restarts: Recipient<Restart>,
    hubs: Vec<Attached>,
    delayed: Vec<DelayLine>,
    metrics: SharedMetrics,
}

impl Receivers {
    /// Returns the history, by both of its mailboxes, which are one, and the delayed streams, without a hub.
    pub fn new(
        history: Recipient<Batch>,
        history_restarts: Recipient<Restart>,
        delayed: Vec<DelayLine>,
        metrics: SharedMetrics,
    ) -> Self {
        Self { history, history_restarts, hubs: Vec::new(), delayed, metrics }
    }

    /// Adds a hub.
    pub(super) fn attach(&mut self, Attach { batches, restarts, notices }: Attach) {
        self.hubs.push((batches, (restarts, notices)));
    }

    /// Adds a hub of a delayed stream.
    pub(super) fn attach_delayed(&mut self, attach: AttachDelayed) {
        if let Some(line) = self.delayed.iter_mut().find(|line| line.delay_ms() == attach.delay_ms) {
            line.attach(attach);
        }
    }

    /// Returns whether there are delayed streams.
    pub(super) fn has_delayed(&self) -> bool {
        !self.delayed.is_empty()
    }

    /// Passes an entry on, which follows the last one, at this time of the delayed streams. Returns false, and does nothing, if the mailbox of the
    /// history is full: hubs read from the history what they have missed, so it is never behind them.
    pub(super) fn deliver(&mut self, entry: &Entry, held: Timestamp) -> bool {
        let is_taken = match entry {
            Entry::Batch(batch) => self.history.try_send(batch.clone()).is_ok(),
            Entry::Restart(restart) => self.history_restarts.try_send(restart.clone()).is_ok(),
            Entry::Notice(_) => true,
        };
        if !is_taken {
            self.metrics.history_mailbox_full.inc();
            return false;
        }
        match entry {
            Entry::Batch(batch) => {
                send_to_hubs(&mut self.hubs, batch, &self.metrics);
                for line in &mut self.delayed {
                    line.push(batch.clone(), held);
                }
            }
            // There are no delayed streams then: `Feed` obeys no seek with them.
            Entry::Restart(restart) => {
                for restarts in self.hubs.iter().filter_map(|(_, (restarts, _))| restarts.as_ref()) {
                    // A hub whose mailbox is full finds the hole in the offsets, and reads the state from the history.
                    if let Err(SendError::Full(_)) = restarts.try_send(restart.clone()) {
                        self.metrics.hub_mailbox_full.inc();
                    }
                }
            }
            // A hub with a full mailbox leaves it out.
            Entry::Notice(notice) => {
                for notices in self.hubs.iter().filter_map(|(_, (_, notices))| notices.as_ref()) {
                    if let Err(SendError::Full(_)) = notices.try_send(notice.clone()) {
                        self.metrics.hub_mailbox_full.inc();
                    }
                }
            }
        }
        true
    }

    /// Passes on what is due in the delayed streams at this time of theirs.
    pub(super) fn step(&mut self, held: Timestamp) {
        for line in &mut self.delayed {
            line.step(held);
        }
    }
}

/// Sends the batch to every hub. A hub with a full mailbox misses it, detects the hole in the offsets, and reads the events from the
/// history. A hub that has stopped is removed.
pub(super) fn send_to_hubs<T>(hubs: &mut Vec<(Recipient<Batch>, T)>, batch: &Batch, metrics: &SharedMetrics) {
    hubs.retain(|(hub, _)| match hub.try_send(batch.clone()) {
        Ok(()) => true,
        Err(SendError::Full(_)) => {
            metrics.hub_mailbox_full.inc();
            true
        }
        Err(SendError::Closed(_)) => false,
    });
}
