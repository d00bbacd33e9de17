//! `AlpacaHandler`: authentication and subscriptions of one client of the stock stream.

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use actix_web::HttpRequest;

use crate::access::{AtExcess, Credentials, Identity, Vendor};
use crate::domain::{Channel, ChannelSet, Interval, Symbol, SymbolId};
use crate::protocol::alpaca::{Alpaca, Codec, Json, Lists, MessagePack, Request, Stream, TEST_SOURCE, TEST_SYMBOL};
use crate::protocol::{CloseReason, Dialect, NameList, OnLag, Refusal, ServerMessage, WILDCARD};
use crate::session::{Session, SessionConfig};
use crate::transport::gate;
use crate::transport::vendor::credentials::Presented;
use crate::transport::vendor::entrance::Entrance;
use crate::transport::{MessageHandler, Opening, Worker};

/// Serves one client. `IS_TEST` on `/v2/test`, which has the events of one symbol under the name [`TEST_SYMBOL`].
pub(super) struct AlpacaHandler<C, const IS_TEST: bool> {
    session: Session,
    entrance: Entrance,
    symbols_max: usize,
    /// The names of each channel of [`Stream::ALL`] as the client has sent them, also of unknown symbols; `None` is `"*"`.
    names: [BTreeSet<Option<Symbol>>; Stream::ALL.len()],
    codec: PhantomData<C>,
}

/// The stream has no such symbol: it is acknowledged and silent.
#[derive(PartialEq, Eq)]
struct Unknown;

impl<C: Codec + Unpin, const IS_TEST: bool> MessageHandler for AlpacaHandler<C, IS_TEST> {
    type Dialect = Alpaca<C, IS_TEST>;

    const BINARY: bool = true;

    fn message_bytes_max(config: &SessionConfig) -> usize {
        config.vendor_message_bytes_max
    }

    fn presented_key(request: &HttpRequest, worker: &Worker) -> Option<String> {
        let key =
            worker.keys.look_up(Vendor::Alpaca, Presented::of(request)?.credentials(), &gate::caller(request)).ok()?;
        Some(key.name().to_owned())
    }

    fn open(session: Session, opening: Opening<'_>, now: Instant) -> Self {
        // A slow client is refused: the stream has no message for a hole.
        session.set_on_lag(OnLag::Close);
        // An empty outbox accepts the first answers.
        let _ = session.welcome(opening.name, now);
        // That of replays has no such part.
        let endpoint = format!("/v2/{}", opening.request.match_info().get("feed").unwrap_or("replay"));
        let dialect = Self::Dialect::NAME;
        let mut handler = Self {
            session,
            entrance: Entrance::new(dialect, Vendor::Alpaca, endpoint, AtExcess::Refuse, &opening, now),
            symbols_max: opening.worker.session.symbols_max,
            names: Default::default(),
            codec: PhantomData,
        };
        if let Some(presented) = Presented::of(opening.request) {
            let answer = handler.authenticate(presented.credentials(), now);
            let _ = handler.session.reply_now(answer, now);
        }
        handler
    }

    fn text(&mut self, text: &str, now: Instant) -> Result<(), CloseReason> {
        self.session.begin_request(text.len(), now);
        self.serve(Alpaca::<Json, IS_TEST>::decode(text.as_bytes()), now)
    }

    fn binary(&mut self, payload: &[u8], now: Instant) -> Result<(), CloseReason> {
        self.session.begin_request(payload.len(), now);
        self.serve(Alpaca::<MessagePack, IS_TEST>::decode(payload), now)
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
            CloseReason::AuthTimeout => Refusal::AuthTimeout,
            CloseReason::Lagging | CloseReason::UnreadReplies => Refusal::SlowClient,
            CloseReason::MessageTooBig => Refusal::InvalidSyntax,
            CloseReason::HubOverrun => Refusal::Internal,
            _ => return,
        };
        self.session.say_farewell(ServerMessage::Refused(refusal), now);
    }
}

impl<C: Codec + Unpin, const IS_TEST: bool> AlpacaHandler<C, IS_TEST> {
    fn serve(&mut self, request: Result<Request, Refusal>, now: Instant) -> Result<(), CloseReason> {
        let answer = match (request, self.entrance.key()) {
            (Err(refusal), _) => ServerMessage::Refused(refusal),
            (Ok(Request::Auth { key, secret }), _) => {
                self.session.count_authentication();
                // Tokens come under these names.
                let is_token = matches!(key.as_str(), "oauth" | "access_token");
                let pair = Credentials::Pair { id: &key, secret: &secret };
                self.authenticate(if is_token { Credentials::Token(&secret) } else { pair }, now)
            }
            (Ok(_), None) => ServerMessage::Refused(Refusal::NotAuthenticated),
            (Ok(Request::Subscribe(lists)), Some(_)) => self.subscribe(&lists),
            (Ok(Request::Unsubscribe(lists)), _) => self.unsubscribe(&lists),
        };
        self.session.reply_now(answer, now)
    }

