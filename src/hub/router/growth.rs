//! Symbols that the feed adds while the hub runs: wildcards that are a topic of each symbol get the topics of a new one before its first
//! event is routed. The wildcard of the whole market includes it anyway.

use std::collections::BTreeMap;

use crate::domain::{ChannelSet, SymbolId};
use crate::hub::index::{SessionKey, Topic};
use crate::hub::router::Router;
use crate::protocol::Mode;

/// The wildcard of a session that may have some of the symbols.
pub struct PartialWildcard {
    /// Whether the session may have a symbol.
    pub permits: Box<dyn Fn(SymbolId) -> bool>,
    /// The channels in each mode.
    pub modes: Vec<(Mode, ChannelSet)>,
}

/// Symbols that are new to a hub.
#[derive(Default)]
pub(super) struct Growth {
    /// Number of symbols that the table had when the hub began: each session has subscribed to those by itself.
    before: usize,
    /// By the number of a later symbol, whether its first event has come.
    has_begun: Vec<bool>,
    wildcards: BTreeMap<SessionKey, PartialWildcard>,
}

impl Growth {
    /// Returns the growth of a table that has this many symbols.
    pub(super) fn since(before: usize) -> Self {
        Self { before, ..Self::default() }
    }

    /// Forgets a session.
    pub(super) fn forget(&mut self, key: SessionKey) {
        self.wildcards.remove(&key);
    }

    /// Records an event of this symbol. Returns whether it is the first one.
    #[inline]
    pub(super) fn begins(&mut self, id: SymbolId) -> bool {
        let Some(place) = id.index().checked_sub(self.before) else { return false };
        if place >= self.has_begun.len() {
            self.has_begun.resize(place + 1, false);
        }
        !std::mem::replace(&mut self.has_begun[place], true)
    }
}

impl Router {
    /// Sets the wildcard of a session, which has subscribed to each symbol of the table so far that it permits; `None` if it has no such
    /// wildcard.
    pub fn set_partial_wildcard(&mut self, key: SessionKey, wildcard: Option<PartialWildcard>) {
        match wildcard {
            Some(wildcard) => drop(self.growth.wildcards.insert(key, wildcard)),
            None => self.growth.forget(key),
        }
    }

    /// Begins anew, from the hub's offset, what a session has by the name of a symbol: its wildcard begins with snapshots of all symbols, and
    /// the cursor of the name may have been ahead of the hub.
    pub fn restart_symbol(&mut self, key: SessionKey, id: SymbolId, channels: ChannelSet) {
        let offset = self.offset();
        let mut outbox = self.sessions[key.index()].outbox.borrow_mut();
        channels.iter().for_each(|channel| outbox.restart_topic(Topic::symbol(id, channel), offset));
    }

    /// Subscribes every session to a new symbol whose wildcard permits it. Topics that it has by name stay as they are. Returns whether
    /// there are such wildcards.
    pub(super) fn begin_symbol(&mut self, id: SymbolId) -> bool {
        let wildcards = std::mem::take(&mut self.growth.wildcards);
        for (key, wildcard) in wildcards.iter().filter(|(_, wildcard)| (wildcard.permits)(id)) {
            for (mode, channels) in &wildcard.modes {
                let mut outbox = self.sessions[key.index()].outbox.borrow_mut();
                let links = &*outbox.links();
                let has = |channel| links.contains(Topic::symbol(id, channel));
                let missing = channels.iter().filter(|channel| !has(*channel)).collect();
                drop(outbox);
                self.subscribe(*key, &[Some(id)], missing, *mode, None);
            }
        }
        let has_any = !wildcards.is_empty();
        self.growth.wildcards = wildcards;
        has_any
    }
}
