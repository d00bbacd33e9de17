//! The requests of one client: its subscriptions and limits, whatever its transport.
//!
//! Requests come in, answers go to the outbox of the session. This floor has no sockets and no actors.

mod config;
mod playback;
mod quiet;
mod renewal;
mod request;
mod resume;
mod rights;
mod wish;
mod work;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::access::{Payer, VisibleTable};
use crate::domain::{ChannelSet, Clock, SymbolId};
use crate::hub::{Control, Ender, Playback, SessionKey, SharedOutbox, SharedRouter};
use crate::protocol::{
    ClientMessage, CloseReason, DecodeError, Dialect, ErrorCode, Limits, Mistake, Pong, Request, RequestId, Selector,
    ServerMessage, Subscribe, Subscribed, SubscriptionItem, Times, WILDCARD, Welcome,
};

pub use config::SessionConfig;
pub use request::select;
use resume::Answer;
pub use resume::Begun;
use rights::Holder;
use wish::Wish;
use work::Budget;
pub use work::{HTTP_WORK, NAME_WORK, ROW_WORK, SEARCH_WORK, SNAPSHOT_WORK, WORK_NS, byte_work};

/// One client. Leaves its hub when dropped.
pub struct Session {
    key: SessionKey,
    router: SharedRouter,
    outbox: SharedOutbox,
    clock: Arc<dyn Clock>,
    config: Rc<SessionConfig>,
    /// The subscriptions by symbol; `None` is the wildcard.
    wishes: BTreeMap<Option<SymbolId>, Wish>,
    budget: Budget,
    /// The client's key and rights; `None` for anybody, who may have everything.
    holder: Option<Box<Holder>>,
    /// To whom the work of requests is charged, beside the session; `None` if the client has no such limit.
    payer: Option<Box<Payer>>,
    /// The replay that is played for this session alone.
    playback: Option<Box<Playback>>,
}

impl Session {
    /// Returns a session that has joined the hub and has been told nothing yet. Its client may have everything, until
    /// [`entitle`](Self::entitle) says otherwise. When the hub ends it, `ender` is told; a
    /// session without one finds its outbox finished.
    pub fn join<D: Dialect>(
        router: SharedRouter,
        config: Rc<SessionConfig>,
        clock: Arc<dyn Clock>,
        ender: Option<Ender>,
        now: Instant,
    ) -> Self {
        let (key, outbox) = router.borrow_mut().join::<D>(ender, now);
        let budget = Budget::new(&config, router.borrow().config().pauses.clone(), now);
        let wishes = BTreeMap::new();
        Self { key, router, outbox, clock, config, wishes, budget, holder: None, payer: None, playback: None }
    }

    /// Returns the router on which the session is.
    pub fn router(&self) -> &SharedRouter {
        &self.router
    }

    /// Returns the session's outbox.
    pub fn outbox(&self) -> &SharedOutbox {
        &self.outbox
    }

    /// Returns the session's number on its hub.
    pub fn key(&self) -> SessionKey {
        self.key
    }

    /// Queues `welcome` with this name.
    ///
    /// # Errors
    ///
    /// Returns why the session must be closed instead.
    pub fn welcome(&self, name: &str, now: Instant) -> Result<(), CloseReason> {
        let limits = self.limits();
        let router = self.router.borrow();
        let welcome = Welcome {
            session: name.into(),
            epoch: router.epoch(),
            offset: router.offset(),
            heartbeat_ms: self.config.heartbeat_ms,
            limits,
            times: self.times(),
            speed: router.config().market.speed(),
            auth: self.authenticated(),
        };
        let offset = router.offset();
        drop(router);
        self.reply(ServerMessage::Welcome(welcome.into()), offset, now)?;
        self.tell_playback(None, now)
    }

    /// Handles one message of the client, in the dialect `D`.
    ///
    /// # Errors
    ///
    /// As [`handle`](Self::handle).
    pub fn receive<D>(&mut self, message: &[u8], now: Instant) -> Result<(), CloseReason>
    where
        D: Dialect<Request = ClientMessage, Mistake = DecodeError>,
    {
        self.handle(D::decode(message), message.len(), now)
    }

    /// Handles one request that its caller has decoded from so many bytes, or answers the mistake in it. A handler calls this several
    /// times if one message of its client contains several requests: each counts for `session.requests_per_second_max`.
    ///
    /// # Errors
    ///
    /// Returns why the session must be closed. A mistake in the request is no such reason: it is answered.
    pub fn handle(
        &mut self,
        message: Result<ClientMessage, DecodeError>,
        bytes: usize,
        now: Instant,
    ) -> Result<(), CloseReason> {
        if !self.budget.spend_request(now) {
            return Err(CloseReason::Flood);
        }
        self.budget.count_bytes(bytes);
        let result = self.serve(message, now);
        self.pay(now);
        result
    }