    /// Answers an attempt to authenticate.
    fn authenticate(&mut self, credentials: Credentials<'_>, now: Instant) -> ServerMessage {
        let answer = self.entrance.authenticate(credentials, now);
        self.entrance.entitle(&mut self.session);
        answer.map_or_else(ServerMessage::Refused, |()| ServerMessage::Authenticated)
    }

    fn subscribe(&mut self, lists: &Lists) -> ServerMessage {
        self.session.count_names(lists.len());
        if lists.has_unsupported {
            return ServerMessage::Refused(Refusal::UnsupportedChannel);
        }
        if self.exceeds(lists, &Stream::ALL, self.symbols_max)
            || self.exceeds(lists, &[Stream::Trades, Stream::Quotes], self.session.symbols_max().0)
        {
            return ServerMessage::Refused(Refusal::SymbolLimit);
        }
        let mut added = BTreeMap::new();
        for (stream, names) in Stream::ALL.into_iter().zip(&lists.names) {
            for name in names {
                if self.names[stream as usize].insert(*name) {
                    note(&mut added, *name, stream);
                }
            }
        }
        for (name, channels) in added {
            if let Ok(id) = self.topic(name)
                && !channels.is_empty()
            {
                self.session.add(id, channels);
            }
        }
        self.acknowledgement()
    }

    fn unsubscribe(&mut self, lists: &Lists) -> ServerMessage {
        self.session.count_names(lists.len());
        if lists.has_unsupported {
            return ServerMessage::Refused(Refusal::UnsupportedChannel);
        }
        let mut removed = BTreeMap::new();
        for (stream, names) in Stream::ALL.into_iter().zip(&lists.names) {
            for name in names {
                if self.names[stream as usize].remove(name) {
                    note(&mut removed, *name, stream);
                }
            }
        }
        for (name, channels) in removed {
            let Ok(id) = self.topic(name) else { continue };
            let channels = channels.difference(self.held(id));
            if !channels.is_empty() {
                self.session.remove(id, channels);
            }
        }
        self.acknowledgement()
    }

    /// Returns whether these channels would have more names than `symbols_max` after the request.
    fn exceeds(&self, lists: &Lists, streams: &[Stream], symbols_max: usize) -> bool {
        let names = |stream: &Stream| self.names[*stream as usize].iter().chain(&lists.names[*stream as usize]);
        let mut distinct = BTreeSet::new();
        streams.iter().flat_map(names).any(|name| distinct.insert(name) && distinct.len() > symbols_max)
    }

    /// Returns the symbol to subscribe to for this name, `None` for all of them.
    fn topic(&self, name: Option<Symbol>) -> Result<Option<SymbolId>, Unknown> {
        if IS_TEST {
            let is_known = name.is_none_or(|name| name.as_str() == TEST_SYMBOL);
            return if is_known { Ok(Some(TEST_SOURCE)) } else { Err(Unknown) };
        }
        match name {
            None => Ok(None),
            Some(name) => self.session.find(name.as_str()).map(Some).ok_or(Unknown),
        }
    }

    /// Returns the channels of a topic that another name still holds: the test symbol and `"*"` are one topic.
    fn held(&self, topic: Option<SymbolId>) -> ChannelSet {
        let holds = |names: &BTreeSet<Option<Symbol>>| names.iter().any(|name| self.topic(*name) == Ok(topic));
        let streams = Stream::ALL.into_iter().zip(&self.names).filter(|(_, names)| IS_TEST && holds(names));
        streams.fold(ChannelSet::EMPTY, |held, (stream, _)| held.union(channels(stream)))
    }

    /// Returns all subscriptions, of every channel.
    fn acknowledgement(&self) -> ServerMessage {
        let text = |name: &Option<Symbol>| name.map_or_else(|| WILDCARD.into(), |name| name.as_str().to_owned());
        let list = |heading, stream: Stream| NameList {
            heading,
            names: self.names[stream as usize].iter().map(text).collect(),
        };
        let own = Stream::ALL.into_iter().map(|stream| list(stream.name(), stream));
        let with_trades = Stream::WITH_TRADES.into_iter().map(|heading| list(heading, Stream::Trades));
        ServerMessage::Acknowledged(own.chain(with_trades).collect())
    }
}

/// Adds the channels of a stream to those of a name.
fn note(changed: &mut BTreeMap<Option<Symbol>, ChannelSet>, name: Option<Symbol>, stream: Stream) {
    let set = changed.entry(name).or_default();
    *set = set.union(channels(stream));
}

/// Returns the channels of the market that a channel of the vendor has. The market has no halts, bands and auctions: these are
/// acknowledged and silent.
fn channels(stream: Stream) -> ChannelSet {
    let channels: &[Channel] = match stream {
        Stream::Trades => &[Channel::Trades, Channel::Corrections, Channel::Cancels],
        Stream::Quotes => &[Channel::Quotes],
        Stream::Bars => &[Channel::Bars(Interval::M1)],
        Stream::UpdatedBars => &[Channel::UpdatedBars],
        Stream::DailyBars => &[Channel::DailyBars],
        Stream::Statuses | Stream::Lulds | Stream::Imbalances => &[],
    };
    channels.iter().copied().collect()
}
