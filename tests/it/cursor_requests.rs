//! The requests of the client of `cursor_client` with several subscriptions, of single symbols and of `"*"`, and what
//! their answers promise for each topic.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tickcast::protocol::native::Native;
use tickcast::protocol::{Cursor, Mode};

use crate::cursor_client::Scene;
use crate::cursor_knowledge::is_day;
use crate::cursor_world::{SYMBOLS, request};
use crate::view::Key;

/// A subscription without an answer yet.
pub(crate) struct Asked {
    cursor: Option<Cursor>,
    /// Empty for a client with one subscription.
    topics: Vec<Topic>,
    /// The hub's offset at the request.
    position: u64,
}

/// A topic of a request.
struct Topic {
    key: Key,
    /// Whether the session had the topic before.
    goes_on: bool,
    /// Whether the request sets its mode to `all`, and no later one to another mode: its unsent events would then be
    /// sent in that mode.
    is_all: bool,
}

impl Asked {
    /// Returns the request of a client with one subscription.
    pub(crate) fn only(cursor: Option<Cursor>) -> Self {
        Self { cursor, topics: Vec::new(), position: 0 }
    }

    fn has(&self, topic: &Key) -> bool {
        self.topics.iter().any(|each| each.key == *topic)
    }
}

/// Returns the topics of a subscription.
pub(crate) fn covered(part: &Key) -> Vec<Key> {
    let all = |symbol| (format!("S{symbol}"), part.1.clone());
    if part.0 == "*" { (0..SYMBOLS).map(all).collect() } else { vec![part.clone()] }
}

/// Returns the mode of a topic: its own if it was named, else that of `"*"`. `None` if it is not subscribed.
pub(crate) fn mode_of(parts: &BTreeMap<Key, Mode>, topic: &Key) -> Option<Mode> {
    parts.get(topic).or_else(|| parts.get(&("*".to_owned(), topic.1.clone()))).copied()
}

/// Returns whether the subscriptions have a topic in common.
fn overlap(one: &Key, other: &Key) -> bool {
    one.1 == other.1 && (one.0 == other.0 || one.0 == "*" || other.0 == "*")
}

impl Scene {
    /// Subscribes in this mode, or unsubscribes.
    pub(crate) fn ask(&mut self, part: Key, mode: Option<Mode>) {
        if self.ending.iter().any(|ending| overlap(ending, &part)) {
            return;
        }
        let Some(parts) = &mut self.parts else { return };
        if let Some(mode) = mode {
            self.subscribe(&part, mode, 0);
        } else if parts.remove(&part).is_some() {
            let text = json!({"action": "unsubscribe", "id": 2, "symbols": [part.0], "channels": [part.1]}).to_string();
            // A symbol that was named may go on in the mode of `"*"`.
            let conflated: Vec<_> = covered(&part).into_iter().filter(|topic| self.is_conflated(topic)).collect();
            for topic in &conflated {
                self.conflate(topic);
            }
            if let Some((session, ..)) = &mut self.session {
                session.receive::<Native>(text.as_bytes(), self.time.0).unwrap();
                self.told = self.told.map(|_| u64::MAX);
                self.knowledge.unsubscribed(&part);
                self.ending.push(part);
            }
        }
    }

    pub(crate) fn ask_back(&mut self, part: &Key, events: u64) {
        if self.parts.as_ref().is_some_and(|parts| parts.contains_key(part)) {
            self.subscribe(part, Mode::All, events);
        }
    }

    /// Subscribes with a cursor this many events before the newest one.
    pub(crate) fn subscribe(&mut self, part: &Key, mode: Mode, events: u64) {
        let Some(parts) = &mut self.parts else { return };
        let before: Vec<_> = covered(part).into_iter().map(|key| (mode_of(parts, &key).is_some(), key)).collect();
        parts.insert(part.clone(), mode);
        let topics: Vec<_> =
            before.into_iter().map(|(goes_on, key)| Topic { goes_on, is_all: !self.is_conflated(&key), key }).collect();
        let mut cursor = self.cursor_of(&topics);
        if let Some(cursor) = &mut cursor {
            cursor.offset = cursor.offset.saturating_sub(events);
        }
        let Some((session, _, hub, _)) = &mut self.session else { return };
        let text = request(&[&part.0], &[&part.1], mode, self.on_lag, cursor.as_ref());
        session.receive::<Native>(text.as_bytes(), self.time.0).unwrap();
        let position = self.process.offset(*hub);
        self.told = self.told.map(|_| u64::MAX);
        for topic in topics.iter().filter(|topic| !topic.is_all) {
            self.conflate(&topic.key);
        }
        self.asked.push(Asked { cursor, topics, position });
    }

