//! `Router`: the plain struct inside a hub. It has the sessions of its worker and the state of the market at one offset
//! of the stream, and appends each event to the outboxes of the subscribed sessions.

mod epoch;
mod growth;
mod notices;
mod private;
mod turns;

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use prometheus_client::metrics::gauge::Gauge;
use slab::Slab;
use tokio::sync::Notify;

use crate::domain::{ChannelSet, Snapshot, SymbolId};
use crate::feed::{FeedStatus, Restart};
use crate::history::{LastValues, Ring};
use crate::hub::index::{Index, SessionKey, Topic, topic};
use crate::hub::outbox::{Outbox, Recovery, Snapshots};
use crate::hub::pass::SessionWriter;
use crate::hub::roll::{Figures, Roll};
use crate::hub::router::growth::Growth;
use crate::hub::{End, Ender, HubConfig, OutboxShared};
use crate::protocol::{CloseReason, Dialect, Mode, Publication};

pub use growth::PartialWildcard;

/// An outbox, shared by hub, session and transport, which run on one thread.
pub type SharedOutbox = Rc<RefCell<Outbox>>;

/// Routes the stream to the sessions of one worker.
pub struct Router {
    shared: Rc<OutboxShared>,
    /// Gauge of the offset.
    progress: Gauge,
    values: LastValues,
    /// Restarts that have arrived and are not routed, in order.
    restarts: VecDeque<Restart>,
    index: Index,
    sessions: Slab<Entry>,
    /// The sessions for operators.
    roll: Roll,
    /// Symbols that were added since the hub began, and the sessions that are to get them.
    growth: Growth,
    /// End of the drain; `None` before the shutdown.
    drain_end: Option<Instant>,
    /// Notified when the last session has left during a drain.
    empty: Rc<Notify>,
    /// Notified whenever the last session has left.
    left: Rc<Notify>,
    /// Notices for the sessions, each after the event with this offset.
    notices: VecDeque<(u64, Arc<FeedStatus>)>,
    /// The state in the newest notice.
    told: Option<&'static str>,
    /// The routers of the replays that are played for one client each on this thread.
    guests: Vec<Weak<RefCell<Router>>>,
}

struct Entry {
    outbox: SharedOutbox,
    ender: Option<Ender>,
    writer: Option<Rc<dyn SessionWriter>>,
    /// Encodes an event in the session's dialect: not in the session's own time, as others get the same bytes.
    prepare: fn(&Publication),
    /// How it is told of another epoch.
    epochs: epoch::Telling,
}

impl Router {
    /// Returns a router without sessions at the offset of `values`; `ring` has the newest events up to there.
    pub fn new(config: &HubConfig, values: LastValues, ring: Ring) -> Self {
        Self {
            shared: Rc::new(OutboxShared::new(config, ring, Instant::now())),
            // The watchdog compares the hubs of the present with the feed.
            progress: if config.is_of_present() { config.metrics.new_hub() } else { Gauge::default() },
            index: Index::new(config.table.len()),
            values,
            restarts: VecDeque::new(),
            sessions: Slab::new(),
            growth: Growth::since(config.table.len()),
            roll: Roll::default(),
            drain_end: None,
            empty: Rc::default(),
            left: Rc::default(),
            notices: VecDeque::new(),
            told: None,
            guests: Vec::new(),
        }
    }

    /// Moves a router whose sessions are ending to another offset.
    pub(super) fn restart(&mut self, values: LastValues, ring: Ring) {
        self.values = values;
        self.notices.clear();
        self.restarts.clear();
        self.show_progress();
        *self.shared.ring.borrow_mut() = ring.with_offsets(self.config().table.len());
    }

    fn show_progress(&self) {
        self.progress.set(self.offset().try_into().unwrap_or(i64::MAX));
    }

