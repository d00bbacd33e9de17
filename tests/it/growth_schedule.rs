//! For any schedule of disconnects, restarts and moves between transports, while the feed meets new symbols: a wildcard gets every
//! event of them, whether it is one topic of the hub or a topic of each symbol.

use proptest::prelude::*;
use tickcast::protocol::Mode;

use crate::cursor_client::Scene;
use crate::cursor_schedule::{modes, steps};
use crate::cursor_world::{AtFirst, SYMBOLS, Step, Transport};

/// Some symbols, of which the hubs have seen fewer than there are in the table.
fn at_first() -> impl Strategy<Value = AtFirst> {
    (0..=SYMBOLS, 0..=SYMBOLS).prop_map(|(one, other)| AtFirst { in_hubs: one.min(other), in_table: one.max(other) })
}

/// The events that hubs keep, and a client's queue and mode.
fn limits() -> impl Strategy<Value = (usize, usize, Mode)> {
    prop_oneof![
        Just((12, 100_000, Mode::All)),
        Just((100_000, 100_000, Mode::All)),
        (1_usize..6).prop_map(|outbox_events_max| (100_000, outbox_events_max, Mode::All)),
        modes().prop_map(|mode| (100_000, 100_000, mode)),
    ]
}

#[test]
fn a_cursor_from_before_a_symbol_was_met_recovers_all_of_it_over_every_transport() {
    for transport in [Transport::WebSocket, Transport::EventStream, Transport::Poll] {
        for by_pattern in [false, true] {
            let at_first = AtFirst { in_hubs: 1, in_table: 1 };
            let mut scene = Scene::new(100_000, 100_000, Mode::All, false).growing(at_first, by_pattern);
            scene.step(Step::Connect(transport, 0));
            scene.step(Step::Drain(100));
            scene.step(Step::Trickle(vec![(0, false)]));
            scene.step(Step::Connect(Transport::EventStream, 0));
            scene.step(Step::Drain(100));
            scene.step(Step::Disconnect);
            scene.step(Step::Trickle(vec![(2, false), (2, true), (0, false), (2, false)]));
            scene.step(Step::Connect(transport, 0));
            scene.step(Step::Drain(100));
            assert_eq!(scene.knowledge.seqs[&("S2".into(), "trades".into())], 2, "{transport:?} {by_pattern}");
            scene.settle();
            scene.check_whole();
        }
    }
}

#[test]
fn a_symbol_whose_cursor_is_ahead_of_the_hub_begins_anew_with_the_snapshots_of_a_wildcard() {
    let part = |symbol: &str| (symbol.to_owned(), "quotes".to_owned());
    for by_pattern in [false, true] {
        let at_first = AtFirst { in_hubs: 0, in_table: SYMBOLS };
        let mut scene = Scene::new(12, 3, Mode::All, true).growing(at_first, by_pattern);
        scene.step(Step::Ask(part("*"), Some(Mode::All)));
        scene.step(Step::Ask(part("S0"), Some(Mode::All)));
        scene.step(Step::Publish(vec![(0, true)]));
        scene.step(Step::RouteTurn(0, 1));
        scene.step(Step::Connect(Transport::WebSocket, 0));
        scene.step(Step::Drain(2));
        // This hub has not routed the quote that the client has.
        scene.step(Step::Connect(Transport::WebSocket, 1));
        scene.settle();
    }
}

proptest! {
    #[test]
    fn a_wildcard_gets_everything_of_new_symbols_once_and_in_order(
        steps in steps(),
        (events_kept, outbox_events_max, mode) in limits(),
        at_first in at_first(),
        by_pattern in prop::bool::ANY,
    ) {
        let mut scene = Scene::new(events_kept, outbox_events_max, mode, false).growing(at_first, by_pattern);
        for step in steps {
            scene.step(step);
        }
        scene.settle();
        scene.check_whole();
    }

    #[test]
    fn names_and_wildcards_get_symbols_without_an_event_so_far_once_and_in_order(
        steps in steps(),
        events_kept in prop_oneof![Just(12_usize), Just(100_000)],
        outbox_events_max in prop_oneof![Just(3_usize), Just(100_000)],
        in_hubs in 0..=SYMBOLS,
        by_pattern in prop::bool::ANY,
    ) {
        let at_first = AtFirst { in_hubs, in_table: SYMBOLS };
        let mut scene = Scene::new(events_kept, outbox_events_max, Mode::All, true).growing(at_first, by_pattern);
        for step in steps {
            scene.step(step);
        }
        scene.settle();
    }
}
