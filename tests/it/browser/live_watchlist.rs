//! What a viewer does with the watchlist: order, sections, columns, lists, thousands of rows, and lists that came from elsewhere.

use serde_json::{Value, json};

use super::driver::Browser;
use super::{LIVE, TEN_ROWS, open_page};
use crate::command::spawn_binary;

const SHOWN: &str =
    "[...document.querySelectorAll('#watchlist tbody tr[data-symbol]')].map((row) => row.dataset.symbol).join()";
const FIRST_TEN: &str = "AAPL,MSFT,NVDA,AMZN,GOOGL,META,TSLA,JPM,V,XOM";
const NOTE: &str = "document.querySelector('#watchlist-note').textContent";

/// Presses a key, with modifiers as the debugging protocol counts them: 1 is Alt, 2 is Control.
async fn press(browser: &Browser, key: &str, modifiers: u32) {
    for kind in ["rawKeyDown", "keyUp"] {
        let event = json!({ "type": kind, "key": key, "code": key, "modifiers": modifiers });
        browser.devtools("Input.dispatchKeyEvent", event).await;
    }
}

/// Drags a row to the upper half of another one.
async fn drag(browser: &Browser, symbol: &str, target: &str) {
    let place = async |symbol: &str, part: f64| {
        let rectangle = format!(
            "(() => {{ const {{ x, y, height }} = document.querySelector('tr[data-symbol={symbol}] .symbol').closest('tr')
                .getBoundingClientRect(); return [x + 40, y + height * {part}]; }})()"
        );
        let place = browser.value(&rectangle).await;
        (place[0].as_f64().unwrap(), place[1].as_f64().unwrap())
    };
    let mouse = async |kind: &str, (x, y): (f64, f64)| {
        let event = json!({ "type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1 });
        browser.devtools("Input.dispatchMouseEvent", event).await;
    };
    let from = place(symbol, 0.5).await;
    mouse("mousePressed", from).await;
    let to = place(target, 0.25).await;
    mouse("mouseMoved", (to.0, from.1.midpoint(to.1))).await;
    mouse("mouseMoved", to).await;
    mouse("mouseReleased", to).await;
}

async fn act(browser: &Browser, action: &str) {
    browser.click("#list-open").await;
    browser.click(&format!("#list-menu [data-action={action}]")).await;
}

#[tokio::test]
async fn the_viewer_orders_sorts_filters_and_names_lists_and_finds_all_of_it_again() {
    let (server, browser) = open_page(1280, 800, "light").await;
    // Own order, by keyboard and by pointer; each step can be undone.
    browser.value("document.querySelector('tr[data-symbol=XOM]').focus()").await;
    press(&browser, "ArrowUp", 1).await;
    let moved = "AAPL,MSFT,NVDA,AMZN,GOOGL,META,TSLA,JPM,XOM,V";
    browser.until(&format!("{SHOWN} === '{moved}'")).await;
    assert_eq!(
        browser.value("document.activeElement.dataset.symbol").await,
        json!("XOM"),
        "the focus goes with the row"
    );
    assert_eq!(browser.value(NOTE).await, json!("XOM is now number 9 of 10."));
    drag(&browser, "TSLA", "MSFT").await;
    browser.until(&format!("{SHOWN}.startsWith('AAPL,TSLA,MSFT')")).await;
    assert_eq!(
        browser.value("document.querySelector('#chart').dataset.symbol").await,
        json!("AAPL"),
        "a drag is no click"
    );
    browser.value("document.querySelector('tr[data-symbol=XOM]').focus()").await;
    press(&browser, "z", 2).await;
    browser.until(&format!("{SHOWN} === '{moved}'")).await;

    // A sorted list follows the figures, and keeps the viewer's own order.
    browser.click("[data-sort=percent]").await;
    let percents = "[...document.querySelectorAll('#watchlist [data-field=percent]')].map((cell) => Number(cell.textContent.replace('\u{2212}', '-').replace('%', '')))";
    browser.until(&format!("((all) => all.every((each, at) => at === 0 || all[at - 1] >= each))({percents})")).await;
    assert_eq!(
        browser.value("document.querySelector('[data-sort=percent]').closest('th').ariaSort").await,
        json!("descending")
    );
    browser.value("document.querySelector('tr[data-symbol=XOM]').focus()").await;
    press(&browser, "ArrowUp", 1).await;
    browser.until(&format!("{NOTE}.includes('is sorted')")).await;
    act(&browser, "own").await;
    browser.until(&format!("{SHOWN} === '{moved}'")).await;

    act(&browser, "sections").await;
    let sections = "[...document.querySelectorAll('#watchlist tr.section')].map((row) => row.dataset.sector).join()";
    browser
        .until(&format!(
            "{sections} === 'Information Technology,Consumer Discretionary,Communication Services,Financials,Energy'"
        ))
        .await;
    browser.fill("#filter", "chevron").await;
    browser.until("!document.querySelector('#watchlist-none').hidden").await;
    browser.fill("#filter", "exxon").await;
    browser.until(&format!("{SHOWN} === 'XOM'")).await;
    browser.fill("#filter", "").await;

    browser.click("#columns-open").await;
    browser.click("#columns-menu [data-column=bid]").await;
    browser.click("#columns-menu [data-column='bid-1']").await;
    let columns =
        "[...document.querySelectorAll('#watchlist thead [data-sort]')].map((button) => button.dataset.sort).join()";
    browser.until(&format!("{columns} === 'symbol,last,change,percent,bid,volume'")).await;
    browser.until("document.querySelector('tr[data-symbol=XOM] [data-field=bid]').textContent.includes('×')").await;

    act(&browser, "new").await;
    browser.fill("#list-name", "Oil").await;
    browser.value("document.querySelector('#list-name').blur()").await;
    browser.until("document.querySelector('#lists').selectedOptions[0].text === 'Oil'").await;
    browser.until("!document.querySelector('#watchlist-empty').hidden").await;
    browser.fill("#search", "cvx").await;
    browser.until("document.querySelector('#search-list').children.length > 0").await;
    browser.click("#search-list li[data-symbol=CVX]").await;
    browser.until(&format!("{SHOWN} === 'CVX'")).await;

    browser.open(&format!("http://{}/", server.address)).await;
    browser.until(&format!("{SHOWN} === 'CVX' && {columns} === 'symbol,last,change,percent,bid,volume'")).await;
    act(&browser, "delete").await;
    browser.until(TEN_ROWS).await;
    browser.click("#watchlist-undo").await;
    browser.until(&format!("{SHOWN} === 'CVX'")).await;
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}

/// Returns the symbols that the page is subscribed to, according to its requests so far.
async fn subscribed(browser: &Browser) -> Vec<String> {
    let script = "(() => {
        const all = new Set();
        for (const [way, data] of frames_) {
            const { action, symbols, channels } = way === 'out' ? JSON.parse(data) : {};
            if (action === 'subscribe') for (const symbol of symbols) all.add(symbol);
            if (action === 'unsubscribe' && !channels) for (const symbol of symbols) all.delete(symbol);
        }
        return [...all];
    })()";
    let Value::Array(symbols) = browser.value(script).await else { panic!("no list") };
    symbols.iter().map(|symbol| symbol.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn of_a_thousand_rows_those_near_the_visible_part_are_in_the_document_and_sent() {
    let server = spawn_binary(&[], &[("TICKCAST__FEED__EXTRA_SYMBOLS", "1000")]).await;
    let browser = Browser::start(1280, 800, "dark").await;
    let symbols: Vec<_> = (0..1_000).map(|n| format!("SYM{n:03}")).collect();
    super::live_list::keep(&browser, &symbols).await;
    browser.open(&format!("http://{}/", server.address)).await;
    browser.until(LIVE).await;
    browser
        .until("document.querySelector('tr[data-symbol=SYM005] [data-field=last]')?.textContent.match(/[0-9]/) != null")
        .await;
    assert_eq!(browser.value("document.querySelector('#watchlist').ariaRowCount").await, json!("1001"));
    assert!(browser.value("document.querySelectorAll('#watchlist tbody tr').length").await.as_u64().unwrap() < 80);
    assert!(subscribed(&browser).await.len() < 80);

    browser.value("document.querySelector('tr[data-symbol=SYM000]').focus()").await;
    press(&browser, "End", 0).await;
    browser.until("document.activeElement.dataset.symbol === 'SYM999'").await;
    browser
        .until("document.querySelector('tr[data-symbol=SYM999] [data-field=last]').textContent.match(/[0-9]/) != null")
        .await;
    assert_eq!(browser.value("document.activeElement.ariaRowIndex").await, json!("1001"));
    let now = subscribed(&browser).await;
    assert!(now.len() < 80 && !now.contains(&"SYM005".to_owned()) && now.contains(&"SYM000".to_owned()), "{now:?}");

    // Sorted by a figure, every row's figure counts, as far as the server permits: the rest stands still, and the page says so.
    browser.click("[data-sort=percent]").await;
    browser.until("document.querySelector('#watchlist-left').textContent.includes('500 rows')").await;
    assert_eq!(browser.value("document.querySelector('#holes').dataset.count").await, json!("0"));
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn lists_of_any_address_and_of_any_storage_are_shown_as_far_as_they_are_sound() {
    let server = spawn_binary(&[], &[]).await;
    let browser = Browser::start(1280, 800, "light").await;
    let symbols: Vec<_> =
        ["KO".to_owned(), "MSFT".into()].into_iter().chain((0..2_000).map(|n| format!("X{n}"))).collect();
    let script = "</script><script>alert(1)</script>";
    browser
        .open(&format!(
            "http://{}/?symbols={}&chart={script}&interval=9z&lang={script}&hz=nothing",
            server.address,
            symbols.join(",")
        ))
        .await;
    browser
        .until("document.querySelector('tr[data-symbol=KO] [data-field=last]')?.textContent.match(/[0-9]/) != null")
        .await;
    browser
        .until("document.querySelector('tr[data-symbol=X5] .name').textContent === 'not traded on this server'")
        .await;
    browser.until("document.querySelector('#chart').dataset.symbol === 'KO'").await;
    assert_eq!(browser.value("document.querySelector('#lists').selectedOptions[0].text").await, json!("From the link"));
    // The page subscribes before it has the table of symbols, so the server may name symbols that it does not know: these alone.
    for error in browser.messages().await.into_iter().filter(|message| message["type"] == "error") {
        let symbols: Vec<_> =
            error["symbols"].as_array().unwrap().iter().filter_map(|symbol| symbol.as_str()).collect();
        assert!(error["code"] == "unknown_symbol" && symbols.iter().all(|symbol| symbol.starts_with('X')), "{error}");
    }
    // The list of a link is not stored.
    browser.open(&format!("http://{}/", server.address)).await;
    browser.until(&format!("{SHOWN} === '{FIRST_TEN}'")).await;

    // Storage that is full, that is denied, and that holds anything else.
    for prepare in [
        "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }",
        "Object.defineProperty(globalThis, 'localStorage', { get() { throw new DOMException('denied', 'SecurityError'); } })",
        "localStorage.setItem('tickcast.page', JSON.stringify({ lists: [{ id: 1 }, null], list: {}, columns: 'last', sections: 'yes', hz: 'fast' }))",
        "localStorage.setItem('tickcast.page', '{\"watch\":')",
    ] {
        let other = Browser::start(1280, 800, "light").await;
        other.before_scripts(prepare).await;
        other.open(&format!("http://{}/", server.address)).await;
        other.until(&format!("{SHOWN} === '{FIRST_TEN}'")).await;
        other.click("tr[data-symbol=NVDA] [data-action=remove]").await;
        other.until(&format!("!{SHOWN}.includes('NVDA')")).await;
        other.click("#watchlist-undo").await;
        other.until(&format!("{SHOWN} === '{FIRST_TEN}'")).await;
        assert_eq!(other.console_errors().await, [""; 0], "{prepare}");
        other.close().await;
    }
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn an_alert_is_exact_although_its_row_is_merged_and_survives_a_hidden_page() {
    let server = spawn_binary(&[], &[("TICKCAST__FEED__EVENTS_PER_SECOND", "2000")]).await;
    let browser = Browser::start(1280, 800, "dark").await;
    browser.open(&format!("http://{}/", server.address)).await;
    browser.until(LIVE).await;
    browser
        .until("document.querySelector('tr[data-symbol=MSFT] [data-field=last]')?.textContent.match(/[0-9]/) != null")
        .await;
    browser.click("#alerts-open").await;
    browser.fill("#alert-symbol", "nosuch\u{e004}").await;
    browser.click("#alert-add").await;
    browser
        .until("document.querySelector('#alert-note').textContent.startsWith('No such symbol: this server has')")
        .await;
    browser
        .until("document.activeElement.id === 'alert-symbol' && document.activeElement.ariaInvalid === 'true'")
        .await;
    // Another symbol brings another level, also that of one that is not listed.
    browser.fill("#alert-symbol", "코카콜라\u{e007}").await;
    browser.until("document.querySelector('#alert-symbol').value === 'KO'").await;
    browser.until("/^last [0-9.]+ \\(0.00%\\)$/.test(document.querySelector('#alert-hint').textContent)").await;
    browser.fill("#alert-symbol", "msft\u{e007}").await;
    browser.value("document.querySelector('#alert-kind').value = 'spread'").await;
    browser.fill("#alert-level", "0.01").await;
    browser.click("#alert-add").await;
    // Spreads are above that at once; a price is reached by a trade that only a whole subscription shows.
    browser.until("document.querySelector('#alert-text').textContent.startsWith('MSFT spread reached ')").await;
    browser.click("#alert-close").await;
    // The click was outside of the menu, and has closed it.
    browser.click("#alerts-open").await;
    let last = "document.querySelector('tr[data-symbol=MSFT] [data-field=last]').textContent";
    let price: f64 = browser.value(last).await.as_str().unwrap().parse().unwrap();
    let sent = browser.value("frames_.length").await;
    // One of both sides is reached within seconds.
    for level in [price + 0.03, price - 0.03] {
        browser.value("document.querySelector('#alert-symbol').value = 'MSFT'").await;
        browser.value("document.querySelector('#alert-kind').value = 'price'").await;
        browser.fill("#alert-level", &format!("{level:.2}")).await;
        browser.click("#alert-add").await;
    }
    let whole = format!(
        "frames_.slice({sent}).some(([way, data]) => way === 'out' && data.includes('MSFT') && !data.includes('latest'))"
    );
    browser.until(&whole).await;
    let hide = "(Object.defineProperty(document, 'hidden', { configurable: true, get: () => true }), document.dispatchEvent(new Event('visibilitychange')))";
    browser.value(hide).await;
    browser.until("!document.querySelector('#alert-shown').hidden").await;
    let alert = browser
        .value("JSON.parse(localStorage.getItem('tickcast.page')).alerts.findLast((alert) => alert.fired)")
        .await;
    // The first trade that reached the level has fired it: the one before had not.
    let [level, fired] = [&alert["level"], &alert["fired"]["value"]].map(|price| price.as_f64().unwrap());
    let reaches = |price: f64| if alert["isAbove"] == true { price >= level } else { price <= level };
    let messages = browser.messages().await;
    let trades = messages.iter().filter(|message| message["type"] == "trade" && message["symbol"] == "MSFT");
    let prices: Vec<f64> = trades.map(|trade| trade["price"].as_f64().unwrap()).collect();
    let is_first = |pair: &[f64]| pair[1].to_bits() == fired.to_bits() && reaches(pair[1]) && !reaches(pair[0]);
    assert!(prices.windows(2).any(is_first), "{alert}: {prices:?}");
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn alerts_that_are_due_are_all_shown_and_cover_no_head() {
    let server = spawn_binary(&[], &[]).await;
    for (width, height) in [(1280, 800), (320, 640)] {
        let browser = Browser::start(width, height, "dark").await;
        browser.open(&format!("http://{}/embed", server.address)).await;
        // Every spread is above that.
        let alerts = json!(["AAPL", "MSFT"].map(|symbol| {
            json!({ "id": symbol, "symbol": symbol, "kind": "spread", "level": 0.0001, "isAbove": null, "fired": null })
        }));
        browser.value(&format!("localStorage.setItem('tickcast.page', JSON.stringify({{ alerts: {alerts} }}))")).await;
        browser.open(&format!("http://{}/", server.address)).await;
        let lines = "document.querySelector('#alert-text').textContent.split('\\n').map((line) => line.split(' ')[0]).sort().join()";
        browser.until(&format!("{lines} === 'AAPL,MSFT'")).await;
        let outside = "(() => {
            const box = (selector) => document.querySelector(selector).getBoundingClientRect();
            const alert = box('#alert-shown');
            const isInside = (inner, outer) =>
                inner.left >= outer.left && inner.right <= outer.right && inner.top >= outer.top && inner.bottom <= outer.bottom;
            const window = new DOMRect(0, 0, innerWidth, innerHeight);
            return [
                ...['#alert-text', '#alert-chart', '#alert-close'].filter((selector) => !isInside(box(selector), alert)),
                ...['.masthead', '#title', '#title-last'].filter((selector) => box(selector).bottom > alert.top),
                ...(isInside(alert, window) ? [] : ['alert']),
            ];
        })()";
        assert_eq!(browser.value(outside).await, json!([]), "{width}");
        browser.click("#alert-close").await;
        assert_eq!(browser.value("document.querySelector('#alert-shown').hidden").await, true);
        assert_eq!(browser.console_errors().await, [""; 0]);
        browser.close().await;
    }
}
