//! A small market with simulated time: processes that can be restarted, with two hubs each that are not at the same
//! offset, and sessions on them without sockets.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tickcast::domain::{
    Channel, Day, Event, EventBody, Gap, Instrument, ManualClock, Price, Quote, Size, Snapshot, SymbolId, SymbolTable,
    Timestamp, Trade,
};
use tickcast::history::{LastValues, Ring};
use tickcast::hub::{HubConfig, PushConfig, Router, SharedRouter};
use tickcast::metrics::Metrics;
use tickcast::protocol::native::Native;
use tickcast::protocol::{Cursor, Mode, OnLag, Publication};
use tickcast::session::{Session, SessionConfig};

use crate::view::Key;

/// Number of symbols: `S0`, `S1`, …
pub(crate) const SYMBOLS: u32 = 4;
/// A request whose answer contains the cursor.
pub(crate) const PING: &str = r#"{"action":"ping"}"#;

/// The transport of a client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Transport {
    WebSocket,
    EventStream,
    Poll,
}

/// How far the server ends a session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    /// The hub has told the session to end, and its transport has not heard of it yet.
    Told,
    /// The transport queues `goodbye`, and a close frame if it has any.
    Goodbye,
    /// The transport queues only a close frame.
    Close,
}

/// A step of a schedule.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Events are published.
    Publish(Vec<(u32, bool)>),
    /// Events are published one by one, and the first hub routes each at once.
    Trickle(Vec<(u32, bool)>),
    /// A day begins for every symbol; or a gap of every symbol, if true.
    Day(bool),
    /// A hub routes batches of its mailbox.
    Route(usize, usize),
    /// A hub routes one turn; if its ring has nothing to route, this many batches arrive first.
    RouteTurn(usize, usize),
    /// The socket accepts a write of this many messages.
    Drain(usize),
    /// The same, but the connection breaks before the data arrive.
    Lose(usize),
    Wait(u64),
    /// The server sends an offset, in a `pong` if true, else in a heartbeat.
    Heartbeat(bool),
    Disconnect,
    Connect(Transport, usize),
    Restart,
    /// Another request in the same session, of a topic or a channel of `"*"`: for clients with several subscriptions.
    Ask(Key, Option<Mode>),
    /// Such a client subscribes in mode `all` to what it already has, with a cursor this many events before the newest.
    AskBack(Key, u64),
    /// The server ends the session.
    End(End),
}

/// How many of the symbols there are at first; the others are added, each with its first event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AtFirst {
    /// When the hubs begin.
    pub(crate) in_hubs: u32,
    /// When the clients begin.
    pub(crate) in_table: u32,
}

/// One process: its published events, and its hubs.
pub(crate) struct Process {
    pub(crate) epoch: String,
    table: Arc<SymbolTable>,
    at_first: AtFirst,
    hubs: Vec<Hub>,
    head: Arc<AtomicU64>,
    seqs: BTreeMap<(u32, Channel), u64>,
    offsets: BTreeMap<(u32, Channel, u64), u64>,
}

struct Hub {
    router: SharedRouter,
    /// Batches in the hub's mailbox.
    mailbox: VecDeque<Arc<[Publication]>>,
}

impl Process {
    /// Starts a process with this epoch, whose hubs keep this many events.
    pub(crate) fn start(number: usize, hubs: usize, events_kept: usize, push: PushConfig) -> Self {
        Self::start_with(number, hubs, events_kept, push, AtFirst { in_hubs: SYMBOLS, in_table: SYMBOLS })
    }

    /// Starts a process with some of the symbols.
    pub(crate) fn start_with(
        number: usize,
        hubs: usize,
        events_kept: usize,
        push: PushConfig,
        at_first: AtFirst,
    ) -> Self {
        let known = (0..at_first.in_hubs).map(instrument).collect();
        let table = Arc::new(SymbolTable::growing(known, SYMBOLS as usize));
        let head = Arc::new(AtomicU64::new(0));
        let epoch = format!("e{number}");
        let config = HubConfig {
            is_private: false,
            is_lossless: false,
            table: table.clone(),
            epoch: epoch.as_str().into(),
            head: head.clone(),
            delay_ms: 0,
            market: Arc::default(),
            push,
            metrics: Arc::new(Metrics::default()),
            crowded: Arc::default(),
            pauses: Arc::default(),
        };
        let snapshot = Snapshot::untraded(Price::from_cents(100), &standing_quote(), Size::new(1));
        let hub = || {
            let values = LastValues::new(vec![snapshot; at_first.in_hubs as usize]);
            let router = Router::new(&config, values, Ring::new(events_kept));
            Hub { router: Rc::new(RefCell::new(router)), mailbox: VecDeque::new() }
        };
        let hubs = (0..hubs).map(|_| hub()).collect();
        let process = Self { epoch, table, at_first, hubs, head, seqs: BTreeMap::new(), offsets: BTreeMap::new() };
        process.list(at_first.in_table);
        process
    }

