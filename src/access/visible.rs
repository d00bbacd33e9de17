//! `VisibleTable`: the table of symbols as one client may see it. A symbol beyond its rights is not there, as one that does not
//! exist.

use std::sync::Arc;

use crate::access::Rights;
use crate::domain::{Instrument, Symbol, SymbolId, SymbolTable};

/// The symbols that a client may see.
#[derive(Clone, Debug)]
pub struct VisibleTable {
    table: Arc<SymbolTable>,
    rights: Rights,
}

impl VisibleTable {
    /// Returns the part of the table to which these rights apply.
    pub const fn new(table: Arc<SymbolTable>, rights: Rights) -> Self {
        Self { table, rights }
    }

    /// Returns whether symbols may be added.
    pub fn grows(&self) -> bool {
        self.table.grows()
    }

    /// Returns whether the symbol with this index is visible.
    pub fn has(&self, id: SymbolId) -> bool {
        self.rights.permit(id)
    }

    /// Returns the index of the symbol, if it is visible.
    pub fn id(&self, symbol: Symbol) -> Option<SymbolId> {
        self.table.id(symbol).filter(|id| self.has(*id))
    }

    /// Returns the index of the symbol with this name in any case, if it is visible.
    pub fn find(&self, name: &str) -> Option<SymbolId> {
        self.table.find(name).filter(|id| self.has(*id))
    }

    /// Returns the indices of all visible symbols.
    pub fn ids(&self) -> impl Iterator<Item = SymbolId> {
        self.table.ids().filter(|id| self.has(*id))
    }

    /// Returns all visible instruments.
    pub fn instruments(&self) -> impl Iterator<Item = &Instrument> {
        self.ids().map(|id| self.table.instrument(id))
    }

    /// Returns the instrument with an index that one of the other functions has returned.
    pub fn instrument(&self, id: SymbolId) -> &Instrument {
        self.table.instrument(id)
    }

    /// Returns the channels, rate and number of symbols that the client may have.
    pub const fn rights(&self) -> &Rights {
        &self.rights
    }
}
