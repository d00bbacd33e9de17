//! The page `/compare` in a real browser: all columns show the same events, and its bytes are those counted by a proxy.

use serde_json::{Value, json};

use super::driver::Browser;
use crate::command::{Process, spawn_binary};
use crate::http::get;
use crate::proxy::{Carried, CountingProxy};

pub(super) const TRANSPORTS: [&str; 4] = ["websocket", "sse", "long_poll", "short_poll"];
pub(super) const DONE: &str = "document.querySelector('#run').dataset.state === 'done'";
/// Finds texts and borders of fields with too little contrast (WCAG 2.2, 1.4.3 and 1.4.11). Disabled elements are
/// exempt.
const FAINT: &str = "(() => {
    const light = ([red, green, blue]) => [red, green, blue].map((part) => part / 255)
        .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
        .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
    const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const ground = (element) => {
        const colour = parts(getComputedStyle(element).backgroundColor);
        return colour.length === 4 && colour[3] === 0 ? ground(element.parentElement) : colour;
    };
    const contrast = (one, other) => {
        const [dark, bright] = [light(one) + 0.05, light(other) + 0.05].sort((a, b) => a - b);
        return bright / dark;
    };
    const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '');
    const texts = [...document.querySelectorAll('body *')].filter((each) => each.checkVisibility() && !each.disabled && hasText(each));
    const faint = texts.filter((each) => {
        const style = getComputedStyle(each);
        return contrast(parts(each.closest('svg') ? style.fill : style.color), ground(each)) < 4.5;
    });
    const fields = [...document.querySelectorAll('#controls input, #controls select')].filter((each) => {
        const border = parts(getComputedStyle(each).borderTopColor);
        return Math.min(contrast(border, ground(each)), contrast(border, ground(each.parentElement))) < 3;
    });
    return [...faint, ...fields].map((each) => each.outerHTML.slice(0, 120));
})()";
/// Stores the page's downloads by type of file.
pub(super) const CATCH: &str = "(() => {
    globalThis.files = {};
    const plain = URL.createObjectURL.bind(URL);
    URL.createObjectURL = (blob) => { void blob.text().then((text) => { files[blob.type] = text; }); return plain(blob); };
})()";

async fn open_page(width: u32, height: u32, scheme: &str) -> (Process, CountingProxy, Browser) {
    let server = spawn_binary(&[], &[]).await;
    let proxy = CountingProxy::start(server.address).await;
    let browser = Browser::start(width, height, scheme).await;
    browser.open(&format!("http://{}/compare?lang=en", proxy.address)).await;
    browser.until("document.querySelector('#run').textContent === 'Ready'").await;
    (server, proxy, browser)
}

/// Runs the comparison for some seconds.
async fn run(browser: &Browser, seconds: u32) {
    let set = format!(
        "(() => {{ const seconds = document.querySelector('#seconds'); seconds.add(new Option('{seconds}')); \
         seconds.value = '{seconds}'; }})()"
    );
    browser.value(&set).await;
    browser.click("#start").await;
    browser.until(DONE).await;
}

pub(super) async fn figure(browser: &Browser, row: &str, transport: &str) -> f64 {
    let cell = format!("document.querySelector('[data-row={row}] [data-transport={transport}]').dataset.value");
    let value = browser.value(&cell).await;
    value.as_str().unwrap().parse().unwrap_or_else(|_| panic!("{row} of {transport}: {value}"))
}

pub(super) async fn downloaded(browser: &Browser, button: &str, kind: &str) -> String {
    browser.click(button).await;
    browser.until(&format!("typeof files['{kind}'] === 'string'")).await;
    browser.value(&format!("files['{kind}']")).await.as_str().unwrap().to_owned()
}

/// Returns the bytes that the proxy has counted for a transport of the page's measured client.
fn counted(proxy: &CountingProxy, client: &str, transport: &str) -> Carried {
    proxy.carried(|target| {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let is_short = query.split('&').any(|pair| pair == "wait_ms=0");
        let fits = match transport {
            "websocket" => path == "/ws",
            "sse" => path == "/api/v1/stream",
            "long_poll" => path == "/api/v1/poll" && !is_short,
            _ => path == "/api/v1/poll" && is_short,
        };
        fits && query.split('&').any(|pair| pair == format!("client={client}"))
    })
}

