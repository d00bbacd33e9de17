//! Received events of the clients: completeness by `seq`, latency, and order. No socket.
//!
//! An event belongs to the window by its own time stamp, however late it arrived, so late events are included.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hasher};

use tickcast_core::domain::Channel;

use crate::compare::result::GroupResult;
use crate::compare::tail::{Tail, seq_of_snapshot};
use crate::latency::Latencies;
use crate::scan::{Object, scan};
use crate::sequence::{SequenceTable, SymbolNumbers};

/// Distinct events of the window are counted up to this number, which is enough for a percentile.
const DIFFERENT_MAX: usize = 1_000;

/// The received events of all clients of one transport.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    /// Start and end of the window, in microseconds since 1970; empty before it begins.
    pub(crate) window: (i64, i64),
    /// The counts so far; `events` since the start.
    pub(crate) result: GroupResult,
    /// The microseconds from the time stamp of each event of the window to the read.
    pub(crate) latency: Latencies,
    /// The offsets of the first distinct events of the window.
    pub(crate) different: HashSet<u64>,
    symbols: SymbolNumbers,
}

/// The received events of one client.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Whether its subscription or its first poll has been answered.
    pub(crate) is_subscribed: bool,
    offset: u64,
    /// The time stamp of its newest event.
    pub(crate) newest: i64,
    /// Hash over the offsets of all events of the window, in their order.
    pub(crate) digest: DefaultHasher,
    sequences: SequenceTable,
}

impl Ledger {
    /// Takes a text that was read at `now`, in microseconds since 1970. Returns the cursor of the answer to a poll.
    pub(crate) fn take_text(&mut self, text: &[u8], now: i64, intake: &mut Intake) -> Option<String> {
        let mut cursor = None;
        let is_json = scan(text, &mut |object| match object.kind {
            b"trade" => self.take_event(object, now, intake),
            b"snapshot" => {
                self.is_subscribed = true;
                self.take_snapshot(object.symbol, seq_of_snapshot(object), intake);
            }
            b"subscribed" => self.is_subscribed = true,
            b"lag" | b"error" | b"goodbye" => intake.result.faults += 1,
            b"" if !object.cursor.is_empty() => {
                self.is_subscribed = true;
                cursor = Some(String::from_utf8_lossy(object.cursor).into_owned());
            }
            _ => {}
        });
        intake.result.faults += u64::from(!is_json);
        cursor
    }

    /// Takes the `seq` of a symbol; the next event has the next one. A later snapshot with a higher `seq` reveals missing events.
    fn take_snapshot(&mut self, symbol: &[u8], seq: Option<u64>, intake: &mut Intake) {
        match seq.zip(intake.symbols.stream(symbol, Channel::Trades)) {
            Some((seq, stream)) => self.sequences.take_snapshot(stream, seq),
            None => intake.result.faults += 1,
        }
    }

    fn take_event(&mut self, object: &Object<'_>, now: i64, intake: &mut Intake) {
        intake.result.events += 1;
        let has_snapshot = |stream: &_| self.sequences.last(*stream).is_some();
        let stream = intake.symbols.stream(object.symbol, Channel::Trades).filter(has_snapshot);
        let (Some(offset), Some(seq), Some(ts), Some(stream)) = (object.offset, object.seq, object.ts, stream) else {
            intake.result.faults += 1;
            return;
        };
        if offset <= self.offset || !self.sequences.take_event(stream, seq, 0) {
            intake.result.repeated += 1;
            return;
        }
        (self.offset, self.newest) = (offset, ts);
        if (intake.window.0..intake.window.1).contains(&ts) {
            intake.result.events_due += 1;
            self.digest.write_u64(offset);
            intake.latency.saturating_record(u64::try_from(now - ts).unwrap_or(0));
            if intake.different.len() < DIFFERENT_MAX {
                intake.different.insert(offset);
            }
        }
    }

    /// Returns whether all events of these symbols (separated by commas) up to `tail` have arrived or are known to be missing.
    pub(crate) fn is_up_to(&self, symbols: &str, tail: &Tail, intake: &mut Intake) -> bool {
        symbols.split(',').all(|symbol| {
            let stream = intake.symbols.stream(symbol.as_bytes(), Channel::Trades);
            let last = stream.and_then(|stream| self.sequences.last(stream));
            last.zip(tail.seq(symbol)).is_some_and(|(last, seq)| last >= seq)
        })
    }

