//! A client of the small market of `cursor_world` that comes and goes, moves between transports, keeps its cursor as the
//! protocol tells it to, and checks everything that it gets.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::json;
use tickcast::domain::{Channel, ChannelSet};
use tickcast::hub::PushConfig;
use tickcast::protocol::Mode;
use tickcast::protocol::native::{Cursor, Selector, Subscribe};
use tickcast::session::{Begun, Session};

use crate::cursor_knowledge::Knowledge;
use crate::cursor_world::{Drained, PING, Process, SYMBOLS, Step, Time, Transport, drain, named, request};
use crate::view::{Key, is_event};

/// How many hubs a process has.
pub(crate) const HUBS: usize = 2;

/// A subscription that is to be answered.
struct Asked {
    cursor: Option<Cursor>,
    /// Its topic, if it is for one.
    topic: Option<Key>,
    mode: Mode,
    /// Whether the session gets that already.
    goes_on: bool,
    /// Where the hub was.
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
    /// The subscriptions that are to be answered.
    asked: Vec<Asked>,
    /// The cursor of a client that has one subscription.
    cursor: Option<Cursor>,
    /// How many snapshots of the present session have come: before all have, there is no cursor.
    snapshots: u32,
    /// How often a request to go back has been granted.
    pub(crate) recovered: u32,
    mode: Mode,
    /// The symbols of a client that has one subscription: so many of the first ones.
    symbols: u32,
    /// The topics of a client that has one subscription for each.
    parts: Option<BTreeMap<Key, Mode>>,
    /// Topics whose unsubscription is not answered yet: until then the client does not know where they have ended.
    ending: Vec<Key>,
}

impl Scene {
    /// Returns a client without a session; it has one subscription in this mode, or one for each topic.
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
            symbols: SYMBOLS,
            parts: by_parts.then(BTreeMap::new),
            ending: Vec::new(),
        }
    }

    /// Lets a client with one subscription want so many symbols only.
    pub(crate) fn narrow(mut self, symbols: u32) -> Self {
        self.symbols = symbols;
        self
    }

    /// Lets this happen.
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
            Some((session, Transport::WebSocket, ..)) if asked => session.receive(PING, self.time.0).unwrap(),
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
            // In mode `latest` a client of a WebSocket keeps a cursor for each topic.
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
            on_lag: None,
            after: self.cursor.clone(),
        };
        let begun = match transport {
            Transport::WebSocket => {
                let names: Vec<_> = names.iter().map(String::as_str).collect();
                session.receive(&request(&names, &["trades", "quotes"], self.mode, self.cursor.as_ref()), now).unwrap();
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
                session.receive(&text, self.time.0).unwrap();
                self.ending.push(topic);
            }
        }
    }

    fn ask_back(&mut self, topic: &Key, events: u64) {
        let Some(mode) = self.parts.as_mut().and_then(|parts| parts.get_mut(topic)) else { return };
        *mode = Mode::All;
        self.subscribe(topic, Mode::All, events, true);
    }

    /// Asks for a topic from so many events before its newest one.
    fn subscribe(&mut self, topic: &Key, mode: Mode, events: u64, goes_on: bool) {
        let Some((session, _, hub, _)) = &mut self.session else { return };
        let mut cursor = self.knowledge.cursors.get(topic).cloned();
        let position = self.process.offset(*hub);
        if let Some(cursor) = &mut cursor {
            cursor.offset = cursor.offset.saturating_sub(events);
        }
        session.receive(&request(&[&topic.0], &[&topic.1], mode, cursor.as_ref()), self.time.0).unwrap();
        self.asked.push(Asked { cursor, topic: Some(topic.clone()), mode, goes_on, position });
        if mode != Mode::All {
            self.knowledge.vouched.remove(topic);
        }
    }

    /// What goes on in a session is recovered from a cursor if everything after that has come, or will.
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

    /// Returns whether mode `latest` was asked for after a request: what is still to be read comes in that mode.
    fn is_conflated_later(&self, topic: &Key) -> bool {
        self.asked.iter().any(|asked| asked.mode != Mode::All && asked.topic.as_ref() == Some(topic))
    }

    /// Takes note that nothing may be skipped between a cursor and where the hub was when it was asked for.
    fn vouch(&mut self, cursor: &Cursor, topic: &Key, position: u64) {
        if !self.is_conflated_later(topic) {
            self.knowledge.vouched.entry(topic.clone()).or_default().push((cursor.offset, position));
        }
    }

    /// What the server says of a cursor must be so: what its hub keeps for certain is recovered.
    fn began(&mut self, recovered: bool, hub: usize, cursor: Option<Cursor>, topic: Option<Key>) {
        if let Some(cursor) = cursor {
            let is_ours = cursor.epoch == self.process.epoch;
            assert!(is_ours || !recovered, "nothing of another process is known");
            let missed = self.process.arrived(hub).saturating_sub(cursor.offset);
            assert!(recovered || !is_ours || missed >= self.events_kept as u64, "{missed} events are kept");
        }
        if !recovered {
            // What was kept is no good any more, and until all snapshots are there nothing is.
            self.cursor = None;
            topic.and_then(|topic| self.knowledge.cursors.remove(&topic));
        }
    }

    fn drain(&mut self, limit: usize) {
        let Some((session, transport, hub, begun)) = self.session.take() else { return };
        // A poll has no pages in mode `latest`, and none of snapshots.
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
                // One answer, and the next one is asked for at another time.
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

    /// A heartbeat or pong tells of each subscription that has a cursor and no answer to come.
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

    /// Lets everything arrive.
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
