//! Whether everything arrived: the `seq` of every stream (one channel of one symbol) that a session receives, held
//! against the snapshots. Does not know how messages are read.

use std::collections::HashMap;

use derive_more::AddAssign;
use serde::Serialize;
use tickcast_core::domain::Channel;

/// The most symbols that are told apart; events of further ones are counted and not checked.
const SYMBOLS_MAX: usize = 65_536;

/// Numbers symbols in the order in which they are first seen, once for all sessions.
#[derive(Debug, Default)]
pub(crate) struct SymbolNumbers(HashMap<Box<[u8]>, usize>);

impl SymbolNumbers {
    /// Returns the number of a stream, or `None` when there are too many symbols already.
    #[inline]
    pub(crate) fn stream(&mut self, symbol: &[u8], channel: Channel) -> Option<StreamNumber> {
        let number = self.0.get(symbol).copied().or_else(|| self.add(symbol))?;
        u32::try_from(number * Channel::COUNT + channel.index()).ok().map(StreamNumber)
    }

    #[cold]
    fn add(&mut self, symbol: &[u8]) -> Option<usize> {
        let number = self.0.len();
        (number < SYMBOLS_MAX).then(|| self.0.insert(symbol.into(), number))?;
        Some(number)
    }
}

/// One channel of one symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StreamNumber(u32);

/// What a session's streams add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, AddAssign, Serialize)]
pub(crate) struct Completeness {
    /// Streams that are checked.
    pub(crate) streams: u64,
    /// Events due since each stream's first snapshot, by the newest `seq` that an event or a snapshot named.
    pub(crate) due: u64,
    /// Events that came, each counted once.
    pub(crate) arrived: u64,
    /// Events that were due and did not come, and that no `skipped` stands for.
    pub(crate) missing: u64,
    /// Events that the server merged into a later one and said so on that (`skipped`).
    pub(crate) merged: u64,
    /// Gaps in `seq`, of any length.
    pub(crate) holes: u64,
    /// Events whose `seq` was no news: twice, or out of order.
    pub(crate) repeated: u64,
    /// Snapshots older than an event that came before them.
    pub(crate) snapshots_stale: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    stream: StreamNumber,
    /// The first `seq` that is due.
    from: u64,
    last: u64,
}

/// The place of one session in each of its streams, sorted by stream.
#[derive(Debug, Default)]
pub(crate) struct SequenceTable {
    entries: Vec<Entry>,
    counts: Completeness,
}

impl SequenceTable {
    /// Takes note of an event; the first of a stream without a snapshot is taken to be in its place.
    #[inline]
    pub(crate) fn take_event(&mut self, stream: StreamNumber, seq: u64, skipped: u64) {
        let Some(entry) = self.find(stream) else {
            self.insert(stream, seq, seq);
            self.counts.arrived += 1;
            return;
        };
        let ahead = seq.saturating_sub(entry.last);
        if ahead == 0 {
            self.counts.repeated += 1;
            return;
        }
        entry.last = seq;
        self.counts.arrived += 1;
        if ahead > 1 {
            let merged = skipped.min(ahead - 1);
            self.counts.merged += merged;
            self.take_hole(ahead - 1 - merged);
        }
    }

    /// Takes note of a snapshot: everything up to its `seq` is behind us.
    pub(crate) fn take_snapshot(&mut self, stream: StreamNumber, seq: u64) {
        let Some(entry) = self.find(stream) else { return self.insert(stream, seq + 1, seq) };
        if seq < entry.last {
            self.counts.snapshots_stale += 1;
        } else {
            let hole = seq - entry.last;
            entry.last = seq;
            self.take_hole(hole);
        }
    }

    fn take_hole(&mut self, len: u64) {
        self.counts.missing += len;
        self.counts.holes += u64::from(len > 0);
    }

    #[inline]
    fn find(&mut self, stream: StreamNumber) -> Option<&mut Entry> {
        let index = self.entries.binary_search_by_key(&stream, |entry| entry.stream).ok()?;
        self.entries.get_mut(index)
    }

    fn insert(&mut self, stream: StreamNumber, from: u64, last: u64) {
        let index = self.entries.partition_point(|entry| entry.stream < stream);
        self.entries.insert(index, Entry { stream, from, last });
    }

    /// Returns what has been noted so far. `due` is taken from the first and last `seq`, independently of the other counts.
    pub(crate) fn completeness(&self) -> Completeness {
        let due = self.entries.iter().map(|entry| entry.last + 1 - entry.from).sum();
        Completeness { streams: self.entries.len() as u64, due, ..self.counts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STREAM: StreamNumber = StreamNumber(3);

    #[test]
    fn streams_are_told_apart_by_symbol_and_channel() {
        let mut numbers = SymbolNumbers::default();
        let first = numbers.stream(b"AAPL", Channel::Trades);
        assert_eq!(numbers.stream(b"AAPL", Channel::Trades), first);
        assert_ne!(numbers.stream(b"AAPL", Channel::Quotes), first);
        assert_ne!(numbers.stream(b"MSFT", Channel::Trades), first);
        for number in 0..SYMBOLS_MAX - 2 {
            assert!(numbers.stream(&number.to_le_bytes(), Channel::Trades).is_some());
        }
        assert_eq!(numbers.stream(b"one too many", Channel::Trades), None);
        assert_eq!(numbers.stream(b"AAPL", Channel::Trades), first, "those that are known stay");
    }

    #[test]
    fn a_complete_stream_joined_by_snapshots_has_no_hole() {
        let mut table = SequenceTable::default();
        table.take_snapshot(STREAM, 57);
        for seq in 58..=60 {
            table.take_event(STREAM, seq, 0);
        }
        table.take_snapshot(STREAM, 60);
        let expected = Completeness { streams: 1, due: 3, arrived: 3, ..Completeness::default() };
        assert_eq!(table.completeness(), expected);
    }

    #[test]
    fn every_kind_of_fault_is_counted_as_such() {
        let mut table = SequenceTable::default();
        table.take_snapshot(STREAM, 10);
        table.take_event(STREAM, 13, 0);
        table.take_event(STREAM, 13, 0);
        table.take_event(STREAM, 12, 0);
        table.take_event(STREAM, 20, 5);
        table.take_snapshot(STREAM, 19);
        table.take_snapshot(STREAM, 22);
        let expected = Completeness {
            streams: 1,
            due: 12,
            arrived: 2,
            missing: 2 + 1 + 2,
            merged: 5,
            holes: 3,
            repeated: 2,
            snapshots_stale: 1,
        };
        assert_eq!(table.completeness(), expected);
    }

    proptest! {
        #[test]
        fn what_was_due_is_what_arrived_and_what_did_not(
            steps in prop::collection::vec((0..6_u32, 0..40_u64, any::<bool>(), 0..4_u64), 0..200),
        ) {
            let mut table = SequenceTable::default();
            for (stream, seq, is_event, skipped) in steps {
                if is_event {
                    table.take_event(StreamNumber(stream), seq, skipped);
                } else {
                    table.take_snapshot(StreamNumber(stream), seq);
                }
            }
            let counts = table.completeness();
            prop_assert_eq!(counts.due, counts.arrived + counts.missing + counts.merged);
            prop_assert!(table.entries.is_sorted_by_key(|entry| entry.stream));
        }
    }
}
