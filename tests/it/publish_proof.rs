//! Published events through connections that are cut at random: a publisher that repeats its requests, and a subscriber that comes back with
//! its cursor. The programs are in `tests/publish/`; `make publish-proof` runs them with ten million events.

use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::command::{Ended, configured, ended};

/// Publishes so many events, with cuts that the seed chooses.
async fn prove(events: u32, seed: u32, more: &[&str]) -> Ended {
    let (events, seed) = (events.to_string(), seed.to_string());
    let arguments = ["tests/publish/proof.py", "--server", env!("CARGO_BIN_EXE_tickcast"), "--events", &events];
    let arguments = [&arguments[..], &["--seed", &seed], more].concat();
    let mut command = configured(Command::new("python3"), &arguments, &[("PYTHONDONTWRITEBYTECODE", "1")]);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).stdout(Stdio::piped()).stderr(Stdio::piped());
    ended(&mut command).await
}

#[actix_web::test]
async fn each_event_arrives_once_and_in_order_though_connections_are_cut_at_random() {
    let proof = prove(100_000, 1, &[]).await;
    assert!(proof.status.success(), "{proof:?}");
    let report: Value = serde_json::from_str(&proof.stdout).unwrap();
    assert_eq!(report["events"], 100_000);
    // The cuts have done their work: answers were lost after their events were published, and sessions ended.
    for counter in ["publisher_cuts", "retries", "repeats", "reader_cuts"] {
        assert!(report[counter].as_u64().unwrap() > 0, "{counter}: {report}");
    }
}

#[actix_web::test]
async fn without_idempotency_keys_the_same_proof_finds_events_that_come_twice() {
    let proof = prove(100_000, 1, &["--without-keys"]).await;
    assert_eq!(proof.status.code(), Some(1), "{proof:?}");
    assert!(proof.stderr.contains("comes twice"), "{proof:?}");
}
