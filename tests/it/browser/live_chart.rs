//! The chart of the live page: it shows the chosen symbol or nothing, the box on its axis has the last price, and it
//! does not move while the viewer looks at the past.

use std::time::Instant;

use serde_json::json;

use super::driver::Browser;
use super::event_source::Proxy;
use super::{CHART_IS_FULL, LIVE, open_page};
use crate::command::spawn_binary;
use crate::patience::PATIENCE;

/// Stores in `wrong_` the charts that were painted for two frames after another symbol had been chosen.
const WATCH_THE_CHART: &str = "(() => {
    globalThis.wrong_ = [];
    let before = '';
    const text = (selector) => document.querySelector(selector).textContent;
    const look = () => {
        const { symbol, interval } = document.querySelector('#chart').dataset;
        const chosen = [text('#title-symbol'), document.querySelector('#timeframes [aria-pressed=true]').dataset.interval];
        const drawn = symbol ? [symbol, interval] : text('#legend [data-part=close]') === '–' ? chosen : ['a legend', ''];
        const now = `${drawn}` === `${chosen}` ? '' : `${drawn} is drawn, ${chosen} is chosen`;
        if (now && now === before) wrong_.push(now);
        before = now;
        requestAnimationFrame(look);
    };
    look();
})()";
/// Delays every history until `release_` is called.
const HOLD: &str = "(() => {
    globalThis.plain_ ??= fetch;
    const held = new Promise((resolve) => { globalThis.release_ = resolve; });
    globalThis.fetch = async (...rest) => { await held; return plain_(...rest); };
})()";
const NOTHING_IS_DRAWN: &str = "document.querySelector('#chart').dataset.symbol === ''
    && document.querySelector('#chart').dataset.bars === '0'
    && document.querySelector('#legend [data-part=close]').textContent === '–'";
/// Records the texts in boxes on the chart's axes, every last price, and the times on the axis.
const WATCH_THE_BOX: &str = "(() => {
    globalThis.boxes_ = [];
    globalThis.times_ = new Set();
    const last = document.querySelector('#title-last');
    globalThis.lasts_ = [last.textContent];
    new MutationObserver(() => lasts_.push(last.textContent)).observe(last, { childList: true, characterData: true, subtree: true });
    const plain = CanvasRenderingContext2D.prototype.fillText;
    const soft = getComputedStyle(document.documentElement).getPropertyValue('--text-soft').trim();
    CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
        if (this.fillStyle !== soft) boxes_.push(text);
        else if (/^\\d\\d:\\d\\d$/.test(text)) times_.add(text);
        return plain.call(this, text, ...rest);
    };
})()";
const BOX_IS_LAST: &str = "boxes_.length > 3 && boxes_.every((text) => lasts_.includes(text))";
/// Number of requests for histories so far.
const HISTORIES: &str =
    "performance.getEntriesByType('resource').filter((entry) => entry.name.includes('/api/v1/bars')).length";

fn drawn(symbol: &str, interval: &str) -> String {
    let is = "document.querySelector('#chart').dataset";
    format!("{is}.symbol === '{symbol}' && {is}.interval === '{interval}' && Number({is}.bars) > 100")
}

/// Presses a key with Shift on the chart, once per frame: the chart moves in the next frame.
async fn press(browser: &Browser, key: &str, count: u32) {
    let press = format!(
        "(async () => {{
            const pressed = {{ key: '{key}', shiftKey: true, bubbles: true, cancelable: true }};
            for (let n = 0; n < {count}; n += 1) {{
                document.querySelector('#chart').dispatchEvent(new KeyboardEvent('keydown', pressed));
                await new Promise(requestAnimationFrame);
            }}
        }})()"
    );
    browser.value(&press).await;
}

