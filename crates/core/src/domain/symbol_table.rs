//! `SymbolTable`: the instruments of the market, by index and by name. It may grow while it is read; nothing in it changes or vanishes.

use std::collections::HashMap;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use crate::domain::{Instrument, Symbol, SymbolId};

/// All instruments, in the order of their [`SymbolId`]. Shared by all threads. A symbol is added before its first event is published, so
/// that whoever gets an event finds its symbol here.
#[derive(Debug, Default)]
pub struct SymbolTable {
    /// Read without a lock.
    instruments: boxcar::Vec<Instrument>,
    ids: RwLock<HashMap<Symbol, SymbolId>>,
    symbols_max: usize,
    grows: bool,
}

/// A symbol was not added, because the table has its most symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableFull {
    /// The symbol.
    pub symbol: Symbol,
    /// The most symbols of the table.
    pub symbols_max: usize,
}

impl fmt::Display for TableFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no place for {}: the table has its {} symbols", self.symbol, self.symbols_max)
    }
}

impl std::error::Error for TableFull {}

impl SymbolTable {
    /// Returns the table of these instruments, which does not grow. If two have the same symbol, [`Self::id`] finds the later one.
    ///
    /// # Panics
    ///
    /// Panics if there are more than `u32::MAX` instruments.
    pub fn new(instruments: Vec<Instrument>) -> Self {
        let ids = instruments.iter().enumerate().map(|(index, each)| (each.symbol, number(index))).collect();
        let (ids, symbols_max) = (RwLock::new(ids), instruments.len());
        Self { instruments: instruments.into_iter().collect(), ids, symbols_max, grows: false }
    }

    /// Returns a table that begins with these instruments and may grow to `symbols_max`, if it does not begin with more.
    ///
    /// # Panics
    ///
    /// Panics if there are more than `u32::MAX` instruments.
    pub fn growing(instruments: Vec<Instrument>, symbols_max: usize) -> Self {
        let symbols_max = symbols_max.max(instruments.len());
        Self { symbols_max, grows: true, ..Self::new(instruments) }
    }

    /// Adds an instrument, and returns its index: that of the known one if the table has its symbol already. Only a feed adds, or a request to publish
    /// of which all events are good.
    ///
    /// # Errors
    ///
    /// Returns an error if the symbol is new and the table has its most symbols.
    ///
    /// # Panics
    ///
    /// Panics if there are more than `u32::MAX` instruments.
    pub fn add(&self, instrument: Instrument) -> Result<SymbolId, TableFull> {
        let (symbol, symbols_max) = (instrument.symbol, self.symbols_max);
        let mut ids = self.ids.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = ids.get(&symbol) {
            return Ok(*id);
        }
        if self.len() >= symbols_max {
            return Err(TableFull { symbol, symbols_max });
        }
        let id = number(self.instruments.push(instrument));
        ids.insert(symbol, id);
        Ok(id)
    }

    /// Returns the index of the symbol, or `None` if the table does not contain it.
    pub fn id(&self, symbol: Symbol) -> Option<SymbolId> {
        self.ids.read().unwrap_or_else(PoisonError::into_inner).get(&symbol).copied()
    }

    /// Returns the index of the symbol with this name, or `None` if the table does not contain it. Ignores case and
    /// surrounding blanks, because people type `aapl, msft`.
    pub fn find(&self, name: &str) -> Option<SymbolId> {
        self.id(name.trim().to_ascii_uppercase().parse().ok()?)
    }

    /// Returns the instrument with this index. Takes no lock.
    ///
    /// # Panics
    ///
    /// Panics if the index is not of this table.
    pub fn instrument(&self, id: SymbolId) -> &Instrument {
        self.instruments.get(id.index()).expect("the index is of this table")
    }

    /// Returns every index of the table at this moment, ascending.
    pub fn ids(&self) -> impl Iterator<Item = SymbolId> + use<> {
        (0..u32::try_from(self.len()).unwrap_or(u32::MAX)).map(SymbolId)
    }

    /// Returns the number of instruments at this moment.
    pub fn len(&self) -> usize {
        // `add` counts an instrument when it has been written.
        self.instruments.count()
    }

    /// Returns the most instruments that the table can have.
    pub fn symbols_max(&self) -> usize {
        self.symbols_max
    }

    /// Returns whether instruments may be added.
    pub fn grows(&self) -> bool {
        self.grows
    }

    /// Returns whether the table is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn number(index: usize) -> SymbolId {
    SymbolId(u32::try_from(index).expect("fewer than 2^32 instruments"))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn instrument(symbol: &str) -> Instrument {
        Instrument { symbol: symbol.parse().unwrap(), name: format!("{symbol} Inc."), sector: "Technology".into() }
    }

    #[test]
    fn the_table_finds_each_instrument_by_name_and_by_index() {
        let table = SymbolTable::new(vec![instrument("AAPL"), instrument("MSFT")]);
        assert_eq!(table.find("MSFT"), Some(SymbolId(1)));
        assert_eq!(table.instrument(SymbolId(1)).name, "MSFT Inc.");
        assert_eq!(table.find(" msft"), Some(SymbolId(1)), "as people type it");
        assert_eq!(table.find("XYZ"), None);
        assert_eq!(table.find("not a symbol"), None);
        assert_eq!(table.ids().collect::<Vec<_>>(), [SymbolId(0), SymbolId(1)]);
    }

    #[test]
    fn a_symbol_is_added_once_and_keeps_its_index_and_one_over_the_bound_is_refused() {
        let table = SymbolTable::growing(vec![instrument("AAPL")], 3);
        assert_eq!((table.len(), table.symbols_max(), table.grows()), (1, 3, true));
        assert_eq!(
            ["MSFT", "AAPL", "IBM", "MSFT"].map(|symbol| table.add(instrument(symbol)).unwrap().0),
            [1, 0, 2, 1]
        );
        let full = table.add(instrument("XOM")).unwrap_err();
        assert_eq!(full, TableFull { symbol: "XOM".parse().unwrap(), symbols_max: 3 });
        assert_eq!(full.to_string(), "no place for XOM: the table has its 3 symbols");
        assert_eq!((table.add(instrument("IBM")), table.find("xom"), table.len()), (Ok(SymbolId(2)), None, 3));
        assert_eq!(table.instrument(SymbolId(2)).name, "IBM Inc.");
    }

    #[test]
    fn a_table_that_does_not_grow_refuses_every_new_symbol() {
        let table = SymbolTable::new(vec![instrument("AAPL")]);
        assert!(table.add(instrument("MSFT")).is_err() && table.add(instrument("AAPL")).is_ok());
        assert_eq!((table.len(), table.symbols_max(), table.grows()), (1, 1, false));
    }

    #[test]
    fn every_index_that_a_reader_sees_has_its_instrument_while_the_table_grows() {
        let (table, is_over) = (SymbolTable::growing(Vec::new(), 5_000), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut seen = 0;
                while !is_over.load(Ordering::Acquire) || seen < table.len() {
                    let ids: Vec<_> = table.ids().collect();
                    for id in &ids[seen..] {
                        let symbol = table.instrument(*id).symbol;
                        assert_eq!((symbol.to_string(), table.id(symbol)), (format!("S{}", id.0), Some(*id)));
                    }
                    seen = ids.len();
                }
                seen
            });
            for number in 0..5_000 {
                table.add(instrument(&format!("S{number}"))).unwrap();
            }
            is_over.store(true, Ordering::Release);
            assert_eq!(reader.join().unwrap(), 5_000);
        });
    }
}
