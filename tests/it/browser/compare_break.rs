//! The page `/compare` when connections, the server, or only its answers fail during a run.

use serde_json::{Value, json};

use super::compare::{DONE, TRANSPORTS, figure};
use super::driver::Browser;
use super::event_source::Proxy;
use crate::command::{Process, spawn_binary};
use crate::keyring::{KeyRing, WIDE, secret, two_keys};

/// The text about the state of a transport.
fn fate(transport: &str) -> String {
    format!("document.querySelector('#failures [data-transport={transport}]').textContent")
}

async fn start_run(address: std::net::SocketAddr) -> Browser {
    start_run_after("", address).await
}

/// Begins a run on a page before whose scripts this one runs.
async fn start_run_after(script: &str, address: std::net::SocketAddr) -> Browser {
    let browser = Browser::start(1280, 900, "light").await;
    browser.before_scripts(script).await;
    browser.open(&format!("http://{address}/compare?lang=en")).await;
    browser.until("document.querySelector('#run').textContent === 'Ready'").await;
    browser.value("document.querySelector('#seconds').value = '600'").await;
    browser.click("#start").await;
    more_events(&browser).await;
    browser
}

/// Waits until every transport has received more events than now.
async fn more_events(browser: &Browser) {
    for transport in TRANSPORTS {
        let events =
            format!("Number(document.querySelector('[data-row=events] [data-transport={transport}]').dataset.value)");
        let now = browser.value(&events).await.as_f64().unwrap_or(0.0);
        browser.until(&format!("{events} > {now} + 20")).await;
    }
}

async fn stop(browser: &Browser) -> String {
    browser.click("#stop").await;
    browser.until(DONE).await;
    browser.text("#summary").await
}

#[tokio::test]
async fn all_columns_continue_after_connections_were_cut_and_nothing_is_missing() {
    let server = spawn_binary(&[], &[]).await;
    let proxy = Proxy::start(server.address).await;
    let browser = start_run(proxy.address).await;
    cut_twice(&browser, &proxy).await;
    browser.close().await;
}

#[tokio::test]
async fn with_a_key_each_new_connection_gets_a_ticket_of_its_own_and_nothing_is_missing() {
    let ring = KeyRing::new(&two_keys());
    let keys = [("TICKCAST__AUTH__KEYS_FILE", ring.path.to_str().unwrap()), ("TICKCAST__AUTH__REQUIRED", "true")];
    let server = spawn_binary(&[], &keys).await;
    let proxy = Proxy::start(server.address).await;
    let script = format!(
        "if (location.protocol === 'http:') sessionStorage.setItem('tickcast.key', '{}');
        globalThis.streams_ = [];
        globalThis.EventSource = class extends EventSource {{
            constructor(url) {{ super(url); streams_.push(new URL(url, location.href).searchParams.get('ticket')); }}
        }};",
        secret(WIDE)
    );
    let browser = start_run_after(&script, proxy.address).await;
    cut_twice(&browser, &proxy).await;
    // An `EventSource` that comes back by itself shows the ticket that it has used.
    let are_fresh =
        "new Set(streams_).size === streams_.length && streams_.every((ticket) => ticket.startsWith('tct_'))";
    assert_eq!(browser.value(&format!("streams_.length >= 3 && {are_fresh}")).await, true);
    browser.close().await;
}

/// Cuts the connections of a run twice: every transport goes on, and nothing is missing.
async fn cut_twice(browser: &Browser, proxy: &Proxy) {
    for cut in 1..=2 {
        proxy.cut();
        // A browser repeats a request whose connection broke, so that a poll may not notice.
        for transport in ["websocket", "sse"] {
            let row = "document.querySelector('[data-row=reconnected]";
            browser.until(&format!("Number({row} [data-transport={transport}]').dataset.value) >= {cut}")).await;
        }
        more_events(browser).await;
    }
    let summary = stop(browser).await;
    assert!(summary.contains("All four have delivered the same"), "{summary}");
    assert!(summary.contains("Reconnects after a break: WebSocket "), "{summary}");
    for transport in TRANSPORTS {
        assert!(figure(browser, "missed", transport).await < 1.0, "{transport}");
        assert_eq!(browser.value(&fate(transport)).await, json!(""), "{transport}");
    }
}

