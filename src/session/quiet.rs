//! Changes of subscriptions without the answers and snapshots of the native protocol: for handlers of other protocols, which send
//! their own answer.

use std::collections::btree_map::Entry;
use std::time::Instant;

use crate::domain::{ChannelSet, SymbolId};
use crate::protocol::{CloseReason, Mode, OnLag, ServerMessage};
use crate::session::{HTTP_WORK, Session};

impl Session {
    /// Counts a request of so many bytes for `session.requests_per_second_max`, for its cost and for the metrics. A handler that
    /// does not call [`handle`](Self::handle) calls this before it serves a request. A client over the limit is not closed, but
    /// slowed by [`pause`](Self::pause): where each request names one symbol, thousands at once are no attack.
    pub fn begin_request(&mut self, bytes: usize, now: Instant) {
        self.budget.charge_request(now);
        self.budget.count_bytes(bytes);
        self.router.borrow().config().metrics.requests.inc();
    }

    /// Adds the names in a request to its cost.
    pub fn count_names(&mut self, names: usize) {
        self.budget.count(names, 0, 0);
    }

    /// Adds the check of credentials to the cost of the request that has brought them.
    pub fn count_authentication(&mut self) {
        self.budget.count_work(HTTP_WORK);
    }

    /// Subscribes to these channels of a symbol, or of all if `id` is `None`, in mode `all`: every event after the hub's offset
    /// follows. Topics that are subscribed already continue. Nothing is answered: call [`reply_now`](Self::reply_now) next, and
    /// no event comes before that answer.
    pub fn add(&mut self, id: Option<SymbolId>, channels: ChannelSet) {
        self.budget.count(0, 0, channels.iter().count());
        // A dialect may know a symbol by another name.
        if id.is_some_and(|id| !self.rights().permit(id)) {
            return;
        }
        let channels = channels.intersection(self.rights().channels);
        let offset = self.router.borrow().offset();
        self.wishes.entry(id).or_default().insert(channels, Mode::All, offset);
        self.subscribe_in_hub(&[id], channels, Mode::All, None);
    }

    /// Unsubscribes from these channels of a symbol, or of all if `id` is `None`, as far as they are subscribed.
    pub fn remove(&mut self, id: Option<SymbolId>, channels: ChannelSet) {
        self.budget.count(0, 0, channels.iter().count());
        let Entry::Occupied(mut wish) = self.wishes.entry(id) else { return };
        let subscribed = channels.intersection(wish.get().channels());
        if wish.get_mut().remove(subscribed) {
            wish.remove();
        }
        self.unsubscribe_in_hub(id, subscribed);
    }

    /// Queues a message after every event up to the hub's offset and after the answers so far, and charges the cost of the
    /// request.
    ///
    /// # Errors
    ///
    /// Returns why the session must be closed instead.
    pub fn reply_now(&mut self, message: ServerMessage, now: Instant) -> Result<(), CloseReason> {
        self.reply_in_parts(std::iter::once(message), now)
    }

    /// Answers a request as [`Self::reply_now`] does, with several messages that are one answer for the limits.
    ///
    /// # Errors
    ///
    /// See [`Self::reply_now`].
    pub fn reply_in_parts(
        &mut self,
        parts: impl Iterator<Item = ServerMessage>,
        now: Instant,
    ) -> Result<(), CloseReason> {
        let parts: Vec<_> = parts.collect();
        for part in &parts {
            self.count_refusal(part);
            if let ServerMessage::Acknowledged(lists) = part {
                self.budget.count(0, 0, lists.iter().map(|list| list.names.len()).sum());
            }
        }
        self.pay(now);
        let offset = self.router.borrow().offset();
        self.outbox.borrow_mut().push_replies(parts, offset, now)
    }

    /// Charges the cost of a request that has no answer.
    pub fn end_request(&mut self, now: Instant) {
        self.pay(now);
    }

    /// Queues a message before everything that waits: the last one of a session that is about to be closed. A client with too
    /// many unread answers gets none.
    pub fn say_farewell(&self, message: ServerMessage, now: Instant) {
        self.count_refusal(&message);
        let _ = self.control(message, now);
    }

    /// Sets the reaction to a lag of the session.
    pub fn set_on_lag(&self, on_lag: OnLag) {
        self.outbox.borrow_mut().set_on_lag(on_lag);
    }

    /// Returns the symbol with this name, in any case, if the client may have it.
    pub fn find(&self, name: &str) -> Option<SymbolId> {
        self.router.borrow().config().table.find(name).filter(|id| self.rights().permit(*id))
    }

    /// Returns the symbol with exactly this name, if the client may have it.
    pub fn find_exactly(&self, name: &str) -> Option<SymbolId> {
        self.router.borrow().config().table.id(name.parse().ok()?).filter(|id| self.rights().permit(*id))
    }

    fn count_refusal(&self, message: &ServerMessage) {
        if let ServerMessage::Refused(refusal) = message {
            self.router.borrow().config().metrics.count_refusal(*refusal);
        }
    }
}
