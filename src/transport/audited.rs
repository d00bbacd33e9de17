//! `Audited`: the beginning and the end of a session with a key, in the audit log.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use crate::audit::{Audit, Entry, Event};
use crate::hub::SessionFacts;
use crate::protocol::CloseReason;
use crate::transport::Worker;

/// A session for the audit log. Sessions without a key have no lines, and those of a server that knows no keys neither.
pub(super) struct Audited {
    audit: Option<Arc<Audit>>,
    facts: Rc<SessionFacts>,
    has_begun: Cell<bool>,
}

impl Audited {
    /// Returns a session that has begun just now, and records that if its client has a key.
    pub(super) fn begin(worker: &Worker, facts: Rc<SessionFacts>) -> Self {
        let audit = worker.keys.is_guarded().then(|| worker.audit.clone());
        let audited = Self { audit, facts, has_begun: Cell::new(false) };
        audited.record_begin();
        audited
    }

    /// Returns the session as an operator sees it.
    pub(super) fn facts(&self) -> &SessionFacts {
        &self.facts
    }

    /// Records the key with which the client has authenticated by a message.
    pub(super) fn set_key(&self, key: &str) {
        self.facts.set_key(key);
        self.record_begin();
    }

    /// Records the end.
    pub(super) fn end(&self, reason: CloseReason) {
        if self.has_begun.take() {
            self.record(Event::SessionEnded, reason.name());
        }
    }

    fn record_begin(&self) {
        if !self.facts.key().is_empty() && !self.has_begun.replace(true) {
            self.record(Event::SessionBegun, self.facts.dialect);
        }
    }

    fn record(&self, event: Event, reason: &str) {
        if let Some(audit) = &self.audit {
            let SessionFacts { id, address, .. } = *self.facts;
            audit.record(event, Entry { name: &self.facts.key(), address, session: Some(id), reason });
        }
    }
}
