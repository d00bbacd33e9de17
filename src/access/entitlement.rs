//! `Entitlement`: what a client may have; and `Rights`, the same for one session, with the symbols looked up.

use std::sync::Arc;

use crate::access::symbol_set::SymbolSet;
use crate::access::{Glob, Network};
use crate::domain::{ChannelSet, Symbol, SymbolId, SymbolTable, Timestamp};
use crate::protocol::Rate;

/// The rights and limits of a client. All ways to be somebody lead to one of these.
#[derive(Clone, Debug, PartialEq)]
pub struct Entitlement {
    /// Patterns of the symbols. None means no symbol.
    pub symbols: Vec<Glob>,
    /// Patterns of which a symbol must match one as well; none means all.
    pub symbols_within: Vec<Glob>,
    /// The channels.
    pub channels: ChannelSet,
    /// Highest rate of each topic; with one there is no mode `all`.
    pub max_hz: Option<Rate>,
    /// How much older than the market everything is that the client gets, by the market's clock; 0 for the present. Milliseconds.
    pub delay_ms: u64,
    /// Most symbols of one session; 0 means `session.symbols_max`.
    pub symbols_max: usize,
    /// Most connections at the same time; 0 means any number.
    pub connections_max: usize,
    /// Most work per second for its requests, on average over five seconds, in units of one event read; 0 means
    /// `limits.key_work_per_second_max`.
    pub work_per_second_max: u32,
    /// Which connection gives way if there are too many.
    pub on_limit: OnLimit,
    /// The end of the entitlement by the wall clock.
    pub expires_at: Option<Timestamp>,
    /// Origins of the pages that may use the key, as a browser sends them; none means all that the server permits.
    pub origins: Vec<String>,
    /// Addresses from which the key may be used; none means all.
    pub addresses: Vec<Network>,
    /// Whether the client may read metrics and control the server.
    pub admin: bool,
    /// Whether the client may publish events.
    pub publish: bool,
}

/// Which connection of a key gives way if there are too many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnLimit {
    /// The newest: it is refused.
    #[default]
    Refuse,
    /// The oldest: it is ended.
    Replace,
}

impl Entitlement {
    /// Returns the entitlement to everything, without limits.
    pub fn everything() -> Self {
        Self {
            symbols: Glob::parse("*").into_iter().collect(),
            channels: ChannelSet::ALL,
            admin: true,
            publish: true,
            ..Self::nothing()
        }
    }

    /// Returns the entitlement to nothing.
    pub const fn nothing() -> Self {
        Self {
            symbols: Vec::new(),
            symbols_within: Vec::new(),
            channels: ChannelSet::EMPTY,
            max_hz: None,
            delay_ms: 0,
            symbols_max: 0,
            connections_max: 0,
            work_per_second_max: 0,
            on_limit: OnLimit::Refuse,
            expires_at: None,
            origins: Vec::new(),
            addresses: Vec::new(),
            admin: false,
            publish: false,
        }
    }

    /// Returns whether the client may have every channel, at any rate.
    pub fn has_every_channel(&self) -> bool {
        self.channels == ChannelSet::ALL && self.max_hz.is_none()
    }

    /// Returns whether the client may speak the dialect of a vendor: its messages have values of several channels, its streams no
    /// rates, and both are of the present.
    pub fn suits_vendors(&self) -> bool {
        self.has_every_channel() && self.delay_ms == 0
    }

    /// Returns whether everybody may have the key: it permits to read, and nothing else.
    pub const fn suits_everybody(&self) -> bool {
        !self.admin && !self.publish
    }

    /// Returns whether a session with this entitlement may go on by `present`, which permits the same and ends no earlier.
    pub(super) fn goes_on_by(&self, present: &Self) -> bool {
        let ends_earlier = match (self.expires_at, present.expires_at) {
            (Some(old), Some(new)) => new < old,
            (None, Some(_)) => true,
            (_, None) => false,
        };
        !ends_earlier && self.permits_the_same_as(present)
    }

