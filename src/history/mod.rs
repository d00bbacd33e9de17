//! The state of the market and its recent past: last values, the newest events, bars. Plain values, and the actor
//! `History`, which keeps the process's copy of them. `transport` decides which reads a client is permitted.

mod archive;
mod bars;
mod config;
mod compact_bar;
mod epochs;
#[cfg(test)]
mod late_test;
mod offsets;
mod past;
mod reading;
#[cfg(test)]
mod reading_test;
mod ring;
mod saved;
#[cfg(test)]
mod saved_test;
mod timeframe;
mod values;

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use actix::{Actor, Addr, Context, Handler, MailboxError, Message, MessageResult};

use crate::domain::{SymbolId, SymbolTable};
use crate::feed::state::SymbolState;
use crate::feed::{Batch, Restart};
use crate::protocol::Publication;

pub use archive::{Archive, ArchiveReader, ReaderGone};
pub use bars::{BarRead, Bars};
pub use compact_bar::CompactBar;
pub use config::{BarBounds, HistoryConfig};
pub use epochs::Epochs;
pub use offsets::Offsets;
pub use past::{PastSource, Series, past_of};
pub use reading::{Row, Standing, Tick, Window};
pub use ring::Ring;
pub use timeframe::{Timeframe, day_of, midnight};
pub use values::LastValues;

/// Capacity of the history's mailbox in batches. If it is full, the feed waits.
const MAILBOX_BATCHES_MAX: usize = 1024;
/// Batches in one piece of the state: a hub reads pieces, so that the history's thread is never busy for more than some
/// microseconds.
const PIECE_BATCHES_MAX: usize = 1024;

/// Records the stream, on an arbiter thread of its own.
pub struct History {
    values: LastValues,
    archive: Arc<Archive>,
}

impl History {
    /// Returns a history that begins with these values, and writes events and bars into the archive.
    pub fn new(values: LastValues, archive: Arc<Archive>) -> Self {
        Self { values, archive }
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
        self.archive.apply(batch);
    }
}

impl Handler<Restart> for History {
    type Result = ();

    fn handle(&mut self, restart: Restart, _: &mut Self::Context) {
        self.values.restart(&restart);
        self.archive.restart(&restart);
    }
}

/// Asks for the last values.
#[derive(Message)]
#[rtype(result = "LastValues")]
pub struct ReadValues;

impl Handler<ReadValues> for History {
    type Result = MessageResult<ReadValues>;

    fn handle(&mut self, _: ReadValues, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.values.clone())
    }
}

/// Asks for the state of some symbols for the file of the state. The answer goes to a thread.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ReadSaved {
    /// The symbols, by their index. Few, so that the history is not busy for more than some milliseconds.
    pub symbols: Range<u32>,
    /// Most closed bars of each symbol and interval.
    pub bars_max: usize,
    /// The names of the symbols.
    pub table: Arc<SymbolTable>,
    /// Receives the answer.
    pub answer: Sender<Saved>,
}

/// The state of some symbols, directly after the same event.
#[derive(Debug)]
pub struct Saved {
    /// Offset of that event.
    pub offset: u64,
    /// Each symbol.
    pub symbols: Vec<SymbolState>,
}

impl Handler<ReadSaved> for History {
    type Result = ();

    fn handle(&mut self, ReadSaved { symbols, bars_max, table, answer }: ReadSaved, _: &mut Self::Context) {
        let state = |index| saved::symbol_state(SymbolId(index), &table, &self.values, &self.archive, bars_max);
        // A reader that has given up does not mind.
        let _ = answer.send(Saved { offset: self.values.offset(), symbols: symbols.map(state).collect() });
    }
}

/// Asks for a piece of the state, see [`read_state`].
#[derive(Message)]
#[rtype(result = "Piece")]
struct ReadPiece {
    /// The offset up to which the reader has the events; `None` for the first piece.
    after: Option<u64>,
}

/// The next events; with the values if these are the newest events.
struct Piece {
    /// Whether the events follow those that the reader has. Otherwise they are the oldest in the ring.
    follows: bool,
    batches: Vec<Arc<[Publication]>>,
    values: Option<LastValues>,
    events_max: usize,
}

impl Handler<ReadPiece> for History {
    type Result = MessageResult<ReadPiece>;

    fn handle(&mut self, ReadPiece { after }: ReadPiece, _: &mut Self::Context) -> Self::Result {
        let (newest, ring) = (self.values.offset(), self.archive.ring());
        let after = after.filter(|after| ring.batches_after(*after, newest).is_some());
        let mut batches: Vec<_> = match after {
            Some(after) => {
                ring.batches_after(after, newest).into_iter().flatten().take(PIECE_BATCHES_MAX + 1).collect()
            }
            None => ring.batches().take(PIECE_BATCHES_MAX + 1).collect(),
        };
        let is_last = batches.len() <= PIECE_BATCHES_MAX;
        batches.truncate(PIECE_BATCHES_MAX);
        MessageResult(Piece {
            follows: after.is_some(),
            batches: batches.into_iter().cloned().collect(),
            values: is_last.then(|| self.values.clone()),
            events_max: ring.capacity(),
        })
    }
}

/// Returns the values and the newest events, both up to the same offset. Reads them in pieces, between which the
/// history accepts new batches: with one event per batch the ring has 262,144 batches.
///
/// # Errors
///
/// Returns an error if the history has ended.
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
