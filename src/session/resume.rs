//! The beginning of a subscription: at its cursor if no event after that is lost, or else with snapshots.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::domain::{Channel, ChannelSet, SymbolId};
use crate::hub::{Recovery, Topic};
use crate::protocol::{CloseReason, Cursor, Mode, RequestId, Subscribe};
use crate::session::Session;
use crate::session::wish::Wish;

/// The beginning of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Whether the events after the cursor follow; otherwise snapshots do.
    pub recovered: bool,
    /// The offset after which the events begin.
    pub offset: u64,
}

/// How to answer a subscription.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer<'a> {
    /// With `subscribed`, and the `id` of the request if it has one.
    To(Option<&'a RequestId>),
    /// Not at all: the transport has its own answer.
    Unsaid,
}

impl Session {
    /// Begins the subscriptions to known symbols of `wanted`: `subscribed`, then a recovery or snapshots.
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
            self.router.borrow().config().metrics.count_recovery(recovered);
        }
        let missed = self.wish(known, wanted.channels, wanted.mode, offset);
        let symbols = self.expand(known);
        // With a cursor, all subscriptions of the session are visited.
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
            let snapshots = self.router.borrow().snapshots(&symbols, wanted.channels, self.rights().channels);
            self.outbox.borrow_mut().push_snapshots(snapshots, now);
        }
        if let Some(missed) = missed {
            let here = self.router.borrow().offset();
            self.outbox.borrow_mut().push_recovery(missed, here, follows, now);
        }
        let offset = offset.unwrap_or_else(|| self.router.borrow().offset());
        Ok(Begun { recovered: recovered == Some(true), offset })
    }

    /// Returns the cursor's offset if no event after it is lost: the cursor is of this stream and not of the future, the ring
    /// goes back to it, and so do the active subscriptions to these channels, of which nothing was skipped since.
    fn recoverable(&self, known: &[Option<SymbolId>], wanted: &Subscribe, cursor: &Cursor) -> Option<u64> {
        let (channels, offset) = (wanted.channels, cursor.offset);
        let kept = self.router.borrow().admits(cursor);
        let has_hole = self.has_hole_after(offset, known, channels, wanted.mode);
        (kept && self.goes_back_to(offset, known, channels) && !has_hole).then_some(offset)
    }

    /// Returns whether events after `offset` of what the session gets already of these channels were skipped: they are not
    /// sent any more. Mode `latest` skips events anyway, but a wildcard in that mode includes the symbols that are named in mode
    /// `all`.
    fn has_hole_after(&self, offset: u64, known: &[Option<SymbolId>], channels: ChannelSet, mode: Mode) -> bool {
        let outbox = self.outbox.borrow();
        if outbox.is_complete() {
            return false;
        }
        let mode_of = |id, channel| self.wishes.get(&id).and_then(|wish: &Wish| wish.mode(channel));
        let names: BTreeSet<_> = known.iter().copied().collect();
        let counts = |id, channel| match mode {
            Mode::All => mode_of(Some(id), channel).or_else(|| mode_of(None, channel)).is_some(),
            Mode::Latest(_) => !names.contains(&Some(id)) && mode_of(Some(id), channel) == Some(Mode::All),
        };
        let has_hole =
            |id, channel| outbox.newest_skipped(Topic::symbol(id, channel)).is_some_and(|newest| newest > offset);
        self.expand(known)
            .into_iter()
            .any(|id| channels.iter().any(|channel| counts(id, channel) && has_hole(id, channel)))
    }

    /// Returns whether every active subscription to these channels began at or before `offset`. Later ones cannot fill the hole,
    /// because no event is sent twice.
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

    /// Adds the subscriptions here and in the hub's index: after `offset`, or from now on if there is none. Returns the
    /// recovery of the events in between.
    fn wish(
        &mut self,
        known: &[Option<SymbolId>],
        channels: ChannelSet,
        mode: Mode,
        offset: Option<u64>,
    ) -> Option<Recovery> {
        // The order in which the hub keeps them.
        let mut known = known.to_vec();
        known.sort_unstable();
        let since = offset.unwrap_or_else(|| self.router.borrow().offset());
        // A symbol that is named goes on from the beginning of the wildcard.
        let all = self.wishes.get(&None).cloned().unwrap_or_default();
        for symbol in &known {
            let wish = self.wishes.entry(*symbol).or_default();
            for channel in channels.iter() {
                wish.insert(ChannelSet::from_iter([channel]), mode, all.since(channel).unwrap_or(since));
            }
        }
        let mut recovery = self.subscribe_in_hub(&known, channels, mode, offset)?;
        let is_concerned =
            |id: &Option<SymbolId>| id.is_none() || known[0].is_none() || known.binary_search(id).is_ok();
        let wishes = self.wishes.iter().filter(|(id, _)| is_concerned(id));
        let later = wishes.flat_map(|(id, wish)| wish.beginnings().map(move |(channel, since)| (*id, channel, since)));
        let later = later.filter(|(.., since)| *since > recovery.after);
        let topics = later.flat_map(|(id, channel, since)| {
            let topics = self.topics_in_hub(id, channel, |id| is_concerned(&Some(id)));
            topics.into_iter().map(move |topic| (topic, since))
        });
        recovery.later = topics.collect();
        Some(recovery)
    }
}
