//! `tickcast record` as a process: the stream of a server, with every event or a line that says which are missing, whoever is killed.

use std::collections::HashMap;
use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio_tungstenite::tungstenite::Message;

use crate::command::{Ended, command, configured, run, spawn_binary};
use crate::folder::Folder;
use crate::keyring::{KeyRing, WIDE, secret, two_keys};
use crate::patience::{patiently, wait_until};
use crate::recording::{Recording, check_offsets, digest, kills, recordings, replayed};
use crate::secure::Pair;
use crate::spawn::{TestServer, spawn_app};

/// A recorder that runs. Killed when dropped.
pub(crate) struct Recorder(Child);

impl Recorder {
    /// Starts one that records this address into this directory.
    pub(crate) fn start(url: &str, folder: &Folder, options: &[&str]) -> Self {
        let arguments = [&["record", "--url", url, "--out", folder.root().to_str().unwrap()], options].concat();
        let mut command = command(&arguments, &[]);
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    async fn signal(&self, name: &str) {
        let id = self.0.id().expect("it runs").to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().await.unwrap().success());
    }

    /// Sends it a signal, and returns how it has ended.
    pub(crate) async fn end(self, signal: &str) -> Ended {
        self.signal(signal).await;
        self.finish().await
    }

    /// Waits for its end, and returns how it has ended.
    pub(crate) async fn finish(mut self) -> Ended {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        patiently("its end", async {
            self.0.stdout.take().unwrap().read_to_string(&mut stdout).await.unwrap();
            self.0.stderr.take().unwrap().read_to_string(&mut stderr).await.unwrap();
        })
        .await;
        Ended { status: self.0.wait().await.unwrap(), stdout, stderr }
    }
}

fn ws(server: &TestServer) -> String {
    format!("ws://{}/ws", server.address)
}

pub(crate) fn events(folder: &Folder) -> usize {
    recordings(folder.root()).iter().map(|file| file.events().count()).sum()
}

pub(crate) async fn until_events(folder: &Folder, least: usize) {
    wait_until("recorded events", true, || events(folder) >= least).await;
}

/// Checks that each event of a recording is one of the server's own recording, and each at most once.
fn check_same(own: &[Recording], files: &[Recording]) {
    let mut known: HashMap<u64, &Value> = HashMap::new();
    for event in own.iter().flat_map(Recording::events) {
        known.insert(event["offset"].as_u64().unwrap(), event);
    }
    for event in files.iter().flat_map(Recording::events) {
        assert_eq!(known.remove(&event["offset"].as_u64().unwrap()), Some(event));
    }
}

fn recording_itself(own: &Folder) -> TestServer {
    spawn_app(|settings| {
        settings.feed.events_per_second = 5_000.0;
        settings.feed.amendments_per_million_trades = 10_000;
        settings.feed.record.dir = own.root().to_str().unwrap().into();
        settings.feed.record.frame_ms = 100;
    })
}

#[actix_web::test]
async fn a_recorder_has_every_event_of_the_server_and_ends_in_order() {
    let (own, folder) = (Folder::new(), Folder::new());
    let server = recording_itself(&own);
    let recorder = Recorder::start(&ws(&server), &folder, &["--rotate", "1s"]);
    wait_until("files", true, || recordings(folder.root()).len() > 2).await;
    let ended = recorder.end("INT").await;
    assert!(ended.status.success(), "{ended:?}");
    let files = recordings(folder.root());
    let summary = format!("{} events recorded in {} files, 0 gaps\n", events(&folder), files.len());
    assert_eq!(ended.stdout, summary, "{ended:?}");
    drop(server);
    assert_eq!(check_offsets(&files), 0);
    for file in &files {
        assert!(file.is_complete());
        assert_eq!(file.of_type("snapshot").count(), 30);
        assert_eq!((&file.lines[0]["symbols"], &file.lines[1]["type"]), (&json!(["*"]), &json!("snapshot")));
        assert_eq!(file.lines[0]["channels"].as_array().unwrap().len(), 12);
    }
    check_same(&recordings(own.root()), &files);
}

#[actix_web::test]
async fn a_recorder_ends_after_its_time_and_records_what_it_was_told() {
    let (own, folder) = (Folder::new(), Folder::new());
    let server = recording_itself(&own);
    let (url, out) = (ws(&server), folder.root().to_str().unwrap());
    let options = ["--symbols", "AAPL,MSFT", "--channels", "trades,bars.1s", "--for", "3s"];
    let ended = run(&[&["record", "--url", &url, "--out", out], &options[..]].concat(), &[]).await;
    assert!(ended.status.success(), "{ended:?}");
    let files = recordings(folder.root());
    assert_eq!(files[0].lines[0]["channels"], json!(["trades", "bars.1s"]));
    assert_eq!(files[0].of_type("snapshot").count(), 2);
    assert!(files[0].events().count() > 10);
    assert!(
        files[0]
            .events()
            .all(|event| event["type"] != "quote" && ["AAPL", "MSFT"].contains(&event["symbol"].as_str().unwrap()))
    );
}

