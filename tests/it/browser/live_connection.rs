//! The connection of the live page: the page reports silence, whatever its cause, and reconnects soon.

use std::sync::atomic::Ordering::SeqCst;

use serde_json::json;

use super::driver::Browser;
use super::{CHART_IS_FULL, LIVE, TEN_ROWS, open_page};
use crate::clients::middlebox::Middlebox;
use crate::command::spawn_binary;
use crate::patience::patiently;

const STATE: &str = "document.querySelector('#status').dataset.state";

#[tokio::test]
async fn a_server_that_stands_still_is_detected_and_so_is_its_return() {
    // The server sends no heartbeats here: the page detects silence by its own pings.
    let server = spawn_binary(
        &[],
        &[("TICKCAST__SESSION__HEARTBEAT_MS", "300000"), ("TICKCAST__SESSION__IDLE_TIMEOUT_MS", "900000")],
    )
    .await;
    let browser = Browser::start(1280, 800, "dark").await;
    browser.open(&format!("http://{}/", server.address)).await;
    browser.until(LIVE).await;
    for state in ["stale", "reconnecting"] {
        server.signal("STOP").await;
        browser.until(&format!("{STATE} === '{state}'")).await;
        // Who sees the title or the large price only knows it, too.
        browser.until("document.title.startsWith('⚠ stale · AAPL ') && document.querySelector('#title-age').textContent.endsWith(' s old')").await;
        server.signal("CONT").await;
        browser.until(LIVE).await;
        let frames = browser.value("frames_.length").await;
        browser.until(&format!("frames_.length > {frames} + 20")).await;
    }
    assert_eq!(browser.value("document.querySelector('#holes').dataset.count").await, json!("0"));
    browser.close().await;
}

#[tokio::test]
async fn a_page_whose_requests_the_server_rejects_tells_the_viewer_and_stops() {
    // The request for ten rows is longer than that, so the server closes with 1009.
    let server = spawn_binary(&[], &[("TICKCAST__SESSION__MESSAGE_BYTES_MAX", "128")]).await;
    let states = [("en", "Disconnected", "rejected what this page sent"), ("ko", "연결 종료됨", "메시지를 거부함")];
    for (language, label, words) in states {
        let browser = Browser::start(390, 844, "light").await;
        browser.open(&format!("http://{}/?lang={language}", server.address)).await;
        browser.until(&format!("{STATE} === 'closed'")).await;
        let reason = browser.value("document.querySelector('#status-reason').textContent").await;
        assert!(reason.as_str().unwrap().contains(words), "{reason}");
        browser.until(&format!("document.querySelector('#status-label').textContent === '{label}'")).await;
        assert_eq!(browser.value("document.querySelector('#retry').hidden").await, json!(false));
        browser.close().await;
    }
}

#[tokio::test]
async fn a_quiet_market_is_live() {
    let server = spawn_binary(&[], &[("TICKCAST__FEED__EVENTS_PER_SECOND", "1")]).await;
    // One event in three seconds for the ten rows: the silence is often longer than the limit for "Stale".
    let browser = Browser::start(1280, 800, "light").await;
    browser.open(&format!("http://{}/", server.address)).await;
    browser.until(LIVE).await;
    browser.value(&format!("(() => {{ globalThis.states_ = []; new MutationObserver(() => states_.push({STATE})).observe(document.querySelector('#status'), {{ attributes: true }}); }})()")).await;
    browser.until("frames_.filter(([way, data]) => way === 'in' && data.includes('pong')).length > 10").await;
    assert_eq!(browser.value("states_").await, json!([]));
    browser.close().await;
}

/// Waits until the page is live and gets events, and checks that none was missing.
async fn gets_events(browser: &Browser) {
    browser.until(LIVE).await;
    let count = browser.value("Number(document.querySelector('#events').dataset.count)").await;
    browser.until(&format!("Number(document.querySelector('#events').dataset.count) > {count} + 50")).await;
    assert_eq!(browser.value("document.querySelector('#holes').dataset.count").await, json!("0"));
}

/// Sets the network of the browser: whether there is one, its delay, and its rate in each direction (-1 without a limit).
async fn network(browser: &Browser, is_offline: bool, latency_ms: u32, bytes_per_second: i32) {
    let conditions = json!({
        "offline": is_offline, "latency": latency_ms,
        "downloadThroughput": bytes_per_second, "uploadThroughput": bytes_per_second,
    });
    browser.devtools("Network.enable", json!({})).await;
    browser.devtools("Network.emulateNetworkConditions", conditions).await;
}

