//! What has happened: last values, the newest events, bars. Plain values, and one actor that keeps the process's copy.
//!
//! It answers questions; who may ask them is `transport`'s business.

mod archive;
mod bars;
mod config;
mod kept;
mod offsets;
mod past;
mod ring;
mod values;

use std::sync::Arc;

use actix::{Actor, Context, Handler, Message, MessageResult};

use crate::feed::Batch;

pub use archive::{Archive, ArchiveReader, ReaderGone};
pub use bars::{BarRead, Bars};
pub use config::{BarBounds, HistoryConfig};
pub use offsets::Offsets;
pub use past::PastSource;
pub use ring::Ring;
pub use values::LastValues;

/// Batches that may wait in the history's mailbox; past that the feed waits.
const MAILBOX_BATCHES_MAX: usize = 1024;

/// The record of the stream, on an arbiter thread of its own.
pub struct History {
    values: LastValues,
    ring: Ring,
    archive: Arc<Archive>,
}

impl History {
    /// Returns a record that begins with these values, keeps the newest `events_max` events and puts bars into the archive.
    pub fn new(values: LastValues, archive: Arc<Archive>, events_max: usize) -> Self {
        Self { values, ring: Ring::new(events_max), archive }
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
        }
        self.archive.apply(&batch);
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
