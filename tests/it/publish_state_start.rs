//! `feed.state_file` at the start: a file that cannot be used is one line and exit code 2, and symbols must have a place.

use std::os::unix::fs::FileExt;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::command::{command, run, spawn_binary};
use crate::http::get;
use crate::patience::patiently;
use crate::publish::trade;
use crate::publish_state::{File, end, now, post, values, variables, volume_becomes, within_a_day};

/// A file of one symbol without values.
const GOOD: &str = r#"{"type":"state","version":1,"ts":1772463845123456,"symbols":1}
{"symbol":"AA","ts":0,"traded_at":0,"quoted_at":0,"last":null,"quote":null,"day":null,"prev_close":null,"volume":0,"closed":[[],[],[],[],[],[]],"open":[null,null,null,null,null,null]}
"#;

/// Runs a server that must refuse to start; checks that it says why in one line.
async fn refused(variables: &[(&str, &str)], named: &str) {
    let ended = run(&["--port", "0"], variables).await;
    assert_eq!(ended.status.code(), Some(2), "{named}: {}", ended.stderr);
    assert!(ended.stderr.lines().count() == 1 && ended.stderr.contains(named), "{named}: {}", ended.stderr);
    assert!(ended.stderr.len() < 700 && !ended.stderr.contains("panicked"), "{}", ended.stderr);
}

#[actix_web::test]
async fn a_file_that_cannot_be_used_is_one_line_and_exit_code_2() {
    let file = File::new();
    let with = |from: &str, to: &str| GOOD.replacen(from, to, 1).into_bytes();
    let later = (now() + 3 * 86_400_000_000).to_string();
    let broken = [
        (Vec::new(), "state:1: the file is empty"),
        (GOOD[..GOOD.len() - 20].into(), "state:2: the file is cut off"),
        (with("\"symbols\":1", "\"symbols\":3"), "state:3: the file is cut off: expected 3 symbols"),
        (with("\"version\":1", "\"version\":2"), "state:1: expected type"),
        (with("1772463845123456", &later), "state:1: a time is"),
        (with("1772463845123456", "18446744073709551615"), "state:1: not a line of a state"),
        (with("\"ts\":0", "\"ts\":9223372036854775807"), "state:2: a time is"),
        (with("\"volume\"", "\"a\\nb\""), "state:2: not a line of a state"),
        (with("AA", "A2345678901234567890"), "state:2: 'A2345678901234567890' is no symbol"),
        (b"{\"type\":\"\xff\xfe\"}\n".to_vec(), "state:1: not a line of a state"),
        (b"PK\x03\x04\x00\x01".to_vec(), "state:1: the file is cut off"),
    ];
    for (text, named) in broken {
        std::fs::write(&file.path, text).unwrap();
        refused(&variables(&file.path, &[]), named).await;
    }
    // A line of 1 GiB, of which the disk has nothing.
    let long = std::fs::File::create(&file.path).unwrap();
    long.write_all_at(GOOD.as_bytes(), 1 << 30).unwrap();
    refused(&variables(&file.path, &[]), "state:1: the line is too long").await;
    let directory = file.directory.path().to_str().unwrap();
    let below = format!("{}/no/such/directory", file.path);
    for (path, named) in [
        (directory, "it is not a file"),
        ("/no/such/directory/state", "feed.state_file /no/such/directory/state: No such file"),
        (&below, "feed.state_file "),
    ] {
        refused(&variables(path, &[]), named).await;
    }
    let mut simulated = variables(&file.path, &[]);
    simulated[0].1 = "simulated";
    refused(&simulated, "feed.state_file must be empty").await;
    std::fs::write(&file.path, GOOD).unwrap();
    end(spawn_binary(&[], &variables(&file.path, &[])).await).await;
}

/// Makes a file with the symbols AA, BB and CC.
async fn three(file: &File) {
    within_a_day().await;
    let server = spawn_binary(&[], &variables(&file.path, &[])).await;
    let events = [trade("AA", now(), 1.0, 1), trade("BB", now(), 2.0, 2), trade("CC", now(), 3.0, 3)];
    post(server.address, &events).await;
    volume_becomes(&server, "CC", json!(3)).await;
    end(server).await;
}

#[actix_web::test]
async fn symbols_that_a_closed_market_does_not_have_are_left_out_with_one_warning() {
    let file = File::new();
    three(&file).await;
    let closed = [("TICKCAST__FEED__PUBLISH__SYMBOLS", "DD,BB"), ("TICKCAST__FEED__PUBLISH__NEW_SYMBOLS", "false")];
    let mut command = command(&["--port", "0"], &variables(&file.path, &closed));
    let mut child = command.env("TICKCAST__SERVER__TLS__PORT", "0").stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut warnings = Vec::new();
    let listening = loop {
        let line = patiently("the start line", log.next_line()).await.unwrap().expect("the server listens");
        if line.contains("listening") {
            break line;
        }
        warnings.push(line);
    };
    let told =
        |line: &String| line.contains("feed.state_file") && line.contains("WARN") && line.ends_with("left_out=2");
    assert_eq!(warnings.iter().filter(|line| told(line)).count(), 1, "{warnings:?}");
    let address = listening.split(" url=http://").nth(1).and_then(|rest| rest.split('/').next()).unwrap();
    let snapshots = get(address.parse().unwrap(), "/api/v1/snapshot").await.json();
    let found: Vec<_> =
        snapshots["snapshots"].as_array().unwrap().iter().map(|each| (&each["symbol"], &each["price"])).collect();
    assert_eq!(found, [(&json!("DD"), &Value::Null), (&json!("BB"), &json!(2.0))]);
    patiently("the end", child.kill()).await.unwrap();
}

#[actix_web::test]
async fn more_symbols_than_the_table_has_places_are_one_line_and_exit_code_2() {
    let file = File::new();
    three(&file).await;
    let before = std::fs::read_to_string(&file.path).unwrap();
    let own = [("TICKCAST__FEED__PUBLISH__SYMBOLS", "DD,BB"), ("TICKCAST__FEED__SYMBOLS_MAX", "3")];
    refused(&variables(&file.path, &own), "has 4 symbols with those of the file, and feed.symbols_max is 3").await;
    assert_eq!(std::fs::read_to_string(&file.path).unwrap(), before, "the file is still there");
    let own = [("TICKCAST__FEED__PUBLISH__SYMBOLS", "DD,BB"), ("TICKCAST__FEED__SYMBOLS_MAX", "4")];
    let server = spawn_binary(&[], &variables(&file.path, &own)).await;
    assert_eq!(values(&server, "CC").await["price"], 3.0);
    end(server).await;
}
