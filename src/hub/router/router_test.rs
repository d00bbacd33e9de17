//! Tests of a router with slow sessions: bursts that are read slowly, and the limit of unsent bytes.

use std::sync::Weak;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::domain::{
    Channel, Day, Event, EventBody, Instrument, Price, Quote, Size, Snapshot, SymbolTable, Timestamp, Trade,
};
use crate::hub::{Control, PushConfig, Sink};
use crate::protocol::native::Native;
use crate::protocol::{OnLag, Publication, Rate, ServerMessage};

/// Accepts a few events per write.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) offsets: Vec<u64>,
    /// Events replaced in mode `latest`.
    pub(super) skipped: u32,
    pub(super) messages: Vec<ServerMessage>,
    limit: usize,
}

impl Sink for Taken {
    fn control(&mut self, _: Control) {}

    fn message(&mut self, message: &ServerMessage) {
        self.messages.push(message.clone());
    }

    fn event(&mut self, publication: &Publication, skipped: u32) {
        self.skipped += skipped;
        self.offsets.push(publication.event.offset);
    }

    fn is_full(&self) -> bool {
        self.offsets.len() >= self.limit
    }
}

/// Number of symbols.
const SYMBOLS: u32 = 60;

fn a_quote() -> Quote {
    let (bid, ask, size) = (Price::from_cents(99), Price::from_cents(101), Size::new(1));
    Quote { ts: Timestamp::default(), bid, bid_size: size, ask, ask_size: size }
}

fn a_trade() -> EventBody {
    EventBody::Trade(Trade { ts: Timestamp::default(), price: Price::from_cents(100), size: Size::new(1) })
}

fn a_day() -> EventBody {
    EventBody::Day(Day { ts: Timestamp::default(), prev_close: Price::from_cents(100) })
}

/// Returns a router of some symbols, with a ring of 40 events and outboxes of 16; and the time, which stands still.
pub(super) fn router() -> (Router, Instant) {
    router_with(40)
}

/// Returns such a router with a ring of this many events.
pub(super) fn router_with(events_kept: usize) -> (Router, Instant) {
    let symbol = |id: u32| format!("S{id}").parse().unwrap();
    let instrument = |id| Instrument { symbol: symbol(id), name: String::new(), sector: String::new() };
    let push =
        PushConfig { coalesce_ms: 0, outbox_events_max: 16, outbox_reply_bytes_max: 1_000, ..PushConfig::default() };
    let table = Arc::new(SymbolTable::new((0..SYMBOLS).map(instrument).collect()));
    let config = HubConfig { table, push, ..HubConfig::default() };
    let values = vec![Snapshot::untraded(Price::from_cents(100), &a_quote(), Size::new(1)); SYMBOLS as usize];
    (Router::new(&config, LastValues::new(values), Ring::new(events_kept)), Instant::now())
}

/// Routes a trade of each of these symbols, all in one batch.
pub(super) fn trade_each(router: &mut Router, ids: impl IntoIterator<Item = u32>, now: Instant) -> Weak<[Publication]> {
    route(router, ids.into_iter().map(|id| (id, a_trade())), now)
}

/// Routes these events of symbols, all in one batch.
fn route(router: &mut Router, events: impl Iterator<Item = (u32, EventBody)>, now: Instant) -> Weak<[Publication]> {
    let weak = accept(router, events);
    while router.route_turn(now) {}
    weak
}

/// Lets these events of symbols arrive, all in one batch.
fn accept(router: &mut Router, events: impl Iterator<Item = (u32, EventBody)>) -> Weak<[Publication]> {
    let event = |(offset, (id, body))| {
        let symbol = format!("S{id}").parse().unwrap();
        Event { offset, seq: offset, id: SymbolId(id), symbol, body }
    };
    let batch: Arc<[Publication]> = (router.newest() + 1..).zip(events).map(event).map(Publication::new).collect();
    let weak = Arc::downgrade(&batch);
    router.accept(batch);
    weak
}

/// Lets trades of these symbols arrive, each in a batch of its own.
pub(super) fn accept_trades(router: &mut Router, ids: impl Iterator<Item = u32>) {
    ids.for_each(|id| drop(accept(router, std::iter::once((id, a_trade())))));
}

/// Lets a day of the first symbol arrive.
pub(super) fn accept_day(router: &mut Router) {
    accept(router, std::iter::once((0, a_day())));
}

/// Routes this many quotes, one by one.
pub(super) fn quotes(router: &mut Router, count: usize, now: Instant) {
    (0..count).for_each(|_| drop(route(router, std::iter::once((59, EventBody::Quote(a_quote()))), now)));
}

