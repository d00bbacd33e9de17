//! Completeness: compares the `seq` of every stream (one channel of one symbol) of a session with the snapshots. Does not parse
//! messages.

use std::collections::HashMap;

use derive_more::AddAssign;
use serde::Serialize;
use tickcast_core::domain::Channel;

/// The most symbols with numbers; events of further symbols are counted but not checked.
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

/// The counts of all streams of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, AddAssign, Serialize)]
pub(crate) struct Completeness {
    /// Checked streams.
    pub(crate) streams: u64,
    /// Events from each stream's first snapshot to the highest `seq` of an event or a snapshot.
    pub(crate) due: u64,
    /// Events that arrived, without repeats.
    pub(crate) arrived: u64,
    /// Due events that neither arrived nor are part of a `skipped` count.
    pub(crate) missing: u64,
    /// Events that the server replaced by a later one, which counts them in `skipped`.
    pub(crate) merged: u64,
    /// Gaps in `seq`, of any length.
    pub(crate) holes: u64,
    /// Events whose `seq` is not above the previous one: repeated, or out of order.
    pub(crate) repeated: u64,
    /// Snapshots older than an event that arrived before them.
    pub(crate) snapshots_stale: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    stream: StreamNumber,
    /// The first due `seq`.
    from: u64,
    last: u64,
}

/// The last `seq` of each stream of one session, sorted by stream.
#[derive(Debug, Default)]
pub(crate) struct SequenceTable {
    entries: Vec<Entry>,
    counts: Completeness,
}

impl SequenceTable {
    /// Counts an event; returns whether it is new. The first event of a stream without a snapshot starts the stream.
    #[inline]
    pub(crate) fn take_event(&mut self, stream: StreamNumber, seq: u64, skipped: u64) -> bool {
        let Some(index) = self.find(stream) else {
            self.insert(stream, seq, seq);
            self.counts.arrived += 1;
            return true;
        };
        let entry = &mut self.entries[index];
        let ahead = seq.saturating_sub(entry.last);
        if ahead == 0 {
            self.counts.repeated += 1;
            return false;
        }
        entry.last = seq;
        self.counts.arrived += 1;
        if ahead > 1 {
            let merged = skipped.min(ahead - 1);
            self.counts.merged += merged;
            self.take_hole(ahead - 1 - merged);
        }
        true
    }

    /// Counts a snapshot: no event up to its `seq` can follow.
    pub(crate) fn take_snapshot(&mut self, stream: StreamNumber, seq: u64) {
        let Some(index) = self.find(stream) else { return self.insert(stream, seq + 1, seq) };
        let entry = &mut self.entries[index];
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

    /// Returns the `seq` up to which a stream is complete or its holes are counted; `None` before its first snapshot or event.
    pub(crate) fn last(&self, stream: StreamNumber) -> Option<u64> {
        self.find(stream).map(|index| self.entries[index].last)
    }

    #[inline]
    fn find(&self, stream: StreamNumber) -> Option<usize> {
        self.entries.binary_search_by_key(&stream, |entry| entry.stream).ok()
    }

    fn insert(&mut self, stream: StreamNumber, from: u64, last: u64) {
        let index = self.entries.partition_point(|entry| entry.stream < stream);
        self.entries.insert(index, Entry { stream, from, last });
    }

    /// Returns the counts so far. `due` is computed from the first and last `seq`, independently of the other counts.
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
    fn a_stream_is_a_channel_of_a_symbol() {
        let mut numbers = SymbolNumbers::default();
        let first = numbers.stream(b"AAPL", Channel::Trades);
        assert_eq!(numbers.stream(b"AAPL", Channel::Trades), first);
        assert_ne!(numbers.stream(b"AAPL", Channel::Quotes), first);
        assert_ne!(numbers.stream(b"MSFT", Channel::Trades), first);
        for number in 0..SYMBOLS_MAX - 2 {
            assert!(numbers.stream(&number.to_le_bytes(), Channel::Trades).is_some());
        }
        assert_eq!(numbers.stream(b"one too many", Channel::Trades), None);
        assert_eq!(numbers.stream(b"AAPL", Channel::Trades), first, "known symbols keep their numbers");
    }

    #[test]
    fn each_kind_of_fault_has_its_own_count() {
        let mut table = SequenceTable::default();
        table.take_snapshot(STREAM, 10);
        let is_new = [(13, 0), (13, 0), (12, 0), (20, 5)].map(|(seq, skipped)| table.take_event(STREAM, seq, skipped));
        assert_eq!(is_new, [true, false, false, true]);
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
        fn due_is_the_sum_of_arrived_missing_and_merged(
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
