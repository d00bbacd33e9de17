//! The client libraries of Alpaca, unchanged, on the stock stream: `tests/sdk/alpaca/` has their programs.

use std::process::Stdio;

use tickcast::app::Settings;
use tokio::process::Command;

use crate::spawn::{TestServer, spawn_app};

/// Seconds of the market in one second: bars of many minutes in each test.
const SPEED: f64 = 60.0;

pub(crate) fn market(settings: &mut Settings, events_per_second: f64) {
    settings.feed.speed = SPEED;
    settings.feed.events_per_second = events_per_second / SPEED;
    settings.feed.amendments_per_million_trades = 20_000;
}

/// Runs a program, and fails with its output unless it succeeds.
pub(crate) async fn run(program: &str, arguments: &[&str]) {
    let mut command = Command::new(program);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.unwrap_or_else(|err| panic!("{program}: {err}: `make sdk-deps` installs it"));
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{program} {arguments:?}: {}\n{out}{err}", output.status);
    println!("{program}: {out}");
}

fn stream(server: &TestServer, path: &str) -> String {
    format!("ws://{}{path}", server.address)
}

#[actix_web::test]
async fn alpaca_py_reads_2000_events_a_second_for_a_minute_without_a_warning() {
    let server = spawn_app(|settings| market(settings, 2_000.0));
    let address = stream(&server, "/v2/iex");
    let least = [
        "trades=20000",
        "quotes=60000",
        "bars=500",
        "dailyBars=500",
        "updatedBars=50",
        "corrections=50",
        "cancelErrors=20",
    ];
    run("target/clients/alpaca/bin/python", &[&["tests/sdk/alpaca/stream.py", &address, "60"][..], &least].concat())
        .await;
}

#[actix_web::test]
async fn alpaca_trade_api_for_javascript_reads_every_channel_without_an_error() {
    let server = spawn_app(|settings| market(settings, 1_000.0));
    let address = stream(&server, "/v2/sip");
    let least =
        ["trades=500", "quotes=1000", "bars=30", "dailyBars=30", "updatedBars=1", "corrections=1", "cancelErrors=1"];
    run("node", &[&["tests/sdk/alpaca/stream.mjs", &address, "10"][..], &least].concat()).await;
}

#[actix_web::test]
async fn alpaca_py_reads_the_test_stream() {
    let server = spawn_app(|settings| market(settings, 3_000.0));
    let address = stream(&server, "/v2/test");
    let least = ["trades=20", "quotes=40", "bars=2"];
    run("target/clients/alpaca/bin/python", &[&["tests/sdk/alpaca/stream.py", &address, "10"][..], &least].concat())
        .await;
}