fn assert_within(what: &str, share: f64, left: f64, right: f64) {
    assert!((left - right).abs() <= share * left.max(right), "{what}: {left} and {right}");
}

#[actix_web::test]
async fn all_columns_get_the_same_events_and_the_bytes_equal_those_counted_by_a_proxy() {
    let (server, proxy, browser) = open_page(1280, 900, "light").await;
    // Before a run the page shows the last measured comparison, and says so.
    browser
        .until("/^Measured on \\d{4}-\\d\\d-\\d\\d: 1,000 clients/.test(document.querySelector('#source').textContent)")
        .await;
    let dashes = "[...document.querySelectorAll('#table [data-row] td, #headline .figure')].filter((cell) => cell.checkVisibility() && cell.textContent === '–').length";
    assert_eq!(browser.value(dashes).await, 0, "it has every shown figure");
    let measured = figure(&browser, "bytes_per_event", "websocket").await;
    browser.value(CATCH).await;
    run(&browser, 6).await;
    assert!((figure(&browser, "bytes_per_event", "websocket").await - measured).abs() > 1e-9, "the run replaces it");
    assert_eq!(browser.text("#source").await, "Measured by this page, in this run.");
    browser.until("document.querySelector('#table [data-row=staleness]').checkVisibility()").await;
    let data: Value = serde_json::from_str(&downloaded(&browser, "#json", "application/json").await).unwrap();
    let client = data["client"].as_str().unwrap();
    let answer = get(server.address, &format!("/api/v1/traffic?client={client}")).await.json();
    assert_eq!(answer["transports"], data["traffic"], "the page shows the last word of the server");
    assert_eq!(data["failures"], json!({}));
    assert_eq!((&data["truncated"], &data["records_max"]), (&json!(false), &json!(100_000)));

    let offsets = |transport: &str| -> Vec<u64> {
        let records = data["transports"][transport]["records"].as_array().unwrap().iter();
        records.map(|record| record["offset"].as_u64().unwrap()).collect()
    };
    let end = TRANSPORTS.map(|transport| *offsets(transport).last().unwrap()).into_iter().min().unwrap();
    let common = |transport| offsets(transport).into_iter().filter(|offset| *offset <= end).collect::<Vec<_>>();
    let expected = common("websocket");
    assert!(expected.len() > 30 && expected.is_sorted_by(|a, b| a < b), "{expected:?}");
    for transport in TRANSPORTS {
        assert_eq!(common(transport), expected, "{transport}");
        assert!(figure(&browser, "missed", transport).await < 1.0, "{transport}");
        assert!(figure(&browser, "merged", transport).await < 1.0, "{transport}");
        for (row, counted) in [
            ("up", counted(&proxy, client, transport).up),
            ("down", counted(&proxy, client, transport).down),
            ("requests", counted(&proxy, client, transport).requests),
        ] {
            let (shown, counted) = (figure(&browser, row, transport).await, f64::from(u32::try_from(counted).unwrap()));
            assert_within(&format!("{row} of {transport}"), 0.02, shown, counted);
        }
        for row in ["p50", "p99", "staleness", "cpu", "bytes_per_event"] {
            assert!(figure(&browser, row, transport).await.is_finite(), "{row} of {transport}");
        }
        let points = format!("Number(document.querySelector('#bytes').dataset['{transport}'])");
        assert!(browser.value(&points).await.as_u64().unwrap() > 0, "{transport}");
    }
    assert!(figure(&browser, "staleness", "short_poll").await > figure(&browser, "staleness", "websocket").await);
    assert!(browser.text("#summary").await.contains("All four have delivered the same"));

    let csv = downloaded(&browser, "#csv", "text/csv").await;
    let lines = csv.lines().skip(1).filter(|line| line.starts_with("long_poll,")).count();
    assert_eq!(lines, offsets("long_poll").len());
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}

