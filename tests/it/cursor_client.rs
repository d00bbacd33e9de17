//! A client of the small market of `cursor_world` that disconnects and reconnects, moves between transports, keeps its
//! cursor as the protocol demands, and checks every message.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;
use tickcast::domain::{Channel, ChannelSet};
use tickcast::hub::PushConfig;
use tickcast::protocol::native::Native;
use tickcast::protocol::{Cursor, Mode, OnLag, Selector, Subscribe};
use tickcast::session::{Begun, Session};

use crate::cursor_knowledge::Knowledge;
use crate::cursor_world::{Drained, PING, Process, SYMBOLS, Step, Time, Transport, drain, named, request};
use crate::view::{Key, is_event, key_of};

/// Hubs per process.
pub(crate) const HUBS: usize = 2;

/// A subscription without an answer yet.
struct Asked {
    cursor: Option<Cursor>,
    /// Its topic, if it is for one.
    topic: Option<Key>,
    mode: Mode,
    /// Whether the session was subscribed to the topic before.
    goes_on: bool,
    /// The hub's offset at the request.
    position: u64,
}

/// One client, and the world around it.
pub(crate) struct Scene {
    process: Process,
    restarts: usize,
    push: PushConfig,
    events_kept: usize,
    time: Time,
    pub(crate) knowledge: Knowledge,
    pub(crate) session: Option<(Session, Transport, usize, Begun)>,
    /// Subscriptions without an answer yet.
    asked: Vec<Asked>,
    /// Cursor of a client with one subscription.
    cursor: Option<Cursor>,
    /// Snapshots received in the present session: before the last one, there is no cursor.
    snapshots: u32,
    /// Number of recovered subscriptions.
    pub(crate) recovered: u32,
    mode: Mode,
    on_lag: OnLag,
    /// Least time between two events of a topic, and when the last one of each came; only where no request changes it.
    interval: Option<(Duration, BTreeMap<Key, Instant>)>,
    /// Symbols of a client with one subscription: this many of the first ones.
    symbols: u32,
    /// Topics of a client with one subscription per topic.
    parts: Option<BTreeMap<Key, Mode>>,
    /// Topics with an unsubscription that is not answered yet: until then the client does not know at which event they
    /// end.
    ending: Vec<Key>,
}

impl Scene {
    /// Returns a client without a session, with one subscription in this mode, or one per topic.
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
            asked: Vec::new(),
            cursor: None,
            snapshots: 0,
            recovered: 0,
            mode,
            on_lag: OnLag::CatchUp,
            interval: None,
            symbols: SYMBOLS,
            parts: by_parts.then(BTreeMap::new),
            ending: Vec::new(),
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

