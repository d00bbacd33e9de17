//! What a replay that all clients get tells of its files: a mistake that ends it, and figures of what was left out or changed.

use std::os::unix::fs::FileExt;

use tickcast::feed::OnBadRecord;

use crate::client::Client;
use crate::folder::Folder;
use crate::http::get;
use crate::patience::patiently;
use crate::replay::{BEGIN, File, order, replaying, until_state};
use crate::spawn::{TestServer, spawn_app};

/// Waits until `/metrics` has this line.
async fn until_line(server: &TestServer, line: &str) {
    patiently(line, async {
        while !get(server.address, "/metrics").await.text().lines().any(|each| each == line) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[actix_web::test]
async fn a_record_that_becomes_bad_while_the_file_is_played_ends_the_replay_and_is_named() {
    const ROW: usize = 40_000;
    let folder = Folder::new();
    let path = folder.path("ticks.csv");
    let text = File::ticks_text(60_000, 1_000);
    std::fs::write(&path, &text).unwrap();
    let server = spawn_app(|settings| {
        replaying(settings, &[path.to_str().unwrap()]);
        settings.feed.replay.lossless = true;
    });
    // It is far after what has been read ahead. The first line is the header.
    let line = text.lines().nth(ROW + 1).unwrap();
    let before: usize = text.lines().take(ROW + 1).map(|line| line.len() + 1).sum();
    let price = before + line.match_indices(',').nth(2).unwrap().0 + 1;
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().write_all_at(b"x", price as u64).unwrap();
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["*"], &["trades", "quotes"]).await;
    assert_eq!(order(&server, "resume").await.status, 200);
    client.until("the failure", |message| message["type"] == "status" && message["feed"] == "failed").await;

    let failed = until_state(&server, "failed").await;
    let complaint = failed["complaint"].as_str().unwrap();
    assert!(complaint.starts_with(&format!("ticks.csv:{}: column 'price'", ROW + 2)), "{complaint}");
    let ready = get(server.address, "/readyz").await;
    assert_eq!(ready.status, 200);
    assert_eq!(ready.text(), "ready\nthe replay has ended, because a file cannot be read on\n");
    assert_eq!((client.view.missing, client.view.lags), (0, 0));
    let events = client.view.events;
    assert_eq!(events, ROW as u64, "everything before the mistake");
    until_line(&server, &format!("tickcast_replay_events_total {events}")).await;
}

#[actix_web::test]
async fn a_bad_record_that_is_skipped_is_counted() {
    let folder = Folder::new();
    let path = folder.path("trades.csv");
    let [second, third] = [1, 2].map(|seconds| BEGIN + seconds * 1_000_000);
    let text = format!("symbol,timestamp,price,size\nAA,{BEGIN},10,1\nAA,{second},x,1\nAA,{third},12,1\n");
    std::fs::write(&path, text).unwrap();
    let server = spawn_app(|settings| {
        replaying(settings, &[path.to_str().unwrap()]);
        settings.feed.bad_record = OnBadRecord::Skip;
    });
    assert_eq!(order(&server, "resume").await.status, 200);
    let ended = until_state(&server, "ended").await;
    let expected = serde_json::json!({"rounded": 0, "skipped": 1, "reordered": 0});
    assert_eq!((&ended["counted"], ended.get("complaint")), (&expected, None), "{ended}");
    until_line(&server, "tickcast_replay_events_total 2").await;
    until_line(&server, "tickcast_replay_skipped_total{reason=\"bad\"} 1").await;
}

#[actix_web::test]
async fn a_rounded_price_and_a_row_that_was_put_in_order_are_counted() {
    let folder = Folder::new();
    let path = folder.path("trades.csv");
    let [first, later] = [1_000, 2_000].map(|micros| BEGIN + micros);
    let text = format!("symbol,timestamp,price,size\nAA,{BEGIN},10.12345,1\nAA,{later},12,1\nAA,{first},11,1\n");
    std::fs::write(&path, text).unwrap();
    let server = spawn_app(|settings| {
        replaying(settings, &[path.to_str().unwrap()]);
        settings.feed.replay.order = "time".into();
        settings.feed.replay.reorder_ms = 5;
    });
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["AA"], &["trades"]).await;
    assert_eq!(order(&server, "resume").await.status, 200);
    let told = client.until("the end", |message| message["type"] == "status" && message["feed"] == "ended").await;
    let trades = told.iter().filter(|message| message["type"] == "trade");
    let trades: Vec<_> = trades.map(|trade| (trade["ts"].as_i64(), trade["price"].as_f64())).collect();
    let expected = [(BEGIN, 10.1234), (first, 11.0), (later, 12.0)].map(|(ts, price)| (Some(ts), Some(price)));
    assert_eq!(trades, expected);
    let ended = until_state(&server, "ended").await;
    assert_eq!(ended["counted"], serde_json::json!({"rounded": 1, "skipped": 0, "reordered": 1}), "{ended}");
    until_line(&server, "tickcast_replay_rounded_total 1").await;
    until_line(&server, "tickcast_replay_reordered_total 1").await;
}