    /// Adds a session without subscriptions that speaks the dialect `D`.
    pub fn join<D: Dialect>(&mut self, ender: Option<Ender>, now: Instant) -> (SessionKey, SharedOutbox) {
        let offset = self.offset();
        let vacant = self.sessions.vacant_entry();
        let key = SessionKey::new(vacant.key());
        let outbox = Outbox::new(self.shared.clone(), key, offset, now);
        let outbox = Rc::new(RefCell::new(outbox));
        let (prepare, epochs) = (Publication::prepare::<D>, epoch::Telling::of::<D>());
        vacant.insert(Entry { outbox: outbox.clone(), ender, writer: None, prepare, epochs });
        self.config().metrics.sessions.inc();
        self.config().metrics.sessions_opened.inc();
        (key, outbox)
    }

    /// Removes a session and all its subscriptions.
    ///
    /// # Panics
    ///
    /// Panics if the session has left already.
    pub fn leave(&mut self, key: SessionKey) {
        self.roll.remove(key);
        let entry = self.sessions.remove(key.index());
        let mut outbox = entry.outbox.borrow_mut();
        let (links, sessions) = (std::mem::take(outbox.links()), &self.sessions);
        self.index.remove_all(links, |moved, topic, place| {
            sessions[moved.index()].outbox.borrow_mut().links().moved(topic, place);
        });
        outbox.forget_latest();
        outbox.set_hub_writes(false);
        drop(outbox);
        if let Some(writer) = entry.writer {
            writer.detach();
        }
        self.shared.bursts.borrow_mut().remove(&key);
        self.shared.turn.borrow_mut().forget(key);
        self.growth.forget(key);
        self.shared.to_close.borrow_mut().retain(|closing| *closing != key);
        self.config().metrics.sessions.dec();
        if self.sessions.is_empty() {
            self.left.notify_waiters();
            if self.is_draining() {
                self.empty.notify_one();
            }
        }
    }

    pub(in crate::hub) const fn roll(&self) -> &Roll {
        &self.roll
    }

    pub(in crate::hub) const fn roll_mut(&mut self) -> &mut Roll {
        &mut self.roll
    }

    /// Returns the figures of a session; `None` if it has left.
    pub(in crate::hub) fn figures(&self, key: SessionKey, now: Instant) -> Option<Figures> {
        let entry = self.sessions.get(key.index())?;
        Some(entry.outbox.borrow().figures(self.offset(), now))
    }

    /// Lets the hub write to this session from now on. Does nothing if the session has left.
    pub fn attach_writer(&mut self, key: SessionKey, outbox: &SharedOutbox, writer: Rc<dyn SessionWriter>) {
        let entry = self.sessions.get_mut(key.index()).filter(|entry| Rc::ptr_eq(&entry.outbox, outbox));
        if let Some(entry) = entry {
            outbox.borrow_mut().set_hub_writes(true);
            entry.writer = Some(writer);
        }
    }

    /// Returns the writers of the sessions to which the hub writes.
    pub fn writers(&self) -> impl Iterator<Item = &Rc<dyn SessionWriter>> {
        self.sessions.iter().filter_map(|(_, entry)| entry.writer.as_ref())
    }

    /// Subscribes the session to these channels of each of `ids` (of every symbol for `None`) in this mode: to the events
    /// after the hub's offset; or to those after the offset `after`, which must be at most [`Self::head`] and not
    /// evicted, see [`Self::remembers`]. Topics that the session already has continue, except for their mode. With
    /// `after`, returns the recovery of the missed events for the session's outbox; it may be empty.
    pub fn subscribe(
        &mut self,
        key: SessionKey,
        ids: &[Option<SymbolId>],
        channels: ChannelSet,
        mode: Mode,
        after: Option<u64>,
    ) -> Option<Recovery> {
        let offset = self.offset();
        let mut outbox = self.sessions[key.index()].outbox.borrow_mut();
        let asked = ids.iter().flat_map(|id| channels.iter().map(move |channel| topic(*id, channel)));
        let (mut continuing, others): (Vec<_>, Vec<_>) = asked.partition(|topic| outbox.links().contains(*topic));
        // Those of symbols that are named now, and that the wildcard has served so far.
        let (named, new): (BTreeSet<_>, BTreeSet<_>) =
            others.into_iter().partition(|topic| outbox.links().contains(topic.wildcard()));
        continuing.extend(&named);
        if let Some(after) = after {
            if mode == Mode::All {
                outbox.recover_unsent(&continuing, after);
            }
            outbox.begin_anew(&new);
        }
        for id in ids {
            outbox.set_mode(*id, channels, mode);
        }
        for topic in new.iter().chain(&named) {
            self.index.insert(*topic, key, outbox.links());
        }
        for topic in named {
            outbox.join_topic(topic);
        }
        let Some(after) = after else {
            for topic in &new {
                outbox.begin_topic(*topic, offset);
            }
            continuing.into_iter().chain(new).for_each(|topic| outbox.restart_topic(topic, offset));
            return None;
        };
        Some(Recovery { topics: new, after, later: Vec::new() })
    }

