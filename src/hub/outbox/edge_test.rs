//! Edge cases of an outbox: the limits, and immediate effects.

use std::collections::BTreeSet;
use std::task::{Context, Waker};
use std::time::Duration;

use super::outbox_test::Fixture;
use super::*;
use crate::domain::{Channel, SymbolId};
use crate::hub::Topic;
use crate::hub::outbox::messages_test::subscribed;
use crate::protocol::{Mode, Rate};

/// Number of symbols that the other tests push.
const SYMBOLS: usize = 6;

impl Fixture {
    /// Asserts that the contents are bounded.
    pub(super) fn check_counts(&self, events_max: usize) {
        let outbox = &self.outbox;
        assert!(
            outbox.queue.len() <= events_max && outbox.newest.len() <= events_max + 2 * SYMBOLS,
            "bounded: {outbox:?}"
        );
    }
}

#[test]
fn events_in_mode_latest_do_not_close_a_session_with_on_lag_close() {
    let mut fixture = Fixture::new(2, 0);
    fixture.outbox.set_on_lag(OnLag::Close);
    (0..6).for_each(|symbol| fixture.subscribe(symbol, Mode::Latest(None)));
    assert_eq!(fixture.drain(100).unwrap().0.len(), 6, "snapshots");
    (0..6).for_each(|symbol| fixture.push(symbol));
    assert_eq!(fixture.drain(1).unwrap().1, 1, "the others stand in the queue");
    fixture.push(7);
    fixture.push(7);
    fixture.check_counts(2);
    fixture.push_too_many(7);
    let (messages, events) = fixture.drain(100).unwrap();
    let symbols: Vec<_> = messages.iter().map(|message| message["symbol"].as_str().unwrap()).collect();
    assert_eq!((symbols, events), (vec!["S1", "S2", "S3", "S4", "S5", "S7", "S7"], 7));
    assert_eq!((fixture.outbox.queue.len(), fixture.outbox.newest.len()), (0, 0));
}

#[test]
fn a_full_outbox_with_one_event_per_topic_skips_nothing_and_sends_no_lag() {
    let mut fixture = Fixture::new(2, 0);
    let counted = |fixture: &Fixture| {
        let metrics = &fixture.outbox.shared.config.metrics;
        (metrics.lags.get(), metrics.events_skipped.get())
    };
    (0..5).for_each(|symbol| fixture.push(symbol));
    assert!(fixture.outbox.lag.is_some(), "more waits than fits");
    assert_eq!(counted(&fixture), (0, 0));
    let (messages, events) = fixture.drain(100).unwrap();
    assert_eq!((messages.len(), events), (5, 5), "all of them, and no `lag`");
    (0..5).chain([4]).for_each(|symbol| fixture.push(symbol));
    assert_eq!(counted(&fixture), (1, 1));
    assert_eq!(fixture.drain(100).unwrap().0[0]["type"], "lag");
}

#[test]
fn a_session_whose_unread_events_are_evicted_is_closed_at_once_despite_its_alarm() {
    let mut fixture = Fixture::with_ring(2, 10, 0);
    fixture.subscribe(1, Mode::Latest(Rate::from_hz(0.1)));
    (0..5).for_each(|_| fixture.push(1));
    fixture.drain(100);
    // The ring has evicted these events.
    fixture.push(1);
    assert!(fixture.outbox.alarm.is_some_and(|alarm| alarm > fixture.now), "it holds an event back, for long");
    let shared = fixture.outbox.shared.clone();
    let is_notified =
        || std::pin::pin!(shared.timer.notified()).poll(&mut Context::from_waker(Waker::noop())).is_ready();
    is_notified();
    let topics = BTreeSet::from([Topic::symbol(SymbolId(2), Channel::Trades)]);
    fixture.outbox.push_recovery(Recovery { topics, after: 0, later: Vec::new() }, 6, false, fixture.now);
    fixture.reply(subscribed()).unwrap();
    assert!(fixture.drain(100).is_none());
    assert_eq!(*shared.to_close.borrow(), [SessionKey::new(0)]);
    assert_eq!([(); 2].map(|()| is_notified()), [true, false], "at once, and once");
}

