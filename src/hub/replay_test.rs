//! What a replay gives is the same whether it goes from one wanted event to the next or looks at all of them.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::domain::{Channel, Day, EventBody, Price, Quote, Size, SymbolId, Timestamp, Trade};
use crate::hub::Control;
use crate::protocol::Publication;

/// Symbols, beyond those that have events.
const SYMBOLS: u32 = 5;

/// Collects offsets, `limit` at the most.
#[derive(Default)]
struct Offsets {
    given: Vec<u64>,
    limit: usize,
}

impl Sink for Offsets {
    fn control(&mut self, _: Control) {}

    fn message(&mut self, _: &[u8]) {}

    fn event(&mut self, publication: &Publication, _: u32) {
        self.given.push(publication.event.offset);
    }

    fn is_full(&self) -> bool {
        self.given.len() >= self.limit
    }
}

/// What kind of event.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Trade,
    Quote,
    Day,
}

/// A batch of events of these symbols.
fn batch(first: u64, events: &[(u32, Kind)]) -> Arc<[Publication]> {
    let publication = |(offset, (symbol, kind)): (u64, &(u32, Kind))| {
        let (ts, price, size) = (Timestamp::default(), Price::from_cents(1), Size::new(1));
        let quote = Quote { ts, bid: price, bid_size: size, ask: price, ask_size: size };
        let body = match kind {
            Kind::Trade => EventBody::Trade(Trade { ts, price, size }),
            Kind::Quote => EventBody::Quote(quote),
            Kind::Day => EventBody::Day(Day { ts, prev_close: price }),
        };
        Publication::new(Event { offset, seq: 1, id: SymbolId(*symbol), symbol: "S".parse().unwrap(), body })
    };
    (first..).zip(events).map(publication).collect()
}

fn topics() -> impl Strategy<Value = Topic> {
    (prop::option::weighted(0.9, 0..SYMBOLS), prop::bool::ANY).prop_map(|(symbol, is_quote)| {
        let channel = if is_quote { Channel::Quotes } else { Channel::Trades };
        symbol.map_or(Topic::all(channel), |symbol| Topic::symbol(SymbolId(symbol), channel))
    })
}

/// One symbol has most of the events.
fn events() -> impl Strategy<Value = Vec<(u32, Kind)>> {
    let symbol = prop_oneof![30 => Just(0), 1 => 1..SYMBOLS];
    let kind = prop_oneof![1 => Just(Kind::Trade), 9 => Just(Kind::Quote), 1 => Just(Kind::Day)];
    prop::collection::vec((symbol, kind), 1..60)
}

/// Reads page by page. Returns what was given, and how many were looked at; `None` when something was forgotten.
fn read(mut replay: Replay, ring: &Ring, pages: (usize, usize)) -> Option<(Vec<u64>, usize)> {
    let (mut given, mut scanned) = (Vec::new(), 0);
    loop {
        let mut sink = Offsets { limit: pages.0, ..Offsets::default() };
        let mut reading = Reading { scanned_max: pages.1, ..Reading::default() };
        let progress = replay.read(ring, None, &mut Merged::default(), &mut sink, &mut reading);
        given.extend(sink.given);
        scanned += reading.scanned;
        match progress {
            Progress::Done => return Some((given, scanned)),
            Progress::Paused => {}
            Progress::Overtaken => return None,
        }
    }
}

proptest! {
    #[test]
    fn a_replay_gives_what_is_wanted_whatever_its_course(
        batches in prop::collection::vec(events(), 0..30),
        events_max in prop_oneof![Just(100_usize), Just(100_000)],
        after in 0u64..600,
        fresh in prop::collection::btree_set(topics(), 1..4),
        others in prop::collection::btree_map(topics(), 0u64..600, 0..3),
        pages in (1usize..20, 1usize..50),
    ) {
        let (mut plain, mut newest) = (Ring::new(events_max), 0);
        let mut indexed = Ring::new(events_max).with_offsets(SYMBOLS as usize);
        for events in batches {
            let batch = batch(newest + 1, &events);
            newest += events.len() as u64;
            plain.push(batch.clone());
            indexed.push(batch);
        }
        let after = after.min(newest);
        let replay = Replay::new(after, newest, fresh, others);
        let expected = read(replay.clone(), &plain, (usize::MAX, usize::MAX)).map(|(given, _)| given);
        let found = read(replay, &indexed, pages).map(|(given, _)| given);
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn rare_topics_cost_what_they_give() {
    let mut ring = Ring::new(1 << 20).with_offsets(SYMBOLS as usize);
    for first in 0..1_000 {
        let mut events = vec![(0, Kind::Trade); 100];
        if first % 100 == 0 {
            events[50] = (1, Kind::Trade);
        }
        ring.push(batch(first * 100 + 1, &events));
    }
    let fresh = |symbol, channel| BTreeSet::from([Topic::symbol(SymbolId(symbol), channel)]);
    for (fresh, given_expected) in [
        (fresh(1, Channel::Trades), 10),
        (fresh(1, Channel::Quotes), 0),
        (BTreeSet::from([Topic::all(Channel::Quotes)]), 0),
    ] {
        let replay = Replay::new(0, 100_000, fresh, BTreeMap::new());
        let (given, scanned) = read(replay, &ring, (1_000, 1_000)).unwrap();
        assert_eq!(given.len(), given_expected);
        assert!(scanned <= given_expected + 1, "{scanned} for {given_expected}");
    }
}

#[test]
fn what_the_ring_forgets_between_two_pages_is_missed_and_not_passed_by() {
    let mut ring = Ring::new(1_000).with_offsets(SYMBOLS as usize);
    let mut events = vec![(0, Kind::Trade); 1_000];
    (0..10).for_each(|each| events[each * 100] = (1, Kind::Trade));
    let batches: Vec<_> =
        events.chunks(50).enumerate().map(|(index, each)| batch(index as u64 * 50 + 1, each)).collect();
    for batch in batches {
        ring.push(batch);
    }
    let fresh = BTreeSet::from([Topic::symbol(SymbolId(1), Channel::Trades)]);
    let mut replay = Replay::new(0, 1_000, fresh, BTreeMap::new());
    let mut page = |ring: &Ring| {
        let mut sink = Offsets { limit: 2, ..Offsets::default() };
        let mut reading = Reading { scanned_max: 1_000, ..Reading::default() };
        let progress = replay.read(ring, None, &mut Merged::default(), &mut sink, &mut reading);
        (sink.given, progress)
    };
    assert_eq!(page(&ring), (vec![1, 101], Progress::Paused));
    // Up to 150: nothing that is still to be given.
    ring.push(batch(1_001, &[(0, Kind::Trade); 150]));
    assert_eq!(page(&ring), (vec![201, 301], Progress::Paused));
    ring.push(batch(1_151, &[(0, Kind::Trade); 400]));
    assert_eq!(page(&ring), (vec![], Progress::Overtaken));
}
