//! `MassiveHandler`: authentication and subscriptions of one client of the stock stream.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::access::{Credentials, Identity, Vendor};
use crate::domain::{Channel, ChannelSet, Interval, SymbolId};
use crate::protocol::massive::{Item, Massive, Request, SUBSCRIBED, Topic, UNSUBSCRIBED};
use crate::protocol::{CloseReason, Dialect, NameList, OnLag, Refusal, ServerMessage};
use crate::session::{Session, SessionConfig};
use crate::transport::vendor::entrance::Entrance;
use crate::transport::vendor::massive::STREAM;
use crate::transport::{MessageHandler, Opening};

/// Bytes of an acknowledgement's message: the vendor's client for Python accepts no message over 1 MiB.
const ACKNOWLEDGEMENT_BYTES_MAX: usize = 1_000_000;
/// Bytes of an acknowledged item without its name.
const ITEM_BYTES: usize = 72;

/// Serves one client.
pub(super) struct MassiveHandler {
    session: Session,
    entrance: Entrance,
    /// Why the credentials of a client that is about to be disconnected were refused.
    refused: Refusal,
    /// The channels of each known ticker that the client has subscribed to; `None` is `"*"`. Others are acknowledged and silent.
    held: BTreeMap<Option<SymbolId>, ChannelSet>,
}

impl MessageHandler for MassiveHandler {
    type Dialect = Massive;

    const BINARY: bool = true;

    fn message_bytes_max(config: &SessionConfig) -> usize {
        config.vendor_message_bytes_max
    }

    fn open(session: Session, opening: Opening<'_>, now: Instant) -> Self {
        // A slow client is refused: the stream has no message for a hole.
        session.set_on_lag(OnLag::Close);
        // An empty outbox accepts the first answer.
        let _ = session.welcome(opening.name, now);
        let at_excess = opening.worker.keys.at_excess();
        Self {
            session,
            entrance: Entrance::new(Massive::NAME, Vendor::Massive, STREAM.into(), at_excess, &opening, now),
            refused: Refusal::AuthFailed,
            held: BTreeMap::new(),
        }
    }

    fn text(&mut self, text: &str, now: Instant) -> Result<(), CloseReason> {
        self.binary(text.as_bytes(), now)
    }

    /// JSON, as in a text message.
    fn binary(&mut self, payload: &[u8], now: Instant) -> Result<(), CloseReason> {
        self.session.begin_request(payload.len(), now);
        let answer = match (Massive::decode(payload), self.entrance.key()) {
            (Err(refusal), _) => ServerMessage::Refused(refusal),
            (Ok(Request::Auth(token)), _) => return self.authenticate(&token, now),
            (Ok(_), None) => ServerMessage::Refused(Refusal::NotAuthenticated),
            (Ok(Request::Subscribe(items)), Some(_)) => self.subscribe(&items),
            (Ok(Request::Unsubscribe(items)), Some(_)) => self.unsubscribe(&items),
        };
        match answer {
            // Unknown topics are ignored.
            ServerMessage::Acknowledged(lists) if lists.iter().all(|list| list.names.is_empty()) => {
                self.session.end_request(now);
                Ok(())
            }
            ServerMessage::Acknowledged(lists) => {
                self.session.reply_in_parts(lists.into_iter().map(|list| ServerMessage::Acknowledged(vec![list])), now)
            }
            answer => self.session.reply_now(answer, now),
        }
    }

    /// The stream has no heartbeats.
    fn heartbeat(&self, now: Instant) -> Result<(), CloseReason> {
        self.session.keep_alive(now)
    }

    fn pause(&mut self, now: Instant) -> Duration {
        self.session.pause(now)
    }

    fn deadline(&self) -> Option<(Instant, CloseReason)> {
        self.entrance.deadline()
    }

    fn key(&self) -> Option<&str> {
        self.entrance.key().map(Identity::name)
    }

    fn farewell(&self, reason: CloseReason, now: Instant) {
        let refusal = match reason {
            CloseReason::AuthFailed => self.refused,
            CloseReason::AuthTimeout => Refusal::AuthTimeout,
            CloseReason::Replaced | CloseReason::ConnectionLimit => Refusal::ConnectionLimit,
            CloseReason::Lagging | CloseReason::UnreadReplies => Refusal::SlowClient,
            CloseReason::MessageTooBig => Refusal::InvalidSyntax,
            CloseReason::HubOverrun => Refusal::Internal,
            _ => return,
        };
        self.session.say_farewell(ServerMessage::Refused(refusal), now);
    }
}

