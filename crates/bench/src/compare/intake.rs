//! Received events of the clients: completeness by `seq`, latency, and order. No socket.
//!
//! An event belongs to the window by its own time stamp, however late it arrived, so late events are included.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hasher};

use crate::compare::tail::{Tail, seq_of_snapshot};
use crate::latency::Latencies;
use crate::scan::{Object, scan};

/// Distinct events of the window are counted up to this number, which is enough for a percentile.
const DIFFERENT_MAX: usize = 1_000;

/// The received events of all clients of one transport.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    /// Start and end of the window, in microseconds since 1970; empty before it begins.
    pub(crate) window: (i64, i64),
    /// Events received since the start.
    pub(crate) events: u64,
    /// Events with a time stamp in the window, and the microseconds from there to the read.
    pub(crate) due: u64,
    pub(crate) latency: Latencies,
    /// The offsets of the first distinct events of the window.
    pub(crate) different: HashSet<u64>,
    /// Events that were repeated or out of order.
    pub(crate) repeated: u64,
    /// Missing events, by the `seq` of their symbol from its snapshot on.
    pub(crate) missing: u64,
    /// Events without `seq`, `offset` or a snapshot before them, symbols without a snapshot, `lag`, `error`, and texts that are not
    /// JSON.
    pub(crate) faults: u64,
}

/// The received events of one client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    offset: u64,
    /// The time stamp of its newest event.
    pub(crate) newest: i64,
    /// Hash over the offsets of all events of the window, in their order.
    digest: DefaultHasher,
    /// By symbol the `seq` of the newest event, which arrived itself or is included in a snapshot.
    seqs: HashMap<Box<[u8]>, u64>,
}

/// Contents of a text other than events.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// Whether it contains the answer to the subscription, or a snapshot.
    pub(crate) is_subscribed: bool,
    /// The cursor of the answer to a poll.
    pub(crate) cursor: Option<String>,
}

impl Ledger {
    /// Takes a text that was read at `now`, in microseconds since 1970.
    pub(crate) fn take_text(&mut self, text: &[u8], now: i64, intake: &mut Intake) -> Said {
        let mut said = Said::default();
        let scanned = scan(text, &mut |object| match object.kind {
            b"trade" => self.take_event(object, now, intake),
            b"snapshot" => {
                said.is_subscribed = true;
                self.take_snapshot(object, intake);
            }
            b"subscribed" => said.is_subscribed = true,
            b"lag" | b"error" | b"goodbye" => intake.faults += 1,
            b"" if !object.cursor.is_empty() => {
                said.cursor = Some(String::from_utf8_lossy(object.cursor).into_owned());
            }
            _ => {}
        });
        intake.faults += u64::from(scanned.is_err());
        said
    }

    /// Takes the `seq` of a symbol; the next event has the next one. A later snapshot with a higher `seq` reveals missing events.
    fn take_snapshot(&mut self, object: &Object<'_>, intake: &mut Intake) {
        let Some(seq) = seq_of_snapshot(object) else {
            intake.faults += 1;
            return;
        };
        match self.seqs.entry(object.symbol.into()) {
            Entry::Occupied(mut last) => {
                intake.missing += seq.saturating_sub(*last.get());
                last.insert(seq.max(*last.get()));
            }
            Entry::Vacant(place) => drop(place.insert(seq)),
        }
    }

    fn take_event(&mut self, object: &Object<'_>, now: i64, intake: &mut Intake) {
        intake.events += 1;
        let (Some(offset), Some(seq), Some(ts), Some(last)) =
            (object.offset, object.seq, object.ts, self.seqs.get_mut(object.symbol))
        else {
            intake.faults += 1;
            return;
        };
        if offset <= self.offset || seq <= *last {
            intake.repeated += 1;
            return;
        }
        intake.missing += seq - *last - 1;
        (self.offset, self.newest, *last) = (offset, ts, seq);
        if (intake.window.0..intake.window.1).contains(&ts) {
            intake.due += 1;
            self.digest.write_u64(offset);
            intake.latency.saturating_record(u64::try_from(now - ts).unwrap_or(0));
            if intake.different.len() < DIFFERENT_MAX {
                intake.different.insert(offset);
            }
        }
    }

    /// Returns the hash over the offsets of all events of the window, in their order.
    pub(crate) fn digest(&self) -> u64 {
        self.digest.finish()
    }

    /// Returns the number of events of these symbols (separated by commas) up to `tail` that have not arrived; `None` if a symbol
    /// has no snapshot.
    pub(crate) fn lacks(&self, symbols: &str, tail: &Tail) -> Option<u64> {
        let lacking = |symbol: &str| Some(tail.seq(symbol)?.saturating_sub(*self.seqs.get(symbol.as_bytes())?));
        symbols.split(',').map(lacking).sum()
    }

