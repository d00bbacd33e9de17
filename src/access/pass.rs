//! `Pass`: who the client of one session is, where it came from, and its place among the connections of its key. A client says who it
//! is, or renews that, by a token on the open connection.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::access::payer::VERIFICATION_WORK;
use crate::access::{
    AtExcess, Caller, Credentials, Denied, Identity, KeyError, Keys, NoSeat, Payer, Seat, TokenError, is_page_ticket,
};
use crate::audit::{Audit, Entry, Event};
use crate::protocol::CloseReason;

/// The pass of one session, until it is dropped.
pub struct Pass {
    keys: Arc<Keys>,
    caller: Caller,
    identity: Identity,
    /// The place among the connections of the key; `None` without a key.
    seat: Option<Seat>,
    /// Ends the session with its key.
    end: Arc<dyn Fn(CloseReason) + Send + Sync>,
    /// When the last token came.
    shown: Option<Instant>,
    /// Whether nobody knows yet who its client is.
    is_awaited: bool,
    /// The work of verifications that nobody has been charged for.
    work: u64,
    /// Where refused tokens are recorded, and the number that is the name of the session.
    audit: Option<(Arc<Audit>, u64)>,
}

/// Why a token is refused. The session goes on as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PassError {
    /// Not accepted.
    #[error("{0}")]
    Refused(KeyError),
    /// Of another client than the one to which the session belongs.
    #[error("the token is not of the key with which the session began")]
    OtherName,
    /// The session has no key that could be renewed.
    #[error("the session has no key that could be renewed")]
    NoKey,
    /// It permits another delay than that of the stream on which the session is. A delayed key comes with the request that opens the
    /// connection.
    #[error("the key has another delay_ms: show it with the request that opens the connection")]
    OtherDelay,
    /// Too soon after the last one.
    #[error("the last token came less than {}.{:03} s ago (auth.renewal_ms)", .0.as_secs(), .0.subsec_millis())]
    TooSoon(Duration),
    /// The key has as many connections as it may have.
    #[error("the key has as many connections as it may have (connections_max of the key)")]
    Full,
    /// The key has ended meanwhile, or the session is ending.
    #[error("the key has ended")]
    Ended,
}

impl PassError {
    /// Returns the word in the audit log.
    const fn name(self) -> &'static str {
        match self {
            Self::Refused(err) => err.name(),
            Self::OtherName => "other_name",
            Self::NoKey => "no_key",
            Self::OtherDelay => "other_delay",
            Self::TooSoon(_) => "too_soon",
            Self::Full => "connection_limit",
            Self::Ended => "ended",
        }
    }
}

impl Pass {
    /// Returns the pass of a session that begins. `end` is called when its key ends. A client that is nobody may show a token later.
    pub fn new(
        keys: Arc<Keys>,
        caller: Caller,
        identity: Identity,
        seat: Option<Seat>,
        end: Arc<dyn Fn(CloseReason) + Send + Sync>,
    ) -> Self {
        let is_awaited = identity.is_nobody() && keys.first_message().is_some();
        if let Some(seat) = &seat {
            seat.let_renew();
        }
        Self { keys, caller, identity, seat, end, shown: None, is_awaited, work: 0, audit: None }
    }

    /// Records refused tokens there, as those of the session with this number.
    #[must_use]
    pub fn recorded(self, audit: Arc<Audit>, session: u64) -> Self {
        Self { audit: Some((audit, session)), ..self }
    }

    /// Returns who the client is.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Returns whether nobody knows yet who the client is.
    pub const fn is_awaited(&self) -> bool {
        self.is_awaited
    }

    /// Returns who pays for the client's requests.
    pub fn payer(&self) -> Option<Box<Payer>> {
        self.keys.payer(self.caller.address, &self.identity)
    }

    /// Takes the work that the tokens have caused, to charge it.
    pub fn take_work(&mut self) -> u64 {
        std::mem::take(&mut self.work)
    }

    /// Takes a token of the client: the first one says who it is, later ones renew that.
    ///
    /// # Errors
    ///
    /// Returns why the token is refused. Then nothing has changed.
    pub fn show(&mut self, token: &str, now: Instant) -> Result<(), PassError> {
        let found = self.find(token, now);
        let shown = match &found {
            Ok(identity) => self.adopt(identity.clone()),
            Err((err, _)) => Err(*err),
        };
        let result = match shown {
            Ok(()) => "accepted",
            Err(PassError::OtherName) => "other_name",
            Err(PassError::TooSoon(_)) => "too_soon",
            Err(_) => "refused",
        };
        if let Some(metrics) = self.keys.metrics() {
            metrics.count_renewal(result);
        }
        if let (Err(err), Some((audit, session))) = (shown, &self.audit) {
            // A stranger has proved who it is, but may not come, or there is no place for it.
            let proved = match &found {
                Ok(identity) => identity.name(),
                Err((_, name)) => name,
            };
            let name = if self.is_awaited { proved } else { self.identity.name() };
            let (address, session) = (self.caller.address, Some(*session));
            audit.record(Event::Refused, Entry { name, address, session, reason: err.name() });
        }
        shown
    }

    /// Returns whose token this is, unless the session may not show one now. An error comes with the name that is proved all the same.
    fn find(&mut self, token: &str, now: Instant) -> Result<Identity, (PassError, String)> {
        let nobody = |err| (err, String::new());
        if !self.is_awaited && !self.identity.has_key() {
            return Err(nobody(PassError::NoKey));
        }
        let interval = self.keys.renewal_interval();
        // A stranger who has mistyped the token may try again: `limits.address_failures_per_minute` counts that.
        if !self.is_awaited
            && let Some(shown) = self.shown
            && now < shown + interval
        {
            return Err(nobody(PassError::TooSoon(interval)));
        }
        // Only pages of this server use one, and they do so in the address.
        if is_page_ticket(token) {
            return Err(nobody(PassError::Refused(KeyError::Ticket)));
        }
        self.shown = Some(now);
        let work = Cell::new(0);
        let verifies = || work.set(work.get() + VERIFICATION_WORK);
        let identity = self.keys.identify_by(Some(Credentials::Token(token)), &self.caller, &verifies);
        self.work += work.get();
        if let Err(Denied { why: KeyError::Token(TokenError::Unavailable), .. }) = identity {
            // The client may try again as soon as the keys of the issuer are known.
            self.shown = None;
        }
        identity.map_err(|denied| (PassError::Refused(denied.why), denied.name))
    }

    /// Makes the session that of this client.
    fn adopt(&mut self, identity: Identity) -> Result<(), PassError> {
        if !self.is_awaited && !identity.is_same_key(&self.identity) {
            return Err(PassError::OtherName);
        }
        if identity.entitlement().delay_ms != self.identity.entitlement().delay_ms {
            return Err(PassError::OtherDelay);
        }
        if self.is_awaited {
            self.seat = self.sit(&identity)?;
            self.is_awaited = false;
        } else if let Some(seat) = &self.seat {
            seat.renew(&identity).map_err(|_| PassError::Ended)?;
        }
        self.identity = identity;
        Ok(())
    }

    /// Takes a place for a client that has just said who it is.
    fn sit(&self, identity: &Identity) -> Result<Option<Seat>, PassError> {
        let end = self.end.clone();
        let seat = self.keys.take_seat(identity, "", AtExcess::Refuse, move |reason| end(reason));
        let seat = seat.map_err(|no_seat| match no_seat {
            NoSeat::Full => PassError::Full,
            NoSeat::Ended(_) => PassError::Ended,
        })?;
        seat.let_renew();
        Ok(Some(seat))
    }
}
