//! `Before`: the rows before the start of a replay, which make last values, open bars and closed bars.

use std::sync::Arc;

use crate::domain::{EventBody, Interval, Snapshot, SymbolId, SymbolTable, Timestamp};
use crate::feed::opening::{ClosedSeries, Opening};
use crate::feed::sequencer::Sequencer;
use crate::protocol::Publication;

/// Makes an [`Opening`] of the events before it.
pub(super) struct Before {
    table: Arc<SymbolTable>,
    /// Most closed bars of a symbol and interval.
    bars_max: usize,
    /// Begun with the first event.
    sequencer: Option<Sequencer>,
    snapshots: Vec<Snapshot>,
    past: Vec<ClosedSeries>,
    due: Vec<Publication>,
}

impl Before {
    pub(super) fn new(table: Arc<SymbolTable>, bars_max: usize) -> Self {
        let (snapshots, past) = (vec![Snapshot::default(); table.len()], vec![ClosedSeries::default(); table.len()]);
        Self { table, bars_max, sequencer: None, snapshots, past, due: Vec::new() }
    }

    /// Adds an event that happened at `ts`.
    pub(super) fn push(&mut self, ts: Timestamp, id: SymbolId, body: EventBody) {
        let sequencer = self.sequencer.get_or_insert_with(|| Sequencer::empty(self.table.clone(), ts));
        sequencer.push(id, body, &mut self.due);
        self.apply();
    }

    fn apply(&mut self) {
        for Publication { event, .. } in self.due.drain(..) {
            let place = event.id.index();
            self.snapshots[place].apply(&event);
            match &event.body {
                EventBody::Bar(interval, closed) => {
                    let series = &mut self.past[place][*interval as usize];
                    if series.len() >= self.bars_max {
                        series.pop_front();
                    }
                    series.push_back(closed.bar);
                }
                EventBody::UpdatedBar(closed) => {
                    let minutes = self.past[place][Interval::M1 as usize].iter_mut();
                    if let Some(minute) = minutes.rev().take(2).find(|bar| bar.ts == closed.bar.ts) {
                        *minute = closed.bar;
                    }
                }
                _ => {}
            }
        }
    }

    /// Returns the state at `start`, which is not before the last event.
    pub(super) fn at(mut self, start: Timestamp) -> Opening {
        let Some(mut sequencer) = self.sequencer.take() else {
            let symbols = self.table.len();
            let (open, days) = (vec![[None; Interval::COUNT]; symbols], vec![None; symbols]);
            return Opening { start, snapshots: self.snapshots, open, days, past: self.past };
        };
        sequencer.close_bars(start, &mut self.due);
        self.apply();
        // The stream that begins there has numbers of its own.
        self.snapshots.iter_mut().for_each(|snapshot| snapshot.seq = Default::default());
        let (open, days) = sequencer.open_bars();
        Opening { start, snapshots: self.snapshots, open, days, past: self.past }
    }
}
