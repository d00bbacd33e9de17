//! `tickcast replay` as a user runs it: the real binary, mistakes in files, and the client library of a vendor.

use std::path::PathBuf;

use awc::http::Method;

use crate::command::{run, spawn_binary};
use crate::http::{get, request};
use crate::keyring::{KeyRing, NARROW, WIDE, header_of, two_keys};
use crate::replay::{replaying_spy, spy};
use crate::sdk_alpaca;
use crate::spawn::spawn_app;

/// A directory with files, removed at the end.
struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tickcast-files-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().into()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[actix_web::test]
async fn a_mistake_in_a_file_or_an_argument_is_one_line_and_exit_code_2() {
    let files = Files::new("mistakes");
    let bars = "symbol,timestamp,open,high,low,close,volume\n";
    let day = "2020-12-15T09:30:00-05:00";
    let mut cut = std::fs::read(spy()).unwrap();
    cut.truncate(cut.len() / 2);
    let cases: &[(&str, Vec<u8>, &[&str], &str)] = &[
        ("empty.csv", Vec::new(), &[], "empty.csv: is empty"),
        ("cut.csv.gz", cut, &["--tz", "America/New_York"], "cut.csv.gz:"),
        ("naive.csv", format!("{bars}SPY,2020-12-15 09:30:00,1,1,1,1,9\n").into(), &[], "naive.csv:2"),
        ("columns.csv", format!("{bars}SPY,{day},1,1,1\n").into(), &[], "columns.csv:2"),
        ("negative.csv", format!("{bars}SPY,{day},-1,1,1,1,9\n").into(), &[], "negative.csv:2: column 'open'"),
        ("long.csv", format!("{bars}ABCDEFGHIJKLMNOPQ,{day},1,1,1,1,9\n").into(), &[], "long.csv:2: column 'symbol'"),
        (
            "zones.csv",
            format!("{bars}SPY,{day},1,1,1,1,9\nSPY,2020-12-15 09:31:00,1,1,1,1,9\n").into(),
            &["--interval", "1m"],
            "zones.csv:3",
        ),
        ("unknown.csv", "a,b,c\n1,2,3\n".into(), &[], "unknown.csv:"),
        (
            "late.csv",
            format!("{bars}SPY,{day},1,1,1,1,9\n").into(),
            &["--start", "2021-01-01T00:00:00Z", "--interval", "1m"],
            "feed.replay.start",
        ),
        ("zone.csv", format!("{bars}SPY,{day},1,1,1,1,9\n").into(), &["--tz", "Mars/Olympus"], "feed.replay.tz"),
        ("loop.csv", format!("{bars}SPY,{day},1,1,1,1,9\n").into(), &["--loop", "--original-time"], "feed.replay.loop"),
    ];
    for (name, content, arguments, named) in cases {
        let path = files.write(name, content);
        let ended = run(&[&["replay", &path, "--port", "0"], *arguments].concat(), &[]).await;
        assert_eq!(ended.status.code(), Some(2), "{name}: {}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{name}: {}", ended.stderr);
        assert!(ended.stderr.contains(named), "{name}: {}", ended.stderr);
    }
    let missing = run(&["replay", "/no/such/file.csv", "--port", "0"], &[]).await;
    assert_eq!((missing.status.code(), missing.stderr.lines().count()), (Some(2), 1), "{}", missing.stderr);
}

#[actix_web::test]
async fn the_command_serves_the_file_and_skips_what_it_must_on_request() {
    let files = Files::new("skips");
    // A byte order mark, lines that end as on Windows, and a row with a mistake.
    let text = "\u{feff}symbol,timestamp,open,high,low,close,volume\r\nSPY,2020-12-15T09:30:00-05:00,10,12,9,11,400\r\n\
                SPY,2020-12-15T09:31:00-05:00,0,12,9,11,400\r\nSPY,2020-12-15T09:32:00-05:00,11,13,10,12.5,400\r\n";
    let path = files.write("bars_1m.csv", text);
    let variables = [("TICKCAST__FEED__BAD_RECORD", "skip")];
    let server = spawn_binary(&["replay", &path, "--speed", "max", "--original-time", "--paused"], &variables).await;
    assert!(server.start_line.contains("feed=replay"), "{}", server.start_line);
    let status = get(server.address, "/api/v1/feed").await.json();
    assert_eq!((&status["state"], &status["files"][0]), (&"paused".into(), &"bars_1m.csv".into()));
    let symbols = get(server.address, "/api/v1/symbols").await.json();
    assert_eq!(symbols["symbols"][0]["symbol"], "SPY");
    let snapshot = &get(server.address, "/api/v1/snapshot").await.json()["snapshots"][0];
    assert!(["price", "bid", "open", "prev_close"].iter().all(|key| snapshot.get(key).is_none()), "{snapshot}");
}

#[actix_web::test]
async fn the_python_client_of_alpaca_reads_the_bars_of_the_file() {
    let server = spawn_app(|settings| {
        replaying_spy(settings);
        settings.feed.replay.lossless = true;
    });
    let address = server.address.to_string();
    sdk_alpaca::run("target/clients/alpaca/bin/python", &["tests/sdk/alpaca/replay.py", &address, &spy()]).await;
}

#[actix_web::test]
async fn the_python_client_of_massive_reads_the_bars_of_the_file() {
    let server = spawn_app(|settings| {
        replaying_spy(settings);
        settings.feed.replay.lossless = true;
    });
    let address = server.address.to_string();
    sdk_alpaca::run("target/clients/massive/bin/python", &["tests/sdk/massive/replay.py", &address, &spy()]).await;
}

#[actix_web::test]
async fn orders_to_the_feed_need_a_key_with_admin() {
    let keys = KeyRing::new(&two_keys());
    let server = spawn_app(|settings| keys.require(settings));
    for (name, status) in [(NARROW, 403), (WIDE, 409)] {
        let header = header_of(name);
        let headers = [("Authorization", &*header)];
        for path in ["/api/v1/feed/pause", "/api/v1/%66eed/pause"] {
            let answer = request(server.address, Method::POST, path, &headers).await;
            assert_eq!(answer.status, status, "{name} {path}: the simulator cannot be paused: {}", answer.text());
        }
        assert_eq!(request(server.address, Method::GET, "/api/v1/feed", &headers).await.status, 200);
    }
}