    /// Serves by name, in this mode, what the session's wildcard has served of a symbol so far. No event is missed or repeated.
    pub fn name(&mut self, key: SessionKey, id: SymbolId, channels: ChannelSet, mode: Mode) {
        let mut outbox = self.sessions[key.index()].outbox.borrow_mut();
        outbox.set_mode(Some(id), channels, mode);
        for channel in channels.iter() {
            let topic = Topic::symbol(id, channel);
            self.index.insert(topic, key, outbox.links());
            outbox.join_topic(topic);
        }
    }

    /// Serves by the wildcard, in this mode and from the hub's offset on, every symbol that the session has not named.
    pub fn add_wildcard(&mut self, key: SessionKey, channels: ChannelSet, mode: Mode) {
        let offset = self.offset();
        let mut outbox = self.sessions[key.index()].outbox.borrow_mut();
        outbox.set_mode(None, channels, mode);
        for channel in channels.iter() {
            let topic = Topic::all(channel);
            self.index.insert(topic, key, outbox.links());
            outbox.begin_topic(topic, offset);
        }
    }

    /// Unsubscribes the session from these channels of one symbol, or of the wildcard.
    pub fn unsubscribe(&mut self, key: SessionKey, id: Option<SymbolId>, channels: ChannelSet) {
        let mut outbox = self.sessions[key.index()].outbox.borrow_mut();
        outbox.unset_mode(id, channels);
        for channel in channels.iter() {
            let topic = topic(id, channel);
            if let Some((moved, place)) = self.index.remove(topic, outbox.links())
                && moved != key
            {
                self.sessions[moved.index()].outbox.borrow_mut().links().moved(topic, place);
            }
            outbox.end_topic(topic);
        }
    }

    /// Returns the states of these symbols at the router's offset, for a subscription to these channels, with the values of the
    /// channels in `shown`.
    pub fn snapshots(&self, ids: &[SymbolId], channels: ChannelSet, shown: ChannelSet) -> Snapshots {
        let state = |id: &SymbolId| (self.config().table.instrument(*id).symbol, self.values.snapshot(*id).clone());
        Snapshots::new(self.offset(), ids.iter().map(state).collect(), channels, shown)
    }

    /// Returns the state of a symbol at the router's offset.
    pub fn snapshot(&self, id: SymbolId) -> &Arc<Snapshot> {
        self.values.snapshot(id)
    }

    /// Returns the router's offset: that of the newest event it has routed.
    pub fn offset(&self) -> u64 {
        self.values.offset()
    }

    /// Returns the newest offset that any hub of this stream can have sent to a client.
    pub fn head(&self) -> u64 {
        self.config().head.load(Ordering::Acquire).max(self.offset())
    }

    /// Returns the state shared by all hubs.
    pub fn config(&self) -> &HubConfig {
        &self.shared.config
    }

    /// Returns the state that the outboxes share.
    pub fn shared(&self) -> &Rc<OutboxShared> {
        &self.shared
    }

    /// Returns the number of sessions.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Returns whether the server is shutting down, so that no session may begin.
    pub fn is_draining(&self) -> bool {
        self.drain_end.is_some()
    }

