//! `Names`: from the instruments' names in a file to symbols.

use std::collections::{HashMap, HashSet};

use tickcast_core::domain::Symbol;

use crate::error::Bad;
use crate::options::ReadOptions;

/// Names whose symbols are remembered. Beyond it they are looked up again.
const REMEMBERED_MAX: usize = 100_000;
/// Longest name that is remembered, in bytes. A longer one is nobody's name.
const REMEMBERED_BYTES_MAX: usize = 64;

/// Finds the symbol of a name: by the table of the options, or the name itself.
pub(crate) struct Names {
    table: HashMap<String, Symbol>,
    only: Option<HashSet<Symbol>>,
    known: HashMap<Box<[u8]>, Option<Symbol>>,
    /// The name that was asked for last: files have many rows of a symbol in succession.
    last: (Vec<u8>, Option<Symbol>),
}

impl Names {
    pub(crate) fn new(options: &ReadOptions) -> Self {
        let (table, only) = (options.symbols.clone(), options.only.clone());
        Self { table, only, known: HashMap::new(), last: (Vec::new(), None) }
    }

    /// Returns the symbol of the name, or `None` if it was not asked for.
    pub(crate) fn resolve(&mut self, name: &[u8]) -> Result<Option<Symbol>, Bad> {
        if self.last.0 == name && !name.is_empty() {
            return Ok(self.last.1);
        }
        let symbol = match self.known.get(name) {
            Some(symbol) => *symbol,
            None => self.look_up(name)?,
        };
        self.last.0.clear();
        self.last.0.extend_from_slice(name);
        self.last.1 = symbol;
        Ok(symbol)
    }

    fn look_up(&mut self, name: &[u8]) -> Result<Option<Symbol>, Bad> {
        let text = std::str::from_utf8(name).unwrap_or_default().trim();
        let symbol = self.table.get(text).copied().map_or_else(|| text.parse(), Ok);
        let symbol = match (symbol, &self.only) {
            (Ok(symbol), None) => Some(symbol),
            (Ok(symbol), Some(only)) => Some(symbol).filter(|symbol| only.contains(symbol)),
            (Err(_), Some(_)) => None,
            (Err(err), None) => {
                return Err(Bad::cell(name, format!("a symbol: {err}; `symbols` can give it one")));
            }
        };
        if self.known.len() == REMEMBERED_MAX {
            self.known.clear();
        }
        if name.len() <= REMEMBERED_BYTES_MAX {
            self.known.insert(name.into(), symbol);
        }
        Ok(symbol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_its_symbol_or_the_one_of_the_table_or_refused() {
        let symbol = |text: &str| text.parse::<Symbol>().unwrap();
        let mut options =
            ReadOptions { symbols: [("BTC/USDT".into(), symbol("BTC-USDT"))].into(), ..Default::default() };
        let mut names = Names::new(&options);
        for _ in 0..2 {
            assert_eq!(names.resolve(b"SPY").unwrap(), Some(symbol("SPY")));
            assert_eq!(names.resolve(b"BTC/USDT").unwrap(), Some(symbol("BTC-USDT")));
            assert!(names.resolve(b"BACpA").is_err());
            assert!(names.resolve(b"").is_err());
        }
        options.only = Some([symbol("SPY")].into());
        let mut names = Names::new(&options);
        assert_eq!(names.resolve(b"SPY").unwrap(), Some(symbol("SPY")));
        assert_eq!(names.resolve(b"QQQ").unwrap(), None);
        assert_eq!(names.resolve(b"BACpA").unwrap(), None, "nobody asked for it");
    }
}
