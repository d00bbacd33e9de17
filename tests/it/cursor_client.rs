//! A client of the small market of `cursor_world` that disconnects and reconnects, moves between transports, keeps its
//! cursor as the protocol demands, and checks every message.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tickcast::access::Identity;
use tickcast::domain::{Channel, ChannelSet};
use tickcast::hub::{Control, PushConfig};
use tickcast::protocol::native::Native;
use tickcast::protocol::{CloseReason, Cursor, Mode, OnLag, Selector, ServerMessage, Subscribe};
use tickcast::session::{Begun, Session};

use crate::cursor_knowledge::{Knowledge, is_day};
use crate::cursor_requests::{Asked, covered};
use crate::cursor_world::{AtFirst, End, PING, Process, SYMBOLS, Step, Time, Transport, named, request};
use crate::cursor_writer::{Drained, Writer};
use crate::renewal_rights::by_a_pattern;
use crate::view::{Key, is_event, key_of};

/// Hubs per process.
pub(crate) const HUBS: usize = 2;

/// One client, and the world around it.
pub(crate) struct Scene {
    pub(crate) process: Process,
    restarts: usize,
    push: PushConfig,
    pub(crate) events_kept: usize,
    pub(crate) time: Time,
    pub(crate) knowledge: Knowledge,
    pub(crate) session: Option<(Session, Transport, usize, Begun)>,
    writer: Writer,
    /// Subscriptions without an answer yet.
    pub(crate) asked: Vec<Asked>,
    /// Cursor of a client with one subscription.
    pub(crate) cursor: Option<Cursor>,
    /// Snapshots received in the present session: before the last one, there is no cursor.
    snapshots: u32,
    /// Number of recovered subscriptions.
    pub(crate) recovered: u32,
    mode: Mode,
    pub(crate) on_lag: OnLag,
    /// Least time between two events of a topic, and when the last one of each came; only where no request changes it.
    interval: Option<(Duration, BTreeMap<Key, Instant>)>,
    /// Symbols of a client with one subscription: this many of the first ones.
    symbols: u32,
    /// The number of their snapshots.
    snapshots_due: u32,
    /// The symbols that each process begins with.
    at_first: AtFirst,
    /// The key of a client, if its wildcard is a topic of each symbol in the hub.
    pattern: Option<Identity>,
    /// Subscriptions of a client with several: a topic, or a channel of `"*"`, and its mode.
    pub(crate) parts: Option<BTreeMap<Key, Mode>>,
    /// Those with an unsubscription that is not answered yet: until then the client does not know at which event they
    /// end.
    pub(crate) ending: Vec<Key>,
    /// Once the hub has told the session to end: the newest offset that it may still send, which a request may change.
    pub(crate) told: Option<u64>,
}

impl Scene {
    /// Returns a client without a session, with one subscription in this mode, or with several.
    pub(crate) fn new(events_kept: usize, outbox_events_max: usize, mode: Mode, by_parts: bool) -> Self {
        let push = PushConfig { outbox_events_max, coalesce_ms: 20, ..PushConfig::default() };
        let process = Process::start(0, HUBS, events_kept, push);
        let may_repeat = mode != Mode::All && !by_parts;
        Self {
            process,
            restarts: 0,
            push,
            events_kept,
            time: Time(Instant::now()),
            knowledge: Knowledge::new(may_repeat),
            session: None,
            writer: Writer::default(),
            asked: Vec::new(),
            cursor: None,
            snapshots: 0,
            recovered: 0,
            mode,
            on_lag: OnLag::CatchUp,
            interval: None,
            symbols: SYMBOLS,
            snapshots_due: SYMBOLS,
            at_first: AtFirst { in_hubs: SYMBOLS, in_table: SYMBOLS },
            pattern: None,
            parts: by_parts.then(BTreeMap::new),
            ending: Vec::new(),
            told: None,
        }
    }

    /// Makes the client ask to be closed when it lags.
    pub(crate) fn closing(mut self) -> Self {
        self.on_lag = OnLag::Close;
        self
    }

    /// Checks that no two events of a topic are closer than this.
    pub(crate) fn at_intervals(mut self, interval: Duration) -> Self {
        self.interval = Some((interval, BTreeMap::new()));
        self
    }

    /// Limits a client with one subscription to this many symbols.
    pub(crate) fn narrow(mut self, symbols: u32) -> Self {
        self.symbols = symbols;
        self
    }

    /// Lets every process begin with some of the symbols; the client may have each by a pattern, or all.
    pub(crate) fn growing(mut self, at_first: AtFirst, by_pattern: bool) -> Self {
        self.at_first = at_first;
        self.pattern = by_pattern.then(by_a_pattern);
        self.start();
        self
    }

    fn start(&mut self) {
        self.process = Process::start_with(self.restarts, HUBS, self.events_kept, self.push, self.at_first);
        // A key looks its symbols up in one table.
        self.pattern = self.pattern.take().map(|_| by_a_pattern());
    }

