//! The viewer's list on the live page: no change by the viewer is lost to another tab, a sort, a limit, or a server
//! that does not know a symbol.

use serde_json::json;

use super::driver::Browser;
use super::{LIVE, TEN_ROWS, open_page};
use crate::command::spawn_binary;

const SHOWN: &str =
    "[...document.querySelectorAll('#watchlist tbody tr[data-symbol]')].map((row) => row.dataset.symbol).join()";
const FIRST_TEN: &str = "AAPL,MSFT,NVDA,AMZN,GOOGL,META,TSLA,JPM,V,XOM";

async fn add(browser: &Browser, symbol: &str) {
    browser.fill("#search", symbol).await;
    browser.until("document.querySelector('#search-list').children.length > 0").await;
    browser.value("document.querySelector('#search').dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }))").await;
}

/// Stores these symbols as the viewer's list, as an earlier visit would have done.
pub(super) async fn keep(browser: &Browser, symbols: &[String]) {
    let saved = json!({ "watch": symbols, "charted": symbols[0], "interval": "1m" }).to_string();
    browser.before_scripts(&format!("localStorage.setItem('tickcast.page', {})", json!(saved))).await;
}

#[tokio::test]
async fn symbols_added_in_one_tab_are_kept_by_the_other() {
    let (server, browser) = open_page(1280, 800, "dark").await;
    let first = browser.client.window().await.unwrap();
    let second = browser.client.new_window(true).await.unwrap().handle;
    browser.client.switch_to_window(second).await.unwrap();
    browser.open(&format!("http://{}/", server.address)).await;
    browser.until(TEN_ROWS).await;
    add(&browser, "wmt").await;
    let eleven = format!("{SHOWN} === '{FIRST_TEN},WMT'");
    browser.until(&eleven).await;
    browser.client.switch_to_window(first).await.unwrap();
    browser.until(&eleven).await;
    browser.click("[data-interval='5m']").await;
    browser.open(&format!("http://{}/", server.address)).await;
    browser.until(LIVE).await;
    browser.until(&eleven).await;
    assert_eq!(browser.value("document.querySelector('[aria-pressed=true]').dataset.interval").await, json!("5m"));
    browser.close().await;
}

#[tokio::test]
async fn sorting_and_removing_can_be_undone() {
    let (_server, browser) = open_page(1280, 800, "light").await;
    browser.click("[data-sort=symbol]").await;
    browser.until(&format!("{SHOWN}.startsWith('AAPL,AMZN')")).await;
    browser.click("[data-sort=symbol]").await;
    browser.until(&format!("{SHOWN}.startsWith('XOM,V')")).await;
    browser.click("[data-sort=symbol]").await;
    browser.until(&format!("{SHOWN} === '{FIRST_TEN}'")).await;
    browser.click("tr[data-symbol=NVDA] [data-action=remove]").await;
    browser.until(&format!("!{SHOWN}.includes('NVDA')")).await;
    assert_eq!(browser.text("#watchlist-note").await, "NVDA is removed.");
    browser.click("#watchlist-undo").await;
    browser.until(&format!("{SHOWN} === '{FIRST_TEN}'")).await;
    browser.until("document.querySelector('tr[data-symbol=NVDA] [data-field=last]').textContent !== '–'").await;
    assert_eq!(browser.value("document.querySelector('#watchlist-undo').hidden").await, json!(true));
    browser.close().await;
}

#[tokio::test]
async fn the_symbol_over_the_limit_is_named_and_unknown_ones_stay_listed() {
    let server = spawn_binary(&[], &[]).await;
    let browser = Browser::start(1280, 800, "dark").await;
    // This server has no generated symbols: a start without them must not remove them from the list.
    let listed: Vec<_> = ["AAPL".into()].into_iter().chain((0..4_999).map(|n| format!("SYM{n:03}"))).collect();
    keep(&browser, &listed).await;
    browser.open(&format!("http://{}/", server.address)).await;
    browser
        .until("(document.querySelector('tr[data-symbol=AAPL] [data-field=last]')?.textContent ?? '–') !== '–'")
        .await;
    browser.until("document.querySelector('tr[data-symbol=SYM007] .name').textContent.length > 5").await;
    assert_eq!(browser.text("tr[data-symbol=SYM007] .name").await, "not traded on this server");
    add(&browser, "MSFT").await;
    browser.until("document.querySelector('#watchlist-note').textContent.includes('MSFT')").await;
    let kept = "JSON.parse(localStorage.getItem('tickcast.page')).lists[0].symbols.length";
    assert_eq!(browser.value(kept).await, json!(5_000), "the list of an older page is taken over");
    assert_eq!(browser.value("document.querySelector('#watchlist').ariaRowCount").await, json!("5001"));
    assert!(browser.value("document.querySelectorAll('#watchlist tbody tr').length < 100").await == true);
    browser.close().await;
}

