//! The viewer's settings in a real browser: they take effect at once, on every page, and are kept.

use serde_json::json;

use super::driver::Browser;
use super::{CHART_IS_FULL, LIVE, TEN_ROWS, open_page};

/// The colours of a rising price and of the page's ground, as painted.
const COLOURS: &str =
    "['--up', '--page'].map((name) => getComputedStyle(document.documentElement).getPropertyValue(name))";
const SCHEME: &str = "document.documentElement.dataset.scheme";

async fn choose(browser: &Browser, field: &str, value: &str) {
    let script = format!(
        "(() => {{ const field = document.querySelector('{field}'); field.value = '{value}';
            field.dispatchEvent(new Event('change', {{ bubbles: true }})); return field.value; }})()"
    );
    assert_eq!(browser.value(&script).await, json!(value), "{field} has it");
}

/// Opens the dialog, whose script the page loads only now.
async fn open_settings(browser: &Browser) {
    browser.click("#settings-open").await;
    browser.until("document.querySelector('#settings').open").await;
}

#[tokio::test]
async fn settings_take_effect_at_once_on_every_page_and_are_kept() {
    let (server, browser) = open_page(1280, 800, "dark").await;
    let address = format!("http://{}", server.address);
    assert_eq!(browser.value(COLOURS).await, json!(["#35c795", "#080a0e"]));
    open_settings(&browser).await;
    choose(&browser, "#set-theme", "light").await;
    assert_eq!(browser.value(COLOURS).await, json!(["#08785a", "#eef0f3"]));
    choose(&browser, "#set-language", "ko").await;
    browser.until("document.querySelector('#settings-title').textContent === '설정'").await;
    assert_eq!(browser.value(COLOURS).await, json!(["#c4283a", "#eef0f3"]), "red is up in Korean");
    browser.until("document.querySelector('[data-stat=volume]').textContent.endsWith('만')").await;
    browser.until("document.querySelector('#title-name').textContent === '애플'").await;
    choose(&browser, "#set-colours", "blue-orange").await;
    choose(&browser, "#set-zone", "Asia/Seoul").await;
    browser.until("document.querySelector('#zone').textContent === '한국 시간'").await;
    browser.click("#settings-close").await;
    browser.until("!document.querySelector('#settings').open && document.activeElement.id === 'settings-open'").await;

    // Every page has the scheme before its modules run.
    browser.open(&format!("{address}/handshake")).await;
    assert_eq!(browser.value(COLOURS).await, json!(["#0b62b8", "#eef0f3"]));
    browser.until("document.documentElement.lang === 'ko'").await;

    // The address goes before the setting, and does not change it.
    browser.open(&format!("{address}/?theme=dark")).await;
    assert_eq!(browser.value(SCHEME).await, "dark");
    browser.until(LIVE).await;
    assert_eq!(browser.value(SCHEME).await, "dark");
    browser.open(&format!("{address}/")).await;
    browser.until(LIVE).await;
    assert_eq!(browser.value(SCHEME).await, "light");

    // Another tab follows.
    let first = browser.client.window().await.unwrap();
    let second = browser.client.new_window(true).await.unwrap().handle;
    browser.client.switch_to_window(second).await.unwrap();
    browser.open(&format!("{address}/")).await;
    browser.until(LIVE).await;
    open_settings(&browser).await;
    choose(&browser, "#set-theme", "dark").await;
    browser.client.switch_to_window(first).await.unwrap();
    browser.until(&format!("{SCHEME} === 'dark'")).await;
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn a_page_whose_storage_is_denied_and_whose_address_is_hostile_is_live() {
    let (server, browser) = open_page(1280, 800, "light").await;
    let denied = "Object.defineProperty(globalThis, 'localStorage', { get() { throw new DOMException('denied', 'SecurityError'); } })";
    browser.before_scripts(denied).await;
    let symbols: Vec<String> = (0..10_000).map(|number| format!("S{number}")).collect();
    let hostile = format!(
        "lang=%3Cscript%3Ealert(1)%3C/script%3E&theme=javascript:alert(1)&interval=2m&hz=-1&chart=%3Cb%3E&symbols={}",
        &symbols.join(",")[..10_000]
    );
    browser.open(&format!("http://{}/?{hostile}", server.address)).await;
    browser.until(LIVE).await;
    assert_eq!(browser.value(SCHEME).await, "light");
    assert_eq!(browser.value("document.documentElement.lang").await, "en");
    browser.open(&format!("http://{}/", server.address)).await;
    browser.until(LIVE).await;
    browser.until(TEN_ROWS).await;
    browser.until(CHART_IS_FULL).await;
    open_settings(&browser).await;
    choose(&browser, "#set-theme", "dark").await;
    assert_eq!(browser.value(SCHEME).await, "dark", "it lasts as long as the page");
    browser.until("document.querySelector('#settings-note').textContent.includes('keeps no settings')").await;
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}
