//! `Identity`: a session as the rules of faults see it, and which of them choose it.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::faults::{Installed, Subject};
use crate::protocol::Dialect;
use crate::transport::faults::{Faulty, WorkerFaults};
use crate::transport::websocket::socket::SessionSocket;

/// The names of a session.
pub(super) struct Identity {
    faults: Rc<WorkerFaults>,
    /// The number of which the random name of the session consists.
    session: u64,
    /// Most sessions have neither a name of their own nor a key.
    labels: OnceCell<Box<Labels>>,
}

#[derive(Default)]
struct Labels {
    client: Option<String>,
    key: OnceCell<String>,
}

impl Identity {
    /// Returns the identity of a session with this random name, and the name that its client gave itself.
    pub(super) fn new(faults: Rc<WorkerFaults>, name: &str, client: Option<String>) -> Self {
        let session = u64::from_str_radix(name, 16).unwrap_or_default();
        let labels = OnceCell::new();
        if client.is_some() {
            let _ = labels.set(Box::new(Labels { client, key: OnceCell::new() }));
        }
        Self { faults, session, labels }
    }

    fn key(&self) -> Option<&str> {
        self.labels.get()?.key.get().map(String::as_str)
    }

    /// Returns the session as a rule sees it.
    fn subject<D: Dialect>(&self) -> Subject<'_> {
        let client = self.labels.get().and_then(|labels| labels.client.as_deref());
        Subject { dialect: D::NAME, transport: "websocket", session: Some(self.session), client, key: self.key() }
    }
}

impl<D: Dialect> SessionSocket<D> {
    /// Returns the faults of the session, which is about to get its connection.
    pub(super) fn begin_faults(&self) -> Option<Box<Faulty>> {
        let (identity, now) = (&self.identity, Instant::now());
        identity.faults.refresh(now);
        identity.faults.choose(&identity.subject::<D>(), now)
    }

    /// Takes notice that these are the rules now, of which those in `fresh` are new.
    pub(super) fn meet_rules(&self, rules: &[Arc<Installed>], fresh: &[Arc<Installed>], now: Instant) {
        let identity = &self.identity;
        self.change_faults(|mut faulty| {
            if let Some(faulty) = &mut faulty {
                faulty.retain(rules, now);
            }
            identity.faults.add(faulty, fresh, &identity.subject::<D>(), now)
        });
    }

    /// Records the key with which the client has authenticated.
    pub(super) fn set_key(&self, key: &str) {
        let identity = &self.identity;
        if identity.labels.get_or_init(Box::default).key.set(key.into()).is_ok() {
            let (rules, now) = (identity.faults.rules_with_key(), Instant::now());
            self.change_faults(|faulty| identity.faults.add(faulty, &rules, &identity.subject::<D>(), now));
        }
    }

    /// Returns whether the key of the client is known.
    pub(super) fn has_key(&self) -> bool {
        self.identity.key().is_some()
    }
}