    /// Asserts that a client of all symbols knows the newest event of each.
    pub(crate) fn check_whole(&self) {
        for topic in (0..SYMBOLS)
            .flat_map(|symbol| ["trades", "quotes"].map(|channel| (format!("S{symbol}"), channel.to_owned())))
        {
            let known = self.knowledge.seqs.get(&topic).copied().unwrap_or(0);
            assert_eq!(known, self.process.seq(&topic), "{topic:?}");
        }
    }

    /// Executes a step.
    pub(crate) fn step(&mut self, step: Step) {
        let now = self.time.0;
        match step {
            Step::Publish(events) => self.process.publish(&events),
            Step::Trickle(events) => self.process.trickle(&events, now),
            Step::Day(is_gap) => self.process.publish_days(is_gap),
            Step::Route(hub, batches) => self.process.route(hub, batches, now),
            Step::RouteTurn(hub, batches) => self.process.route_turn(hub, batches, now),
            Step::Drain(limit) => self.drain(limit),
            Step::Lose(limit) => {
                if let Some((session, ..)) = &self.session {
                    self.writer.drain(session, limit, now);
                }
                self.disconnect();
            }
            Step::Wait(ms) => {
                self.time.advance(ms);
                self.process.end_windows(self.time.0);
            }
            Step::Heartbeat(asked) => self.heartbeat(asked),
            Step::Disconnect => self.disconnect(),
            Step::Connect(transport, hub) => self.connect(transport, hub),
            Step::Restart => {
                self.disconnect();
                self.restarts += 1;
                self.knowledge.restart();
                self.start();
            }
            Step::Ask(topic, mode) => self.ask(topic, mode),
            Step::AskBack(topic, events) => self.ask_back(&topic, events),
            Step::End(end) => self.end(end),
        }
    }

    fn heartbeat(&mut self, asked: bool) {
        match &mut self.session {
            Some((session, Transport::WebSocket, ..)) if asked => {
                session.receive::<Native>(PING.as_bytes(), self.time.0).unwrap();
            }
            Some((session, Transport::WebSocket, ..)) => session.heartbeat(self.time.0).unwrap(),
            Some((session, Transport::EventStream, ..)) => session.keep_alive(self.time.0).unwrap(),
            _ => {}
        }
    }

    /// Lets the server end the session as its hub and its transport do.
    fn end(&mut self, end: End) {
        let now = self.time.0;
        let Some((session, transport, hub, _)) = &self.session else { return };
        let mut outbox = session.outbox().borrow_mut();
        outbox.refuse_events();
        self.told.get_or_insert(self.process.offset(*hub));
        if end == End::Goodbye && *transport != Transport::Poll {
            let goodbye = ServerMessage::Goodbye { reason: CloseReason::Shutdown.name(), retry_after_ms: 1 };
            outbox.push_control(Control::Message(goodbye), now).unwrap();
        }
        match transport {
            _ if end == End::Told => {}
            Transport::WebSocket => outbox.push_control(Control::Close(CloseReason::Shutdown), now).unwrap(),
            Transport::EventStream | Transport::Poll => outbox.finish(now),
        }
    }

    /// Asserts that nothing follows a close frame, and disconnects.
    fn closed(&mut self, session: &Session, hub: usize) {
        self.process.route(hub, 1, self.time.0);
        session.heartbeat(self.time.0).unwrap();
        let drained = self.writer.drain(session, 1, self.time.0);
        assert!(!matches!(drained, Drained::Messages(_)), "sent after the close frame");
        self.disconnect();
    }

    fn disconnect(&mut self) {
        self.session = None;
        self.writer = Writer::default();
        self.told = None;
        self.asked.clear();
        self.ending.clear();
        self.snapshots = 0;
        self.knowledge.reconnect();
    }

    fn connect(&mut self, mut transport: Transport, hub: usize) {
        self.disconnect();
        if self.mode != Mode::All && transport == Transport::WebSocket {
            // In mode `latest` a WebSocket client keeps a cursor per topic.
            transport = Transport::EventStream;
        }
        let now = self.time.0;
        let mut session = self.process.join(hub, now);
        if let Some(identity) = &self.pattern {
            session.entitle(identity, None);
        }
        self.snapshots_due = if self.symbols == SYMBOLS { self.process.symbols() } else { self.symbols };
        let nothing = Begun { recovered: false, offset: 0 };
        if let Some(parts) = &mut self.parts {
            let mut parts: Vec<_> = std::mem::take(parts).into_iter().collect();
            // `"*"` before the named symbols, or after them.
            if hub > 0 {
                parts.reverse();
            }
            self.session = Some((session, Transport::WebSocket, hub, nothing));
            for (part, mode) in parts {
                self.subscribe(&part, mode, 0);
            }
            return;
        }
        let names = named(self.symbols);
        let wanted = Subscribe {
            symbols: names
                .iter()
                .map(|name| if name == "*" { Selector::All } else { Selector::Symbol(name.clone()) })
                .collect(),
            channels: ChannelSet::from_iter([Channel::Trades, Channel::Quotes]),
            mode: self.mode,
            on_lag: Some(self.on_lag),
            after: self.cursor.clone(),
        };
        let begun = match transport {
            Transport::WebSocket => {
                let names: Vec<_> = names.iter().map(String::as_str).collect();
                let text = request(&names, &["trades", "quotes"], self.mode, self.on_lag, self.cursor.as_ref());
                session.receive::<Native>(text.as_bytes(), now).unwrap();
                nothing
            }
            Transport::EventStream => session.stream(&wanted, now).unwrap(),
            Transport::Poll => session.answer(&wanted, now).unwrap(),
        };
        if transport == Transport::Poll {
            self.began(begun.recovered, hub, self.cursor.clone().as_ref());
        } else {
            self.asked.push(Asked::only(self.cursor.clone()));
        }
        self.session = Some((session, transport, hub, begun));
    }

