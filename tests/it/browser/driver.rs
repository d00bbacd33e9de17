//! A real Chromium, driven through chromedriver, which records the WebSocket frames and the console errors of
//! the page.

use std::process::Stdio;

use fantoccini::error::CmdError;
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::patience::{PATIENCE, patiently};

/// Quiet, offline, and without a sandbox because the tests run as root.
const FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
];

/// Records every WebSocket of the page in `sockets_`, its frames in `frames_`, and what its Content Security Policy has blocked in
/// `violations_`, from before the page's first script.
const RECORDER: &str = "
    globalThis.frames_ = [];
    globalThis.sockets_ = [];
    globalThis.violations_ = [];
    document.addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI, sourceFile, lineNumber }) => {
        violations_.push([effectiveDirective, blockedURI, sourceFile, lineNumber]);
    });
    const Plain = WebSocket;
    globalThis.WebSocket = class extends Plain {
        constructor(...rest) {
            super(...rest);
            sockets_.push(this);
            this.addEventListener('message', (event) => frames_.push(['in', event.data]));
        }
        send(data) {
            frames_.push(['out', data]);
            super.send(data);
        }
    };";

/// A browser window of its own. Killed when dropped.
pub(crate) struct Browser {
    pub(crate) client: Client,
    /// Chromium, until it is closed: a driver that is killed leaves it running.
    chromium: Option<Pid>,
    _driver: Child,
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(chromium) = self.chromium {
            let _ = kill_process(chromium, Signal::KILL);
        }
    }
}

/// A request without a method in fantoccini: path below the session, and body.
#[derive(Debug)]
struct Extension(&'static str, Value);

impl WebDriverCompatibleCommand for Extension {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.0))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.1.to_string()))
    }
}

/// Starts chromedriver; returns it and its port.
///
/// chromedriver takes a free port of IPv6 and then the same port of IPv4. If a server of another test has that one,
/// chromedriver writes "IPv4 port not available" and ends; then it has to be started again.
async fn start_driver() -> (Child, String) {
    let mut written = Vec::new();
    for _ in 0..10 {
        let mut driver = Command::new("chromedriver");
        driver.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut driver = driver.spawn().expect("chromedriver is installed: see tests/browser-deps.sh");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        while let Some(line) = patiently("chromedriver", lines.next_line()).await.unwrap() {
            if let Some(rest) = line.split("started successfully on port ").nth(1) {
                return (driver, rest.trim_end_matches('.').to_owned());
            }
            written.push(line);
        }
    }
    panic!("chromedriver does not start: {written:?}");
}

