//! The recording of the stream into files: everything that is sent, in files that can be read whatever ends the server, and never in the
//! way of the stream.

use std::time::Duration;

use serde_json::{Value, json};
use tickcast::app::Settings;
use tickcast_tape::BadRecord;
use tokio::process::Command;

use crate::client::{Client, EVERY_CHANNEL};
use crate::command::{Process, configured, run, spawn_binary, spawn_command};
use crate::folder::Folder;
use crate::http::get;
use crate::patience::{patiently, wait_until};
use crate::recording::{ROWS, Recording, check_offsets, is_event, kills, recordings, rows};
use crate::spawn::{spawn_app, spawn_app_at_rest};

fn recording(settings: &mut Settings, folder: &Folder) {
    settings.feed.record.dir = folder.root().to_str().unwrap().into();
    settings.feed.record.frame_ms = 10;
}

#[actix_web::test]
async fn a_recording_has_every_message_as_it_is_sent() {
    let folder = Folder::new();
    let (mut server, clock) = spawn_app_at_rest(|settings| {
        recording(settings, &folder);
        settings.feed.amendments_per_million_trades = 100_000;
    });
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["*"], &EVERY_CHANNEL).await;
    for _ in 0..70 {
        clock.advance_micros(1_000_000);
    }
    let mut sent = client.events(30_000).await;
    sent.retain(is_event);
    server.shut_down();
    sent.extend(client.read_to_end().await.0.into_iter().filter(is_event));
    wait_until("the end of the server", true, || server.has_ended()).await;

    let files = recordings(folder.root());
    assert_eq!(files.iter().map(Recording::name).collect::<Vec<_>>(), ["2026-03-02T15-04-05Z.jsonl.zst"]);
    let file = &files[0];
    let expected = json!({
        "type": "recording", "version": 1, "protocol": "tickcast.v1", "epoch": client.welcome["epoch"], "offset": 0,
        "started": 1_772_463_845_123_456_i64, "channels": EVERY_CHANNEL,
    });
    assert_eq!(file.lines[0], expected);
    assert_eq!((file.of_type("snapshot").count(), &file.lines[30]["type"]), (30, &"snapshot".into()));
    let recorded: Vec<&Value> = file.events().collect();
    assert!(recorded.len() >= sent.len());
    for (recorded, sent) in recorded.iter().zip(&sent) {
        assert_eq!(*recorded, sent);
    }
    let kinds = ["trade", "quote", "bar", "correction", "cancel"];
    assert!(kinds.iter().all(|kind| file.of_type(kind).next().is_some()));
    assert_eq!(check_offsets(&files), 0);
    assert_eq!(file.lines.last().unwrap()["offset"], recorded.last().unwrap()["offset"]);
    let count = recorded.iter().filter(|event| ROWS.contains(&event["type"].as_str().unwrap())).count();
    assert_eq!(rows(&file.path, BadRecord::Stop).0, count as u64);
    let bytes = file.path.metadata().unwrap().len();
    assert_eq!(server.metrics.record_bytes.get(), bytes);
    assert!(server.metrics.render().contains(&format!("\ntickcast_record_bytes_total {bytes}\n")));
}

#[actix_web::test]
async fn only_the_channels_asked_for_are_recorded() {
    let folder = Folder::new();
    let (mut server, clock) = spawn_app_at_rest(|settings| {
        recording(settings, &folder);
        settings.feed.record.channels = vec!["trades".into(), "bars.1s".into()];
    });
    clock.advance_micros(10_000_000);
    wait_until("the events", true, || server.metrics.events_published.get() > 1_000).await;
    server.shut_down();
    wait_until("the end of the server", true, || server.has_ended()).await;
    let file = &recordings(folder.root())[0];
    assert_eq!(file.lines[0]["channels"], json!(["trades", "bars.1s"]));
    assert!(file.events().all(|event| event["type"] == "trade" || event["interval"] == "1s"));
    assert!(file.of_type("trade").next().is_some() && file.of_type("bar").next().is_some());
    assert!(file.lines[1]["price"].is_f64() && file.lines[1]["bid"].is_null(), "{}", file.lines[1]);
}

