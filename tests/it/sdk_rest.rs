//! The client libraries of vendors read the history, unchanged: the programs in `tests/sdk/`, in environments that
//! `tests/sdk-deps.sh` installs.

use std::path::Path;
use std::process::Stdio;

use crate::client::Client;
use crate::patience::patiently;
use crate::spawn::{TestServer, spawn_app};

fn spawn() -> TestServer {
    spawn_app(|settings| {
        settings.history.bars_max = 4_000;
        settings.feed.events_per_second = 2_000.0;
    })
}

/// Runs a program of `tests/sdk/`, which ends successfully if the server behaves as its vendor does.
async fn run(program: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let server = spawn();
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["AAPL", "MSFT", "NVDA"], &["trades", "quotes"]).await;
    client.events(500).await;
    let vendor = program.split('/').next().unwrap();
    let interpreter = match program.rsplit('.').next() {
        Some("py") => root.join("target/clients").join(vendor).join("bin/python"),
        _ => "node".into(),
    };
    let mut command = tokio::process::Command::new(&interpreter);
    command.arg(root.join("tests/sdk").join(program)).arg(format!("http://{}", server.address));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let child = command.spawn().unwrap_or_else(|err| panic!("{}: {err}; see `make test`", interpreter.display()));
    let output = patiently(program, child.wait_with_output()).await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&text));
}

#[actix_web::test]
async fn alpaca_py_reads_bars_over_three_symbols_newest_values_and_snapshots() {
    run("alpaca/rest.py").await;
}

#[actix_web::test]
async fn the_javascript_client_of_alpaca_reads_bars_newest_values_and_snapshots() {
    run("alpaca/rest.mjs").await;
}

#[actix_web::test]
async fn the_python_client_of_massive_reads_aggregates_snapshots_and_tickers() {
    run("massive/rest.py").await;
}

#[actix_web::test]
async fn the_javascript_client_of_massive_reads_aggregates_and_snapshots() {
    run("massive/rest.mjs").await;
}

#[actix_web::test]
async fn the_python_client_of_finnhub_reads_quotes_and_candles() {
    run("finnhub/rest.py").await;
}