    /// Returns whether they are the same but for their ends. Copies nothing: it is asked for each session, many times.
    fn permits_the_same_as(&self, other: &Self) -> bool {
        let Self { symbols, symbols_within, channels, max_hz, delay_ms, symbols_max, .. } = self;
        let Self { connections_max, work_per_second_max, on_limit, expires_at: _, origins, addresses, .. } = self;
        (channels, max_hz, delay_ms, symbols_max)
            == (&other.channels, &other.max_hz, &other.delay_ms, &other.symbols_max)
            && (connections_max, work_per_second_max) == (&other.connections_max, &other.work_per_second_max)
            && (on_limit, addresses) == (&other.on_limit, &other.addresses)
            && (self.admin, self.publish) == (other.admin, other.publish)
            && (symbols, symbols_within, origins) == (&other.symbols, &other.symbols_within, &other.origins)
    }

    /// Returns whether the client may have the symbol of this name, in upper case: what a [`SymbolSet`] says of a whole table.
    #[cfg(test)]
    pub(super) fn has_symbol(&self, name: &str) -> bool {
        let is_in = |patterns: &[Glob]| patterns.iter().any(|glob| glob.matches(name));
        is_in(&self.symbols) && (self.symbols_within.is_empty() || is_in(&self.symbols_within))
    }

    /// Returns the symbols of the table that the client may have; `None` for all.
    pub(super) fn symbols_of(&self, table: &Arc<SymbolTable>) -> Option<Arc<SymbolSet>> {
        let has_all = self.symbols.iter().any(Glob::is_all) && self.symbols_within.is_empty();
        (!has_all).then(|| Arc::new(SymbolSet::new(self, table.clone())))
    }
}

/// The rights of one session.
#[derive(Clone, Debug)]
pub struct Rights {
    /// The symbols; `None` for all.
    pub(super) symbols: Option<Arc<SymbolSet>>,
    /// The channels.
    pub channels: ChannelSet,
    /// Highest rate of each topic.
    pub max_hz: Option<Rate>,
    /// Most symbols; 0 means `session.symbols_max`.
    pub symbols_max: usize,
}

impl Rights {
    /// Returns the rights to everything.
    pub const fn everything() -> Self {
        Self { symbols: None, channels: ChannelSet::ALL, max_hz: None, symbols_max: 0 }
    }

    /// Returns the most symbols that a session or a request may name, at most `session_max` (`session.symbols_max`), and the setting
    /// that says so.
    pub const fn symbols_max(&self, session_max: usize) -> (usize, &'static str) {
        match self.symbols_max {
            symbols_max @ 1.. if symbols_max < session_max => (symbols_max, "symbols_max of the key"),
            _ => (session_max, "session.symbols_max"),
        }
    }

    /// Returns whether the session may have exactly the symbols of another one, of the table as it is.
    pub fn has_symbols_of(&self, other: &Self) -> bool {
        match (&self.symbols, &other.symbols) {
            (Some(own), Some(others)) => Arc::ptr_eq(own, others) || own.has_those_of(others),
            (own, others) => own.is_none() && others.is_none(),
        }
    }

    /// Returns whether the session may have every symbol, so that its wildcard is that of the market.
    pub const fn has_every_symbol(&self) -> bool {
        self.symbols.is_none()
    }

    /// Returns whether the session may have a symbol, whether the table has it or not.
    pub fn permit_name(&self, symbol: Symbol) -> bool {
        self.symbols.as_ref().is_none_or(|symbols| symbols.includes(symbol))
    }

    /// Returns whether the session may have the symbol.
    pub fn permit(&self, id: SymbolId) -> bool {
        self.symbols.as_ref().is_none_or(|symbols| symbols.contains(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(text: &str) -> Glob {
        Glob::parse(text).unwrap()
    }

    #[test]
    fn a_session_goes_on_by_an_entry_that_differs_in_a_later_end_only() {
        let old = Entitlement { expires_at: Some(Timestamp::from_micros(1)), ..Entitlement::everything() };
        let end = |micros| Entitlement { expires_at: Some(Timestamp::from_micros(micros)), ..old.clone() };
        assert!(old.goes_on_by(&old) && old.goes_on_by(&end(2)) && !old.goes_on_by(&end(0)));
        assert!(!old.goes_on_by(&Entitlement { symbols_max: 1, ..end(2) }));
        assert!(!old.goes_on_by(&Entitlement { symbols: vec![glob("A")], ..end(2) }));
    }
}
