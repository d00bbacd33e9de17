//! A replay of the whole market that begins within a file.

use serde_json::json;

use crate::client::Client;
use crate::http::request;
use crate::replay::{BEGIN, File, replaying};
use crate::spawn::spawn_app;

#[actix_web::test]
async fn the_numbers_of_a_stream_that_begins_within_a_file_begin_at_one() {
    let folder = crate::folder::Folder::new();
    std::fs::write(folder.path("ticks.csv"), File::ticks_text(300, 1_000_000)).unwrap();
    let server = spawn_app(|settings| {
        replaying(settings, &[folder.path("ticks.csv").to_str().unwrap()]);
        settings.feed.replay.start = "2026-03-03T14:32:00Z".into();
    });
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["*"], &["trades", "quotes"]).await;
    let snapshots = [client.next_message().await, client.next_message().await];
    for snapshot in snapshots {
        assert!(snapshot["ts"].as_i64().unwrap() < BEGIN + 120_000_000, "the values of before are there: {snapshot}");
        assert!(snapshot["seq"].as_object().unwrap().values().all(|seq| *seq == 0), "the numbers are not: {snapshot}");
    }
    request(server.address, awc::http::Method::POST, "/api/v1/feed/resume", &[]).await;
    let messages = client.events(50).await;
    let first = messages.iter().find(|message| message["type"] == "trade").unwrap();
    assert_eq!(first["seq"], json!(1));
    assert_eq!((client.view.missing, client.view.lags), (0, 0));
}