impl MassiveHandler {
    /// Answers an attempt to authenticate. A client that repeats it is told that it is authenticated.
    fn authenticate(&mut self, token: &str, now: Instant) -> Result<(), CloseReason> {
        self.session.count_authentication();
        let answer = self.entrance.authenticate(Credentials::Token(token), now);
        self.entrance.entitle(&mut self.session);
        match answer {
            Ok(()) | Err(Refusal::AlreadyAuthenticated) => self.session.reply_now(ServerMessage::Authenticated, now),
            Err(Refusal::ConnectionLimit) => Err(CloseReason::ConnectionLimit),
            Err(refusal) => {
                self.refused = refusal;
                Err(CloseReason::AuthFailed)
            }
        }
    }

    fn subscribe(&mut self, items: &[Item]) -> ServerMessage {
        self.session.count_names(items.len());
        if self.exceeds(items) {
            return ServerMessage::Refused(Refusal::SymbolLimit);
        }
        for (id, channels) in self.topics(items) {
            let held = self.held.entry(id).or_default();
            *held = held.union(channels);
            self.session.add(id, channels);
        }
        acknowledgement(SUBSCRIBED, items)
    }

    fn unsubscribe(&mut self, items: &[Item]) -> ServerMessage {
        self.session.count_names(items.len());
        for (id, channels) in self.topics(items) {
            let Some(held) = self.held.get_mut(&id) else { continue };
            *held = held.difference(channels);
            if held.is_empty() {
                self.held.remove(&id);
            }
            self.session.remove(id, channels);
        }
        acknowledgement(UNSUBSCRIBED, items)
    }

    /// Returns whether the session would have more tickers than it may after the request. Unknown ones count as well: they are
    /// acknowledged.
    fn exceeds(&self, items: &[Item]) -> bool {
        let is_new = |item: &&Item| self.find(item).is_none_or(|id| !self.held.contains_key(&id));
        let new: BTreeSet<_> = items.iter().filter(is_new).map(|item| &item.ticker).collect();
        self.held.len() + new.len() > self.session.symbols_max().0
    }

    /// Returns the symbol that an item names, all if `None` within; `None` if it is unknown.
    #[expect(clippy::option_option, reason = "`None` within is the topic of all symbols, as in the session")]
    fn find(&self, item: &Item) -> Option<Option<SymbolId>> {
        if item.is_all() { Some(None) } else { self.session.find_exactly(&item.ticker).map(Some) }
    }

    /// Returns the channels of the known tickers that the items name.
    fn topics(&self, items: &[Item]) -> BTreeMap<Option<SymbolId>, ChannelSet> {
        let mut topics = BTreeMap::<_, ChannelSet>::new();
        for item in items {
            if let (Some(id), Some(channel)) = (self.find(item), channel(item.topic)) {
                let channels = topics.entry(id).or_default();
                *channels = channels.union([channel].into_iter().collect());
            }
        }
        topics
    }
}

/// Returns the acknowledgement of these items, in as many lists as there must be messages.
fn acknowledgement(heading: &'static str, items: &[Item]) -> ServerMessage {
    let (mut lists, mut bytes) = (Vec::<NameList>::new(), 0);
    for name in items.iter().map(Item::name) {
        bytes += ITEM_BYTES + name.len();
        match lists.last_mut() {
            Some(list) if bytes <= ACKNOWLEDGEMENT_BYTES_MAX => list.names.push(name),
            _ => {
                bytes = ITEM_BYTES + name.len();
                lists.push(NameList { heading, names: vec![name] });
            }
        }
    }
    ServerMessage::Acknowledged(lists)
}

/// Returns the channel of the market that a topic has. The market has no bands, auctions and fair values: these are acknowledged and
/// silent.
const fn channel(topic: Topic) -> Option<Channel> {
    match topic {
        Topic::Trades => Some(Channel::Trades),
        Topic::Quotes => Some(Channel::Quotes),
        Topic::SecondBars => Some(Channel::Bars(Interval::S1)),
        Topic::MinuteBars => Some(Channel::Bars(Interval::M1)),
        Topic::Bands | Topic::Imbalances | Topic::FairValues => None,
    }
}
