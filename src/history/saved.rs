//! The state of some symbols, as the file of the state has it.

use crate::domain::{Bar, Interval, SymbolId, SymbolTable};
use crate::feed::state::SymbolState;
use crate::history::{Archive, LastValues};

/// Returns the state of a symbol with at most `bars_max` closed bars of each interval. The values and the archive must be at the same event.
pub(super) fn symbol_state(
    id: SymbolId,
    table: &SymbolTable,
    values: &LastValues,
    archive: &Archive,
    bars_max: usize,
) -> SymbolState {
    let (mut closed, mut open) = ([const { Vec::new() }; Interval::COUNT], [None; Interval::COUNT]);
    for interval in Interval::ALL {
        let (_, read) = archive.read(id, interval, bars_max + 1, None);
        let newest = &read.closed[read.closed.len().saturating_sub(bars_max)..];
        closed[interval as usize] = newest.iter().map(|bar| SymbolState::bar(&Bar::from(bar))).collect();
        open[interval as usize] = read.open.as_ref().map(SymbolState::bar);
    }
    SymbolState::new(table.instrument(id).symbol, values.snapshot(id), closed, open)
}
