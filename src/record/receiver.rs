//! `Receiver`: passes the batches of the feed into the queue of the writer, without ever waiting.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use actix::fut::ready;
use actix::{Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, WrapFuture};

use crate::feed::{Batch, Restart};
use crate::history::{History, LastValues, ReadValues};
use crate::metrics::SharedMetrics;
use crate::record::Item;

/// Capacity of the mailbox in batches: more than a feed without a pace sends in one step.
const MAILBOX_BATCHES_MAX: usize = 256;

/// See the module.
pub(super) struct Receiver {
    queue: Sender<Item>,
    history: Addr<History>,
    /// The name of the stream before its first restart.
    epoch: Arc<str>,
    /// The offset of the next event.
    expected: u64,
    events_max: usize,
    /// How many events from `expected` on have been counted as lost.
    lost: u64,
    /// Whether the queue was full, and is not half empty yet.
    is_full: bool,
    /// Whether the file is complete, so that further events are none of it.
    is_finished: bool,
    metrics: SharedMetrics,
}

impl Receiver {
    pub(super) fn new(
        queue: Sender<Item>,
        history: Addr<History>,
        epoch: Arc<str>,
        expected: u64,
        events_max: usize,
        metrics: SharedMetrics,
    ) -> Self {
        Self { queue, history, epoch, expected, events_max, lost: 0, is_full: false, is_finished: false, metrics }
    }

    fn waiting(&self) -> usize {
        usize::try_from(self.metrics.record_waiting.get()).unwrap_or_default()
    }

    fn lose(&mut self, events: u64) {
        self.lost += events;
        self.metrics.record_events_lost.inc_by(events);
    }

    /// Goes on from the state of the history, because events are missing. The actor handles no message meanwhile, so that all events after
    /// the state arrive after it.
    fn go_on(&mut self, ctx: &mut Context<Self>) {
        let values = self.history.send(ReadValues).into_actor(self);
        ctx.wait(values.then(|values, receiver, _| {
            // The history ends only with the process.
            if let Ok(values) = values {
                receiver.begin(values);
            }
            ready(())
        }));
    }

    fn begin(&mut self, values: LastValues) {
        let missing = (values.offset() + 1).saturating_sub(self.expected);
        self.lose(missing.saturating_sub(self.lost));
        (self.expected, self.lost, self.is_full) = (values.offset() + 1, 0, false);
        let epoch = values.epoch().unwrap_or(&self.epoch).clone();
        // The thread ends only by a panic, which is logged.
        let _ = self.queue.send(Item::State { values, epoch });
    }
}

impl Actor for Receiver {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_BATCHES_MAX);
    }
}

impl Handler<Batch> for Receiver {
    type Result = ();

    fn handle(&mut self, Batch(batch): Batch, ctx: &mut Self::Context) {
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else { return };
        let (first, last) = (first.event.offset, last.event.offset);
        if self.is_finished || last < self.expected {
            return;
        }
        if self.is_full {
            self.lose(batch.len() as u64);
            if self.waiting() <= self.events_max / 2 {
                self.go_on(ctx);
            }
            return;
        }
        if first > self.expected {
            self.go_on(ctx);
            return;
        }
        if self.waiting() + batch.len() > self.events_max {
            self.is_full = true;
            log::warn!(
                "the recording loses events, because the disk is too slow: feed.record.queue_events_max is reached"
            );
            self.lose(batch.len() as u64);
            return;
        }
        self.expected = last + 1;
        let events = i64::try_from(batch.len()).unwrap_or_default();
        self.metrics.record_waiting.inc_by(events);
        if self.queue.send(Item::Batch(batch)).is_err() {
            self.metrics.record_waiting.dec_by(events);
            self.lose(events.unsigned_abs());
        }
    }
}

/// Asks for the end of the recording, after all batches before it.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Finish;

impl Handler<Finish> for Receiver {
    type Result = ();

    fn handle(&mut self, _: Finish, _: &mut Self::Context) {
        self.is_finished = true;
        // The thread ends only by a panic, which is logged.
        let _ = self.queue.send(Item::Finish);
    }
}

impl Handler<Restart> for Receiver {
    type Result = ();

    fn handle(&mut self, restart: Restart, _: &mut Self::Context) {
        if self.is_finished || restart.offset < self.expected {
            // The state of the history was later.
            return;
        }
        // The events before it that were lost have been counted; their stream is over.
        self.expected = restart.offset + 1;
        self.lost = 0;
        self.begin(LastValues::restarted(&restart));
    }
}