#[tokio::test]
async fn if_the_server_permits_fewer_symbols_the_first_ones_are_live_and_the_page_says_so() {
    let server = spawn_binary(&[], &[("TICKCAST__SESSION__SYMBOLS_MAX", "5")]).await;
    let browser = Browser::start(1280, 800, "dark").await;
    browser.open(&format!("http://{}/", server.address)).await;
    browser.until(TEN_ROWS).await;
    let live = "[...document.querySelectorAll('#watchlist [data-field=last]')].filter((cell) => cell.textContent !== '–').length === 5";
    browser.until(live).await;
    let note = "This server sends at most 5 symbols: 5 rows below them stand still.";
    assert_eq!(browser.text("#watchlist-left").await, note);
    // The charted symbol is always among the live ones.
    browser.click("tr[data-symbol=XOM] .symbol").await;
    browser.until("document.querySelector('tr[data-symbol=XOM] [data-field=last]').textContent !== '–'").await;
    assert!(browser.messages().await.iter().all(|message| message["type"] != "error"));
    browser.close().await;
}

#[tokio::test]
async fn an_open_search_lists_the_symbols_when_they_arrive() {
    let (server, browser) = open_page(1280, 800, "dark").await;
    let hold = "(() => {
        const plain = fetch;
        const held = new Promise((resolve) => { globalThis.release_ = resolve; });
        globalThis.fetch = async (...rest) => {
            if (`${rest[0]}`.includes('api/v1/symbols')) await held;
            return plain(...rest);
        };
    })()";
    browser.before_scripts(hold).await;
    browser.open(&format!("http://{}/?lang=en", server.address)).await;
    browser.until(LIVE).await;
    browser.fill("#search", "coca").await;
    browser
        .until("document.querySelector('#search-list .none')?.textContent === 'The symbol list is not loaded yet'")
        .await;
    browser.value("release_()").await;
    browser.until("document.querySelector('#search-list [aria-selected=true]')?.dataset.symbol === 'KO'").await;
    browser.close().await;
}

#[tokio::test]
async fn the_enter_that_ends_a_composition_chooses_nothing() {
    let (server, browser) = open_page(1280, 800, "light").await;
    browser.open(&format!("http://{}/?lang=ko", server.address)).await;
    browser.until(TEN_ROWS).await;
    browser.click("#search").await;
    // Like an input method: the text is marked while it is composed, and keys are reported as 229.
    let composed = json!({ "text": "필수소비재", "selectionStart": 5, "selectionEnd": 5 });
    browser.devtools("Input.imeSetComposition", composed).await;
    let option = "document.querySelector('#search-list [aria-selected=true]')?.dataset.symbol ?? ''";
    browser.until(&format!("({option}) !== ''")).await;
    let chosen = browser.value(option).await;
    let chosen = chosen.as_str().unwrap();
    let listens = "document.addEventListener('keydown', ({ key, isComposing, keyCode }) => {
        (globalThis.keys_ ??= []).push([key, isComposing, keyCode]);
    })";
    browser.value(listens).await;
    let enter = async |code: u32| {
        for kind in ["rawKeyDown", "keyUp"] {
            let key = json!({ "type": kind, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": code });
            browser.devtools("Input.dispatchKeyEvent", key).await;
        }
    };
    enter(229).await;
    browser.devtools("Input.insertText", json!({ "text": "필수소비재" })).await;
    // Safari sends this key after the composition has ended.
    enter(229).await;
    assert_eq!(browser.value("keys_").await, json!([["Enter", true, 229], ["Enter", false, 229]]));
    assert_eq!(browser.value(SHOWN).await, json!(FIRST_TEN), "no Enter has chosen yet");
    assert_eq!(browser.value("document.querySelector('#search').value").await, json!("필수소비재"));
    enter(13).await;
    browser.until(&format!("{SHOWN} === '{FIRST_TEN},{chosen}'")).await;
    browser.close().await;
}

#[tokio::test]
async fn a_row_that_falls_silent_is_marked_with_its_age_until_its_symbol_is_heard_again() {
    let server = spawn_binary(&[], &[]).await;
    let browser = Browser::start(1280, 800, "light").await;
    // Takes the messages of one symbol from what the page receives.
    let mute = "(() => {
        const { get } = Object.getOwnPropertyDescriptor(MessageEvent.prototype, 'data');
        Object.defineProperty(MessageEvent.prototype, 'data', { get() {
            const data = get.call(this);
            return globalThis.mute_ && typeof data === 'string' ? JSON.stringify(JSON.parse(data).filter(({ symbol }) => symbol !== mute_)) : data;
        } });
    })();";
    browser.before_scripts(mute).await;
    browser.open(&format!("http://{}/", server.address)).await;
    browser.until(LIVE).await;
    browser.until(TEN_ROWS).await;
    browser.until("/[0-9]/.test(document.querySelector('tr[data-symbol=MSFT] [data-field=last]').textContent)").await;
    browser.value("globalThis.mute_ = 'MSFT'").await;
    let old =
        "[...document.querySelectorAll('#watchlist tr[data-old=old]')].map(({ dataset }) => dataset.symbol).join()";
    browser.until(&format!("{old} === 'MSFT'")).await;
    let age = "Number(document.querySelector('tr[data-symbol=MSFT] .age').textContent.match(/^([0-9]+) s old$/)[1])";
    browser.value(&format!("globalThis.age_ = {age}")).await;
    browser.until(&format!("{age} > age_ && age_ >= 10")).await;
    assert_eq!(browser.value("document.querySelector('#status').dataset.state").await, "live", "the others go on");
    browser.value("globalThis.mute_ = ''").await;
    browser.until(&format!("{old} === ''")).await;
    browser.close().await;
}
