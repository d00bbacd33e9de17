//! Recoveries of a client with overlapping subscriptions: `"*"` and names in one session, or one topic in several
//! requests. The schedules of `cursor_schedule` have found each of these cases.

use tickcast::protocol::Mode;

use crate::cursor_client::Scene;
use crate::cursor_schedule::lagging;
use crate::cursor_world::{Step, Transport};
use crate::view::Key;

#[test]
fn a_symbol_named_in_mode_latest_before_a_recovery_of_all_symbols_begins_is_recovered() {
    let mut scene = lagging(&[("*", "trades", Mode::All)]);
    scene.step(Step::Disconnect);
    scene.step(Step::Trickle(vec![(0, false), (1, false), (0, false)]));
    scene.step(Step::Connect(Transport::WebSocket, 0));
    scene.step(Step::Ask(("S0".into(), "trades".into()), Some(Mode::Latest(None))));
    scene.settle();
}

/// Returns a client of `"*"` and of a symbol that it named before, which has both snapshots and has left.
fn named_and_all(symbol: &str, mode: Mode) -> Scene {
    let mut scene = lagging(&[(symbol, "trades", mode), ("*", "trades", Mode::All)]);
    scene.step(Step::Disconnect);
    scene
}

#[test]
fn a_recovery_of_all_symbols_repeats_no_event_of_a_symbol_that_is_recovered_by_name() {
    let mut scene = named_and_all("S3", Mode::All);
    scene.step(Step::Publish(vec![(3, false)]));
    scene.step(Step::Route(1, 1));
    // The second hub is asked for the named symbol first.
    scene.step(Step::Connect(Transport::WebSocket, 1));
    scene.settle();
}

#[test]
fn a_symbol_that_is_no_longer_named_is_not_repeated_by_a_recovery_of_all_symbols() {
    let mut scene = named_and_all("S3", Mode::All);
    scene.step(Step::Publish(vec![(3, false)]));
    scene.step(Step::Route(1, 1));
    scene.step(Step::Connect(Transport::WebSocket, 1));
    scene.step(Step::Drain(2));
    assert_eq!(scene.knowledge.seqs[&("S3".into(), "trades".into())], 1, "recovered by name");
    scene.step(Step::Ask(("S3".into(), "trades".into()), None));
    scene.settle();
}

#[test]
fn a_symbol_that_was_named_during_a_recovery_of_all_symbols_is_recovered_although_that_ends() {
    for drained in [None, Some(Step::Drain(1))] {
        let mut scene = lagging(&[("*", "trades", Mode::All)]);
        scene.step(Step::Disconnect);
        scene.step(Step::Trickle(vec![(1, false), (0, false), (0, false)]));
        scene.step(Step::Connect(Transport::WebSocket, 0));
        if let Some(step) = drained {
            scene.step(step);
        }
        scene.step(Step::Ask(("S0".into(), "trades".into()), Some(Mode::All)));
        scene.step(Step::Ask(("*".into(), "trades".into()), None));
        scene.settle();
        assert_eq!(scene.knowledge.lags, 0);
    }
}

#[test]
fn an_event_before_a_recovered_answer_is_never_skipped_even_if_the_ring_evicts_it() {
    let topic: Key = ("S2".into(), "quotes".into());
    let mut scene = Scene::new(12, 3, Mode::All, true);
    scene.step(Step::Ask(topic.clone(), Some(Mode::Latest(None))));
    scene.step(Step::Connect(Transport::WebSocket, 0));
    scene.step(Step::Publish(vec![(2, true)]));
    scene.step(Step::Drain(2));
    scene.step(Step::RouteTurn(1, 1));
    scene.step(Step::Publish(vec![(0, false); 2]));
    scene.step(Step::Publish(vec![(0, false); 5]));
    scene.step(Step::Connect(Transport::WebSocket, 1));
    scene.step(Step::Drain(2));
    scene.step(Step::Publish(vec![(0, false), (0, false), (0, false), (0, false), (2, true)]));
    scene.step(Step::Ask(topic, Some(Mode::All)));
    scene.settle();
}

#[test]
fn a_missed_event_in_mode_latest_is_sent_before_the_snapshot_that_covers_it() {
    let topic: Key = ("S3".into(), "trades".into());
    let mut scene = Scene::new(100_000, 3, Mode::All, true);
    scene.step(Step::Trickle(vec![(0, false)]));
    scene.step(Step::Connect(Transport::WebSocket, 0));
    scene.step(Step::Ask(topic.clone(), Some(Mode::All)));
    scene.step(Step::Drain(100));
    scene.step(Step::Disconnect);
    scene.step(Step::Trickle(vec![(3, false)]));
    scene.step(Step::Connect(Transport::WebSocket, 0));
    // The session began after that cursor: a snapshot follows the recovery.
    scene.step(Step::AskBack(topic.clone(), 1));
    scene.step(Step::Trickle(vec![(3, false)]));
    scene.step(Step::Ask(topic, Some(Mode::Latest(None))));
    scene.settle();
}

#[test]
fn an_event_in_mode_latest_that_a_burst_left_unread_is_sent_before_the_snapshot_that_covers_it() {
    let quotes: Key = ("S2".into(), "quotes".into());
    for later in [vec![], vec![(2, true)]] {
        let mut scene = Scene::new(12, 3, Mode::All, true);
        scene.step(Step::Connect(Transport::WebSocket, 0));
        scene.step(Step::Ask(("S0".into(), "trades".into()), Some(Mode::All)));
        scene.step(Step::Ask(quotes.clone(), Some(Mode::Latest(None))));
        // The client reads nothing, so it has no cursor, and an event that is due stays unsent.
        scene.step(Step::Trickle(vec![(2, true)]));
        scene.step(Step::Ask(quotes.clone(), Some(Mode::Latest(None))));
        // A burst: the queue has room for its first events only.
        scene.step(Step::Publish(vec![(0, false); 4]));
        scene.step(Step::Publish(vec![(2, true)]));
        scene.step(Step::Route(0, 2));
        scene.step(Step::Ask(quotes.clone(), Some(Mode::Latest(None))));
        scene.step(Step::Trickle(later));
        // Too far behind for a burst: the unread events are reduced to the newest of each topic.
        scene.step(Step::Trickle(vec![(0, false); 4]));
        scene.settle();
        assert_eq!(scene.knowledge.lags, 1);
    }
}