    /// Returns the rest of the drain in milliseconds; 0 before a drain or after its end.
    pub fn drain_left_ms(&self, now: Instant) -> u64 {
        let left = self.drain_end.map_or(Duration::ZERO, |end| end.saturating_duration_since(now));
        u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
    }

    /// Ends windows that are over, fires alarms that are due, and ends sessions that are to be closed.
    pub fn end_windows(&self, now: Instant) {
        let (windows, alarms) = self.shared.pacer.borrow_mut().take_ended(now);
        let outbox = |key: SessionKey| self.sessions.get(key.index()).map(|entry| entry.outbox.borrow_mut());
        windows.into_iter().filter_map(outbox).for_each(|mut outbox| outbox.end_window(now));
        alarms.into_iter().filter_map(outbox).for_each(|mut outbox| outbox.ring_alarm(now));
        self.close_lagging(now);
    }

    /// Ends the sessions that cannot get the events that they had to.
    fn close_lagging(&self, now: Instant) {
        for key in self.shared.to_close.take() {
            self.end(key, &End { reason: CloseReason::Lagging, retry_after_ms: None }, now);
        }
    }

    /// Returns the notification that the last session has left, whenever it does.
    pub(super) fn left(&self) -> Rc<Notify> {
        self.left.clone()
    }

    /// Tells every session to end. The outbox of a session without a recipient is finished.
    pub(super) fn end_all(&mut self, end: &End, now: Instant) {
        for (key, _) in &self.sessions {
            self.end(SessionKey::new(key), end, now);
        }
    }

    /// If the unsent bytes of all clients exceed the limit, ends the session of this hub with most bytes, and returns
    /// true. Its bytes count no more from then on, so that hubs which do this at the same time end at most one session
    /// too many each. A session with less than its share of the limit is never ended: then other sessions exceed
    /// theirs, on this hub or another.
    pub(super) fn relieve(&self, now: Instant) -> bool {
        if !self.shared.is_crowded() {
            return false;
        }
        let sessions = usize::try_from(self.config().metrics.sessions.get()).unwrap_or(0);
        let share = self.shared.config.push.waiting_bytes_max / sessions.max(1);
        let holders = self.sessions.iter().map(|(key, entry)| (entry.outbox.borrow().held_bytes(), key));
        let Some((_, key)) = holders.filter(|(held, _)| *held > share).max() else { return false };
        let outbox = &self.sessions[key].outbox;
        if !outbox.borrow().is_ending() {
            self.config().metrics.sessions_crowded_out.inc();
            self.end(SessionKey::new(key), &End { reason: CloseReason::UnreadReplies, retry_after_ms: None }, now);
        }
        outbox.borrow_mut().stop_counting();
        true
    }

    /// Tells one session to end. Returns false if it has left, or was ending already.
    pub(super) fn end(&self, key: SessionKey, end: &End, now: Instant) -> bool {
        let Some(entry) = self.sessions.get(key.index()) else { return false };
        let was_open = !entry.outbox.borrow().is_ending();
        let Some(ender) = &entry.ender else {
            entry.outbox.borrow_mut().finish(now);
            return was_open;
        };
        entry.outbox.borrow_mut().refuse_events();
        // The recipient's mailbox receives only this message; if it is closed or full, the session is ending already.
        ender.try_send(end.clone()).is_ok() && was_open
    }

    /// Refuses new sessions from now on, and lets refused clients retry after `end`. Returns the sessions, and the
    /// notification of the last one's end.
    pub(super) fn drain(&mut self, end: Instant) -> (Vec<SessionKey>, Rc<Notify>) {
        self.drain_end = Some(end);
        if self.sessions.is_empty() {
            self.empty.notify_one();
        }
        (self.sessions.iter().map(|(key, _)| SessionKey::new(key)).collect(), self.empty.clone())
    }
}

#[cfg(test)]
mod burst_test;
#[cfg(test)]
mod epoch_test;
#[cfg(test)]
mod growth_test;
#[cfg(test)]
mod router_test;