#[actix_web::test]
async fn another_file_begins_at_each_whole_interval() {
    let folder = Folder::new();
    let (mut server, clock) = spawn_app_at_rest(|settings| {
        recording(settings, &folder);
        settings.feed.record.rotate_ms = 60_000;
    });
    let ends = ["15-04-05Z", "15-05-00Z", "15-06-01Z"];
    wait_until("the first file", 1, || recordings(folder.root()).len()).await;
    clock.advance_micros(50_000_000);
    wait_until("the events", true, || server.metrics.events_published.get() > 20_000).await;
    // To 15:05:00.123456, and to 15:06:01.
    for (index, micros) in [(1, 5_000_000), (2, 60_900_000)] {
        clock.advance_micros(micros);
        wait_until("the next file", index + 1, || recordings(folder.root()).len()).await;
    }
    server.shut_down();
    wait_until("the end of the server", true, || server.has_ended()).await;
    let files = recordings(folder.root());
    for (file, end) in files.iter().zip(ends) {
        assert_eq!(file.name(), format!("2026-03-02T{end}.jsonl.zst"));
        assert_eq!(file.of_type("snapshot").count(), 30);
    }
    assert_eq!((files.len(), check_offsets(&files)), (3, 0));
    // The snapshots of a file are the state at its beginning.
    let snapshot = files[1].of_type("snapshot").next().unwrap();
    let newest = files[0].events().filter(|event| event["type"] == "trade" && event["symbol"] == snapshot["symbol"]);
    let newest = newest.last().unwrap();
    assert_eq!((&snapshot["price"], &snapshot["seq"]["trades"]), (&newest["price"], &newest["seq"]));
}

#[actix_web::test]
async fn a_disk_that_is_too_slow_loses_events_and_the_file_says_which() {
    let folder = Folder::new();
    let (mut server, clock) = spawn_app_at_rest(|settings| {
        recording(settings, &folder);
        settings.feed.record.queue_events_max = 20;
    });
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["*"], &["trades", "quotes"]).await;
    for _ in 0..40 {
        // Batches of about 5 events fit into the queue, and then one of about 500 does not.
        for micros in [10_000, 10_000, 1_000_000] {
            let published = server.metrics.events_published.get();
            clock.advance_micros(micros);
            wait_until("its events", true, || server.metrics.events_published.get() > published).await;
        }
    }
    assert!(client.events(10_000).await.iter().all(|message| message["type"] != "lag"), "the stream does not wait");
    server.shut_down();
    wait_until("the end of the server", true, || server.has_ended()).await;
    let files = recordings(folder.root());
    let lost = check_offsets(&files);
    assert!(lost > 1_000 && files[0].events().count() > 100, "{lost}");
    let gaps: Vec<&Value> = files[0].of_type("gap").collect();
    assert!(gaps.iter().all(|gap| gap["reason"] == "queue_full"), "{gaps:?}");
    assert_eq!(server.metrics.record_gaps.get(), gaps.len() as u64);
    assert!(server.metrics.render().contains(&format!("\ntickcast_record_gaps_total {}\n", gaps.len())));
    // The last ones may have no event after them.
    assert!(server.metrics.record_events_lost.get() >= lost);
    assert_eq!(rows(&files[0].path, BadRecord::Stop).1.lost, lost);
}

/// Starts a server that records at most this many bytes into a file.
async fn spawn_limited(folder: &Folder, blocks: u32, variables: &[(&str, &str)]) -> Process {
    let mut command = Command::new("sh");
    // Without the signal, a write fails as on a full disk.
    command.args([
        "-c",
        &format!("trap '' XFSZ; ulimit -f {blocks} && exec \"$0\" \"$@\""),
        env!("CARGO_BIN_EXE_tickcast"),
    ]);
    let directory = folder.root().to_str().unwrap();
    let own = [("TICKCAST__FEED__RECORD__DIR", directory), ("TICKCAST__SERVER__PORT", "0")];
    spawn_command(configured(command, &[], &[variables, &own].concat())).await
}

async fn metric(process: &Process, name: &str) -> u64 {
    let metrics = get(process.address, "/metrics").await;
    let line = metrics
        .text()
        .lines()
        .find_map(|line| line.strip_prefix(&format!("tickcast_{name}_total ")).map(str::to_owned));
    line.unwrap_or_else(|| panic!("{name} is missing")).parse().unwrap()
}

