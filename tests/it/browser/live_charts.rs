//! The tools of the chart on the live page: kinds, lines over the bars, several charts, times without data.

use serde_json::{Value, json};

use super::driver::Browser;
use super::{CHART_IS_FULL, LIVE, open_page};
use crate::command::spawn_binary;

const FRAMES: &str = "(async () => { for (let n = 0; n < 4; n += 1) await new Promise(requestAnimationFrame); })()";
/// Number of rows of the chart library's table: one per pane, separator and axis.
const PANES: &str = "document.querySelectorAll('#chart table tr').length";
/// The bars that are subscribed to, by the last answer to a `list`.
const SUBSCRIBED_BARS: &str = "(() => {
    const messages = frames_.filter(([way]) => way === 'in').flatMap(([, data]) => JSON.parse(data));
    const answer = messages.findLast(({ type, id }) => type === 'subscribed' && id === 'now');
    return (answer?.subscriptions ?? []).flatMap(({ symbol, channels }) =>
        channels.filter((each) => each.startsWith('bars')).map((each) => `${symbol} ${each}`)).sort().join();
})()";

async fn choose(browser: &Browser, selector: &str, value: &str) {
    let script = format!(
        "(() => {{
            const select = document.querySelector('{selector}');
            select.dispatchEvent(new Event('focus'));
            select.value = '{value}';
            select.dispatchEvent(new Event('change', {{ bubbles: true }}));
            return select.value;
        }})()"
    );
    assert_eq!(browser.value(&script).await, value, "{selector} has this option");
}

/// Waits until exactly these bars are subscribed to.
async fn subscribed(browser: &Browser, bars: &str) {
    let ask = "sockets_.at(-1).send(JSON.stringify({ action: 'list', id: 'now' }))";
    browser.until(&format!("({ask}, {SUBSCRIBED_BARS} === '{bars}')")).await;
}

/// Returns the time of the bar at this share of the chart's width, as the legend tells it.
async fn time_at(browser: &Browser, share: f64) -> String {
    let place = browser.value("document.querySelector('#chart').getBoundingClientRect().toJSON()").await;
    let [left, top, width] = ["left", "top", "width"].map(|name| place[name].as_f64().unwrap());
    for dx in [5.0, 0.0] {
        browser.point(left + width * share + dx, top + 120.0).await;
    }
    browser.value(FRAMES).await;
    browser.text("#legend [data-part=time]").await
}

