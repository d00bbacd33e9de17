//! `Names`: the symbols of one request. New ones are added to the table only when all events of the request are good.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::domain::{Instrument, Symbol, SymbolId};
use crate::feed::Newcomers;
use crate::feed::publish::{BadEvents, NewEvent};
use crate::protocol::ErrorCode;

/// Why a request has no such symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSymbol {
    /// The table does not have it, or the publisher may not use it.
    #[error("no such symbol")]
    Unknown,
    /// The table is full.
    #[error("the table of symbols is full (feed.symbols_max), and has no symbol")]
    Full,
}

impl NoSymbol {
    /// Returns the code for the publisher.
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Unknown => ErrorCode::UnknownSymbol,
            Self::Full => ErrorCode::LimitExceeded,
        }
    }
}

/// The symbols that a publisher may use.
pub trait Symbols {
    /// Returns the index of a symbol of the table, if the publisher may use it.
    fn id(&self, symbol: Symbol) -> Option<SymbolId>;

    /// Returns whether the publisher may use a symbol, whether the table has it or not.
    fn permits(&self, symbol: Symbol) -> bool;
}

/// Finds the symbols of one request.
pub struct Names<'a, S> {
    symbols: &'a S,
    newcomers: Option<&'a Newcomers>,
    /// Symbols that are not in the table yet, numbered in the order in which the request names them. Their events have indices from
    /// `u32::MAX` down, until they are added.
    new: RefCell<HashMap<Symbol, u32>>,
}

impl<'a, S: Symbols> Names<'a, S> {
    /// Returns the names of a request; without `newcomers` there are no new symbols.
    pub fn new(symbols: &'a S, newcomers: Option<&'a Newcomers>) -> Self {
        Self { symbols, newcomers, new: RefCell::default() }
    }

    /// Returns the index of the symbol with this name.
    ///
    /// # Errors
    ///
    /// Returns an error if there is none, and none can be added.
    pub fn find(&self, name: &str) -> Result<SymbolId, NoSymbol> {
        let symbol: Symbol = name.parse().map_err(|_| NoSymbol::Unknown)?;
        if let Some(id) = self.symbols.id(symbol) {
            return Ok(id);
        }
        let newcomers = self.newcomers.filter(|_| self.symbols.permits(symbol)).ok_or(NoSymbol::Unknown)?;
        let mut new = self.new.borrow_mut();
        let count = u32::try_from(new.len()).unwrap_or(u32::MAX);
        if let Some(number) = new.get(&symbol) {
            return Ok(provisional(*number));
        }
        if new.len() >= newcomers.room() {
            return Err(NoSymbol::Full);
        }
        new.insert(symbol, count);
        Ok(provisional(count))
    }

    /// Adds the new symbols to the table, and gives their events the indices there.
    ///
    /// # Errors
    ///
    /// Returns an error with the first event without a place if the table has become full meanwhile.
    pub fn add_new(self, events: &mut [NewEvent]) -> Result<(), BadEvents> {
        let (Some(newcomers), new) = (self.newcomers, self.new.into_inner()) else { return Ok(()) };
        let mut new: Vec<_> = new.into_iter().map(|(symbol, number)| (number, symbol)).collect();
        new.sort_unstable();
        let add = |(_, symbol): (u32, Symbol)| {
            let describe = || Instrument { symbol, name: symbol.to_string(), sector: String::new() };
            (symbol, newcomers.id(symbol, describe))
        };
        let added: Vec<_> = new.into_iter().map(add).collect();
        for (index, event) in events.iter_mut().enumerate() {
            // The indices of the table are far below.
            let Some((symbol, id)) = added.get((u32::MAX - event.id.0) as usize) else { continue };
            event.id = id.ok_or_else(|| BadEvents::no_symbol(NoSymbol::Full, index, symbol.as_str()))?;
        }
        Ok(())
    }
}

/// Returns the index of a new symbol until it is added.
fn provisional(number: u32) -> SymbolId {
    SymbolId(u32::MAX - number)
}