    /// Returns the oldest cursor of the topics that the session does not have yet, or of all if it has them.
    fn cursor_of(&self, topics: &[Topic]) -> Option<Cursor> {
        let has_new = topics.iter().any(|topic| !topic.goes_on);
        let asked = topics.iter().filter(|topic| !has_new || !topic.goes_on);
        let cursors: Option<Vec<_>> = asked.map(|topic| self.knowledge.cursors.get(&topic.key)).collect();
        let cursors = cursors?;
        let oldest = *cursors.iter().min_by_key(|cursor| cursor.offset)?;
        cursors.iter().all(|cursor| cursor.epoch == oldest.epoch).then(|| oldest.clone())
    }

    fn is_conflated(&self, topic: &Key) -> bool {
        let mode = self.parts.as_ref().and_then(|parts| mode_of(parts, topic));
        mode.is_some_and(|mode| mode != Mode::All)
    }

    /// Records that events of the topic that are unsent, or in a recovery, may be skipped from now on.
    fn conflate(&mut self, topic: &Key) {
        self.knowledge.vouched.remove(topic);
        let topics = self.asked.iter_mut().flat_map(|asked| &mut asked.topics);
        topics.filter(|each| each.key == *topic).for_each(|each| each.is_all = false);
    }

    /// Returns whether an event of the topic may arrive.
    pub(crate) fn is_expected(&self, topic: &Key) -> bool {
        let Some(parts) = &self.parts else { return true };
        if is_day(topic) {
            // It comes with every channel of its symbol.
            return parts.keys().chain(&self.ending).any(|part| part.0 == "*" || part.0 == topic.0);
        }
        mode_of(parts, topic).is_some() || self.ending.iter().any(|ending| overlap(ending, topic))
    }

    /// Checks the answer to the first request without one.
    pub(crate) fn answered(&mut self, message: &Value, hub: usize) {
        let Asked { cursor, topics, position } = self.asked.remove(0);
        assert_eq!(message["recovered"].is_boolean(), cursor.is_some(), "{message}");
        let recovered = message["recovered"] == true;
        if topics.is_empty() {
            return self.began(recovered, hub, cursor.as_ref());
        }
        self.knowledge.begun = Some(topics.iter().map(|topic| topic.key.clone()).collect());
        if topics.iter().all(|topic| !topic.goes_on) {
            self.check_recovered(recovered, hub, cursor.as_ref());
        }
        let Some(cursor) = cursor.filter(|_| recovered) else {
            // The client has no cursor before the last snapshot.
            for topic in &topics {
                self.knowledge.cursors.remove(&topic.key);
            }
            return;
        };
        assert_eq!(cursor.epoch, self.process.epoch);
        self.recovered += u32::from(topics.iter().any(|topic| topic.goes_on));
        for topic in topics {
            if !topic.goes_on {
                self.knowledge.rewind(&topic.key, &cursor, &self.process);
            } else if topic.is_all {
                // Recovered if and only if every event after the cursor has been sent or will be.
                let missed = self.knowledge.missed.get(&topic.key).copied().unwrap_or_default();
                assert!(missed <= cursor.offset, "{missed} has not come, and is after {cursor:?}");
            }
            if topic.is_all {
                // No event between the cursor and the hub's offset at the request may be skipped.
                self.knowledge.vouched.entry(topic.key).or_default().push((cursor.offset, position));
            }
        }
    }

    /// Checks the beginning of a client with one subscription.
    pub(crate) fn began(&mut self, recovered: bool, hub: usize, cursor: Option<&Cursor>) {
        self.check_recovered(recovered, hub, cursor);
        if !recovered {
            // The old state is void, and the client has no cursor before the last snapshot.
            self.cursor = None;
            self.knowledge.begin_anew();
        }
    }

    /// Asserts that `recovered` is right for topics that the session did not have: a cursor within the guaranteed part
    /// of the ring must be recovered.
    fn check_recovered(&self, recovered: bool, hub: usize, cursor: Option<&Cursor>) {
        let Some(cursor) = cursor else { return };
        let is_ours = cursor.epoch == self.process.epoch;
        assert!(is_ours || !recovered, "nothing of another process is known");
        let missed = self.process.arrived(hub).saturating_sub(cursor.offset);
        assert!(recovered || !is_ours || missed >= self.events_kept as u64, "{missed} events are kept");
    }

    /// Takes a heartbeat or pong as cursor of each subscription that has a cursor and no unanswered request.
    pub(crate) fn hear(&mut self, offset: u64) {
        let Some(parts) = &self.parts else {
            if self.asked.is_empty() {
                self.cursor = self.cursor.take().map(|cursor| Cursor { offset: cursor.offset.max(offset), ..cursor });
            }
            return;
        };
        let is_asked = |topic: &Key| self.asked.iter().any(|asked| asked.has(topic));
        for (topic, cursor) in &mut self.knowledge.cursors {
            if mode_of(parts, topic).is_some() && !is_asked(topic) {
                cursor.offset = cursor.offset.max(offset);
            }
        }
    }
}