    fn serve(&mut self, message: Result<ClientMessage, DecodeError>, now: Instant) -> Result<(), CloseReason> {
        self.router.borrow().config().metrics.requests.inc();
        let ClientMessage { id, request } = match message {
            Ok(message) => message,
            Err(DecodeError { id, mistake }) => return self.refuse(id.as_ref(), mistake, now),
        };
        if let Err(mistake) = self.check_signed_in(&request) {
            return self.refuse(id.as_ref(), mistake, now);
        }
        // The others cost little, and give room back or show that the client is there.
        if matches!(request, Request::Subscribe(_) | Request::Auth { .. })
            && let Err(mistake) = self.check_payer(now)
        {
            return self.refuse(id.as_ref(), mistake, now);
        }
        match request {
            Request::Subscribe(wanted) => self.subscribe(id.as_ref(), &wanted, now),
            Request::Unsubscribe { symbols, channels } => self.unsubscribe(id.as_ref(), &symbols, channels, now),
            Request::Auth { token } => self.authenticate(id, &token, now),
            Request::Replay(order) => self.direct(id, order, now),
            Request::List => self.tell_subscriptions(id.as_ref(), None, now),
            Request::Ping { ts } => {
                let pong = Pong { id, ts, times: self.times(), offset: self.cursor_offset() };
                self.control(ServerMessage::Pong(pong.into()), now)
            }
        }
    }

    fn limits(&self) -> Limits {
        let delay_ms = self.router.borrow().config().delay_ms;
        Limits { symbols: self.symbols_max().0, message_bytes: self.config.message_bytes_max, delay_ms }
    }

    fn times(&self) -> Times {
        let reading = self.clock.read();
        Times { server: reading.wall, market: self.router.borrow().config().market.at(reading) }
    }

    /// Queues a heartbeat.
    ///
    /// # Errors
    ///
    /// Returns why the session must be closed instead.
    pub fn heartbeat(&self, now: Instant) -> Result<(), CloseReason> {
        if self.is_awaited() {
            return self.keep_alive(now);
        }
        self.control(ServerMessage::Heartbeat { ts: self.clock.now(), offset: self.cursor_offset() }, now)
    }

    /// Returns the offset that a control may carry as a cursor: all unsent events have a greater one.
    fn cursor_offset(&self) -> u64 {
        let here = self.router.borrow().offset();
        let mut outbox = self.outbox.borrow_mut();
        outbox.pass_over(here);
        outbox.cursor_offset()
    }

    fn subscribe(&mut self, id: Option<&RequestId>, wanted: &Subscribe, now: Instant) -> Result<(), CloseReason> {
        self.budget.count(wanted.symbols.len(), 0, 0);
        let wanted = match self.permitted(wanted) {
            Ok(wanted) => wanted,
            Err(mistake) => return self.refuse(id, mistake, now),
        };
        let (known, unknown) = self.look_up(&wanted.symbols);
        if let Err(mistake) = self.check_limit(&known) {
            return self.refuse(id, mistake, now);
        }
        if !unknown.is_empty() {
            self.refuse(id, unknown_symbols(unknown), now)?;
        }
        if known.is_empty() {
            return Ok(());
        }
        self.begin(&known, &wanted, Answer::To(id), now).map(drop)
    }

    fn unsubscribe(
        &mut self,
        id: Option<&RequestId>,
        symbols: &[Selector],
        channels: ChannelSet,
        now: Instant,
    ) -> Result<(), CloseReason> {
        self.budget.count(symbols.len(), 0, 0);
        let (known, unknown) = self.look_up(symbols);
        if !unknown.is_empty() {
            self.refuse(id, unknown_symbols(unknown), now)?;
        }
        let has = |id: &Option<SymbolId>| self.wishes.get(id).map_or(ChannelSet::EMPTY, Wish::channels);
        // A request that names no channel means all subscribed ones.
        let lacks = |id: &&Option<SymbolId>| match channels {
            ChannelSet::ALL => has(id).is_empty(),
            named => !named.difference(has(id)).is_empty(),
        };
        let names: Vec<_> = known.iter().filter(lacks).map(|id| self.name(*id)).collect();
        let wished: Vec<_> = known.into_iter().filter(|id| !has(id).intersection(channels).is_empty()).collect();
        if !names.is_empty() {
            self.refuse(id, about(ErrorCode::NotSubscribed, "not subscribed", names), now)?;
        }
        if wished.is_empty() {
            return Ok(());
        }
        let all = self.expand(&wished);
        self.budget.count(0, 0, all.len());
        self.outbox.borrow_mut().release(&all, now);
        for symbol in wished {
            if let Entry::Occupied(mut wish) = self.wishes.entry(symbol)
                && wish.get_mut().remove(channels)
            {
                wish.remove();
            }
            self.unsubscribe_in_hub(symbol, channels);
        }
        self.tell_subscriptions(id, None, now)
    }

