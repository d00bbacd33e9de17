//! Replays for one client each, and the rest of the server: operators, rules of faults, tickets, heartbeats, clocks, the dialect of Alpaca.

use awc::http::Method;
use serde_json::{Value, json};

use crate::alpaca_client::{AlpacaClient, CODECS, Ended};
use crate::client::Client;
use crate::command::run;
use crate::http::{get, request};
use crate::keyring::{KeyRing, WIDE, entry, header_of, raw_get, secret, two_keys};
use crate::patience::wait_until;
use crate::raw::RawClient;
use crate::replay::{BEGIN, spy};
use crate::replay_private::{events, ticks, with_files};
use crate::spawn::{spawn_app, spawn_app_at_rest, with_operators};

const PATH: &str = "/ws?replay=ticks.csv";

#[actix_web::test]
async fn the_time_of_a_replay_follows_the_clock_at_its_speed() {
    let folder = ticks(600);
    let (server, clock) = spawn_app_at_rest(|settings| with_files(settings, &folder));
    let mut client = Client::connect_at(server.address, &format!("{PATH}&speed=10")).await;
    client.subscribe(&["*"], &["trades", "quotes"]).await;
    let mut seen: usize = 1;
    client.events(1).await;
    for (micros, events_then) in [(1_000_000, 11), (550_000, 16), (60_000, 17)] {
        clock.advance_micros(micros);
        seen += events(&client.events(events_then - seen).await).len();
        assert_eq!(events(&client.sync().await).len(), 0, "no later event comes");
    }
    // A pause does not count, nor does the time of a client without subscriptions.
    client.ask(json!({"action": "pause"})).await;
    clock.advance_micros(5_000_000);
    let resumed = client.ask(json!({"action": "resume"})).await.pop().unwrap();
    assert_eq!(resumed["file_ts"], BEGIN + 16_100_000);
    let mut late = Client::connect_at(server.address, &format!("{PATH}&speed=10")).await;
    clock.advance_micros(90_000);
    late.subscribe(&["*"], &["trades", "quotes"]).await;
    assert_eq!(events(&late.events(1).await)[0]["ts"], BEGIN);
    assert_eq!(events(&client.events(1).await)[0]["ts"], BEGIN + 17_000_000);
}

#[actix_web::test]
async fn an_operator_sees_a_replay_and_ends_it() {
    let folder = ticks(600);
    let server = spawn_app(|settings| {
        with_files(settings, &folder);
        with_operators(settings);
    });
    let admin = server.admin.unwrap();
    let mut client = Client::connect_at(server.address, &format!("{PATH}&paused=true")).await;
    client.subscribe(&["*"], &["trades"]).await;
    let list = get(admin, "/admin/sessions").await.json();
    assert_eq!((&list["matched"], &list["sessions"][0]["session"]), (&json!(1), &client.welcome["session"]));
    let path = format!("/admin/sessions/{}", client.welcome["session"].as_str().unwrap());
    assert_eq!(request(admin, Method::DELETE, &path, &[]).await.json(), json!({"ended": 1}));
    assert_eq!(client.read_to_end().await.1, Some((4006, "ended by an operator".into())));
    wait_until("the place to be free", 0, || server.metrics.replays.get()).await;
}

#[actix_web::test]
async fn a_rule_of_faults_meets_a_replay_that_has_begun() {
    let folder = ticks(600);
    let server = spawn_app(|settings| with_files(settings, &folder));
    let mut client = Client::connect_at(server.address, &format!("{PATH}&paused=true&client=bot")).await;
    client.subscribe(&["*"], &["trades"]).await;
    server
        .add_fault(&json!({"kind": "close", "client": "bot", "code": 4999, "reason": "a fault", "after_ms": 1}))
        .await;
    assert_eq!(client.read_to_end().await.1, Some((4999, "a fault".into())));
    assert_eq!(server.metrics.faults("close"), 1);
    server.add_fault(&json!({"kind": "refuse", "status": 418, "client": "bot"})).await;
    for path in [PATH, "/v2/replay?file=ticks.csv", "/api/v1/replay?file=ticks.csv"] {
        let answer = raw_get(server.address, &format!("{path}&client=bot"), "", !path.starts_with("/api")).await;
        assert_eq!(answer.status, 418, "{path}");
    }
}