/// Routes 12 quotes of the last symbol, a day of the first one, and two trades of that, all in one batch.
pub(super) fn burst_of_quotes_with_a_day_and_trades(router: &mut Router, now: Instant) {
    let quotes = std::iter::repeat_n((59, EventBody::Quote(a_quote())), 12);
    let trades = std::iter::repeat_n((0, a_trade()), 2);
    route(router, quotes.chain([(0, a_day())]).chain(trades), now);
}

/// Routes this many trades of a symbol, all in one batch.
pub(super) fn trade(router: &mut Router, id: u32, count: usize, now: Instant) {
    trade_each(router, std::iter::repeat_n(id, count), now);
}

/// Adds a session with the trades of this many symbols.
pub(super) fn join(
    router: &mut Router,
    symbols: u32,
    on_lag: OnLag,
    ender: Option<Ender>,
) -> (SessionKey, SharedOutbox) {
    let (key, outbox) = router.join::<Native>(ender, Instant::now());
    let trades = ChannelSet::from_iter([Channel::Trades]);
    let ids: Vec<_> = (0..symbols).map(|id| Some(SymbolId(id))).collect();
    router.subscribe(key, &ids, trades, Mode::All, None);
    outbox.borrow_mut().set_on_lag(on_lag);
    (key, outbox)
}

/// Drains at most this many events; `None` if the session has ended.
pub(super) fn take(outbox: &SharedOutbox, limit: usize, now: Instant) -> Option<Taken> {
    let mut taken = Taken { limit, ..Taken::default() };
    let drained = outbox.borrow_mut().poll_drain(&Context::from_waker(Waker::noop()), now, &mut taken);
    (drained != Poll::Ready(None)).then_some(taken)
}

#[test]
fn a_session_that_is_closed_for_a_long_burst_is_told_to_end() {
    let (mut router, now) = router();
    let ender = actix::System::new().block_on(async { actix::Actor::start(Busy).recipient() });
    let (_, outbox) = join(&mut router, 1, OnLag::Close, Some(ender));
    // Together they would exceed the limit of answers.
    trade(&mut router, 0, 39, now);
    trade(&mut router, 1, 40, now);
    assert!(outbox.borrow().is_ending());
    let goodbye = ServerMessage::Goodbye { reason: "lagging", retry_after_ms: 0 };
    outbox.borrow_mut().push_control(Control::Message(goodbye), now).expect("there is room for it");
    let taken = take(&outbox, 100, now).expect("it lives");
    assert_eq!(taken.offsets, (1..=16).collect::<Vec<_>>(), "what fits, without a hole");
    assert_eq!(outbox.borrow().cursor(), Some(16));
}

#[test]
fn a_session_is_ended_once() {
    let (mut router, now) = router();
    let system = actix::System::new();
    let ender = system.block_on(async { actix::Actor::start(Busy).recipient() });
    let end = End { reason: CloseReason::EndedByOperator, retry_after_ms: None };
    // With a transport that is told, and a poll, whose answer ends it.
    for ender in [Some(ender), None] {
        let (key, _) = join(&mut router, 1, OnLag::CatchUp, ender);
        assert_eq!([router.end(key, &end, now), router.end(key, &end, now)], [true, false]);
        router.leave(key);
        assert!(!router.end(key, &end, now), "it has left");
    }
}

#[test]
fn a_session_that_lags_keeps_no_reference_to_evicted_batches() {
    let (mut router, now) = router();
    let (_, outbox) = join(&mut router, 17, OnLag::CatchUp, None);
    // One at a time: no burst. Each event comes with others without a subscriber.
    let batches: Vec<_> = (0..17)
        .chain(0..17)
        .map(|id| {
            let batch = trade_each(&mut router, [id, 30], now);
            (id, batch)
        })
        .collect();
    assert_eq!(router.config().metrics.lags.get(), 1);
    (0..40).for_each(|_| trade(&mut router, 30, 2, now));
    assert!(batches.iter().all(|(_, batch)| batch.upgrade().is_none()));
    let taken = take(&outbox, 100, now).expect("it lives");
    let newest: Vec<_> = (0..17).map(|id| 2 * (17 + id) + 1).collect();
    assert_eq!((taken.offsets, taken.messages), (newest, vec![ServerMessage::Lag { skipped: 17, since_offset: 1 }]));
    assert_eq!(router.config().metrics.waiting_bytes.get(), 0);
}

#[test]
fn a_session_that_lags_with_too_many_symbols_is_closed() {
    let (mut router, now) = router();
    let (_, outbox) = join(&mut router, SYMBOLS, OnLag::CatchUp, None);
    // Sixteen topics, and as many bytes as answers may have: 31 topics of 32 bytes.
    (0..47).for_each(|id| drop(trade_each(&mut router, [id], now)));
    assert_eq!(router.config().metrics.waiting_bytes.get(), 31 * 32);
    assert!(!outbox.borrow().is_ending());
    trade(&mut router, 47, 1, now);
    assert!(outbox.borrow().is_ending());
    assert_eq!(router.config().metrics.waiting_bytes.get(), 0);
    assert!(take(&outbox, 100, now).is_none());
}

