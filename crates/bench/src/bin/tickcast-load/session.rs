//! One session as its client sees it: takes whole messages, counts events, follows their `seq`, and says what a client
//! has to say. No socket.
//!
//! A tickcast server is known by its `welcome`. It is then asked for a `list` behind the subscription, whose answer keeps
//! its place in the stream: when it comes, every snapshot has come. At the end the session subscribes again and asks for
//! another `list`; the snapshots between tell where each stream stands at that very place.

use serde::Deserialize;
use tickcast_core::domain::Channel;

use crate::frame::{self, FrameError, Incoming};
use crate::options::Unit;
use crate::scan::{Object, scan};
use crate::sequence::{Completeness, SequenceTable, SymbolNumbers};
use crate::tally::Tally;

/// Asks for an answer behind the first snapshots.
pub(crate) const LIST_READY: &str = r#"{"action":"list","id":"tickcast-load:ready"}"#;
/// Asks for an answer behind the final snapshots.
const LIST_VERIFIED: &str = r#"{"action":"list","id":"tickcast-load:verified"}"#;
/// Answers that wait for the socket beyond which the server is taken to be hostile, in bytes.
const OUTBOUND_BYTES_MAX: usize = 1 << 20;

/// How far a session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing is known of the server's protocol.
    Foreign,
    /// Subscribed, not all snapshots are there.
    Subscribing,
    /// Every snapshot is there.
    Ready,
    /// Asked for the final snapshots.
    Verifying,
    /// Has them: [`Completeness`] is complete to the end.
    Verified,
}

/// Why a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionEnd {
    /// The server has closed it, with this code.
    Closed(u16),
    /// What the server sends cannot be understood.
    Broken(FrameError),
}

impl From<FrameError> for SessionEnd {
    fn from(err: FrameError) -> Self {
        Self::Broken(err)
    }
}

/// What all sessions share while they read.
#[derive(Debug)]
pub(crate) struct Reception {
    /// What has come.
    pub(crate) tally: Tally,
    /// The numbers of the symbols.
    pub(crate) symbols: SymbolNumbers,
    /// The key of the time stamp; empty to count messages.
    pub(crate) ts_key: Vec<u8>,
    /// The unit of the time stamp.
    pub(crate) ts_unit: Unit,
    /// The channels whose `seq` a snapshot vouches for.
    pub(crate) channels: Vec<Channel>,
}

/// One client.
#[derive(Debug)]
pub(crate) struct Session {
    standing: Standing,
    mask: [u8; 4],
    subscribe: Vec<String>,
    sequences: SequenceTable,
    lag_skipped: u64,
    events: u64,
    events_before: u64,
    /// Frames that wait for the socket.
    pub(crate) outbound: Vec<u8>,
}