    /// Ends the measurement: events up to `tail` that have not arrived are missing.
    pub(crate) fn finish(&self, symbols: &str, tail: &Tail, intake: &mut Intake) {
        match self.lacks(symbols, tail) {
            Some(lacking) => intake.missing += lacking,
            None => intake.faults += 1,
        }
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

    /// Takes a snapshot that ends before the first of these events, which are (offset, seq, ts, read), then the events; the server's
    /// last event is `last`.
    fn received_to(last: u64, events: &[(u64, u64, i64, i64)], window: (i64, i64)) -> (Ledger, Intake) {
        let (mut ledger, mut intake) = (Ledger::default(), Intake::default());
        intake.window = window;
        let (_, first, ..) = events[0];
        ledger.take_text(format!("[{}]", snapshot(first - 1)).as_bytes(), events[0].3, &mut intake);
        for (offset, seq, ts, now) in events {
            ledger.take_text(format!("[{}]", trade(*offset, *seq, *ts)).as_bytes(), *now, &mut intake);
        }
        ledger.finish("A", &Tail::from([("A", last)]), &mut intake);
        (ledger, intake)
    }

    fn received(events: &[(u64, u64, i64, i64)], window: (i64, i64)) -> (Ledger, Intake) {
        received_to(0, events, window)
    }

    #[test]
    fn holes_and_repeats_are_counted() {
        let (ledger, intake) = received(&[(5, 1, 10, 11), (5, 1, 10, 12), (9, 4, 20, 21), (8, 3, 19, 22)], (0, 15));
        assert_eq!((intake.repeated, intake.missing, intake.due, intake.events), (2, 2, 1, 4));
        assert_eq!(ledger.newest, 20);
    }

    #[test]
    fn a_hole_between_the_snapshot_and_the_first_event_is_counted() {
        let (mut ledger, mut intake) = (Ledger::default(), Intake::default());
        ledger.take_text(format!("[{},{}]", snapshot(7), trade(12, 10, 50)).as_bytes(), 60, &mut intake);
        assert_eq!((intake.missing, intake.repeated), (2, 0), "8 and 9");
        ledger.take_text(format!("[{}]", trade(13, 7, 55)).as_bytes(), 60, &mut intake);
        assert_eq!((intake.missing, intake.repeated), (2, 1), "the snapshot includes it");
        ledger.take_text(format!("[{}]", snapshot(15)).as_bytes(), 70, &mut intake);
        assert_eq!(intake.missing, 7, "11 to 15");
    }

    #[test]
    fn a_missing_event_at_the_end_is_counted() {
        let events = [(5, 3, 10, 11), (9, 4, 20, 21)];
        assert_eq!(received_to(4, &events, (0, 30)).1.missing, 0);
        assert_eq!(received_to(6, &events, (0, 30)).1.missing, 2);
        let (ledger, _) = received(&events, (0, 30));
        assert_eq!(ledger.lacks("A", &Tail::from([("A", 9)])), Some(5));
        assert_eq!(ledger.lacks("A,B", &Tail::from([("A", 9), ("B", 0)])), None, "B has no snapshot");
        let mut intake = Intake::default();
        Ledger::default().finish("A", &Tail::from([("A", 9)]), &mut intake);
        assert_eq!((intake.faults, intake.missing), (1, 0), "a client without any event is not clean");
    }

    #[test]
    fn an_event_without_a_snapshot_is_a_fault() {
        let (mut ledger, mut intake) = (Ledger::default(), Intake::default());
        ledger.take_text(format!("[{}]", trade(12, 10, 50)).as_bytes(), 60, &mut intake);
        ledger.take_text(br#"[{"type":"snapshot","symbol":"A","offset":9,"ts":5}]"#, 60, &mut intake);
        assert_eq!((intake.faults, intake.due), (2, 0));
    }

    #[test]
    fn the_same_event_for_two_clients_is_one_distinct_event() {
        let (mut intake, events) = (Intake::default(), [trade(5, 1, 10), trade(6, 2, 11)]);
        intake.window = (0, 100);
        for _ in 0..2 {
            let mut ledger = Ledger::default();
            ledger.take_text(format!("[{},{}]", snapshot(0), events.join(",")).as_bytes(), 20, &mut intake);
        }
        assert_eq!((intake.due, intake.different.len()), (4, 2));
    }

    #[test]
    fn the_digest_depends_on_the_events_and_their_order() {
        let digest = |events: &[(u64, u64, i64, i64)]| received(events, (0, 100)).0.digest();
        let events = [(1, 1, 10, 11), (2, 2, 20, 21)];
        assert_eq!(digest(&events), digest(&[(1, 1, 10, 50), (2, 2, 20, 60)]), "late is the same");
        assert_ne!(digest(&events), digest(&events[..1]));
        assert_ne!(digest(&events), digest(&[(1, 1, 10, 11), (3, 2, 20, 21)]));
    }

    #[test]
    fn the_cursor_of_a_poll_and_faults_are_found() {
        let (mut ledger, mut intake) = (Ledger::default(), Intake::default());
        ledger.take_text(snapshot(0).as_bytes(), 1, &mut intake);
        let poll =
            format!(r#"{{"epoch":"e","offset":3,"cursor":"e:3","recovered":true,"messages":[{}]}}"#, trade(3, 1, 5));
        let said = ledger.take_text(poll.as_bytes(), 9, &mut intake);
        assert_eq!((said.cursor.as_deref(), said.is_subscribed, intake.events), (Some("e:3"), false, 1));
        ledger.take_text(br#"[{"type":"lag","skipped":7},{"type":"trade","symbol":"A"},"#, 9, &mut intake);
        assert_eq!(intake.faults, 3, "the lag, the event without numbers, the end that is missing");
    }
}
