//! The last values of every symbol at one offset of the stream.

use std::sync::Arc;

use crate::domain::{Snapshot, SymbolId};
use crate::protocol::Publication;

/// The state of every symbol directly after the event [`Self::offset`].
#[derive(Clone, Debug)]
pub struct LastValues {
    snapshots: Vec<Arc<Snapshot>>,
    offset: u64,
}

impl LastValues {
    /// Returns the values before the first event: one snapshot per symbol of the table.
    pub fn new(snapshots: Vec<Snapshot>) -> Self {
        Self { snapshots: snapshots.into_iter().map(Arc::new).collect(), offset: 0 }
    }

    /// Returns the offset of the newest event applied.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Applies the next event of the stream.
    pub fn apply(&mut self, publication: &Publication) {
        let event = &publication.event;
        debug_assert_eq!(event.offset, self.offset + 1, "the stream has no holes");
        self.offset = event.offset;
        // If another owner holds the state, this copies it (copy on write).
        Arc::make_mut(&mut self.snapshots[event.id.index()]).apply(event);
    }

    /// Returns the values of one symbol. Owners of a clone share it until the symbol's next event.
    ///
    /// # Panics
    ///
    /// Panics if there is no such symbol.
    pub fn snapshot(&self, id: SymbolId) -> &Arc<Snapshot> {
        &self.snapshots[id.index()]
    }
}
