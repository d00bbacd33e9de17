//! `Names`: the symbols of one request. New ones are added to the table only when all events of the request are good.

use std::cell::RefCell;

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
    /// Symbols that are not in the table yet. Their events have indices from `u32::MAX` down, until they are added.
    new: RefCell<Vec<Symbol>>,
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
        // A request has few new symbols, as a rule.
        let place = new.iter().position(|known| *known == symbol).unwrap_or(new.len());
        if place == new.len() {
            if place >= newcomers.room() {
                return Err(NoSymbol::Full);
            }
            new.push(symbol);
        }
        Ok(provisional(place))
    }

    /// Adds the new symbols to the table, and gives their events the indices there.
    ///
    /// # Errors
    ///
    /// Returns an error with the first event without a place if the table has become full meanwhile.
    pub fn add_new(self, events: &mut [NewEvent]) -> Result<(), BadEvents> {
        let (Some(newcomers), new) = (self.newcomers, self.new.into_inner()) else { return Ok(()) };
        for (place, symbol) in new.into_iter().enumerate() {
            let describe = || Instrument { symbol, name: symbol.to_string(), sector: String::new() };
            let (provisional, id) = (provisional(place), newcomers.id(symbol, describe));
            for (index, event) in events.iter_mut().enumerate().filter(|(_, event)| event.id == provisional) {
                event.id = id.ok_or_else(|| BadEvents::no_symbol(NoSymbol::Full, index, symbol.as_str()))?;
            }
        }
        Ok(())
    }
}

/// Returns the index of a new symbol until it is added.
fn provisional(place: usize) -> SymbolId {
    SymbolId(u32::MAX - u32::try_from(place).unwrap_or(u32::MAX))
}
