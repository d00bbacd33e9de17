//! The beginning of a subscription: from the cursor that came with it if nothing after that is lost, else from snapshots.

use std::time::Instant;

use crate::domain::{Channel, ChannelSet, SymbolId};
use crate::hub::{Rewind, Topic};
use crate::protocol::{CloseReason, Cursor, Mode, RequestId, Subscribe};
use crate::session::Session;
use crate::session::wish::Wish;

/// How a subscription has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Whether everything after the cursor follows; if not, or if there was none, snapshots do.
    pub recovered: bool,
    /// The offset after which the events begin.
    pub offset: u64,
}

/// Whether `subscribed` is to be said.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer<'a> {
    /// Yes, to the request with this name, if it has one.
    To(Option<&'a RequestId>),
    /// No: the transport says it in its own way, and reads at its own pace what comes.
    Unsaid,
}

impl Session {
    /// Begins to serve what is known of `wanted`: `subscribed`, then what was missed, or snapshots.
    pub(super) fn begin(
        &mut self,
        known: &[Option<SymbolId>],
        wanted: &Subscribe,
        answer: Answer<'_>,
        now: Instant,
    ) -> Result<Begun, CloseReason> {
        if let Some(on_lag) = wanted.on_lag {
            self.outbox.borrow_mut().set_on_lag(on_lag);
        }
        let offset = wanted.after.as_ref().and_then(|cursor| self.recoverable(known, wanted, cursor));
        let recovered = wanted.after.as_ref().map(|_| offset.is_some());
        if let Some(recovered) = recovered {
            self.router.borrow().metrics().count_recovery(recovered);
        }
        let missed = self.wish(known, wanted.channels, wanted.mode, offset);
        let symbols = self.expand(known);
        // With a cursor, everything that the session gets already is looked through.
        let gone_through = symbols.len() + offset.map_or(0, |_| self.wishes.len() * Channel::COUNT);
        self.budget.count(0, if offset.is_none() { symbols.len() } else { 0 }, gone_through);
        self.outbox.borrow_mut().release(&symbols, now);
        let follows = match answer {
            Answer::To(id) => {
                self.tell_subscriptions(id, recovered, now)?;
                false
            }
            Answer::Unsaid => true,
        };
        if offset.is_none() {
            let snapshots = self.router.borrow().snapshots(&symbols);
            self.outbox.borrow_mut().push_snapshots(snapshots, now);
        }
        if let Some(missed) = missed {
            let here = self.router.borrow().offset();
            self.outbox.borrow_mut().push_rewind(missed, here, follows, now);
        }
        let offset = offset.unwrap_or_else(|| self.router.borrow().offset());
        Ok(Begun { recovered: recovered == Some(true), offset })
    }

    /// Returns the cursor's offset when nothing after it is lost: it is of this process and not of the future, the ring
    /// goes back to it, and so does what the session gets already of these channels, which has no gap since.
    fn recoverable(&self, known: &[Option<SymbolId>], wanted: &Subscribe, cursor: &Cursor) -> Option<u64> {
        let (channels, offset) = (wanted.channels, cursor.offset);
        let kept = {
            let router = self.router.borrow();
            *cursor.epoch == **router.epoch() && router.remembers(offset)
        };
        // In mode `latest` gaps are what is wanted.
        let has_gap = wanted.mode == Mode::All && self.has_gap_after(offset, known, channels);
        (kept && self.goes_back_to(offset, known, channels) && !has_gap).then_some(offset)
    }

    /// Returns whether events after `offset` of what the session gets already of these channels were skipped: they are not
    /// sent any more.
    fn has_gap_after(&self, offset: u64, known: &[Option<SymbolId>], channels: ChannelSet) -> bool {
        let outbox = self.outbox.borrow();
        if outbox.is_complete() {
            return false;
        }
        let since = |id, channel| self.wishes.get(&id).and_then(|wish: &Wish| wish.since(channel));
        self.expand(known).into_iter().any(|id| {
            channels.iter().any(|channel| {
                let goes_on = since(Some(id), channel).or_else(|| since(None, channel)).is_some();
                goes_on && outbox.newest_skipped(Topic::symbol(id, channel)).is_some_and(|newest| newest > offset)
            })
        })
    }

    /// Returns whether what the session gets already of these channels, which is never sent twice, goes back to `offset`.
    fn goes_back_to(&self, offset: u64, known: &[Option<SymbolId>], channels: ChannelSet) -> bool {
        let all = self.wishes.get(&None);
        let goes_back = |since: Option<u64>| since.is_none_or(|since| since <= offset);
        channels.iter().all(|channel| {
            let since = |wish: Option<&Wish>| wish.and_then(|wish| wish.since(channel));
            let by_all = since(all);
            if by_all.is_some_and(|since| since <= offset) {
                return true;
            }
            known.iter().all(|id| match id {
                Some(_) => goes_back(since(self.wishes.get(id)).into_iter().chain(by_all).min()),
                None => self.wishes.values().all(|wish| goes_back(wish.since(channel))),
            })
        })
    }

    /// Enters the wishes here and in the hub's index: from after `offset` on, or from now on when there is none. Returns the
    /// events between that and now.
    fn wish(
        &mut self,
        known: &[Option<SymbolId>],
        channels: ChannelSet,
        mode: Mode,
        offset: Option<u64>,
    ) -> Option<Rewind> {
        if matches!(mode, Mode::Latest(_)) && self.wishes.values().all(Wish::is_complete) {
            // Until now everything was in mode `all`, and the outbox had no need to know.
            for (symbol, wish) in &self.wishes {
                self.outbox.borrow_mut().keep_mode(*symbol, wish.channels());
            }
        }
        // In the order in which the hub keeps them.
        let mut known = known.to_vec();
        known.sort_unstable();
        let mut router = self.router.borrow_mut();
        let since = offset.unwrap_or_else(|| router.offset());
        for symbol in &known {
            self.wishes.entry(*symbol).or_default().insert(channels, mode, since);
        }
        if let Some(offset) = offset {
            return Some(router.subscribe_after(self.key, &known, channels, mode, offset));
        }
        for symbol in &known {
            router.subscribe(self.key, *symbol, channels, mode);
        }
        None
    }
}
