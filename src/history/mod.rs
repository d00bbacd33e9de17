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

use actix::{Actor, Addr, Context, Handler, MailboxError, Message, MessageResult};

use crate::feed::Batch;
use crate::protocol::Publication;

pub use archive::{Archive, ArchiveReader, ReaderGone};
pub use bars::{BarRead, Bars};
pub use config::{BarBounds, HistoryConfig};
pub use kept::KeptBar;
pub use offsets::Offsets;
pub use past::PastSource;
pub use ring::Ring;
pub use values::LastValues;

/// Batches that may wait in the history's mailbox; past that the feed waits.
const MAILBOX_BATCHES_MAX: usize = 1024;
/// Batches of one piece of the state: what a hub reads takes the history a few microseconds at a time.
const PIECE_BATCHES_MAX: usize = 1024;

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

/// Asks for a piece of the state, see [`read_state`].
#[derive(Message)]
#[rtype(result = "Piece")]
struct ReadPiece {
    /// The offset up to which events are known already; `None` for the first piece.
    after: Option<u64>,
}

/// The next events, and the values when these are the newest ones.
struct Piece {
    /// Whether the events follow those that are known; otherwise they are the oldest that are kept.
    follows: bool,
    batches: Vec<Arc<[Publication]>>,
    values: Option<LastValues>,
    events_max: usize,
}

impl Handler<ReadPiece> for History {
    type Result = MessageResult<ReadPiece>;

    fn handle(&mut self, ReadPiece { after }: ReadPiece, _: &mut Self::Context) -> Self::Result {
        let newest = self.values.offset();
        let after = after.filter(|after| self.ring.batches_after(*after, newest).is_some());
        let mut batches: Vec<_> = match after {
            Some(after) => {
                self.ring.batches_after(after, newest).into_iter().flatten().take(PIECE_BATCHES_MAX + 1).collect()
            }
            None => self.ring.batches().take(PIECE_BATCHES_MAX + 1).collect(),
        };
        let is_last = batches.len() <= PIECE_BATCHES_MAX;
        batches.truncate(PIECE_BATCHES_MAX);
        MessageResult(Piece {
            follows: after.is_some(),
            batches: batches.into_iter().cloned().collect(),
            values: is_last.then(|| self.values.clone()),
            events_max: self.ring.capacity(),
        })
    }
}

/// Returns the values and the newest events, both up to the same offset. They are read in pieces, between which the history
/// takes in what comes: a ring of one event in each batch has 262,144 batches.
///
/// # Errors
///
/// Returns an error when the history has ended.
pub async fn read_state(history: Addr<History>) -> Result<(LastValues, Ring), MailboxError> {
    let (mut ring, mut after) = (Ring::new(0), None);
    loop {
        let piece = history.send(ReadPiece { after }).await?;
        if !piece.follows {
            ring = Ring::new(piece.events_max);
        }
        for batch in piece.batches {
            after = batch.last().map(|last| last.event.offset).or(after);
            ring.push(batch);
        }
        if let Some(values) = piece.values {
            return Ok((values, ring));
        }
    }
}
