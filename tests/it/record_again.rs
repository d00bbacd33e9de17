//! A recording of a replay of a recording has the same events.

use std::time::Duration;

use crate::folder::Folder;
use crate::patience::wait_until;
use crate::recording::{Recording, check_offsets, digest, recordings, replayed};
use crate::spawn::spawn_app_at_rest;

/// Seconds of the simulated market that are recorded.
const SECONDS: i64 = 30;

async fn simulated(folder: &Folder) -> Vec<Recording> {
    let (mut server, clock) = spawn_app_at_rest(|settings| {
        settings.feed.events_per_second = 6_000.0;
        settings.feed.amendments_per_million_trades = 10_000;
        settings.feed.record.dir = folder.root().to_str().unwrap().into();
        // The clock of the test runs ahead of the recorder.
        settings.feed.record.queue_events_max = 1_000_000;
    });
    for second in 1..=SECONDS {
        clock.advance_micros(1_000_000);
        let least = u64::try_from(second).unwrap() * 5_500;
        wait_until("its events", true, || server.metrics.events_published.get() > least).await;
    }
    wait_until("the feed to have published all that is due", Duration::ZERO, || server.metrics.feed_lag()).await;
    wait_until("everything is written", 0, || server.metrics.record_waiting.get()).await;
    server.shut_down();
    wait_until("the end of the server", true, || server.has_ended()).await;
    let files = recordings(folder.root());
    assert_eq!((server.metrics.record_events_lost.get(), check_offsets(&files)), (0, 0));
    let last = files[0].lines.last().unwrap()["offset"].as_i64().unwrap();
    assert!(files[0].is_complete() && last > SECONDS * 5_500, "{last}: every event that was published before the end");
    files
}

#[actix_web::test]
async fn the_same_events_come_again_at_any_speed_and_with_any_number_of_workers() {
    let folder = Folder::new();
    let first = simulated(&folder).await;
    let (count, expected) = digest(&first, &["offset"]);
    assert!(count > 131_072 && first[0].of_type("correction").next().is_some(), "{count}: more than the queue takes");
    for (speed, workers) in [(0.0, 1), (0.0, 2), (1_000.0, 1), (1_000.0, 2)] {
        let (_folder, again) = replayed(&first, speed, workers).await;
        assert_eq!(check_offsets(&again), 0);
        assert_eq!(digest(&again, &["offset"]), (count, expected.clone()), "speed {speed}, {workers} workers");
    }
}

#[actix_web::test]
async fn a_recording_of_a_replay_of_a_replay_is_the_same_file_but_for_its_header() {
    let folder = Folder::new();
    let first = simulated(&folder).await;
    let (second_folder, second) = replayed(&first, 0.0, 1).await;
    let (_folder, third) = replayed(&second, 0.0, 2).await;
    assert_eq!((second.len(), third.len()), (1, 1));
    assert_eq!(second[0].lines.len(), third[0].lines.len());
    for (second, third) in second[0].lines.iter().zip(&third[0].lines).skip(1) {
        assert_eq!(second, third);
    }
    drop(second_folder);
}
