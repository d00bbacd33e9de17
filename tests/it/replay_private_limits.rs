//! Replays for one client each: names that lead nowhere, bad files, places, keys, slow readers, and the ends of sessions.

use std::fmt::Write;
use std::time::Duration;

use awc::http::Method;
use serde_json::{Value, json};
use tickcast::protocol::CloseReason;

use crate::client::Client;
use crate::command::spawn_binary;
use crate::delayed::delaying;
use crate::folder::Folder;
use crate::http::{get, request};
use crate::keyring::{KeyRing, entry, get_as, header_of, raw_get};
use crate::patience::wait_until;
use crate::raw::{RawClient, TEXT, handshake};
use crate::replay::File;
use crate::replay_private::{events, read, ticks, with_files};
use crate::sdk_alpaca;
use crate::slow_client::narrow;
use crate::spawn::{START, spawn_app, spawn_app_at_rest};
use crate::view::View;

#[actix_web::test]
async fn a_name_that_is_none_of_the_folder_is_answered_with_404() {
    let outer = Folder::new();
    std::fs::write(outer.path("secret.csv"), File::ticks_text(9, 1_000_000)).unwrap();
    let inner = outer.path("files");
    std::fs::create_dir(&inner).unwrap();
    std::fs::write(inner.join(".hidden.csv"), File::ticks_text(9, 1_000_000)).unwrap();
    std::fs::write(inner.join("good.csv"), File::ticks_text(9, 1_000_000)).unwrap();
    std::os::unix::fs::symlink("../secret.csv", inner.join("link.csv")).unwrap();
    let server = spawn_app(|settings| settings.feed.files_dir = inner.to_str().unwrap().into());
    assert_eq!(events(&read(&server, "file=good.csv&channels=trades&speed=max").await).len(), 6);
    for name in [
        "missing.csv",
        "",
        ".",
        "..",
        "../secret.csv",
        "..%2fsecret.csv",
        "%2e%2e%2fsecret.csv",
        "%252e%252e%252fsecret.csv",
        "..%5csecret.csv",
        ".hidden.csv",
        "link.csv",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "good.csv%00",
        "good.csv/",
        "./good.csv",
        "files/good.csv",
        "good.csv%0a",
    ] {
        let answer = get(server.address, &format!("/api/v1/replay?file={name}")).await;
        assert_eq!(answer.status, 404, "{name}: {}", answer.text());
        assert_eq!(answer.problem()["detail"], "no such file", "{name}: the same for all");
        for path in [format!("/ws?replay={name}"), format!("/v2/replay?file={name}")] {
            assert_eq!(raw_get(server.address, &path, "", true).await.status, 404, "{path}");
        }
    }
    let off = spawn_app(|_| {});
    for path in ["/ws?replay=good.csv", "/v2/replay?file=good.csv"] {
        assert_eq!(raw_get(off.address, path, "", true).await.status, 404, "{path}");
    }
    assert_eq!(get(off.address, "/api/v1/replay?file=good.csv").await.status, 404);
}

