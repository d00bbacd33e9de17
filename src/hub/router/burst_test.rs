//! Tests of bursts that a session reads slowly: the unread events are in the ring.

use super::router_test::{
    accept_day, accept_trades, begin_day, burst_of_quotes_with_a_day_and_trades, join, quotes, router, router_with,
    take, trade, trade_each,
};
use super::*;
use crate::domain::Channel;
use crate::protocol::native::Native;
use crate::protocol::{OnLag, Rate, ServerMessage};

fn lag(skipped: u64, since_offset: u64) -> Vec<ServerMessage> {
    vec![ServerMessage::Lag { skipped, since_offset }]
}

#[test]
fn unread_events_of_a_burst_become_a_lag_before_the_ring_evicts_them() {
    let (mut router, now) = router();
    let (_, outbox) = join(&mut router, 1, OnLag::CatchUp, None);
    trade(&mut router, 0, 20, now);
    assert_eq!(router.config().metrics.bursts.get(), 1);
    assert_eq!(take(&outbox, 3, now).unwrap().offsets, [1, 2, 3]);
    // None of these events is for the session, and the ring evicts the rest of the burst.
    (0..50).for_each(|_| trade(&mut router, 1, 2, now));
    router.end_windows(now);
    let taken = take(&outbox, 100, now).expect("it lives");
    assert_eq!((taken.offsets, taken.messages), (vec![20], vec![ServerMessage::Lag { skipped: 16, since_offset: 4 }]));
    assert_eq!((router.config().metrics.lags.get(), router.config().metrics.events_skipped.get()), (1, 16));
}

#[test]
fn unread_events_of_a_burst_are_queued_if_there_is_room() {
    let (mut router, now) = router();
    let (key, outbox) = join(&mut router, 1, OnLag::Close, None);
    for round in 0..3 {
        let before = router.offset();
        trade(&mut router, 0, 16, now);
        assert_eq!(router.config().metrics.bursts.get(), round + 1);
        let all: Vec<_> = (before + 1..=before + 16).collect();
        assert_eq!(take(&outbox, 7, now).unwrap().offsets, all[..7]);
        (0..50).for_each(|_| trade(&mut router, 1, 2, now));
        router.end_windows(now);
        let taken = take(&outbox, 100, now).expect("it lives");
        assert_eq!((taken.offsets, taken.messages), (all[7..].to_vec(), Vec::new()), "nothing is lost");
        assert!(router.shared().bursts.borrow().is_empty());
    }
    trade(&mut router, 0, 16, now);
    router.leave(key);
    assert!(router.shared().bursts.borrow().is_empty(), "nobody's");
}

#[test]
fn a_session_with_on_lag_close_is_closed_when_the_ring_evicts_a_burst() {
    let (mut router, now) = router();
    let (_, outbox) = join(&mut router, 1, OnLag::Close, None);
    trade(&mut router, 0, 20, now);
    (0..50).for_each(|_| trade(&mut router, 1, 2, now));
    assert!(take(&outbox, 100, now).is_none());
    assert_eq!(router.config().metrics.lags.get(), 0);
}

#[test]
fn a_lag_keeps_the_newest_event_of_each_symbol_in_the_ring_and_counts_the_others() {
    let trades = ChannelSet::from_iter([Channel::Trades]);
    let names = [0, 1, 2].map(|id| Some(SymbolId(id)));
    for ids in [&[None][..], &[None, names[1]], &names] {
        let (mut router, now) = router_with(400);
        let (key, outbox) = router.join::<Native>(None, now);
        router.subscribe(key, ids, trades, Mode::All, None);
        let turns = |count| (0..count).map(|number| number % 3);
        accept_trades(&mut router, turns(15));
        accept_day(&mut router);
        accept_trades(&mut router, turns(20));
        while router.route_turn(now) {}
        assert_eq!(take(&outbox, 11, now).unwrap().offsets, (1..=11).collect::<Vec<_>>());
        quotes(&mut router, 500, now);
        let taken = take(&outbox, 100, now).unwrap();
        assert_eq!((taken.offsets, taken.messages), (vec![16, 34, 35, 36], lag(21, 12)), "{ids:?}");
        assert_eq!((router.config().metrics.lags.get(), router.config().metrics.events_skipped.get()), (1, 21));
    }
}

#[test]
fn a_burst_is_queued_before_the_ring_evicts_its_first_unread_event() {
    for on_lag in [OnLag::Close, OnLag::CatchUp] {
        let (mut router, now) = router();
        let (_, outbox) = join(&mut router, 1, on_lag, None);
        // As many as a queue holds.
        accept_trades(&mut router, [0; 16].into_iter());
        while router.route_turn(now) {}
        quotes(&mut router, 60, now);
        let taken = take(&outbox, 100, now).expect("it lives");
        assert_eq!((taken.offsets, taken.messages), ((1..=16).collect(), Vec::new()));
    }
}

#[test]
fn unread_events_of_a_burst_are_counted_when_their_topic_changes_to_mode_latest() {
    let (mut router, now) = router_with(400);
    let (key, outbox) = join(&mut router, 1, OnLag::CatchUp, None);
    // Ten are queued, and six are unread.
    trade(&mut router, 0, 16, now);
    let trades = ChannelSet::from_iter([Channel::Trades]);
    router.subscribe(key, &[Some(SymbolId(0))], trades, Mode::Latest(None), None);
    trade(&mut router, 0, 1, now);
    let writes: Vec<_> = (0..3).filter_map(|_| take(&outbox, 100, now)).collect();
    let offsets: Vec<_> = writes.iter().flat_map(|taken| taken.offsets.clone()).collect();
    assert_eq!((offsets.len(), offsets.last()), (11, Some(&17)));
    assert_eq!(writes.iter().map(|taken| taken.skipped).sum::<u32>(), 6, "the newest one says how many it replaces");
}

