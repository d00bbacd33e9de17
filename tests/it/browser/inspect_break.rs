//! The page `/handshake` in a long run, and when something fails: it always reports its state.

use super::driver::Browser;
use super::inspect::{ACCEPTED, OPEN, open_page, open_page_of};
use crate::command::spawn_binary;
use crate::proxy::CountingProxy;

/// Subscribes the page's socket to everything, through the field for the viewer's own text.
async fn subscribe_to_everything(browser: &Browser) {
    browser.fill("#text", r#"{"action":"subscribe","id":9,"symbols":["*"],"channels":["trades","quotes"]}"#).await;
    browser.click("#say button").await;
}

async fn close_and_expect_both_frames(browser: &Browser) {
    browser.click("#close").await;
    browser.until("document.querySelectorAll('#close-frames .dump').length === 2").await;
    browser.until("document.querySelector('#outcome').dataset.code === '4000'").await;
}

#[actix_web::test]
async fn a_page_that_is_left_open_continues_and_shows_the_end() {
    let (server, browser) = open_page("").await;
    subscribe_to_everything(&browser).await;
    // More frames than a whole capture used to hold.
    browser.until("Number(document.querySelector('#frames button').dataset.number) > 700").await;
    let metrics = crate::http::get(server.address, "/metrics").await;
    assert!(metrics.text().contains("capture_frames_skipped_total 0\n"), "{}", metrics.text());
    browser.value("globalThis.pinged = document.querySelector('#ping .note').textContent").await;
    browser.until("document.querySelector('#ping .note').textContent !== pinged").await;
    close_and_expect_both_frames(&browser).await;
    assert_eq!(browser.value("document.querySelector('#skipped').hidden").await, true);
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn frames_that_were_left_out_are_counted_and_the_end_is_shown() {
    let (_server, browser) = open_page_of("", &[("TICKCAST__HANDSHAKE__CAPTURE_PENDING_BYTES_MAX", "1024")]).await;
    subscribe_to_everything(&browser).await;
    // The snapshots of thirty symbols are longer than the limit.
    browser.until("Number(document.querySelector('#skipped').dataset.count) >= 1").await;
    assert_eq!(browser.value("document.querySelector('#skipped').hidden").await, false);
    assert!(browser.text("#skipped-label").await.starts_with("Frames left out"));
    close_and_expect_both_frames(&browser).await;
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn a_server_that_shuts_down_is_shown_closing_and_then_as_unreachable() {
    let (server, browser) = open_page("").await;
    server.signal("TERM").await;
    assert!(server.ended().await.status.success());
    browser.until("document.querySelector('#socket').dataset.state === 'closed'").await;
    browser.until("document.querySelector('#outcome').dataset.code === '1001'").await;
    browser.until("document.querySelectorAll('#close-frames .dump').length === 2").await;
    assert!(browser.text("#close-frames h3").await.contains("server → client: code 1001"));
    browser.click("#reopen").await;
    browser.until("document.querySelector('#socket').dataset.state === 'failed'").await;
    assert!(browser.text("#socket-label").await.contains("cannot be reached"));
    browser.click("[data-case=bad_key]").await;
    browser.until("document.querySelector('#attempt-note').textContent.includes('could not show this')").await;
    assert_eq!(browser.text("#attempt-response").await, "");
    browser.close().await;
}

#[tokio::test]
async fn a_page_that_is_refused_a_session_reports_it_and_connects_later() {
    let variables = [("TICKCAST__HANDSHAKE__CAPTURES_MAX", "1")];
    let server = spawn_binary(&[], &variables).await;
    let (first, second) = (Browser::start(1280, 900, "light").await, Browser::start(1280, 900, "light").await);
    let address = format!("http://{}/handshake", server.address);
    first.open(&address).await;
    first.until(OPEN).await;
    second.open(&address).await;
    second.until("document.querySelector('#socket').dataset.state === 'busy'").await;
    first.close().await;
    second.until(OPEN).await;
    second.until("document.querySelectorAll('#frames li').length >= 2").await;
    second.close().await;
}

#[tokio::test]
async fn a_broken_capture_is_reported_and_a_new_socket_can_be_opened() {
    let server = spawn_binary(&[], &[]).await;
    let proxy = CountingProxy::start(server.address).await;
    let browser = Browser::start(1280, 900, "light").await;
    browser.open(&format!("http://{}/handshake", proxy.address)).await;
    browser.until(OPEN).await;
    browser.until(ACCEPTED).await;
    proxy.cut("/handshake/capture");
    browser.until("document.querySelector('#socket').dataset.state === 'lost'").await;
    assert_eq!(browser.text("#socket-label").await, "The server's record of this socket has ended");
    assert_eq!(browser.value("document.querySelector('#say button').disabled").await, true);
    browser.click("#reopen").await;
    browser.until(OPEN).await;
    browser.until("document.querySelectorAll('#frames li').length >= 2").await;
    browser.close().await;
}

#[tokio::test]
async fn a_refused_handshake_shows_the_servers_reason() {
    let server = spawn_binary(&[], &[]).await;
    // Behind this proxy, the page's origin differs from the host that the server sees.
    let proxy = CountingProxy::start_renaming(server.address).await;
    let browser = Browser::start(1280, 900, "light").await;
    browser.open(&format!("http://{}/handshake", proxy.address)).await;
    browser.until("document.querySelector('#socket').dataset.state === 'refused'").await;
    browser.until("document.querySelector('#outcome').dataset.code === '1006'").await;
    let reason = browser.text("#refusal").await;
    assert!(reason.starts_with("403, forbidden_origin: "), "{reason}");
    let said = browser.text("#outcome").await;
    assert!(said.contains("was never opened") && !said.contains("without a closing handshake"), "{said}");
    assert_eq!(browser.value("document.querySelector('#socket').dataset.state").await, "refused");
    browser.click("[data-offer='']").await;
    browser.until("document.querySelector('#chosen').dataset.outcome === 'refused'").await;
    assert!(browser.text("#chosen").await.contains("403, forbidden_origin"));
    browser.close().await;
}
