//! Every fault of `docs/FAULTS.md` over every transport on which it strikes, met by the client libraries in Node, in Python and in a real
//! browser: no unannounced hole, no repeat, and nothing lost that the server still has.
//!
//! One server has a rule for each client, which is chosen by its name; each language runs all of its clients at once.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join3;
use serde_json::{Value, json};

use super::ledger::Ledger;
use super::program::{Language, Output};
use crate::http::get;
use crate::spawn::{TestServer, spawn_app};

/// The transports as clients call them, the best one first.
const TRANSPORTS: [&str; 3] = ["websocket", "sse", "poll"];
/// Events that a client must get after the last strike.
const EVENTS_AFTER: u64 = 40;
/// Lines that a program prints between two looks at the strikes.
const LINES_PER_LOOK: u64 = 300;

/// A fault, and what it does to a client.
struct Case {
    name: &'static str,
    rule: Value,
    /// Over how many of [`TRANSPORTS`] it strikes; each has a client of its own.
    over: usize,
    /// How often it strikes before the client is judged.
    strikes: u64,
    /// Why the first connection ends; `None` if it does not, or if each library has a name of its own for it.
    cause: Option<&'static str>,
    /// A message by which the application is told; nobody else gets one of this kind.
    told: Option<&'static str>,
    /// The transport that it ends with, if the client may use all of them, and the fault strikes over all; `None` if it has one only.
    ends_with: Option<&'static str>,
}

impl Case {
    fn new(name: &'static str, over: usize, rule: Value) -> Self {
        let strikes = rule["times"].as_u64().unwrap_or(1);
        Self { name, rule, over, strikes, cause: None, told: None, ends_with: None }
    }

    fn ends(self, cause: &'static str) -> Self {
        Self { cause: Some(cause), ..self }
    }

    fn told(self, kind: &'static str) -> Self {
        Self { told: Some(kind), ..self }
    }
}

/// The faults that end a connection, or leave it dead.
fn faults_of_connections() -> Vec<Case> {
    let close = |code: u16| json!({ "kind": "close", "code": code, "after_ms": 700, "times": 2 });
    vec![
        Case::new("refuse", 3, json!({ "kind": "refuse", "retry_after_s": 1, "times": 2 })),
        Case {
            ends_with: Some("websocket"),
            ..Case::new("refuse-all", 1, json!({ "kind": "refuse", "retry_after_s": 1, "times": 2 }))
        },
        Case { strikes: 0, ..Case::new("auth_error", 1, json!({ "kind": "auth_error", "code": 402 })) },
        Case::new("drop", 3, json!({ "kind": "drop", "after_ms": 700, "times": 2 })).ends("closed"),
        Case::new("close-1000", 1, close(1000)).ends("closed"),
        // The server ends, and its next run has other numbers.
        Case::new("close-1001", 1, close(1001)).ends("closed").told("reset"),
        Case::new("close-1011", 1, close(1011)).ends("closed"),
        Case::new("close-1013", 1, close(1013)).ends("closed"),
        Case::new("close-4002", 1, close(4002)).ends("closed"),
        Case::new("close-4004", 1, close(4004)).ends("closed"),
        Case::new("half-open", 3, json!({ "kind": "half_open", "after_ms": 700, "times": 1 })).ends("silent"),
        Case::new("mute", 2, json!({ "kind": "mute", "after_ms": 700, "times": 1 })).ends("silent"),
        // On every connection, for ever: what was not sent comes after each reconnection.
        Case { strikes: 3, ..Case::new("mutes", 2, json!({ "kind": "mute", "after_ms": 700 })).ends("silent") },
        Case {
            strikes: 4,
            // Polls are the only ones that are not struck.
            ends_with: Some("poll"),
            ..Case::new("silence", 1, json!({ "kind": "mute", "after_ms": 700 })).ends("silent")
        },
        Case::new("stall", 1, json!({ "kind": "stall", "after_ms": 700, "times": 1 })).ends("late"),
    ]
}