#[test]
fn a_topic_that_changes_to_mode_latest_before_its_recovery_begins_loses_no_event() {
    let (mut router, now) = router();
    let (key, outbox) = router.join::<Native>(None, now);
    let (id, trades) = (Some(SymbolId(0)), ChannelSet::from_iter([Channel::Trades]));
    let latest = Mode::Latest(Rate::from_hz(0.1));
    router.subscribe(key, &[id], trades, latest, None);
    trade(&mut router, 0, 1, now);
    assert_eq!(take(&outbox, 100, now).unwrap().offsets, [1]);
    (0..3).for_each(|_| trade(&mut router, 0, 1, now));
    for mode in [Mode::All, latest] {
        let recovery = router.subscribe(key, &[id], trades, mode, Some(1));
        outbox.borrow_mut().push_recovery(recovery.unwrap(), router.offset(), false, now);
    }
    let taken = take(&outbox, 100, now).unwrap();
    assert_eq!((taken.offsets, taken.skipped), (vec![4], 2));
}

#[test]
fn a_day_is_recovered_once_by_requests_of_two_channels() {
    let (mut router, now) = router();
    begin_day(&mut router, now);
    trade(&mut router, 0, 1, now);
    let (key, outbox) = router.join::<Native>(None, now);
    for (id, channel) in [(Some(SymbolId(0)), Channel::Trades), (None, Channel::Quotes), (None, Channel::Trades)] {
        let recovery = router.subscribe(key, &[id], ChannelSet::from_iter([channel]), Mode::All, Some(0));
        outbox.borrow_mut().push_recovery(recovery.unwrap(), router.offset(), false, now);
    }
    let taken: Vec<_> = (0..10).filter_map(|_| take(&outbox, 1, now)).flat_map(|taken| taken.offsets).collect();
    assert_eq!(taken, [1, 2]);
}

/// Routes a day of the first symbol, alone.
pub(super) fn begin_day(router: &mut Router, now: Instant) {
    accept_day(router);
    while router.route_turn(now) {}
}

#[test]
fn a_day_is_sent_although_another_channel_of_its_symbol_began_after_it() {
    let id = [Some(SymbolId(0))];
    let [trades, quotes] = [Channel::Trades, Channel::Quotes].map(|channel| ChannelSet::from_iter([channel]));
    for cursor in [None, Some(2)] {
        let (mut router, now) = router();
        begin_day(&mut router, now);
        trade(&mut router, 0, 2, now);
        let (key, outbox) = router.join::<Native>(None, now);
        let mut order = vec![(trades, Some(0)), (quotes, cursor)];
        if cursor.is_some() {
            order.reverse();
        }
        for (channels, after) in order {
            if let Some(recovery) = router.subscribe(key, &id, channels, Mode::All, after) {
                outbox.borrow_mut().push_recovery(recovery, router.offset(), false, now);
            }
        }
        let taken = take(&outbox, 10, now).unwrap();
        assert_eq!(taken.offsets, [1, 2, 3], "{cursor:?}");
    }
}

#[test]
fn events_missed_by_a_session_that_has_got_none_since_are_recovered() {
    let (mut router, now) = router();
    let (key, outbox) = router.join::<Native>(None, now);
    trade(&mut router, 0, 3, now);
    let trades = ChannelSet::from_iter([Channel::Trades]);
    let recovery = router.subscribe(key, &[Some(SymbolId(0))], trades, Mode::All, Some(0)).unwrap();
    outbox.borrow_mut().push_recovery(recovery, router.offset(), false, now);
    assert_eq!(take(&outbox, 10, now).unwrap().offsets, [1, 2, 3]);
}

#[test]
fn an_event_that_a_name_has_sent_is_not_recovered_by_the_wildcard_after_the_name_has_ended() {
    let (mut router, now) = router();
    let (key, outbox) = join(&mut router, 1, OnLag::CatchUp, None);
    trade(&mut router, 0, 1, now);
    assert_eq!(take(&outbox, 10, now).unwrap().offsets, [1]);
    let trades = ChannelSet::from_iter([Channel::Trades]);
    let recovery = router.subscribe(key, &[None], trades, Mode::All, Some(0)).unwrap();
    outbox.borrow_mut().push_recovery(recovery, router.offset(), false, now);
    router.unsubscribe(key, Some(SymbolId(0)), trades);
    trade(&mut router, 0, 1, now);
    assert_eq!(take(&outbox, 10, now).unwrap().offsets, [2]);
}

