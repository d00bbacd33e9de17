//! Debian's Prometheus with the configuration, the alert rules and the queries of the dashboard in `docs/operations`.

use std::time::{Duration, Instant};

use awc::http::Method;
use serde_json::Value;

use super::{Neighbour, document, program, replaced};
use crate::command::{Process, spawn_binary};
use crate::http::{get, request};
use crate::keyring::{KeyRing, entry, header_of, secret};
use crate::patience::{PATIENCE, patiently};
use crate::raw::RawClient;
use crate::spawn::loopback_host;

/// Time between two looks at Prometheus, which looks five times a second itself.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// A key of a Prometheus, which has no symbols.
const SCRAPER: &str = "prometheus";
/// A key of a client.
const CLIENT: &str = "client";

#[tokio::test]
async fn the_alert_rules_and_their_cases_are_valid() {
    for arguments in [
        &["check", "rules", "alerts.yml"][..],
        &["test", "rules", "alerts.test.yml"],
        &["check", "config", "--syntax-only", "prometheus.yml"],
    ] {
        let mut command = program("usr/bin/promtool");
        command.args(arguments).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations"));
        let output = patiently("promtool", command.output()).await.unwrap();
        let said = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
    }
    // Each rule has its case.
    let (rules, cases) = (document("alerts.yml"), document("alerts.test.yml"));
    for name in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(cases.contains(&format!("alertname=\"{name}\"")), "{name}");
    }
}

/// A Prometheus that scrapes a server five times a second.
struct Scraping {
    prometheus: Neighbour,
    server: Process,
    /// Address of the listener of the operators.
    target: String,
}

impl Scraping {
    async fn start(keys: &KeyRing) -> Self {
        let mut prometheus = Neighbour::new("prometheus");
        let host = loopback_host();
        let server = spawn_binary(
            &[],
            &[
                ("TICKCAST__AUTH__REQUIRED", "true"),
                ("TICKCAST__AUTH__KEYS_FILE", keys.path.to_str().unwrap()),
                ("TICKCAST__SERVER__CONNECTIONS_MAX", "1"),
                ("TICKCAST__ADMIN__HOST", &host),
                ("TICKCAST__ADMIN__PORT", "9100"),
            ],
        )
        .await;
        let target = format!("{host}:9100");
        let config =
            replaced(&document("prometheus.yml"), &[("interval: 15s", "interval: 200ms"), ("127.0.0.1:9100", &target)]);
        prometheus.write("prometheus.yml", &config);
        prometheus.write("alerts.yml", &replaced(&document("alerts.yml"), &[("for: 1m", "for: 1s")]));
        prometheus.write("tickcast.secret", &secret(SCRAPER));
        let mut command = program("usr/bin/prometheus");
        command.args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
        command.arg(format!("--web.listen-address={}", prometheus.address));
        prometheus.start(command).await;
        Self { prometheus, server, target }
    }

    /// Returns the part `data` of an answer of Prometheus.
    async fn ask(&self, path: &str) -> Value {
        let answer = get(self.prometheus.address, path).await;
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }

    /// Asks until the answer is as expected.
    async fn until(&self, path: &str, is_expected: impl Fn(&Value) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // It answers 503 until it has read its storage.
            let is_ready = get(self.prometheus.address, "/-/ready").await.status == 200;
            let data = if is_ready { self.ask(path).await } else { Value::Null };
            if is_expected(&data) {
                return;
            }
            assert!(Instant::now() < deadline, "{path}: {data:#}");
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    async fn until_firing(&self, name: &str) {
        let is_firing = |alert: &Value| {
            alert["labels"]["alertname"] == name
                && alert["state"] == "firing"
                && alert["labels"]["instance"] == self.target
        };
        self.until("/api/v1/alerts", |data| {
            data["alerts"].as_array().is_some_and(|alerts| alerts.iter().any(is_firing))
        })
        .await;
    }
}

/// Returns every query of the dashboard.
fn queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&document("grafana.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().clone();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().cloned().unwrap_or_default());
    let queries = targets.map(|target| target["expr"].as_str().unwrap().to_owned());
    queries.map(|query| query.replace("$__rate_interval", "1m").replace("$instance", ".*")).collect()
}

#[actix_web::test]
async fn prometheus_reads_a_guarded_server_and_two_alerts_fire() {
    let keys = KeyRing::new(&[entry(SCRAPER, "symbols = []\nadmin = true"), entry(CLIENT, "symbols = [\"*\"]")]);
    let scraping = Scraping::start(&keys).await;
    let is_up = |data: &Value| data["activeTargets"][0]["health"] == "up";
    scraping.until("/api/v1/targets", is_up).await;
    let rules = scraping.ask("/api/v1/rules").await;
    assert_eq!(
        rules["groups"][0]["rules"].as_array().unwrap().len(),
        document("alerts.yml").matches("- alert:").count()
    );

    // Each query of the dashboard has an answer, already before anything has happened.
    let queries = queries();
    assert!(queries.len() > 15, "{queries:?}");
    for query in queries {
        let encoded: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let has_series = |data: &Value| data["result"].as_array().is_some_and(|result| !result.is_empty());
        scraping.until(&format!("/api/v1/query?query={encoded}"), has_series).await;
    }

    // The server has room for one session.
    let address = scraping.server.address;
    let authorization = header_of(CLIENT);
    let mut client = RawClient::connect(address).await;
    let stream = format!(
        "GET /api/v1/stream?symbols=AAPL HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\n\r\n"
    );
    assert_eq!(client.request(&stream).await.status, 200);
    let poll = "/api/v1/poll?symbols=AAPL&wait_ms=0";
    let refused = request(address, Method::GET, poll, &[("Authorization", &authorization)]).await;
    assert_eq!(refused.status, 503);
    scraping.until_firing("TickcastFull").await;

    scraping.server.signal("KILL").await;
    scraping.until_firing("TickcastDown").await;
}
