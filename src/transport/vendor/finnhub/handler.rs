//! `FinnhubHandler`: the subscriptions of one client of the stream of trades.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use actix_web::HttpRequest;

use crate::access::{Credentials, Identity, Vendor};
use crate::domain::{Channel, ChannelSet, SymbolId};
use crate::protocol::finnhub::{Finnhub, Request};
use crate::protocol::{CloseReason, Dialect, OnLag, Refusal, ServerMessage};
use crate::session::{Session, SessionConfig};
use crate::transport::gate;
use crate::transport::vendor::entrance::Entrance;
use crate::transport::vendor::finnhub::token;
use crate::transport::{MessageHandler, Opening, Worker};

/// The endpoint at which the connections of a key are counted.
const ENDPOINT: &str = "/";

/// Serves one client.
pub(super) struct FinnhubHandler {
    session: Session,
    entrance: Entrance,
    /// The beginning of a session that is ended at once, because its key has too many connections or a fault refuses it.
    refused: Option<(Instant, CloseReason)>,
    /// Time of the last ping, or of the beginning.
    pinged: Cell<Instant>,
    ping_interval: Duration,
    held: BTreeSet<SymbolId>,
}

impl MessageHandler for FinnhubHandler {
    type Dialect = Finnhub;

    const BINARY: bool = true;

    fn message_bytes_max(config: &SessionConfig) -> usize {
        config.message_bytes_max
    }

    fn presented_key(request: &HttpRequest, worker: &Worker) -> Option<String> {
        let key =
            worker.keys.look_up(Vendor::Finnhub, Credentials::Token(&token(request)?), &gate::caller(request)).ok()?;
        Some(key.name().to_owned())
    }

    fn open(mut session: Session, opening: Opening<'_>, now: Instant) -> Self {
        // The stream has no message for a hole.
        session.set_on_lag(OnLag::Close);
        let at_excess = opening.worker.keys.at_excess();
        let mut entrance = Entrance::new(Finnhub::NAME, Vendor::Finnhub, ENDPOINT.into(), at_excess, &opening, now);
        let token = token(opening.request).unwrap_or_default();
        let refused = entrance.authenticate(Credentials::Token(&token), now).err().map(|refusal| match refusal {
            Refusal::ConnectionLimit => (now, CloseReason::ConnectionLimit),
            _ => (now, CloseReason::AuthFailed),
        });
        entrance.entitle(&mut session);
        let config = &opening.worker.session;
        Self {
            session,
            entrance,
            refused,
            pinged: Cell::new(now),
            ping_interval: config.finnhub_ping(),
            held: BTreeSet::new(),
        }
    }

    fn text(&mut self, text: &str, now: Instant) -> Result<(), CloseReason> {
        self.binary(text.as_bytes(), now)
    }

    /// JSON, as in a text message.
    fn binary(&mut self, payload: &[u8], now: Instant) -> Result<(), CloseReason> {
        self.session.begin_request(payload.len(), now);
        let result = match Finnhub::decode(payload) {
            Ok(Request::Subscribe(symbol)) => self.subscribe(&symbol),
            Ok(Request::Unsubscribe(symbol)) => {
                self.unsubscribe(&symbol);
                Ok(())
            }
            Ok(Request::Nothing) => Ok(()),
            Err(refusal) => Err(refusal),
        };
        match result {
            Ok(()) => {
                self.session.end_request(now);
                Ok(())
            }
            Err(refusal) => self.session.reply_now(ServerMessage::Refused(refusal), now),
        }
    }

    /// The stream has a ping of its own, at most once a minute, and nobody answers it. Otherwise a ping of the WebSocket is sent.
    fn heartbeat(&self, now: Instant) -> Result<(), CloseReason> {
        if now.saturating_duration_since(self.pinged.get()) < self.ping_interval {
            return self.session.keep_alive(now);
        }
        self.pinged.set(now);
        self.session.heartbeat(now)
    }

    fn pause(&mut self, now: Instant) -> Duration {
        self.session.pause(now)
    }

    fn deadline(&self) -> Option<(Instant, CloseReason)> {
        self.refused
    }

    fn key(&self) -> Option<&str> {
        self.entrance.key().map(Identity::name)
    }
}

impl FinnhubHandler {
    fn subscribe(&mut self, symbol: &str) -> Result<(), Refusal> {
        self.session.count_names(1);
        let id = self.session.find_exactly(symbol).ok_or(Refusal::UnknownSymbol)?;
        if self.held.contains(&id) {
            return Ok(());
        }
        if self.entrance.key().is_none() || self.held.len() >= self.session.symbols_max().0 {
            return Err(Refusal::SymbolLimit);
        }
        self.held.insert(id);
        self.session.add(Some(id), trades());
        Ok(())
    }

    /// Ends a subscription. Without one nothing happens, because the vendor does not answer.
    fn unsubscribe(&mut self, symbol: &str) {
        self.session.count_names(1);
        if let Some(id) = self.session.find_exactly(symbol).filter(|id| self.held.remove(id)) {
            self.session.remove(Some(id), trades());
        }
    }
}

fn trades() -> ChannelSet {
    ChannelSet::from_iter([Channel::Trades])
}
