//! Replays for one client each: the file's events, as lines, as server-sent events and over WebSocket, beside the market.

use std::io::Read;

use awc::http::Method;
use serde_json::{Value, json};
use tickcast::app::Settings;
use tickcast::protocol::CloseReason;

use crate::client::Client;
use crate::folder::Folder;
use crate::http::{Answer, get, request};
use crate::patience::wait_until;
use crate::replay::{BEGIN, File, MINUTE, figures, row, spy};
use crate::spawn::{TestServer, spawn_app};
use crate::view::is_event;

/// Lets clients have the files of the folder played.
pub(crate) fn with_files(settings: &mut Settings, folder: &Folder) {
    settings.feed.files_dir = folder.root().to_str().unwrap().into();
    settings.feed.replay.tz = "America/New_York".into();
}

/// Returns a folder with `ticks.csv`: so many trades and quotes of AA and BB, one a second.
pub(crate) fn ticks(count: i64) -> Folder {
    let folder = Folder::new();
    std::fs::write(folder.path("ticks.csv"), File::ticks_text(count, 1_000_000)).unwrap();
    folder
}

/// Returns the messages of lines.
fn lines(answer: &Answer) -> Vec<Value> {
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/x-ndjson"), "{}", answer.text());
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Reads a replay to its end, as lines.
pub(crate) async fn read(server: &TestServer, query: &str) -> Vec<Value> {
    lines(&get(server.address, &format!("/api/v1/replay?{query}")).await)
}

/// Returns the events among messages.
pub(crate) fn events(messages: &[Value]) -> Vec<Value> {
    messages.iter().filter(|message| is_event(message)).cloned().collect()
}

/// Checks that the messages end with the state `ended`, and a `goodbye`.
fn assert_ended(messages: &[Value]) {
    let [.., status, goodbye] = messages else { panic!("{messages:?}") };
    assert_eq!((&status["type"], &status["feed"]), (&json!("status"), &json!("ended")));
    assert_eq!((&goodbye["type"], &goodbye["reason"]), (&json!("goodbye"), &json!("replay_ended")));
}

#[actix_web::test]
async fn the_1564_bars_of_a_file_come_as_lines_and_as_server_sent_events() {
    let folder = Folder::new();
    std::fs::copy(spy(), folder.path("SPY.csv.gz")).unwrap();
    let server = spawn_app(|settings| with_files(settings, &folder));
    let query = "file=SPY.csv.gz&channels=bars.1m&speed=max";
    let messages = read(&server, query).await;
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(spy()).unwrap()).read_to_string(&mut text).unwrap();
    let rows: Vec<_> = text.lines().skip(1).map(row).collect();
    let bars: Vec<_> = messages.iter().filter(|message| message["type"] == "bar").map(figures).collect();
    assert_eq!((bars.len(), &bars), (1_564, &rows));
    let kinds: Vec<_> = messages[..4].iter().map(|message| message["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["welcome", "status", "subscribed", "snapshot"]);
    assert_ended(&messages);

    let path = format!("/api/v1/replay?{query}");
    let streamed = request(server.address, Method::GET, &path, &[("accept", "text/event-stream")]).await;
    assert_eq!(streamed.header("content-type"), "text/event-stream");
    let data = streamed.text().lines().filter_map(|line| line.strip_prefix("data: "));
    let streamed: Vec<Value> = data.flat_map(|data| serde_json::from_str::<Vec<Value>>(data).unwrap()).collect();
    assert_eq!(events(&streamed), events(&messages), "the same numbers, too");
    assert_ended(&streamed);
    let back = request(server.address, Method::GET, &path, &[("last-event-id", "a:1")]).await;
    assert_eq!(back.status, 204, "an EventSource that comes back stays closed");
    wait_until("the places to be free", 0, || server.metrics.replays.get()).await;
    assert_eq!(server.metrics.replays_opened.get(), 2);
    assert_eq!(server.metrics.closes(CloseReason::ReplayEnded), 2);
}

#[actix_web::test]
async fn a_replay_is_the_same_at_every_speed_and_leaves_the_market_alone() {
    let folder = ticks(90);
    let server = spawn_app(|settings| with_files(settings, &folder));
    let mut live = Client::connect(server.address).await;
    live.subscribe(&["*"], &["trades", "quotes"]).await;
    let channels = "channels=trades,quotes,bars.1s,bars.1m,bars.1m.updated,bars.1d.ny";
    let fast = events(&read(&server, &format!("file=ticks.csv&{channels}&speed=max")).await);
    assert_eq!(events(&read(&server, &format!("file=ticks.csv&{channels}&speed=1000")).await), fast);
    let of_file = |kind: &str| fast.iter().filter(|event| event["type"] == kind).count();
    assert_eq!((of_file("trade"), of_file("quote")), (60, 30));
    let offsets: Vec<_> = fast.iter().map(|event| event["offset"].as_u64().unwrap()).collect();
    assert_eq!(offsets, (1..=fast.len() as u64).collect::<Vec<_>>(), "offsets of its own");
    // The market has gone on for its own clients.
    live.events(100).await;
    assert_eq!((live.view.missing, live.view.lags), (0, 0));
    assert!(live.view.symbols().all(|symbol| symbol != "AA" && symbol != "BB"));
    let again = Client::connect(server.address).await;
    assert_eq!(again.welcome["epoch"], live.welcome["epoch"]);
    let symbols = get(server.address, "/api/v1/symbols").await;
    assert!(!symbols.text().contains("\"AA\""));
}

#[actix_web::test]
async fn a_replay_begins_with_the_state_at_its_beginning_and_has_an_end() {
    let folder = ticks(300);
    let server = spawn_app(|settings| with_files(settings, &folder));
    let whole = events(&read(&server, "file=ticks.csv&channels=trades,quotes&speed=max").await);
    let (from, to) = (BEGIN + 120_000_000, BEGIN + 180_000_000);
    let query = format!("file=ticks.csv&symbols=AA&channels=trades,quotes&speed=max&from={from}&to={to}");
    let part = read(&server, &query).await;
    let within = |event: &&Value| (from..to).contains(&event["ts"].as_i64().unwrap()) && event["symbol"] == "AA";
    let bare = |event: &Value| ["ts", "symbol", "price", "size", "bid", "ask"].map(|key| event[key].clone());
    let expected: Vec<_> = whole.iter().filter(within).map(bare).collect();
    assert_eq!(events(&part).iter().map(bare).collect::<Vec<_>>(), expected);
    let last = whole.iter().rfind(|event| event["symbol"] == "AA" && event["ts"].as_i64().unwrap() < from).unwrap();
    let snapshot = part.iter().find(|message| message["type"] == "snapshot").unwrap();
    assert_eq!(
        (&snapshot["ts"], &snapshot["symbol"]),
        (&last["ts"], &last["symbol"]),
        "the state before the beginning"
    );
    let status = &part[1];
    assert_eq!((&status["from"], &status["to"]), (&json!(from), &json!(to - 1)));
    for times in
        ["from=2026-03-03T14:32:00Z&to=2026-03-03T14:33:00Z", "from=2026-03-03T09:32:00&to=2026-03-03T15:33:00+01:00"]
    {
        let same = read(&server, &format!("file=ticks.csv&symbols=AA&channels=trades,quotes&speed=max&{times}")).await;
        assert_eq!(events(&same), events(&part), "{times}");
    }
}

#[actix_web::test]
async fn pause_step_seek_and_speed_on_the_websocket() {
    let folder = ticks(600);
    let server = spawn_app(|settings| with_files(settings, &folder));
    let whole = events(&read(&server, "file=ticks.csv&channels=trades,quotes&speed=max").await);
    let bare = |event: &Value| ["ts", "symbol", "price", "bid"].map(|key| event[key].clone());
    let mut client = Client::connect_at(server.address, "/ws?replay=ticks.csv&speed=0.5&paused=true").await;
    assert_eq!((client.next_message().await["feed"]).clone(), "paused");
    client.subscribe(&["*"], &["trades", "quotes"]).await;
    client.send_json(&json!({"action": "step", "events": 3})).await;
    let stepped = events(&client.events(3).await);
    assert_eq!(stepped, whole[..3]);

    let answer = client.ask(json!({"action": "seek", "ts": BEGIN + 2 * MINUTE})).await.pop().unwrap();
    assert_eq!((&answer["type"], &answer["feed"]), (&json!("status"), &json!("seeking")));
    let sought = client.until("the seek", |message| message["sought"] == true).await.pop().unwrap();
    assert_eq!((&sought["feed"], &sought["file_ts"]), (&json!("paused"), &json!(BEGIN + 2 * MINUTE)));
    assert_ne!(sought["epoch"], client.welcome["epoch"], "a cursor of before is void");
    for _ in 0..2 {
        let snapshot = client.next_message().await;
        assert_eq!((&snapshot["type"], &snapshot["offset"]), (&json!("snapshot"), &sought["offset"]));
        let ts = snapshot["ts"].as_i64().unwrap();
        assert!((BEGIN + MINUTE..BEGIN + 2 * MINUTE).contains(&ts), "{snapshot}");
    }
    client.send_json(&json!({"action": "step", "events": 2})).await;
    let stepped: Vec<_> = events(&client.events(2).await).iter().map(bare).collect();
    assert_eq!(stepped, whole[120..122].iter().map(bare).collect::<Vec<_>>());
    // And back.
    client.ask(json!({"action": "seek", "ts": BEGIN})).await;
    client.until("the seek", |message| message["sought"] == true).await;
    assert_eq!(client.ask(json!({"action": "speed", "x": "max"})).await.pop().unwrap()["speed"], 0.0);
    assert_eq!(client.ask(json!({"action": "resume", "id": 7})).await.pop().unwrap()["feed"], "running");
    let rest = client.until("the end", |message| message["feed"] == "ended").await;
    assert_eq!(events(&rest).iter().map(bare).collect::<Vec<_>>(), whole.iter().map(bare).collect::<Vec<_>>());
    assert_eq!((client.view.missing, client.view.lags), (0, 0), "numbers have no hole");
    assert_eq!(client.read_to_end().await.1, Some((1000, "the replay has ended".into())));
}

#[actix_web::test]
async fn nothing_comes_after_the_answer_to_a_pause() {
    let folder = ticks(50_000);
    let server = spawn_app(|settings| with_files(settings, &folder));
    let mut client = Client::connect_at(server.address, "/ws?replay=ticks.csv&speed=1000").await;
    client.subscribe(&["*"], &["trades", "quotes", "bars.1s"]).await;
    client.events(500).await;
    let paused = client.ask(json!({"action": "pause"})).await.pop().unwrap();
    assert_eq!(paused["feed"], "paused");
    let between = client.sync().await;
    assert_eq!(events(&between).len(), 0, "{between:?}");
    client.ask(json!({"action": "resume"})).await;
    client.events(500).await;
    assert_eq!((client.view.missing, client.view.lags), (0, 0));
}

#[actix_web::test]
async fn two_clients_are_at_positions_of_their_own() {
    let folder = ticks(600);
    let server = spawn_app(|settings| with_files(settings, &folder));
    let mut clients = Vec::new();
    for from in [BEGIN, BEGIN + 5 * MINUTE] {
        let path = format!("/ws?replay=ticks.csv&speed=max&paused=true&from={from}");
        let mut client = Client::connect_at(server.address, &path).await;
        client.subscribe(&["*"], &["trades", "quotes"]).await;
        clients.push(client);
    }
    for (client, from) in clients.iter_mut().zip([0, 300]) {
        client.send_json(&json!({"action": "step", "events": 5})).await;
        let times: Vec<_> = events(&client.events(5).await).iter().map(|event| event["ts"].as_i64().unwrap()).collect();
        assert_eq!(times, (from..from + 5).map(|second| BEGIN + second * 1_000_000).collect::<Vec<_>>());
    }
    let [first, second] = &mut clients[..] else { panic!() };
    second.ask(json!({"action": "resume"})).await;
    assert_eq!(second.read_to_end().await.1.map(|(code, _)| code), Some(1000));
    first.send_json(&json!({"action": "step"})).await;
    assert_eq!(events(&first.events(1).await)[0]["ts"], BEGIN + 5_000_000, "the other one stays where it was");
}

#[actix_web::test]
async fn orders_that_cannot_be_obeyed_are_refused_and_the_replay_goes_on() {
    let folder = ticks(60);
    let server = spawn_app(|settings| with_files(settings, &folder));
    let mut client = Client::connect_at(server.address, "/ws?replay=ticks.csv&paused=true").await;
    client.subscribe(&["*"], &["trades"]).await;
    for wrong in [
        json!({"action": "seek"}),
        json!({"action": "seek", "ts": 1}),
        json!({"action": "seek", "ts": "now"}),
        json!({"action": "speed", "x": 0}),
        json!({"action": "speed", "x": 1001}),
        json!({"action": "speed", "x": "fast"}),
        json!({"action": "speed"}),
        json!({"action": "step", "events": 0}),
        json!({"action": "step", "events": 1_000_001}),
        json!({"action": "pause", "ts": 1}),
    ] {
        let answer = client.ask(wrong.clone()).await.pop().unwrap();
        assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("bad_request")), "{wrong}");
    }
    client.ask(json!({"action": "resume"})).await;
    assert_eq!(client.ask(json!({"action": "step"})).await.pop().unwrap()["code"], "bad_request", "it is not paused");
    let mut live = Client::connect(server.address).await;
    let answer = live.ask(json!({"action": "pause"})).await.pop().unwrap();
    assert_eq!(answer["code"], "bad_request", "the market is nobody's: {answer}");
}
