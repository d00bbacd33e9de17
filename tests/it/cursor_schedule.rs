//! For any schedule of disconnects, restarts and moves between transports: all events that a client has received,
//! joined, have no unannounced hole, no repeat and no wrong order. Sessions and hubs are the real ones, without
//! sockets.

use std::time::Duration;

use proptest::prelude::*;
use tickcast::hub::PushConfig;
use tickcast::protocol::{Mode, Rate};

use crate::cursor_client::{HUBS, Scene};
use crate::cursor_world::{End, SYMBOLS, Step, Transport};
use crate::view::Key;

/// Topics, and channels of `"*"`, which are as many as those of a symbol.
fn subscriptions() -> impl Strategy<Value = Key> {
    let channel = prop_oneof![Just("trades"), Just("quotes")];
    let name = |symbol| if symbol == SYMBOLS { "*".to_owned() } else { format!("S{symbol}") };
    (0..=SYMBOLS, channel).prop_map(move |(symbol, channel)| (name(symbol), channel.to_owned()))
}

pub(crate) fn modes() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::All), Just(Mode::Latest(None)), Just(Mode::Latest(Rate::from_hz(2.0)))]
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let transport = prop_oneof![Just(Transport::WebSocket), Just(Transport::EventStream), Just(Transport::Poll)];
    let step = prop_oneof![
        8 => prop::collection::vec((0..SYMBOLS, prop::bool::ANY), 1..6).prop_map(Step::Publish),
        4 => (0..HUBS, 1usize..4).prop_map(|(hub, batches)| Step::Route(hub, batches)),
        8 => (0..HUBS, 1usize..6).prop_map(|(hub, batches)| Step::RouteTurn(hub, batches)),
        8 => (1usize..8).prop_map(Step::Drain),
        1 => prop::bool::ANY.prop_map(Step::Day),
        1 => (1usize..8).prop_map(Step::Lose),
        2 => (0u64..700).prop_map(Step::Wait),
        1 => prop::bool::ANY.prop_map(Step::Heartbeat),
        2 => Just(Step::Disconnect),
        4 => (transport, 0..HUBS).prop_map(|(transport, hub)| Step::Connect(transport, hub)),
        1 => Just(Step::Restart),
        2 => (subscriptions(), prop::option::weighted(0.8, modes())).prop_map(|(topic, mode)| Step::Ask(topic, mode)),
        2 => (subscriptions(), 0u64..30).prop_map(|(topic, events)| Step::AskBack(topic, events)),
        1 => prop_oneof![Just(End::Told), Just(End::Goodbye), Just(End::Close)].prop_map(Step::End),
    ];
    prop::collection::vec(step, 0..150)
}

/// Schedules with more events at once than a queue holds by default.
fn floods() -> impl Strategy<Value = Vec<Step>> {
    let event = |number: usize| (u32::try_from(number * 7 % 5).unwrap() % SYMBOLS, number.is_multiple_of(3));
    let flood = (200_usize..3_000).prop_map(move |count| Step::Publish((0..count).map(event).collect()));
    let drain = (1_usize..2_000).prop_map(Step::Drain);
    (steps(), prop::collection::vec(prop_oneof![flood, drain], 1..12), any::<prop::sample::Index>()).prop_map(
        |(mut steps, floods, at)| {
            let at = at.index(steps.len() + 1);
            steps.splice(at..at, floods);
            steps
        },
    )
}

#[test]
fn a_recovery_of_any_length_skips_nothing_with_an_outbox_of_any_size() {
    for transport in [Transport::WebSocket, Transport::EventStream] {
        let mut scene = Scene::new(100_000, 2, Mode::All, false);
        scene.step(Step::Connect(transport, 0));
        scene.step(Step::Drain(100));
        scene.step(Step::Disconnect);
        let events = || vec![(0, false), (1, true), (2, false), (0, false), (3, true)];
        for _ in 0..40 {
            scene.step(Step::Publish(events()));
        }
        scene.step(Step::Route(0, 40));
        scene.step(Step::Connect(transport, 0));
        // More events than the socket accepts.
        for _ in 0..40 {
            scene.step(Step::Publish(events()));
            scene.step(Step::Route(0, 1));
            scene.step(Step::Drain(3));
        }
        scene.settle();
        assert_eq!(scene.knowledge.lags, 0);
        assert_eq!(scene.knowledge.seqs[&("S0".into(), "trades".into())], 160);
    }
}