    fn drain(&mut self, limit: usize) {
        let Some((session, transport, hub, begun)) = self.session.take() else { return };
        // A poll in mode `latest` has one answer without pages, and so have snapshots.
        let is_whole = transport == Transport::Poll && (self.mode != Mode::All || !begun.recovered);
        let limit = if is_whole { usize::MAX } else { limit };
        let messages = match self.writer.drain(&session, limit, self.time.0) {
            Drained::Messages(messages) => messages,
            Drained::Nothing => {
                self.session = Some((session, transport, hub, begun));
                return;
            }
            Drained::Ended => return self.disconnect(),
        };
        self.knowledge.epoch.clone_from(&self.process.epoch);
        let position = self.process.offset(hub);
        for message in &messages {
            if message["id"] == 2 {
                let part = self.ending.remove(0);
                self.knowledge.unsubscribed(&part);
            } else if message["type"] == "subscribed" {
                self.answered(message, hub);
            }
            if ["heartbeat", "pong"].iter().any(|kind| message["type"] == *kind) {
                self.hear(message["offset"].as_u64().unwrap());
                continue;
            }
            let topic = key_of(message);
            if let (Some((interval, last)), Some(topic)) = (&mut self.interval, topic.filter(|topic| !is_day(topic))) {
                let before = last.insert(topic, self.time.0);
                assert!(before.is_none_or(|before| self.time.0 >= before + *interval), "too early: {message}");
            }
            if is_event(message) {
                let offset = message["offset"].as_u64().unwrap();
                assert!(self.told.is_none_or(|told| offset <= told), "sent by a session that is to end: {message}");
                assert!(self.is_expected(&key_of(message).unwrap()), "no subscription: {message}");
            }
            self.knowledge.apply(message, &self.process, position);
            self.snapshots += u32::from(message["type"] == "snapshot");
            let is_whole = is_event(message) || (message["type"] == "snapshot" && self.snapshots == self.snapshots_due);
            if transport == Transport::WebSocket && is_whole {
                self.keep_cursor(message["offset"].as_u64().unwrap());
            }
        }
        match transport {
            Transport::WebSocket if messages.last().is_some_and(|last| last["type"] == "close") => {
                return self.closed(&session, hub);
            }
            Transport::WebSocket => {}
            Transport::EventStream => {
                let offset = session.outbox().borrow().cursor();
                if let Some(offset) = offset {
                    self.keep_cursor(offset.max(begun.offset));
                }
            }
            Transport::Poll => {
                // One answer; the next poll is another step.
                let offset = session.cursor(begun);
                if let Some(offset) = offset {
                    self.keep_cursor(offset);
                }
                if !messages.is_empty() {
                    return self.disconnect();
                }
            }
        }
        self.session = Some((session, transport, hub, begun));
    }

    fn keep_cursor(&mut self, offset: u64) {
        self.cursor = Some(Cursor { epoch: self.process.epoch.clone(), offset });
    }

    /// Lets every message arrive.
    pub(crate) fn settle(&mut self) {
        for hub in 0..HUBS {
            self.process.route(hub, usize::MAX, self.time.0);
        }
        if self.told.is_some() {
            self.end(End::Goodbye);
            self.step(Step::Drain(50));
        }
        for transport in [Transport::WebSocket, Transport::EventStream] {
            if self.session.is_none() || self.parts.is_none() {
                self.connect(transport, 0);
            }
            for _ in 0..400 {
                self.step(Step::Wait(500));
                self.step(Step::Drain(50));
            }
        }
        let is_published = |(_, channel): &Key| ["trades", "quotes", "day", "gap"].contains(&channel.as_str());
        let topics: Vec<_> = match &self.parts {
            Some(parts) => parts.keys().flat_map(covered).collect(),
            None => self.knowledge.seqs.keys().filter(|topic| is_published(topic)).cloned().collect(),
        };
        for topic in &topics {
            let newest = self.process.seq(topic);
            assert_eq!(self.knowledge.seqs.get(topic), Some(&newest), "the newest value of {topic:?} arrives");
            if self.parts.is_some() {
                self.knowledge.check_days(topic, &self.process);
            }
        }
    }
}
