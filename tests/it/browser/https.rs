//! The pages `/compare` and `/handshake` on a server with only HTTPS: their sockets are `wss:`.

use serde_json::json;

use super::driver::Browser;
use crate::command::{Process, spawn_binary};
use crate::secure::Pair;

async fn open_page(pair: &Pair, path: &str) -> (Process, Browser) {
    let (cert, key) = (pair.cert(), pair.key());
    let variables = [
        ("TICKCAST__SERVER__TLS__CERT", cert.as_str()),
        ("TICKCAST__SERVER__TLS__KEY", &key),
        ("TICKCAST__SERVER__TLS__ONLY", "true"),
        ("TICKCAST__HANDSHAKE__HEARTBEAT_MS", "200"),
    ];
    let server = spawn_binary(&[], &variables).await;
    let browser = Browser::start(1280, 900, "light").await;
    browser.open(&format!("https://localhost:{}{path}", server.address.port())).await;
    assert_eq!(browser.value("location.protocol").await, json!("https:"));
    (server, browser)
}

#[tokio::test]
async fn the_handshake_is_explained_over_wss_and_attempted_over_tls() {
    let pair = Pair::new("page-handshake");
    let (server, browser) = open_page(&pair, "/handshake?lang=en").await;
    browser.until("document.querySelector('#socket').dataset.state === 'open'").await;
    browser.until("document.querySelectorAll('#pong .dump').length === 1").await;
    let origin = format!("https://localhost:{}", server.address.port());
    assert_eq!(browser.text("#request [data-header=origin] .header-value").await, origin);
    let statuses = "[...document.querySelectorAll('#attempts button')].map((each) => each.dataset.status)";
    browser.until(&format!("({statuses}).join() === '426,426,400,403,101'")).await;
    assert_eq!(browser.value("document.querySelector('#attempt-tls').hidden").await, false);
    browser.click("[data-offer='tickcast.v1.json']").await;
    browser.until("document.querySelector('#chosen').dataset.outcome === 'chosen'").await;
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn the_transports_are_compared_over_wss_and_https() {
    let pair = Pair::new("page-compare");
    let (_server, browser) = open_page(&pair, "/compare?lang=en").await;
    browser.until("document.querySelector('#start') !== null && !document.querySelector('#start').disabled").await;
    let set = "(() => { const seconds = document.querySelector('#seconds'); seconds.add(new Option('4')); seconds.value = '4'; })()";
    browser.value(set).await;
    browser.click("#start").await;
    browser.until("document.querySelector('#run').dataset.state === 'done'").await;
    for transport in ["websocket", "sse", "long_poll", "short_poll"] {
        for row in ["events", "tls"] {
            let cell = format!(
                "Number(document.querySelector('[data-row={row}] [data-transport={transport}]').dataset.value)"
            );
            let value = browser.value(&cell).await;
            assert!(value.as_f64().is_some_and(|value| value > 0.0), "{row} of {transport}: {value}");
        }
    }
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}
