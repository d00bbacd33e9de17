//! The page `/compare` of a replay: it says that the prices are replayed, and measures by the times at which events are due.

use serde_json::{Value, json};

use super::access::{AXE, violations};
use super::compare::{CATCH, DONE, TRANSPORTS, downloaded};
use super::driver::Browser;
use super::replay::serve;

/// A latency beyond this, in microseconds, is none: a time was converted at another speed, or a pause was counted.
const LATENCY_MAX: f64 = 10_000_000.0;
/// A latency below this is none either: the clocks of one machine do not differ so much.
const LATENCY_MIN: f64 = -250_000.0;

async fn order(browser: &Browser, order: &str) {
    let status = browser
        .value(&format!("fetch('api/v1/feed/{order}', {{ method: 'POST' }}).then((answer) => answer.status)"))
        .await;
    assert_eq!(status, 200, "{order}");
}

async fn until_events(browser: &Browser, least: u32) {
    for transport in TRANSPORTS {
        let cell = format!("document.querySelector('[data-row=events] [data-transport={transport}]')");
        browser.until(&format!("Number({cell}.dataset.value) >= {least}")).await;
    }
}

async fn until_note(browser: &Browser, part: &str) {
    browser.until(&format!("document.querySelector('#feed').textContent.includes('{part}')")).await;
}

/// Checks the latency of each event that counts; returns how many there are.
fn check_latencies(data: &Value) -> usize {
    let mut counted = 0;
    for transport in TRANSPORTS {
        for record in data["transports"][transport]["records"].as_array().unwrap() {
            let latency = record["latency_us"].as_f64().unwrap();
            if record["counted"] == true {
                assert!((LATENCY_MIN..LATENCY_MAX).contains(&latency), "{transport}: {record}");
                counted += 1;
            }
        }
    }
    counted
}

#[tokio::test]
async fn a_replay_is_named_and_measured_at_any_pace_in_either_language() {
    let axe = std::fs::read_to_string(AXE).unwrap();
    for (language, width, more, says, changed, paused) in [
        (
            "en",
            1280,
            &["--original-time"][..],
            "replays SPY-minutes.csv.gz at speed 60×",
            "changed its pace in this run",
            "and pauses",
        ),
        ("ko", 390, &[], "SPY-minutes.csv.gz을(를) 60× 속도로 재생합니다", "재생 속도가 바뀌었습니다", "멈추었습니다"),
    ] {
        let server = serve(&[&["--speed", "60"], more].concat()).await;
        let browser = Browser::start(width, 900, "light").await;
        browser.open(&format!("http://{}/compare?lang={language}", server.address)).await;
        until_note(&browser, says).await;
        browser.until("document.querySelector('#symbols').value === 'SPY'").await;
        browser.value(CATCH).await;
        browser.value("document.querySelector('#seconds').value = '600'").await;
        browser.click("#start").await;
        until_events(&browser, 4).await;
        assert!(!browser.text("#feed").await.contains(changed));
        order(&browser, "speed?x=1000").await;
        until_note(&browser, "1000×").await;
        until_note(&browser, changed).await;
        until_events(&browser, 100).await;
        order(&browser, "pause").await;
        until_note(&browser, paused).await;
        order(&browser, "resume").await;
        until_note(&browser, "1000×").await;
        until_events(&browser, 200).await;
        browser.click("#stop").await;
        browser.until(DONE).await;

        let data: Value = serde_json::from_str(&downloaded(&browser, "#json", "application/json").await).unwrap();
        assert_eq!((&data["replay"]["files"], &data["failures"]), (&json!(["SPY-minutes.csv.gz"]), &json!({})));
        let counted = check_latencies(&data);
        assert!(counted > 100, "{counted} latencies");
        for phrase in ["#feed", "#run", "#source", "#summary", "#headline"] {
            let text = browser.text(phrase).await;
            let text = text.to_lowercase();
            let is_called_live =
                text.split(|c: char| !c.is_alphabetic()).any(|word| word == "live") || text.contains("실시간");
            assert!(!is_called_live, "{phrase}: {text}");
        }
        assert_eq!(violations(&browser, &axe).await, json!([]), "{language}");
        let overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert_eq!(browser.value(overflow).await, json!(0), "{language}: no sideways scrolling");
        assert_eq!(browser.console_errors().await, [""; 0], "{language}");
        browser.close().await;
    }
}

#[tokio::test]
async fn as_fast_as_it_can_a_replay_has_no_latency() {
    let server = serve(&["--paused", "--lossless"]).await;
    let browser = Browser::start(1280, 900, "dark").await;
    browser.open(&format!("http://{}/compare?lang=en", server.address)).await;
    until_note(&browser, "and pauses. Nothing comes until it goes on.").await;
    browser.value(CATCH).await;
    browser.click("#start").await;
    browser.until("document.querySelector('#run').dataset.state === 'running'").await;
    order(&browser, "speed?x=max").await;
    order(&browser, "resume").await;
    until_events(&browser, 1_000).await;
    until_note(&browser, "to the end. Nothing comes any more.").await;
    browser.click("#stop").await;
    browser.until(DONE).await;
    let data: Value = serde_json::from_str(&downloaded(&browser, "#json", "application/json").await).unwrap();
    assert_eq!(check_latencies(&data), 0);
    assert_eq!(browser.text("[data-row=p50] [data-transport=websocket]").await, "–");
    browser.close().await;
}
