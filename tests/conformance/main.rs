//! Conformance with RFC 6455: the Autobahn cases against the session actor, once with an echoing handler and once with
//! the service's own. `docs/CONFORMANCE.md` is the report; `make conformance` writes it.
//!
//! A test binary of its own, because the cases wait for fixed times and other tests keep the machine busy.

#![allow(clippy::unwrap_used, reason = "this is all test code, and a test fails by panicking")]

mod echo;
mod report;
mod suite;

#[path = "../it/command.rs"]
#[allow(dead_code, reason = "shared with the integration tests, which use all of it")]
mod command;
#[path = "../it/patience.rs"]
#[allow(dead_code, reason = "shared with the integration tests, which use all of it")]
mod patience;

use std::path::Path;

use echo::EchoServer;
use suite::Run;

/// The groups of cases run against the echo: all but compression, which the server does not offer.
const GROUPS: [&str; 9] = ["1", "2", "3", "4", "5", "6", "7", "9", "10"];
/// The groups that contain cases without an echo.
const GROUPS_WITHOUT_ECHO: [&str; 6] = ["2", "3", "4", "5", "6", "7"];
/// Environment variable: if set, the report is written instead of compared.
const WRITE: &str = "CONFORMANCE_WRITE";

#[actix_web::test]
async fn every_case_passes_and_the_report_equals_the_run() {
    let server = EchoServer::start();
    let echo = Run::of(&format!("ws://{}/echo", server.address), &GROUPS, false);
    drop(server);
    assert!(echo.failures().is_empty(), "on the echo: {:#?}", echo.failures());

    let process = command::spawn_binary(&[], &[]).await;
    let service = Run::of(&format!("ws://{}/ws", process.address), &GROUPS_WITHOUT_ECHO, true);
    assert!(service.failures().is_empty(), "on /ws: {:#?}", service.failures());

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/CONFORMANCE.md");
    let report = report::page(&echo, &service);
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &report).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == report, "docs/CONFORMANCE.md differs from this run; `make conformance` writes:\n{report}");
}