#[actix_web::test]
async fn a_recorder_that_is_killed_goes_on_where_its_files_end() {
    let (own, folder) = (Folder::new(), Folder::new());
    let server = recording_itself(&own);
    let kills = kills(8);
    for _ in 0..kills {
        let before = events(&folder);
        let recorder = Recorder::start(&ws(&server), &folder, &[]);
        until_events(&folder, before + 1).await;
        tokio::time::sleep(Duration::from_micros(rand::random::<u64>() % 1_500_000)).await;
        recorder.end("KILL").await;
    }
    let before = events(&folder);
    let recorder = Recorder::start(&ws(&server), &folder, &[]);
    until_events(&folder, before + 1).await;
    let ended = recorder.end("TERM").await;
    assert!(ended.status.success(), "{ended:?}");
    drop(server);
    let files = recordings(folder.root());
    assert_eq!(files.len() as u64, kills + 1);
    assert_eq!((check_offsets(&files), files.iter().flat_map(|file| file.of_type("gap")).count()), (0, 0));
    assert_eq!(files.iter().filter(|file| file.of_type("snapshot").next().is_some()).count(), 1, "no second beginning");
    check_same(&recordings(own.root()), &files);
}

#[actix_web::test]
async fn a_server_that_is_killed_is_recorded_again_and_its_lost_events_are_announced() {
    let folder = Folder::new();
    // A replay leaves out the corrections of trades that were not recorded.
    let variables = [
        ("TICKCAST__FEED__EVENTS_PER_SECOND", "5000"),
        ("TICKCAST__FEED__AMENDMENTS_PER_MILLION_TRADES", "0"),
        ("TICKCAST__HISTORY__BARS_MAX", "10"),
    ];
    let mut server = spawn_binary(&[], &variables).await;
    let (address, port) = (server.address, server.address.port().to_string());
    let mut recorder = Recorder::start(&format!("ws://{address}/ws"), &folder, &[]);
    let kills = kills(4);
    for round in 1..=kills {
        wait_until("a file of each run", round, || epochs(&recordings(folder.root())).len() as u64).await;
        let before = events(&folder);
        until_events(&folder, before + 1_000).await;
        if round % 2 == 0 {
            recorder.end("KILL").await;
            recorder = Recorder::start(&format!("ws://{address}/ws"), &folder, &[]);
            let before = events(&folder);
            until_events(&folder, before + 1).await;
        }
        server.signal("KILL").await;
        server.ended().await;
        server = spawn_binary(&[], &[&variables[..], &[("TICKCAST__SERVER__PORT", &port)]].concat()).await;
    }
    wait_until("a file of each run", kills + 1, || epochs(&recordings(folder.root())).len() as u64).await;
    let before = events(&folder);
    until_events(&folder, before + 1_000).await;
    assert!(recorder.end("INT").await.status.success());
    let files = recordings(folder.root());
    assert_eq!(check_offsets(&files), 0);
    let gaps: Vec<&Value> = files.iter().flat_map(|file| file.of_type("gap")).collect();
    assert_eq!(gaps.len() as u64, kills, "{gaps:?}");
    assert!(gaps.iter().all(|gap| gap["reason"] == "restarted" && gap["to"].is_null()), "{gaps:?}");

    // The numbers of the trades begin again with each run.
    let without = ["offset", "seq", "trade_seq"];
    let (_folder, again) = replayed(&files, 0.0, 1).await;
    assert_eq!(digest(&again, &without), digest(&files, &without));
}

/// Returns the streams of recordings.
fn epochs(files: &[Recording]) -> std::collections::HashSet<String> {
    files.iter().filter_map(|file| Some(file.lines.first()?["epoch"].as_str()?.to_owned())).collect()
}

#[actix_web::test]
async fn a_key_and_tls_lead_in_and_a_refusal_is_one_line() {
    let (ring, pair, folder) = (KeyRing::new(&two_keys()), Pair::new("record"), Folder::new());
    let server = spawn_app(|settings| {
        ring.require(settings);
        pair.configure(settings);
    });
    let url = format!("wss://localhost:{}/ws", server.tls_address.unwrap().port());
    let (out, ca) = (folder.root().to_str().unwrap(), pair.cert());
    let ended = run(&["record", "--url", &url, "--out", out, "--ca", &ca], &[("TICKCAST_TOKEN", "wrong")]).await;
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(
        ended.stderr.ends_with("the server answers with status 401: --token must be the secret of a key, or a token\n")
    );
    let token = secret(WIDE);
    let recorder = Recorder::start(&url, &folder, &["--ca", &ca, "--token", &token]);
    until_events(&folder, 100).await;
    let ended = recorder.end("INT").await;
    assert!(ended.status.success() && !ended.stderr.contains(&token), "{ended:?}");
}