impl Session {
    /// Returns a session that will subscribe with these messages.
    pub(crate) fn new(number: usize, subscribe: Vec<String>) -> Self {
        let [a, b, c, d, ..] = (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
        Self {
            standing: Standing::Foreign,
            mask: [a, b, c, d],
            subscribe,
            sequences: SequenceTable::default(),
            lag_skipped: 0,
            events: 0,
            events_before: 0,
            outbound: Vec::new(),
        }
    }

    /// Returns how far it has come.
    pub(crate) fn standing(&self) -> Standing {
        self.standing
    }

    /// Subscribes.
    pub(crate) fn subscribe(&mut self) {
        for text in &self.subscribe {
            frame::append_frame(&mut self.outbound, frame::TEXT, text.as_bytes(), self.mask);
        }
    }

    /// Asks a tickcast server where every stream stands.
    pub(crate) fn verify(&mut self) {
        if self.standing == Standing::Ready && !self.subscribe.is_empty() {
            self.standing = Standing::Verifying;
            self.subscribe();
            self.say(frame::TEXT, LIST_VERIFIED.as_bytes());
        }
    }

    /// Says that the session ends.
    pub(crate) fn close(&mut self) {
        self.say(frame::CLOSE, &1000_u16.to_be_bytes());
    }

    /// Says something to a server from which nothing is read, so that it tells whether it still holds the connection.
    pub(crate) fn probe(&mut self) {
        self.say(frame::PONG, b"");
    }

    fn say(&mut self, opcode: u8, payload: &[u8]) {
        frame::append_frame(&mut self.outbound, opcode, payload, self.mask);
    }

    /// Begins the count of [`events_in_window`](Self::events_in_window).
    pub(crate) fn begin_window(&mut self) {
        self.events_before = self.events;
    }

    /// Returns how many events have come since the window began.
    pub(crate) fn events_in_window(&self) -> u64 {
        self.events - self.events_before
    }

    /// Returns what is known of its streams.
    pub(crate) fn completeness(&self) -> Completeness {
        self.sequences.completeness()
    }

    /// Returns how much the server has announced as skipped.
    pub(crate) fn lag_skipped(&self) -> u64 {
        self.lag_skipped
    }

    /// Takes what the server has sent, read at `now` (microseconds since 1970).
    ///
    /// # Errors
    ///
    /// Returns why the session is over.
    #[inline]
    pub(crate) fn receive(
        &mut self,
        incoming: Incoming<'_>,
        now: i64,
        reception: &mut Reception,
    ) -> Result<(), SessionEnd> {
        match incoming {
            Incoming::Message(text) => self.take_message(text, now, reception),
            Incoming::Ping(_) if self.outbound.len() > OUTBOUND_BYTES_MAX => {
                return Err(SessionEnd::Broken(FrameError::TooBig));
            }
            Incoming::Ping(payload) => self.say(frame::PONG, payload),
            Incoming::Pong => {}
            Incoming::Close(code) => return Err(SessionEnd::Closed(code)),
        }
        Ok(())
    }

    #[inline]
    fn take_message(&mut self, text: &[u8], now: i64, reception: &mut Reception) {
        let Reception { tally, symbols, ts_key, ts_unit, channels } = reception;
        if ts_key.is_empty() {
            tally.counters.events += 1;
            self.events += 1;
            return;
        }
        let scanned = scan(text, ts_key, &mut |object| match (object.kind, object.ts) {
            (b"snapshot" | b"subscribed" | b"lag" | b"welcome" | b"error" | b"heartbeat" | b"pong" | b"goodbye", _) => {
                self.take_control(object, tally, symbols, channels);
            }
            (_, None) => {}
            (b"bar", Some(_)) => self.take_event(object, tally, symbols),
            (_, Some(ts)) => {
                tally.take_latency(ts_unit.micros(ts), now);
                self.take_event(object, tally, symbols);
            }
        });
        tally.counters.malformed += u64::from(scanned.is_err());
    }

    #[inline]
    fn take_event(&mut self, object: &Object<'_>, tally: &mut Tally, symbols: &mut SymbolNumbers) {
        tally.counters.events += 1;
        self.events += 1;
        let Some(seq) = object.seq else { return };
        let channel = match object.kind {
            b"quote" => Channel::Quotes,
            b"bar" => bar_channel(object.interval),
            _ => Channel::Trades,
        };
        if let Some(stream) = symbols.stream(object.symbol, channel) {
            self.sequences.take_event(stream, seq, object.skipped);
        }
    }

    #[cold]
    fn take_control(
        &mut self,
        object: &Object<'_>,
        tally: &mut Tally,
        symbols: &mut SymbolNumbers,
        channels: &[Channel],
    ) {
        match object.kind {
            b"snapshot" => self.take_snapshot(object, symbols, channels),
            b"welcome" if self.standing == Standing::Foreign && is_tickcast(object) => {
                self.standing = Standing::Ready;
                if !self.subscribe.is_empty() {
                    self.standing = Standing::Subscribing;
                    self.say(frame::TEXT, LIST_READY.as_bytes());
                }
            }
            b"subscribed" => match (object.id, self.standing) {
                (b"tickcast-load:ready", Standing::Subscribing) => self.standing = Standing::Ready,
                (b"tickcast-load:verified", Standing::Verifying) => self.standing = Standing::Verified,
                _ => {}
            },
            b"lag" => {
                self.lag_skipped += object.skipped;
                tally.counters.lags += 1;
                tally.counters.lag_skipped += object.skipped;
            }
            b"error" => tally.take_error(object.raw),
            _ => {}
        }
    }

    fn take_snapshot(&mut self, object: &Object<'_>, symbols: &mut SymbolNumbers, channels: &[Channel]) {
        let Ok(snapshot) = serde_json::from_slice::<Snapshot>(object.raw) else { return };
        for channel in channels {
            let seq = snapshot.seq.get(channel.name()).copied();
            if let Some((seq, stream)) = seq.zip(symbols.stream(object.symbol, *channel)) {
                self.sequences.take_snapshot(stream, seq);
            }
        }
    }
}

#[derive(Deserialize)]
struct Snapshot {
    seq: std::collections::HashMap<String, u64>,
}

#[derive(Deserialize)]
struct Welcome<'a> {
    protocol: &'a str,
}

fn is_tickcast(object: &Object<'_>) -> bool {
    serde_json::from_slice::<Welcome<'_>>(object.raw).is_ok_and(|welcome| welcome.protocol.starts_with("tickcast."))
}

