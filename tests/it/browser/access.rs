//! Whether everyone can use the pages: axe on every page, scheme and language, and the live page by keyboard alone.

use serde_json::{Value, json};

use super::driver::Browser;
use super::{CHART_IS_FULL, LIVE, TEN_ROWS, open_page};
use crate::command::spawn_binary;

/// From the lock file of the pages; `make lint` installs it.
pub(super) const AXE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/static/node_modules/axe-core/axe.min.js");
/// Returns the rules of axe that the page breaks, with the elements.
const VIOLATIONS: &str = "axe.run({ resultTypes: ['violations'] }).then(({ violations }) =>
    violations.map(({ id, nodes }) => [id, nodes.map(({ target }) => target.join(' '))]))";

pub(super) async fn violations(browser: &Browser, axe: &str) -> Value {
    if browser.value("typeof axe").await == "undefined" {
        browser.client.execute(axe, Vec::new()).await.unwrap();
    }
    browser.value(VIOLATIONS).await
}

#[tokio::test]
async fn axe_finds_nothing_on_any_page_scheme_and_language() {
    let axe = std::fs::read_to_string(AXE).expect("`make lint` installs axe-core");
    let server = spawn_binary(&[], &[]).await;
    let browser = Browser::start(1280, 800, "light").await;
    let pages = [
        ("", LIVE),
        ("compare", "document.querySelectorAll('option').length >= 10"),
        ("handshake", "document.querySelectorAll('#frames li').length >= 2"),
        ("embed?symbol=AAPL", "Number(document.querySelector('#chart').dataset.bars) > 90"),
    ];
    for (page, ready) in pages {
        for (theme, language) in [("light", "en"), ("dark", "en"), ("light", "ko"), ("dark", "ko")] {
            let joint = if page.contains('?') { '&' } else { '?' };
            browser.open(&format!("http://{}/{page}{joint}theme={theme}&lang={language}", server.address)).await;
            browser.until(ready).await;
            browser.until(&format!("document.documentElement.lang === '{language}'")).await;
            if page.is_empty() {
                browser.until(CHART_IS_FULL).await;
            }
            assert_eq!(violations(&browser, &axe).await, json!([]), "{page} {theme} {language}");
            if page.is_empty() && language == "ko" {
                browser.click("#settings-open").await;
                browser.until("document.querySelector('#settings').open").await;
                assert_eq!(violations(&browser, &axe).await, json!([]), "settings {theme}");
                browser.click("#settings-close").await;
                browser.click("#connection-open").await;
                assert_eq!(violations(&browser, &axe).await, json!([]), "connection {theme}");
            }
        }
    }
    browser.close().await;
}

/// Presses a key, with the modifiers of the Chrome debugging protocol: 8 is Shift.
pub(super) async fn press(browser: &Browser, key: &str, modifiers: u32) {
    let code = match key {
        "Tab" => 9,
        "Enter" => 13,
        "Escape" => 27,
        "ArrowLeft" => 37,
        "ArrowRight" => 39,
        "?" | "/" => 191,
        _ => unreachable!("{key}"),
    };
    let text = if key == "Enter" { "\r" } else { "" };
    for kind in ["keyDown", "keyUp"] {
        let event = json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": modifiers, "text": text });
        browser.devtools("Input.dispatchKeyEvent", event).await;
    }
}

/// The focused element: a name for it, whether its focus is seen, and whether something else covers it.
const FOCUSED: &str = "(() => {
    const it = document.activeElement;
    const box = it.getBoundingClientRect();
    const [x, y] = [box.left + Math.min(box.width, innerWidth) / 2, box.top + box.height / 2];
    const top = document.elementFromPoint(Math.min(Math.max(x, 1), innerWidth - 2), Math.min(Math.max(y, 1), innerHeight - 2));
    const style = getComputedStyle(it);
    return {
        name: it.id || it.dataset.interval || it.dataset.sort || it.closest('[data-symbol]')?.dataset.symbol || it.textContent.trim(),
        isSeen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 && it.matches(':focus-visible'),
        isCovered: box.height < innerHeight && !(it.contains(top) || top?.contains(it) || it.labels?.[0]?.contains(top)),
        isBody: it === document.body,
    };
})()";

