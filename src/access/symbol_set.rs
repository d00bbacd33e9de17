//! `SymbolSet`: the symbols of a table that a client may have. It follows the table when that grows.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::access::{Entitlement, Glob};
use crate::domain::{Symbol, SymbolId, SymbolTable};

/// A set of symbols. All sessions of a key share it; it is read without a lock.
#[derive(Debug)]
pub(super) struct SymbolSet {
    table: Arc<SymbolTable>,
    /// The names that a key lists, sorted: they may be 10,000.
    names: Box<[Symbol]>,
    /// The patterns that are no names.
    patterns: Vec<Glob>,
    /// Patterns of which a symbol must match one as well; none means all.
    within: Vec<Glob>,
    /// A bit for each symbol.
    words: boxcar::Vec<AtomicU64>,
    /// Number of symbols whose bits are set or left.
    known: AtomicUsize,
    /// Locked while symbols become known.
    following: Mutex<()>,
}

impl SymbolSet {
    /// Returns the symbols of the table that an entitlement includes.
    pub(super) fn new(entitlement: &Entitlement, table: Arc<SymbolTable>) -> Self {
        let Entitlement { symbols, symbols_within, .. } = entitlement;
        let mut names: Vec<_> = symbols.iter().filter_map(Glob::name).filter_map(|name| name.parse().ok()).collect();
        names.sort_unstable();
        let set = Self {
            table,
            names: names.into(),
            patterns: symbols.iter().filter(|glob| glob.name().is_none()).cloned().collect(),
            within: symbols_within.clone(),
            words: boxcar::Vec::new(),
            known: AtomicUsize::new(0),
            following: Mutex::default(),
        };
        set.follow();
        set
    }

    /// Returns whether the symbol is in the set.
    pub(super) fn contains(&self, id: SymbolId) -> bool {
        let index = id.index();
        if index >= self.known.load(Ordering::Acquire) {
            self.follow();
        }
        self.words.get(index / 64).is_some_and(|word| word.load(Ordering::Relaxed) & (1 << (index % 64)) != 0)
    }

    /// Returns whether both sets have the same symbols of the table as it is.
    pub(super) fn has_those_of(&self, other: &Self) -> bool {
        self.table.ids().all(|id| self.contains(id) == other.contains(id))
    }

    /// Looks at the symbols that were added to the table.
    fn follow(&self) {
        let _following = self.following.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, symbols) = (self.known.load(Ordering::Relaxed), self.table.len());
        for id in self.table.ids().take(symbols).skip(known) {
            let index = id.index();
            if index / 64 >= self.words.count() {
                self.words.push(AtomicU64::new(0));
            }
            if self.includes(self.table.instrument(id).symbol) {
                self.words[index / 64].fetch_or(1 << (index % 64), Ordering::Relaxed);
            }
        }
        // Readers see the bits of the symbols that are known.
        self.known.store(symbols, Ordering::Release);
    }

    /// Returns whether a symbol of this name is in the set, whether the table has it or not.
    pub(super) fn includes(&self, symbol: Symbol) -> bool {
        let matches = |patterns: &[Glob]| patterns.iter().any(|glob| glob.matches(symbol.as_str()));
        (self.names.binary_search(&symbol).is_ok() || matches(&self.patterns))
            && (self.within.is_empty() || matches(&self.within))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::Instrument;

    fn instrument(name: &str) -> Instrument {
        Instrument { symbol: name.parse().unwrap(), name: String::new(), sector: String::new() }
    }

    fn entitlement(symbols: &[String], within: &[String]) -> Entitlement {
        let globs = |all: &[String]| all.iter().map(|text| Glob::parse(text).unwrap()).collect();
        Entitlement { symbols: globs(symbols), symbols_within: globs(within), ..Entitlement::nothing() }
    }

    proptest! {
        #[test]
        fn names_and_patterns_name_the_symbols_that_one_by_one_are_had_also_of_those_that_are_added(
            symbols in prop::collection::vec("AAPL|msft|SYM00[0-9]|SYM0[?]1|M[*]|A[?]PL|NONE|b#d", 0..6),
            within in prop::collection::vec("AAPL|SYM[*]|M[*]T", 0..2),
            before in 0usize..103,
            step in 1usize..70,
        ) {
            let names = (0..100).map(|number| format!("SYM{number:03}")).chain(["AAPL", "MSFT", "AMPL"].map(String::from));
            let all: Vec<_> = names.map(|name| instrument(&name)).collect();
            let table = Arc::new(SymbolTable::growing(all[..before].to_vec(), all.len()));
            let entitlement = entitlement(&symbols, &within);
            let set = SymbolSet::new(&entitlement, table.clone());
            for added in all[before..].chunks(step).chain([&[][..]]) {
                let had = |id: &SymbolId| entitlement.has_symbol(table.instrument(*id).symbol.as_str());
                // The newest first: it makes the others known, too.
                let found: Vec<_> = table.ids().collect::<Vec<_>>().into_iter().rev().filter(|id| set.contains(*id)).collect();
                prop_assert_eq!(found.into_iter().rev().collect::<Vec<_>>(), table.ids().filter(had).collect::<Vec<_>>());
                for instrument in added {
                    table.add(instrument.clone()).unwrap();
                }
            }
        }
    }

    #[test]
    fn sets_of_other_patterns_are_the_same_until_a_symbol_of_one_of_them_is_added() {
        let table = Arc::new(SymbolTable::growing(vec![instrument("AAPL"), instrument("MSFT")], 3));
        let set = |pattern: &str| SymbolSet::new(&entitlement(&[pattern.into()], &[]), table.clone());
        let (name, pattern) = (set("AAPL"), set("A*"));
        assert!(name.has_those_of(&pattern));
        table.add(instrument("AMZN")).unwrap();
        assert!(!name.has_those_of(&pattern));
    }

    #[test]
    fn threads_that_ask_while_the_table_grows_get_the_same_answers() {
        let table = Arc::new(SymbolTable::growing(Vec::new(), 2_000));
        let set = SymbolSet::new(&entitlement(&["A*".into(), "B7".into()], &[]), table.clone());
        let read = || {
            let mut seen = 0;
            while seen < 2_000 {
                let symbols = table.len();
                for id in table.ids().skip(seen).take(symbols - seen) {
                    let symbol = table.instrument(id).symbol;
                    let is_in = symbol.as_str().starts_with('A') || symbol.as_str() == "B7";
                    assert_eq!(set.contains(id), is_in, "{symbol}");
                }
                seen = symbols;
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(read);
            }
            for number in 0..2_000 {
                let name = format!("{}{number}", ["A", "B"][number % 2]);
                table.add(instrument(&name)).unwrap();
            }
        });
    }
}
