//! `tickcast-compare` as a process: a small comparison on real servers, and invalid options.

#![allow(clippy::unwrap_used, reason = "this is all test code, and a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

/// The longest wait for a comparison, which starts 13 servers.
const PATIENCE: Duration = Duration::from_mins(5);

/// Runs a comparison that writes to this folder, with these arguments; returns its exit code and standard error. `cargo test --workspace` has built the server.
async fn compare(out: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let compare = Path::new(env!("CARGO_BIN_EXE_tickcast-compare"));
    let server = compare.with_file_name("tickcast");
    assert!(server.exists(), "{} is missing: test the whole workspace, or build it first", server.display());
    let mut command = Command::new(compare);
    command.arg("--server").arg(server).arg("--out").arg(out).args(arguments).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("the comparison does not end").unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn total(groups: &serde_json::Value, key: &str) -> u64 {
    groups.as_array().unwrap().iter().map(|group| group[key].as_u64().unwrap()).sum()
}

#[tokio::test]
async fn every_transport_receives_the_same_events_and_the_page_has_their_costs() {
    let out = folder("comparison");
    // The drain ends as soon as all events have arrived, so a long limit costs no time.
    let arguments =
        ["--clients", "2", "--rates", "60", "--low-rates", "", "--short-poll-ms", "50", "--window-s", "0.25"];
    let more = ["--warmup-s", "0.1", "--drain-s", "8", "--round-trip-ms", "10"];
    let ended = compare(&out, &[&arguments[..], &more].concat()).await;
    assert_eq!(ended.0, Some(0), "{ended:?}");

    let data = std::fs::read(out.join("comparison/comparison.json")).unwrap();
    let data: serde_json::Value = serde_json::from_slice(&data).unwrap();
    let together = &data["together"];
    assert_eq!(together["same_events"], true);
    let due: Vec<_> = together["transports"].as_array().unwrap().iter().map(|group| &group["events_due"]).collect();
    assert!(due.len() == 4 && due[0].as_u64() > Some(0) && due.iter().all(|count| *count == due[0]), "{due:?}");
    for groups in [&data["samples"], &data["delayed"], &together["transports"]] {
        assert_eq!(groups.as_array().unwrap().len(), 4);
        assert_eq!(total(groups, "missing") + total(groups, "repeated") + total(groups, "faults"), 0, "{groups}");
        assert_eq!(total(groups, "open_ended"), 0, "every client is verified: {groups}");
        for group in groups.as_array().unwrap() {
            assert!(group["setup_bytes"].as_u64() > Some(0) && group["connections"] == 2, "{group}");
            assert!(group["is_poll"] == true || group["requests"] == 0, "only polls send requests: {group}");
        }
    }
    for late in data["delayed"].as_array().unwrap() {
        assert!(late["latency_us"]["p50"].as_u64() >= Some(5_000), "the proxy delays events: {late}");
    }
    let idle = &data["idle"][0];
    let measured: Vec<_> = idle["measurements"].as_array().unwrap().iter().map(|one| one.as_f64().unwrap()).collect();
    assert!(
        measured.len() == 4 && measured.iter().all(|one| *one > 0.0),
        "servers without clients use CPU time: {idle}"
    );
    let page = std::fs::read_to_string(out.join("COMPARISON.md")).unwrap();
    for part in [
        "the same events in the same order",
        "0 events missing, 0 repeated, 0 faults",
        "then one every\n  20 ms (`push.coalesce_ms`)",
        "**Made with arguments: `--clients 2",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let again = folder("comparison-again");
    let raw = out.join("comparison/comparison.json");
    assert_eq!(compare(&again, &["--from", raw.to_str().unwrap()]).await.0, Some(0));
    assert_eq!(
        std::fs::read_to_string(again.join("COMPARISON.md")).unwrap(),
        page,
        "the page depends on the raw data only"
    );
    for name in ["bytes.svg", "cpu.svg", "latency.svg", "requests.svg"] {
        let plot = std::fs::read_to_string(out.join("comparison").join(name)).unwrap();
        assert!(page.contains(name) && plot.starts_with("<svg"), "{name}");
        // On a busy machine the net CPU of two clients can be below the spread of idle servers, and have no figure.
        assert!(plot.contains("long poll") || name == "cpu.svg", "{name}");
    }
}

#[tokio::test]
async fn an_invalid_option_is_an_error_of_one_line() {
    let out = folder("comparison-refused");
    for (arguments, part) in [
        (["--clients", "none"], "'--clients <LIST>': must be"),
        (["--server", "/bin/false"], "cannot start /bin/false"),
        (["--from", "/nowhere/data.json"], "cannot read /nowhere/data.json"),
        (["--out", "/proc/nowhere"], "cannot write to /proc/nowhere"),
    ] {
        let (code, stderr) = compare(&out, &arguments).await;
        assert_eq!((code, stderr.lines().count()), (Some(2), 1), "{stderr}");
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
}
