//! What the live page receives: every event of the charted symbol, and of the other rows no more than an eye can read.

use serde_json::{Value, json};

use super::driver::Browser;
use super::{CHART_IS_FULL, LIVE, TEN_ROWS};
use crate::command::spawn_binary;

/// Ten thousand trades and quotes a second.
const FAST: [(&str, &str); 1] = [("TICKCAST__FEED__EVENTS_PER_SECOND", "10000")];

/// The requests that the page has sent since the `from`th frame, each as `[action, symbols, mode, max_hz]`.
async fn requests(browser: &Browser, from: u64) -> Vec<Value> {
    let script = format!(
        "frames_.slice({from}).filter(([way]) => way === 'out').map(([, data]) => JSON.parse(data)).filter(({{ symbols }}) => symbols)
            .map(({{ action, symbols, mode = 'all', max_hz = null }}) => [action, symbols.join(), mode, max_hz])"
    );
    browser.value(&script).await.as_array().unwrap().clone()
}

#[tokio::test]
async fn rows_are_merged_at_the_chosen_rate_and_the_charted_symbol_is_whole() {
    let server = spawn_binary(&[], &FAST).await;
    let browser = Browser::start(1280, 800, "dark").await;
    browser.open(&format!("http://{}/", server.address)).await;
    for condition in [LIVE, TEN_ROWS, CHART_IS_FULL] {
        browser.until(condition).await;
    }
    let rest = "MSFT,NVDA,AMZN,GOOGL,META,TSLA,JPM,V,XOM";
    let first = requests(&browser, 0).await;
    assert!(first.contains(&json!(["subscribe", "AAPL", "all", null])), "{first:?}");
    assert!(first.contains(&json!(["subscribe", rest, "latest", 4])), "{first:?}");
    browser.until("Number(document.querySelector('#merged').dataset.count) > 500").await;
    assert_eq!(browser.value("document.querySelector('#holes').dataset.count").await, json!("0"));
    assert!(browser.messages().await.iter().all(|message| message["symbol"] != "AAPL" || message["skipped"].is_null()));
    // The figures of the day include merged trades, because fresh snapshots are fetched, and not only those of the subscriptions.
    let asked = browser.value("frames_.length").await;
    browser.until(&format!("frames_.slice({asked}).some(([way, data]) => way === 'in' && data.includes('\"type\":\"snapshot\",\"symbol\":\"XOM\"'))")).await;

    let slide = |value: u32| {
        format!(
            "(() => {{ const pace = document.querySelector('#pace'); pace.value = {value}; pace.dispatchEvent(new Event('input', {{ bubbles: true }})); }})()"
        )
    };
    let sent = browser.value("frames_.length").await.as_u64().unwrap();
    browser.value(&slide(5)).await;
    browser.until(&format!("frames_.slice({sent}).some(([way, data]) => way === 'out' && data.includes('XOM') && !data.includes('latest'))")).await;
    assert_eq!(browser.text("#pace-figure").await, "every event");
    browser.value(&slide(0)).await;
    browser
        .until(&format!(
            "frames_.slice({sent}).some(([way, data]) => way === 'out' && data.includes('\"max_hz\":0.5'))"
        ))
        .await;
    // The choice is kept, and the charted symbol has stayed as it was.
    assert!(requests(&browser, sent).await.iter().all(|request| !request[1].as_str().unwrap().contains("AAPL")));
    browser.open(&format!("http://{}/", server.address)).await;
    browser.until(TEN_ROWS).await;
    browser.until("frames_.some(([way, data]) => way === 'out' && data.includes('\"max_hz\":0.5'))").await;
    assert_eq!(browser.text("#pace-figure").await, "0.5/s");
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}
