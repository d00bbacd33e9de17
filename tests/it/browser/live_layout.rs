//! The layout of the live page does not shift when figures change.

use serde_json::{Value, json};

use super::driver::Browser;
use super::open_page;
use crate::command::spawn_binary;

/// The positions of everything beside a figure.
const BOXES: &str =
    "[...document.querySelectorAll('#watchlist th, #watchlist td, #stats > div, #legend > div, #title, .quote, \
    #chart, .panel, #language, #status')].filter((each) => each.checkVisibility()).map((each) => [
        each.id || each.dataset.field || each.querySelector('dt')?.textContent || each.className,
        ...Object.values(each.getBoundingClientRect().toJSON()).slice(0, 4).map(Math.round)])";

/// Closes the socket of the page, and answers its next subscriptions in place of the server, with snapshots of these figures.
async fn say(browser: &Browser, price: f64, volume: u64, size: u64) {
    let say = format!(
        "(() => {{
            const messages = frames_.filter(([way]) => way === 'in').flatMap(([, data]) => JSON.parse(data));
            const newest = new Map(messages.filter(({{ type }}) => type === 'snapshot').map((each) => [each.symbol, each]));
            const changed = {{ price: {price}, bid: {price}, ask: {price}, high: {price}, low: {price}, open: {price},
                prev_close: {price} * 1.05, volume: {volume}, bid_size: {size}, ask_size: {size}, offset: 1e12, seq: {{ trades: 1e9, quotes: 1e9 }} }};
            globalThis.send_ ??= WebSocket.prototype.send;
            WebSocket.prototype.send = function (text) {{
                const {{ action, id, symbols }} = JSON.parse(text);
                if (action !== 'subscribe') return send_.call(this, text);
                const answer = [{{ type: 'subscribed', id, subscriptions: [] }}, ...symbols.map((symbol) => ({{ ...newest.get(symbol), ...changed }}))];
                setTimeout(() => this.dispatchEvent(new MessageEvent('message', {{ data: JSON.stringify(answer) }})));
            }};
            sockets_.at(-1).dispatchEvent(new CloseEvent('close', {{ code: 1001 }}));
        }})()"
    );
    browser.value(&say).await;
    browser
        .until(&format!("Number(document.querySelector('#title-last').textContent.replaceAll(',', '')) === {price}"))
        .await;
    browser.value("new Promise(requestAnimationFrame)").await;
}

fn moved(before: &Value, after: &Value) -> Vec<String> {
    let [before, after] = [before, after].map(|boxes| boxes.as_array().unwrap());
    let pairs = before.iter().zip(after).filter(|(before, after)| before != after);
    pairs.map(|(before, after)| format!("{before} to {after}")).collect()
}

#[tokio::test]
async fn changing_figures_do_not_shift_their_neighbours() {
    for (width, height) in [(1920, 1080), (1280, 800), (390, 844)] {
        let (_server, browser) = open_page(width, height, "light").await;
        say(&browser, 201.25, 999_999, 100).await;
        let before = browser.value(BOXES).await;
        for (price, volume, size) in [(9.5, 123, 5), (999.99, 9_999_999, 12_300), (0.1234, 1_234_000_000, 100)] {
            say(&browser, price, volume, size).await;
            assert_eq!(moved(&before, &browser.value(BOXES).await), [""; 0], "{width}: {price}");
        }
        browser.close().await;
    }
}

