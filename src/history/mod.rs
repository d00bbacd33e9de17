//! What has happened: last values, the newest events, bars. Plain values, and one actor that owns the process's copy.
//!
//! It answers questions; who may ask them is `transport`'s business.

mod bars;
mod config;
mod ring;
mod values;

use actix::{Actor, Context, Handler, Message, MessageResult};

use crate::domain::{Interval, SymbolId, Timestamp};
use crate::feed::Batch;

pub use bars::{BarRead, Bars, PastBars};
pub use config::HistoryConfig;
pub use ring::Ring;
pub use values::LastValues;

/// Batches that may wait in the history's mailbox; past that the feed waits.
const MAILBOX_BATCHES_MAX: usize = 1024;

/// The record of the stream, on an arbiter thread of its own.
pub struct History {
    values: LastValues,
    ring: Ring,
    bars: Bars,
}

impl History {
    /// Returns a record that begins with these values and bars and keeps the newest `events_max` events.
    pub fn new(values: LastValues, bars: Bars, events_max: usize) -> Self {
        Self { values, ring: Ring::new(events_max), bars }
    }
}

impl Actor for History {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_BATCHES_MAX);
    }
}

impl Handler<Batch> for History {
    type Result = ();

    fn handle(&mut self, Batch(batch): Batch, _: &mut Self::Context) {
        for publication in batch.iter() {
            self.values.apply(publication);
            self.bars.apply(publication);
        }
        self.ring.push(batch);
    }
}

/// Asks for the values and the newest events, both up to the same offset.
#[derive(Message)]
#[rtype(result = "(LastValues, Ring)")]
pub struct ReadState;

impl Handler<ReadState> for History {
    type Result = MessageResult<ReadState>;

    fn handle(&mut self, _: ReadState, _: &mut Self::Context) -> Self::Result {
        MessageResult((self.values.clone(), self.ring.clone()))
    }
}

/// Asks for the bars of one symbol and interval; see [`Bars::read`].
#[derive(Message)]
#[rtype(result = "(u64, BarRead)")]
pub struct ReadBars {
    /// The symbol.
    pub id: SymbolId,
    /// The interval.
    pub interval: Interval,
    /// The most bars in the answer.
    pub limit: usize,
    /// Only bars that began before this moment.
    pub before: Option<Timestamp>,
}

impl Handler<ReadBars> for History {
    type Result = MessageResult<ReadBars>;

    /// Returns the bars and the offset of the newest event in them.
    fn handle(&mut self, read: ReadBars, _: &mut Self::Context) -> Self::Result {
        MessageResult((self.values.offset(), self.bars.read(read.id, read.interval, read.limit, read.before)))
    }
}