    /// Executes a step.
    pub(crate) fn step(&mut self, step: Step) {
        let now = self.time.0;
        match step {
            Step::Publish(events) => self.process.publish(&events),
            Step::Trickle(events) => self.process.trickle(&events, now),
            Step::Route(hub, batches) => self.process.route(hub, batches, now),
            Step::RouteTurn(hub, batches) => self.process.route_turn(hub, batches, now),
            Step::Drain(limit) => self.drain(limit),
            Step::Lose(limit) => {
                if let Some((session, ..)) = &self.session {
                    drain(session, limit, now);
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
                self.process = Process::start(self.restarts, HUBS, self.events_kept, self.push);
            }
            Step::Ask(topic, mode) => self.ask(topic, mode),
            Step::AskBack(topic, events) => self.ask_back(&topic, events),
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

    fn disconnect(&mut self) {
        self.session = None;
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
        let nothing = Begun { recovered: false, offset: 0 };
        if let Some(parts) = self.parts.clone() {
            self.session = Some((session, Transport::WebSocket, hub, nothing));
            for (topic, mode) in parts {
                self.subscribe(&topic, mode, 0, false);
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
            self.began(begun.recovered, hub, self.cursor.clone(), None);
        } else {
            let (mode, position) = (self.mode, self.process.offset(hub));
            self.asked.push(Asked { cursor: self.cursor.clone(), topic: None, mode, goes_on: false, position });
        }
        self.session = Some((session, transport, hub, begun));
    }

    fn ask(&mut self, topic: Key, mode: Option<Mode>) {
        let Some(parts) = &mut self.parts else { return };
        if self.ending.contains(&topic) {
            return;
        }
        if let Some(mode) = mode {
            let goes_on = parts.insert(topic.clone(), mode).is_some();
            self.subscribe(&topic, mode, 0, goes_on);
        } else if parts.remove(&topic).is_some() {
            let text =
                json!({"action": "unsubscribe", "id": 2, "symbols": [topic.0], "channels": [topic.1]}).to_string();
            if let Some((session, ..)) = &mut self.session {
                session.receive::<Native>(text.as_bytes(), self.time.0).unwrap();
                self.ending.push(topic);
            }
        }
    }

    fn ask_back(&mut self, topic: &Key, events: u64) {
        let Some(mode) = self.parts.as_mut().and_then(|parts| parts.get_mut(topic)) else { return };
        *mode = Mode::All;
        self.subscribe(topic, Mode::All, events, true);
    }

    /// Subscribes to a topic with a cursor this many events before its newest one.
    fn subscribe(&mut self, topic: &Key, mode: Mode, events: u64, goes_on: bool) {
        let Some((session, _, hub, _)) = &mut self.session else { return };
        let mut cursor = self.knowledge.cursors.get(topic).cloned();
        let position = self.process.offset(*hub);
        if let Some(cursor) = &mut cursor {
            cursor.offset = cursor.offset.saturating_sub(events);
        }
        let text = request(&[&topic.0], &[&topic.1], mode, self.on_lag, cursor.as_ref());
        session.receive::<Native>(text.as_bytes(), self.time.0).unwrap();
        self.asked.push(Asked { cursor, topic: Some(topic.clone()), mode, goes_on, position });
        if mode != Mode::All {
            self.knowledge.vouched.remove(topic);
        }
    }

    /// Asserts that a subscription which the session already had is recovered if and only if every event after the
    /// cursor has been sent or will be.
    fn went_on(&mut self, recovered: bool, mode: Mode, cursor: &Cursor, topic: &Key) {
        if recovered {
            self.recovered += 1;
            assert_eq!(cursor.epoch, self.process.epoch);
            if mode != Mode::All || self.is_conflated_later(topic) {
                return;
            }
            let missed = self.knowledge.missed.get(topic).copied().unwrap_or_default();
            assert!(missed <= cursor.offset, "{missed} has not come, and is after {cursor:?}");
        } else {
            self.knowledge.cursors.remove(topic);
        }
    }

    /// Returns whether mode `latest` was requested after the request for all events: the unsent events are then sent in
    /// that mode.
    fn is_conflated_later(&self, topic: &Key) -> bool {
        self.asked.iter().any(|asked| asked.mode != Mode::All && asked.topic.as_ref() == Some(topic))
    }

    /// Records that no event between the cursor and the hub's offset at the request may be skipped.
    fn vouch(&mut self, cursor: &Cursor, topic: &Key, position: u64) {
        if !self.is_conflated_later(topic) {
            self.knowledge.vouched.entry(topic.clone()).or_default().push((cursor.offset, position));
        }
    }

    /// Asserts that `recovered` is right: a cursor within the guaranteed part of the ring must be recovered.
    fn began(&mut self, recovered: bool, hub: usize, cursor: Option<Cursor>, topic: Option<Key>) {
        if let Some(cursor) = cursor {
            let is_ours = cursor.epoch == self.process.epoch;
            assert!(is_ours || !recovered, "nothing of another process is known");
            let missed = self.process.arrived(hub).saturating_sub(cursor.offset);
            assert!(recovered || !is_ours || missed >= self.events_kept as u64, "{missed} events are kept");
        }
        if !recovered {
            // The old state is void, and the client has no cursor before the last snapshot.
            self.cursor = None;
            topic.and_then(|topic| self.knowledge.cursors.remove(&topic));
        }
    }

    fn drain(&mut self, limit: usize) {
        let Some((session, transport, hub, begun)) = self.session.take() else { return };
        // A poll in mode `latest` has one answer without pages, and so have snapshots.
        let is_whole = transport == Transport::Poll && (self.mode != Mode::All || !begun.recovered);
        let limit = if is_whole { usize::MAX } else { limit };
        let messages = match drain(&session, limit, self.time.0) {
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
                self.ending.remove(0);
            } else if message["type"] == "subscribed" {
                let Asked { cursor, topic, mode, goes_on, position } = self.asked.remove(0);
                self.knowledge.begun.clone_from(&topic);
                assert_eq!(message["recovered"].is_boolean(), cursor.is_some(), "{message}");
                let recovered = message["recovered"] == true;
                if let (true, Mode::All, Some(cursor), Some(topic)) = (recovered, mode, &cursor, &topic) {
                    self.vouch(cursor, topic, position);
                }
                match (cursor, topic) {
                    (Some(cursor), Some(topic)) if goes_on => self.went_on(recovered, mode, &cursor, &topic),
                    (cursor, topic) => self.began(recovered, hub, cursor, topic),
                }
            }
            if ["heartbeat", "pong"].iter().any(|kind| message["type"] == *kind) {
                self.hear(message["offset"].as_u64().unwrap());
                continue;
            }
            if let (Some((interval, last)), true) = (&mut self.interval, is_event(message)) {
                let before = last.insert(key_of(message).unwrap(), self.time.0);
                assert!(before.is_none_or(|before| self.time.0 >= before + *interval), "too early: {message}");
            }
            self.knowledge.apply(message, &self.process, position);
            self.snapshots += u32::from(message["type"] == "snapshot");
            let is_whole = is_event(message) || (message["type"] == "snapshot" && self.snapshots == self.symbols);
            if transport == Transport::WebSocket && is_whole {
                self.keep_cursor(message["offset"].as_u64().unwrap());
            }
        }
        match transport {
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

    /// Takes a heartbeat or pong as cursor of each subscription that has a cursor and no unanswered request.
    fn hear(&mut self, offset: u64) {
        if self.parts.is_none() && self.asked.is_empty() {
            self.cursor = self.cursor.take().map(|cursor| Cursor { offset: cursor.offset.max(offset), ..cursor });
        }
        for topic in self.parts.iter().flat_map(BTreeMap::keys) {
            let is_asked = self.asked.iter().any(|asked| asked.topic.as_ref() == Some(topic));
            if let Some(cursor) = self.knowledge.cursors.get_mut(topic).filter(|_| !is_asked) {
                cursor.offset = cursor.offset.max(offset);
            }
        }
    }

    fn keep_cursor(&mut self, offset: u64) {
        self.cursor = Some(Cursor { epoch: self.process.epoch.clone(), offset });
    }

    /// Lets every message arrive.
    pub(crate) fn settle(&mut self) {
        for hub in 0..HUBS {
            self.process.route(hub, usize::MAX, self.time.0);
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
        for (key, seq) in &self.knowledge.seqs {
            let wanted = self.parts.as_ref().is_none_or(|parts| parts.contains_key(key));
            let is_quote = key.1 == "quotes";
            if wanted && (is_quote || key.1 == "trades") {
                let newest = self.process.seq(key.0[1..].parse().unwrap(), is_quote);
                assert_eq!(*seq, newest, "the newest value of {key:?} arrives");
            }
        }
    }
}
