//! The live page of a replay: its bar, and that nothing on the page calls it live.

use fantoccini::Locator;
use fantoccini::key::Key;
use serde_json::json;

use super::access::{AXE, violations};
use super::driver::Browser;
use super::{LIVE, TEN_ROWS};
use crate::command::{Process, spawn_binary};

/// Minute bars of four days, without quotes.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/crates/tape/fixtures/SPY-minutes.csv.gz");
const BARS: &str = "Number(document.querySelector('#chart').dataset.bars)";
const CLOCK: &str = "document.querySelector('.replay-clock').textContent";
/// Everything that the page says, shown or spoken.
const WORDS: &str = "[document.title, document.body.textContent, ...[...document.querySelectorAll('*')]
    .flatMap((each) => ['title', 'aria-label', 'aria-valuetext', 'placeholder', 'aria-description'].map((name) => each.getAttribute(name) ?? ''))].join('\\n')";
/// The words for what a replay is not.
const IS_CALLED_LIVE: &str = "/\\blive\\b|실시간/i";

pub(super) async fn serve(more: &[&str]) -> Process {
    let arguments = ["replay", FILE, "--tz", "America/New_York", "--symbol", "SPY", "--gap-max", "2s"];
    spawn_binary(&[&arguments, more].concat(), &[]).await
}

/// Opens the live page, and keeps the states of its badge in `states_`.
async fn open(server: &Process, width: u32, language: &str) -> Browser {
    let browser = Browser::start(width, 844, if language == "ko" { "dark" } else { "light" }).await;
    browser.open(&format!("http://{}/?lang={language}&symbols=SPY", server.address)).await;
    browser.until(LIVE).await;
    browser.until("document.querySelector('#replay')?.checkVisibility() === true").await;
    let record = "(() => {
        globalThis.states_ = [];
        const status = document.querySelector('#status');
        new MutationObserver(() => states_.push(status.dataset.state)).observe(status, { attributes: true, attributeFilter: ['data-state'] });
    })()";
    browser.value(record).await;
    browser
}

async fn until_state(browser: &Browser, state: &str) {
    browser.until(&format!("document.querySelector('#replay').dataset.state === '{state}'")).await;
}

async fn press(browser: &Browser, key: Key) {
    let slider = browser.client.find(Locator::Css("#replay-slider")).await.unwrap();
    slider.send_keys(&char::from(key).to_string()).await.unwrap();
}

async fn assert_sound(browser: &Browser, name: &str) {
    assert_eq!(browser.value(&format!("({WORDS}).match({IS_CALLED_LIVE})")).await, json!(null), "{name}");
    assert_eq!(
        browser.value("document.body.innerText.match(/NaN|undefined|Infinity|null/)").await,
        json!(null),
        "{name}"
    );
    let overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
    assert_eq!(browser.value(overflow).await, json!(0), "{name}: no sideways scrolling");
    assert_eq!(browser.value("violations_").await, json!([]), "{name}");
    assert_eq!(browser.console_errors().await, [""; 0], "{name}");
}

/// Waits until the page has asked for the state twice more.
async fn look_twice(browser: &Browser) {
    let asked = "performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('/api/v1/feed')).length";
    let before = browser.value(asked).await;
    browser.until(&format!("{asked} >= {before} + 2")).await;
}

#[tokio::test]
async fn a_replay_is_paused_stepped_sped_up_and_sought_and_never_called_live() {
    let axe = std::fs::read_to_string(AXE).unwrap();
    // With the times of the files the market goes back; without, it goes on with the bars of before.
    for (language, width, badge, more) in
        [("en", 1280, "Replay", &["--speed", "60", "--original-time"][..]), ("ko", 390, "재생", &["--speed", "60"])]
    {
        let server = serve(more).await;
        let browser = open(&server, width, language).await;
        browser.until(&format!("{BARS} > 2")).await;
        assert_eq!(browser.text("#status-label").await, badge);
        browser.until(&format!("document.title.startsWith('{badge} · SPY ')")).await;
        assert_eq!(browser.text("#replay-files").await, "SPY-minutes.csv.gz");
        for absent in ["#stats [data-stat=bid]", "#board [data-board=ask]", "#stats [data-stat=prev_close]"] {
            assert_eq!(browser.text(absent).await, "–", "{absent}");
        }
        assert_eq!(violations(&browser, &axe).await, json!([]), "{language}");

        browser.click("#replay-pause").await;
        until_state(&browser, "paused").await;
        look_twice(&browser).await;
        let paused = browser.value(CLOCK).await;
        look_twice(&browser).await;
        assert_eq!(browser.value(CLOCK).await, paused, "{language}: it stands still");
        assert_sound(&browser, &format!("{language}, paused")).await;

        browser.click("#replay-step").await;
        browser.until(&format!("{CLOCK} !== {paused}")).await;
        let stepped = browser.value("fetch('api/v1/feed').then((answer) => answer.json())").await;
        // A minute is four trades, and a bar of each second with one.
        let long = "document.querySelector('#replay-step').dispatchEvent(new MouseEvent('click', { shiftKey: true, bubbles: true }))";
        browser.value(long).await;
        let ten_minutes_later = stepped["file_ts"].as_i64().unwrap() + 600_000_000;
        browser
            .until(&format!("fetch('api/v1/feed').then((answer) => answer.json()).then(({{ file_ts }}) => file_ts > {ten_minutes_later})"))
            .await;

        let set = "(() => { const speed = document.querySelector('#replay-speed'); speed.value = '1000';
            speed.dispatchEvent(new Event('change', { bubbles: true })); document.activeElement.blur(); })()";
        browser.value(set).await;
        browser.until("fetch('api/v1/feed').then((answer) => answer.json()).then(({ speed }) => speed === 1000)").await;
        // The space bar, where no control has the focus.
        browser.client.find(Locator::Css("body")).await.unwrap().send_keys(" ").await.unwrap();
        until_state(&browser, "running").await;
        browser.until(&format!("{BARS} > 100")).await;
        seek_back(&browser, language).await;
        assert_sound(&browser, language).await;
        browser.close().await;
    }
}