#[actix_web::test]
async fn extra_clients_have_an_account_of_their_own_and_delay_no_column() {
    let (server, _proxy, browser) = open_page(1280, 900, "dark").await;
    browser.value(CATCH).await;
    for (field, value) in [("seconds", 600), ("extra", 3)] {
        browser.value(&format!("document.querySelector('#{field}').value = '{value}'")).await;
    }
    browser.click("#start").await;
    let served = [("websocket", "3 of 3"), ("sse", "1 of 3"), ("long_poll", "3 in turn"), ("short_poll", "3 in turn")];
    for (transport, said) in served {
        let cell = format!("document.querySelector('#crowd [data-transport={transport}]').textContent");
        browser.until(&format!("{cell} === '{said}'")).await;
    }
    for transport in TRANSPORTS {
        let cell = format!("document.querySelector('[data-row=events] [data-transport={transport}]')");
        browser.until(&format!("Number({cell}.dataset.value) > 30")).await;
    }
    browser.click("#stop").await;
    browser.until(DONE).await;

    let data: Value = serde_json::from_str(&downloaded(&browser, "#json", "application/json").await).unwrap();
    let client = data["client"].as_str().unwrap();
    let extra = get(server.address, &format!("/api/v1/traffic?client={client}-x")).await.json();
    assert_eq!(extra["transports"]["websocket"]["requests"], 3);
    assert_eq!(extra["transports"]["sse"]["requests"], 1, "browsers allow six connections, and five are taken");
    assert_eq!(data["traffic"]["websocket"]["requests"], 1);
    assert_eq!(
        data["crowd"],
        json!({ "asked": 3, "served": { "websocket": 3, "sse": 1, "long_poll": 3, "short_poll": 3 } })
    );
    assert!(browser.text("#summary").await.contains("All four have delivered the same"));
    assert_eq!(browser.console_errors().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn newest_values_are_merged_and_a_run_can_be_stopped() {
    let (_server, _proxy, browser) = open_page(1280, 900, "dark").await;
    browser.value("document.querySelector('#rate').value = '1'").await;
    browser.click("#start").await;
    let merged = |transport| {
        format!("Number(document.querySelector('[data-row=merged] [data-transport={transport}]').dataset.value) > 0")
    };
    for transport in TRANSPORTS {
        browser.until(&merged(transport)).await;
    }
    browser.click("#stop").await;
    browser.until(DONE).await;
    assert!(browser.text("#summary").await.contains("Newest values only"));
    for transport in TRANSPORTS {
        assert!(figure(&browser, "missed", transport).await < 1.0, "{transport}");
    }
    for symbol in ["NONE", "A&B"] {
        browser.fill("#symbols", &format!("AAPL, {symbol}")).await;
        browser.click("#start").await;
        let said = format!("document.querySelector('#run').textContent === 'Failed: no such symbol: {symbol}'");
        browser.until(&said).await;
    }
    browser.close().await;
}

#[tokio::test]
async fn nothing_is_cut_off_at_any_width_in_either_language() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    std::fs::create_dir_all(&folder).unwrap();
    let windows = [(1280, 1900, "light"), (1280, 1900, "dark"), (390, 3200, "light"), (390, 3200, "dark")];
    for (width, height, scheme) in windows {
        let (_server, _proxy, browser) = open_page(width, height, scheme).await;
        run(&browser, 4).await;
        for (language, word) in [("en", "Short poll"), ("ko", "짧은 폴링")] {
            if language == "ko" {
                browser.click("#language").await;
                browser.value("window.scrollTo(0, 0)").await;
            }
            assert_eq!(browser.text("#table thead [data-transport=short_poll]").await, word);
            let picture = browser.screenshot().await;
            std::fs::write(folder.join(format!("compare-{width}-{scheme}-{language}.png")), picture).unwrap();
            let overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
            assert_eq!(browser.value(overflow).await, json!(0), "{width} {scheme} {language}: no sideways scrolling");
            let cut = "[...document.querySelectorAll('#table td, #table th:not(.unseen)')]
                .filter((cell) => cell.offsetParent && cell.scrollWidth > cell.clientWidth + 1)
                .map((cell) => cell.outerHTML)";
            assert_eq!(browser.value(cut).await, json!([]), "{width} {scheme} {language}");
            assert_eq!(browser.value(FAINT).await, json!([]), "{width} {scheme} {language}");
        }
        assert_eq!(browser.console_errors().await, [""; 0]);
        browser.close().await;
    }
}