fn bar_channel(interval: &[u8]) -> Channel {
    let named = |channel: &Channel| channel.name().strip_prefix("bars.").map(str::as_bytes) == Some(interval);
    Channel::ALL.into_iter().find(named).unwrap_or(Channel::Trades)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELCOME: &str = r#"[{"type":"welcome","protocol":"tickcast.v1","session":"a","epoch":"b","offset":1}]"#;

    fn reception(ts_key: &str) -> Reception {
        Reception {
            tally: Tally::new(),
            symbols: SymbolNumbers::default(),
            ts_key: ts_key.into(),
            ts_unit: Unit::Us,
            channels: vec![Channel::Trades],
        }
    }

    fn run(texts: &[&str]) -> (Session, Reception) {
        let (mut session, mut reception) = (Session::new(0, vec!["hello".into()]), reception("ts"));
        for text in texts {
            session.receive(Incoming::Message(text.as_bytes()), 1_000, &mut reception).unwrap();
            if session.standing == Standing::Ready {
                session.verify();
            }
        }
        (session, reception)
    }

    fn snapshot(seq: u64) -> String {
        format!(r#"{{"type":"snapshot","symbol":"A","offset":1,"ts":900,"seq":{{"trades":{seq},"quotes":99}}}}"#)
    }

    fn trade(seq: u64) -> String {
        format!(r#"{{"type":"trade","symbol":"A","seq":{seq},"ts":900}}"#)
    }

    #[test]
    fn a_tickcast_session_is_verified_by_the_snapshots_at_its_end() {
        let first = format!(r#"[{{"type":"subscribed","id":0,"subscriptions":[{{"symbol":"A"}}]}},{}]"#, snapshot(5));
        let ready = format!(r#"[{{"type":"subscribed","id":"tickcast-load:ready","subscriptions":[]}},{}]"#, trade(6));
        let last = format!(r#"[{},{},{{"type":"subscribed","id":"tickcast-load:verified"}}]"#, trade(7), snapshot(8));
        let (session, reception) = run(&[WELCOME, &first, &ready, &last]);
        assert_eq!(session.standing(), Standing::Verified);
        let counts = session.completeness();
        assert_eq!((counts.streams, counts.due, counts.arrived, counts.missing), (1, 3, 2, 1), "number 8 never came");
        assert_eq!((reception.tally.counters.events, session.events_in_window()), (2, 2));
    }

    #[test]
    fn lag_errors_and_pings_are_taken_note_of() {
        let text =
            r#"[{"type":"lag","skipped":7,"since_offset":3},{"type":"error","code":"flood","message":"m"},nonsense"#;
        let (mut session, mut reception) = run(&[text, r#"{"type":"heartbeat","ts":1}"#]);
        let counters = reception.tally.counters;
        assert_eq!((counters.lags, counters.lag_skipped, counters.errors, counters.malformed), (1, 7, 1, 1));
        assert_eq!((counters.events, session.lag_skipped()), (0, 7));
        assert!(reception.tally.first_error.is_some_and(|text| text.contains("flood")));
        reception.tally.first_error = None;
        session.receive(Incoming::Ping(b"x"), 0, &mut reception).unwrap();
        assert_eq!(session.outbound.len(), 7, "a masked pong");
        assert_eq!(session.receive(Incoming::Close(1001), 0, &mut reception), Err(SessionEnd::Closed(1001)));
    }

    #[test]
    fn other_servers_need_no_seq_and_no_type() {
        let nested = r#"{"stream":"x","data":[{"s":"A","ts":400},{"s":"B","ts":500}]}"#;
        let (session, reception) = run(&[nested, r#"{"ts":600}"#, "\"hello\""]);
        assert_eq!((reception.tally.counters.events, session.completeness().streams), (3, 0));
        assert_eq!(session.standing(), Standing::Foreign);

        let mut session = Session::new(0, Vec::new());
        let mut reception = self::reception("");
        session.receive(Incoming::Message(b"\x00\x01"), 0, &mut reception).unwrap();
        assert_eq!((reception.tally.counters.events, reception.tally.counters.malformed), (1, 0));
    }

    #[test]
    fn bars_are_streams_of_their_own_and_have_no_latency() {
        let bar = |interval| format!(r#"{{"type":"bar","symbol":"A","interval":"{interval}","seq":4,"ts":0}}"#);
        let (session, reception) = run(&[&bar("1m"), &bar("1s"), &trade(4)]);
        assert_eq!(session.completeness().streams, 3);
        assert_eq!((session.completeness().repeated, reception.tally.latency.len()), (0, 0));
    }
}