#[tokio::test]
async fn the_chart_has_kinds_a_log_scale_a_fit_a_way_back_a_picture_and_the_full_screen() {
    let (server, browser) = open_page(1280, 800, "dark").await;
    let panes = browser.value(PANES).await;
    browser.until("/^00:[0-5]\\d$/.test(document.querySelector('.countdown').textContent)").await;
    browser.value("globalThis.left_ = document.querySelector('.countdown').textContent").await;
    browser.until("document.querySelector('.countdown').textContent !== left_").await;

    for kind in ["area", "line"] {
        choose(&browser, "#chart-kind", kind).await;
        browser.until(&format!("document.querySelector('#chart').dataset.kind === '{kind}'")).await;
    }
    assert_eq!(browser.value(PANES).await, panes, "the volume keeps its pane");
    browser.click("#chart-log").await;
    browser.until("document.querySelector('#chart').dataset.scale === 'log'").await;

    let newest = "!document.querySelector('#charts .newest').hidden";
    assert_eq!(browser.value(newest).await, false);
    browser.click("#chart").await;
    let press = "(async () => { for (let n = 0; n < 4; n += 1) {
        document.querySelector('#chart').dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowLeft', shiftKey: true }));
        await new Promise(requestAnimationFrame);
    } })()";
    browser.value(press).await;
    browser.until(newest).await;
    browser.click("#charts .newest").await;
    browser.until(&format!("!({newest})")).await;

    let before = time_at(&browser, 0.02).await;
    browser.click("#chart-fit").await;
    browser.value(FRAMES).await;
    let oldest = time_at(&browser, 0.02).await;
    assert_ne!(oldest, before, "all bars are in view");

    let picture = "(async () => {
        const plain = HTMLAnchorElement.prototype.click;
        const link = await new Promise((resolve) => {
            HTMLAnchorElement.prototype.click = function () { resolve(this); };
            document.querySelector('#chart-picture').click();
        });
        HTMLAnchorElement.prototype.click = plain;
        const blob = await (globalThis.blob_ ?? Promise.resolve(null));
        return [link.download, blob?.type, blob?.size > 5_000];
    })()";
    browser
        .value("(() => { const plain = URL.createObjectURL; URL.createObjectURL = (blob) => { globalThis.blob_ = blob; return plain(blob); }; })()")
        .await;
    assert_eq!(browser.value(picture).await, json!(["AAPL-1m.png", "image/png", true]));

    browser.click("#chart-screen").await;
    browser.until("document.fullscreenElement?.id === 'stage'").await;
    browser.click("#chart-screen").await;
    browser.until("document.fullscreenElement === null").await;

    browser.open(&format!("http://{}/", server.address)).await;
    browser.until(CHART_IS_FULL).await;
    let kept = "(({ kind, scale }) => [kind, scale])(document.querySelector('#chart').dataset)";
    assert_eq!(browser.value(kept).await, json!(["line", "log"]), "the choices are kept");
    browser.open(&format!("http://{}/?kind=area&log=0", server.address)).await;
    browser.until(CHART_IS_FULL).await;
    assert_eq!(browser.value(kept).await, json!(["area", "linear"]), "a link wins");
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn indicators_a_second_symbol_and_further_charts_follow_the_stream() {
    let (_server, browser) = open_page(1600, 1000, "light").await;
    browser.click("#indicators summary").await;
    for name in ["sma20", "vwap", "bands"] {
        browser.click(&format!("#indicators input[value='{name}']")).await;
    }
    choose(&browser, "#chart-compare", "MSFT").await;
    browser.until("document.querySelector('#chart').dataset.lines === 'MSFT sma20 vwap bands'").await;
    assert_eq!(browser.value("document.querySelector('#chart').dataset.scale").await, "percent");
    // The legend says what the axis shows, and since when it counts.
    browser.until("/^MSFT [+\u{2212}]?[0-9.]+% [0-9.]+ since .+ [0-9:]+$/.test(document.querySelector('[data-line=MSFT]').textContent)").await;
    assert_eq!(browser.value("document.querySelector('#chart-compare option[value=AAPL]').disabled").await, true);
    subscribed(&browser, "AAPL bars.1m,AAPL bars.1m.updated,MSFT bars.1m,MSFT bars.1m.updated").await;
    // Computed from the server's bars, without the library. The open bar moves: both are read until they agree.
    let agrees = "(async () => {
        const bars = async (limit, symbol) => (await (await fetch(`api/v1/bars?symbol=${symbol}&interval=1m&limit=${limit}`)).json()).bars;
        const day = (await bars(1440, 'AAPL')).filter(({ ts }) => ts - (ts % 86_400e6) === Math.floor(Date.now() / 86_400e3) * 86_400e6);
        const sum = (each) => each.reduce((all, one) => all + one, 0);
        const vwap = sum(day.map((bar) => bar.vwap * bar.volume)) / sum(day.map((bar) => bar.volume));
        const sma = sum((await bars(20, 'AAPL')).map((bar) => bar.close)) / 20;
        const [other] = await bars(1, 'MSFT');
        const shown = (id) => Number(document.querySelector(`#stage .cell [data-line=${id}] .value`).textContent.split(' ')[0]);
        return Math.abs(shown('vwap') - vwap) < 0.011 && Math.abs(shown('sma20') - sma) < 0.011 && Math.abs(shown('MSFT') - other.close) < 0.03;
    })()";
    browser.until(agrees).await;

    choose(&browser, "#chart-count", "4").await;
    browser.until("document.querySelectorAll('#charts .chart').length === 4").await;
    let full = "[...document.querySelectorAll('#charts .chart')].every(({ dataset }) => dataset.symbol === 'AAPL' && Number(dataset.bars) > 200)";
    browser.until(full).await;
    let intervals = "[...document.querySelectorAll('#charts .chart')].map(({ dataset }) => dataset.interval).join()";
    assert_eq!(browser.value(intervals).await, "1m,5m,1h,1d");
    choose(&browser, ".cell:nth-child(2) .cell-interval", "15m").await;
    choose(&browser, ".cell:nth-child(3) .cell-symbol", "V").await;
    browser.until("document.querySelectorAll('#charts .chart')[2].dataset.symbol === 'V'").await;
    choose(&browser, "#chart-compare", "").await;
    subscribed(&browser, "AAPL bars.15m,AAPL bars.1d,AAPL bars.1m,AAPL bars.1m.updated,V bars.1h").await;

    // The crosshairs are tied: the legend of every chart is that of the same time.
    let opens = "[...document.querySelectorAll('#charts .legend [data-part=open]')].map((part) => part.textContent)";
    browser.until(&format!("{opens}.every((text) => text !== '–')")).await;
    let before = browser.value(opens).await;
    time_at(&browser, 0.2).await;
    browser
        .until(&format!("((now) => now[0] !== '{}' && now[1] !== '{}')({opens})", text(&before[0]), text(&before[1])))
        .await;

    // The charts are in the address, and back undoes the last choice.
    browser.until("location.search === '?chart=AAPL,AAPL,V,AAPL&interval=1m,15m,1h,1d'").await;
    browser.value("history.back()").await;
    browser.until("document.querySelectorAll('#charts .chart')[2].dataset.symbol === 'AAPL'").await;
    browser.value("history.forward()").await;
    browser.until("document.querySelectorAll('#charts .chart')[2].dataset.symbol === 'V'").await;

    choose(&browser, "#chart-count", "1").await;
    subscribed(&browser, "AAPL bars.1m,AAPL bars.1m.updated").await;
    assert_eq!(browser.value("document.querySelectorAll('#charts .chart').length").await, 1);

    // The map of the market has every symbol, also those that are not in the watchlist, and charts one.
    browser.click("#heat-open").await;
    let tiles = "[...document.querySelectorAll('#heat button[data-symbol] .percent')].map((part) => part.textContent)";
    browser.until(&format!("{tiles}.length === 30 && {tiles}.every((text) => /[\\d.]+%$/.test(text))")).await;
    browser.click("#heat button[data-symbol='KO']").await;
    browser
        .until("document.querySelector('#chart').dataset.symbol === 'KO' && !document.querySelector('#heat').open")
        .await;
    subscribed(&browser, "KO bars.1m,KO bars.1m.updated").await;
    assert!(browser.messages().await.iter().all(|message| message["type"] != "error"));
    assert_eq!(browser.value("document.querySelector('#holes').dataset.count").await, json!("0"));
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test]
async fn times_without_data_are_bands_and_a_wrong_history_is_refused() {
    let server = spawn_binary(&[], &[]).await;
    let browser = Browser::start(1280, 800, "dark").await;
    // Half an hour is missing from every history; the next one is of another symbol if the test says so.
    let source = "(() => {
        const plain = fetch;
        globalThis.fetch = async (url, ...rest) => {
            const response = await plain(url, ...rest);
            if (!String(url).includes('api/v1/bars')) return response;
            const body = await response.json();
            body.bars.splice(-50, 30);
            if (globalThis.wrong_) body.symbol = 'XOM';
            return Response.json(body);
        };
    })()";
    browser.before_scripts(source).await;
    browser.open(&format!("http://{}/?lang=en&interval=7m", server.address)).await;
    browser.until(LIVE).await;
    browser.until(CHART_IS_FULL).await;
    assert_eq!(browser.value("document.querySelector('#chart').dataset.interval").await, "1m");
    let gaps = "document.querySelector('#chart').dataset.gaps";
    browser.until(&format!("{gaps} === '1'")).await;

    let lag = r#"[{"type":"lag","skipped":7,"since_offset":9}]"#;
    browser.value(&format!("sockets_.at(-1).dispatchEvent(new MessageEvent('message', {{ data: '{lag}' }}))")).await;
    browser.until(&format!("{gaps} === '2'")).await;
    browser.until(&format!("{gaps} === '1'")).await;

    browser.value("globalThis.wrong_ = true").await;
    browser.click("#timeframes button[data-interval='5m']").await;
    browser.until("document.querySelector('#chart-retry').checkVisibility()").await;
    assert!(browser.text("#chart-message-text").await.contains("something else"));
    assert_eq!(browser.value("document.querySelector('#chart').dataset.symbol").await, "", "nothing of it is drawn");
    browser.value("globalThis.wrong_ = false").await;
    browser.click("#chart-retry").await;
    browser.until("document.querySelector('#chart').dataset.interval === '5m'").await;

    server.signal("TERM").await;
    server.ended().await;
    browser.until(&format!("{gaps} === '2'")).await;
    browser.close().await;
}

#[tokio::test]
async fn an_indicator_that_is_no_price_has_a_pane_below_the_bars() {
    let (_server, browser) = open_page(1280, 800, "light").await;
    browser.click("#indicators summary").await;
    let panes = browser.value(PANES).await;
    for name in ["rsi14", "macd"] {
        browser.click(&format!("#indicators input[value='{name}']")).await;
    }
    let values = "Object.fromEntries(['rsi14', 'macd'].map((id) =>
        [id, (document.querySelector(`#stage [data-line=${id}] .value`)?.textContent ?? '').replaceAll('\u{2212}', '-').split(' ').map(Number)]))";
    let plausible = "(({ rsi14: [rsi], macd: [columns, line, average] }) =>
        rsi > 0 && rsi < 100 && Math.abs(columns - line + average) < 0.0002)";
    browser.until(&format!("{plausible}({values})")).await;
    // Each brings a pane and the line above it.
    assert_eq!(browser.value(PANES).await.as_u64(), panes.as_u64().map(|rows| rows + 4));
    for name in ["rsi14", "macd"] {
        browser.click(&format!("#indicators input[value='{name}']")).await;
    }
    browser.until(&format!("{PANES} === {panes}")).await;
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}
