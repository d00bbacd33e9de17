//! The state of a market that goes on from a file: bars that have ended since are closed, and days have begun.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::domain::{Day, EventBody, Instrument, Interval, Snapshot, Symbol, SymbolId, SymbolTable, Timestamp};
use crate::feed::opening::{ClosedSeries, Opening};
use crate::feed::state::symbol::bar_of;
use crate::feed::state::{MarketState, StateError, SymbolState};

impl MarketState {
    /// Returns the time at which the market goes on: `now`, or that of the file if the clock was set back, or of its newest event if that
    /// was ahead of the clock. The time of a market never goes back.
    pub fn start(&self, now: Timestamp) -> Timestamp {
        let newest = self.symbols.iter().map(|state| state.snapshot().ts).max();
        self.ts.max(now).max(newest.unwrap_or_default())
    }

    /// Returns the state at this time. Symbols of the file are added to a table that grows; otherwise those that it does not have are left
    /// out.
    ///
    /// # Errors
    ///
    /// Returns an error if a table that grows has no place for all symbols.
    pub fn opening(self, table: &Arc<SymbolTable>, start: Timestamp) -> Result<Opening, StateError> {
        let ts = self.ts;
        let found = self.found(table)?;
        let symbols = table.len();
        let mut snapshots = vec![Snapshot::default(); symbols];
        let mut past = vec![ClosedSeries::default(); symbols];
        let (mut open, mut days) = (vec![[None; Interval::COUNT]; symbols], vec![None; symbols]);
        // One by one, so that each line is freed: its bars take as much memory as those of the past.
        for (id, state) in found {
            let place = id.index();
            snapshots[place] = state.snapshot();
            (open[place], days[place]) = (state.open(), state.day());
            past[place] = state.closed.each_ref().map(|bars| bars.iter().map(bar_of).collect::<VecDeque<_>>());
        }
        Ok(later(Opening { start: ts, snapshots, open, days, past }, table, start))
    }

    /// Returns each state with the index of its symbol in the table, without those that have none.
    fn found(self, table: &SymbolTable) -> Result<Vec<(SymbolId, SymbolState)>, StateError> {
        let Self { path, symbols: states, .. } = self;
        let unknown = states.iter().filter(|state| table.find(&state.symbol).is_none()).count();
        let (symbols, symbols_max) = (table.len() + unknown, table.symbols_max());
        if table.grows() && symbols > symbols_max {
            return Err(StateError::TooManySymbols { path, symbols, symbols_max });
        }
        if !table.grows() && unknown > 0 {
            log::warn!(
                "feed.state_file {} has symbols that feed.publish.symbols does not have: they are left out left_out={unknown}",
                path.display()
            );
        }
        let id = |state: &SymbolState| {
            let symbol: Symbol = state.symbol.parse().ok()?;
            let instrument = || Instrument { symbol, name: symbol.to_string(), sector: String::new() };
            table.id(symbol).or_else(|| table.grows().then(|| table.add(instrument()).ok()).flatten())
        };
        Ok(states.into_iter().filter_map(|state| Some((id(&state)?, state))).collect())
    }
}

/// Returns the state at a later time, without an event until then.
fn later(mut state: Opening, table: &Arc<SymbolTable>, start: Timestamp) -> Opening {
    close_ended(&mut state);
    let (mut sequencer, mut due) = (state.sequencer(table.clone()), Vec::new());
    sequencer.close_bars(start, &mut due);
    for publication in due {
        if let EventBody::Bar(interval, closed) = &publication.event.body {
            state.past[publication.event.id.index()][*interval as usize].push_back(closed.bar);
        }
    }
    state.snapshots.iter_mut().for_each(|snapshot| begin_day(snapshot, start));
    let (open, days) = sequencer.open_bars();
    let mut state = Opening { start, open, days, ..state };
    reopen_minutes(&mut state);
    state
}

/// Begins the present day of a symbol that has a price of an earlier one. Its own time decides, because a day may have begun while the file
/// was written.
fn begin_day(snapshot: &mut Snapshot, start: Timestamp) {
    let day = Interval::D1.start_of(start);
    if let Some((_, prev_close)) = snapshot.last_trade().filter(|_| snapshot.ts < day) {
        snapshot.begin_day(Day { ts: day, prev_close });
    }
}

/// Closes the bars that have ended before the time of the state. The first trade of a minute may come after its end, so that its bar is never
/// published as closed, only as changed.
fn close_ended(state: &mut Opening) {
    for (open, past) in state.open.iter_mut().zip(&mut state.past) {
        for interval in Interval::ALL {
            let ended = open[interval as usize].take_if(|bar| bar.ts < interval.start_of(state.start));
            if let Some(bar) = ended
                && past[interval as usize].back().is_none_or(|newest| newest.ts < bar.ts)
            {
                past[interval as usize].push_back(bar);
            }
        }
    }
}

/// Lets late trades count in the bar of the minute before the start.
fn reopen_minutes(state: &mut Opening) {
    let minute = Interval::M1.start_of(state.start).plus_micros(-Interval::M1.micros());
    for (open, past) in state.open.iter_mut().zip(&state.past) {
        let newest = past[Interval::M1 as usize].back().filter(|newest| newest.ts == minute);
        let open = &mut open[Interval::M1 as usize];
        *open = open.or(newest.copied());
    }
}
