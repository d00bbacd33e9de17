//! The pages in a real browser; this file tests the live page.

mod access;
mod admin;
mod compare;
mod compare_break;
mod compare_replay;
pub(crate) mod driver;
mod embed;
mod event_source;
mod inspect;
mod inspect_break;
mod https;
mod language;
mod live_address;
mod live_chart;
mod live_charts;
mod live_connection;
mod live_day;
mod live_layout;
mod live_list;
mod live_midnight;
mod live_settings;
mod live_tape;
mod live_watchlist;
mod live_wire;
mod policy;
mod replay;
mod signin;

use serde_json::json;

use crate::command::{Process, spawn_binary};
use crate::secure::Pair;
use driver::Browser;

const LIVE: &str = "document.querySelector('#status')?.dataset.state === 'live'";
const TEN_ROWS: &str = "document.querySelectorAll('#watchlist tbody tr[data-symbol]').length === 10";
const CHART_IS_FULL: &str = "Number(document.querySelector('#chart').dataset.bars) > 300";
/// The prices in the rows.
const LAST_PRICES: &str = "Object.fromEntries([...document.querySelectorAll('#watchlist tbody tr[data-symbol]')]
    .map((row) => [row.dataset.symbol, row.querySelector('[data-field=last]').textContent]))";

async fn open_page(width: u32, height: u32, scheme: &str) -> (Process, Browser) {
    let server = spawn_binary(&[], &[]).await;
    let browser = Browser::start(width, height, scheme).await;
    browser.open(&format!("http://{}/", server.address)).await;
    browser.until(LIVE).await;
    browser.until(TEN_ROWS).await;
    browser.until(CHART_IS_FULL).await;
    (server, browser)
}