/// The faults that change what is sent, or when.
fn faults_of_data() -> Vec<Case> {
    let some = |kind: &str, chance: f64, times: u64| json!({ "kind": kind, "chance": chance, "times": times, "after_ms": 700 });
    let bad = |price: &str| json!({ "kind": "bad_price", "price": price, "chance": 0.3, "times": 10 });
    let slow = json!({ "kind": "slow", "bytes_per_second": 1_000, "after_ms": 700, "for_ms": 1_500 });
    let skew = json!({ "kind": "time_skew", "ms": -3_600_000, "chance": 0.3, "times": 10 });
    vec![
        Case::new("slow", 2, slow),
        Case::new("delay", 2, json!({ "kind": "delay", "ms": 400 })),
        Case::new("jitter", 2, json!({ "kind": "jitter", "ms": 300 })),
        Case::new("burst", 2, json!({ "kind": "burst", "ms": 400 })),
        Case::new("gap", 2, some("gap", 0.1, 3)).ends("hole"),
        // For ever: reconnecting does not bring the events.
        Case::new("gaps", 2, json!({ "kind": "gap", "chance": 0.95 })).told("hole"),
        Case::new("duplicate", 2, some("duplicate", 0.3, 20)),
        Case::new("reorder", 2, some("reorder", 0.1, 3)).ends("hole"),
        Case::new("garbage", 1, some("garbage", 0.1, 3)).ends("garbage"),
        Case::new("crossed", 2, bad("crossed")).told("suspect"),
        Case::new("zero", 2, bad("zero")).told("suspect"),
        Case::new("spike", 2, bad("spike")),
        Case::new("time-skew", 2, skew),
    ]
}

/// One client, as far as it has got.
struct Client<'a> {
    case: &'a Case,
    transport: &'static str,
    ledger: Ledger,
    causes: Vec<String>,
    /// The transport of the last connection.
    live: String,
    /// The transports of all attempts.
    tried: BTreeSet<String>,
    /// How many events had come when the fault had struck often enough.
    struck_at: Option<u64>,
}

impl Client<'_> {
    fn name(&self, language: Language) -> String {
        format!("{}-{}-{language:?}", self.case.name, self.transport).to_lowercase()
    }

    fn rule(&self, language: Language) -> Value {
        let mut rule = self.case.rule.clone();
        rule["client"] = json!(self.name(language));
        if self.case.ends_with.is_some() {
            return rule;
        }
        rule["transport"] = json!(if self.transport == "sse" { "stream" } else { self.transport });
        if self.transport == "poll" {
            // Each poll is a session of its own, which the fault strikes at once.
            rule.as_object_mut().unwrap().remove("after_ms");
        }
        rule
    }

    /// Returns what the program is to do.
    fn wanted(&self, language: Language, server: &TestServer) -> Value {
        let name = self.name(language);
        // A browser opens six connections to a host at most.
        let host = if language == Language::Chromium { format!("{name}.localhost") } else { "127.0.0.1".into() };
        let transports = if self.case.ends_with.is_some() { &TRANSPORTS[..] } else { &[self.transport] };
        let options = json!({ "transports": transports, "account": name, "connect_timeout_ms": 3_000, "ping_ms": 300 });
        json!({
            "name": name,
            "url": format!("http://{host}:{}/", server.address.port()),
            "options": options,
            "subscriptions": self.subscriptions(),
        })
    }

    /// Of one topic if the same hole is to be found again: each has its own.
    fn subscriptions(&self) -> Value {
        if self.case.told == Some("hole") {
            json!([["AAPL", { "channels": ["quotes"] }]])
        } else {
            json!([[["AAPL", "MSFT"], { "channels": ["trades", "quotes"] }]])
        }
    }

    fn take(&mut self, line: &Value) {
        if line["type"] != "status" {
            return self.ledger.take(line);
        }
        assert_ne!(line["state"], "closed", "{line}");
        self.tried.extend(line["transport"].as_str().map(str::to_owned));
        if line["state"] == "live" {
            line["transport"].as_str().unwrap().clone_into(&mut self.live);
        } else if let Some(cause) = line["failure"]["cause"].as_str() {
            self.causes.push(cause.to_owned());
        }
    }

    fn is_done(&self) -> bool {
        let is_told = self.case.told.is_none_or(|kind| self.ledger.count(kind) > 0);
        // While holes are fetched again and again, few events come.
        let after = if self.case.told == Some("hole") { 0 } else { EVENTS_AFTER };
        let is_there = self.case.ends_with.is_none_or(|transport| self.live == transport);
        is_told && is_there && self.struck_at.is_some_and(|events| self.ledger.events >= events + after)
    }

    fn judge(&self, name: &str, struck: u64, language: Language) {
        let Self { case, ledger, causes, .. } = self;
        assert_eq!(struck > 0, case.strikes > 0, "{name}");
        let symbols = if case.told == Some("hole") { 1 } else { 2 };
        let resets = if case.told == Some("reset") { case.strikes } else { 0 };
        let lost = (ledger.count("reset"), ledger.count("lag"), ledger.count("snapshot"));
        assert_eq!(lost, (resets, 0, symbols * (1 + resets)), "{name}: {causes:?}");
        for kind in ["hole", "suspect"] {
            assert_eq!(ledger.count(kind) > 0, case.told == Some(kind), "{name}: {kind}, {causes:?}");
        }
        // A reset has a name of its own over HTTP, and each library has one for a refused handshake. On a busy machine a connection may
        // be silent besides, and events that are left out for ever may be noticed by their absence.
        let plain = |name: &String| if name == "unreachable" { "closed".to_owned() } else { name.clone() };
        let own: Vec<String> = causes.iter().map(plain).filter(|name| name != "silent").collect();
        if case.name == "refuse-all" {
            // A WebSocket in JavaScript does not tell the status of a refusal, so that the next request has to find it.
            let most: &[&str] = if language == Language::Python { &["websocket"] } else { &["sse", "websocket"] };
            assert!(self.tried.iter().all(|each| most.contains(&each.as_str())), "{name}: {:?}", self.tried);
        }
        match case.cause {
            Some("silent") => assert!(causes.contains(&"silent".to_owned()), "{name}: {causes:?}"),
            Some(cause) => assert_eq!(own.first().map(String::as_str), Some(cause), "{name}: {causes:?}"),
            None => {
                assert!(["refuse", "refuse-all", "gaps"].contains(&case.name) || own.is_empty(), "{name}: {causes:?}");
            }
        }
    }
}