/// Returns the time in the legend for the bar in the middle of the chart.
async fn time_in_the_middle(browser: &Browser) -> String {
    let middle = "(({ left, top, width, height }) => [left + width / 2, top + height / 3])(document.querySelector('#chart').getBoundingClientRect())";
    let middle = browser.value(middle).await;
    for (dx, dy) in [(0.0, 30.0), (0.0, 0.0)] {
        browser.point(middle[0].as_f64().unwrap() + dx, middle[1].as_f64().unwrap() + dy).await;
    }
    browser.until("document.querySelector('#chart').matches(':hover')").await;
    // The library handles the pointer, then the page paints the legend.
    browser.value("(async () => { for (let n = 0; n < 4; n += 1) await new Promise(requestAnimationFrame); })()").await;
    browser.text("#legend [data-part=time]").await
}

#[tokio::test]
async fn the_chart_shows_the_chosen_symbol_or_is_empty() {
    let (server, browser) = open_page(1280, 800, "dark").await;
    browser.value(WATCH_THE_CHART).await;
    for (selector, symbol, interval) in [
        ("#watchlist tr[data-symbol='TSLA'] [data-field='last']", "TSLA", "1m"),
        ("#timeframes button[data-interval='5m']", "TSLA", "5m"),
    ] {
        browser.value(HOLD).await;
        browser.click(selector).await;
        browser.until(NOTHING_IS_DRAWN).await;
        browser.until("document.querySelector('#chart-message').checkVisibility()").await;
        assert_eq!(browser.text("#chart-message-text").await, "Loading…");
        browser.value("release_()").await;
        browser.until(&drawn(symbol, interval)).await;
        assert_eq!(browser.value("document.querySelector('#chart-message').hidden").await, true);
    }

    let port = server.address.port().to_string();
    server.signal("TERM").await;
    server.ended().await;
    browser.until("document.querySelector('#status').dataset.state === 'reconnecting'").await;
    browser.fill("#search", "WMT").await;
    browser.click("#search-list li[data-symbol='WMT']").await;
    browser.click("#watchlist tr[data-symbol='WMT']").await;
    for interval in ["5m", "1d"] {
        browser.click(&format!("#timeframes button[data-interval='{interval}']")).await;
        browser.until(NOTHING_IS_DRAWN).await;
        browser.until("document.querySelector('#chart-retry').checkVisibility()").await;
        assert!(browser.text("#chart-message-text").await.contains("cannot be reached"));
        assert_eq!(browser.text("#title-last").await, "–");
    }
    let _server = spawn_binary(&["--port", &port], &[]).await;
    browser.until(&drawn("WMT", "1d")).await;
    assert_eq!(browser.value("document.querySelector('#chart-message').hidden").await, true);
    assert_eq!(browser.value("wrong_").await, json!([]));
    browser.close().await;
}

