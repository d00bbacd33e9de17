//! Clients that do not read: the server skips events and says so, or closes the session, and the application is told, or gets every event.

use std::sync::atomic::Ordering::SeqCst;

use serde_json::json;

use super::middlebox::Middlebox;
use super::program::{Language, Program};
use super::with_each;
use crate::command::{Process, spawn_binary};
use crate::http::get;
use crate::patience::patiently;

/// A server that counts a client as slow after a quarter of a second without a read, and keeps all events of the test.
async fn impatient_server() -> Process {
    let variables = [
        ("TICKCAST__FEED__EVENTS_PER_SECOND", "2000"),
        ("TICKCAST__PUSH__OUTBOX_EVENTS_MAX", "512"),
        ("TICKCAST__SESSION__STALL_TIMEOUT_MS", "60000"),
        ("TICKCAST__SERVER__WRITE_BUFFER_BYTES", "4096"),
        ("TICKCAST__SERVER__UNSENT_BYTES_MAX", "4096"),
    ];
    spawn_binary(&[], &variables).await
}

/// Returns the sum of the lines of `/metrics` that begin so.
async fn figure(server: &Process, beginning: &str) -> u64 {
    let answer = get(server.address, "/metrics").await;
    let lines = answer.text().lines().filter(|line| line.starts_with(beginning));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

/// Lets a program with this option stand still until a figure of the server has grown, twice, and reads on.
async fn stand_still(language: Language, on_lag: &str, counter: &str) -> (Process, Program) {
    let server = impatient_server().await;
    let middlebox = Middlebox::start(server.address).await;
    let subscriptions = json!([["*", { "channels": ["trades", "quotes"] }]]);
    let options = json!({ "on_lag": on_lag, "transports": ["websocket"] });
    let mut program = Program::start_with(language, middlebox.address, &options, &subscriptions);
    for _ in 0..2 {
        program.until_state("live", "websocket").await;
        program.read(100).await;
        let before = figure(&server, counter).await;
        middlebox.rules.stands_still.store(true, SeqCst);
        patiently(counter, async { while figure(&server, counter).await == before {} }).await;
        middlebox.rules.stands_still.store(false, SeqCst);
        program.read(3_000).await;
    }
    (server, program)
}

#[actix_web::test]
async fn a_slow_application_is_told_how_many_events_were_skipped() {
    with_each(Language::ALL, async |language| {
        let (_server, program) = stand_still(language, "catch_up", "tickcast_lags_total").await;
        let (_, ledger) = program.close().await;
        assert!(ledger.count("lag") >= 2, "{language:?}");
        assert_eq!((ledger.count("reset"), ledger.count("hole"), ledger.count("open")), (0, 0, 1), "{language:?}");
    })
    .await;
}

#[actix_web::test]
async fn an_application_that_wants_to_be_closed_when_slow_resumes_without_a_hole() {
    with_each(Language::ALL, async |language| {
        let (_server, program) = stand_still(language, "close", "tickcast_closes_total{reason=\"lagging\"}").await;
        assert_eq!(program.codes, [4004, 4004], "{language:?}: {:?}", program.causes);
        let (_, ledger) = program.close().await;
        assert_eq!((ledger.count("lag"), ledger.count("reset"), ledger.count("hole")), (0, 0, 0), "{language:?}");
        assert_eq!(ledger.count("open"), 3, "{language:?}");
    })
    .await;
}