/// Goes to the beginning of the files, paused, and on from there.
async fn seek_back(browser: &Browser, language: &str) {
    browser.click("#replay-pause").await;
    until_state(browser, "paused").await;
    browser.until("document.querySelectorAll('#tape tbody tr:not([hidden])').length === 40").await;
    press(browser, Key::Home).await;
    // Before the first event nothing is known, and nothing of the other time is left.
    browser.until(&format!("{BARS} === 0")).await;
    browser.until("document.querySelectorAll('#tape tbody tr:not([hidden])').length === 0").await;
    browser.until("document.querySelector('#title-last').textContent === '–'").await;
    browser.until("document.querySelector('#watchlist [data-field=last]').textContent === '–'").await;
    browser.until("!document.querySelector('#watchlist [data-field=spark] .line')?.getAttribute('d')").await;
    until_state(browser, "paused").await;
    browser.until(&format!("{CLOCK} === '09:30:00.000'")).await;
    let spoken = browser.value("document.querySelector('#replay-slider').getAttribute('aria-valuetext')").await;
    assert!(spoken.as_str().unwrap().contains("09:30:00"), "{spoken}");
    browser.until(LIVE).await;
    let others = "states_.filter((state) => state !== 'live')";
    assert_eq!(browser.value(others).await, json!([]), "{language}: the connection stays");
    assert_eq!(browser.text("#status-reason").await, "", "{language}");

    browser.click("#replay-pause").await;
    until_state(browser, "running").await;
    browser.until("/^36\\d\\.\\d\\d$/.test(document.querySelector('#title-last').textContent)").await;
    browser.until(&format!("{BARS} > 10")).await;
}

#[tokio::test]
async fn a_replay_that_has_ended_says_so_and_begins_again() {
    let server = serve(&["--speed", "1000", "--original-time"]).await;
    let browser = open(&server, 1280, "en").await;
    press(&browser, Key::End).await;
    until_state(&browser, "ended").await;
    browser.until("document.querySelector('#replay-note').textContent === 'The files have ended.'").await;
    assert_eq!(browser.value("document.querySelector('#replay-step').disabled").await, true);
    assert_eq!(browser.text("#replay-pause").await, "From the beginning");
    browser.click("#replay-pause").await;
    until_state(&browser, "running").await;
    browser.until("document.querySelector('.replay-date').textContent.includes('15 Dec 2020')").await;
    assert_sound(&browser, "after the end").await;
    browser.close().await;
}

#[tokio::test]
async fn who_is_no_operator_sees_the_replay_without_controls_also_in_a_frame() {
    let server = serve(&["--speed", "60", "--paused"]).await;
    let browser = Browser::start(1280, 800, "dark").await;
    browser.devtools("Network.enable", json!({})).await;
    // As through a proxy.
    let through = json!({ "headers": { "X-Forwarded-For": "192.0.2.7" } });
    browser.devtools("Network.setExtraHTTPHeaders", through).await;
    browser.open(&format!("http://{}/?lang=en&symbols=SPY", server.address)).await;
    browser.until("document.querySelector('#replay')?.checkVisibility() === true").await;
    browser.until("document.querySelector('#replay-note').textContent === 'Paused'").await;
    assert!(browser.text("#replay-time").await.contains("Tue, 15 Dec 2020 09:30:00"));
    assert_eq!(browser.value("document.querySelector('.replay-controls').checkVisibility()").await, false);
    browser.client.find(Locator::Css("body")).await.unwrap().send_keys(" ").await.unwrap();
    look_twice(&browser).await;
    until_state(&browser, "paused").await;
    assert_sound(&browser, "no operator").await;

    browser.open(&format!("http://{}/embed?symbol=SPY&lang=en", server.address)).await;
    browser.until("document.querySelector('#state').textContent === 'Replay'").await;
    assert_eq!(browser.text("#tape .last").await, "–", "there is no trade yet");
    assert_sound(&browser, "embedded").await;
    browser.close().await;
}

#[tokio::test]
async fn a_simulated_feed_has_no_bar() {
    let server = spawn_binary(&[], &[]).await;
    let browser = Browser::start(1280, 800, "light").await;
    browser.open(&format!("http://{}/?lang=en", server.address)).await;
    browser.until(TEN_ROWS).await;
    browser.until("document.querySelector('#status-label').textContent === 'Live'").await;
    assert_eq!(browser.value("document.querySelector('#replay')").await, json!(null));
    assert_eq!(browser.value("document.documentElement.dataset.feed ?? null").await, json!(null));
    browser.close().await;
}
