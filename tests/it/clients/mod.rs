//! The client libraries of `clients/` against a real server: whatever happens to the connection, the application gets every event
//! once and in order, or is told which are lost.

mod budget;
mod ledger;
mod matrix;
pub(crate) mod middlebox;
pub(crate) mod program;
mod readme;
mod silent;
mod slow;

use std::fmt::Debug;
use std::sync::atomic::Ordering::SeqCst;

use futures_util::future::join_all;
use serde_json::{Value, json};

use self::middlebox::Middlebox;
use self::program::{Language, Program};
use crate::command::{Process, spawn_binary};
use crate::spawn::spawn_app;

/// A busy market whose last minutes fit into the ring.
const BUSY: [(&str, &str); 1] = [("TICKCAST__FEED__EVENTS_PER_SECOND", "2000")];
const TRANSPORTS: [&str; 3] = ["websocket", "sse", "poll"];

async fn busy_server() -> Process {
    spawn_binary(&[], &BUSY).await
}

fn only(transport: &str) -> Value {
    json!({ "transports": [transport] })
}

/// Runs a test with each client at once.
async fn with_each<C>(clients: impl IntoIterator<Item = C>, test: impl AsyncFn(C)) {
    join_all(clients.into_iter().map(|client| test(client))).await;
}

/// Ends a client, which has had so many snapshots and got every event.
async fn close_whole(program: Program, snapshots: u64, name: impl Debug) {
    let (_, ledger) = program.close().await;
    let counts = ["snapshot", "reset", "hole"].map(|kind| ledger.count(kind));
    assert_eq!(counts, [snapshots, 0, 0], "{name:?}");
}

/// Returns each language without a browser, with each transport.
fn each_alone() -> impl Iterator<Item = (Language, &'static str)> {
    Language::ALL.into_iter().flat_map(|language| TRANSPORTS.map(|transport| (language, transport)))
}

#[tokio::test]
async fn an_application_gets_snapshots_and_then_every_event_on_each_transport() {
    let server = busy_server().await;
    with_each(each_alone(), async |(language, transport)| {
        let mut program = Program::start(language, server.address, &only(transport));
        program.until_state("live", transport).await;
        program.read(500).await;
        let (end, ledger) = program.close().await;
        assert_eq!((ledger.count("snapshot"), ledger.count("reset")), (6, 0), "{language:?} {transport}");
        assert_eq!((ledger.count("open"), &end["failure"]), (1, &Value::Null), "{language:?} {transport}");
    })
    .await;
}

#[tokio::test]
async fn corrections_and_cancels_come_to_those_who_want_them_on_each_transport() {
    let variables = [BUSY[0], ("TICKCAST__FEED__AMENDMENTS_PER_MILLION_TRADES", "50000")];
    let server = spawn_binary(&[], &variables).await;
    let subscriptions =
        json!([["*", { "channels": ["trades", "corrections", "cancels"] }], ["AAPL", { "channels": ["quotes"] }]]);
    with_each(each_alone(), async |(language, transport)| {
        let mut program = Program::start_with(language, server.address, &only(transport), &subscriptions);
        while program.ledger.count("correction") < 5 || program.ledger.count("cancel") < 5 {
            program.next().await;
        }
        let (_, ledger) = program.close().await;
        assert_eq!((ledger.count("reset"), ledger.count("hole")), (0, 0), "{language:?} {transport}");
    })
    .await;
    with_each(Language::ALL, async |language| {
        let mut program = Program::start(language, server.address, &json!({}));
        program.read(1_000).await;
        let (_, ledger) = program.close().await;
        assert_eq!((ledger.count("correction"), ledger.count("cancel")), (0, 0), "{language:?}");
    })
    .await;
}

#[tokio::test]
async fn a_broken_connection_is_resumed_without_a_hole_or_a_repeat() {
    let server = busy_server().await;
    with_each(each_alone(), async |(language, transport)| {
        let middlebox = Middlebox::start(server.address).await;
        let mut program = Program::start(language, middlebox.address, &only(transport));
        for _ in 0..3 {
            program.until_state("live", transport).await;
            program.read(300).await;
            middlebox.cut();
            // A cut between two polls is not noticed.
            if transport != "poll" {
                program.until_state("reconnecting", transport).await;
            }
        }
        program.until_state("live", transport).await;
        program.read(300).await;
        close_whole(program, 6, (language, transport)).await;
    })
    .await;
}