#[tokio::test]
async fn ten_rows_change_their_prices_without_any_http_request_after_load() {
    let (_server, browser) = open_page(1280, 800, "dark").await;
    // Each row asks once for the bars of its sparkline.
    browser
        .until("performance.getEntriesByType('resource').filter(({ name }) => name.includes('interval=15m')).length === 10")
        .await;
    let requests = browser.value("performance.getEntriesByType('resource').length").await;
    browser.value(&format!("globalThis.before = {LAST_PRICES}")).await;
    browser.until(&format!("Object.entries({LAST_PRICES}).every(([symbol, last]) => last !== before[symbol])")).await;
    // The tint of a changed price fades, in the frames in which figures are painted: animations would cost frames of their own.
    for step in ["3", "1", ""] {
        browser.until(&format!("!!document.querySelector('#watchlist [data-tint=\"{step}\"]')")).await;
    }
    assert_eq!(browser.value("document.getAnimations().length").await, json!(0));
    assert_eq!(browser.value("performance.getEntriesByType('resource').length").await, requests);
    assert_eq!(browser.value("document.querySelector('#holes').dataset.count").await, json!("0"));
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn over_https_the_page_is_live_on_wss() {
    let pair = Pair::new("page");
    let (cert, key) = (pair.cert(), pair.key());
    let variables = [
        ("TICKCAST__SERVER__TLS__CERT", cert.as_str()),
        ("TICKCAST__SERVER__TLS__KEY", &key),
        // Without HTTP, a live page must use wss.
        ("TICKCAST__SERVER__TLS__ONLY", "true"),
    ];
    let server = spawn_binary(&[], &variables).await;
    let browser = Browser::start(1280, 800, "light").await;
    browser.open(&format!("https://localhost:{}/", server.address.port())).await;
    browser.until(LIVE).await;
    browser.until(TEN_ROWS).await;
    assert_eq!(browser.value("location.protocol").await, json!("https:"));
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn removing_a_symbol_stops_its_events_and_adding_one_starts_them() {
    let (_server, browser) = open_page(1280, 800, "light").await;
    browser.click("#watchlist tr[data-symbol='MSFT'] button[data-action='remove']").await;
    browser.until("!document.querySelector('#watchlist tr[data-symbol=MSFT]')").await;
    let answered = "frames_.findLastIndex(([way, data]) => way === 'in' && data.includes('\"type\":\"subscribed\"') \
                    && !data.includes('\"symbol\":\"MSFT\",\"channels\"'))";
    browser.until(&format!("{answered} >= 0")).await;
    let others =
        format!("frames_.slice({answered} + 1).filter(([way, data]) => way === 'in' && data.includes('trade'))");
    browser.until(&format!("{others}.length >= 40")).await;
    let after = format!("frames_.slice({answered} + 1).filter(([way, data]) => way === 'in' && data.includes('MSFT'))");
    assert_eq!(browser.value(&format!("{after}.length")).await, json!(0), "nothing of it follows the answer");

    let search = browser.client.find(fantoccini::Locator::Css("#search")).await.unwrap();
    search.send_keys("KO").await.unwrap();
    browser.until("!!document.querySelector('#search-list li[role=option][data-symbol=KO]')").await;
    browser.click("#search-list li[data-symbol='KO']").await;
    browser.until("!!document.querySelector('#watchlist tr[data-symbol=KO]')").await;
    let messages = "frames_.some(([way, data]) => way === 'in' && /\"type\":\"trade\",\"symbol\":\"KO\"/.test(data))";
    browser.until(messages).await;
    assert_eq!(
        browser.value("frames_.filter(([way, data]) => way === 'out' && /KO/.test(data)).length >= 1").await,
        true
    );
    assert!(browser.messages().await.iter().all(|message| message["type"] != "error"));
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn a_click_charts_another_symbol_and_interval() {
    let (_server, browser) = open_page(1280, 800, "dark").await;
    browser.click("#watchlist tr[data-symbol='TSLA'] [data-field='last']").await;
    for interval in ["1s", "5m", "1d"] {
        browser.click(&format!("#timeframes button[data-interval='{interval}']")).await;
        let drawn = format!("document.querySelector('#chart').dataset.interval === '{interval}'");
        browser.until(&drawn).await;
        browser.until("document.querySelector('#chart').dataset.symbol === 'TSLA'").await;
        browser.until("Number(document.querySelector('#chart').dataset.bars) > 100").await;
    }
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn a_page_whose_server_ends_says_so_and_reconnects_without_a_reload() {
    let (server, browser) = open_page(1280, 800, "dark").await;
    browser.value("globalThis.stillHere = true").await;
    let port = server.address.port().to_string();
    server.signal("TERM").await;
    assert!(server.ended().await.status.success());
    browser.until("document.querySelector('#status').dataset.state === 'reconnecting'").await;
    let server = spawn_binary(&["--port", &port], &[]).await;
    assert_eq!(server.address.port().to_string(), port);
    browser.until(LIVE).await;
    let count = browser.value("Number(document.querySelector('#events').dataset.count)").await;
    browser.until(&format!("Number(document.querySelector('#events').dataset.count) > {count} + 20")).await;
    browser.until(CHART_IS_FULL).await;
    assert_eq!(browser.value("globalThis.stillHere === true").await, true, "it was not reloaded");
    assert_eq!(browser.value("document.querySelector('#holes').dataset.count").await, json!("0"));
    let errors = browser.console_errors().await;
    let refused =
        |error: &String| error.contains("ERR_CONNECTION_REFUSED") || error.contains("WebSocket connection to");
    assert!(errors.iter().all(refused), "nothing but the browser's own report of a refused connection: {errors:?}");
    browser.close().await;
}

#[tokio::test]
async fn nothing_overlaps_or_is_cut_off_at_any_width() {
    for (width, height) in [(1280, 800), (390, 844)] {
        for scheme in ["dark", "light"] {
            let (_server, browser) = open_page(width, height, scheme).await;
            browser.until("document.querySelectorAll('#tape tbody tr:not([hidden])').length === 40").await;
            let overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
            assert_eq!(browser.value(overflow).await, json!(0), "{width} {scheme}: no sideways scrolling");
            assert_eq!(browser.value(CUT).await, json!([]), "{width} {scheme}");
            assert_eq!(browser.value(UNEVEN).await, json!([]), "{width} {scheme}");
            assert_eq!(browser.value(OVERLAPPING).await, json!([]), "{width} {scheme}");
            browser.close().await;
        }
    }
}

/// Figures whose text does not fit into their cell.
const CUT: &str = "[...document.querySelectorAll('#watchlist [data-field], #status, #title-last, #rate, #latency')]
    .filter((cell) => cell.offsetParent && cell.scrollWidth > cell.clientWidth + 1).map((cell) => cell.outerHTML)";
/// Figures whose digits differ in width, so that they would jump as they change.
const UNEVEN: &str = "[...document.querySelectorAll('#watchlist [data-field], #tape td, #board [data-board], #stats dd, #title-last, #rate, #latency')]
    .filter((cell) => !getComputedStyle(cell).fontVariantNumeric.includes('tabular-nums')).map((cell) => cell.outerHTML)";
/// Pairs of neighbouring cells, or of the page's regions, that overlap.
const OVERLAPPING: &str = "(() => {
    const groups = [[...document.querySelectorAll('main > *, header, footer')],
        ...[...document.querySelectorAll('#watchlist tr')].map((row) => [...row.cells])];
    const hit = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
    return groups.flatMap((group) => {
        const boxes = group.filter((each) => each.offsetParent).map((each) => each.getBoundingClientRect());
        return boxes.flatMap((a, i) => boxes.slice(i + 1).filter((b) => hit(a, b)).map((b) => [a, b]));
    });
})()";