#[tokio::test]
async fn nothing_shifts_while_the_page_loads_or_in_the_ten_minutes_after() {
    for (width, height) in [(1280, 800), (390, 844)] {
        // Ten minutes of this market take ten seconds.
        let variables = [("TICKCAST__FEED__SPEED", "60"), ("TICKCAST__FEED__EVENTS_PER_SECOND", "20")];
        let server = spawn_binary(&[], &variables).await;
        let browser = Browser::start(width, height, "dark").await;
        let source = "globalThis.shifts_ = [];
            globalThis.shifted_ = [];
            new PerformanceObserver((list) => {
                shifts_.push(...list.getEntries().map(({ value }) => value));
                const named = ({ node }) => `${node?.nodeName}#${node?.id ?? node?.textContent}.${node?.className}`;
                shifted_.push(...list.getEntries().map(({ sources }) => sources.map(named).join(' ')));
            })
                .observe({ type: 'layout-shift', buffered: true });";
        browser.before_scripts(source).await;
        browser.open(&format!("http://{}/?lang=en", server.address)).await;
        browser.until(super::TEN_ROWS).await;
        browser.until(super::CHART_IS_FULL).await;
        let times = "frames_.filter(([way]) => way === 'in').flatMap(([, data]) => JSON.parse(data))
            .filter(({ type }) => type === 'trade').map(({ ts }) => ts)";
        browser.until(&format!("((times) => times.at(-1) - times[0] > 600e6)({times})")).await;
        let trades = browser.value(&format!("{times}.length")).await.as_u64();
        // Rows get at most four events a second: more would not come from a faster market.
        assert!(trades > Some(200), "{trades:?}");
        let sum = browser.value("shifts_.reduce((sum, value) => sum + value, 0)").await.as_f64().unwrap();
        // Core Web Vitals call a layout shift up to 0.1 good. The text of the connection's state shifts by
        // 0.0001, and the language switch by 0.0012 on a phone if the page is painted before it is parsed to the end.
        // Figures that shift their neighbours cause 0.005 and more.
        assert!(sum < 0.002, "{width}: {sum} {} {}", browser.value("shifts_").await, browser.value("shifted_").await);
        assert_eq!(browser.console_errors().await, [""; 0]);
        browser.close().await;
    }
}

#[tokio::test]
async fn on_a_phone_nothing_shifts_when_the_connection_is_lost() {
    for language in ["en", "ko"] {
        let server = spawn_binary(&[], &[]).await;
        let browser = Browser::start(390, 844, "dark").await;
        browser.open(&format!("http://{}/?lang={language}", server.address)).await;
        browser.until(super::LIVE).await;
        let top = "document.querySelector('main').getBoundingClientRect().top";
        let before = browser.value(top).await;
        server.signal("TERM").await;
        server.ended().await;
        // The longest text: a number of two digits.
        browser.until("document.querySelector('#retry').checkVisibility()").await;
        let longest = format!("(document.querySelector('#status-detail').textContent += '0', {top})");
        assert_eq!(browser.value(&longest).await, before, "{language}");
        let sideways = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert_eq!(browser.value(sideways).await, 0, "{language}");
        browser.close().await;
    }
}

#[tokio::test]
async fn on_paper_the_charts_are_whole_and_light() {
    for width in [1920, 390] {
        let server = spawn_binary(&[], &[]).await;
        let browser = Browser::start(width, 800, "dark").await;
        browser.open(&format!("http://{}/?chart=AAPL,MSFT&interval=1m,5m", server.address)).await;
        browser.until(super::LIVE).await;
        browser.until(super::CHART_IS_FULL).await;
        browser
            .until("[...document.querySelectorAll('.chart')].every(({ dataset }) => Number(dataset.bars) > 100)")
            .await;
        browser.value("window.dispatchEvent(new Event('beforeprint'))").await;
        browser.devtools("Emulation.setEmulatedMedia", json!({ "media": "print" })).await;
        let pictures = "[...document.querySelectorAll('.cell')].map((cell) => {
            const picture = cell.querySelector('.paper');
            const [outer, inner] = [cell, picture].map((each) => each.getBoundingClientRect());
            const isWhole = inner.width > 200 && inner.right <= outer.right && inner.height < 420 && inner.bottom <= outer.bottom
                && Math.abs(inner.width / inner.height - picture.width / picture.height) < 0.02;
            // The corner is the paper's white, and something is drawn on it.
            const pixels = new Uint32Array(picture.getContext('2d').getImageData(0, 0, picture.width, picture.height).data.buffer);
            return isWhole && pixels[0] === 0xffffffff && new Set(pixels).size > 8;
        })";
        assert_eq!(browser.value(pictures).await, json!([true, true]), "{width}");
        browser.devtools("Emulation.setEmulatedMedia", json!({ "media": "" })).await;
        browser.value("window.dispatchEvent(new Event('afterprint'))").await;
        assert_eq!(browser.value("document.querySelectorAll('.paper').length").await, 0);
        assert_eq!(browser.value("document.documentElement.dataset.scheme").await, "dark");
        assert_eq!(browser.console_errors().await, [""; 0]);
        browser.close().await;
    }
}
