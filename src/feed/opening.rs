//! `Opening`: the state of every symbol at the time at which a stream begins, or goes on after a seek.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use crate::domain::{Bar, Channel, Interval, Price, Snapshot, SymbolId, SymbolTable, Timestamp};
use crate::feed::sequencer::Sequencer;

/// The closed bars of one symbol, by `Interval as usize`, oldest first.
pub(super) type ClosedSeries = [VecDeque<Bar>; Interval::COUNT];

/// The state of every symbol, in the order of the symbol table.
#[derive(Clone, Default)]
pub struct Opening {
    /// Time of the market.
    pub start: Timestamp,
    /// The last values.
    pub snapshots: Vec<Snapshot>,
    /// The bars that have begun before that time and end after it.
    pub open: Vec<[Option<Bar>; Interval::COUNT]>,
    /// The bar of the present day of New York.
    pub days: Vec<Option<Bar>>,
    /// The bars that have ended before that time.
    pub past: Vec<ClosedSeries>,
}

impl Opening {
    /// Returns the numbering of a stream that begins with this state.
    pub fn sequencer(&self, table: Arc<SymbolTable>) -> Sequencer {
        Sequencer::new(table, self.open.clone(), self.days.clone(), self.last_trades(), self.start)
    }

    /// Returns time and price of the last trade of each symbol that has a price.
    pub fn last_trades(&self) -> Vec<Option<(Timestamp, Price)>> {
        self.snapshots.iter().map(Snapshot::last_trade).collect()
    }

    /// Returns the closed bars of a symbol, oldest first.
    pub fn closed(&self, id: SymbolId, interval: Interval) -> impl DoubleEndedIterator<Item = &Bar> {
        self.past.get(id.index()).into_iter().flat_map(move |series| &series[interval as usize])
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").field("start", &self.start).finish_non_exhaustive()
    }
}

/// The market goes on from another time: this takes the place of everything before. Offsets and `seq` go on, with a hole in the offsets
/// that no cursor can cross.
#[derive(Clone, Debug)]
pub struct Restart {
    /// The offset that no event has: that of the restart.
    pub offset: u64,
    /// The name of the stream from now on.
    pub epoch: Arc<str>,
    /// The state; its snapshots have the numbers of the stream.
    pub opening: Arc<Opening>,
}

impl Restart {
    /// Returns the restart of a stream whose sessions go on, because they are told: without a hole in its offsets.
    pub fn within(sequencer: &mut Sequencer, opening: Opening) -> Self {
        let numbers = sequencer.resume(&opening);
        Self::new(numbers, opening)
    }

    /// Returns the restart at this offset, of symbols whose channels have these newest numbers.
    pub(super) fn new((offset, seq): (u64, &[[u64; Channel::COUNT]]), mut opening: Opening) -> Self {
        let symbols = opening.snapshots.len().max(seq.len());
        opening.snapshots.resize(symbols, Snapshot::default());
        for (snapshot, seq) in opening.snapshots.iter_mut().zip(seq) {
            snapshot.seq = *seq;
        }
        let epoch = format!("{:016x}", rand::random::<u64>()).into();
        Self { offset, epoch, opening: Arc::new(opening) }
    }
}