    /// Ends the measurement: events up to `tail` that have not arrived are missing. A symbol without a snapshot is a fault.
    pub(crate) fn finish(&mut self, symbols: &str, tail: &Tail, intake: &mut Intake) {
        for symbol in symbols.split(',') {
            let stream = intake.symbols.stream(symbol.as_bytes(), Channel::Trades);
            let is_known = stream.is_some_and(|stream| self.sequences.last(stream).is_some());
            self.take_snapshot(symbol.as_bytes(), tail.seq(symbol).filter(|_| is_known), intake);
        }
        intake.result.missing += self.sequences.completeness().missing;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trade(offset: u64, seq: u64, ts: i64) -> String {
        format!(r#"{{"type":"trade","symbol":"A","seq":{seq},"offset":{offset},"ts":{ts}}}"#)
    }

    fn snapshot(seq: u64) -> String {
        format!(r#"{{"type":"snapshot","symbol":"A","offset":0,"ts":0,"seq":{{"trades":{seq},"quotes":9}}}}"#)
    }

    /// Takes these messages, which were all read at `now`; the server's last event is `last`.
    fn received(last: u64, window: (i64, i64), now: i64, messages: &[String]) -> (Ledger, Intake) {
        let (mut ledger, mut intake) = (Ledger::default(), Intake { window, ..Intake::default() });
        ledger.take_text(format!("[{}]", messages.join(",")).as_bytes(), now, &mut intake);
        ledger.finish("A", &Tail::from([("A", last)]), &mut intake);
        (ledger, intake)
    }

    #[test]
    fn missing_and_repeated_events_are_counted() {
        let events = [(5, 1, 10), (5, 1, 10), (9, 4, 20), (8, 3, 19), (9, 5, 21)];
        let messages = [vec![snapshot(0)], events.map(|(offset, seq, ts)| trade(offset, seq, ts)).into()].concat();
        let (ledger, Intake { result, .. }) = received(6, (0, 15), 21, &messages);
        assert_eq!((result.repeated, result.missing, result.events_due, result.events), (3, 4, 1, 5));
        assert_eq!(ledger.newest, 20);
        let (_, Intake { result, .. }) = received(4, (0, 15), 21, &messages);
        assert_eq!((result.missing, result.faults), (2, 0), "2 and 3, and none at the end");
    }

    #[test]
    fn a_client_is_up_to_date_when_it_has_a_snapshot_and_the_last_event_of_each_symbol() {
        let messages = [snapshot(2), trade(5, 3, 10)];
        let (mut ledger, mut intake) = (Ledger::default(), Intake::default());
        ledger.take_text(format!("[{}]", messages.join(",")).as_bytes(), 11, &mut intake);
        for (symbols, last, is_up_to) in [("A", 3, true), ("A", 4, false), ("A,B", 3, false)] {
            let tail = Tail::from([("A", last), ("B", 0)]);
            assert_eq!(ledger.is_up_to(symbols, &tail, &mut intake), is_up_to, "{symbols} {last}");
        }
        let mut intake = Intake::default();
        Ledger::default().finish("A", &Tail::from([("A", 9)]), &mut intake);
        assert_eq!((intake.result.faults, intake.result.missing), (1, 0), "a client without any event is not clean");
    }

    #[test]
    fn an_event_without_a_snapshot_is_a_fault() {
        let bad = r#"{"type":"snapshot","symbol":"A","offset":9,"ts":5}"#.to_owned();
        let (_, Intake { result, .. }) = received(0, (0, 100), 60, &[trade(12, 10, 50), bad]);
        assert_eq!((result.faults, result.events_due), (3, 0), "the event, the snapshot, and the symbol at the end");
    }

    #[test]
    fn the_same_event_for_two_clients_is_one_distinct_event() {
        let mut intake = Intake { window: (0, 100), ..Intake::default() };
        for _ in 0..2 {
            let text = format!("[{},{},{}]", snapshot(0), trade(5, 1, 10), trade(6, 2, 11));
            Ledger::default().take_text(text.as_bytes(), 20, &mut intake);
        }
        assert_eq!((intake.result.events_due, intake.different.len()), (4, 2));
    }

    #[test]
    fn the_digest_depends_on_the_events_and_their_order() {
        let digest =
            |now, events: &[String]| received(0, (0, 100), now, &[&[snapshot(0)], events].concat()).0.digest.finish();
        let events = [trade(1, 1, 10), trade(2, 2, 20)];
        assert_eq!(digest(21, &events), digest(60, &events), "late is the same");
        assert_ne!(digest(21, &events), digest(21, &events[..1]));
        assert_ne!(digest(21, &events), digest(21, &[trade(1, 1, 10), trade(3, 2, 20)]));
    }

    #[test]
    fn the_cursor_of_a_poll_and_faults_are_found() {
        let (mut ledger, mut intake) = (Ledger::default(), Intake::default());
        assert_eq!(ledger.take_text(snapshot(0).as_bytes(), 1, &mut intake), None);
        let poll =
            format!(r#"{{"epoch":"e","offset":3,"cursor":"e:3","recovered":true,"messages":[{}]}}"#, trade(3, 1, 5));
        let cursor = ledger.take_text(poll.as_bytes(), 9, &mut intake);
        assert_eq!((cursor.as_deref(), ledger.is_subscribed, intake.result.events), (Some("e:3"), true, 1));
        ledger.take_text(br#"[{"type":"lag","skipped":7},{"type":"trade","symbol":"A"},"#, 9, &mut intake);
        assert_eq!(intake.result.faults, 3, "the lag, the event without numbers, the end that is missing");
    }
}