#[tokio::test]
async fn the_box_on_the_axis_has_the_last_price_wherever_the_chart_is_scrolled() {
    let (_server, browser) = open_page(1280, 800, "light").await;
    browser.value(WATCH_THE_BOX).await;
    browser.until(BOX_IS_LAST).await;
    for (key, count) in [("ArrowLeft", 1), ("ArrowLeft", 4), ("End", 1)] {
        press(&browser, key, count).await;
        browser.value("(() => { boxes_.length = 0; lasts_.splice(0, lasts_.length - 3); })()").await;
        browser.until("lasts_.length > 8").await;
        let strange = browser.value("boxes_.filter((text) => !lasts_.includes(text))").await;
        assert_eq!(strange, json!([]), "{key} {count}: {}", browser.value("lasts_").await);
    }
    browser.until(BOX_IS_LAST).await;
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn the_box_keeps_the_last_price_when_a_phone_is_swiped() {
    let (_server, browser) = open_page(390, 844, "dark").await;
    browser.devtools("Emulation.setTouchEmulationEnabled", json!({ "enabled": true, "maxTouchPoints": 1 })).await;
    browser.value(WATCH_THE_BOX).await;
    browser.until(BOX_IS_LAST).await;
    let clear = "(() => { boxes_.length = 0; times_.clear(); lasts_.splice(0, lasts_.length - 3); })()";
    browser.value(clear).await;
    browser.until("lasts_.length > 8 && times_.size > 1").await;
    browser.value("globalThis.before_ = new Set(times_)").await;
    let chart = browser.value("document.querySelector('#chart').getBoundingClientRect().toJSON()").await;
    let [left, top, height] = ["left", "top", "height"].map(|name| chart[name].as_f64().unwrap());
    let touch = async |kind: &str, x: Option<f64>| {
        let points: Vec<_> = x.map(|x| json!({ "x": left + x, "y": top + height / 3.0 })).into_iter().collect();
        browser.devtools("Input.dispatchTouchEvent", json!({ "type": kind, "touchPoints": points })).await;
    };
    // A swipe from left to right, which goes back in time. If the finger rests for a quarter of a second, as it may on
    // a busy machine, it moves the crosshair instead, until a tap.
    let is_panned = "times_.size > 1 && [...times_].every((time) => !before_.has(time))";
    let deadline = Instant::now() + PATIENCE;
    while browser.value(is_panned).await != json!(true) {
        assert!(Instant::now() < deadline, "a swipe moves the chart");
        touch("touchStart", Some(20.0)).await;
        for x in [120.0, 220.0, 300.0] {
            touch("touchMove", Some(x)).await;
        }
        touch("touchEnd", None).await;
        touch("touchStart", Some(150.0)).await;
        touch("touchEnd", None).await;
        browser.value("times_.clear()").await;
        browser.until("times_.size > 1").await;
    }
    browser.value("(async () => { for (let n = 0; n < 4; n += 1) await new Promise(requestAnimationFrame); })()").await;
    browser.value(clear).await;
    browser.until("lasts_.length > 8 && times_.size > 1").await;
    assert_eq!(browser.value("[...times_].filter((time) => before_.has(time))").await, json!([]), "it has been panned");
    let strange = browser.value("boxes_.filter((text) => !lasts_.includes(text))").await;
    assert_eq!(strange, json!([]), "{}", browser.value("lasts_").await);
    browser.until(BOX_IS_LAST).await;

    // A finger that moves up scrolls the page, although it starts on the chart.
    assert_eq!(browser.value("scrollY").await, 0);
    let drag = async |kind: &str, y: Option<f64>| {
        let points: Vec<_> = y.map(|y| json!({ "x": left + 120.0, "y": top + y })).into_iter().collect();
        browser.devtools("Input.dispatchTouchEvent", json!({ "type": kind, "touchPoints": points })).await;
    };
    drag("touchStart", Some(200.0)).await;
    for y in [180.0, 140.0, 80.0, 20.0] {
        drag("touchMove", Some(y)).await;
    }
    drag("touchEnd", None).await;
    browser.until("scrollY > 50").await;
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn a_chart_scrolled_to_the_past_does_not_move_when_the_connection_breaks_lags_or_the_server_ends() {
    let server = spawn_binary(&[], &[]).await;
    let proxy = Proxy::start(server.address).await;
    let browser = Browser::start(1280, 800, "dark").await;
    browser.open(&format!("http://{}/", proxy.address)).await;
    browser.until(LIVE).await;
    browser.until(CHART_IS_FULL).await;
    for bars in [1_150, 1_750] {
        press(&browser, "ArrowLeft", 12).await;
        browser.until(&format!("Number(document.querySelector('#chart').dataset.bars) > {bars}")).await;
    }
    let bars = browser.value("Number(document.querySelector('#chart').dataset.bars)").await;
    let time = time_in_the_middle(&browser).await;
    let stays = async |browser: &Browser, what: &str, due: &str| {
        browser.until(due).await;
        browser.until(LIVE).await;
        assert_eq!(time_in_the_middle(browser).await, time, "{what}");
        let held = browser.value("Number(document.querySelector('#chart').dataset.bars)").await;
        assert!(held.as_u64() >= bars.as_u64(), "{what}: {held} bars of {bars}");
    };

    let histories = browser.value(HISTORIES).await.as_u64().unwrap();
    proxy.cut();
    let resumed = "frames_.some(([way, data]) => way === 'in' && data.includes('\"recovered\":true'))";
    stays(&browser, "a break", resumed).await;
    assert_eq!(browser.value(HISTORIES).await, histories, "a stream that is resumed needs no history");
    let lag = r#"[{"type":"lag","skipped":7,"since_offset":9}]"#;
    browser.value(&format!("sockets_.at(-1).dispatchEvent(new MessageEvent('message', {{ data: '{lag}' }}))")).await;
    stays(&browser, "a lag", &format!("{HISTORIES} > {histories}")).await;
    let histories = browser.value(HISTORIES).await.as_u64().unwrap();
    let port = server.address.port().to_string();
    server.signal("TERM").await;
    server.ended().await;
    browser.until("document.querySelector('#status').dataset.state === 'reconnecting'").await;
    let _server = spawn_binary(&["--port", &port], &[]).await;
    stays(&browser, "another run of the server", &format!("{HISTORIES} > {histories}")).await;
    browser.close().await;
}

#[tokio::test]
async fn the_chart_is_painted_only_for_events_of_its_symbol() {
    let (_server, browser) = open_page(1280, 800, "dark").await;
    let begin = "(() => {
        globalThis.paints_ = new Set();
        globalThis.from_ = frames_.length;
        const plain = CanvasRenderingContext2D.prototype.fillText;
        CanvasRenderingContext2D.prototype.fillText = function (...rest) {
            paints_.add(document.timeline.currentTime);
            return plain.apply(this, rest);
        };
    })()";
    browser.value(begin).await;
    let own = "frames_.slice(from_).filter(([way, data]) => way === 'in').flatMap(([, data]) => JSON.parse(data))
        .filter(({ type, symbol }) => symbol === 'AAPL' && (type === 'trade' || type === 'bar')).length";
    let all = "frames_.slice(from_).filter(([way]) => way === 'in').length";
    browser.until(&format!("{own} >= 16 && {all} >= 300")).await;
    // Recorded before the painting; labels may be painted for a while after an axis has changed.
    let counts = browser.value(&format!("[paints_.size, {own}, {all}]")).await;
    let [paints, own, all] = [0, 1, 2].map(|index| counts[index].as_u64().unwrap());
    assert!(paints <= own + 5, "{paints} paints for {own} events of the symbol, in {all} frames");
    browser.close().await;
}