#[actix_web::test]
async fn a_bad_parameter_or_file_is_answered_with_400_and_the_line() {
    let folder = ticks(60);
    let head = "symbol,timestamp,open,high,low,close,volume\n";
    let good = "AA,2020-12-15T09:30:00-05:00,10,12,9,11,400\n";
    for (name, text) in [
        ("empty.csv", String::new()),
        ("cell_1m.csv", format!("{head}{good}AA,2020-12-15T09:31:00-05:00,x,12,9,11,400\n")),
        ("few_1m.csv", format!("{head}{good}AA,2020-12-15T09:31:00-05:00,10,12\n")),
        ("long_1m.csv", format!("{head}{good}{},2020-12-15T09:31:00-05:00,10,12,9,11,400\n", "A".repeat(40))),
    ] {
        std::fs::write(folder.path(name), text).unwrap();
    }
    let server = spawn_app(|settings| with_files(settings, &folder));
    for (query, detail) in [
        ("", "'file' is missing"),
        ("file=ticks.csv&file=ticks.csv", "more than once"),
        ("file=ticks.csv&speed=0", "'speed' must be"),
        ("file=ticks.csv&speed=1e9", "'speed' must be"),
        ("file=ticks.csv&paused=maybe", "'paused' must be"),
        ("file=ticks.csv&from=now", "'from' and 'to' must be"),
        ("file=ticks.csv&from=2026-03-03T15:00:00Z&to=2026-03-03T14:00:00Z", "'to' must be after"),
        ("file=ticks.csv&from=2030-01-01T00:00:00Z", "no event of the file lies between"),
        ("file=ticks.csv&colour=red", "no such parameter: colour"),
        ("file=ticks.csv&channels=bread", "no such channel"),
        ("file=empty.csv", "empty.csv: is empty"),
        ("file=cell_1m.csv", "cell_1m.csv:3: column 'open': 'x' is not"),
        ("file=few_1m.csv", "few_1m.csv:3: 4 columns, expected 7"),
        ("file=long_1m.csv", "long_1m.csv:3"),
    ] {
        let answer = get(server.address, &format!("/api/v1/replay?{query}")).await;
        assert_eq!(answer.status, 400, "{query}: {}", answer.text());
        let problem = answer.problem();
        let told = problem["detail"].as_str().unwrap();
        assert!(told.contains(detail) && !told.contains(folder.root().to_str().unwrap()), "{query}: {told}");
        assert!(!told.contains('\n'), "one line: {told}");
    }
    let refused = raw_get(server.address, "/ws?replay=cell_1m.csv", "", true).await;
    assert!(refused.status == 400 && refused.body.contains("cell_1m.csv:3"), "{refused:?}");
    assert_eq!(get(server.address, "/api/v1/replay?file=ticks.csv&symbols=ZZ").await.status, 404);
    assert_eq!(request(server.address, Method::POST, "/api/v1/replay?file=ticks.csv", &[]).await.status, 405);
    wait_until("the places to be free", 0, || server.metrics.replays.get()).await;
}

#[actix_web::test]
async fn a_file_that_is_cut_while_it_is_played_ends_the_session_with_4503() {
    let folder = ticks(60_000);
    let server = spawn_app(|settings| with_files(settings, &folder));
    let mut client = Client::connect_at(server.address, "/ws?replay=ticks.csv&speed=max&paused=true").await;
    let path = folder.path("ticks.csv");
    let length = std::fs::metadata(&path).unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length / 2 + 3).unwrap();
    client.subscribe(&["*"], &["trades"]).await;
    client.ask(json!({"action": "resume"})).await;
    let (messages, close) = client.read_to_end().await;
    assert_eq!(close, Some((4503, "the file of the replay cannot be read on".into())));
    let last = messages.last().unwrap();
    let complaint = last["complaint"].as_str().unwrap();
    assert!(last["feed"] == "failed" && complaint.starts_with("ticks.csv:"), "{last}");
    assert_eq!(server.metrics.closes(CloseReason::ReplayFailed), 1);
}

#[actix_web::test]
async fn no_more_files_are_played_at_once_than_there_are_places() {
    let folder = ticks(600);
    let server = spawn_app(|settings| {
        with_files(settings, &folder);
        settings.feed.replays_max = 2;
    });
    let path = "/ws?replay=ticks.csv&paused=true";
    let mut clients =
        vec![Client::connect_at(server.address, path).await, Client::connect_at(server.address, path).await];
    assert_eq!(server.metrics.replays.get(), 2);
    for path in [path, "/v2/replay?file=ticks.csv", "/api/v1/replay?file=ticks.csv"] {
        let refused = raw_get(server.address, path, "", !path.starts_with("/api")).await;
        assert!(refused.status == 503 && refused.head.contains("retry-after: "), "{path}: {refused:?}");
    }
    assert_eq!(server.metrics.replays_refused.get(), 3);
    assert!(get(server.address, "/metrics").await.text().contains("tickcast_replays_refused_total 3"));
    clients.pop();
    wait_until("a free place", 1, || server.metrics.replays.get()).await;
    clients.push(Client::connect_at(server.address, path).await);
    // A seek keeps the place until its thread has ended, also if the client has gone.
    clients[0].subscribe(&["*"], &["trades"]).await;
    clients[0].ask(json!({"action": "seek", "ts": crate::replay::BEGIN + 60_000_000})).await;
    drop(clients);
    wait_until("free places", 0, || server.metrics.replays.get()).await;
    wait_until("no session", 0, || server.sessions()).await;
}

