//! The examples under "Point your SDK at it" in the README run as they stand, except for the address.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::patience::patiently;
use crate::spawn::spawn_app;

/// Each vendor, and words that its examples print: of history, then of the stream, which never ends.
const PRINTED: [(&str, &[&str]); 3] = [
    ("alpaca", &["'vwap'", "'symbol': 'MSFT'", "symbol='AAPL'"]),
    ("massive", &["[Agg(", "EquityTrade(", "symbol='AAPL'"]),
    ("finnhub", &["'pc': ", "\"type\":\"trade\""]),
];

/// Returns the examples of the section: paragraphs of indented lines.
fn examples() -> Vec<String> {
    let readme = include_str!("../../README.md");
    let section = readme.split("\n## Point your SDK at it\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let paragraphs = section.split("\n\n").filter(|paragraph| paragraph.starts_with("    "));
    paragraphs.map(|paragraph| paragraph[4..].replace("\n    ", "\n") + "\n").collect()
}

/// Runs the examples of a vendor as one program, until it has printed all of the words.
async fn run(vendor: &str, printed: &[&str], address: &str) {
    let is_own =
        |example: &String| example.contains(vendor) || vendor == "finnhub" && example.contains("websocket-client");
    let mut own: Vec<String> = examples().into_iter().filter(is_own).collect();
    assert_eq!(own.len(), 2, "{vendor}: history and stream");
    for example in &own {
        assert!(example.lines().count() <= 4, "four lines:\n{example}");
    }
    own.sort_by_key(|example| example.contains("run"));
    let code = own.concat();
    assert!(code.contains("127.0.0.1:8080"), "{code}");
    let code = code.replace("127.0.0.1:8080", address);
    let mut command = Command::new(format!("target/clients/{vendor}/bin/python"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["-u", "-c", &code]).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|err| panic!("{vendor}: {err}: `make sdk-deps` installs it"));
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut missing = printed.to_vec();
    while !missing.is_empty() {
        let line = patiently(&format!("{vendor}: {missing:?}"), lines.next_line()).await.unwrap();
        let line = line.unwrap_or_else(|| panic!("{vendor} has ended before {missing:?}:\n{code}"));
        missing.retain(|words| !line.contains(words));
    }
}

#[actix_web::test]
async fn the_examples_in_the_readme_print_history_and_events() {
    let server = spawn_app(|settings| settings.history.bars_max = 1_000);
    let address = server.address.to_string();
    futures_util::future::join_all(PRINTED.map(|(vendor, printed)| run(vendor, printed, &address))).await;
}