    /// Adds the symbols with lower numbers to the table.
    fn list(&self, symbols: u32) {
        for symbol in self.symbols()..symbols {
            self.table.add(instrument(symbol)).unwrap();
        }
    }

    /// Returns the number of symbols in the table.
    pub(crate) fn symbols(&self) -> u32 {
        u32::try_from(self.table.len()).unwrap()
    }

    /// Returns the newest `seq` of a topic of which a client has got no snapshot.
    ///
    /// # Panics
    ///
    /// Panics if the symbol was there when the client subscribed.
    pub(crate) fn seq_without_snapshot(&self, topic: &Key) -> u64 {
        assert!(parsed(topic).0 >= self.at_first.in_table, "no snapshot of {topic:?}");
        0
    }

    /// Returns the offset of the newest event.
    pub(crate) fn head(&self) -> u64 {
        self.head.load(Ordering::Relaxed)
    }

    /// Returns the offset of a hub.
    pub(crate) fn offset(&self, hub: usize) -> u64 {
        self.hubs[hub].router.borrow().offset()
    }

    /// Returns the newest offset in a hub's ring.
    pub(crate) fn arrived(&self, hub: usize) -> u64 {
        self.hubs[hub].router.borrow().newest()
    }

    /// Returns the newest `seq` of a topic.
    pub(crate) fn seq(&self, topic: &Key) -> u64 {
        self.seqs.get(&parsed(topic)).copied().unwrap_or_default()
    }

    /// Returns the offset of an event.
    pub(crate) fn offset_of(&self, topic: &Key, seq: u64) -> u64 {
        let (symbol, channel) = parsed(topic);
        self.offsets[&(symbol, channel, seq)]
    }

    /// Returns the newest `seq` of a topic up to this offset.
    pub(crate) fn seq_at(&self, topic: &Key, offset: u64) -> u64 {
        let (symbol, channel) = parsed(topic);
        let of_topic = self.offsets.range((symbol, channel, 0)..=(symbol, channel, u64::MAX)).rev();
        of_topic.map(|((.., seq), each)| (*seq, *each)).find(|(_, each)| *each <= offset).map_or(0, |(seq, _)| seq)
    }

    /// Publishes a batch: a trade or a quote of each of these symbols. It stays in the mailboxes of the hubs.
    pub(crate) fn publish(&mut self, events: &[(u32, bool)]) {
        self.publish_all(events.iter().map(|(symbol, is_quote)| (*symbol, if *is_quote { quote() } else { trade() })));
    }

    /// Publishes a day of every symbol, or a gap.
    pub(crate) fn publish_days(&mut self, is_gap: bool) {
        let (ts, prev_close) = (Timestamp::default(), Price::from_cents(100));
        let day =
            || if is_gap { EventBody::Gap(Gap { since: ts, ts }) } else { EventBody::Day(Day { ts, prev_close }) };
        self.publish_all((0..self.symbols()).map(|symbol| (symbol, day())));
    }

    fn publish_all(&mut self, events: impl Iterator<Item = (u32, EventBody)>) {
        let first = self.head() + 1;
        let publication = |(offset, (symbol, body)): (u64, (u32, EventBody))| {
            // The table is ahead of the hubs.
            self.list(symbol + 1);
            let name = format!("S{symbol}").parse().unwrap();
            let mut event = Event { offset, seq: 0, id: SymbolId(symbol), symbol: name, body };
            let seq = self.seqs.entry((symbol, event.channel())).or_default();
            *seq += 1;
            event.seq = *seq;
            self.offsets.insert((symbol, event.channel(), event.seq), offset);
            Publication::new(event)
        };
        let batch: Arc<[Publication]> = (first..).zip(events).map(publication).collect();
        self.head.fetch_add(batch.len() as u64, Ordering::Relaxed);
        for hub in &mut self.hubs {
            hub.mailbox.push_back(batch.clone());
        }
    }