    fn look_up(&self, symbols: &[Selector]) -> (Vec<Option<SymbolId>>, Vec<String>) {
        look_up(&self.visible(), symbols)
    }

    fn check_limit(&self, known: &[Option<SymbolId>]) -> Result<(), Mistake> {
        let added = known.iter().filter(|wish| !self.wishes.contains_key(wish)).count();
        let (symbols_max, setting) = self.symbols_max();
        if self.wishes.len() + added > symbols_max { Err(too_many(symbols_max, setting)) } else { Ok(()) }
    }

    /// Returns every symbol that the subscriptions match and that the client may have, each once.
    fn expand(&self, known: &[Option<SymbolId>]) -> Vec<SymbolId> {
        if known.contains(&None) {
            return self.visible().ids().collect();
        }
        known.iter().copied().flatten().collect()
    }

    fn tell_subscriptions(
        &mut self,
        id: Option<&RequestId>,
        recovered: Option<bool>,
        now: Instant,
    ) -> Result<(), CloseReason> {
        let router = self.router.borrow();
        let symbol = |id: SymbolId| router.config().table.instrument(id).symbol;
        let items = |(id, wish): (&Option<SymbolId>, &Wish)| {
            let symbol = id.map(symbol);
            wish.modes().map(move |(mode, channels)| SubscriptionItem { symbol, channels, mode }).collect::<Vec<_>>()
        };
        let items: Vec<_> = self.wishes.iter().flat_map(items).collect();
        self.budget.count(0, 0, items.len());
        let subscribed = Subscribed { id: id.cloned(), items, recovered };
        self.reply(ServerMessage::Subscribed(subscribed.into()), router.offset(), now)
    }

    fn name(&self, id: Option<SymbolId>) -> String {
        let router = self.router.borrow();
        id.map_or_else(|| WILDCARD.into(), |id| router.config().table.instrument(id).symbol.to_string())
    }

    fn refuse(&self, id: Option<&RequestId>, mistake: Mistake, now: Instant) -> Result<(), CloseReason> {
        self.router.borrow().config().metrics.count_error(mistake.code);
        self.control(ServerMessage::Error { id: id.cloned(), mistake: mistake.into() }, now)
    }

    /// Sends a message before everything that waits.
    fn control(&self, message: ServerMessage, now: Instant) -> Result<(), CloseReason> {
        self.outbox.borrow_mut().push_control(Control::Message(message), now)
    }

    /// Sends a message after the event at `offset`.
    fn reply(&self, message: ServerMessage, offset: u64, now: Instant) -> Result<(), CloseReason> {
        self.outbox.borrow_mut().push_reply(message, offset, now)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.settle();
        self.router.borrow_mut().leave(self.key);
    }
}

/// Returns the subscriptions that the selectors name, each once and in their order, and the unknown names.
fn look_up(table: &VisibleTable, symbols: &[Selector]) -> (Vec<Option<SymbolId>>, Vec<String>) {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    let (mut seen, mut complained) = (HashSet::new(), HashSet::new());
    for selector in symbols {
        let found = match selector {
            Selector::All => Some(None),
            Selector::Symbol(name) => table.find(name).map(Some),
        };
        match (found, selector) {
            (Some(id), _) if seen.insert(id) => known.push(id),
            (None, Selector::Symbol(name)) if complained.insert(name) => unknown.push(name.clone()),
            _ => {}
        }
    }
    (known, unknown)
}

fn too_many(symbols_max: usize, setting: &str) -> Mistake {
    let message = format!("a session subscribes to at most {symbols_max} symbols ({setting})");
    Mistake::new(ErrorCode::LimitExceeded, message)
}

fn unknown_symbols(names: Vec<String>) -> Mistake {
    about(ErrorCode::UnknownSymbol, "no such symbol", names)
}

fn about(code: ErrorCode, message: &str, symbols: Vec<String>) -> Mistake {
    let message = format!("{message}: {}", listed(&symbols));
    Mistake { symbols, ..Mistake::new(code, message) }
}

/// Lists the first few names; the complete list is a separate field.
fn listed(names: &[String]) -> String {
    const NAMED_MAX: usize = 5;
    let short = |name: &String| name.chars().take(32).collect::<String>();
    let mut text = names.iter().take(NAMED_MAX).map(short).collect::<Vec<_>>().join(", ");
    if names.len() > NAMED_MAX {
        text = format!("{text} and {} more", names.len() - NAMED_MAX);
    }
    text
}