#[tokio::test]
async fn all_columns_continue_after_a_restart_of_the_server_and_name_what_is_unknown() {
    let server = spawn_binary(&[], &[]).await;
    let port = server.address.port().to_string();
    let browser = start_run(server.address).await;
    let requests = figure(&browser, "requests", "short_poll").await;
    end(server).await;
    for transport in TRANSPORTS {
        browser.until(&format!("{}.startsWith('reconnecting: ')", fate(transport))).await;
    }
    let _server = spawn_binary(&["--port", &port], &[]).await;
    for transport in TRANSPORTS {
        browser.until(&format!("{}.startsWith('void cursor at ')", fate(transport))).await;
    }
    more_events(&browser).await;
    let summary = stop(&browser).await;
    assert!(summary.contains("the number of lost events is unknown: WebSocket at "), "{summary}");
    assert!(!summary.contains("All four"), "{summary}");
    assert_eq!(
        browser.value("[...document.querySelectorAll('#json, #csv')].some((each) => each.disabled)").await,
        false
    );
    for transport in TRANSPORTS {
        assert!(figure(&browser, "reconnected", transport).await > 0.0, "{transport}");
        assert!(figure(&browser, "missed", transport).await < 1.0, "{transport}");
    }
    assert!(figure(&browser, "requests", "short_poll").await > requests, "the costs of both servers add up");
    assert!(figure(&browser, "requests", "websocket").await > 1.5);
    browser.close().await;
}

#[tokio::test]
async fn a_run_whose_server_stays_down_ends_and_can_be_downloaded() {
    let server = spawn_binary(&[], &[]).await;
    let browser = start_run(server.address).await;
    end(server).await;
    for transport in TRANSPORTS {
        browser.until(&format!("{}.startsWith('reconnecting: ')", fate(transport))).await;
    }
    let summary = stop(&browser).await;
    assert!(summary.contains("left out of the comparison below: WebSocket at "), "{summary}");
    assert!(summary.ends_with("Nothing is left to compare."), "{summary}");
    assert!(browser.value(&fate("sse")).await.as_str().unwrap().starts_with("broken off at "));
    assert_eq!(
        browser.value("[...document.querySelectorAll('#json, #csv')].some((each) => each.disabled)").await,
        false
    );
    assert!(figure(&browser, "down", "websocket").await > 0.0, "the last figures stay");
    browser.close().await;
}

#[tokio::test]
async fn a_run_can_be_stopped_while_the_server_does_not_answer() {
    let server = spawn_binary(&[], &[]).await;
    let browser = start_run(server.address).await;
    browser.value("Object.defineProperty(document, 'hidden', { configurable: true, value: true })").await;
    browser.value("document.dispatchEvent(new Event('visibilitychange'))").await;
    browser.value("delete document.hidden").await;
    server.signal("STOP").await;
    stop(&browser).await;
    assert_eq!(browser.value("document.querySelector('#hidden').hidden").await, json!(false), "seen between samples");

    browser.click("#start").await;
    browser.until("document.querySelector('#run').dataset.state === 'starting'").await;
    browser.click("#stop").await;
    browser.until("document.querySelector('#run').textContent === 'Ready'").await;
    server.signal("CONT").await;
    assert_eq!(heard(&browser).await, json!(["Ready", ""]));
    browser.close().await;
}

/// Returns the texts of the run that screen readers announce, and those that are hidden from them.
async fn heard(browser: &Browser) -> Value {
    browser
        .value(
            "[...document.querySelectorAll('#run [role=status], #run [aria-hidden]')].map((each) => each.textContent)",
        )
        .await
}

async fn end(server: Process) {
    server.signal("TERM").await;
    assert!(server.ended().await.status.success());
}