#[tokio::test]
async fn the_live_page_can_be_used_by_keyboard_alone() {
    let (_server, browser) = open_page(1280, 800, "dark").await;
    browser.until(TEN_ROWS).await;
    let mut names = Vec::new();
    loop {
        press(&browser, "Tab", 0).await;
        let focused = browser.value(FOCUSED).await;
        if focused["isBody"] == true || names.len() > 120 {
            break;
        }
        let name = focused["name"].as_str().unwrap().to_owned();
        assert_eq!(focused["isSeen"], true, "the focus on {name} is seen");
        assert_eq!(focused["isCovered"], false, "nothing covers {name}");
        names.push(name);
    }
    for needed in [
        "Skip to the chart",
        "language",
        "settings-open",
        "connection-open",
        "1m",
        "chart",
        "chart-table",
        "search",
        "symbol",
        "AAPL",
    ] {
        assert!(names.iter().any(|name| name == needed), "{needed} is reached: {names:?}");
    }
    assert!(names.len() < 100, "{names:?}");

    // A bar is spoken.
    browser.value("document.querySelector('#chart').focus()").await;
    press(&browser, "ArrowLeft", 0).await;
    browser.until("/: open [\\d.,]+, high [\\d.,]+, low [\\d.,]+, close [\\d.,]+/.test(document.querySelector('#chart-spoken').textContent)").await;
    let newest = browser.text("#chart-spoken").await;
    for _ in 0..100 {
        press(&browser, "ArrowLeft", 0).await;
    }
    let older = browser.text("#chart-spoken").await;
    assert_ne!(newest.split(':').nth(1), older.split(':').nth(1));
    // The legend shows the same bar.
    let open = older.split("open ").nth(1).unwrap().split(',').next().unwrap().to_owned();
    browser.until(&format!("document.querySelector('#legend [data-part=open]').textContent === '{open}'")).await;
    press(&browser, "Escape", 0).await;
    assert_eq!(browser.text("#chart-spoken").await, "");
    press(&browser, "?", 0).await;
    browser.until("document.querySelector('#keys')?.open && document.querySelectorAll('#keys dt').length > 9").await;
    press(&browser, "Escape", 0).await;
    browser.until("!document.querySelector('#keys') && document.activeElement.id === 'chart'").await;
    // These two work everywhere but in a field. The dialog's script is there, so that it would open at once.
    press(&browser, "/", 0).await;
    browser.until("document.activeElement.id === 'search'").await;
    press(&browser, "?", 0).await;
    browser.value("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))").await;
    assert_eq!(browser.value("document.querySelector('#keys')").await, Value::Null);

    // The table of bars is another way to read them; Escape returns the focus.
    browser.value("document.querySelector('#chart-table').focus()").await;
    press(&browser, "Enter", 0).await;
    browser
        .until(
            "document.querySelector('#bars-table').open && document.querySelectorAll('#bars-rows tr').length === 200",
        )
        .await;
    press(&browser, "Escape", 0).await;
    browser.until("document.activeElement.id === 'chart-table'").await;
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}

/// The controls in sight that a finger at their middle, or 21 pixels beside it, does not hit; a box to tick with its label.
/// If something lies over the page, only what it contains.
const SMALL: &str = "[...(document.querySelector('dialog[open], :popover-open, .menu:not([hidden]), details[open]') ?? document)
    .querySelectorAll('button, select, input, summary, a[href], [role=option]')]
    .filter((each) => each.checkVisibility({ visibilityProperty: true }) && !each.matches(':disabled, .skip a, #tv-attr-logo, .tagline a'))
    .filter((each) => {
        const target = each.matches('[type=checkbox], [type=radio]') ? each.labels[0] : each;
        target.scrollIntoView({ block: 'center', inline: 'nearest', behavior: 'instant' });
        const { left, top, width, height } = target.getBoundingClientRect();
        const [x, y] = [left + width / 2, top + height / 2];
        const isHit = (dx, dy) => target.contains(document.elementFromPoint(x + dx, y + dy));
        return isHit(0, 0) && ![[-21, 0], [21, 0], [0, -21], [0, 21]].every(([dx, dy]) => isHit(dx, dy));
    })
    .map((each) => each.id || each.dataset.action || each.dataset.column || each.dataset.sort || each.className || each.textContent)";

#[tokio::test]
async fn on_touch_every_control_of_the_live_page_is_44_pixels_large() {
    let server = spawn_binary(&[], &[]).await;
    let browser = Browser::start(390, 844, "light").await;
    browser.devtools("Emulation.setTouchEmulationEnabled", json!({ "enabled": true, "maxTouchPoints": 1 })).await;
    let phone = json!({ "width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": true });
    browser.devtools("Emulation.setDeviceMetricsOverride", phone).await;
    browser.open(&format!("http://{}/", server.address)).await;
    browser.until(LIVE).await;
    browser.until(TEN_ROWS).await;
    browser.until(CHART_IS_FULL).await;
    assert_eq!(browser.value("matchMedia('(pointer: coarse)').matches").await, true);
    assert_eq!(browser.value(SMALL).await, json!([]));
    let menus = ["#columns-open", "#alerts-open", "#list-open", "#indicators summary"];
    let dialogs = ["#settings-open", "#chart-table", "#heat-open", "#connection-open"];
    for opener in menus.iter().chain(&dialogs) {
        browser.value(&format!("document.querySelector('{opener}').click()")).await;
        browser
            .until("!!document.querySelector('.menu:not([hidden]) :is(button, input), details[open], dialog[open], :popover-open')")
            .await;
        assert_eq!(browser.value(SMALL).await, json!([]), "{opener}");
        if dialogs.contains(opener) {
            browser.value("document.querySelector('dialog[open], :popover-open').matches('dialog') ? document.querySelector('dialog[open]').close() : document.querySelector(':popover-open').hidePopover()").await;
        } else {
            browser.value(&format!("document.querySelector('{opener}').click()")).await;
        }
    }
    browser.close().await;
}

#[tokio::test]
async fn with_forced_colours_the_arrow_beside_a_price_and_the_bars_are_seen() {
    let (_server, browser) = open_page(1920, 1080, "light").await;
    let media = json!({ "features": [{ "name": "forced-colors", "value": "active" }] });
    browser.devtools("Emulation.setEmulatedMedia", media).await;
    browser.until("matchMedia('(forced-colors: active)').matches && !!document.querySelector('[data-tick=up]')").await;
    let colours = "[
        getComputedStyle(document.querySelector('[data-tick=up]'), '::before'),
        ...['.track', '.track i', '.balance', '.balance span'].map((each) => getComputedStyle(document.querySelector(each))),
    ].map((style) => style.backgroundColor)";
    let paper = "getComputedStyle(document.querySelector('.panel')).backgroundColor";
    let seen = format!("{colours}.map((colour) => colour !== {paper} && !colour.startsWith('rgba'))");
    assert_eq!(browser.value(&seen).await, json!([true, true, true, true, true]), "{}", browser.value(colours).await);
    browser.close().await;
}
