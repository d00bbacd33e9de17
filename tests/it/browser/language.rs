//! The switch between English and Korean in a real browser.

use serde_json::json;

use super::driver::Browser;
use super::{CHART_IS_FULL, LIVE, open_page};

const LANGUAGE: &str = "document.documentElement.lang";

async fn expect(browser: &Browser, language: &str, selector: &str, text: &str) {
    browser.until(&format!("{LANGUAGE} === '{language}'")).await;
    browser.until(&format!("document.querySelector('{selector}').textContent === '{text}'")).await;
}

#[tokio::test]
async fn the_language_is_switched_at_once_and_remembered_on_every_page() {
    let (server, browser) = open_page(1280, 800, "light").await;
    let address = format!("http://{}", server.address);
    expect(&browser, "en", "#watchlist-title", "Watchlist").await;
    browser.click("#language").await;
    expect(&browser, "ko", "#watchlist-title", "관심 종목").await;
    expect(&browser, "ko", "#status-label", "실시간").await;
    assert_eq!(browser.text("#language").await, "English");
    assert_eq!(browser.value("document.querySelector('#search').placeholder").await, "종목 추가");
    assert_eq!(
        browser.value("document.querySelector('[data-symbol=MSFT] button').getAttribute('aria-label')").await,
        "MSFT 삭제"
    );
    browser.until("document.querySelector('#rate').textContent.startsWith('초당 ')").await;
    browser.until("document.querySelector('#legend [data-part=time]').textContent.includes('월')").await;

    browser.open(&format!("{address}/handshake")).await;
    expect(&browser, "ko", "#heads-title", "1. 요청과 응답").await;
    browser.until("document.querySelector('#socket-label').textContent === '이 페이지의 소켓이 열려 있습니다'").await;
    browser.until("document.querySelector('#frames .opcode').textContent === '텍스트'").await;
    browser.click("#language").await;
    expect(&browser, "en", "#heads-title", "1. Request and response").await;
    browser.until("document.querySelector('#frames .opcode').textContent === 'text'").await;
    browser.until("document.querySelector('#frame h3').textContent.includes('client → server')").await;

    browser.open(&format!("{address}/")).await;
    browser.until(LIVE).await;
    expect(&browser, "en", "#watchlist-title", "Watchlist").await;
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn the_address_can_choose_a_language_and_the_switch_changes_the_address() {
    let (server, browser) = open_page(390, 844, "dark").await;
    browser.open(&format!("http://{}/?lang=ko", server.address)).await;
    browser.until(CHART_IS_FULL).await;
    expect(&browser, "ko", "#tape-title", "체결").await;
    browser.click("#language").await;
    expect(&browser, "en", "#tape-title", "Trades").await;
    assert_eq!(browser.value("location.search").await, "?lang=en");
    browser.open(&format!("http://{}/?lang=tlh", server.address)).await;
    expect(&browser, "en", "#tape-title", "Trades").await;
    let overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
    assert_eq!(browser.value(overflow).await, json!(0));
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}
