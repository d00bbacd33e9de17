//! `Log`: the order of the stream, in which a feed puts what it makes. `LocalLog` is that of one process: what it is given is committed at
//! once, and waits there only until the history takes it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::domain::Timestamp;
use crate::feed::{Attach, AttachDelayed, Batch, Notice, Receivers, Restart};
use crate::metrics::SharedMetrics;

/// A part of a log.
#[derive(Clone, Debug)]
pub enum Entry {
    /// Events, at least one.
    Batch(Batch),
    /// The market goes on from another time.
    Restart(Restart),
    /// Clients are told of the feed. It has no offset of its own.
    Notice(Notice),
}

impl Entry {
    /// Returns the offset up to which the stream goes with this entry; `None` if it has none of its own.
    pub fn last_offset(&self) -> Option<u64> {
        match self {
            Self::Batch(Batch(batch)) => batch.last().map(|last| last.event.offset),
            Self::Restart(restart) => Some(restart.offset),
            Self::Notice(_) => None,
        }
    }
}

/// The order of the stream. What has been committed to it is passed on to the [`Receivers`] of this process, each entry once and in order.
pub trait Log: Unpin + 'static {
    /// Appends the entry that follows the last one. Never waits: the feed asks [`Self::flush`] before it makes more.
    fn append(&mut self, entry: Entry);

    /// Passes on what it can, at this time of the delayed streams. Returns whether it takes more.
    fn flush(&mut self, held: Timestamp) -> bool;

    /// Adds a hub to the receivers. It gets every entry that is passed on from now on.
    fn attach(&mut self, attach: Attach);

    /// Adds a hub of a delayed stream.
    fn attach_delayed(&mut self, attach: AttachDelayed);

    /// Returns whether there are delayed streams.
    fn has_delayed(&self) -> bool;

    /// Passes on what is due in the delayed streams at this time of theirs.
    fn step(&mut self, held: Timestamp);
}

/// The log of one process: a queue.
pub struct LocalLog {
    receivers: Receivers,
    /// Entries that the history's full mailbox refused, oldest first. No receiver gets a later one before the history has accepted these, and nothing is
    /// published meanwhile: they are those of one step, or of one request of a publisher.
    waiting: VecDeque<Entry>,
    head: Arc<AtomicU64>,
    metrics: SharedMetrics,
}

impl LocalLog {
    /// Returns the log of these receivers. `head` is set to the offset of the newest event before any receiver gets the event.
    pub fn new(receivers: Receivers, head: Arc<AtomicU64>, metrics: SharedMetrics) -> Self {
        Self { receivers, waiting: VecDeque::new(), head, metrics }
    }
}

impl Log for LocalLog {
    fn append(&mut self, entry: Entry) {
        if let Some(offset) = entry.last_offset() {
            self.head.store(offset, Ordering::Release);
            self.metrics.set_feed_offset(offset);
        }
        self.waiting.push_back(entry);
    }

    fn flush(&mut self, held: Timestamp) -> bool {
        while let Some(entry) = self.waiting.front() {
            if !self.receivers.deliver(entry, held) {
                return false;
            }
            self.waiting.pop_front();
        }
        true
    }

    fn attach(&mut self, attach: Attach) {
        self.receivers.attach(attach);
    }

    fn attach_delayed(&mut self, attach: AttachDelayed) {
        self.receivers.attach_delayed(attach);
    }

    fn has_delayed(&self) -> bool {
        self.receivers.has_delayed()
    }

    fn step(&mut self, held: Timestamp) {
        self.receivers.step(held);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use actix::{Actor, Addr, Context, Handler};

    use super::*;
    use crate::domain::{Event, EventBody, Price, Size, SymbolId, Trade};
    use crate::feed::Opening;
    use crate::metrics::Metrics;
    use crate::protocol::Publication;

    /// Received entries, in order: the name of the receiver, and the offset.
    type Got = Arc<Mutex<Vec<(&'static str, u64)>>>;

    /// A receiver, whose mailbox has room for 16 messages beside the first.
    struct Receiver(&'static str, Got);

    impl Actor for Receiver {
        type Context = Context<Self>;
    }

    impl Handler<Batch> for Receiver {
        type Result = ();

        fn handle(&mut self, batch: Batch, _: &mut Self::Context) {
            self.1.lock().unwrap().push((self.0, Entry::Batch(batch).last_offset().unwrap()));
        }
    }

    impl Handler<Restart> for Receiver {
        type Result = ();

        fn handle(&mut self, restart: Restart, _: &mut Self::Context) {
            self.1.lock().unwrap().push((self.0, restart.offset));
        }
    }

    fn batch(offset: u64) -> Entry {
        let trade = Trade { ts: Timestamp::default(), price: Price::from_cents(1), size: Size::new(1) };
        let (symbol, body) = ("AAPL".parse().unwrap(), EventBody::Trade(trade));
        let event = Event { offset, seq: offset, id: SymbolId(0), symbol, body };
        Entry::Batch(Batch(Arc::new([Publication::new(event)])))
    }

    #[actix::test]
    async fn entries_wait_for_the_history_and_each_receiver_gets_each_once_in_order() {
        let (got, metrics): (Got, SharedMetrics) = (Arc::default(), Arc::new(Metrics::default()));
        let [history, hub]: [Addr<Receiver>; 2] = ["history", "hub"].map(|name| Receiver(name, got.clone()).start());
        let head = Arc::new(AtomicU64::new(0));
        let receivers =
            Receivers::new(history.clone().recipient(), history.clone().recipient(), Vec::new(), metrics.clone());
        let mut log = LocalLog::new(receivers, head.clone(), metrics.clone());
        log.attach(Attach { batches: hub.clone().recipient(), restarts: Some(hub.clone().recipient()), notices: None });
        let mut offset = 0;
        // No actor runs before this task waits.
        while log.flush(Timestamp::default()) {
            offset += 1;
            log.append(if offset == 3 {
                Entry::Restart(Restart::new((offset, &[]), Opening::default()))
            } else {
                batch(offset)
            });
            assert_eq!(head.load(Ordering::Acquire), offset, "before a receiver gets it");
        }
        assert!(offset > 3, "{offset}: the mailbox has room for a restart");
        assert_eq!(metrics.history_mailbox_full.get(), 1);
        assert_eq!(log.waiting.len(), 1, "the log keeps what the history has refused");
        let wait_for = async |offset: u64| {
            while got.lock().unwrap().len() < 2 * usize::try_from(offset).unwrap() {
                tokio::task::yield_now().await;
            }
        };
        wait_for(offset - 1).await;
        assert!(log.flush(Timestamp::default()));
        wait_for(offset).await;
        for receiver in ["history", "hub"] {
            let got = got.lock().unwrap();
            let of = got.iter().filter(|(name, _)| *name == receiver).map(|(_, offset)| *offset);
            assert_eq!(of.collect::<Vec<_>>(), (1..=offset).collect::<Vec<_>>(), "{receiver}");
        }
        assert_eq!(metrics.hub_mailbox_full.get(), 0, "a hub gets nothing that the history refuses");
    }
}
