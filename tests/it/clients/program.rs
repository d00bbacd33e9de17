//! A program that uses a client library, in a process of its own, and prints each message (`tests/clients/`).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::ledger::Ledger;
use crate::patience::patiently;

/// The libraries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Node,
    Python,
}

impl Language {
    pub(crate) const ALL: [Self; 2] = [Self::Node, Self::Python];

    /// Returns the interpreter, so prepared that it finds the library.
    pub(crate) fn command(self) -> Command {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        match self {
            Self::Node => {
                let mut command = Command::new("node");
                // Before version 22, Node has a WebSocket only with this flag.
                command.args(["--experimental-websocket", "--no-warnings"]);
                command
            }
            Self::Python => {
                // Installed by tests/sdk-deps.sh.
                let mut command = Command::new(root.join("target/clients/tickcast/bin/python"));
                command.arg("-B").env("PYTHONPATH", root.join("clients/python"));
                command
            }
        }
    }

    /// Returns the program that prints messages.
    fn program(self) -> PathBuf {
        let name = if self == Self::Node { "watch.mjs" } else { "watch.py" };
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
    }
}

/// A running program, and the check of its messages. Killed when dropped.
pub(crate) struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// The messages so far.
    pub(crate) ledger: Ledger,
    /// The last status.
    pub(crate) status: Value,
    /// The close codes of the connections so far.
    pub(crate) codes: Vec<u64>,
    /// The causes why connections have ended.
    pub(crate) causes: Vec<String>,
    name: String,
}

impl Program {
    /// Starts a program with these options, and subscriptions to trades, quotes and bars of some symbols, in both modes.
    pub(crate) fn start(language: Language, server: SocketAddr, options: &Value) -> Self {
        let subscriptions = json!([
            [["AAPL", "MSFT", "NVDA"], { "channels": ["trades", "quotes", "bars.1s"] }],
            [["AMZN", "TSLA"], { "channels": ["quotes"], "mode": "latest", "max_hz": 4 }],
            ["KO", { "channels": ["trades"], "mode": "latest" }],
        ]);
        Self::start_with(language, server, options, &subscriptions)
    }

    /// Starts a program with these options and subscriptions.
    pub(crate) fn start_with(language: Language, server: SocketAddr, options: &Value, subscriptions: &Value) -> Self {
        let argument =
            json!({ "url": format!("http://{server}/"), "options": options, "subscriptions": subscriptions });
        let mut command = language.command();
        command.arg(language.program()).arg(argument.to_string()).kill_on_drop(true);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the language is installed");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (ledger, status, name) = (Ledger::default(), Value::Null, format!("{language:?}"));
        Self { child, lines, ledger, status, codes: Vec::new(), causes: Vec::new(), name }
    }

    /// Reads and checks the next message.
    pub(crate) async fn next(&mut self) -> Value {
        let line =
            patiently(&format!("{}: a message; {}", self.name, self.status), self.lines.next_line()).await.unwrap();
        let line = line.unwrap_or_else(|| panic!("{} has ended after {}", self.name, self.status));
        let message: Value = serde_json::from_str(&line).unwrap();
        if message["type"] == "status" {
            let failure = &message["failure"];
            if message["state"] != "live" && failure != &self.status["failure"] {
                self.codes.extend(failure["code"].as_u64());
                self.causes.extend(failure["cause"].as_str().map(str::to_owned));
            }
            self.status = message.clone();
        } else {
            self.ledger.take(&message);
        }
        message
    }

    /// Reads until a message of a kind comes.
    pub(crate) async fn until(&mut self, kind: &str) -> Value {
        patiently(&format!("{}: {kind}", self.name), async {
            loop {
                let message = self.next().await;
                if message["type"] == kind {
                    return message;
                }
            }
        })
        .await
    }

    /// Reads until the status is this one.
    pub(crate) async fn until_state(&mut self, state: &str, transport: &str) {
        let what = format!("{}: {state} by {transport}", self.name);
        let events = self.ledger.events;
        let waited = tokio::time::timeout(crate::patience::PATIENCE, async {
            while self.status["state"] != state || self.status["transport"] != transport {
                self.next().await;
            }
        });
        let is_there = waited.await.is_ok();
        assert!(is_there, "{what}: {} after {} more events", self.status, self.ledger.events - events);
    }

    /// Reads this many events.
    pub(crate) async fn read(&mut self, events: u64) {
        let enough = self.ledger.events + events;
        let what = format!("{}: {events} events", self.name);
        patiently(&what, async {
            while self.ledger.events < enough {
                self.next().await;
            }
        })
        .await;
    }

    /// Closes the client; returns the last message, and fails if the program did.
    pub(crate) async fn close(mut self) -> (Value, Ledger) {
        // A program whose client was closed by the server has ended already.
        let _ = self.child.stdin.as_mut().unwrap().write_all(b"\n").await;
        let end = self.until("end").await;
        assert!(patiently("the program to end", self.child.wait()).await.unwrap().success(), "{}", self.name);
        (end, self.ledger)
    }
}
