//! The pages behind proxies and with few connections: they work below a path, name the reason why no WebSocket gets
//! through, and close connections of hidden pages.

use serde_json::json;

use super::driver::Browser;
use super::inspect::{OPEN, open_page};
use super::{CHART_IS_FULL, LAST_PRICES, LIVE, TEN_ROWS};
use crate::command::spawn_binary;
use crate::proxy::CountingProxy;

#[tokio::test]
async fn below_a_base_path_all_pages_work() {
    let server = spawn_binary(&[], &[("TICKCAST__SERVER__BASE_PATH", "/prices")]).await;
    let browser = Browser::start(1280, 800, "dark").await;
    browser.open(&format!("http://{}/prices", server.address)).await;
    for expression in [LIVE, TEN_ROWS, CHART_IS_FULL] {
        browser.until(expression).await;
    }
    browser.click("nav [href=handshake]").await;
    browser.until("location.pathname === '/prices/handshake'").await;
    browser.until(OPEN).await;
    browser.click("nav [href=compare]").await;
    browser.until("location.pathname === '/prices/compare' && document.querySelectorAll('option').length >= 10").await;
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn a_proxy_that_changes_the_host_header_is_named_as_the_reason() {
    let server = spawn_binary(&[], &[]).await;
    let proxy = CountingProxy::start_renaming(server.address).await;
    let browser = Browser::start(1280, 800, "dark").await;
    browser.open(&format!("http://{}/?lang=en", proxy.address)).await;
    browser
        .until(
            "document.querySelector('#status-label').textContent === 'WebSocket refused' && \
             document.querySelector('#status-reason').textContent.includes('may change Host')",
        )
        .await;
    // The prices come all the same, by server-sent events.
    for expression in [LIVE, TEN_ROWS, CHART_IS_FULL] {
        browser.until(expression).await;
    }
    // On a loaded machine the stream may take too long and be connected anew.
    browser.until("document.querySelector('#status-detail').textContent === 'live by server-sent events'").await;
    assert_eq!(browser.text("#status-label").await, "WebSocket refused");
    let before = browser.value(LAST_PRICES).await;
    browser
        .until(&format!("Object.entries({LAST_PRICES}).every(([symbol, last]) => last !== ({before})[symbol])"))
        .await;
    assert_eq!(browser.value("document.querySelector('#holes').dataset.count").await, json!("0"));
    browser.close().await;
}

#[tokio::test]
async fn a_hidden_handshake_page_closes_its_connections() {
    let (_server, browser) = open_page("").await;
    browser.value("(Object.defineProperty(document, 'hidden', { configurable: true, get: () => globalThis.isHidden_ }), globalThis.isHidden_ = true, document.dispatchEvent(new Event('visibilitychange')))").await;
    browser.until("document.querySelector('#socket').dataset.state === 'hidden'").await;
    browser.until("sockets_.every((socket) => socket.readyState === 3)").await;
    browser.value("(globalThis.isHidden_ = false, document.dispatchEvent(new Event('visibilitychange')))").await;
    browser.until(OPEN).await;
    // A page restored from the back/forward cache has lost its socket.
    let before = browser.value("sockets_.length").await;
    browser.value("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))").await;
    browser.until(&format!("sockets_.length > {before}")).await;
    browser.until(OPEN).await;
    assert_eq!(browser.value("sockets_.filter((socket) => socket.readyState === 1).length").await, json!(1));
    browser.close().await;
}

#[tokio::test]
async fn six_handshake_pages_leave_connections_for_a_seventh() {
    let (server, browser) = open_page("").await;
    for path in ["handshake", "handshake", "handshake", "handshake", "handshake", "handshake", ""] {
        let tab = browser.client.new_window(true).await.unwrap().handle;
        browser.client.switch_to_window(tab).await.unwrap();
        browser.open(&format!("http://{}/{path}", server.address)).await;
        browser.until(if path.is_empty() { LIVE } else { OPEN }).await;
    }
    browser.until(CHART_IS_FULL).await;
    browser.close().await;
}

#[tokio::test]
async fn six_handshake_windows_side_by_side_leave_connections_for_a_seventh() {
    let (server, browser) = open_page("").await;
    let first = browser.client.window().await.unwrap();
    for path in ["handshake", "handshake", "handshake", "handshake", "handshake", ""] {
        let window = browser.client.new_window(false).await.unwrap().handle;
        browser.client.switch_to_window(window).await.unwrap();
        browser.open(&format!("http://{}/{path}", server.address)).await;
        browser.until(if path.is_empty() { LIVE } else { OPEN }).await;
    }
    browser.until(CHART_IS_FULL).await;
    browser.client.switch_to_window(first).await.unwrap();
    assert_eq!(browser.value("document.hidden").await, false);
    browser.until("document.querySelector('#socket').dataset.state === 'shared'").await;
    browser.click("#reopen").await;
    browser.until(OPEN).await;
    browser.close().await;
}

#[tokio::test]
async fn a_handshake_page_is_live_when_the_viewer_goes_back_to_it() {
    let (server, browser) = open_page("").await;
    let listen = "(globalThis.kept_ = [], addEventListener('pageshow', ({ persisted }) => kept_.push(persisted)))";
    browser.value(listen).await;
    browser.open(&format!("http://{}/compare", server.address)).await;
    browser.client.back().await.unwrap();
    browser.until("location.pathname === '/handshake'").await;
    browser.until("globalThis.kept_?.length !== 0").await;
    // Restored by the browser (back/forward cache), not loaded again: its socket is gone.
    assert_eq!(browser.value("globalThis.kept_").await, json!([true]));
    browser.until(OPEN).await;
    browser.until("document.querySelectorAll('#frames li').length >= 2").await;
    browser.close().await;
}
