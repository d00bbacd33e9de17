//! Symbols that are new to a router, and wildcards of sessions with some of the symbols.

use crate::domain::{Channel, ChannelSet};
use crate::hub::PartialWildcard;
use crate::hub::router::router_test::{accept_trades, join, router, take};
use crate::protocol::{Mode, OnLag};

/// A wildcard of the trades of symbols with even numbers.
fn even() -> PartialWildcard {
    let trades = ChannelSet::from_iter([Channel::Trades]);
    PartialWildcard { permits: Box::new(|id| id.0.is_multiple_of(2)), modes: vec![(Mode::All, trades)] }
}

#[test]
fn a_partial_wildcard_gets_new_symbols_from_their_first_event_on_and_the_turn_ends_after_each() {
    let (mut router, now) = router();
    let [(key, outbox), (other, all)] = [0, 2].map(|symbols| join(&mut router, symbols, OnLag::CatchUp, None));
    router.set_partial_wildcard(key, Some(even()));
    // The table had 60 symbols; of those the session has what it has subscribed to.
    accept_trades(&mut router, [0, 62, 61, 60, 61, 62, 0].into_iter());
    let turns: Vec<_> = std::iter::from_fn(|| {
        let has_more = router.route_turn(now);
        has_more.then_some(router.offset())
    })
    .collect();
    assert_eq!(router.config().push.turn_events_max(), 2, "so that turns end at 6 too");
    assert_eq!((turns, router.offset()), (vec![2, 3, 4, 6], 7));
    assert_eq!(take(&outbox, 99, now).unwrap().offsets, [2, 4, 6]);
    assert_eq!(take(&all, 99, now).unwrap().offsets, [1, 7]);
    router.set_partial_wildcard(other, Some(even()));
    router.set_partial_wildcard(key, None);
    router.leave(other);
    accept_trades(&mut router, [62, 64].into_iter());
    assert!(!router.route_turn(now), "one turn: there is no such wildcard any more");
    assert_eq!(take(&outbox, 99, now).unwrap().offsets, [8]);
}