#[test]
fn each_event_read_from_the_ring_makes_room_for_one_that_is_not_part_of_a_burst() {
    let (mut router, now) = router_with(400);
    let (_, outbox) = join(&mut router, 1, OnLag::CatchUp, None);
    trade(&mut router, 0, 16, now);
    (0..32).for_each(|_| trade(&mut router, 0, 1, now));
    // Ten from the queue, five from the ring.
    assert_eq!(take(&outbox, 15, now).unwrap().offsets.len(), 15);
    (0..5).for_each(|_| trade(&mut router, 0, 1, now));
    assert_eq!(router.config().metrics.lags.get(), 0);
    trade(&mut router, 0, 1, now);
    assert_eq!(router.config().metrics.lags.get(), 1);
}

#[test]
fn positions_of_a_burst_count_as_unsent_bytes_beyond_as_many_as_a_queue_holds() {
    let (mut router, now) = router_with(400);
    let (_, outbox) = join(&mut router, 60, OnLag::CatchUp, None);
    // Ten are queued, and thirty symbols have unread trades.
    trade_each(&mut router, 0..40, now);
    assert_eq!(router.config().metrics.waiting_bytes.get(), (30 - 16) * 96);
    let goodbye = ServerMessage::Goodbye { reason: "any", retry_after_ms: 0 };
    assert_eq!(outbox.borrow_mut().push_reply(goodbye, 40, now), Err(CloseReason::UnreadReplies));
    assert_eq!(take(&outbox, 100, now).unwrap().offsets.len(), 40);
    assert_eq!(router.config().metrics.waiting_bytes.get(), 0);
}

#[test]
fn after_a_lag_the_newest_trade_is_sent_although_the_ring_has_a_later_day_of_its_symbol() {
    let (mut router, now) = router();
    let (_, outbox) = join(&mut router, 2, OnLag::CatchUp, None);
    trade(&mut router, 0, 1, now);
    (0..20).for_each(|_| trade(&mut router, 1, 1, now));
    begin_day(&mut router, now);
    quotes(&mut router, 60, now);
    let taken = take(&outbox, 100, now).unwrap();
    assert_eq!((taken.offsets, taken.messages), (vec![1, 21, 22], lag(19, 2)));
}

#[test]
fn a_day_is_not_sent_again_when_skipped_events_of_its_symbol_are_recovered() {
    let (mut router, now) = router();
    let (key, outbox) = router.join::<Native>(None, now);
    let (id, trades) = ([Some(SymbolId(0))], ChannelSet::from_iter([Channel::Trades]));
    router.subscribe(key, &id, trades, Mode::Latest(Rate::from_hz(0.1)), None);
    (0..3).for_each(|_| trade(&mut router, 0, 1, now));
    assert_eq!(take(&outbox, 100, now).unwrap().offsets, [3]);
    (0..2).for_each(|_| trade(&mut router, 0, 1, now));
    begin_day(&mut router, now);
    assert_eq!(take(&outbox, 100, now).unwrap().offsets, [6], "the rate does not hold the day back");
    let recovery = router.subscribe(key, &id, trades, Mode::All, Some(3)).unwrap();
    outbox.borrow_mut().push_recovery(recovery, router.offset(), false, now);
    assert_eq!(take(&outbox, 100, now).unwrap().offsets, [4, 5]);
}

#[test]
fn a_day_before_skipped_events_that_are_recovered_is_sent_while_a_burst_is_read() {
    let (mut router, now) = router_with(400);
    let (key, outbox) = router.join::<Native>(None, now);
    let (id, trades) = ([Some(SymbolId(0))], ChannelSet::from_iter([Channel::Trades]));
    router.subscribe(key, &id, trades, Mode::Latest(Rate::from_hz(0.1)), None);
    router.subscribe(key, &[Some(SymbolId(59))], ChannelSet::from_iter([Channel::Quotes]), Mode::All, None);
    trade(&mut router, 0, 1, now);
    assert_eq!(take(&outbox, 100, now).unwrap().offsets, [1]);
    burst_of_quotes_with_a_day_and_trades(&mut router, now);
    let recovery = router.subscribe(key, &id, trades, Mode::All, Some(1)).unwrap();
    outbox.borrow_mut().push_recovery(recovery, router.offset(), false, now);
    let mut offsets = Vec::new();
    while let Some(taken) = take(&outbox, 100, now).filter(|taken| !taken.offsets.is_empty()) {
        assert_eq!(taken.messages, Vec::new());
        offsets.extend(taken.offsets);
    }
    assert_eq!(offsets, (2..=16).collect::<Vec<_>>());
}

#[test]
fn a_request_in_mode_latest_for_another_symbol_leaves_the_unread_events_of_a_burst_to_a_lag() {
    let (mut router, now) = router();
    let (key, outbox) = join(&mut router, 1, OnLag::CatchUp, None);
    trade(&mut router, 0, 20, now);
    assert_eq!(take(&outbox, 3, now).unwrap().offsets, [1, 2, 3]);
    router.subscribe(key, &[Some(SymbolId(7))], ChannelSet::from_iter([Channel::Trades]), Mode::Latest(None), None);
    (0..50).for_each(|_| trade(&mut router, 1, 2, now));
    router.end_windows(now);
    let taken = take(&outbox, 100, now).expect("it lives");
    assert_eq!((taken.offsets, taken.messages), (vec![20], lag(16, 4)));
}