fn clients(cases: &[Case]) -> Vec<Client<'_>> {
    let each = cases.iter().flat_map(|case| TRANSPORTS[..case.over].iter().map(move |transport| (case, *transport)));
    each.map(|(case, transport)| Client {
        case,
        transport,
        ledger: Ledger::default(),
        causes: Vec::new(),
        live: String::new(),
        tried: BTreeSet::new(),
        struck_at: None,
    })
    .collect()
}

/// Returns how often each rule has struck, by the name of its client.
async fn strikes(server: &TestServer) -> BTreeMap<String, u64> {
    let answer = get(server.address, "/faults").await.json();
    let rules = answer["faults"].as_array().unwrap().iter();
    rules.map(|rule| (rule["rule"]["client"].as_str().unwrap().to_owned(), rule["struck"].as_u64().unwrap())).collect()
}

async fn run(server: &TestServer, cases: &[Case], language: Language) {
    let mut clients: BTreeMap<String, Client> =
        clients(cases).into_iter().map(|client| (client.name(language), client)).collect();
    let wanted: Vec<Value> = clients.values().map(|client| client.wanted(language, server)).collect();
    let mut output = Output::start(language, server.address, &json!(wanted)).await;
    let mut lines = 0_u64;
    while !clients.values().all(Client::is_done) {
        let line: Value = serde_json::from_str(&output.next().await.expect("the program goes on")).unwrap();
        let client = line["of"].as_str().and_then(|name| clients.get_mut(name));
        client.unwrap_or_else(|| panic!("{language:?}: {line}")).take(&line);
        lines += 1;
        if lines.is_multiple_of(LINES_PER_LOOK) {
            let struck = strikes(server).await;
            for (name, client) in &mut clients {
                if client.struck_at.is_none() && client.ledger.events > 0 && struck[name] >= client.case.strikes {
                    client.struck_at = Some(client.ledger.events);
                }
            }
        }
    }
    let struck = strikes(server).await;
    for (name, client) in &clients {
        client.judge(name, struck[name], language);
    }
    output.close().await;
}

#[actix_web::test]
async fn every_fault_over_every_transport_leaves_no_unannounced_hole_and_no_repeat() {
    let cases: Vec<_> = faults_of_connections().into_iter().chain(faults_of_data()).collect();
    let all = clients(&cases);
    let rules: Vec<Value> =
        Language::EVERYWHERE.iter().flat_map(|language| all.iter().map(|client| client.rule(*language))).collect();
    let server = spawn_app(|settings| {
        settings.feed.events_per_second = 200.0;
        settings.session.heartbeat_ms = 1_000;
        settings.fault_limits.rules_max = rules.len();
        settings.faults = serde_json::from_value(json!(rules)).unwrap();
        settings.server.allowed_origins = serde_json::from_value(json!(["*"])).unwrap();
    });
    let [node, python, chromium] = Language::EVERYWHERE.map(|language| run(&server, &cases, language));
    join3(node, python, chromium).await;
}
