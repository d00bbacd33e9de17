//! The pages behind proxies, and where few connections are to be had: they work below a path, say why no WebSocket gets through,
//! and keep no connection that nobody sees.

use serde_json::json;

use super::driver::Browser;
use super::handshake::{OPEN, open_page};
use super::{CHART_IS_FULL, LIVE, TEN_ROWS};
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
async fn a_proxy_that_changes_host_is_given_as_the_reason() {
    let server = spawn_binary(&[], &[]).await;
    let proxy = CountingProxy::start_renaming(server.address).await;
    let browser = Browser::start(1280, 800, "dark").await;
    browser.open(&format!("http://{}/?lang=en", proxy.address)).await;
    browser.until("document.querySelector('#status-label').textContent === 'WebSocket refused'").await;
    let title = browser.value("document.querySelector('#status').title").await;
    assert!(title.as_str().unwrap().contains("may change Host"), "{title}");
    browser.close().await;
}

#[tokio::test]
async fn a_page_of_the_handshake_that_nobody_sees_gives_its_connections_up() {
    let (_server, browser) = open_page("").await;
    browser.value("(Object.defineProperty(document, 'hidden', { configurable: true, get: () => globalThis.isHidden_ }), globalThis.isHidden_ = true, document.dispatchEvent(new Event('visibilitychange')))").await;
    browser.until("document.querySelector('#socket').dataset.state === 'hidden'").await;
    browser.until("sockets_.every((socket) => socket.readyState === 3)").await;
    browser.value("(globalThis.isHidden_ = false, document.dispatchEvent(new Event('visibilitychange')))").await;
    browser.until(OPEN).await;
    // A page from the back/forward cache has lost its socket.
    let before = browser.value("sockets_.length").await;
    browser.value("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))").await;
    browser.until(&format!("sockets_.length > {before}")).await;
    browser.until(OPEN).await;
    assert_eq!(browser.value("sockets_.filter((socket) => socket.readyState === 1).length").await, json!(1));
    browser.close().await;
}
