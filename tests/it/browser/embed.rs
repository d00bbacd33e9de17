//! The ticker for frames of other sites, `/embed`.

use serde_json::json;

use super::driver::Browser;
use crate::command::spawn_binary;

#[tokio::test]
async fn the_embedded_ticker_is_live_switches_its_line_and_is_light() {
    let server = spawn_binary(&[], &[]).await;
    let browser = Browser::start(420, 240, "light").await;
    browser.open(&format!("http://{}/embed?symbol=aapl,MSFT,%3Cb%3E,NONE&lang=en&theme=dark", server.address)).await;
    browser.until("document.querySelector('#state').dataset.state === 'live'").await;
    browser.until("Number(document.querySelector('#chart').dataset.bars) > 90").await;
    assert_eq!(
        browser.value("[...document.querySelectorAll('#tape li')].map(({ dataset }) => dataset.symbol)").await,
        json!(["AAPL", "MSFT", "NONE"]),
        "well-formed symbols"
    );
    browser.value("globalThis.last_ = document.querySelector('#tape .last').textContent").await;
    browser.until("document.querySelector('#tape .last').textContent !== last_").await;
    assert_eq!(browser.value("document.documentElement.dataset.scheme").await, "dark");

    browser.click("#tape li[data-symbol='MSFT'] button").await;
    browser.until("document.querySelector('#chart').dataset.symbol === 'MSFT'").await;
    assert_eq!(browser.value("document.querySelector('#more').getAttribute('href')").await, "./?chart=MSFT");
    browser.click("#tape li[data-symbol='NONE'] button").await;
    browser.until("document.querySelector('#message').textContent === 'The server does not trade NONE.'").await;
    assert_eq!(browser.value("document.querySelector('#chart').dataset.symbol").await, "");

    let overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
    assert_eq!(browser.value(overflow).await, 0);
    // Compressed, without the answers of the API.
    let bytes = "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
        .filter(({ name }) => !name.includes('/api/')).reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)";
    let bytes = browser.value(bytes).await.as_u64().unwrap();
    assert!((10_000..40_000).contains(&bytes), "{bytes} bytes");
    browser.close().await;
}