#[actix_web::test]
async fn bad_arguments_are_refused() {
    let folder = Folder::new();
    let out = folder.root().to_str().unwrap();
    let vendor = ["--out", out, "--url", "ws://localhost/", "--protocol"];
    for (arguments, code, expected) in [
        (&["--url", "http://localhost/ws", "--out", out][..], 2, "--url must be the address of a WebSocket"),
        (&["--out", "/dev/null/recordings"][..], 2, "/dev/null/recordings: cannot be written"),
        (&["--url", "wss://localhost/ws", "--ca", "/no/such/file", "--out", out][..], 2, "/no/such/file"),
        (&["--out", out, "--protocol", "massive"][..], 2, "--url must be the address of a WebSocket"),
        (&["--out", out, "--protocol", "finnhub"][..], 2, "[possible values: native, alpaca, massive]"),
        (&[&vendor[..], &["massive", "--channels", "cancels"]].concat()[..], 2, "the protocol massive has no cancels"),
        (&[&vendor[..], &["alpaca", "--channels", "bars.1s"]].concat()[..], 2, "the protocol alpaca has no bars.1s"),
        (&[&vendor[..], &["massive", "--symbols", "aapl"]].concat()[..], 2, "--symbols: 'aapl' is no symbol"),
        (&[&vendor[..], &["alpaca", "--token", "KEY"]].concat()[..], 2, "--token must be KEY:SECRET"),
        (&[&vendor[..], &["massive"]].concat()[..], 2, "--token must be KEY"),
        (&["--out", out, "--codec", "msgpack"][..], 2, "--codec is for the protocol of Alpaca only"),
        (&[&vendor[..], &["massive", "--codec", "json"]].concat()[..], 2, "--codec is for the protocol of Alpaca only"),
        (&["--out", out, "--bad-record", "stop"][..], 2, "--bad-record is for the protocol of Alpaca and Massive only"),
        (&["--out", out, "--channels", "day"][..], 2, "must be a channel"),
        (&["--out", out, "--rotate", "2d"][..], 2, "must be a time from 1s to 24h"),
    ] {
        let ended = run(&[&["record"], arguments].concat(), &[]).await;
        assert_eq!(ended.status.code(), Some(code), "{ended:?}");
        assert!(ended.stderr.contains(expected), "{ended:?}");
    }
    let server = spawn_app(|_| {});
    let ended = run(&["record", "--url", &ws(&server), "--out", out, "--symbols", "NONE"], &[]).await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("the server refuses the subscription: unknown_symbol"), "{ended:?}");
}

/// Accepts the next connection, says welcome, and sends these messages after the subscription; returns the subscription.
async fn serve(listener: &TcpListener, epoch: &str, messages: Value) -> Value {
    let (stream, _) = patiently("a connection", listener.accept()).await.unwrap();
    let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
    let welcome = json!([{"type": "welcome", "epoch": epoch, "offset": 7, "heartbeat_ms": 15_000}]);
    socket.send(Message::Text(welcome.to_string().into())).await.unwrap();
    let request = patiently("the subscription", socket.next()).await.unwrap().unwrap();
    socket.send(Message::Text(messages.to_string().into())).await.unwrap();
    socket.close(None).await.unwrap();
    while socket.next().await.is_some_and(|received| received.is_ok()) {}
    serde_json::from_str(request.to_text().unwrap()).unwrap()
}

/// Returns a listener that plays a server, and the recorder of it.
async fn recorded() -> (TcpListener, Folder, Recorder) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let folder = Folder::new();
    let recorder = Recorder::start(&format!("ws://{}/ws", listener.local_addr().unwrap()), &folder, &[]);
    (listener, folder, recorder)
}

fn trade(offset: u64) -> Value {
    json!({"type": "trade", "symbol": "SPY", "seq": offset, "offset": offset, "ts": offset, "price": 1.0, "size": 1})
}

fn snapshot(offset: u64) -> Value {
    json!({"type": "snapshot", "symbol": "SPY", "offset": offset, "seq": {"trades": offset}})
}