#[actix_web::test]
async fn a_key_sees_its_symbols_and_channels_and_no_others() {
    let folder = ticks(60);
    let ring = KeyRing::new(&[
        entry("wide", "symbols = [\"*\"]\nadmin = true"),
        entry("narrow", "symbols = [\"BB\", \"AAPL\"]\nchannels = [\"trades\"]"),
    ]);
    let server = spawn_app(|settings| {
        with_files(settings, &folder);
        ring.require(settings);
    });
    let symbols = |messages: &[Value]| {
        let mut symbols: Vec<_> = events(messages).iter().map(|event| event["symbol"].to_string()).collect();
        symbols.sort_unstable();
        symbols.dedup();
        symbols
    };
    let read = async |id: &str, query: &str| {
        let answer = get_as(server.address, id, &format!("/api/v1/replay?file=ticks.csv&speed=max&{query}")).await;
        let messages =
            |text: &str| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
        if answer.status == 200 { Ok(messages(answer.text())) } else { Err(answer.status) }
    };
    // The rights in the market and those in a file, whose symbols have other numbers, do not mix, whichever comes first.
    for _ in 0..2 {
        let all = read("narrow", "").await.unwrap();
        assert_eq!(symbols(&all), ["\"BB\""]);
        assert!(all.iter().all(|message| message.get("bid").is_none() && message["symbol"] != "AA"), "{all:?}");
        let table = get_as(server.address, "narrow", "/api/v1/symbols").await.json();
        let names: Vec<_> = table["symbols"].as_array().unwrap().iter().map(|each| each["symbol"].clone()).collect();
        assert_eq!(names, ["AAPL"]);
    }
    assert_eq!(read("narrow", "symbols=AA").await, Err(404));
    assert_eq!(read("narrow", "symbols=BB&channels=quotes").await, Err(403));
    assert_eq!(symbols(&read("wide", "channels=quotes").await.unwrap()), ["\"AA\"", "\"BB\""]);
    for path in ["/api/v1/replay?file=ticks.csv", "/api/v1/replay?file=missing.csv"] {
        assert_eq!(get(server.address, path).await.status, 401, "{path}");
    }
    assert_eq!(raw_get(server.address, "/ws?replay=ticks.csv", "", true).await.status, 401);
    let headers = format!("Authorization: {}\r\n", header_of("narrow"));
    assert_eq!(raw_get(server.address, "/ws?replay=ticks.csv", &headers, true).await.status, 101);
}

#[actix_web::test]
async fn a_key_with_a_delay_sees_no_later_time_of_a_file() {
    let folder = Folder::new();
    let mut text = String::from("symbol,timestamp,price,size\n");
    for second in -20..20 {
        writeln!(text, "AA,{},10,1", START.micros() + second * 1_000_000).unwrap();
    }
    std::fs::write(folder.path("AA.csv"), text).unwrap();
    let ring = KeyRing::new(&[entry("now", "symbols = [\"*\"]"), entry("late", "symbols = [\"*\"]\ndelay_ms = 5000")]);
    let (server, clock) = spawn_app_at_rest(|settings| {
        with_files(settings, &folder);
        delaying(settings, &ring, &[5_000]);
    });
    clock.advance_micros(6_000_000);
    wait_until("the delayed stream to be served", true, || server.metrics.feed_steps.get() > 10).await;
    let path = "/api/v1/replay?file=AA.csv&speed=max";
    let mut late = get_as(server.address, "late", path).await;
    while late.status == 503 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        late = get_as(server.address, "late", path).await;
    }
    let trades = |text: &str| text.lines().filter(|line| line.starts_with("{\"type\":\"trade\"")).count();
    // It is START + 6 s: the key may see what is older than START + 1 s.
    assert_eq!(trades(late.text()), 21, "{}", late.text());
    assert_eq!(trades(get_as(server.address, "now", path).await.text()), 40);
}

