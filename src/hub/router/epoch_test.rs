//! Tests of an epoch that begins in its place of the stream.

use std::task::{Context, Poll, Waker};

use super::router_test::{accept_trades, join, router, router_with, trade, trade_each};
use super::*;
use crate::domain::{Channel, Price, Quote, Size, Timestamp};
use crate::feed::Opening;
use crate::hub::{Control, Sink};
use crate::protocol::finnhub::Finnhub;
use crate::protocol::native::Native;
use crate::protocol::{Cursor, OnLag, Rate, ServerMessage};

/// The messages to a session, in order: offsets of events, and words for other messages.
#[derive(Default)]
struct Sent(Vec<String>);

impl Sink for Sent {
    fn control(&mut self, _: Control) {}

    fn message(&mut self, message: &ServerMessage) {
        self.0.push(match message {
            ServerMessage::Epoch { epoch, offset, is_moved } => format!("{epoch} {offset} {is_moved}"),
            ServerMessage::Snapshot { symbol, offset, state, .. } => {
                format!("{symbol} {offset} {}", state.last.map_or("none".into(), |last| last.price.to_string()))
            }
            ServerMessage::Lag { skipped, since_offset } => format!("lag {skipped} {since_offset}"),
            other => format!("{other:?}"),
        });
    }

    fn event(&mut self, publication: &Publication, _: u32) {
        self.0.push(publication.event.offset.to_string());
    }

    fn is_full(&self) -> bool {
        false
    }
}

/// Drains everything that is due; `None` if the session has ended.
fn sent(outbox: &SharedOutbox, now: Instant) -> Option<Vec<String>> {
    let (mut sent, cx) = (Sent::default(), Context::from_waker(Waker::noop()));
    loop {
        match outbox.borrow_mut().poll_drain(&cx, now, &mut sent) {
            Poll::Ready(Some(_)) => {}
            Poll::Ready(None) => return None,
            Poll::Pending => return Some(sent.0),
        }
    }
}

/// Lets a restart arrive, after which the last price of every symbol is 7 dollars.
fn restart(router: &mut Router, epoch: &str) {
    let (price, size) = (Price::from_cents(700), Size::new(1));
    let quote = Quote { ts: Timestamp::default(), bid: price, bid_size: size, ask: price, ask_size: size };
    let snapshots = vec![Snapshot::untraded(price, &quote, size); 60];
    let opening = Arc::new(Opening { snapshots, ..Opening::default() });
    router.expect(Restart { offset: router.newest() + 1, epoch: epoch.into(), opening });
}

fn route_all(router: &mut Router, now: Instant) {
    while router.route_turn(now) {}
}

#[test]
fn the_message_and_the_new_values_come_after_every_event_before_and_before_every_event_after() {
    let (mut router, now) = router();
    let (_, outbox) = join(&mut router, 2, OnLag::CatchUp, None);
    // One turn could route two events.
    accept_trades(&mut router, [0, 1, 0].into_iter());
    restart(&mut router, "b");
    accept_trades(&mut router, [0].into_iter());
    restart(&mut router, "c");
    assert_eq!((router.newest(), router.offset()), (6, 0), "nothing is routed");
    route_all(&mut router, now);
    assert_eq!((router.newest(), router.offset(), &*router.epoch()), (6, 6, "c"));
    let expected = ["1", "2", "3", "b 4 true", "S0 4 7.00", "S1 4 7.00", "5", "c 6 true", "S0 6 7.00", "S1 6 7.00"];
    assert_eq!(sent(&outbox, now).unwrap(), expected);
    accept_trades(&mut router, [1].into_iter());
    route_all(&mut router, now);
    assert_eq!(sent(&outbox, now).unwrap(), ["7"]);
}

#[test]
fn unread_events_of_a_burst_come_before_the_message() {
    let (mut router, now) = router_with(400);
    let (_, outbox) = join(&mut router, 1, OnLag::CatchUp, None);
    trade(&mut router, 0, 16, now);
    assert_eq!(router.config().metrics.bursts.get(), 1);
    restart(&mut router, "b");
    trade(&mut router, 0, 2, now);
    let before = (1..=16).map(|offset: u64| offset.to_string());
    let after = ["b 17 true", "S0 17 7.00", "18", "19"].map(String::from);
    assert_eq!(sent(&outbox, now).unwrap(), before.chain(after).collect::<Vec<_>>());
}