#[actix_web::test]
async fn lag_and_void_cursors_are_lines_of_the_recording() {
    let (listener, folder, recorder) = recorded().await;
    let subscribed = |recovered: Value| {
        let mut message = json!({"type": "subscribed", "id": 1, "subscriptions": []});
        if recovered.is_boolean() {
            message["recovered"] = recovered;
        }
        message
    };
    let lag = json!({"type": "lag", "skipped": 3, "since_offset": 12});
    let (first, last) = (json!(null), json!(true));
    let request = serve(&listener, "one", json!([subscribed(first), snapshot(10), trade(11), lag, trade(15)])).await;
    assert_eq!((&request["after"], &request["symbols"]), (&Value::Null, &json!(["*"])));
    let request =
        serve(&listener, "one", json!([subscribed(last), trade(16), {"type": "heartbeat", "ts": 1, "offset": 20}]))
            .await;
    assert_eq!(request["after"], json!({"epoch": "one", "offset": 15}));
    let request = serve(&listener, "one", json!([subscribed(json!(false)), snapshot(40), trade(41)])).await;
    assert_eq!(request["after"], json!({"epoch": "one", "offset": 20}), "a heartbeat is a cursor, too");
    let limited = json!({"type": "error", "id": 1, "code": "rate_limited", "message": "", "retry_after_ms": 1});
    serve(&listener, "one", json!([limited])).await;
    let request = serve(&listener, "two", json!([subscribed(json!(false)), snapshot(5), trade(6)])).await;
    assert_eq!(request["after"], json!({"epoch": "one", "offset": 41}));
    let request = serve(&listener, "two", json!([subscribed(json!(true))])).await;
    assert_eq!(request["after"], json!({"epoch": "two", "offset": 6}));
    let ended = recorder.end("INT").await;
    assert_eq!(ended.stdout, "5 events recorded in 3 files, 3 gaps\n", "{ended:?}");
    let lines: Vec<String> = recordings(folder.root())
        .iter()
        .flat_map(|file| &file.lines)
        .map(|line| match line["type"].as_str().unwrap() {
            "gap" => format!("gap {} {}-{} {}", line["epoch"], line["from"], line["to"], line["reason"]),
            "recording" => format!("recording {} {}", line["epoch"], line["offset"]),
            kind => format!("{kind} {}", line["offset"]),
        })
        .collect();
    let expected = [
        "recording \"one\" 10",
        "snapshot 10",
        "trade 11",
        "lag null",
        "trade 15",
        "trade 16",
        "end 20",
        "recording \"one\" 40",
        "gap \"one\" 21-40 \"cursor_void\"",
        "snapshot 40",
        "trade 41",
        "end 41",
        "recording \"two\" 5",
        "gap \"one\" 42-null \"restarted\"",
        "snapshot 5",
        "trade 6",
        "end 6",
    ];
    assert_eq!(lines, expected);
}

#[actix_web::test]
async fn a_market_that_moves_to_another_time_is_another_file_without_a_gap() {
    let (listener, folder, recorder) = recorded().await;
    let subscribed = json!({"type": "subscribed", "id": 1, "subscriptions": []});
    let epoch = json!({"type": "epoch", "epoch": "two", "offset": 12, "moved": true});
    serve(&listener, "one", json!([subscribed, snapshot(10), trade(11), epoch, snapshot(12), trade(13)])).await;
    let request = serve(&listener, "two", json!([])).await;
    assert_eq!(request["after"], json!({"epoch": "two", "offset": 13}));
    assert_eq!(recorder.end("INT").await.stdout, "2 events recorded in 2 files, 0 gaps\n");
    let files = recordings(folder.root());
    let begun: Vec<_> = files.iter().map(|file| (&file.lines[0]["epoch"], &file.lines[0]["offset"])).collect();
    assert_eq!(begun, [(&json!("one"), &json!(10)), (&json!("two"), &json!(12))]);
}

#[actix_web::test]
async fn a_recorder_whose_disk_is_full_at_the_end_says_how_much_it_has_and_fails() {
    let (own, folder) = (Folder::new(), Folder::new());
    let server = recording_itself(&own);
    let mut full = Command::new("sh");
    // Without the signal, a write fails as on a full disk.
    full.args(["-c", "trap '' XFSZ; ulimit -f 16 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_tickcast")]);
    let (url, out) = (ws(&server), folder.root().to_str().unwrap());
    let mut command = configured(full, &["record", "--url", &url, "--out", out, "--for", "4s"], &[]);
    let ended = patiently("its end", command.output()).await.unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!((ended.status.code(), &*ended.stdout), (Some(1), &b""[..]), "{stderr}");
    let recorded = events(&folder);
    let complaint = format!("{out}: the disk takes no more; {recorded} events can be read there");
    assert!(stderr.contains("the recording is interrupted") && stderr.contains(&complaint), "{recorded}: {stderr}");
    drop(server);
    assert_eq!(check_offsets(&recordings(folder.root())), 0);
}
