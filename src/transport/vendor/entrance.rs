//! `Entrance`: the authentication of one connection, and its place among those of its key.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::access::{AtExcess, Caller, Credentials, Identity, KeyError, Keys, NoSeat, Seat, TokenError, Vendor};
use crate::audit::{Audit, Entry, Event};
use crate::faults::Subject;
use crate::hub::{End, Ender};
use crate::protocol::{CloseReason, Refusal};
use crate::session::Session;
use crate::transport::faults::client;
use crate::transport::gate;
use crate::transport::{Opening, WorkerFaults};

/// Authenticates one connection.
pub(super) struct Entrance {
    keys: Arc<Keys>,
    audit: Arc<Audit>,
    caller: Caller,
    faults: Rc<WorkerFaults>,
    dialect: &'static str,
    vendor: Vendor,
    /// Connections are counted by key and endpoint.
    endpoint: String,
    at_excess: AtExcess,
    ender: Ender,
    /// The random name of the session, and the name that the client gave itself.
    session: String,
    client: Option<String>,
    timeout: Duration,
    state: State,
}

enum State {
    Awaited {
        until: Instant,
    },
    Accepted {
        key: Identity,
        /// Gives the place of the connection back when the session ends.
        _seat: Seat,
    },
}

impl Entrance {
    /// Returns the entrance of a connection that has just been opened, in this dialect of this vendor. If the key of the client has
    /// too many connections at this endpoint, the oldest one is ended with [`CloseReason::Replaced`], or this one is refused.
    pub(super) fn new(
        dialect: &'static str,
        vendor: Vendor,
        endpoint: String,
        at_excess: AtExcess,
        opening: &Opening<'_>,
        now: Instant,
    ) -> Self {
        let worker = opening.worker;
        let timeout = worker.session.auth_timeout();
        Self {
            keys: worker.keys.clone(),
            audit: worker.audit.clone(),
            caller: gate::caller(opening.request),
            faults: worker.faults.clone(),
            dialect,
            vendor,
            endpoint,
            at_excess,
            ender: opening.ender.clone(),
            session: opening.name.into(),
            client: client(opening.request),
            timeout,
            state: State::Awaited { until: now + timeout },
        }
    }

    /// Returns the key of the client, if it is authenticated.
    pub(super) fn key(&self) -> Option<&Identity> {
        match &self.state {
            State::Awaited { .. } => None,
            State::Accepted { key, .. } => Some(key),
        }
    }

    /// Gives a session the rights of the client's key, once it is authenticated, and charges its work to the key as well.
    pub(super) fn entitle(&self, session: &mut Session) {
        if let Some(key) = self.key() {
            session.entitle(key, None);
            session.set_payer(self.keys.payer(self.caller.address, key));
        }
    }

    /// Returns the time by which the client must be authenticated, and the reason for the end of its session otherwise.
    pub(super) fn deadline(&self) -> Option<(Instant, CloseReason)> {
        if let State::Awaited { until } = self.state { Some((until, CloseReason::AuthTimeout)) } else { None }
    }

    /// Authenticates the client. Only the first success counts.
    ///
    /// # Errors
    ///
    /// Returns why the credentials are refused: [`Refusal::AlreadyAuthenticated`], whatever they are, after a success. After the
    /// refusal of a correct key the time begins anew, because clients try again on the same connection.
    pub(super) fn authenticate(&mut self, credentials: Credentials<'_>, now: Instant) -> Result<(), Refusal> {
        if matches!(self.state, State::Accepted { .. }) {
            return Err(Refusal::AlreadyAuthenticated);
        }
        let key = self.keys.check(self.vendor, credentials, &self.caller).map_err(|denied| {
            self.record(&denied.name, denied.why.name());
            refusal(denied.why)
        })?;
        let taken = match self.fault(&key, now) {
            Some(refusal) => Err(refusal),
            None => self.take_seat(&key),
        };
        self.state = match taken {
            Ok(seat) => State::Accepted { key, _seat: seat },
            Err(refusal) => {
                self.state = State::Awaited { until: now + self.timeout };
                return Err(refusal);
            }
        };
        Ok(())
    }

    /// Writes into the audit log why the client is refused, and its name if that is known.
    fn record(&self, name: &str, reason: &str) {
        let session = u64::from_str_radix(&self.session, 16).ok();
        self.audit.record(Event::Refused, Entry { name, address: self.caller.address, session, reason });
    }

    fn take_seat(&self, key: &Identity) -> Result<Seat, Refusal> {
        let ender = self.ender.clone();
        let end = move |reason| drop(ender.try_send(End { reason, retry_after_ms: None }));
        let seat = self.keys.take_seat(key, &self.endpoint, self.at_excess, end);
        let seat = seat.map_err(|no_seat| {
            let (refusal, reason) = match no_seat {
                NoSeat::Full => (Refusal::ConnectionLimit, "connection_limit"),
                NoSeat::Ended(_) => (Refusal::AuthFailed, "ended"),
            };
            self.record(key.name(), reason);
            refusal
        })?;
        log::debug!("authenticated vendor={:?} endpoint={} key={:?}", self.vendor, self.endpoint, key.name());
        Ok(seat)
    }

    /// Returns the refusal that a rule of faults demands for this key.
    fn fault(&self, key: &Identity, now: Instant) -> Option<Refusal> {
        let subject = Subject {
            dialect: self.dialect,
            transport: "websocket",
            session: u64::from_str_radix(&self.session, 16).ok(),
            client: self.client.as_deref(),
            key: Some(key.name()),
        };
        Some(match self.faults.shared().auth_error(&subject, now)? {
            402 => Refusal::AuthFailed,
            406 => Refusal::ConnectionLimit,
            _ => Refusal::NotEntitled,
        })
    }
}

/// Returns the refusal for credentials that are not accepted.
pub(super) const fn refusal(err: KeyError) -> Refusal {
    match err {
        KeyError::Token(TokenError::Unavailable) => Refusal::Internal,
        _ if err.is_forbidden() => Refusal::NotEntitled,
        _ => Refusal::AuthFailed,
    }
}
