//! A program that uses a client library, in a process or a browser of its own, and prints each message (`tests/clients/`).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::ledger::Ledger;
use crate::browser::driver::Browser;
use crate::patience::patiently;

/// The libraries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Node,
    Python,
    /// The JavaScript client in a page of a real browser.
    Chromium,
}

impl Language {
    /// Those that run without a browser, which takes a second to start.
    pub(crate) const ALL: [Self; 2] = [Self::Node, Self::Python];
    pub(crate) const EVERYWHERE: [Self; 3] = [Self::Node, Self::Python, Self::Chromium];

    /// Returns the interpreter, so prepared that it finds the library.
    pub(crate) fn command(self) -> Command {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        match self {
            Self::Chromium => unreachable!("a browser is no interpreter"),
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
        let name = match self {
            Self::Node => "watch.mjs",
            Self::Python => "watch.py",
            Self::Chromium => "watching.js",
        };
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
    }
}

/// Resolves with the lines of a page since the last time, as soon as there are some.
const NEXT_LINES: &str = "new Promise((resolve) => {
    const look = () => (lines_.length > 0 ? resolve(lines_.splice(0)) : setTimeout(look, 50));
    look();
})";

/// Returns the modules of the JavaScript client by their name.
fn modules() -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/js");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let modules = files.filter(|path| path.extension().is_some_and(|extension| extension == "js"));
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    modules.map(|path| (name(&path), json!(std::fs::read_to_string(&path).unwrap()))).collect()
}

/// Where the lines of a program come from.
pub(crate) enum Output {
    Process(Box<Child>, Lines<BufReader<ChildStdout>>),
    /// The page has the lines in `lines_`; those that were fetched wait.
    Page(Box<Browser>, VecDeque<String>),
}

impl Output {
    /// Starts clients as the argument says: an object, or an array of them, each with a `name`. A browser loads the library from `server`.
    pub(crate) async fn start(language: Language, server: SocketAddr, argument: &Value) -> Self {
        if language == Language::Chromium {
            Self::open(language, server, argument).await
        } else {
            Self::spawn(language, argument)
        }
    }

    fn spawn(language: Language, argument: &Value) -> Self {
        let mut command = language.command();
        command.arg(language.program()).arg(argument.to_string()).kill_on_drop(true);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the language is installed");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self::Process(child.into(), lines)
    }

    async fn open(language: Language, server: SocketAddr, argument: &Value) -> Self {
        let browser = Browser::start(400, 300, "dark").await;
        // Any document of the server without a policy and scripts of its own.
        browser.open(&format!("http://page.localhost:{}/api/v1/symbols", server.port())).await;
        let program = std::fs::read_to_string(language.program()).unwrap().replace("export function", "function");
        // Each module becomes an address of its own, after those that it imports.
        let start = format!(
            "(() => {{
                {program}
                const sources = {modules}, addresses = {{}};
                const open = (name) => addresses[name] ??= URL.createObjectURL(new Blob(
                    [sources[name].replace(/ from \"\\.\\/([^\"]+)\"/g, (_, other) => ` from \"${{open(other)}}\"`)],
                    {{ type: 'text/javascript' }}));
                globalThis.lines_ = [];
                const print = (line) => lines_.push(JSON.stringify(line));
                const start = (library) => {{
                    globalThis.running_ = [{argument}].flat().map((each) => watch(library, each, print));
                }};
                import(open('tickcast.js')).then(start).catch((err) => print({{ type: 'error', message: String(err) }}));
            }})()",
            modules = modules(),
        );
        browser.value(&start).await;
        Self::Page(browser.into(), VecDeque::new())
    }

    /// Returns the next line; `None` if the program has ended.
    pub(crate) async fn next(&mut self) -> Option<String> {
        match self {
            Self::Process(_, lines) => patiently("a line", lines.next_line()).await.unwrap(),
            Self::Page(browser, waiting) => {
                if waiting.is_empty() {
                    let lines = browser.value(NEXT_LINES).await;
                    waiting.extend(lines.as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()));
                }
                waiting.pop_front()
            }
        }
    }

    /// Closes the clients; their last lines follow.
    pub(crate) async fn close(&mut self) {
        match self {
            // A program whose client was closed by the server has ended already.
            Self::Process(child, _) => _ = child.stdin.as_mut().unwrap().write_all(b"\n").await,
            Self::Page(browser, _) => _ = browser.value("running_.forEach(({ close }) => close())").await,
        }
    }

    /// Waits for the end, after the last line.
    async fn ended(self) {
        match self {
            Self::Process(mut child, _) => {
                assert!(patiently("the program to end", child.wait()).await.unwrap().success());
            }
            Self::Page(browser, _) => browser.close().await,
        }
    }
}

/// A running program, and the check of its messages. Killed when dropped.
pub(crate) struct Program {
    output: Output,
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
        Self::start_with(language, server, options, &usual())
    }

    /// Starts a program with these options and subscriptions.
    pub(crate) fn start_with(language: Language, server: SocketAddr, options: &Value, subscriptions: &Value) -> Self {
        Self::of(language, Output::spawn(language, &argument(server, options, subscriptions)))
    }

    /// The same as [`Self::start`], also in a browser.
    pub(crate) async fn start_anywhere(language: Language, server: SocketAddr, options: &Value) -> Self {
        let mut argument = argument(server, options, &usual());
        if language == Language::Chromium {
            // A connection to another host would be one to another origin.
            argument["url"] = json!(format!("http://page.localhost:{}/", server.port()));
        }
        Self::of(language, Output::start(language, server, &argument).await)
    }

    fn of(language: Language, output: Output) -> Self {
        let (ledger, status, name) = (Ledger::default(), Value::Null, format!("{language:?}"));
        Self { output, ledger, status, codes: Vec::new(), causes: Vec::new(), name }
    }

    /// Reads and checks the next message.
    pub(crate) async fn next(&mut self) -> Value {
        let line = patiently(&format!("{}: a message; {}", self.name, self.status), self.output.next()).await;
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
        self.output.close().await;
        let end = self.until("end").await;
        self.output.ended().await;
        (end, self.ledger)
    }
}

/// Subscriptions to trades, quotes and bars of some symbols, in both modes.
fn usual() -> Value {
    json!([
        [["AAPL", "MSFT", "NVDA"], { "channels": ["trades", "quotes", "bars.1s"] }],
        [["AMZN", "TSLA"], { "channels": ["quotes"], "mode": "latest", "max_hz": 4 }],
        ["KO", { "channels": ["trades"], "mode": "latest" }],
    ])
}

fn argument(server: SocketAddr, options: &Value, subscriptions: &Value) -> Value {
    json!({ "url": format!("http://{server}/"), "options": options, "subscriptions": subscriptions })
}