#[tokio::test]
async fn where_no_upgrade_gets_through_events_come_by_other_transports_and_by_a_websocket_again_later() {
    let server = busy_server().await;
    with_each(Language::EVERYWHERE, async |language| {
        let middlebox = Middlebox::start(server.address).await;
        middlebox.rules.refuses_upgrades.store(true, SeqCst);
        middlebox.rules.holds_streams.store(true, SeqCst);
        let mut program = Program::start_anywhere(language, middlebox.address, &json!({ "upgrade_ms": 1_000 })).await;
        program.until_state("live", "poll").await;
        assert_eq!(program.status["isFallback"], true);
        program.read(300).await;
        middlebox.rules.holds_streams.store(false, SeqCst);
        program.until_state("live", "sse").await;
        program.read(300).await;
        assert!(middlebox.rules.refused.load(SeqCst) >= 2, "it was tried again");
        // Another kind of proxy: the server gets a request without an upgrade, and refuses it.
        middlebox.rules.strips_upgrades.store(true, SeqCst);
        middlebox.rules.refuses_upgrades.store(false, SeqCst);
        while middlebox.rules.stripped.load(SeqCst) < 2 {
            program.next().await;
            assert_eq!(program.status["transport"], "sse", "{language:?}");
        }
        middlebox.rules.strips_upgrades.store(false, SeqCst);
        program.until_state("live", "websocket").await;
        program.read(300).await;
        close_whole(program, 6, language).await;
    })
    .await;
}

#[tokio::test]
async fn a_proxy_that_cuts_idle_connections_costs_no_event() {
    let server = spawn_binary(&[], &[("TICKCAST__FEED__EVENTS_PER_SECOND", "150")]).await;
    let subscriptions = json!([["KO", { "channels": ["trades"] }]]);
    with_each(each_alone(), async |(language, transport)| {
        let middlebox = Middlebox::start(server.address).await;
        middlebox.rules.idle_ms_max.store(300, SeqCst);
        let options = json!({ "transports": [transport], "ping_ms": 60_000 });
        let mut program = Program::start_with(language, middlebox.address, &options, &subscriptions);
        while middlebox.rules.idled.load(SeqCst) < 3 || program.ledger.events < 5 {
            program.next().await;
        }
        close_whole(program, 1, (language, transport)).await;
    })
    .await;
}

#[tokio::test]
async fn after_a_restart_of_the_server_an_application_is_told_and_begins_with_snapshots() {
    let server = busy_server().await;
    let port = server.address.port().to_string();
    let mut programs = Vec::new();
    for (language, transport) in each_alone() {
        programs.push((transport, Program::start(language, server.address, &only(transport))));
    }
    with_each(&mut programs, async |(transport, program)| {
        program.until_state("live", transport).await;
        program.read(300).await;
    })
    .await;
    server.signal("TERM").await;
    with_each(&mut programs, async |(transport, program)| program.until_state("reconnecting", transport).await).await;
    assert!(server.ended().await.status.success());
    let _server = spawn_binary(&["--port", &port], &BUSY).await;
    with_each(programs, async |(transport, mut program)| {
        let reset = program.until("reset").await;
        assert_eq!((&reset["symbols"], &reset["reason"]), (&json!(["*"]), &json!("restarted")), "{transport}");
        program.until("snapshot").await;
        program.read(300).await;
        if transport == "websocket" {
            assert!(program.codes.contains(&1001), "{:?}", program.codes);
        }
        let (_, ledger) = program.close().await;
        assert_eq!((ledger.count("snapshot"), ledger.count("reset")), (12, 1), "{transport}");
    })
    .await;
}

#[actix_web::test]
async fn a_close_code_after_which_reconnecting_is_of_no_use_ends_the_client() {
    with_each(Language::ALL, async |language| {
        let server = spawn_app(|_| {});
        let mut program = Program::start(language, server.address, &only("websocket"));
        program.until_state("live", "websocket").await;
        program.read(100).await;
        server.add_fault(&json!({ "kind": "close", "code": 4500, "reason": "no" })).await;
        while program.status["state"] != "closed" {
            program.next().await;
        }
        let (end, _) = program.close().await;
        assert_eq!((&end["failure"]["code"], &end["failure"]["reason"]), (&json!(4500), &json!("no")), "{language:?}");
    })
    .await;
}