#[actix_web::test]
async fn a_ticket_opens_a_replay_and_a_first_message_does_not() {
    let folder = ticks(60);
    let ring = KeyRing::new(&two_keys());
    let server = spawn_app(|settings| {
        with_files(settings, &folder);
        ring.require(settings);
        settings.auth.first_message_ms = 5_000;
    });
    let header = header_of(WIDE);
    for path in [format!("{PATH}&speed=max"), "/api/v1/replay?file=ticks.csv&speed=max".into()] {
        let headers = [("Authorization", &*header)];
        let ticket = request(server.address, Method::POST, "/api/v1/ticket", &headers).await.json();
        let path = format!("{path}&ticket={}", ticket["ticket"].as_str().unwrap());
        let opens = path.starts_with("/ws");
        let answer = raw_get(server.address, &path, "", opens).await;
        assert_eq!(answer.status, if opens { 101 } else { 200 }, "{path}: {answer:?}");
        assert_eq!(raw_get(server.address, &path, "", opens).await.status, 401, "once");
    }
    // Who has not said who it is gets no place, and learns of no file.
    for file in ["ticks.csv", "missing.csv"] {
        let answer = raw_get(server.address, &format!("/ws?replay={file}"), "", true).await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    assert_eq!(raw_get(server.address, "/ws", "", true).await.status, 101);
}

#[actix_web::test]
async fn a_renewal_keeps_to_the_symbols_of_the_file() {
    let folder = ticks(60);
    // AAPL has the number in the market that AA has in the file.
    let ring = KeyRing::new(&[entry("bb", "symbols = [\"BB\", \"AAPL\"]")]);
    let server = spawn_app(|settings| {
        with_files(settings, &folder);
        ring.require(settings);
    });
    let mut live = Client::connect_as(server.address, "bb").await;
    live.subscribe(&["*"], &["trades"]).await;
    let mut client = Client::connect_at_as(server.address, &format!("{PATH}&speed=max&paused=true"), "bb").await;
    client.subscribe(&["*"], &["trades"]).await;
    let renewed = client.ask(json!({"action": "auth", "token": secret("bb")})).await.pop().unwrap();
    assert_eq!(renewed["type"], "auth", "{renewed}");
    client.ask(json!({"action": "resume"})).await;
    let (messages, close) = client.read_to_end().await;
    assert!(events(&messages).iter().all(|event| event["symbol"] == "BB"), "{messages:?}");
    assert_eq!((events(&messages).len(), close.map(|(code, _)| code)), (8, Some(1000)));
}

#[actix_web::test]
async fn lines_have_heartbeats_while_nothing_happens() {
    let folder = ticks(60);
    let server = spawn_app(|settings| {
        with_files(settings, &folder);
        settings.session.heartbeat_ms = 50;
    });
    let mut client = RawClient::connect(server.address).await;
    let head = "GET /api/v1/replay?file=ticks.csv&paused=true HTTP/1.1\r\nHost: localhost\r\n\r\n";
    client.send(head.as_bytes()).await;
    let mut text = String::new();
    while text.matches("{\"type\":\"heartbeat\"").count() < 2 {
        text.push_str(std::str::from_utf8(&client.next_bytes().await).unwrap());
    }
    assert!(!text.contains("\"type\":\"trade\""), "{text}");
    client.hang_up().await;
    wait_until("the place to be free", 0, || server.metrics.replays.get()).await;
}

#[actix_web::test]
async fn a_client_of_alpaca_gets_the_trades_quotes_and_bars_of_a_file_and_the_end() {
    let folder = ticks(600);
    let server = spawn_app(|settings| with_files(settings, &folder));
    for headers in CODECS {
        let mut client = AlpacaClient::connect(server.address, "/v2/replay?file=ticks.csv&speed=max", headers).await;
        client.send(&json!({"action": "subscribe", "trades": ["*"], "quotes": ["AA"], "bars": ["BB"]})).await;
        let mut counts = [0; 3];
        let end = loop {
            match client.try_next_frame().await {
                Ok(messages) => {
                    for message in messages {
                        if let Some(kind) = ["t", "q", "b"].iter().position(|kind| message["T"] == *kind) {
                            counts[kind] += 1;
                        }
                    }
                }
                Err(end) => break end,
            }
        };
        // One of five is of BB, and one of three is a quote.
        assert_eq!((counts, end), ([400, 160, 10], Ended(Some(1000))));
    }
    assert_eq!(server.metrics.replays_opened.get(), 2);
}

#[actix_web::test]
async fn a_folder_that_cannot_be_read_is_refused_at_the_start() {
    for folder in ["/no/such/folder", &*spy()] {
        let ended = run(&[], &[("TICKCAST__FEED__FILES_DIR", folder), ("TICKCAST__SERVER__PORT", "0")]).await;
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        let line = format!("bad configuration: feed.files_dir {folder} cannot be read");
        assert!(ended.stderr.contains(&line) && ended.stderr.lines().count() == 1, "{ended:?}");
    }
}

#[actix_web::test]
async fn a_cursor_within_a_replay_brings_back_what_is_kept() {
    let folder = ticks(600);
    let server = spawn_app(|settings| {
        with_files(settings, &folder);
        // The client asks again and again until something is there.
        settings.session.requests_per_second_max = 1_000_000;
        settings.session.work_per_second_max = 1_000_000_000;
    });
    let mut client = Client::connect_at(server.address, &format!("{PATH}&speed=max&paused=true")).await;
    client.ask(json!({"action": "step", "events": 100})).await;
    while client.ask(json!({"action": "ping"})).await.pop().unwrap()["offset"].as_u64().unwrap() < 100 {}
    let after = json!({"epoch": client.welcome["epoch"], "offset": 0});
    let request = json!({"action": "subscribe", "symbols": ["BB"], "channels": ["trades"], "after": after});
    assert_eq!(client.ask(request.clone()).await.pop().unwrap()["recovered"], true);
    let of_bb: Vec<Value> = events(&client.sync().await);
    assert!(of_bb.len() > 10 && of_bb.iter().all(|event| event["symbol"] == "BB" && event["type"] == "trade"));
    // After a seek the epoch is another one.
    client.ask(json!({"action": "seek", "ts": BEGIN + 30_000_000})).await;
    client.until("the seek", |message| message["sought"] == true).await;
    let mut again = request;
    again["symbols"] = json!(["AA"]);
    again["channels"] = json!(["quotes"]);
    assert_eq!(client.ask(again).await.pop().unwrap()["recovered"], false);
    assert_eq!(client.view.missing, 0);
}