#[test]
fn a_session_whose_unread_events_are_evicted_is_ended_and_begins_anew() {
    let mut scene = Scene::new(10, 100_000, Mode::All, false);
    scene.step(Step::Connect(Transport::EventStream, 0));
    scene.step(Step::Drain(100));
    scene.step(Step::Disconnect);
    scene.step(Step::Publish(vec![(0, false); 5]));
    scene.step(Step::Route(0, 1));
    scene.step(Step::Connect(Transport::EventStream, 0));
    scene.step(Step::Drain(2));
    for _ in 0..10 {
        scene.step(Step::Publish(vec![(0, false); 5]));
        scene.step(Step::Route(0, 1));
    }
    scene.step(Step::Drain(100));
    scene.step(Step::Wait(0));
    scene.step(Step::Drain(100));
    assert!(scene.session.is_none(), "closed, because unread events were evicted");
    scene.step(Step::Connect(Transport::EventStream, 0));
    scene.step(Step::Drain(100));
    assert_eq!(scene.knowledge.seqs[&("S0".into(), "trades".into())], 55, "from the snapshot");
}

#[test]
fn a_cursor_before_skipped_events_is_not_recovered() {
    let topic: Key = ("S0".into(), "trades".into());
    for (first, mode_of_loss) in [(Mode::All, "lag"), (Mode::Latest(Rate::from_hz(2.0)), "rate")] {
        let mut scene = Scene::new(100_000, if mode_of_loss == "lag" { 2 } else { 100_000 }, Mode::All, true);
        scene.step(Step::Connect(Transport::WebSocket, 0));
        scene.step(Step::Ask(topic.clone(), Some(first)));
        scene.step(Step::Drain(100));
        for _ in 0..5 {
            scene.step(Step::Trickle(vec![(0, false), (0, false)]));
        }
        for _ in 0..3 {
            scene.step(Step::Wait(600));
            scene.step(Step::Drain(100));
        }
        assert_eq!(scene.knowledge.seqs[&topic], 10, "the newest has come");
        for (events, recovered) in [(0, 1), (3, 1), (0, 2)] {
            scene.step(Step::AskBack(topic.clone(), events));
            scene.step(Step::Wait(600));
            scene.step(Step::Drain(100));
            assert_eq!(scene.recovered, recovered, "{mode_of_loss}, {events} events back");
            scene.step(Step::Trickle(vec![(0, false)]));
            scene.step(Step::Wait(600));
            scene.step(Step::Drain(100));
        }
    }
}

/// Returns a session with a small outbox and these subscriptions, each with its snapshot read.
pub(crate) fn lagging(topics: &[(&str, &str, Mode)]) -> Scene {
    let mut scene = Scene::new(100_000, 3, Mode::All, true);
    scene.step(Step::Connect(Transport::WebSocket, 0));
    for (symbol, channel, mode) in topics {
        scene.step(Step::Ask(((*symbol).into(), (*channel).into()), Some(*mode)));
    }
    scene.step(Step::Drain(100));
    scene
}

#[test]
fn a_lag_counts_from_the_first_event_that_a_skipped_one_had_replaced() {
    let mut scene = lagging(&[("S0", "trades", Mode::Latest(None)), ("S2", "trades", Mode::All)]);
    scene.step(Step::Trickle(vec![(0, false), (2, false), (0, false), (2, false)]));
    // Sends the first two; the trade of S0 that stays replaces an older one.
    scene.step(Step::Drain(1));
    scene.step(Step::Trickle(vec![(0, false), (2, false), (2, false), (2, false)]));
    scene.settle();
    assert_eq!(scene.knowledge.lags, 1);
}

#[test]
fn events_covered_by_a_queued_recovered_answer_are_not_skipped() {
    let mut scene = lagging(&[("S0", "trades", Mode::All), ("S1", "trades", Mode::All)]);
    scene.step(Step::Trickle(vec![(1, false), (1, false)]));
    scene.step(Step::AskBack(("S1".into(), "trades".into()), 0));
    scene.step(Step::Trickle(vec![(0, false), (0, false)]));
    scene.step(Step::Drain(100));
    assert_eq!((scene.recovered, scene.knowledge.lags), (1, 0), "nothing is skipped, not even what came after");
    scene.settle();
}