/// A session with trades in mode `all`, and a ring so short that it evicts most events of a lag.
#[test]
fn after_a_lag_the_newest_event_of_each_topic_is_sent_although_the_ring_has_evicted_it() {
    let mut fixture = Fixture::with_ring(4, 3, 0);
    (0..4).for_each(|symbol| fixture.push(symbol));
    (0..20).for_each(|_| fixture.push(0));
    let (messages, events) = fixture.drain(100).unwrap();
    let told: Vec<_> = messages.iter().map(|message| (message["symbol"].as_str(), message["seq"].as_u64())).collect();
    assert_eq!((&messages[0]["skipped"], &messages[0]["since_offset"], events), (&20.into(), &1.into(), 4));
    let newest = [("S1", 1), ("S2", 1), ("S3", 1), ("S0", 21)].map(|(symbol, seq)| (Some(symbol), Some(seq)));
    assert_eq!(told[1..], newest);
    fixture.push(1);
    assert_eq!(fixture.drain(100).unwrap().1, 1, "it keeps up again");
}

#[test]
fn a_poll_that_unsubscribes_before_its_recovery_begins_leaves_nothing_behind() {
    let mut fixture = Fixture::new(10, 0);
    (0..3).for_each(|_| fixture.push(1));
    let topic = Topic::symbol(SymbolId(1), Channel::Trades);
    for _ in 0..2 {
        let recovery = Recovery { topics: BTreeSet::from([topic]), after: 0, later: Vec::new() };
        fixture.outbox.push_recovery(recovery, 3, true, fixture.now);
    }
    fixture.outbox.end_topic(topic);
    fixture.drain(100);
    assert_eq!(fixture.outbox.positions.as_ref().map(|positions| positions.recoveries_waiting()), Some(0));
}

/// Only the most recent ping must be answered (RFC 6455 section 5.5.3).
#[test]
fn pongs_over_the_limit_are_dropped_oldest_first_and_counted() {
    let mut fixture = Fixture::new(10, 0);
    let metrics = fixture.outbox.shared.config.metrics.clone();
    let push = |fixture: &mut Fixture, number: u8| {
        fixture.control(Control::Pong(vec![number].into())).unwrap();
    };
    let waiting = |fixture: &Fixture| -> Vec<u8> {
        let pongs = fixture.outbox.front.iter().map(|control| match control {
            Control::Pong(payload) => payload[0],
            other => panic!("{other:?}"),
        });
        pongs.collect()
    };
    (0..16).for_each(|number| push(&mut fixture, number));
    assert_eq!((waiting(&fixture), metrics.pongs_skipped.get()), ((0..16).collect(), 0));
    push(&mut fixture, 16);
    assert_eq!((waiting(&fixture), metrics.pongs_skipped.get()), ((1..17).collect(), 1));
    fixture.now += Duration::from_millis(100);
    push(&mut fixture, 17);
    assert_eq!((waiting(&fixture), metrics.pongs_skipped.get()), (vec![17], 17), "the socket is jammed");
}

#[test]
fn a_new_rate_applies_from_the_next_event_on() {
    let mut fixture = Fixture::new(10, 0);
    fixture.subscribe(1, Mode::Latest(Rate::from_hz(0.001)));
    fixture.drain(100);
    fixture.push(1);
    assert_eq!(fixture.drain(100).unwrap().1, 1);
    fixture.subscribe(1, Mode::Latest(Rate::from_hz(2.0)));
    fixture.drain(100);
    fixture.push(1);
    assert!(fixture.drain(100).is_none(), "held back");
    let alarm = fixture.outbox.alarm.expect("an alarm is set");
    assert_eq!(alarm - fixture.now, Duration::from_millis(500), "not by the rate of before");
}