#[test]
fn a_lag_is_announced_before_the_message_and_its_newest_event_comes_after_if_it_is_of_the_new_time() {
    for after in [0, 1] {
        let (mut router, now) = router();
        let (_, outbox) = join(&mut router, 1, OnLag::CatchUp, None);
        (0..20).for_each(|_| drop(trade_each(&mut router, [0], now)));
        restart(&mut router, "b");
        route_all(&mut router, now);
        (0..after).for_each(|_| drop(trade_each(&mut router, [0], now)));
        let expected: &[&str] = if after == 0 {
            &["lag 19 1", "20", "b 21 true", "S0 21 7.00"]
        } else {
            &["lag 20 1", "b 21 true", "S0 21 7.00", "22"]
        };
        assert_eq!(sent(&outbox, now).unwrap(), expected);
    }
}

#[test]
fn what_a_rate_holds_back_comes_before_the_message() {
    let (mut router, now) = router();
    let (key, outbox) = router.join::<Native>(None, now);
    let trades = ChannelSet::from_iter([Channel::Trades]);
    let mode = Mode::Latest(Rate::from_hz(1.0));
    router.subscribe(key, &[Some(SymbolId(0))], trades, mode, None);
    trade_each(&mut router, [0], now);
    assert_eq!(sent(&outbox, now).unwrap(), ["1"]);
    trade_each(&mut router, [0], now);
    assert_eq!(sent(&outbox, now).unwrap(), [""; 0], "the rate holds it back");
    restart(&mut router, "b");
    route_all(&mut router, now);
    assert_eq!(sent(&outbox, now).unwrap(), ["2", "b 3 true", "S0 3 7.00"]);
}

#[test]
fn a_client_that_cannot_be_told_is_ended_and_one_that_may_see_nothing_is_told_nothing() {
    let (mut router, now) = router();
    let trades = ChannelSet::from_iter([Channel::Trades]);
    let (vendor, other) = router.join::<Finnhub>(None, now);
    router.subscribe(vendor, &[Some(SymbolId(0))], trades, Mode::All, None);
    // Sixteen symbols are as many as an outbox has room for.
    let (_, few) = join(&mut router, 16, OnLag::CatchUp, None);
    let (_, many) = join(&mut router, 17, OnLag::CatchUp, None);
    let (all, every) = router.join::<Native>(None, now);
    router.subscribe(all, &[None], trades, Mode::All, None);
    let (nobody, stranger) = router.join::<Native>(None, now);
    router.show(nobody, ChannelSet::EMPTY);
    restart(&mut router, "b");
    route_all(&mut router, now);
    assert_eq!(sent(&few, now).unwrap().len(), 17);
    assert!(sent(&other, now).is_none() && sent(&many, now).is_none() && sent(&every, now).is_none());
    assert_eq!(sent(&stranger, now).unwrap(), [""; 0]);
}

#[test]
fn a_cursor_from_before_is_refused_also_under_the_new_name_and_one_of_the_message_is_good() {
    let (mut router, now) = router();
    let admits = |router: &Router, epoch: &str, offset| router.admits(&Cursor { epoch: epoch.into(), offset });
    let first = router.epoch();
    let (_, outbox) = join(&mut router, 1, OnLag::CatchUp, None);
    trade(&mut router, 0, 3, now);
    assert!(admits(&router, &first, 2));
    restart(&mut router, "b");
    assert!(admits(&router, &first, 2), "it is not routed yet");
    route_all(&mut router, now);
    trade(&mut router, 0, 2, now);
    assert!(!admits(&router, &first, 2) && !admits(&router, &first, 4));
    assert!(!admits(&router, "b", 2), "the ring has these events, but they are of the time before");
    assert!(admits(&router, "b", 4) && admits(&router, "b", 6) && !admits(&router, "b", 7));
    sent(&outbox, now).unwrap();
    assert_eq!(outbox.borrow().cursor(), Some(6));
}
