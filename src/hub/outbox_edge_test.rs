//! The edges of an outbox: what counts when it is full, and what happens at once.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::hub::Replay;
use crate::hub::index::Topic;

/// How many symbols the other tests push.
const SYMBOLS: usize = 6;

impl Fixture {
    /// The counts are those of the queue, and bounded.
    pub(super) fn check_counts(&self, events_max: usize) {
        let outbox = &self.outbox;
        let counted = |is: fn(&Item) -> bool| outbox.queue.iter().filter(|item| is(item)).count();
        let (events, latest) = (counted(Item::is_event), counted(Item::is_latest));
        let answers = outbox.queue.len() - events;
        assert_eq!(outbox.events + outbox.latest, events, "what is counted is what waits");
        if outbox.lag.is_none() {
            assert_eq!(outbox.latest, latest, "in mode `latest`");
        }
        assert!(outbox.events <= events_max.max(SYMBOLS) + SYMBOLS + answers, "bounded");
        assert!(outbox.latest <= events_max + SYMBOLS + answers, "bounded");
    }
}

#[test]
fn a_session_that_wants_to_be_closed_when_it_lags_is() {
    let mut fixture = Fixture::new(2, 0);
    fixture.outbox.set_on_lag(OnLag::Close);
    fixture.push(1);
    fixture.push(1);
    let delivery = fixture.delivery(1);
    assert_eq!(fixture.outbox.push_event(&delivery, fixture.now), Pushed::Refused);
}

#[test]
fn events_in_mode_latest_do_not_close_a_session_that_wants_to_be_closed_when_it_lags() {
    let mut fixture = Fixture::new(2, 0);
    fixture.outbox.set_on_lag(OnLag::Close);
    (0..6).for_each(|symbol| fixture.subscribe(symbol, Mode::Latest(None)));
    assert_eq!(fixture.drain(100).unwrap().0.len(), 6, "snapshots");
    (0..6).for_each(|symbol| fixture.push(symbol));
    assert_eq!(fixture.drain(1).unwrap().1, 1, "the others stand in the queue");
    fixture.push(7);
    fixture.push(7);
    fixture.check_counts(2);
    let third = fixture.delivery(7);
    assert_eq!(fixture.outbox.push_event(&third, fixture.now), Pushed::Refused, "two in mode `all` are what fits");
    let (messages, events) = fixture.drain(100).unwrap();
    let symbols: Vec<_> = messages.iter().map(|message| message["symbol"].as_str().unwrap()).collect();
    assert_eq!((symbols, events), (vec!["S1", "S2", "S3", "S4", "S5", "S7", "S7"], 7));
    assert_eq!((fixture.outbox.events, fixture.outbox.latest), (0, 0));
}

#[test]
fn a_full_outbox_in_which_nothing_is_obsolete_skips_nothing_and_is_no_lag() {
    let mut fixture = Fixture::new(2, 0);
    let counted = |fixture: &Fixture| {
        let metrics = &fixture.outbox.shared.metrics;
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
fn a_session_that_is_overtaken_is_closed_at_once_whatever_its_alarm() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _guard = runtime.enter();
    let mut fixture = Fixture::new(10, 0);
    fixture.subscribe(1, Mode::Latest(Rate::from_hz(0.1)));
    fixture.push(1);
    fixture.drain(100);
    // The ring does not have them.
    let missed = BTreeSet::from([Topic::symbol(SymbolId(2), Channel::Trades)]);
    fixture.outbox.push_replay(Box::new(Replay::new(0, 5, missed, BTreeMap::new())), fixture.now);
    fixture.reply();
    assert!(fixture.drain(100).is_none());
    fixture.push(1);
    assert!(fixture.outbox.alarm.is_some_and(|alarm| alarm > fixture.now), "it holds an event back, for long");
    let shared = fixture.outbox.shared.clone();
    assert_eq!(*shared.overtaken.borrow(), [SessionKey::new(0)]);
    let (mut timer, cx) = (Pacer::timer(), &mut Context::from_waker(Waker::noop()));
    assert!(shared.pacer.borrow_mut().poll_ended(&mut timer, cx).is_ready());
    shared.pacer.borrow_mut().take_ended(fixture.now, &mut Vec::new(), &mut Vec::new());
    assert!(shared.pacer.borrow_mut().poll_ended(&mut timer, cx).is_pending(), "once");
}

/// Only the most recent ping must be answered (RFC 6455 section 5.5.3).
#[test]
fn of_more_pongs_than_may_wait_the_oldest_are_skipped_and_counted() {
    let mut fixture = Fixture::new(10, 0);
    let metrics = fixture.outbox.shared.metrics.clone();
    let push = |fixture: &mut Fixture, number: u8| {
        fixture.outbox.push_control(Control::Pong(vec![number].into()), fixture.now).unwrap();
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