impl Browser {
    /// Starts a browser with a window of this size, in pixels, and this colour scheme, `light` or `dark`.
    pub(crate) async fn start(width: u32, height: u32, scheme: &str) -> Self {
        let (driver, port) = start_driver().await;
        let arguments: Vec<_> = FLAGS.iter().map(|flag| json!(flag)).collect();
        let capabilities = json!({
            "acceptInsecureCerts": true,
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let Value::Object(capabilities) = capabilities else { unreachable!() };
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(Capabilities::from(capabilities));
        let client = patiently("Chromium", builder.connect(&format!("http://127.0.0.1:{port}"))).await.unwrap();
        let chromium = client
            .capabilities()
            .and_then(|found| Pid::from_raw(found.get("goog:processID")?.as_i64()?.try_into().ok()?));
        assert!(chromium.is_some(), "the driver does not name the process of its browser");
        let browser = Self { client, chromium, _driver: driver };
        browser.before_scripts(RECORDER).await;
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        browser.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        browser.devtools("Emulation.setDeviceMetricsOverride", screen).await;
        browser
    }

    /// Runs a script in every page opened from now on, before the page's own scripts.
    pub(crate) async fn before_scripts(&self, source: &str) {
        self.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": source })).await;
    }

    /// Sends a command of the Chrome debugging protocol and returns its result.
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.extension("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await.unwrap()
    }

    async fn extension(&self, path: &'static str, body: Value) -> Result<Value, CmdError> {
        patiently(path, self.client.issue_cmd(Extension(path, body))).await
    }

    /// Opens an address.
    pub(crate) async fn open(&self, address: &str) {
        patiently("the page", self.client.goto(address)).await.unwrap();
    }

    /// Returns the value of a JavaScript expression.
    pub(crate) async fn value(&self, expression: &str) -> Value {
        let script = format!("return ({expression});");
        patiently(expression, self.client.execute(&script, Vec::new())).await.unwrap()
    }

    /// Waits until a JavaScript expression is true.
    pub(crate) async fn until(&self, expression: &str) {
        let deadline = std::time::Instant::now() + PATIENCE;
        while self.value(expression).await != json!(true) {
            assert!(std::time::Instant::now() < deadline, "never true: {expression}\n{}", self.state().await);
        }
    }

    /// Clicks the element of a CSS selector. A growing page may move the element away from the pointer, whether the
    /// driver notices or not, so the click is repeated until the element has received it, or another page has opened.
    pub(crate) async fn click(&self, selector: &str) {
        let deadline = std::time::Instant::now() + PATIENCE;
        let element = self.client.find(fantoccini::Locator::Css(selector)).await.unwrap();
        let prepare = "globalThis.clicked_ = false;
            arguments[0].addEventListener('click', () => { globalThis.clicked_ = true; }, { capture: true, once: true });
            arguments[0].scrollIntoView({ block: 'center', behavior: 'instant' });";
        self.client.execute(prepare, vec![serde_json::to_value(&element).unwrap()]).await.unwrap();
        loop {
            let clicked = element.click().await;
            let is_covered = clicked.as_ref().is_err_and(|err| err.to_string().contains("element click intercepted"));
            assert!(clicked.is_ok() || is_covered, "{selector}: {clicked:?}");
            if !is_covered && self.value("globalThis.clicked_ === false").await == json!(false) {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "{selector} is always covered, or moves away");
        }
    }

    /// Moves the pointer to a place in the window.
    pub(crate) async fn point(&self, x: f64, y: f64) {
        self.devtools("Input.dispatchMouseEvent", json!({ "type": "mouseMoved", "x": x, "y": y })).await;
    }

    /// Replaces the text in a field.
    pub(crate) async fn fill(&self, selector: &str, text: &str) {
        let element = self.client.find(fantoccini::Locator::Css(selector)).await.unwrap();
        element.clear().await.unwrap();
        element.send_keys(text).await.unwrap();
    }

    /// Returns the text of the first element of a CSS selector.
    pub(crate) async fn text(&self, selector: &str) -> String {
        let text = self.value(&format!("document.querySelector({}).textContent", json!(selector))).await;
        text.as_str().unwrap().to_owned()
    }

    /// Returns the messages received since the recording began, flattened.
    pub(crate) async fn messages(&self) -> Vec<Value> {
        let frames = self.value("frames_.filter(([way]) => way === 'in').map(([, data]) => data)").await;
        let texts = frames.as_array().unwrap().iter().map(|text| text.as_str().unwrap());
        texts.flat_map(|text| serde_json::from_str::<Vec<Value>>(text).unwrap()).collect()
    }

    /// Returns the errors printed to the console since the last call.
    pub(crate) async fn console_errors(&self) -> Vec<String> {
        let entries = self.extension("se/log", json!({ "type": "browser" })).await.unwrap();
        let entries = entries.as_array().unwrap().iter();
        let severe = entries.filter(|entry| entry["level"] == "SEVERE");
        severe.map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }

    /// Takes a picture of the window, as PNG.
    pub(crate) async fn screenshot(&self) -> Vec<u8> {
        patiently("the screenshot", self.client.screenshot()).await.unwrap()
    }

    async fn state(&self) -> Value {
        self.value("[document.querySelector('#status')?.dataset.state, document.body.innerText.slice(0, 10_000)]").await
    }

    /// Ends the browser.
    pub(crate) async fn close(mut self) {
        patiently("the browser to end", self.client.clone().close()).await.unwrap();
        self.chromium = None;
    }
}
