//! Sessions with a single request, the HTTP request that opens them: server-sent events and polls.

use std::time::Instant;

use crate::access::VisibleTable;
use crate::domain::SymbolId;
use crate::hub::Control;
use crate::protocol::{CloseReason, ErrorCode, Mistake, Selector, Subscribe};
use crate::session::resume::{Answer, Begun};
use crate::session::{Session, look_up, too_many, unknown_symbols};

/// Returns the symbols that a request without a session names, at most as many as a session of the client may name. `session_max` is
/// `session.symbols_max`.
///
/// # Errors
///
/// Returns the mistake.
pub fn select(table: &VisibleTable, symbols: &[Selector], session_max: usize) -> Result<Vec<SymbolId>, Mistake> {
    let (known, unknown) = look_up(table, symbols);
    if !unknown.is_empty() {
        return Err(unknown_symbols(unknown));
    }
    let (symbols_max, setting) = table.rights().symbols_max(session_max);
    if known.len() > symbols_max {
        return Err(too_many(symbols_max, setting));
    }
    if known.contains(&None) {
        return Ok(table.ids().collect());
    }
    Ok(known.into_iter().flatten().collect())
}

impl Session {
    /// Subscribes and answers: `subscribed`, then a recovery or snapshots.
    ///
    /// # Errors
    ///
    /// Returns the mistake; then nothing is subscribed.
    pub fn stream(&mut self, wanted: &Subscribe, now: Instant) -> Result<Begun, Mistake> {
        self.subscribe_exactly(wanted, Answer::To(None), now)
    }

    /// Subscribes without an answer: only a recovery or snapshots, and later events.
    ///
    /// # Errors
    ///
    /// Returns the mistake; then nothing is subscribed.
    pub fn answer(&mut self, wanted: &Subscribe, now: Instant) -> Result<Begun, Mistake> {
        self.subscribe_exactly(wanted, Answer::Unsaid, now)
    }

    /// Returns the cursor's offset after the drained events, or that of the hub if nothing is unsent. `begun` is the beginning
    /// of the session's one subscription. `None` if the outbox is ending and has dropped something.
    pub fn cursor(&self, begun: Begun) -> Option<u64> {
        self.outbox.borrow_mut().pass_over(self.router.borrow().offset());
        self.outbox.borrow().cursor().map(|cursor| cursor.max(begun.offset))
    }

    /// Queues a ping, for transports with a ping that is not answered.
    ///
    /// # Errors
    ///
    /// Returns why the session must be closed instead.
    pub fn keep_alive(&self, now: Instant) -> Result<(), CloseReason> {
        let mut outbox = self.outbox.borrow_mut();
        outbox.pass_over(self.router.borrow().offset());
        outbox.push_control(Control::Ping, now)
    }

    fn subscribe_exactly(&mut self, wanted: &Subscribe, answer: Answer<'_>, now: Instant) -> Result<Begun, Mistake> {
        // What is around it is charged with the request over HTTP.
        self.budget.count(wanted.symbols.len(), 0, 0);
        let begun = self.try_subscribe(wanted, answer, now);
        self.pay(now);
        begun
    }

    fn try_subscribe(&mut self, wanted: &Subscribe, answer: Answer<'_>, now: Instant) -> Result<Begun, Mistake> {
        let wanted = self.permitted(wanted)?;
        let known = self.look_up_exactly(&wanted.symbols)?;
        self.begin(&known, &wanted, answer, now).map_err(|_| {
            Mistake::new(ErrorCode::LimitExceeded, "too many answers are waiting (push.outbox_reply_bytes_max)")
        })
    }

    fn look_up_exactly(&self, symbols: &[Selector]) -> Result<Vec<Option<SymbolId>>, Mistake> {
        let (known, unknown) = self.look_up(symbols);
        if !unknown.is_empty() {
            return Err(unknown_symbols(unknown));
        }
        self.check_limit(&known)?;
        Ok(known)
    }
}