#[test]
fn an_unread_event_of_a_name_that_has_ended_is_not_sent_once_the_wildcard_has_ended_too() {
    let (mut router, now) = router();
    let (key, outbox) = join(&mut router, 1, OnLag::CatchUp, None);
    let trades = ChannelSet::from_iter([Channel::Trades]);
    let recovery = router.subscribe(key, &[None], trades, Mode::All, Some(0)).unwrap();
    outbox.borrow_mut().push_recovery(recovery, router.offset(), false, now);
    router.unsubscribe(key, Some(SymbolId(0)), trades);
    trade(&mut router, 0, 1, now);
    router.unsubscribe(key, None, trades);
    assert!(take(&outbox, 10, now).unwrap().offsets.is_empty());
}

#[test]
fn a_missed_event_in_mode_latest_is_due_after_the_write_in_which_it_is_read() {
    let (mut router, now) = router();
    trade(&mut router, 0, 1, now);
    let (key, outbox) = router.join::<Native>(None, now);
    let trades = ChannelSet::from_iter([Channel::Trades]);
    let recovery = router.subscribe(key, &[Some(SymbolId(0))], trades, Mode::Latest(None), Some(0)).unwrap();
    let goodbye = ServerMessage::Goodbye { reason: "any", retry_after_ms: 0 };
    outbox.borrow_mut().push_reply(goodbye, router.offset(), now).unwrap();
    outbox.borrow_mut().push_recovery(recovery, router.offset(), false, now);
    let written = take(&outbox, 10, now).unwrap();
    assert_eq!((written.messages.len(), written.offsets.len()), (1, 0), "the answer");
    assert!(outbox.borrow_mut().is_due(&Context::from_waker(Waker::noop())), "nobody else wakes the session");
    assert_eq!(take(&outbox, 10, now).unwrap().offsets, [1]);
}

/// A recipient that has no time to handle the end yet.
struct Busy;

impl actix::Actor for Busy {
    type Context = actix::Context<Self>;
}

impl actix::Handler<End> for Busy {
    type Result = ();

    fn handle(&mut self, _: End, _: &mut Self::Context) {}
}

#[test]
fn hubs_end_no_more_sessions_than_necessary_when_the_limit_is_exceeded() {
    const HELD: usize = 100_000;
    let system = actix::System::new();
    let now = Instant::now();
    let push = PushConfig {
        coalesce_ms: 0,
        waiting_bytes_max: 20 * HELD + HELD / 2,
        outbox_reply_bytes_max: HELD * 2,
        ..PushConfig::default()
    };
    let config = HubConfig { push, ..HubConfig::default() };
    let hub = || Router::new(&config, LastValues::new(Vec::new()), Ring::new(40));
    let ender = || system.block_on(async { actix::Actor::start(Busy).recipient() });
    let mut hubs = [hub(), hub(), hub(), hub()];
    for router in &mut hubs {
        for _ in 0..6 {
            let (_, outbox) = router.join::<Native>(Some(ender()), now);
            let message = Control::Text(vec![b'x'; HELD].into());
            outbox.borrow_mut().push_control(message, now).unwrap();
        }
    }
    // Each hub checks before the sessions ended by the others have left: 24 sessions have the bytes of 20.
    while hubs.iter().map(|router| router.relieve(now)).filter(|ended| *ended).count() > 0 {}
    assert_eq!(config.metrics.sessions_crowded_out.get(), 4);
    assert!(!hubs[0].shared().is_crowded());
}

#[test]
fn a_session_whose_skipped_events_are_all_forgotten_is_complete_again() {
    let (mut router, now) = router();
    let (key, outbox) = router.join::<Native>(None, now);
    let (id, trades) = (Some(SymbolId(0)), ChannelSet::from_iter([Channel::Trades]));
    router.subscribe(key, &[id], trades, Mode::Latest(None), None);
    trade(&mut router, 0, 2, now);
    assert_eq!(take(&outbox, 10, now).unwrap().offsets, [2], "the first one is replaced");
    assert!(!outbox.borrow().is_complete());
    router.unsubscribe(key, id, trades);
    let here = Some(router.offset());
    router.subscribe(key, &[id], trades, Mode::All, here);
    assert!(outbox.borrow().is_complete());
}

#[test]
fn a_lossless_router_routes_no_further_than_its_slowest_session_can_follow() {
    let (mut router, now) = router();
    Rc::get_mut(&mut router.shared).unwrap().config.is_lossless = true;
    let (key, outbox) = router.join::<Native>(None, now);
    router.subscribe(key, &[Some(SymbolId(0))], ChannelSet::from_iter([Channel::Trades]), Mode::All, None);
    accept_trades(&mut router, [0; 60].into_iter());
    let mut offsets = Vec::new();
    while offsets.len() < 60 {
        while router.route_turn(now) {}
        offsets.extend(take(&outbox, 100, now).unwrap().offsets);
    }
    assert_eq!(offsets, (1..=60).collect::<Vec<u64>>(), "a queue of 16 and a ring of 40 lose nothing");
}