async fn until_metric(process: &Process, name: &str, least: u64) {
    patiently(name, async {
        while metric(process, name).await < least {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[actix_web::test]
async fn a_full_disk_is_told_once_and_the_recording_goes_on_in_another_file() {
    let folder = Folder::new();
    let variables = [
        ("TICKCAST__FEED__EVENTS_PER_SECOND", "20000"),
        ("TICKCAST__FEED__RECORD__FRAME_MS", "20"),
        ("TICKCAST__FEED__RECORD__RETRY_MS", "100"),
    ];
    let process = spawn_limited(&folder, 64, &variables).await;
    until_metric(&process, "record_failures", 4).await;
    let published = metric(&process, "events_published").await;
    until_metric(&process, "events_published", published + 1_000).await;
    process.signal("TERM").await;
    let ended = process.ended().await;
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(ended.stderr.matches("the recording is interrupted").count(), 1, "{}", ended.stderr);
    let files = recordings(folder.root());
    assert!(files.len() >= 4);
    assert!(check_offsets(&files) > 0, "between the files");
    for file in &files {
        assert!(file.is_complete(), "{}: cut to its last frame", file.name());
        rows(&file.path, BadRecord::Stop);
    }
}

#[actix_web::test]
async fn a_directory_that_cannot_be_written_is_refused_at_the_start() {
    let ended =
        run(&[], &[("TICKCAST__FEED__RECORD__DIR", "/dev/null/recordings"), ("TICKCAST__SERVER__PORT", "0")]).await;
    assert_eq!(ended.status.code(), Some(2));
    assert!(ended.stderr.contains("feed.record.dir /dev/null/recordings cannot be written"), "{ended:?}");
}

#[actix_web::test]
async fn whatever_kills_the_server_its_recording_can_be_read_up_to_the_last_frame() {
    let variables = [
        ("TICKCAST__SERVER__PORT", "0"),
        ("TICKCAST__SERVER__WORKERS", "1"),
        ("TICKCAST__FEED__EVENTS_PER_SECOND", "50000"),
        ("TICKCAST__FEED__RECORD__FRAME_MS", "20"),
        ("TICKCAST__FEED__RECORD__ROTATE_MS", "1000"),
        ("TICKCAST__HISTORY__BARS_MAX", "10"),
    ];
    let mut events = 0;
    let folder = Folder::new();
    let mut known = 0;
    for round in 0..kills(20) {
        let own = [("TICKCAST__FEED__RECORD__DIR", folder.root().to_str().unwrap())];
        let process = spawn_binary(&[], &[&variables[..], &own].concat()).await;
        // A moment that differs from round to round, in the middle of something.
        tokio::time::sleep(Duration::from_micros(rand::random::<u64>() % (20_000 + round % 20 * 60_000))).await;
        process.signal("KILL").await;
        process.ended().await;
        let files = recordings(folder.root());
        assert_eq!(check_offsets(&files), 0);
        if let Some(first) = files.get(known).filter(|_| known > 0) {
            let [_, gap, ..] = &first.lines[..] else { panic!("{}", first.name()) };
            let before = &files[known - 1];
            assert_eq!((&gap["reason"], &gap["epoch"]), (&json!("restarted"), &before.lines[0]["epoch"]), "{gap}");
        }
        let fresh = &files[known..];
        known = files.len();
        for file in fresh {
            let (count, counts) = rows(&file.path, BadRecord::Skip);
            let expected = file.events().filter(|event| ROWS.contains(&event["type"].as_str().unwrap())).count();
            assert_eq!((count, counts.lost), (expected as u64, 0), "{}", file.name());
            events += count;
        }
    }
    assert!(events > 10_000, "{events}: they were recorded before the kill");
}

#[actix_web::test]
async fn a_seek_begins_another_file_with_another_epoch() {
    let folder = Folder::new();
    let row = |second| format!("SPY,{},{}.5,100", 1_772_548_200 + second, 300 + second);
    let rows: Vec<String> = std::iter::once("symbol,timestamp,price,size".into()).chain((0..600).map(row)).collect();
    std::fs::write(folder.path("trades.csv"), rows.join("\n")).unwrap();
    let records = Folder::new();
    let mut server = spawn_app(|settings| {
        recording(settings, &records);
        settings.feed.kind = tickcast::feed::FeedKind::Replay;
        settings.feed.speed = 0.0;
        settings.feed.replay.files = vec![folder.path("trades.csv").to_str().unwrap().into()];
        settings.feed.replay.time = tickcast::feed::replay::ReplayTime::Original;
    });
    let trades = |files: &[Recording]| files.iter().map(|file| file.of_type("trade").count()).collect::<Vec<_>>();
    wait_until("all trades", vec![600], || trades(&recordings(records.root()))).await;
    let seek = format!("/api/v1/feed/seek?ts={}", (1_772_548_200_i64 + 500) * 1_000_000);
    let answer = crate::http::request(server.address, awc::http::Method::POST, &seek, &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    wait_until("the rest again", vec![600, 100], || trades(&recordings(records.root()))).await;
    server.shut_down();
    wait_until("the end of the server", true, || server.has_ended()).await;
    let files = recordings(records.root());
    assert_ne!(files[0].lines[0]["epoch"], files[1].lines[0]["epoch"]);
    assert_eq!(check_offsets(&files), 0);
    assert_eq!(files[1].of_type("snapshot").next().unwrap()["price"], 799.5, "the state before the seek's time");
    assert!(files.iter().all(Recording::is_complete));
}
