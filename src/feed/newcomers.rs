//! `Newcomers`: symbols that a source meets while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::domain::{Instrument, Symbol, SymbolId, SymbolTable};
use crate::metrics::SharedMetrics;

/// Adds new symbols to the table, up to [`FeedConfig::symbols_max`](crate::feed::FeedConfig), and counts the events that have no place.
#[derive(Debug)]
pub struct Newcomers {
    table: Arc<SymbolTable>,
    metrics: SharedMetrics,
    /// Whether the log has already reported that the table is full.
    is_reported: AtomicBool,
}

impl Newcomers {
    /// Returns the way into this table.
    pub fn new(table: Arc<SymbolTable>, metrics: SharedMetrics) -> Self {
        Self { table, metrics, is_reported: AtomicBool::new(false) }
    }

    /// Returns how many symbols can be added at this moment.
    pub fn room(&self) -> usize {
        self.table.symbols_max().saturating_sub(self.table.len())
    }

    /// Returns the index of the symbol of an event; if it is new, the instrument that `describe` makes is added. `None` if the table is
    /// full: the source drops the event, which is counted in `symbols_refused`.
    pub fn id(&self, symbol: Symbol, describe: impl FnOnce() -> Instrument) -> Option<SymbolId> {
        if let Some(id) = self.table.id(symbol) {
            return Some(id);
        }
        match self.table.add(describe()) {
            Ok(id) => {
                self.metrics.symbols_added.inc();
                Some(id)
            }
            Err(err) => {
                self.metrics.symbols_refused.inc();
                if !self.is_reported.swap(true, Ordering::Relaxed) {
                    log::warn!("{err} (feed.symbols_max): events of further symbols are dropped");
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn a_symbol_is_described_once_and_events_of_one_too_many_are_counted() {
        let metrics: SharedMetrics = Arc::new(Metrics::default());
        let table = Arc::new(SymbolTable::growing(Vec::new(), 2));
        let newcomers = Newcomers::new(table.clone(), metrics.clone());
        let mut described = Vec::new();
        let found = ["BTC-USD", "ETH-USD", "BTC-USD", "SOL-USD", "SOL-USD", "ETH-USD"].map(|name| {
            let symbol = name.parse().unwrap();
            newcomers.id(symbol, || {
                described.push(name);
                Instrument { symbol, name: name.into(), sector: String::new() }
            })
        });
        let [first, second] = [Some(SymbolId(0)), Some(SymbolId(1))];
        assert_eq!(found, [first, second, first, None, None, second]);
        assert_eq!(described[..2], ["BTC-USD", "ETH-USD"]);
        assert_eq!((metrics.symbols_added.get(), metrics.symbols_refused.get(), table.len()), (2, 2, 2));
    }
}