#[test]
fn an_event_held_back_by_a_rate_is_sent_before_the_recovered_answer_that_covers_it() {
    let topic: Key = ("S1".into(), "trades".into());
    let mut scene = lagging(&[("S1", "trades", Mode::Latest(None))]);
    scene.step(Step::Trickle(vec![(1, false)]));
    scene.step(Step::AskBack(topic.clone(), 0));
    scene.step(Step::Trickle(vec![(1, false); 4]));
    scene.step(Step::Drain(1));
    assert_eq!(scene.knowledge.seqs[&topic], 1, "what was there when it was asked");
    scene.step(Step::Drain(100));
    assert_eq!((scene.recovered, scene.knowledge.lags, scene.knowledge.seqs[&topic]), (1, 0, 5), "nothing is skipped");
}

#[test]
fn an_event_held_back_by_a_rate_takes_no_room_from_events_before_a_recovered_answer() {
    let topic: Key = ("S1".into(), "trades".into());
    let mut scene = lagging(&[("S0", "trades", Mode::All), ("S1", "trades", Mode::Latest(None))]);
    scene.step(Step::Trickle(vec![(0, false), (1, false)]));
    // A heartbeat is sent first, and the trade of S1 is in the queue then.
    scene.step(Step::Heartbeat(false));
    scene.step(Step::Drain(1));
    scene.step(Step::Trickle(vec![(0, false), (1, false), (0, false), (0, false)]));
    scene.step(Step::AskBack(topic.clone(), 0));
    scene.step(Step::Drain(100));
    assert_eq!(
        (scene.recovered, scene.knowledge.lags, scene.knowledge.seqs[&topic]),
        (1, 1, 2),
        "S0 lags, S1 does not"
    );
}

#[test]
fn a_recovery_of_a_quiet_symbol_is_not_overtaken_by_other_symbols() {
    for transport in [Transport::Poll, Transport::EventStream] {
        let mut scene = Scene::new(12, 100_000, Mode::All, false).narrow(1);
        scene.step(Step::Connect(Transport::Poll, 0));
        scene.step(Step::Drain(100));
        scene.step(Step::Connect(transport, 0));
        scene.step(Step::Drain(100));
        for _ in 0..20 {
            scene.step(Step::Publish(vec![(1, false)]));
            scene.step(Step::Route(0, 1));
        }
        scene.step(Step::Publish(vec![(0, false)]));
        scene.step(Step::Route(0, 1));
        scene.step(Step::Drain(100));
        assert_eq!(scene.knowledge.seqs[&("S0".into(), "trades".into())], 1, "{transport:?}");
    }
}

#[test]
fn a_change_to_mode_all_during_a_recovery_sends_the_events_that_it_holds_back() {
    let topic: Key = ("S1".into(), "trades".into());
    let mut scene = lagging(&[("S0", "trades", Mode::All), ("S1", "trades", Mode::Latest(None))]);
    scene.step(Step::Disconnect);
    scene.step(Step::Trickle(vec![(1, false)]));
    scene.step(Step::Connect(Transport::WebSocket, 0));
    scene.step(Step::Trickle(vec![(0, false), (1, false)]));
    // Two answers, and of the missed events the trade of S0; the one of S1 waits behind newer ones.
    scene.step(Step::Drain(3));
    assert_eq!((scene.knowledge.seqs[&("S0".into(), "trades".into())], scene.knowledge.seqs[&topic]), (1, 0));
    scene.step(Step::AskBack(topic.clone(), 0));
    scene.step(Step::Drain(100));
    scene.step(Step::Drain(100));
    assert_eq!((scene.recovered, scene.knowledge.seqs[&topic]), (1, 2), "and nothing of it was skipped");
    scene.settle();
}

#[test]
fn a_day_is_recovered_although_another_channel_of_its_symbol_began_after_it() {
    for is_gap in [false, true] {
        let mut scene = lagging(&[("S1", "trades", Mode::All)]);
        scene.step(Step::Disconnect);
        scene.step(Step::Day(is_gap));
        scene.step(Step::Ask(("S1".into(), "quotes".into()), Some(Mode::All)));
        // Of the quotes the client has no cursor: they begin with a snapshot, and before the trades.
        scene.settle();
        assert_eq!(scene.recovered, 0);
    }
}

#[test]
fn a_heartbeat_or_pong_does_not_pass_unsent_events() {
    for asked in [false, true] {
        heartbeat_does_not_pass_over_what_waits(asked);
    }
}