#[actix_web::test]
async fn a_client_that_does_not_read_waits_for_itself_alone_and_costs_no_memory() {
    const EVENTS: i64 = 400_000;
    let folder = Folder::new();
    std::fs::write(folder.path("ticks.csv"), File::ticks_text(EVENTS, 1_000)).unwrap();
    let variables = [
        ("TICKCAST__FEED__FILES_DIR", folder.root().to_str().unwrap()),
        ("TICKCAST__HISTORY__BARS_MAX", "10"),
        ("TICKCAST__SERVER__WORKERS", "1"),
        ("TICKCAST__SESSION__STALL_TIMEOUT_MS", "120000"),
    ];
    let server = spawn_binary(&[], &variables).await;
    let path = "/ws?replay=ticks.csv&speed=max";
    let mut jammed = RawClient::connect_narrow(server.address).await;
    let opening = handshake(&[]).replace("GET /ws ", &format!("GET {path} "));
    assert_eq!(jammed.request(&opening).await.status, 101);
    let request = json!({"action": "subscribe", "symbols": ["*"], "channels": ["trades", "quotes"]});
    jammed.send_frame(TEXT, request.to_string().as_bytes()).await;
    let mut live = Client::connect(server.address).await;
    live.subscribe(&["*"], &["trades", "quotes"]).await;
    let before = server.resident_bytes();
    // On the same thread, another client reads the whole file.
    let mut reader = Client::connect_at(server.address, path).await;
    reader.send_json(&request).await;
    let mut count = 0;
    while reader.view.events < EVENTS as u64 {
        reader.next_message().await;
        count += 1;
    }
    assert_eq!((reader.view.missing, reader.view.lags), (0, 0), "{count}");
    assert_eq!(reader.read_to_end().await.1.map(|(code, _)| code), Some(1000));
    live.events(50).await;
    assert_eq!((live.view.missing, live.view.lags), (0, 0));
    let after = server.resident_bytes();
    assert!(after < before + (24 << 20), "{before} {after}: the file has {} bytes", EVENTS * 60);
    // The client that did not read has lost nothing.
    let mut view = View::default();
    while view.events < 20_000 {
        let messages: Vec<Value> = serde_json::from_slice(&jammed.next_of(TEXT).await).unwrap();
        for message in &messages {
            view.apply(message);
        }
    }
    assert_eq!((view.missing, view.lags, view.skipped), (0, 0, 0));
}

#[actix_web::test]
async fn the_end_waits_until_a_slow_client_has_been_sent_everything() {
    let folder = ticks(400);
    let server = spawn_app(|settings| {
        with_files(settings, &folder);
        narrow(settings);
        settings.push.outbox_events_max = 4_096;
        settings.server.workers = 1;
    });
    let mut slow = RawClient::connect_narrow(server.address).await;
    let opening = handshake(&[]).replace("GET /ws ", "GET /ws?replay=ticks.csv&speed=max ");
    assert_eq!(slow.request(&opening).await.status, 101);
    let request = json!({"action": "subscribe", "symbols": ["*"], "channels": ["trades", "quotes", "bars.1s"]});
    slow.send_frame(TEXT, request.to_string().as_bytes()).await;
    // Meanwhile, on the same thread, another client reads the whole file to its end.
    read(&server, "file=ticks.csv&speed=max&channels=trades,quotes,bars.1s").await;
    assert_eq!(server.metrics.closes(CloseReason::ReplayEnded), 1, "that of the other client");
    let (mut view, mut last) = (View::default(), Value::Null);
    while last["feed"] != "ended" {
        let messages: Vec<Value> = serde_json::from_slice(&slow.next_of(TEXT).await).unwrap();
        for message in messages {
            view.apply(&message);
            last = message;
        }
    }
    // 400 trades and quotes, and a bar of each second with a trade.
    assert_eq!((view.events, view.missing, view.lags), (666, 0, 0));
    assert_eq!(slow.close_frame().await, Some((1000, "the replay has ended".into())));
}

#[actix_web::test]
async fn a_shutdown_ends_replays_with_goodbye() {
    let folder = ticks(600);
    let mut server = spawn_app(|settings| with_files(settings, &folder));
    let mut client = Client::connect_at(server.address, "/ws?replay=ticks.csv").await;
    client.subscribe(&["*"], &["trades"]).await;
    server.shut_down();
    let (messages, close) = client.read_to_end().await;
    let goodbye = messages.iter().rfind(|message| message["type"] == "goodbye").expect("a goodbye");
    assert_eq!((&goodbye["reason"], close.map(|(code, _)| code)), (&json!("shutdown"), Some(1001)));
}

#[actix_web::test]
async fn the_python_client_of_alpaca_reads_a_file_that_is_played_for_it() {
    let folder = Folder::new();
    std::fs::copy(crate::replay::spy(), folder.path("SPY.csv.gz")).unwrap();
    let server = spawn_app(|settings| with_files(settings, &folder));
    let address = format!("ws://{}/v2/replay?file=SPY.csv.gz&speed=max", server.address);
    let arguments = ["tests/sdk/alpaca/replay_private.py", &address, &crate::replay::spy()];
    sdk_alpaca::run("target/clients/alpaca/bin/python", &arguments).await;
    wait_until("the place to be free", 0, || server.metrics.replays.get()).await;
}