    /// Publishes events one by one; the first hub routes each at once.
    pub(crate) fn trickle(&mut self, events: &[(u32, bool)], now: Instant) {
        for event in events {
            self.publish(std::slice::from_ref(event));
            self.route(0, 1, now);
        }
    }

    /// Lets a hub route its ring and up to this many batches of its mailbox.
    pub(crate) fn route(&mut self, hub: usize, batches_max: usize, now: Instant) {
        while self.hubs[hub].router.borrow_mut().route_turn(now) {}
        for _ in 0..batches_max.min(self.hubs[hub].mailbox.len()) {
            self.arrive(hub);
            while self.hubs[hub].router.borrow_mut().route_turn(now) {}
        }
    }

    /// Lets a hub route one turn; if its ring has nothing to route, this many batches arrive first.
    pub(crate) fn route_turn(&mut self, hub: usize, batches_max: usize, now: Instant) {
        let waiting = self.hubs[hub].router.borrow().newest() > self.offset(hub);
        for _ in 0..if waiting { 0 } else { batches_max } {
            self.arrive(hub);
        }
        self.hubs[hub].router.borrow_mut().route_turn(now);
    }

    /// Moves the next batch of a hub's mailbox into its ring.
    fn arrive(&mut self, hub: usize) {
        let Hub { router, mailbox } = &mut self.hubs[hub];
        if let Some(batch) = mailbox.pop_front() {
            router.borrow_mut().accept(batch);
        }
    }

    /// Ends the windows that are over.
    pub(crate) fn end_windows(&self, now: Instant) {
        for hub in &self.hubs {
            hub.router.borrow_mut().end_windows(now);
        }
    }

    /// Opens a session on a hub.
    pub(crate) fn join(&self, hub: usize, now: Instant) -> Session {
        let clock = Arc::new(ManualClock::new(Timestamp::default()));
        let config = SessionConfig { requests_per_second_max: 1_000_000, ..SessionConfig::default() };
        Session::join::<Native>(self.hubs[hub].router.clone(), Rc::new(config), clock, None, now)
    }
}

fn instrument(symbol: u32) -> Instrument {
    Instrument { symbol: format!("S{symbol}").parse().unwrap(), name: String::new(), sector: String::new() }
}

/// Returns the symbol and the channel of a topic.
fn parsed((symbol, channel): &Key) -> (u32, Channel) {
    let channel = match channel.as_str() {
        "day" => Channel::Day,
        "gap" => Channel::Gap,
        other => other.parse().unwrap(),
    };
    (symbol[1..].parse().unwrap(), channel)
}

fn trade() -> EventBody {
    EventBody::Trade(Trade { ts: Timestamp::default(), price: Price::from_cents(100), size: Size::new(1) })
}

fn quote() -> EventBody {
    EventBody::Quote(standing_quote())
}

fn standing_quote() -> Quote {
    let (bid, ask, size) = (Price::from_cents(99), Price::from_cents(101), Size::new(1));
    Quote { ts: Timestamp::default(), bid, bid_size: size, ask, ask_size: size }
}

/// The time of a test: it advances only by calls.
pub(crate) struct Time(pub(crate) Instant);

impl Time {
    /// Advances by this many milliseconds.
    pub(crate) fn advance(&mut self, ms: u64) {
        self.0 += Duration::from_millis(ms);
    }
}

/// Returns the names of this many of the first symbols, or the wildcard for all.
pub(crate) fn named(symbols: u32) -> Vec<String> {
    if symbols == SYMBOLS { vec!["*".to_owned()] } else { (0..symbols).map(|symbol| format!("S{symbol}")).collect() }
}

/// Returns a `subscribe`.
pub(crate) fn request(
    symbols: &[&str],
    channels: &[&str],
    mode: Mode,
    on_lag: OnLag,
    after: Option<&Cursor>,
) -> String {
    let mut request =
        json!({"action": "subscribe", "id": 1, "symbols": symbols, "channels": channels, "mode": mode.name()});
    if on_lag == OnLag::Close {
        request["on_lag"] = "close".into();
    }
    if let Mode::Latest(Some(rate)) = mode {
        request["max_hz"] = rate.hz().into();
    }
    if let Some(cursor) = after {
        request["after"] = json!({"epoch": cursor.epoch, "offset": cursor.offset});
    }
    request.to_string()
}