fn heartbeat_does_not_pass_over_what_waits(asked: bool) {
    let mut scene = lagging(&[("S0", "trades", Mode::All), ("S1", "trades", Mode::All)]);
    let told = |scene: &mut Scene| {
        scene.step(Step::Heartbeat(asked));
        scene.step(Step::Drain(1));
        scene.knowledge.cursors[&("S1".into(), "trades".into())].offset
    };
    scene.step(Step::Trickle(vec![(0, true)]));
    assert_eq!(told(&mut scene), 1, "a quote without a subscriber");
    scene.step(Step::Ask(("S3".into(), "trades".into()), Some(Mode::All)));
    scene.step(Step::Trickle(vec![(1, false), (0, false)]));
    assert_eq!(told(&mut scene), 1, "two trades wait behind an answer");
    scene.step(Step::Trickle(vec![(1, false), (1, false)]));
    assert_eq!(told(&mut scene), 1, "the first one is skipped, and the client does not know it yet");
    scene.step(Step::Disconnect);
    scene.step(Step::Connect(Transport::WebSocket, 0));
    scene.settle();
    assert_eq!(scene.knowledge.lags, 0, "all of it was recovered");
}

proptest! {
    #[test]
    fn one_subscription_moved_between_transports_gets_everything_once_and_in_order(
        steps in steps(),
        events_kept in prop_oneof![Just(12_usize), Just(100_000)],
        symbols in 1..=SYMBOLS,
    ) {
        let mut scene = Scene::new(events_kept, 100_000, Mode::All, false).narrow(symbols);
        for step in steps {
            scene.step(step);
        }
        scene.settle();
        prop_assert_eq!(scene.knowledge.lags, 0, "nothing is ever skipped in an outbox of this size");
    }

    #[test]
    fn a_small_outbox_announces_every_skipped_event(steps in steps(), outbox_events_max in 1_usize..6) {
        let mut scene = Scene::new(100_000, outbox_events_max, Mode::All, false);
        for step in steps {
            scene.step(step);
        }
        scene.settle();
    }

    #[test]
    fn in_mode_latest_every_missing_event_is_counted(steps in steps(), mode in modes()) {
        let mut scene = Scene::new(100_000, 100_000, mode, false);
        for step in steps {
            scene.step(step);
        }
        scene.settle();
    }

    #[test]
    fn many_subscriptions_in_one_session_each_get_everything_once_and_in_order(
        steps in steps(),
        events_kept in prop_oneof![Just(12_usize), Just(100_000)],
        outbox_events_max in prop_oneof![Just(3_usize), Just(100_000)],
    ) {
        let mut scene = Scene::new(events_kept, outbox_events_max, Mode::All, true);
        for step in steps {
            scene.step(step);
        }
        scene.settle();
    }

    #[test]
    fn floods_reach_a_client_with_default_limits(steps in floods(), by_parts in prop::bool::ANY) {
        let push = PushConfig::default();
        let mut scene = Scene::new(262_144, push.outbox_events_max, Mode::All, by_parts);
        for step in steps {
            scene.step(step);
        }
        scene.settle();
    }

    #[test]
    fn a_client_that_wants_to_be_closed_when_it_lags_misses_nothing(
        steps in prop_oneof![steps(), floods()],
        outbox_events_max in prop_oneof![1_usize..6, Just(1_024)],
        by_parts in prop::bool::ANY,
    ) {
        let mut scene = Scene::new(262_144, outbox_events_max, Mode::All, by_parts).closing();
        for step in steps {
            scene.step(step);
        }
        scene.settle();
        prop_assert_eq!(scene.knowledge.lags, 0);
    }

    #[test]
    fn no_two_events_of_a_topic_are_closer_than_its_interval(steps in steps(), outbox_events_max in 1_usize..6) {
        let mode = Mode::Latest(Rate::from_hz(2.0));
        let mut scene = Scene::new(100_000, outbox_events_max, mode, true).at_intervals(Duration::from_millis(500));
        scene.step(Step::Connect(Transport::WebSocket, 0));
        for topic in ["S0", "S1", "S2", "S3"] {
            scene.step(Step::Ask((topic.into(), "trades".into()), Some(mode)));
        }
        let is_request = |step: &Step| matches!(step, Step::Ask(..) | Step::AskBack(..) | Step::Restart);
        let breaks = |step: &Step| matches!(step, Step::Connect(..) | Step::Disconnect | Step::Lose(_) | Step::End(_));
        for step in steps.into_iter().filter(|step| !is_request(step) && !breaks(step)) {
            scene.step(step);
        }
        for _ in 0..10 {
            scene.step(Step::Wait(500));
            scene.step(Step::Drain(50));
        }
    }
}
