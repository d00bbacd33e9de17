//! The last values of every symbol at one offset of the stream.

use std::sync::Arc;

use crate::domain::{Snapshot, SymbolId};
use crate::feed::Restart;
use crate::history::Epochs;
use crate::protocol::Publication;

/// The state of every symbol directly after the event [`Self::offset`].
#[derive(Clone, Debug)]
pub struct LastValues {
    /// As many as the newest symbol with an event needs.
    snapshots: Vec<Arc<Snapshot>>,
    /// The state of a symbol without values.
    empty: Arc<Snapshot>,
    offset: u64,
    epochs: Epochs,
}

impl LastValues {
    /// Returns the values before the first event: one snapshot per symbol of the table. Symbols that are added later begin without values.
    pub fn new(snapshots: Vec<Snapshot>) -> Self {
        let snapshots = snapshots.into_iter().map(Arc::new).collect();
        Self { snapshots, empty: Arc::default(), offset: 0, epochs: Epochs::default() }
    }

    /// Returns the values after a restart of a stream of which nothing else is known.
    pub fn restarted(restart: &Restart) -> Self {
        let mut values = Self::new(Vec::new());
        values.restart(restart);
        values
    }

    /// Replaces the values by those after a restart.
    pub fn restart(&mut self, restart: &Restart) {
        self.snapshots = restart.opening.snapshots.iter().copied().map(Arc::new).collect();
        self.offset = restart.offset;
        self.epochs.begin(restart.epoch.clone(), restart.offset, true);
    }

    /// Returns the name of the stream since its last restart; `None` before the first one.
    pub fn epoch(&self) -> Option<&Arc<str>> {
        self.epochs.name()
    }

    /// Returns the names of the stream up to here.
    pub fn epochs(&self) -> &Epochs {
        &self.epochs
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
        let index = event.id.index();
        if index >= self.snapshots.len() {
            self.snapshots.resize(index + 1, self.empty.clone());
        }
        // If another owner holds the state, this copies it (copy on write).
        Arc::make_mut(&mut self.snapshots[index]).apply(event);
    }

    /// Returns the values of one symbol; of one without an event up to here a snapshot without values. Owners of a clone share it until the
    /// symbol's next event.
    pub fn snapshot(&self, id: SymbolId) -> &Arc<Snapshot> {
        self.snapshots.get(id.index()).unwrap_or(&self.empty)
    }
}