#[tokio::test]
async fn a_frozen_page_holds_no_connection_and_reconnects_when_it_is_thawed() {
    let (_server, browser) = open_page(1280, 800, "dark").await;
    browser.value("document.dispatchEvent(new Event('freeze'))").await;
    browser
        .until("sockets_.at(-1).readyState > 1 && document.querySelector('#status').dataset.state === 'reconnecting'")
        .await;
    browser.value("document.dispatchEvent(new Event('resume'))").await;
    browser.until(LIVE).await;
    // And now as the browser does it, which hides the page and stops its timers too.
    let sockets = browser.value("sockets_.length").await;
    browser.devtools("Page.setWebLifecycleState", json!({ "state": "frozen" })).await;
    browser.devtools("Page.setWebLifecycleState", json!({ "state": "active" })).await;
    browser.until(&format!("sockets_.length > {sockets} && sockets_.at(-2).readyState > 1")).await;
    // The emulation leaves the page hidden.
    patiently("the window to go", browser.client.minimize_window()).await.unwrap();
    patiently("the window to come", browser.client.maximize_window()).await.unwrap();
    gets_events(&browser).await;
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn a_hidden_page_updates_the_price_in_its_title_and_catches_up_when_it_is_shown() {
    let (_server, browser) = open_page(1280, 800, "dark").await;
    let own = "document.title.startsWith('AAPL ')";
    browser.until(own).await;
    patiently("the window to go", browser.client.minimize_window()).await.unwrap();
    browser.until("document.hidden").await;
    let subscriptions = "frames_.filter(([way]) => way === 'in').flatMap(([, data]) => JSON.parse(data))
        .findLast(({ type }) => type === 'subscribed').subscriptions";
    browser.until(&format!("({subscriptions}).length === 1 && ({subscriptions})[0].channels.length === 1")).await;
    let answer = browser.value(&format!("({subscriptions})[0]")).await;
    assert_eq!((&answer["symbol"], &answer["channels"]), (&json!("AAPL"), &json!(["trades"])), "{answer}");
    assert_eq!((&answer["mode"], answer["max_hz"].as_f64()), (&json!("latest"), Some(1.0)), "{answer}");
    let begin = "(() => { globalThis.from_ = frames_.length; globalThis.titles_ = new Set();
        new MutationObserver(() => titles_.add(document.title)).observe(document.querySelector('title'), { childList: true }); })()";
    browser.value(begin).await;
    browser.until("titles_.size >= 4").await;
    let events = "frames_.slice(from_).filter(([way]) => way === 'in').flatMap(([, data]) => JSON.parse(data)).filter(({ seq, type }) => seq && type !== 'snapshot')";
    let strange = format!("({events}).filter(({{ type, symbol }}) => type !== 'trade' || symbol !== 'AAPL')");
    assert_eq!(browser.value(&strange).await, json!([]));
    patiently("the window to come", browser.client.maximize_window()).await.unwrap();
    browser.until("!document.hidden").await;
    let before = browser.value(super::LAST_PRICES).await;
    browser
        .until(&format!(
            "Object.entries({}).every(([symbol, last]) => last !== ({before})[symbol])",
            super::LAST_PRICES
        ))
        .await;
    browser.until("document.querySelectorAll('#tape tbody tr:not([hidden])').length > 3").await;
    assert_eq!(browser.value("document.querySelector('#holes').dataset.count").await, json!("0"));
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn a_page_whose_connection_is_cut_resumes_where_it_was_without_snapshots() {
    let server = spawn_binary(&[], &[]).await;
    let middlebox = Middlebox::start(server.address).await;
    let browser = Browser::start(1280, 800, "dark").await;
    // A slow link and a slow processor.
    network(&browser, false, 80, 400_000).await;
    browser.devtools("Emulation.setCPUThrottlingRate", json!({ "rate": 2 })).await;
    browser.open(&format!("http://{}/?lang=en", middlebox.address)).await;
    for expression in [LIVE, TEN_ROWS, CHART_IS_FULL] {
        browser.until(expression).await;
    }
    let snapshots = "frames_.filter(([way, data]) => way === 'in' && data.includes('\"type\":\"snapshot\"')).length";
    let recovered = "frames_.filter(([way, data]) => way === 'in' && data.includes('\"recovered\":true')).length";
    gets_events(&browser).await;
    browser.devtools("Emulation.setCPUThrottlingRate", json!({ "rate": 1 })).await;
    let before = browser.value(snapshots).await;
    middlebox.cut();
    browser.until(&format!("sockets_.length === 2 && ({recovered}) >= 1 && {LIVE}")).await;
    gets_events(&browser).await;
    assert_eq!(browser.value(snapshots).await, before);
    // The emulation of a device without a network refuses new connections; it ends none.
    network(&browser, true, 0, -1).await;
    middlebox.cut();
    browser.until("document.querySelector('#status-reason').textContent === 'this device has no network'").await;
    assert_eq!(browser.value(STATE).await, json!("reconnecting"));
    network(&browser, false, 0, -1).await;
    gets_events(&browser).await;
    assert_eq!(browser.value(snapshots).await, before);
    browser.close().await;
}

#[tokio::test]
async fn a_page_behind_a_proxy_that_refuses_upgrades_and_holds_streams_is_live_by_long_polling() {
    let server = spawn_binary(&[], &[]).await;
    let middlebox = Middlebox::start(server.address).await;
    middlebox.rules.refuses_upgrades.store(true, SeqCst);
    middlebox.rules.holds_streams.store(true, SeqCst);
    let browser = Browser::start(1280, 800, "light").await;
    browser.open(&format!("http://{}/?lang=en", middlebox.address)).await;
    browser.until("document.querySelector('#status-detail').textContent === 'live by long polling'").await;
    for expression in [LIVE, TEN_ROWS, CHART_IS_FULL] {
        browser.until(expression).await;
    }
    gets_events(&browser).await;
    browser.close().await;
}