#[tokio::test]
async fn only_the_displayed_bars_are_subscribed_to() {
    let (_server, browser) = open_page(1280, 800, "light").await;
    for selector in [
        "#timeframes button[data-interval='1s']",
        "#watchlist tr[data-symbol='TSLA'] [data-field='last']",
        "#timeframes button[data-interval='5m']",
        "#watchlist tr[data-symbol='MSFT'] [data-field='last']",
        "#watchlist tr[data-symbol='TSLA'] [data-field='last']",
    ] {
        browser.click(selector).await;
    }
    browser.until(&drawn("TSLA", "5m")).await;
    browser.value("sockets_.at(-1).send(JSON.stringify({ action: 'list', id: 'now' }))").await;
    let answered = "frames_.some(([way, data]) => way === 'in' && data.includes('\"id\":\"now\"'))";
    browser.until(answered).await;
    let bars = "(() => {
        const messages = frames_.filter(([way]) => way === 'in').flatMap(([, data]) => JSON.parse(data));
        const { subscriptions } = messages.findLast(({ type }) => type === 'subscribed');
        return subscriptions.flatMap(({ symbol, channels }) => channels.filter((each) => each.startsWith('bars')).map((each) => symbol + ' ' + each));
    })()";
    browser.until(&format!("`${{{bars}}}` === 'TSLA bars.5m'")).await;
    assert!(browser.messages().await.iter().all(|message| message["type"] != "error"));
    assert_eq!(browser.value("document.querySelector('#holes').dataset.count").await, json!("0"));
    browser.close().await;
}
